"""Whisper's encoder (Radford et al. 2022; MIT) in PyTorch: 8 kHz speech in, what every layer makes of it out."""

import math

import torch
import torch.nn.functional as F
from safetensors import safe_open


def slaney(bands=80, bins=201, top=8000.0):
    """Triangular filters of equal area on Slaney's mel scale, `[bins, bands]`: linear below 1 kHz, logarithmic above."""
    to_mel = lambda hz: hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)
    to_hz = lambda mel: mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)
    edges = [to_hz(to_mel(top) * n / (bands + 1)) for n in range(bands + 2)]
    hz = torch.linspace(0, top, bins)[:, None]
    left, centre, right = (torch.tensor(edges[n : n + bands])[None] for n in range(3))
    rise, fall = (hz - left) / (centre - left), (right - hz) / (right - centre)
    return torch.minimum(rise, fall).clamp_min(0) * 2 / (right - left)


class Whisper(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        with safe_open(path, "pt") as file:
            for name in file.keys():
                self.register_buffer(name.replace(".", "_"), file.get_tensor(name).float())
            self.heads = int(file.metadata()["heads"])
        self.blocks = 0
        while hasattr(self, f"block{self.blocks}_query_weight"):
            self.blocks += 1
        self.width = self.positions.shape[1]
        self.register_buffer("filters", slaney())
        self.register_buffer("window", torch.hann_window(400))

    def mel(self, x):
        """8 kHz waveforms `[batch, samples]` to log-mel `[batch, 80, frames]`, 100 frames a second."""
        x = torch.fft.irfft(2 * torch.fft.rfft(x), n=2 * x.shape[1])
        power = torch.stft(x, 400, 160, window=self.window, return_complex=True)[:, :, :-1].abs().square()
        log = (self.filters.T @ power).clamp_min(1e-10).log10()
        log = torch.maximum(log, log.amax((1, 2), keepdim=True) - 8)
        return (log + 4) / 4

    def part(self, name):
        return getattr(self, name + "_weight"), getattr(self, name + "_bias")

    def forward(self, mel):
        """Log-mel to the outputs of the stem and of each block, `[1 + blocks, batch, frames / 2, width]`."""
        x = F.gelu(F.conv1d(mel, *self.part("conv1"), padding=1))
        x = F.gelu(F.conv1d(x, *self.part("conv2"), padding=1, stride=2)).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        outputs = [x]
        batch, length, width = x.shape
        split = lambda y: y.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2)
        for n in range(self.blocks):
            part = lambda name: self.part(f"block{n}_{name}")
            y = F.layer_norm(x, (width,), *part("norm1"))
            query, key, value = (split(F.linear(y, *part(name))) for name in ("query", "key", "value"))
            y = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, length, width)
            x = x + F.linear(y, *part("out"))
            y = F.gelu(F.linear(F.layer_norm(x, (width,), *part("norm2")), *part("mlp0")))
            x = x + F.linear(y, *part("mlp1"))
            outputs.append(x)
        return torch.stack(outputs)
