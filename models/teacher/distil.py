"""Trains the network on a GPU for as long as patience lasts, taught by what Whisper base hears: minutes on an H200.

    cargo run --release -p sidetone-emotion --example clips -- labels.csv ROOT clips.safetensors
    python clips.py --manifest labels.csv --clips clips.safetensors --out packed.safetensors ...
    python whisper_from_ctranslate2.py model.bin base.safetensors 6
    python distil.py --clips packed.safetensors --whisper base.safetensors --out DIR --name sidetone-open --licence open \
        --draw emodb=64,emogator=44,kokoro=20 --folds '03+09,08+12'
    sidetone model calibrate ...                                   # see docs/MODEL.md

Two steps. First a head on all layers of Whisper's frozen encoder learns the labels: the teacher. Then the network learns,
at every step from clips that were never heard so before, what the teacher makes of the same stretch of speech heard
cleanly (Beyer et al. 2022, "A good teacher is patient and consistent"), and the labels, and Whisper's middle layers.

Each fold is a teacher and a network that never heard some speakers; the last has heard all and is the one to ship. What the
others make of the speakers they don't know is what its calibration is fitted on. All are trained side by side on the same
batches. The validation figures are of those folds: recall on speakers that neither the teacher nor the network knows.
"""

import argparse
import contextlib
import hashlib
import json
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

import telephone
from clips import STEP, Clips
from stacked import Head, Student
from whisper import Whisper

CLASSES = "anger happiness sadness fear disgust surprise calm neutral boredom".split()
ROW, LATENESS = 320, 600
SMOOTHING = 0.1


class Averaged:
    """The running average of a stack's weights."""

    def __init__(self, stack, keep):
        self.stack, self.keep, self.steps = stack, keep, 0
        self.values = [value.detach().clone() for value in stack.parameters()]

    def update(self):
        self.steps += 1
        keep = min(self.keep, 1 - 1 / self.steps)
        torch._foreach_lerp_(self.values, [value.detach() for value in self.stack.parameters()], 1 - keep)

    @contextlib.contextmanager
    def in_place(self):
        own = [value.detach().clone() for value in self.stack.parameters()]
        with torch.no_grad():
            torch._foreach_copy_(list(self.stack.parameters()), self.values)
            yield
            torch._foreach_copy_(list(self.stack.parameters()), own)


