"""Fine-tunes two of Whisper base's blocks, with an attentive head, on labelled speech, speakers apart.

    python whisper_from_ctranslate2.py model.bin base.safetensors 4
    python finetune.py --manifest labels.csv --root DIR --whisper base.safetensors --kept DIR --corpora crema_d,emodb \
        --test SPEAKERS --validation SPEAKERS --out tuned.pt --shares shares.csv

The stem and the first two blocks stay as they are, and blocks 3 and 4 learn. What the former make of each clip, once as
it is and once varied (speed and pitch, tilt, noise), is kept in half precision (--kept; 100 kB a clip), so that a step
costs what two blocks cost: 1.2 s of one core for 32 stretches of 2.2 s. The head hears mean and deviation of blocks 2
to 4, and of block 4 as four attentions see it; it starts from the ridge of shares.py. The targets are half the label
and half the listeners' votes, over the classes that a clip's corpus has. Printed are recalls: of the speakers of
--validation after each epoch, of those of --test, and of the manifest's other corpora that have sentences.

--shares writes what the tuned network makes of the clips that it was trained and validated on into the manifest, as
votes: for `sidetone model train` to learn. It needs PyTorch, safetensors, numpy and soundfile.
"""

import argparse
import copy
import csv
import pathlib

import numpy as np
import soundfile
import torch
import torch.nn.functional as F

import telephone
from shares import CLASSES, MOST, RIDGE, ROW, spoken, votes
from whisper import Whisper

FROZEN, BLOCKS, WIDTH, HEADS = 2, 4, 512, 4
BATCH, FOUR = 32, [CLASSES.index(name) for name in ("anger", "happiness", "sadness", "neutral")]
# What a ridge says is spread over so little that a softmax of it would be flat.
SPREAD = 12


class Tuned(torch.nn.Module):
    """Whisper's blocks 3 and 4 as parameters, and the head."""

    def __init__(self, path):
        super().__init__()
        whisper = Whisper(path)
        self.heads = whisper.heads
        for n in range(FROZEN, BLOCKS):
            for name, value in list(whisper.named_buffers()):
                if name.startswith(f"block{n}_"):
                    self.register_parameter(name, torch.nn.Parameter(value.clone()))
        size = 2 * WIDTH * (BLOCKS - FROZEN + 1 + HEADS)
        self.attention = torch.nn.Linear(WIDTH, HEADS)
        self.drop, self.out = torch.nn.Dropout(0.3), torch.nn.Linear(size, len(CLASSES))
        for layer in (self.attention, self.out):
            torch.nn.init.zeros_(layer.weight), torch.nn.init.zeros_(layer.bias)
        self.register_buffer("mean", torch.zeros(size)), self.register_buffer("scale", torch.ones(size))

    def part(self, n, name):
        return getattr(self, f"block{n}_{name}_weight"), getattr(self, f"block{n}_{name}_bias")

    def block(self, n, x, heard):
        batch, length, width = x.shape
        split = lambda y: y.reshape(batch, length, self.heads, -1).transpose(1, 2)
        y = F.layer_norm(x, (width,), *self.part(n, "norm1"))
        query, key, value = (split(F.linear(y, *self.part(n, name))) for name in ("query", "key", "value"))
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=heard[:, None, None].bool())
        x = x + F.linear(y.transpose(1, 2).reshape(batch, length, width), *self.part(n, "out"))
        y = F.gelu(F.linear(F.layer_norm(x, (width,), *self.part(n, "norm2")), *self.part(n, "mlp0")))
        return x + F.linear(y, *self.part(n, "mlp1"))

    def pool(self, x, heard):
        """Rows of block 2 `[batch, length, width]` and which of them are heard to what the head hears of each clip."""
        layers = [x]
        with torch.autocast("cpu", torch.bfloat16):
            for n in range(FROZEN, BLOCKS):
                layers.append(self.block(n, layers[-1], heard).float())
        shares = [(heard / heard.sum(1, keepdim=True))[:, :, None]] * len(layers)
        seen = self.attention(F.layer_norm(layers[-1], (WIDTH,))).masked_fill(heard[:, :, None] == 0, -1e9).softmax(1)
        found = []
        for layer, share in [*zip(layers, shares), (layers[-1], seen)]:
            mean = torch.einsum("blh,bld->bhd", share, layer)
            spread = torch.einsum("blh,bld->bhd", share, layer * layer) - mean * mean
            found += [mean.flatten(1), spread.clamp_min(1e-4).sqrt().flatten(1)]
        return torch.cat(found, 1)

    def forward(self, x, heard):
        return self.out(self.drop((self.pool(x, heard) - self.mean) / self.scale))


