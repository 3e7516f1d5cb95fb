"""Mixes prompts of a woman's voice with babble, music and pink noise: 8 kHz, 16-bit, for suppress.ts and score.py."""

import argparse
import glob
import os

import numpy as np
import soundfile
from scipy.signal import resample_poly

RATE = 8000
ITEM = 8 * RATE
ITEMS = 24
SPEECH_RMS = 0.06
RATIOS_DB = (0, 5, 10, 15)
SPEECH = "en_US_f_Allison"
BABBLE = ("es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")


def load(pattern, seconds):
    files = sorted(glob.glob(pattern))
    if not files:
        raise SystemExit(f"nothing is there: {pattern}")
    np.random.default_rng(3).shuffle(files)
    parts, total = [], 0
    for file in files:
        samples, rate = soundfile.read(file)
        if samples.ndim > 1:
            samples = samples.mean(1)
        parts.append(samples if rate == RATE else resample_poly(samples, RATE, rate))
        total += len(parts[-1])
        if total > seconds * RATE:
            break
    return np.concatenate(parts)


def rms(samples):
    return np.sqrt(np.mean(samples**2))


def babble(sounds):
    """Eight voices: each of four twice, half of the time apart."""
    voices = [load(f"{sounds}/{voice}/*.wav", 200) for voice in BABBLE]
    length = min(map(len, voices))
    voices = [voice[:length] / rms(voice[:length]) for voice in voices]
    return sum(voices) + sum(np.roll(voice, length // 2) for voice in voices)


def pink(rng):
    spectrum = np.fft.rfft(rng.standard_normal(200 * RATE))
    bins = np.arange(len(spectrum))
    bins[0] = 1
    return np.fft.irfft(spectrum / np.sqrt(bins))


def write(path, samples):
    np.round(samples * 32767).clip(-32768, 32767).astype("<i2").tofile(path)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("set", help="folder to write")
    arguments.add_argument("--sounds", default="/usr/share/asterisk/sounds")
    arguments.add_argument("--music", default="/usr/share/asterisk/moh")
    options = arguments.parse_args()
    os.makedirs(options.set, exist_ok=True)
    rng = np.random.default_rng(7)
    speech = load(f"{options.sounds}/{SPEECH}/*.wav", ITEMS * ITEM / RATE)
    noises = {"babble": babble(options.sounds), "music": load(f"{options.music}/*.wav", 300), "pink": pink(rng)}
    for index in range(ITEMS):
        clean = speech[index * ITEM : (index + 1) * ITEM]
        clean = clean / rms(clean) * SPEECH_RMS
        write(f"{options.set}/{index:02d}.reference", clean)
        write(f"{options.set}/{index:02d}-clean.in", clean)
        for name, noise in noises.items():
            for ratio in RATIOS_DB:
                offset = rng.integers(0, len(noise) - ITEM)
                part = noise[offset : offset + ITEM]
                write(f"{options.set}/{index:02d}-{name}{ratio}.in", clean + part / rms(part) * SPEECH_RMS * 10 ** (-ratio / 20))


main()
