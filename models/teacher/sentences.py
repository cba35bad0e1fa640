"""Does a classifier of CREMA-D know its sentences rather than its voices? Trains with half of the sentences and asks about the
other half, beside as many clips of the very sentences that are asked about; speakers apart both times.

    python shares.py ... --corpora crema_d,emodb --heard heard.safetensors    # Whisper's frozen blocks, kept
    python sentences.py --manifest labels.csv --corpora crema_d,emodb --heard heard.safetensors

It needs PyTorch, safetensors and numpy.
"""

import argparse
import csv

import numpy as np
import torch
from safetensors.numpy import load_file

from shares import BLOCKS, CLASSES, RIDGE, votes


def judged(x, target, fitted, asked):
    """The ridge of shares.py, solved by clips: there are fewer of them than numbers."""
    mean, scale = x[fitted].mean(0), x[fitted].std(0) + 1e-4
    known, other = (torch.from_numpy((x[which] - mean) / scale) for which in (fitted, asked))
    wanted = torch.from_numpy(target[fitted])
    centre = wanted.mean(0)
    gram = known @ known.T + RIDGE * len(fitted) * torch.eye(len(fitted))
    return (other @ (known.T @ torch.linalg.solve(gram, wanted - centre)) + centre).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--heard", required=True, help="as shares.py keeps it")
    parser.add_argument("--corpora", required=True, help="those that shares.py was run with")
    parser.add_argument("--corpus", default="crema_d")
    parser.add_argument("--parts", type=int, default=3, help="parts that the speakers are asked in")
    args = parser.parse_args()

    with open(args.manifest, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] in args.corpora.split(",")]
    heard = load_file(args.heard)["stats"]
    assert len(heard) == len(rows), f"{args.heard} is of other clips"
    own = [n for n, row in enumerate(rows) if row["corpus"] == args.corpus]
    rows = [rows[n] for n in own]
    x = heard[own][:, list(BLOCKS)].reshape(len(own), -1).astype(np.float32)
    label = np.array([CLASSES.index(row["emotion"]) for row in rows])
    meant = np.eye(len(CLASSES), dtype=np.float32)[label]
    given = [votes(row) for row in rows]
    target = np.stack([meant[n] if told is None else 0.5 * told + 0.5 * meant[n] for n, told in enumerate(given)])
    speaker, sentence = (np.array([row[column] for row in rows]) for column in ("speaker", "sentence"))
    classes, sentences, speakers = np.unique(label), sorted(set(sentence)), sorted(set(speaker))
    np.random.default_rng(0).shuffle(speakers)

    def recall(fitted, asked):
        said = classes[judged(x, target, fitted, asked)[:, classes].argmax(1)]
        return np.mean([(said[label[asked] == one] == one).mean() for one in classes])

    both = []
    for part in range(args.parts):
        strangers = np.isin(speaker, speakers[part :: args.parts])
        for half in range(2):
            these = np.isin(sentence, sentences[half::2])
            asked = np.flatnonzero(strangers & these)
            other, same = np.flatnonzero(~strangers & ~these), np.flatnonzero(~strangers & these)
            clips = min(len(other), len(same))
            draw = np.random.default_rng(1)
            both.append([recall(draw.permutation(which)[:clips], asked) for which in (other, same)])
            print(f"part {part}, half {half}: {both[-1][0]:.3f} and {both[-1][1]:.3f}", flush=True)
    other, same = np.mean(both, 0)
    spread = np.std([a - b for a, b in both])
    print(f"recall of strangers: {other:.3f} with sentences never heard, {same:.3f} with known ones; differences spread by {spread:.3f}")


if __name__ == "__main__":
    main()
