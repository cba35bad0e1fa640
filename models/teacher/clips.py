"""Labelled clips for `distil.py`: packs what `cargo run --example clips` wrote, and serves batches of it from a GPU.

    python clips.py --manifest labels.csv --clips clips.safetensors --out packed.safetensors
        [--corpora A,B] [--without SPEAKER,...] [--most corpus=N,...]

Packed clips are cut to their speech and kept as G.711 µ-law at full scale with their own level beside it: a quarter of the
size, so that they travel. `--most` takes at most so many clips of each speaker of a corpus.
"""

import argparse
import collections
import csv
import json

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from telephone import resample

STEP, BEFORE, AFTER = 200, 1000, 400


def encode(x):
    """Float samples within [-1, 1] to µ-law codes that `decode` reads."""
    y = np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)
    return np.round((y + 1) * 127.5).astype(np.uint8)


def decode(codes):
    y = codes.float() / 127.5 - 1
    return y.sign() * (256 ** y.abs() - 1) / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("manifest", "clips", "out"):
        parser.add_argument("--" + name, required=True)
    for name in ("corpora", "without", "most"):
        parser.add_argument("--" + name, default="")
    args = parser.parse_args()
    named = lambda text: [part for part in text.split(",") if part]
    most = {name: int(count) for name, count in (part.split("=") for part in named(args.most))}
    corpora, without = named(args.corpora), set(named(args.without))

    with safe_open(args.clips, "np") as file:
        clips = {name: file.get_tensor(name) for name in file.keys() if name != "features"}
    taken, parts, gates, level, rows = collections.Counter(), [], [], [], []
    order = np.random.default_rng(1).permutation(len(clips["class"]))
    entries = list(csv.DictReader(open(args.manifest)))
    for place in order:
        entry = entries[place]
        corpus, speaker = entry["corpus"], entry["speaker"]
        if speaker in without or corpora and corpus not in corpora or taken[speaker] >= most.get(corpus, 1 << 30):
            continue
        start, end = clips["pcm_starts"][place : place + 2]
        ends = clips["ends"][slice(*clips["ends_starts"][place : place + 2])]
        if len(ends) < 8:
            continue
        taken[speaker] += 1
        first = max(0, (ends[0] - STEP - BEFORE) // STEP * STEP)
        last = min(end - start, ends[-1] + AFTER)
        pcm = clips["pcm"][start + first : start + last].astype(np.float32) / 32768
        gate = np.zeros((ends[-1] - first) // STEP, np.uint8)
        gate[(ends - first) // STEP - 1] = 1
        peak = max(float(np.abs(pcm).max()), 1e-4)
        parts.append(encode(pcm / peak)), gates.append(gate), level.append(peak)
        rows.append([corpus, speaker, int(clips["class"][place])])
        rows[-1] += [round(float(x), 3) for x in clips["affect"][place]]
    starts = lambda pieces: np.cumsum([0] + [len(piece) for piece in pieces])
    tensors = dict(
        pcm=np.concatenate(parts),
        starts=starts(parts),
        gate=np.concatenate(gates),
        gate_starts=starts(gates),
        level=np.array(level, np.float32),
    )
    save_file(tensors, args.out, {"rows": json.dumps(rows)})
    counts = collections.Counter(row[0] for row in rows)
    print(f"{args.out}: {dict(counts)}, {len(tensors['pcm']) / 8000 / 60:.0f} minutes")


class Clips:
    """Packed clips on a device."""

    def __init__(self, paths, device, corpora):
        pieces = collections.defaultdict(list)
        rows, at, gate_at = [], 0, 0
        for path in paths:
            with safe_open(path, "pt") as file:
                rows += json.loads(file.metadata()["rows"])
                starts, gate_starts = file.get_tensor("starts"), file.get_tensor("gate_starts")
                pieces["pcm"].append(file.get_tensor("pcm")), pieces["gate"].append(file.get_tensor("gate"))
                pieces["level"].append(file.get_tensor("level"))
                pieces["start"].append(starts[:-1] + at), pieces["length"].append(starts.diff())
                pieces["gate_start"].append(gate_starts[:-1] + gate_at), pieces["gates"].append(gate_starts.diff())
                at, gate_at = at + int(starts[-1]), gate_at + int(gate_starts[-1])
        keep = torch.tensor([row[0] in corpora for row in rows])
        for name, values in pieces.items():
            value = torch.cat(values)
            setattr(self, name, (value if name in ("pcm", "gate") else value[keep]).to(device))
        rows = [row for row in rows if row[0] in corpora]
        self.device = device
        self.corpora = sorted({row[0] for row in rows})
        self.speakers = [row[1] for row in rows]
        self.corpus = torch.tensor([self.corpora.index(row[0]) for row in rows], device=device)
        self.label = torch.tensor([row[2] for row in rows], device=device)
        self.affect = torch.tensor([row[3:] for row in rows], device=device)
        # Rarer labels of a corpus count more; only the classes that it has are taught to be right or wrong.
        self.classes = torch.zeros(len(self.corpora), 9, dtype=torch.bool, device=device)
        self.weight = torch.ones(len(rows), device=device)
        for n in range(len(self.corpora)):
            own = self.corpus == n
            counts = torch.bincount(self.label[own & (self.label >= 0)], minlength=9).float()
            self.classes[n] = counts > 0
            mean = counts.sum() / (counts > 0).sum()
            known = own & (self.label >= 0)
            self.weight[known] = (mean / counts[self.label[known]]).sqrt()
        self.of = [torch.nonzero(self.corpus == n).squeeze(1) for n in range(len(self.corpora))]

    def draw(self, counts):
        """Clips at random, so many of each corpus by its name."""
        return torch.cat(
            [of[torch.randint(len(of), (counts.get(name, 0),), device=self.device)] for name, of in zip(self.corpora, self.of)]
        )

    def cut(self, clips, length, speed, whole=False):
        """Waveforms `[batch, length]` of a stretch of each clip, `speed` times as long, at their own level; which steps of
        them are speech `[batch, steps]`, and which samples are of the clip."""
        spare = (self.length[clips] - length / speed).clamp_min(0)
        offset = torch.zeros_like(spare) if whole else spare * torch.rand(len(clips), device=self.device)
        offset = (offset / STEP).floor().long() * STEP
        reach = torch.arange(int(length / float(speed.min())) + 32, device=self.device)
        within = offset[:, None] + reach
        inside = within < self.length[clips][:, None]
        index = (self.start[clips][:, None] + within).clamp_max(len(self.pcm) - 1)
        x = decode(self.pcm[index]) * self.level[clips][:, None] * inside
        x = torch.nn.functional.pad(x, (0, max(0, length - x.shape[1])))
        x = (x if whole else resample(x, speed))[:, :length]
        ends = STEP * torch.arange(1, length // STEP + 1, device=self.device)
        source = offset[:, None] + ends / speed[:, None]
        step = ((source / STEP).round().long() - 1).clamp_min(0)
        inside = step < self.gates[clips][:, None]
        gate = self.gate[(self.gate_start[clips][:, None] + step).clamp_max(len(self.gate) - 1)].bool() & inside
        valid = offset[:, None] + torch.arange(length, device=self.device) / speed[:, None] < self.length[clips][:, None]
        return x, gate, valid


if __name__ == "__main__":
    main()
