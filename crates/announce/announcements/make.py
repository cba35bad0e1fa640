#!/usr/bin/env python3
"""Speaks manifest.toml: LANGUAGE/notice.opus and LANGUAGE/opt-in.opus, and both with `-words`, which say that words are
recognised too (Ogg Opus, mono, about 32 kbit/s).

    pip install kokoro-onnx==0.6.1 soundfile numpy
    apt install ffmpeg libttspico-utils      # the latter from Debian's non-free
    python make.py --model kokoro.onnx --voices voices.npz [--keep-wav DIR] [LANGUAGE ...]

Two sentences are spoken apart, so that the request that follows the notice stands by itself.
"""

import argparse
import pathlib
import subprocess
import tempfile
import tomllib

import numpy as np
import soundfile

HERE = pathlib.Path(__file__).parent
LEAD, PAUSE, TAIL = 0.15, 0.45, 0.25  # seconds of silence before, between and after the sentences
LUFS, PEAK_DBTP = -19, -3  # loudness of mono speech (EBU R 128's programme loudness in one channel), true peak


def spoken(text, entry):
    for written, said in entry.get("spoken", {}).items():
        text = text.replace(written, said)
    return text


def by_kokoro(tts, text, entry):
    samples, rate = tts.create(text, voice=entry["voice"], speed=1.0, lang=entry["phonemes"])
    return np.asarray(samples, dtype=np.float64), rate


def by_pico(_, text, entry):
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        text = f'<speed level="95">{text}</speed>'
        subprocess.run(["pico2wave", "-l", entry["voice"], "-w", file.name, text], check=True)
        return soundfile.read(file.name)


def trimmed(samples, rate):
    """Without the silence around it (below -45 dB of its own peak in 10 ms), which engines add as they like."""
    step = rate // 100
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > np.abs(samples).max() * 10 ** (-45 / 20))
    first, last = max(loud[0] - 1, 0) * step, (loud[-1] + 4) * step
    cut = samples[first:last].copy()
    fade = np.linspace(0, 1, step)
    cut[:step] *= fade
    cut[-step:] *= fade[::-1]
    return cut


def encode(samples, rate, path, wav):
    soundfile.write(wav, samples, rate)
    level = f"loudnorm=I={LUFS}:TP={PEAK_DBTP}:LRA=7:linear=true"
    measured = subprocess.run(
        ["ffmpeg", "-hide_banner", "-i", wav, "-af", f"{level}:print_format=json", "-f", "null", "-"],
        check=True, capture_output=True, text=True).stderr
    values = dict(line.replace('"', "").rstrip(",").split(" : ") for line in measured.splitlines() if '" : "' in line)
    values = {key.strip(): value for key, value in values.items()}
    second = level + "".join(
        f":measured_{name}={values['input_' + key]}"
        for name, key in [("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh")])
    path.parent.mkdir(exist_ok=True)
    subprocess.run(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-i", wav, "-af", second, "-ar", "48000", "-ac", "1",
         "-c:a", "libopus", "-b:a", "32k", "-vbr", "on", "-application", "voip", "-frame_duration", "20",
         "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", str(path)], check=True)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--model", required=True)
    args.add_argument("--voices", required=True)
    args.add_argument("--keep-wav", type=pathlib.Path)
    args.add_argument("--only-words", action="store_true", help="leave those without `-words` as they are")
    args.add_argument("languages", nargs="*")
    args = args.parse_args()
    from kokoro_onnx import Kokoro
    tts = Kokoro(args.model, args.voices)
    manifest = tomllib.loads((HERE / "manifest.toml").read_text())
    for language, entry in manifest["language"].items():
        if args.languages and language not in args.languages:
            continue
        speak = {"kokoro": by_kokoro, "pico": by_pico}[entry["engine"]]
        kinds = [("say-words", name, f"{name}-words") for name in ("notice", "opt-in")]
        if not args.only_words:
            kinds += [("say", name, name) for name in ("notice", "opt-in")]
        for told, asked, name in kinds:
            sentences = [speak(tts, spoken(entry[part], entry), entry) for part in (told, asked)]
            rate = sentences[0][1]
            silence = [np.zeros(int(rate * seconds)) for seconds in (LEAD, PAUSE, TAIL)]
            say, ask = (trimmed(samples, rate) for samples, _ in sentences)
            whole = np.concatenate([silence[0], say, silence[1], ask, silence[2]])
            with tempfile.TemporaryDirectory() as folder:
                folder = args.keep_wav or pathlib.Path(folder)
                encode(whole, rate, HERE / language / f"{name}.opus", str(folder / f"{language}-{name}.wav"))
            print(language, name, f"{len(whole) / rate:.1f} s", flush=True)


if __name__ == "__main__":
    main()
