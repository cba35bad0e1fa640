"""Asks Whisper base what it makes of labelled clips of speakers whom it doesn't know: shares of the classes for the manifest,
and its rows for the network to predict.

    python whisper_from_ctranslate2.py model.bin base.safetensors 4
    python shares.py --manifest labels.csv --root DIR --whisper base.safetensors --heard heard.safetensors \
        --corpora crema_d,emodb --often emodb=3 --without emodb_10,emodb_14 --out shares.csv --cache cache.safetensors
    sidetone model train --manifest shares.csv --teacher base.safetensors --teacher-cache cache.safetensors ...

A ridge regression on mean and deviation of Whisper's frozen blocks 2 to 4 tells the classes. Each speaker is judged by one
that knows neither them, nor the others judged with them, nor anybody of `--without`, so what it says of a clip is what it
would say of a stranger's: where it is torn, so is a good listener. (A teacher asked about clips that it was fitted on repeats
their labels.) Where listeners were asked, half of what is written is theirs. Those of `--without` get no shares. The recall
that it prints is that of strangers.

Clips are heard cut to their speech, 5 s at most, at one level, through G.711. The rows (mean of the three blocks, 40 ms each, in
the clip's own time) go into the cache that `sidetone model train` reads; clips of other corpora stand there as ones that the
teacher says nothing of. It needs PyTorch, safetensors, numpy and soundfile.
"""

import argparse
import csv
import pathlib

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file

import telephone
from whisper import Whisper

CLASSES = "anger happiness sadness fear disgust surprise calm neutral boredom".split()
BLOCKS = (2, 3, 4)
RIDGE = 0.3
STEP, BEFORE, MOST, ROW = 200, 800, 40000, 320