@torch.inference_mode()
def keep(args, paths, variant):
    """What the frozen blocks make of every clip, and where each one's rows begin; made once."""
    rows, starts = args.kept / f"rows{variant}.f16", args.kept / f"starts{variant}.npy"
    if not starts.exists():
        args.kept.mkdir(parents=True, exist_ok=True)
        draw, begins = np.random.default_rng(variant), [0]
        whisper = Whisper(args.whisper)
        whisper.blocks = FROZEN
        with open(rows, "wb") as file:
            for done, path in enumerate(paths):
                x, rate = soundfile.read(pathlib.Path(args.root) / path, dtype="float32")
                assert rate == telephone.RATE, f"{path}: {rate} Hz"
                begin, end = spoken(x)
                x = x[begin:end][:MOST]
                if variant:
                    x = varied(x, draw)
                x = torch.from_numpy(x)
                x = telephone.mu_law((x * (0.05 / x.square().mean().sqrt().clamp_min(1e-5))).clamp(-1, 1)[None])
                with torch.autocast("cpu", torch.bfloat16):
                    last = whisper(whisper.mel(x[:, : x.shape[1] // ROW * ROW]))[-1, 0].float()
                file.write(last.clamp(-60000, 60000).half().numpy().tobytes())
                begins.append(begins[-1] + len(last))
                if done % 500 == 0:
                    print(f"kept {done} of {len(paths)}, {variant}", flush=True)
        np.save(starts, np.array(begins))
    return np.memmap(rows, np.float16, "r").reshape(-1, WIDTH), np.load(starts)


def varied(x, draw):
    """Speed with pitch, the line's tilt, noise."""
    speed = draw.uniform(0.88, 1.13)
    x = np.interp(np.arange(int(len(x) / speed)) * speed, np.arange(len(x)), x).astype(np.float32)
    tilted = x.copy()
    tilted[1:] += draw.uniform(-0.4, 0.4) * x[:-1]
    loud = np.sqrt((tilted**2).mean() + 1e-9) * 10 ** (-draw.uniform(15, 35) / 20)
    return (tilted + draw.standard_normal(len(tilted)) * loud).astype(np.float32)


class Clips:
    """Labelled clips, and what the frozen blocks make of them."""

    def __init__(self, args):
        with open(args.manifest, newline="") as file:
            reader = csv.DictReader(file)
            self.columns, self.manifest = list(reader.fieldnames), list(reader)
        # Those with sentences: bursts without words are another matter.
        self.rows = [row for row in self.manifest if row.get("lang")]
        self.corpus, self.speaker = (np.array([row[name] for row in self.rows]) for name in ("corpus", "speaker"))
        self.label = np.array([CLASSES.index(row["emotion"]) for row in self.rows])
        meant = np.eye(len(CLASSES), dtype=np.float32)[self.label]
        given = [votes(row) for row in self.rows]
        self.target = np.stack([meant[n] if own is None else 0.5 * own + 0.5 * meant[n] for n, own in enumerate(given)])
        self.own = {name: sorted(set(self.label[self.corpus == name])) for name in sorted(set(self.corpus))}
        self.foreign = np.ones((len(self.rows), len(CLASSES)), bool)
        for n, name in enumerate(self.corpus):
            self.foreign[n, self.own[name]] = False
        self.kept = [keep(args, [row["path"] for row in self.rows], variant) for variant in range(args.variants)]
        self.draw = np.random.default_rng(args.seed)

    def length(self, n):
        return self.kept[0][1][n + 1] - self.kept[0][1][n]

    def batch(self, which, crop=None):
        """Clips as they are, or a stretch of each in some variant with a part of it blanked."""
        parts = []
        for n in which:
            rows, starts = self.kept[self.draw.integers(len(self.kept)) if crop else 0]
            x = rows[starts[n] : starts[n + 1]]
            if crop and len(x) > crop:
                begin = self.draw.integers(len(x) - crop + 1)
                x = x[begin : begin + crop]
            parts.append(x)
        most = max(map(len, parts))
        x, heard = np.zeros((len(parts), most, WIDTH), np.float32), np.zeros((len(parts), most), np.float32)
        for place, part in enumerate(parts):
            x[place, : len(part)], heard[place, : len(part)] = part, 1
            if crop:
                wide = int(self.draw.integers(max(1, len(part) // 4)))
                begin = int(self.draw.integers(len(part) - wide + 1))
                if len(part) - wide > 20:
                    heard[place, begin : begin + wide] = 0
        return torch.from_numpy(x), torch.from_numpy(heard)

    def epoch(self, which):
        """Batches of clips that are about as long as each other."""
        order, batches = self.draw.permutation(which), []
        for begin in range(0, len(order), 8 * BATCH):
            near = sorted(order[begin : begin + 8 * BATCH], key=self.length)
            batches += [np.array(near[n : n + BATCH]) for n in range(0, len(near) - BATCH + 1, BATCH)]
        self.draw.shuffle(batches)
        return batches

    def recalls(self, said, which):
        """By corpus, of all its classes and of four."""
        told = {}
        for name in sorted(set(self.corpus[which])):
            for size, classes in ((len(self.own[name]), self.own[name]), (4, FOUR)):
                here = (self.corpus[which] == name) & np.isin(self.label[which], classes)
                label = self.label[which][here]
                right = np.array(classes)[said[here][:, classes].argmax(1)] == label
                recall = np.mean([right[label == one].mean() for one in set(label)])
                told[f"{name} {size}"] = round(float(recall), 3)
        return told


@torch.inference_mode()
def ask(clips, which, network):
    """What `network(rows, heard)` says of clips, `[clips, ...]`."""
    found = {}
    order = sorted(which, key=clips.length)
    for begin in range(0, len(order), BATCH):
        part = order[begin : begin + BATCH]
        found.update(zip(part, network(*clips.batch(part)).numpy()))
    return np.stack([found[n] for n in which])


def fit(x, target):
    """The ridge: weights, bias."""
    mean, scale, centre = x.mean(0), x.std(0) + 1e-4, target.mean(0)
    known = (x - mean) / scale
    square = known.T @ known + RIDGE * len(x) * np.eye(x.shape[1], dtype=np.float32)
    weights = np.linalg.solve(square, known.T @ (target - centre)) / scale[:, None]
    return weights, centre - mean @ weights


def begin(clips, network, train):
    """Starts the head from the ridge on mean and deviation of the three blocks."""
    network.eval()
    pooled = ask(clips, train, network.pool)
    size = 2 * WIDTH * (BLOCKS - FROZEN + 1)
    weights, bias = fit(pooled[:, :size], clips.target[train])
    with torch.no_grad():
        network.mean.copy_(torch.from_numpy(pooled.mean(0)))
        network.scale.copy_(torch.from_numpy(pooled.std(0) + 1e-2))
        network.out.weight[:, :size] = SPREAD * torch.from_numpy(weights.T) * network.scale[:size]
        network.out.bias.copy_(torch.from_numpy(SPREAD * (bias + network.mean[:size].numpy() @ weights)))


def tune(args, clips, network, train, validation):
    """Trains; the running average of the epoch that validation speakers like best stays in `network`."""
    average, best = copy.deepcopy(network).eval(), None
    blocks = [value for name, value in network.named_parameters() if name.startswith("block")]
    head = [value for name, value in network.named_parameters() if not name.startswith("block")]
    groups = [
        dict(params=blocks, most=args.rate, weight_decay=0.02),
        dict(params=head, most=args.head_rate, weight_decay=0.05),
    ]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99))
    steps, done = args.epochs * (len(train) // BATCH), 0
    target, foreign = torch.from_numpy(clips.target), torch.from_numpy(clips.foreign)
    for epoch in range(args.epochs):
        network.train()
        total, batches = 0.0, clips.epoch(train)
        for part in batches:
            done += 1
            for group in optimiser.param_groups:
                group["lr"] = group["most"] * min(1, done / 60) * 0.5 * (1 + np.cos(np.pi * min(1, done / steps)))
            said = network(*clips.batch(part, args.crop)).masked_fill(foreign[part], -1e9)
            loss = -(target[part] * F.log_softmax(said, 1).clamp_min(-30)).sum(1).mean()
            optimiser.zero_grad(), loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            total += loss.item()
            with torch.no_grad():
                for old, new in zip(average.parameters(), network.parameters()):
                    old.lerp_(new, 1 - min(0.995, (1 + done) / (10 + done)))
        told = clips.recalls(ask(clips, validation, average), validation)
        print(f"epoch {epoch + 1}, loss {total / len(batches):.3f}, validation {told}", flush=True)
        score = np.mean([value for name, value in told.items() if not name.endswith(" 4")])
        if best is None or score >= best[0]:
            best = score, copy.deepcopy(average.state_dict())
    network.load_state_dict(best[1])
    network.eval()


def write(args, clips, which, said):
    """The manifest with what the network makes of these clips as votes."""
    shares = torch.from_numpy(said).masked_fill(torch.from_numpy(clips.foreign[which]), -1e9).softmax(1)
    for n, row in zip(which, shares.numpy()):
        clips.rows[n].update({name: f"{share:.4f}" for name, share in zip(CLASSES, row)})
    with open(args.shares, "w", newline="") as file:
        columns = clips.columns + [name for name in CLASSES if name not in clips.columns]
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(clips.manifest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--root", required=True, help="the folder that the manifest's paths are in")
    parser.add_argument("--whisper", required=True)
    parser.add_argument("--kept", required=True, type=pathlib.Path, help="where what the frozen blocks say is kept")
    parser.add_argument("--corpora", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--shares", help="a manifest to write, with what the network makes of its own speakers' clips")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--variants", type=int, default=2)
    parser.add_argument("--crop", type=int, default=112, help="rows of 20 ms")
    parser.add_argument("--rate", type=float, default=6e-5)
    parser.add_argument("--head-rate", type=float, default=5e-4)
    parser.add_argument("--most", type=int, help="most clips to train on: to try it")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    clips = Clips(args)
    trained = np.isin(clips.corpus, args.corpora.split(","))
    test, validation = (trained & np.isin(clips.speaker, names.split(",")) for names in (args.test, args.validation))
    train, validation, test, others = map(np.flatnonzero, (trained & ~test & ~validation, validation, test, ~trained))
    if args.most:
        train = clips.draw.permutation(train)[: args.most]
    network = Tuned(args.whisper)
    begin(clips, network, train)
    asked = [("validation", validation), ("test", test), ("corpora left out", others)]
    for name, which in asked:
        if len(which):
            print(f"the ridge, {name}: {clips.recalls(ask(clips, which, network), which)}", flush=True)
    tune(args, clips, network, train, validation)
    torch.save(network.state_dict(), args.out)
    for name, which in asked:
        if len(which):
            print(f"tuned, {name}: {clips.recalls(ask(clips, which, network), which)}", flush=True)
    if args.shares:
        which = np.concatenate([train, validation])
        write(args, clips, which, ask(clips, which, network))


if __name__ == "__main__":
    main()
