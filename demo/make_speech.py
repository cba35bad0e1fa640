#!/usr/bin/env python3
"""Speaks demo/script.toml: caller.wav, agent.wav (8 kHz mono 16-bit, one leg each) and timeline.json.

Kokoro-82M has voices and a speed but no emotions, so the caller's anger is put on afterwards: each sentence is taken
apart by the WORLD vocoder into F0, spectral envelope and aperiodicity, these are shaped by how upset the script says
the speaker is, and put together again. README.md says how to get the model and which versions were used.

    python make_speech.py --model kokoro.onnx --voices voices.npz [--cache DIR]
"""

import argparse
import hashlib
import json
import pathlib
import re
import tomllib

import numpy as np
import pyworld
import soundfile
from scipy import signal

HERE = pathlib.Path(__file__).parent
RATE = 24_000  # Kokoro's
OUT_RATE = 8_000
FRAME_MS = 5.0
BASE_DBFS = -27.0  # speech level (RMS of the voiced half) at upset = 0
LINE_NOISE_DBFS = -66.0  # what a quiet line carries between words
SENTENCE_PAUSE = 0.30


def speak(tts, cache, text, voice, lang, speed):
    """One sentence from Kokoro, kept in `cache` so that shaping can be tried again at once."""
    key = hashlib.sha256(f"{text}|{voice}|{lang}|{speed:.3f}".encode()).hexdigest()[:16]
    path = cache / f"{key}.npy"
    if not path.exists():
        samples, rate = tts().create(text, voice=voice, speed=speed, lang=lang)
        assert rate == RATE
        np.save(path, samples.astype(np.float32))
    return np.load(path).astype(np.float64)


def scaled(factor, upset):
    """A factor of the script's [shape], reached at upset = 1 and neutral at 0."""
    return factor**upset


def smooth(values, frames):
    window = np.hanning(frames + 2)[1:-1]
    return np.convolve(values, window / window.sum(), mode="same")


def warp(envelope, factor):
    """Moves the formants by `factor` along the frequency axis."""
    bins = np.arange(envelope.shape[1])
    source = np.clip(bins / factor, 0, bins[-1])
    return np.exp(np.array([np.interp(source, bins, row) for row in np.log(envelope + 1e-16)]))


def tilt(bins, lift_db):
    """Gain a bin: nothing below 600 Hz, `lift_db` from 1 to 4 kHz, half of it above."""
    hertz = np.linspace(0, RATE / 2, bins)
    db = np.interp(hertz, [0, 600, 1200, 3800, 6000], [0, 0, lift_db, lift_db, lift_db / 2])
    return 10 ** (db / 10)  # WORLD's envelope is a power spectrum


def shape(samples, upset, style, rng):
    """The sentence as someone `upset` says it."""
    f0, times = pyworld.harvest(samples, RATE, f0_floor=70, f0_ceil=500, frame_period=FRAME_MS)
    f0 = pyworld.stonemask(samples, f0, times, RATE)
    envelope = pyworld.cheaptrick(samples, f0, times, RATE)
    aperiodic = pyworld.d4c(samples, f0, times, RATE)

    voiced = f0 > 0
    if voiced.sum() < 4:
        return samples
    energy_db = smooth(10 * np.log10(envelope.sum(axis=1) + 1e-10), 9)
    loud = np.clip((energy_db - np.median(energy_db[voiced])) / 12, -1, 1)

    semitones = 12 * np.log2(f0[voiced] / np.median(f0[voiced]))
    semitones *= scaled(style["range"], upset)
    semitones += upset * style["stress"] * np.clip(loud[voiced], 0, 1)
    target = np.median(f0[voiced]) * scaled(style["pitch"], upset)
    shaped = np.zeros_like(f0)
    shaped[voiced] = np.clip(target * 2 ** (semitones / 12), 60, 620)
    if upset > 0:
        shaped[voiced] *= 1 + style["rough"] * upset * rng.standard_normal(voiced.sum())

    envelope = warp(envelope, scaled(style["formant"], upset))
    envelope *= tilt(envelope.shape[1], style["tilt_db"] * upset)
    gain_db = (scaled(style["attack"], upset) - 1) * np.clip(energy_db - np.median(energy_db[voiced]), -20, 12)
    envelope *= 10 ** (gain_db / 10)[:, None]

    frames = np.ascontiguousarray
    return pyworld.synthesize(frames(shaped), frames(envelope), frames(aperiodic), RATE, FRAME_MS)


