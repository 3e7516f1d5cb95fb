"""PESQ (ITU-T P.862, narrow band) and STOI of what suppress.ts has written, as a Markdown table."""

import collections
import glob
import json
import re
import sys

import numpy as np
from pesq import NoUtterancesError, pesq
from pystoi import stoi

RATE = 8000
KINDS = ("babble", "music", "pink")


def read(path):
    return np.fromfile(path, "<i2").astype(float)


def main():
    folder = sys.argv[1]
    with open(f"{folder}/results.json", encoding="utf-8") as file:
        results = json.load(file)
    print("| | PESQ | STOI | PESQ babble | STOI babble | STOI music | STOI pink | PESQ clean | % of a core | p50 ms | p99 ms | delay ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        name, scores = result["name"], collections.defaultdict(list)
        for path in sorted(glob.glob(f"{folder}/*.{name}.out")):
            item, kind = re.search(r"(\d+)-([a-z]+)\d*\.[^/]*$", path).groups()
            # Speech without noise should come out as it went in: as G.711 has left it.
            reference = read(f"{folder}/{item}-clean.none.out" if kind == "clean" else f"{folder}/{item}.reference")
            heard = read(path)
            length = min(len(reference), len(heard))
            try:
                quality = pesq(RATE, reference[:length], heard[:length], "nb")
            except NoUtterancesError:
                quality = 1.0
            scores[kind].append((quality, stoi(reference[:length], heard[:length], RATE)))
        noisy = np.mean([score for kind in KINDS for score in scores[kind]], 0)
        mean = {kind: np.mean(values, 0) for kind, values in scores.items()}
        cells = [f"{noisy[0]:.2f}", f"{noisy[1]:.3f}", f"{mean['babble'][0]:.2f}", *(f"{mean[kind][1]:.3f}" for kind in KINDS), f"{mean['clean'][0]:.2f}"]
        cost = [f"{result['corePercent']:.2f}", f"{result['p50Ms']:.2f}", f"{result['p99Ms']:.2f}", f"{result['delayMs']:.0f}"]
        print(f"| {name} | " + " | ".join(cells + cost) + " |", flush=True)


main()
