"""PESQ (ITU-T P.862, narrow band) of pairs of 8 kHz files, one pair a line: reference, tab, heard. Writes one number a line; 1 where nothing was heard."""

import sys

import numpy as np
from pesq import NoUtterancesError, pesq

for line in sys.stdin:
    reference, heard = (np.fromfile(path, "<i2").astype(float) for path in line.rstrip("\n").split("\t"))
    length = min(len(reference), len(heard))
    try:
        print(pesq(8000, reference[:length], heard[:length], "nb"), flush=True)
    except NoUtterancesError:
        print(1.0, flush=True)