def levelled(samples, dbfs):
    """`samples` with the RMS of their louder half at `dbfs`, peaks softly limited."""
    block = RATE // 50
    power = (samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1)
    loud = np.sort(power)[len(power) // 2 :].mean()
    samples = samples * 10 ** (dbfs / 20) / np.sqrt(loud + 1e-12)
    return np.where(np.abs(samples) < 0.6, samples, np.sign(samples) * (0.6 + 0.35 * np.tanh((np.abs(samples) - 0.6) / 0.35)))


def sentences(text):
    return [part.strip() for part in re.findall(r"[^.!?]+[.!?]*", text) if part.strip()]


def say_turn(turn, voice, style, tts, cache, rng):
    """A whole turn at 24 kHz, its sentences going from the first to the last value of `upset`."""
    parts = []
    said = sentences(turn["text"])
    start, end = turn["upset"]
    for at, sentence in enumerate(said):
        upset = start if len(said) == 1 else start + (end - start) * at / (len(said) - 1)
        speed = round(voice["speed"] * scaled(style["speed"], upset), 2)
        samples = speak(tts, cache, sentence, voice["name"], voice["lang"], speed)
        samples = levelled(shape(samples, upset, style, rng), BASE_DBFS + style["level_db"] * max(upset, -0.3))
        if parts:
            parts.append(np.zeros(int(RATE * SENTENCE_PAUSE / scaled(1.6, upset))))
        parts.append(samples)
    return np.concatenate(parts)


def telephone(samples):
    """24 kHz to 8 kHz, high-passed like a handset."""
    high_pass = signal.butter(2, 120, "highpass", fs=RATE, output="sos")
    return signal.resample_poly(signal.sosfilt(high_pass, samples), 1, RATE // OUT_RATE)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--voices", required=True)
    arguments.add_argument("--cache", default="/tmp/sidetone-demo-speech", type=pathlib.Path)
    arguments.add_argument("--out", default=HERE, type=pathlib.Path)
    given = arguments.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    script = tomllib.loads((HERE / "script.toml").read_text())

    loaded = []

    def tts():
        if not loaded:
            from kokoro_onnx import Kokoro

            loaded.append(Kokoro(given.model, given.voices))
        return loaded[0]

    rng = np.random.default_rng(1)
    turns, clock = [], 0.0
    for turn in script["turn"]:
        samples = telephone(say_turn(turn, script["voice"][turn["who"]], script["shape"], tts, given.cache, rng))
        start = max(0.0, clock + turn["gap"])
        clock = start + len(samples) / OUT_RATE
        turns.append((turn, start, clock, samples))

    length = int((clock + 1.0) * OUT_RATE)
    for who in ("caller", "agent"):
        leg = rng.standard_normal(length) * 10 ** (LINE_NOISE_DBFS / 20)
        for turn, start, _, samples in turns:
            if turn["who"] == who:
                at = int(start * OUT_RATE)
                leg[at : at + len(samples)] += samples
        leg = np.clip(leg, -0.99, 0.99)
        soundfile.write(given.out / f"{who}.wav", np.round(leg * 32767).astype(np.int16), OUT_RATE, subtype="PCM_16")

    timeline = [
        {"who": turn["who"], "start": round(start, 2), "end": round(end, 2), "upset": turn["upset"], "text": turn["text"]}
        for turn, start, end, _ in turns
    ]
    (given.out / "timeline.json").write_text(
        "[\n" + ",\n".join("  " + json.dumps(line, ensure_ascii=False) for line in timeline) + "\n]\n"
    )
    print(f"{length / OUT_RATE:.1f} s; caller speaks {sum(e - s for t, s, e, _ in turns if t['who'] == 'caller'):.1f} s")


if __name__ == "__main__":
    main()
