"""Asks Whisper base what it makes of labelled clips, speaker by speaker unknown: shares of the classes, for the manifest.

    cargo run --release -p sidetone-emotion --example clips -- labels.csv ROOT clips.safetensors
    python whisper_from_ctranslate2.py model.bin base.safetensors 6
    python shares.py --manifest labels.csv --clips clips.safetensors --whisper base.safetensors --stats stats.safetensors \
        --corpora emodb,ravdess --without ravdess_15,emodb_10 --out shares.csv
    sidetone model train --manifest shares.csv ...

A ridge regression on mean and deviation of Whisper's blocks (frozen; each clip at three speeds) tells the classes. Each
speaker is judged by one that knows neither them nor anybody of `--without`, so what it says of a clip is what it would say
of a stranger's: where it is torn, so is a good listener. (A teacher asked about clips that it was fitted on repeats their labels.)
Those of `--without` get no shares. The recall that it prints is that of strangers.
"""

import argparse
import csv
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import telephone
from whisper import Whisper

CLASSES = "anger happiness sadness fear disgust surprise calm neutral boredom".split()
SPEEDS = (1.0, 0.9, 1.1)
BLOCKS = (1, 2, 3, 4)
RIDGE = 0.3


@torch.no_grad()
def statistics(clips, whisper, rows):
    """Mean and deviation of each layer over each clip, `[speeds, clips, layers, 2 x width]`, level taken out."""
    whisper = Whisper(whisper)
    with safe_open(clips, "pt") as file:
        pcm, starts = file.get_tensor("pcm"), file.get_tensor("pcm_starts")
    every = []
    for done, row in enumerate(rows):
        x = pcm[starts[row] : starts[row + 1]].float() / 32768
        said = []
        for speed in SPEEDS:
            y = x if speed == 1 else F.interpolate(x[None, None], size=int(len(x) / speed), mode="linear")[0, 0]
            y = telephone.mu_law(y)
            y = y * (0.05 / y.square().mean().sqrt().clamp_min(1e-5))
            layers = whisper(whisper.mel(y[None]))[:, 0]
            said.append(torch.cat([layers.mean(1), layers.std(1)], 1))
        every.append(torch.stack(said).half())
        if done % 100 == 0:
            print(f"heard {done} of {len(rows)}", flush=True)
    return torch.stack(every, 1)


def judged(stats, label, fitted, asked):
    """What a ridge fitted on some clips says of others, `[asked, classes]`."""
    x = stats[:, :, BLOCKS].flatten(2).float().numpy()
    known, target = np.concatenate(x[:, fitted]), np.tile(np.eye(len(CLASSES))[label[fitted]], (len(SPEEDS), 1))
    mean, scale = known.mean(0), known.std(0) + 1e-5
    known, other = (known - mean) / scale, (x[0, asked] - mean) / scale
    kernel = known @ known.T + RIDGE * known.shape[1] * np.eye(len(known))
    return other @ known.T @ np.linalg.solve(kernel, target - target.mean(0)) + target.mean(0)


def softened(said, label, own):
    """As probabilities of a corpus's own classes, at the temperature that likes the labels best."""
    said = said[:, own] - said[:, own].max(1, keepdims=True)
    best = None
    for scale in np.geomspace(1, 60, 40):
        shares = np.exp(scale * said)
        shares /= shares.sum(1, keepdims=True)
        surprise = -np.log(shares[np.arange(len(label)), [own.index(x) for x in label]] + 1e-9).mean()
        if best is None or surprise < best[0]:
            best = surprise, shares
    return best[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--clips", required=True)
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--stats", required=True, help="what Whisper said: kept here for the next time")
    parser.add_argument("--corpora", required=True)
    parser.add_argument("--without", default="")
    parser.add_argument("--together", type=int, default=2, help="speakers of a corpus judged at once")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    with open(args.manifest, newline="") as file:
        reader = csv.DictReader(file)
        columns, manifest = reader.fieldnames, list(reader)
    corpora, without = args.corpora.split(","), set(args.without.split(","))
    rows = [n for n, row in enumerate(manifest) if row["corpus"] in corpora]
    if pathlib.Path(args.stats).exists():
        stats = load_file(args.stats)["stats"]
    else:
        stats = statistics(args.clips, args.whisper, rows)
        save_file({"stats": stats}, args.stats)
    assert stats.shape[1] == len(rows), f"{args.stats} is of other clips: remove it"
    speaker = np.array([manifest[n]["speaker"] for n in rows])
    corpus = np.array([manifest[n]["corpus"] for n in rows])
    label = np.array([CLASSES.index(manifest[n]["emotion"]) for n in rows])

    allowed = ~np.isin(speaker, list(without))
    said = np.zeros((len(rows), len(CLASSES)))
    by_corpus = [sorted(set(speaker[allowed & (corpus == name)])) for name in corpora]
    groups = [[group[n : n + args.together] for n in range(0, len(group), args.together)] for group in by_corpus]
    for turn in range(max(len(group) for group in groups)):
        strangers = np.isin(speaker, sum((group[turn] for group in groups if turn < len(group)), []))
        asked = np.flatnonzero(strangers)
        said[asked] = judged(stats, label, np.flatnonzero(allowed & ~strangers), asked)
    for name in corpora:
        here = np.flatnonzero(allowed & (corpus == name))
        own = sorted(set(label[here]))
        shares = softened(said[here], label[here], own)
        right = np.array(own)[shares.argmax(1)] == label[here]
        recall = np.mean([right[label[here] == x].mean() for x in own])
        print(f"{name}: recall of {len(own)} classes {recall:.3f}, {len(by_corpus[corpora.index(name)])} speakers")
        for place, row in zip(here, shares):
            manifest[rows[place]].update({CLASSES[x]: f"{share:.4f}" for x, share in zip(own, row)})

    with open(args.out, "w", newline="") as file:
        writer = csv.DictWriter(file, columns + CLASSES, restval="")
        writer.writeheader()
        writer.writerows(manifest)


if __name__ == "__main__":
    main()
