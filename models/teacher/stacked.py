"""Networks in stacks: several of one shape with weights of their own, trained side by side on the same batches.

Every tensor has a leading dimension, the fold. `Student` computes what `crates/emotion/src/network.rs` computes and names its
tensors alike; `Head` reads emotion off Whisper's layers.
"""

import math

import torch
import torch.nn.functional as F


class Stack(torch.nn.Module):
    """Tensors by their names in the file, each `[folds, ...]`, and what networks of them are made of."""

    def __init__(self, folds, seed):
        super().__init__()
        self.folds, self.names = folds, {}
        self.generator = torch.Generator().manual_seed(seed)
        self.values = torch.nn.ParameterList()

    def put(self, name, value):
        self.names[name] = len(self.values)
        self.values.append(torch.nn.Parameter(value))

    def linear(self, name, size_in, size_out, gain):
        value = torch.randn(self.folds, size_in, size_out, generator=self.generator) * gain / math.sqrt(size_in)
        self.put(name + ".weight", value)
        self.put(name + ".bias", torch.zeros(self.folds, size_out))

    def norm(self, name, size):
        self.put(name + ".scale", torch.ones(self.folds, size))
        self.put(name + ".shift", torch.zeros(self.folds, size))

    def __getitem__(self, name):
        return self.values[self.names[name]]

    def apply_linear(self, name, x):
        shape = x.shape
        y = torch.baddbmm(self[name + ".bias"][:, None], x.reshape(self.folds, -1, shape[-1]), self[name + ".weight"])
        return y.reshape(*shape[:-1], -1)

    def apply_norm(self, name, x):
        y = F.layer_norm(x, x.shape[-1:], eps=1e-5)
        view = lambda part: self[name + part].reshape(self.folds, *[1] * (x.dim() - 2), -1)
        return y * view(".scale") + view(".shift")

    def pool(self, x, scores, mask):
        """Attentive mean and deviation over time (Okabe et al. 2018): `[folds, batch, time, channels]` to `[folds, batch,
        2 * channels]`; each head of `scores` weighs its share of the channels."""
        heads = scores.shape[-1]
        weights = scores.masked_fill(~mask[None, :, :, None], -1e4).softmax(2)[..., None]
        x = x.reshape(*x.shape[:3], heads, -1)
        mean = (x * weights).sum(2, keepdim=True)
        spread = ((x - mean).square() * weights).sum(2)
        return torch.cat([mean.squeeze(2).flatten(2), (spread + 1e-5).sqrt().flatten(2)], 2)


class Student(Stack):
    """See `NetworkConfig`."""

    def __init__(self, folds, shift, scale, seed, stem=128, channels=160, dilations=(1, 2, 4, 1, 2, 4), heads=4, hidden=160):
        super().__init__(folds, seed)
        self.dilations, self.channels = dilations, channels
        self.config = dict(
            inputs=112, stem=stem, channels=channels, dilations=list(dilations), heads=heads, hidden=hidden
        )
        relu = math.sqrt(2)
        self.linear("stem", 3 * 112, stem, relu)
        self.linear("down", 4 * stem, channels, 1.0)
        for block in range(len(dilations)):
            self.linear(f"block{block}.conv", 3 * channels, channels, relu)
            self.linear(f"block{block}.mix", channels, channels, 0.3)
            self.norm(f"block{block}.norm", channels)
        self.linear("attention.hidden", channels, hidden, relu)
        self.linear("attention.score", hidden, heads, 0.3)
        self.linear("head.hidden", 2 * channels, hidden, relu)
        self.linear("head.class", hidden, 9, 0.3)
        self.linear("head.affect", hidden, 3, 0.3)
        self.norm("stem.norm", stem), self.norm("final.norm", channels), self.norm("head.norm", 2 * channels)
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def convolve(self, name, x, taps, dilation):
        reach = (taps - 1) * dilation
        padded = F.pad(x, (0, 0, reach, 0))
        shifted = [padded[:, :, tap * dilation : tap * dilation + x.shape[2]] for tap in range(taps)]
        return self.apply_linear(name, torch.cat(shifted, 3))

    def forward(self, steps, mask, dropout=0.0):
        """Steps `[batch, time, 112]` with their mask to logits, affect, the heads' hidden values and the frames."""
        drop = lambda y: F.dropout(y, dropout, training=dropout > 0)
        x = ((steps + self.shift) * self.scale)[None].expand(self.folds, -1, -1, -1)
        x = self.apply_norm("stem.norm", self.convolve("stem", x, 3, 1).relu())
        x = self.convolve("down", x.reshape(*x.shape[:2], x.shape[2] // 2, -1), 2, 1)
        for block, dilation in enumerate(self.dilations):
            y = self.apply_norm(f"block{block}.norm", x)
            y = drop(self.convolve(f"block{block}.conv", y, 3, dilation).relu())
            x = x + self.apply_linear(f"block{block}.mix", y)
        x = self.apply_norm("final.norm", x)
        scores = self.apply_linear("attention.score", self.apply_linear("attention.hidden", x).relu())
        pooled = self.apply_norm("head.norm", self.pool(x, scores, mask[:, 1::2]))
        hidden = drop(self.apply_linear("head.hidden", drop(pooled)).relu())
        return self.apply_linear("head.class", hidden), self.apply_linear("head.affect", hidden), hidden, x


class Head(Stack):
    """Whisper's layers `[layers, batch, time, width]` to logits and affect: a learnt sum of layers, attentive pooling, one
    hidden layer."""

    def __init__(self, folds, layers, width, seed, inner=192, hidden=128, heads=4):
        super().__init__(folds, seed)
        self.put("layers", torch.zeros(folds, layers))
        self.linear("inner", width, inner, math.sqrt(2))
        self.linear("attention.hidden", inner, 64, math.sqrt(2))
        self.linear("attention.score", 64, heads, 0.3)
        self.linear("hidden", 2 * inner, hidden, math.sqrt(2))
        self.linear("class", hidden, 9, 0.3)
        self.linear("affect", hidden, 3, 0.3)
        self.norm("pool.norm", 2 * inner)

    def forward(self, layers, mask, dropout=0.0):
        drop = lambda y: F.dropout(y, dropout, training=dropout > 0)
        normal = F.layer_norm(layers, layers.shape[-1:])
        count, batch, time, width = normal.shape
        mixed = (self["layers"].softmax(1) @ normal.reshape(count, -1)).reshape(self.folds, batch, time, width)
        x = drop(self.apply_linear("inner", drop(mixed)).relu())
        scores = self.apply_linear("attention.score", self.apply_linear("attention.hidden", x).relu())
        pooled = self.apply_norm("pool.norm", self.pool(x, scores, mask))
        hidden = drop(self.apply_linear("hidden", drop(pooled)).relu())
        return self.apply_linear("class", hidden), self.apply_linear("affect", hidden)
