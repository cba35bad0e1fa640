"""Speaks sentences in many voices, as unlabelled speech for the teacher: WAV at 8 kHz and manifest rows.

    python kokoro_speech.py --model kokoro.onnx --voices DIR --out DIR [--clips N]

Kokoro-82M (Apache-2.0) has some fifty voices; two of them mixed are a voice of their own. It has no emotions to choose:
nothing it says is labelled. The manifest rows, `path,unlabelled,voice,kokoro`, go to OUT/kokoro.csv; add them to the
training's manifest. demo/README.md says how to get the model and the voices (DIR holds one .bin a voice). Needs numpy,
scipy, soundfile, onnxruntime and kokoro-onnx.
"""

import argparse
import pathlib

import numpy as np
import onnxruntime
import soundfile
from kokoro_onnx import Kokoro
from scipy import signal

SENTENCES = """I ordered the kettle on the third of March and it still has not come.
Could you tell me where the parcel is at the moment?
My account number is seven four two, nine one six, zero eight.
Well, that is wonderful news, thank you so much for your help!
No, that is not what I asked for, and you know it.
I have been waiting for forty minutes now, this is ridiculous.
The appointment was moved to Thursday afternoon, was it not?
I am afraid I do not understand what this charge is for.
Oh no, please do not tell me that it was lost again.
It is the second floor, the blue door on the left.
We would like to cancel the subscription by the end of the month.
Honestly, I do not mind either way, whatever is easier for you.
Kids are talking by the window while the rain comes down.
The cloth is lying on the fridge, and tonight I could tell him.
What will happen with it when nobody comes to fetch it?
Hello, yes, hold on, let me find a pen, one second.
My mother is eighty one years old and she sits in the cold!
That can not be right, I paid the invoice last week.
Great, perfect, then everything is settled, have a lovely evening.
I only want somebody to call me back, that is all.
The bags stand under the table where they always stand.
In seven hours it will be time to leave for the airport.
Would you please repeat the last four digits for me?
Look, I have explained this to three of your colleagues already.""".split("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--voices", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--clips", type=int, default=88)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    voices = {file.stem: np.fromfile(file, np.float32).reshape(-1, 1, 256) for file in sorted(args.voices.glob("*.bin"))}
    names = sorted(voices)
    np.savez(args.out / "voices.npz", **voices)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    kokoro = Kokoro.from_session(session, str(args.out / "voices.npz"))

    rng = np.random.default_rng(5)
    rows = []
    for clip in range(args.clips):
        # First each voice by itself, then mixtures.
        first, mixed = names[clip % len(names)], clip >= len(names)
        second = names[rng.integers(len(names))] if mixed else first
        share = float(rng.uniform(0.2, 0.8)) if mixed else 1.0
        text, speed = SENTENCES[rng.integers(len(SENTENCES))], float(rng.uniform(0.8, 1.35))
        style = (voices[first] * share + voices[second] * (1 - share)).astype(np.float32)
        lang = "en-gb" if first.startswith("b") else "en-us"
        samples, rate = kokoro.create(text, voice=style, speed=speed, lang=lang)
        samples = signal.resample_poly(samples, 8000, rate)
        name = f"k{clip:04}.wav"
        soundfile.write(args.out / name, (samples / np.abs(samples).max() * 0.5 * 32767).astype(np.int16), 8000)
        rows.append(f"kokoro/{name},unlabelled,kokoro_{clip:04},kokoro")
    (args.out / "kokoro.csv").write_text("path,emotion,speaker,corpus\n" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