class Distillation:
    def __init__(self, args):
        self.args = args
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(args.seed)
        torch.backends.cuda.matmul.allow_tf32 = True
        self.draw = {name: int(count) for name, count in (part.split("=") for part in args.draw.split(","))}
        self.clips = Clips(args.clips, self.device, set(self.draw))
        self.apart = [fold.split("+") for fold in args.folds.split(",") if fold] + [[]]
        self.folds = len(self.apart)
        unknown = {name for fold in self.apart for name in fold} - set(self.clips.speakers)
        assert not unknown, f"no such speakers: {unknown}"
        self.heard = torch.tensor(
            [[float(speaker not in fold) for speaker in self.clips.speakers] for fold in self.apart], device=self.device
        )
        self.whisper = Whisper(args.whisper).to(self.device)
        self.front = telephone.FrontEnd().to(self.device)
        # How much a clip's class counts: wordless bursts guide, no more.
        share = {name: float(part) for name, part in (part.split("=") for part in args.share.split(","))}
        self.share = torch.tensor([share.get(name, 1.0) for name in self.clips.corpora], device=self.device)[self.clips.corpus]
        self.share = self.share * (self.clips.label >= 0)
        # A corpus of one class says of its clips that they are that and none of the others.
        alone = self.clips.classes.sum(1, keepdim=True) == 1
        self.possible = (self.clips.classes | alone)[self.clips.corpus]
        known = self.possible.float()
        hard = F.one_hot(self.clips.label.clamp_min(0), 9).float()
        self.target = hard * (1 - SMOOTHING) + SMOOTHING * known / known.sum(1, keepdim=True)

    def hear(self, length, varied):
        """A batch: what the teacher hears, what the network hears, and which clips they are."""
        chosen = self.clips.draw(self.draw)
        speed = telephone.uniform((len(chosen),), 0.86, 1.16, self.device) if varied else torch.ones(len(chosen), device=self.device)
        x, gate, valid = self.clips.cut(chosen, length, speed)
        return chosen, x, gate, valid

    @torch.no_grad()
    def layers(self, x, valid):
        """Whisper's layers, 25 rows a second, and which of the rows hold the clip. Level is taken out."""
        power = (x.square() * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp_min(1)
        x = x * (0.05 / power.sqrt().clamp_min(1e-5)).clamp_max(100.0)
        with torch.autocast(self.device.type, torch.bfloat16):
            layers = self.whisper(self.whisper.mel(x))
        rows = layers.shape[2] // 2
        layers = layers[:, :, : rows * 2].reshape(*layers.shape[:2], rows, 2, -1).mean(3).float()
        mask = valid[:, ROW // 2 :: ROW][:, :rows]
        return layers, F.pad(mask, (0, rows - mask.shape[1]))

    def labels_loss(self, logits, affect, chosen, soft=None):
        """The labels' loss of each fold, over the clips it may hear. `soft`: the teacher's logits and affect."""
        own = self.heard[:, chosen] * self.clips.weight[chosen]
        target, meant = self.target[chosen][None], self.clips.affect[chosen][None]
        possible = self.possible[chosen][None]
        say = lambda x: x.masked_fill(~possible, -1e4)
        valence_arousal, distress = meant[..., :2], meant[..., 2]
        if soft is not None:
            trust = self.args.trust
            target = (1 - trust) * target + trust * say(soft[0]).softmax(2)
            valence_arousal = (1 - trust) * valence_arousal + trust * soft[1][..., :2].tanh()
            distress = (1 - trust) * distress + trust * soft[1][..., 2].sigmoid()
        entropy = -(target * say(logits).log_softmax(2)).sum(2)
        mean = lambda x, weight: (x * weight).sum() / weight.sum().clamp_min(1e-6) * self.folds
        loss = mean(entropy, own * self.share[chosen])
        loss = loss + mean((affect[..., :2].tanh() - valence_arousal).square().sum(2), own)
        distress = F.binary_cross_entropy_with_logits(affect[..., 2], distress.expand_as(affect[..., 2]), reduction="none")
        return loss + 0.5 * mean(distress, own)

    def train_teacher(self):
        """Heads on Whisper's layers, several seeds a fold."""
        seeds = self.args.heads
        self.heard, few = self.heard.repeat_interleave(seeds, 0), self.heard
        self.folds *= seeds
        head = Head(self.folds, self.whisper.blocks + 1, self.whisper.width, self.args.seed).to(self.device)
        averaged = Averaged(head, 0.998)
        optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05, betas=(0.9, 0.99), foreach=True)
        steps = self.args.teacher_steps
        for step in range(steps):
            chosen, x, _, valid = self.hear(self.length(), True)
            noisy = telephone.vary(x, 0.5) if step % 2 else telephone.mu_law(x)
            layers, mask = self.layers(noisy, valid)
            logits, affect = head(layers, mask, dropout=0.3)
            loss = self.labels_loss(logits, affect, chosen)
            self.step(optimiser, head, loss, 1e-3, step, steps)
            averaged.update()
            if step % max(1, steps // 8) == 0:
                self.say(f"teacher {step}/{steps} loss {loss.item() / self.folds:.3f}")
        with torch.no_grad():
            torch._foreach_copy_(list(head.parameters()), averaged.values)
        self.heard, self.folds, self.head = few, self.folds // seeds, head.requires_grad_(False)
        self.say("layers " + str([round(float(x), 2) for x in head["layers"].softmax(1).mean(0)]))

    @torch.no_grad()
    def teach(self, layers, mask):
        """Each fold's teacher: the mean of its heads' logits and affect."""
        both = self.head(layers, mask)
        return [x.reshape(self.folds, self.args.heads, *x.shape[1:]).mean(1) for x in both]

    def length(self):
        """Samples of a batch's stretches: mostly whole clips, often as little as 1.2 s."""
        seconds = 1.2 + 2.8 * torch.rand(()).item() ** 0.6
        return int(seconds * 8000) // 400 * 400

    @staticmethod
    def step(optimiser, stack, loss, rate, step, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(stack.parameters(), 10.0)
        optimiser.step()

    @torch.no_grad()
    def measure(self):
        """Means and deviations: of the inputs over plain speech, of Whisper's rows and summaries."""
        inputs, rows, summaries = [], [], []
        for _ in range(self.args.measured):
            _, x, gate, valid = self.hear(24000, False)
            values, mask, _ = telephone.speech_only(*self.front(telephone.mu_law(x)), gate)
            inputs.append(values[mask])
            middle, mask = self.middle(*self.layers(x, valid))
            rows.append(middle[mask])
            summaries.append(self.summary(middle, mask))
        fit = lambda parts: (torch.cat(parts).mean(0), 1 / torch.cat(parts).std(0).clamp_min(1e-2))
        self.inputs, self.rows = fit(inputs), fit(rows)
        self.summaries = fit(summaries)

    def middle(self, layers, mask):
        """What of Whisper the network is to predict: the mean of its middle blocks."""
        return F.layer_norm(layers[2:5], layers.shape[-1:]).mean(0), mask

    @staticmethod
    def summary(middle, mask):
        weight = mask[..., None] / mask.sum(1)[:, None, None].clamp_min(1)
        mean = (middle * weight).sum(1)
        return torch.cat([mean, ((middle - mean[:, None]).square() * weight).sum(1).sqrt()], 1)

    def train_student(self):
        args = self.args
        mean, scale = self.inputs
        config = dict(channels=args.channels, hidden=args.hidden, dilations=tuple(args.dilations))
        student = Student(self.folds, -mean, scale, args.seed + 1, **config).to(self.device)
        width = self.whisper.width
        student.linear("teacher", student.channels, width, 1.0)
        student.linear("summary", args.hidden, 2 * width, 1.0)
        student.to(self.device)
        self.student, self.averaged = student, Averaged(student, args.averaging)
        optimiser = torch.optim.AdamW(
            student.parameters(), lr=args.rate, weight_decay=args.decay, betas=(0.9, 0.99), foreach=True
        )
        began, step, steps = time.time(), 0, args.steps
        while step < steps:
            length = self.length()
            chosen, x, gate, valid = self.hear(length, True)
            layers, mask = self.layers(x, valid)
            soft = self.teach(layers, mask)
            middle, _ = self.middle(layers, mask)
            with torch.no_grad():
                values, present, order = telephone.speech_only(*self.front(telephone.vary(x)), gate)
                values, present, at = telephone.warp(
                    values, present, args.formants, args.semitones, args.tempo
                )
                values = telephone.blank(values, mean)
                # The row of Whisper that each frame predicts: what was said 75 ms before it ended.
                place = order.gather(1, at[:, 1::2].long())
                row = ((STEP * (place + 1) - LATENESS).clamp_min(0) // ROW).clamp_max(middle.shape[1] - 1)
                rows = ((middle - self.rows[0]) * self.rows[1]).clamp(-4, 4)
                rows = rows.gather(1, row[:, :, None].expand(-1, -1, width))
                summary = ((self.summary(middle, mask) - self.summaries[0]) * self.summaries[1]).clamp(-4, 4)
            logits, affect, hidden, frames = student(values, present, dropout=args.dropout)
            loss = self.labels_loss(logits, affect, chosen, soft)
            # All classes, at a temperature: what the teacher thinks of those that the corpus has no name for, too.
            own = self.heard[:, chosen].expand(self.folds, -1)
            mean_of = lambda x, weight: (x * weight).sum() / weight.sum().clamp_min(1e-6) * self.folds
            warm = 2.0
            divergence = -((soft[0] / warm).softmax(2) * (logits / warm).log_softmax(2)).sum(2) * warm * warm
            loss = loss + args.open_weight * mean_of(divergence, own)
            said = student.apply_linear("teacher", frames)
            off = (said - rows[None]).square().mean(3)
            loss = loss + args.rows_weight * mean_of(off, present[None, :, 1::2] * own[..., None])
            off = (student.apply_linear("summary", hidden) - summary[None]).square().mean(2)
            loss = loss + args.summary_weight * mean_of(off, own)
            self.step(optimiser, student, loss, args.rate, step, steps)
            self.averaged.update()
            step += 1
            if step in (200, 1000, 3000) and args.seconds:
                # As many steps as there is time for.
                loss.item()
                steps = min(args.steps, int(args.seconds / ((time.time() - began) / step)))
                self.say(f"{steps} steps")
            if step % max(1, args.every) == 0 or step == steps:
                self.say(f"student {step}/{steps} loss {loss.item() / self.folds:.3f} {self.validate()}")

    @torch.no_grad()
    def validate(self):
        """Recall of network and teacher on the speakers that each fold does not know, by corpus."""
        with self.averaged.in_place() if hasattr(self, "averaged") else contextlib.nullcontext():
            pairs = {}
            for fold, names in enumerate(self.apart):
                clips = torch.tensor(
                    [n for n, speaker in enumerate(self.clips.speakers) if speaker in names], device=self.device
                ).long()
                for part in clips.split(128) if names else ():
                    for name, logits in self.listen(part).items():
                        for clip, row in zip(part.tolist(), logits[fold].float().cpu()):
                            if int(self.clips.label[clip]) < 0:
                                continue
                            corpus = self.clips.corpora[int(self.clips.corpus[clip])]
                            pairs.setdefault((corpus, name), []).append((int(self.clips.label[clip]), row))
        out, self.pairs = [], pairs
        for (corpus, name), found in sorted(pairs.items()):
            classes = torch.nonzero(self.clips.classes[self.clips.corpora.index(corpus)]).squeeze(1).cpu()
            out.append(f"{corpus} {name} {recall(found, classes):.3f}")
            four = [n for n in (0, 1, 2, 7) if n in classes.tolist()]
            out[-1] += f" (4: {recall([pair for pair in found if pair[0] in four], torch.tensor(four)):.3f})"
        return "; ".join(out)

    def listen(self, part):
        """What every fold makes of whole clips, as recorded, through G.711: logits `[folds, clips, 9]`."""
        length = 40000
        x, gate, valid = self.clips.cut(part, length, torch.ones(len(part), device=self.device), whole=True)
        heard = telephone.mu_law(x)
        teacher = self.teach(*self.layers(heard, valid))[0]
        if not hasattr(self, "student"):
            return {"teacher": teacher}
        values, mask, _ = telephone.speech_only(*self.front(heard), gate)
        return {"teacher": teacher, "network": self.student(values, mask)[0]}

    def say(self, text):
        print(f"{time.time() - self.args.began:6.0f} s  {text}", flush=True)

    def write(self, out):
        """Each fold as a model file of its own: the last one is the model, the others serve its calibration."""
        with self.averaged.in_place():
            for fold, apart in enumerate(self.apart):
                tensors = {
                    name: self.student[name][fold].detach()
                    for name in self.student.names
                    if not name.startswith(("teacher", "summary"))
                }
                tensors["input.shift"], tensors["input.scale"] = self.student.shift, self.student.scale
                heard = sorted(set(self.clips.speakers) - set(apart))
                name = "model" if not apart else f"fold{fold}"
                meta = dict(
                    name=self.args.name,
                    licence=self.args.licence,
                    corpora=self.clips.corpora,
                    held_out=sorted(apart),
                    heard=heard,
                    seed=self.args.seed,
                    features=dict(
                        rate=8000, window=200, hop=100, mel_bands=40, low_hz=80.0, high_hz=3800.0, pitch_window=512,
                        pitch_bins=32, pitch_low_hz=60.0, pitch_high_hz=500.0, floor=9.0,
                    ),
                    network=self.student.config,
                    classes=CLASSES,
                    calibration=dict(
                        temperature=1.0, class_bias=[0.0] * 9, distress_scale=1.0, distress_shift=0.0, least_confidence=0.0
                    ),
                    card_sha256="",
                )
                write_model(out / f"{name}.safetensors", meta, tensors)


def recall(pairs, classes):
    if not pairs or len(classes) == 0:
        return float("nan")
    right, count = np.zeros(9), np.zeros(9)
    for label, row in pairs:
        count[label] += 1
        right[label] += int(classes[row[classes].argmax()]) == label
    return float((right / np.maximum(count, 1))[count > 0].mean())


def write_model(path, meta, tensors):
    """The file format of `crates/emotion/src/model.rs`."""
    text = json.dumps(meta)
    halves = {name: value.cpu().to(torch.float16).numpy() for name, value in tensors.items()}
    digest = hashlib.sha256(text.encode())
    for name in sorted(halves):
        shape = ", ".join(map(str, halves[name].shape))
        digest.update(f"\n{name} F16 [{shape}]\n".encode())
        digest.update(halves[name].tobytes())
    from safetensors.numpy import save_file

    header = {"sidetone.format": "1", "sidetone.model": text, "sidetone.sha256": digest.hexdigest()}
    save_file({name: np.ascontiguousarray(value) for name, value in halves.items()}, path, header)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", required=True, nargs="+", help="packed clips")
    parser.add_argument("--whisper", required=True, help="Whisper's encoder")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--licence", required=True, choices=["open", "research"])
    parser.add_argument("--draw", required=True, help="clips of each corpus in a batch: emodb=64,kokoro=20")
    parser.add_argument("--folds", default="", help="speakers that a fold does not hear, joined by +; folds by commas")
    parser.add_argument("--share", default="emogator=0.3", help="how much the classes of a corpus count")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heads", type=int, default=2, help="heads on Whisper for each fold")
    parser.add_argument("--teacher-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=16000)
    parser.add_argument("--seconds", type=float, default=0, help="most seconds that the network trains")
    parser.add_argument("--measured", type=int, default=20, help="batches that means are measured on")
    parser.add_argument("--every", type=int, default=2000, help="steps between validations")
    parser.add_argument("--channels", type=int, default=160)
    parser.add_argument("--hidden", type=int, default=160)
    parser.add_argument("--dilations", type=int, nargs="+", default=[1, 2, 4, 1, 2, 4])
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.02)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--averaging", type=float, default=0.999)
    parser.add_argument("--trust", type=float, default=0.6, help="the teacher's part of a labelled clip's target")
    parser.add_argument("--open-weight", type=float, default=0.5)
    parser.add_argument("--rows-weight", type=float, default=0.5)
    parser.add_argument("--summary-weight", type=float, default=0.5)
    parser.add_argument("--formants", type=float, default=0.08)
    parser.add_argument("--semitones", type=float, default=1.5)
    parser.add_argument("--tempo", type=float, default=0.1)
    args = parser.parse_args()
    args.began = time.time()
    args.out.mkdir(parents=True, exist_ok=True)

    work = Distillation(args)
    work.say(f"{len(work.clips.speakers)} clips of {work.clips.corpora}, {work.folds} folds, on {work.device}")
    work.train_teacher()
    work.say(work.validate())
    work.measure()
    work.train_student()
    work.write(args.out)
    work.say(f"written to {args.out}")


if __name__ == "__main__":
    main()