def spoken(x):
    """Where the speech of a clip begins and ends, in samples."""
    power = (x[: len(x) // STEP * STEP].reshape(-1, STEP) ** 2).mean(1)
    loud = np.flatnonzero(power > power.max() * 1e-3)
    if len(loud) <= 8:
        return 0, len(x)
    return max(0, int(loud[0]) * STEP - BEFORE), int(loud[-1] + 1) * STEP + BEFORE


@torch.inference_mode()
def hear(root, whisper, paths):
    """Mean and deviation of each layer over each clip `[clips, layers, 2 x width]`; the mean of the blocks' rows joined; where
    each clip's rows begin; at which sample of the clip they do."""
    whisper = Whisper(whisper)
    whisper.blocks = max(BLOCKS)
    stats, rows, starts, first = [], [], [0], []
    for done, path in enumerate(paths):
        x, rate = soundfile.read(pathlib.Path(root) / path, dtype="float32")
        assert rate == telephone.RATE, f"{path}: {rate} Hz"
        begin, end = spoken(x)
        x = torch.from_numpy(x[begin:end][:MOST])
        x = telephone.mu_law((x * (0.05 / x.square().mean().sqrt().clamp_min(1e-5))).clamp(-1, 1)[None])
        mel = whisper.mel(x[:, : x.shape[1] // ROW * ROW])
        with torch.autocast("cpu", torch.bfloat16):
            layers = whisper(mel)[:, 0].float()
        stats.append(torch.cat([layers.mean(1), layers.std(1)], 1).half().numpy())
        length = layers.shape[1] // 4 * 4
        middle = F.layer_norm(layers[list(BLOCKS), :length], layers.shape[-1:])
        middle = middle.reshape(len(BLOCKS), length // 4, 4, -1).mean((0, 2))
        rows.append(middle.half().numpy()), starts.append(starts[-1] + len(rows[-1])), first.append(begin)
        if done % 200 == 0:
            print(f"heard {done} of {len(paths)}", flush=True)
    return dict(stats=np.stack(stats), rows=np.concatenate(rows), starts=np.array(starts), first=np.array(first))


def cache(heard, paths, others, out):
    """What `sidetone model train --teacher-cache` reads."""
    said = {}
    for n, path in enumerate(paths):
        rows = np.repeat(heard["rows"][heard["starts"][n] : heard["starts"][n + 1]], 2, axis=0)
        said[path] = np.concatenate([np.repeat(rows[:1], round(heard["first"][n] / ROW), 0), rows])
    said.update({path: np.zeros((0, heard["rows"].shape[1]), np.float16) for path in others})
    save_file(said, out)


def judged(x, target, fitted, asked):
    """What a ridge fitted on some clips says of others, `[asked, classes]`."""
    mean, scale = x[fitted].mean(0), x[fitted].std(0) + 1e-4
    known, other = (x[fitted] - mean) / scale, (x[asked] - mean) / scale
    centre = target[fitted].mean(0)
    square = known.T @ known + RIDGE * len(known) * np.eye(known.shape[1], dtype=np.float32)
    return other @ np.linalg.solve(square, known.T @ (target[fitted] - centre)) + centre


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


def votes(row):
    """The listeners' shares of the classes; `None` where nobody was asked."""
    given = np.array([float(row.get(name) or 0) for name in CLASSES], np.float32)
    return given / given.sum() if given.sum() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--root", required=True, help="the folder that the manifest's paths are in")
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--heard", required=True, help="what Whisper said: kept here for the next time")
    parser.add_argument("--corpora", required=True)
    parser.add_argument("--often", default="", help="how often a corpus counts in the ridge: emodb=3")
    parser.add_argument("--without", default="")
    parser.add_argument("--turns", type=int, default=5, help="parts that the speakers of a corpus are judged in")
    parser.add_argument("--out", required=True)
    parser.add_argument("--cache", help="where the rows go")
    args = parser.parse_args()

    with open(args.manifest, newline="") as file:
        reader = csv.DictReader(file)
        columns, manifest = list(reader.fieldnames), list(reader)
    corpora, without = args.corpora.split(","), set(args.without.split(","))
    often = {name: int(times) for name, times in (part.split("=") for part in args.often.split(",") if part)}
    rows = [n for n, row in enumerate(manifest) if row["corpus"] in corpora]
    paths = [manifest[n]["path"] for n in rows]
    if pathlib.Path(args.heard).exists():
        heard = load_file(args.heard)
    else:
        heard = hear(args.root, args.whisper, paths)
        save_file(heard, args.heard)
    assert len(heard["stats"]) == len(rows), f"{args.heard} is of other clips: remove it"
    if args.cache:
        others = [row["path"] for row in manifest if row["corpus"] not in corpora]
        cache(heard, paths, others, args.cache)

    speaker = np.array([manifest[n]["speaker"] for n in rows])
    corpus = np.array([manifest[n]["corpus"] for n in rows])
    label = np.array([CLASSES.index(manifest[n]["emotion"]) for n in rows])
    given = [votes(manifest[n]) for n in rows]
    meant = np.eye(len(CLASSES), dtype=np.float32)[label]
    target = np.stack([meant[n] if own is None else 0.5 * own + 0.5 * meant[n] for n, own in enumerate(given)])
    x = heard["stats"][:, list(BLOCKS)].reshape(len(rows), -1).astype(np.float32)

    allowed = ~np.isin(speaker, list(without))
    said = np.zeros((len(rows), len(CLASSES)), np.float32)
    by_corpus = [sorted(set(speaker[allowed & (corpus == name)])) for name in corpora]
    for names in by_corpus:
        if len(names) > 2 * args.turns:
            np.random.default_rng(0).shuffle(names)
    for turn in range(args.turns):
        strangers = np.isin(speaker, sum((names[turn :: args.turns] for names in by_corpus), []))
        known = np.flatnonzero(allowed & ~strangers)
        fitted = np.concatenate([np.repeat(known[corpus[known] == name], often.get(name, 1)) for name in corpora])
        asked = np.flatnonzero(strangers)
        said[asked] = judged(x, target, fitted, asked)
    for name in corpora:
        here = np.flatnonzero(allowed & (corpus == name))
        own = sorted(set(label[here]))
        shares = softened(said[here], label[here], own)
        right = np.array(own)[shares.argmax(1)] == label[here]
        recall = np.mean([right[label[here] == x].mean() for x in own])
        print(f"{name}: recall of {len(own)} classes {recall:.3f}, {len(by_corpus[corpora.index(name)])} speakers")
        for place, row in zip(here, shares):
            whole = np.zeros(len(CLASSES))
            whole[own] = row
            whole = whole if given[place] is None else 0.5 * whole + 0.5 * given[place]
            manifest[rows[place]].update({name: f"{share:.4f}" for name, share in zip(CLASSES, whole)})

    with open(args.out, "w", newline="") as file:
        writer = csv.DictWriter(file, columns + [name for name in CLASSES if name not in columns], restval="")
        writer.writeheader()
        writer.writerows(manifest)


if __name__ == "__main__":
    main()
