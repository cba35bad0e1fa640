"""Reads the service-desk sentences in many voices: 8 kHz WAV, and what was said, for measuring recognition.

    python speak.py --model kokoro.onnx --voices DIR --out DIR [--share 5]

Kokoro-82M (Apache-2.0): 20 English voices and four of other languages, who read English with their accent. Each voice
reads every fifth sentence (--share), beginning at another one. OUT/said.tsv has a line a clip: file, voice, sentence.
demo/README.md says how to get the model and the voices (DIR holds one .bin a voice). Needs numpy, scipy, soundfile,
onnxruntime and kokoro-onnx. Nothing of it is used by the product, and nothing it makes is kept in the project.
"""

import argparse
import pathlib

import numpy as np
import onnxruntime
import soundfile
from kokoro_onnx import Kokoro
from scipy import signal

VOICES = """af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nova af_sarah af_sky am_adam am_echo am_eric am_fenrir
am_liam am_michael am_onyx bf_emma bf_isabella bm_daniel bm_george ef_dora hm_omega im_nicola ff_siwis""".split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--voices", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--share", type=int, default=5)
    parser.add_argument("--only", help="only these of the voices, parted by commas")
    parser.add_argument("--first-sentences", type=int, help="only so many of the sentences")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    lines = (pathlib.Path(__file__).parent / "sentences.txt").read_text().split("\n")
    sentences = [line for line in lines if line and not line.startswith("#")][: args.first_sentences]
    voices = {name: np.fromfile(args.voices / f"{name}.bin", np.float32).reshape(-1, 1, 256) for name in VOICES}
    np.savez(args.out / "voices.npz", **voices)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    kokoro = Kokoro.from_session(session, str(args.out / "voices.npz"))

    said = (args.out / "said.tsv").open("a")
    # Voice by voice within each sentence, so that an unfinished run is balanced too.
    for turn in range(0, len(sentences), args.share):
        for number, name in enumerate(VOICES):
            if args.only and name not in args.only.split(","):
                continue
            n = turn + number % args.share
            if n >= len(sentences):
                continue
            rng = np.random.default_rng([7, n, number])
            lang = "en-gb" if name[0] == "b" else "en-us"
            samples, rate = kokoro.create(sentences[n], voice=name, speed=float(rng.uniform(0.9, 1.3)), lang=lang)
            samples = signal.resample_poly(samples, 8000, rate)
            # As loud as people are on the telephone: some 20 dB apart.
            level = 10 ** (float(rng.uniform(-26, -9)) / 20)
            samples = np.concatenate([np.zeros(2400), samples / np.abs(samples).max() * level * 32767, np.zeros(2400)])
            file = f"{n:03}-{name}.wav"
            soundfile.write(args.out / file, samples.astype(np.int16), 8000)
            said.write(f"{file}\t{name}\t{sentences[n]}\n")
            said.flush()


if __name__ == "__main__":
    main()
