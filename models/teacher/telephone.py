"""The listening side in PyTorch, for batches on a GPU: what a line does to speech, and the features the network sees.

`FrontEnd` computes what `crates/emotion/src/features.rs` and `frontend.rs` compute (`python telephone.py clips.safetensors` compares them);
`vary` and `warp` do for a batch what `corpus/telephony.rs` and `train/warp.rs` do for a clip, with plain approximations of
the codecs: G.711 exactly, others as a little noise. All waveforms are float, full scale 1, 8 kHz.
"""

import math

import torch
import torch.nn.functional as F

RATE, STEP, HOP, WINDOW, PITCH = 8000, 200, 100, 200, 512
BANDS, LAGS, SIZE = 40, 32, 112
LOW, HIGH, PITCH_LOW, PITCH_HIGH = 80.0, 3800.0, 60.0, 500.0
FLOOR, QUIET, LEVEL_WEIGHT, SETTLING = 9.0, 1e-6, 1 / 160, 20


def to_mel(hz):
    return 2595 * math.log10(1 + hz / 700)


def to_hz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def hann(length):
    n = torch.arange(length, dtype=torch.float64)
    return (0.5 - 0.5 * torch.cos(math.tau * (n + 0.5) / length)).float()


class FrontEnd(torch.nn.Module):
    """Waveforms `[batch, samples]` to raw steps `[batch, steps, 112]` and their mean squares `[batch, steps]`."""

    def __init__(self):
        super().__init__()
        filters = torch.zeros(129, BANDS)
        low, high, bin_hz = to_mel(LOW), to_mel(HIGH), RATE / 256
        edge = lambda n: to_hz(low + (high - low) * n / (BANDS + 1))
        for band in range(BANDS):
            centre = edge(band + 1)
            left, right = min(edge(band), centre - bin_hz), max(edge(band + 2), centre + bin_hz)
            for n in range(129):
                hz = n * bin_hz
                filters[n, band] = max(0.0, min((hz - left) / (centre - left), (right - hz) / (right - centre)))
        octaves = math.log2(PITCH_HIGH / PITCH_LOW)
        lags = torch.tensor([2 * RATE / (PITCH_LOW * 2 ** (octaves * n / (LAGS - 1))) for n in range(LAGS)])
        for name, value in dict(
            filters=filters, mel_window=hann(WINDOW), pitch_window=hann(PITCH), lag=lags.long(), part=lags.frac()
        ).items():
            self.register_buffer(name, value)

    def forward(self, x):
        steps = x.shape[1] // STEP
        x = x[:, : steps * STEP]
        padded = F.pad(x, (PITCH, 0))
        frames = padded[:, PITCH + HOP - WINDOW :].unfold(1, WINDOW, HOP)[:, : 2 * steps]
        frames = (frames - frames.mean(2, keepdim=True)) * self.mel_window
        power = torch.fft.rfft(frames, n=256).abs().square()
        mel = (power @ self.filters + 1e-10).log().reshape(len(x), steps, 2 * BANDS)
        windows = padded[:, STEP:].unfold(1, PITCH, STEP)[:, :steps]
        windows = (windows - windows.mean(2, keepdim=True)) * self.pitch_window
        spectrum = torch.fft.rfft(windows).abs().square()
        top = int(2200 * PITCH / RATE)
        shrunk = torch.zeros(*spectrum.shape[:2], PITCH + 1, device=x.device)
        shrunk[:, :, 1:top] = spectrum[:, :, 1:top].clamp_min(1e-30) ** (1 / 3)
        lags = torch.fft.irfft(shrunk, n=2 * PITCH) * (2 * PITCH)
        value = lags[:, :, self.lag] * (1 - self.part) + lags[:, :, self.lag + 1] * self.part
        pitch = value / lags[:, :, :1].clamp_min(1e-9)
        return torch.cat([mel, pitch], 2), x.reshape(len(x), steps, STEP).square().mean(2)


def speech_only(values, power, gate):
    """Only the steps that `gate` has, joined, with the level of the speech taken out. Returns features, mask, and the
    index of each step before joining."""
    order = torch.argsort((~gate).to(torch.int8), dim=1, stable=True)
    count = gate.sum(1)
    length = int(count.max().clamp_min(2)) // 2 * 2
    order = order[:, :length]
    mask = torch.arange(length, device=gate.device)[None] < (count // 2 * 2)[:, None]
    values = values.gather(1, order[:, :, None].expand(-1, -1, values.shape[2]))
    power = power.gather(1, order)
    loud = (power > QUIET) & mask
    first = loud & (torch.arange(length, device=gate.device)[None] < SETTLING)
    level = torch.where(first.any(1), (power * first).sum(1) / first.sum(1).clamp_min(1), QUIET)
    # level_i = a_i level_(i-1) + w p_i with a_i = 1 - w where it is loud, solved for all i at once.
    weight = LEVEL_WEIGHT * loud.double()
    kept = (1 - weight).cumprod(1)
    level = (kept * (level.double()[:, None] + (weight * power / kept).cumsum(1))).float()
    mels = (values[:, :, : 2 * BANDS] - (level.clamp_min(1e-12) * WINDOW).log()[:, :, None]).clamp_min(-FLOOR)
    return torch.cat([mels, values[:, :, 2 * BANDS :]], 2), mask, order


def uniform(shape, low, high, device):
    return low + (high - low) * torch.rand(shape, device=device)


def resample(x, factor):
    """Each row `factor` times as long (windowed sinc, 16 taps a side at unit cutoff), cut or padded to its old length."""
    length, reach = x.shape[1], 12
    at = torch.arange(length, device=x.device)[None] / factor[:, None]
    base = at.floor()
    cutoff = (0.96 * factor.clamp_max(1.0))[:, None]
    out = torch.zeros_like(x)
    padded = F.pad(x, (reach, reach + 1))
    for tap in range(1 - reach, reach + 1):
        t = at - (base + tap)
        window = 0.5 + 0.5 * torch.cos(math.pi * (t / reach).clamp(-1, 1))
        index = (base.long() + tap + reach).clamp(0, padded.shape[1] - 1)
        out += padded.gather(1, index) * torch.sinc(cutoff * t) * cutoff * window
    return out * (at < length)


def mu_law(x):
    """G.711 µ-law, there and back, on 14 bits as in the standard."""
    sign, magnitude = x.sign(), (x.abs() * 32768 + 132).clamp_max(32767 - 1)
    exponent = (magnitude.log2().floor() - 7).clamp(0, 7)
    size = 2.0 ** (exponent + 3)
    return sign * ((magnitude / size).floor() * size + size / 2 - 132) / 32768


def snr_mix(x, behind, db):
    power = lambda y: y.square().mean(1, keepdim=True).clamp_min(1e-12)
    return x + behind * (power(x) / power(behind) * 10 ** (-db / 10)).sqrt()


def vary(x, strength=1.0):
    """Each row over another line: voices or music behind it, a room, tilt, gain, noise, codec, loss."""
    batch, length = x.shape
    device = x.device
    chance = lambda p: torch.rand(batch, 1, device=device) < p * strength
    babble = sum(x[torch.randperm(batch, device=device)] for _ in range(3))
    x = torch.where(chance(0.15), snr_mix(x, babble, uniform((batch, 1), 6, 25, device)), x)
    x = torch.where(chance(0.1), snr_mix(x, music(batch, length, device), uniform((batch, 1), 6, 25, device)), x)
    # A room: early reflections and a tail, by convolution.
    delays = torch.arange(2000, device=device)
    echo = torch.randn(batch, 2000, device=device) * (-delays / uniform((batch, 1), 150, 600, device)).exp()
    echo *= (torch.rand(batch, 2000, device=device) < 0.02) & (delays > 20)
    echo *= uniform((batch, 1), 0.1, 0.5, device)
    spectrum = torch.fft.rfft(x, n=length + 2000)
    wet = torch.fft.irfft(spectrum * torch.fft.rfft(echo, n=length + 2000), n=length + 2000)[:, :length]
    x = torch.where(chance(0.25), x + wet, x)
    # The line's tilt and band edges.
    hz = torch.linspace(0, RATE / 2, length // 2 + 1, device=device)
    tilt = uniform((batch, 1), -6, 6, device) * (hz / 2000 - 1).clamp(-1, 1) / 2
    cut = torch.sigmoid((hz - uniform((batch, 1), 100, 320, device)) / 25)
    gain = 10 ** (tilt / 20) * torch.where(chance(0.4), cut, torch.ones_like(cut))
    x = torch.where(chance(0.6), torch.fft.irfft(torch.fft.rfft(x) * gain, n=length), x)
    peak = x.abs().amax(1, keepdim=True).clamp_min(1e-4)
    x = x * torch.minimum(10 ** (uniform((batch, 1), -12, 12, device) / 20), 0.98 / peak)
    hiss = torch.fft.rfft(torch.randn(batch, length, device=device))
    hiss = torch.fft.irfft(hiss / (1 + hz / uniform((batch, 1), 200, 8000, device)), n=length)
    x = torch.where(chance(0.3), snr_mix(x, hiss, uniform((batch, 1), 8, 35, device)), x)
    # Lost packets of 20 ms: the last one goes on, fainter.
    lost = torch.rand(batch, length // 160 + 1, device=device) < uniform((batch, 1), 0.01, 0.08, device) * chance(0.25)
    lost[:, 0] = False
    place = torch.arange(lost.shape[1], device=device)[None].expand(batch, -1)
    source = torch.where(lost, -1, place).cummax(1).values
    faint = 0.7 ** (place - source).float()
    samples = torch.arange(length, device=device)
    index = (source[:, samples // 160] * 160 + samples % 160).clamp_max(length - 1)
    x = x.gather(1, index) * faint[:, samples // 160]
    coded = mu_law(x)
    other = snr_mix(x, torch.randn_like(x), uniform((batch, 1), 25, 45, device))
    kind = torch.rand(batch, 1, device=device)
    return torch.where(kind < 0.65, coded, torch.where(kind < 0.85, other, x))


def music(batch, length, device):
    """Chords of decaying harmonics."""
    t = torch.arange(length, device=device)[None] / RATE
    out = torch.zeros(batch, length, device=device)
    beat = uniform((batch, 1), 0.25, 0.8, device)
    decay = torch.exp(-3 * (t % beat) / beat)
    for _ in range(3):
        root = 110 * 2 ** (torch.randint(0, 30, (batch, 1), device=device) / 12)
        move = 2 ** (torch.randint(-3, 4, (batch, 8), device=device) / 12)
        hz = root * move.gather(1, (t / beat).long() % 8)
        phase = (hz / RATE).cumsum(1)
        for harmonic in (1, 2, 3):
            out += torch.sin(math.tau * harmonic * phase) * decay / harmonic
    return out


def warp(values, mask, formants=0.1, semitones=2.0, tempo=0.12, colour_db=2.0, floor=0.25):
    """Another voice from the same features: formants, intonation, tempo, colour and noise floor moved, each by itself."""
    batch, length, _ = values.shape
    device = values.device
    column = lambda low, high: uniform((batch, 1), low, high, device)
    # Tempo: steps read at another pace.
    pace = 1 + column(-tempo, tempo)
    count = mask.sum(1, keepdim=True)
    new = (count * pace).floor().clamp(2, length).long() // 2 * 2
    at = (torch.arange(length, device=device)[None] / pace).clamp_max(count.clamp_min(1) - 1.0)
    values = between(values, at[:, :, None].expand(-1, -1, SIZE), 1)
    mask = torch.arange(length, device=device)[None] < new
    # Formants: a piecewise-linear warp of the frequency axis (Jaitly and Hinton 2013).
    factor = 1 + column(-formants, formants)
    low, spacing = to_mel(LOW), (to_mel(HIGH) - to_mel(LOW)) / (BANDS + 1)
    hz = torch.tensor([to_hz(low + spacing * (n + 1)) for n in range(BANDS)], device=device)[None]
    bend = 2800 * factor.clamp_max(1)
    below, start = hz / factor, bend / factor
    above = start + (hz - bend) * (HIGH - start) / (HIGH - bend)
    source = torch.where(hz <= bend, below, above)
    band = ((2595 * (1 + source / 700).log10() - low) / spacing - 1)[:, None].expand(-1, length, -1)
    # Colour: a level and a smooth curve over the bands.
    neper = colour_db / 10 * math.log(10)
    bands = math.pi * torch.arange(BANDS, device=device) / BANDS
    colour = sum(
        neper * 0.5 * torch.randn(batch, 1, device=device) * torch.cos(bands * n + column(0, math.tau)) for n in range(4)
    )[:, None]
    noise = torch.where(torch.rand(batch, 1, 1, device=device) < floor, column(-8.5, -3.5)[:, :, None], -30.0)
    frames = []
    for frame in (values[:, :, :BANDS], values[:, :, BANDS : 2 * BANDS]):
        x = between(frame, band, 2) + colour
        frames.append(torch.logaddexp(x, noise.expand_as(x)).clamp_min(-FLOOR))
    shift = column(-semitones, semitones) / 12 * (LAGS - 1) / math.log2(PITCH_HIGH / PITCH_LOW)
    lag = (torch.arange(LAGS, device=device)[None] - shift)[:, None].expand(-1, length, -1)
    return torch.cat([*frames, between(values[:, :, 2 * BANDS :], lag, 2)], 2), mask, at


def between(values, at, dim):
    """Values at fractional places along a dimension, those at the ends beyond them."""
    at = at.clamp(0, values.shape[dim] - 1)
    first = at.floor().long()
    next = (first + 1).clamp_max(values.shape[dim] - 1)
    part = at - first
    return values.gather(dim, first) * (1 - part) + values.gather(dim, next) * part


def blank(values, means):
    """Two stretches of bands and two of time set to their means (Park et al. 2019)."""
    batch, length, _ = values.shape
    device = values.device
    place = lambda most, size: (
        (start := (torch.rand(batch, 1, device=device) * size)),
        torch.arange(size, device=device)[None].sub(start).div(torch.rand(batch, 1, device=device) * most + 1e-3),
    )[1]
    hidden = torch.zeros(batch, length, SIZE, dtype=torch.bool, device=device)
    for _ in range(2):
        bands = place(7, BANDS)
        bands = (bands >= 0) & (bands < 1)
        whole = torch.cat([bands, bands, torch.zeros(batch, LAGS, dtype=torch.bool, device=device)], 1)
        hidden |= whole[:, None]
        time = place(12, length)
        hidden |= ((time >= 0) & (time < 1))[:, :, None]
    lags = torch.rand(batch, 1, 1, device=device) < 0.1
    hidden[:, :, 2 * BANDS :] |= lags
    return torch.where(hidden, means, values)


def check(path):
    """The largest difference from what `cargo run --example clips` found for the first clips of a file."""
    from safetensors import safe_open

    front, worst, row = FrontEnd(), 0.0, 0
    with safe_open(path, "pt") as file:
        starts, ends_starts = file.get_tensor("pcm_starts"), file.get_tensor("ends_starts")
        pcm, ends, features = (file.get_tensor(name) for name in ("pcm", "ends", "features"))
    clip = 0
    while row < len(features):
        own = ends[ends_starts[clip] : ends_starts[clip + 1]]
        x = F.pad(pcm[starts[clip] : starts[clip + 1]].float() / 32768, (0, 512))[None]
        gate = torch.zeros(1, x.shape[1] // STEP, dtype=torch.bool)
        gate[0, own // STEP - 1] = True
        values, mask, _ = speech_only(*front(x), gate)
        ours, theirs = values[mask], features[row : row + len(own)]
        difference = (ours - theirs).abs().max().item() if len(ours) == len(theirs) else float("nan")
        print(f"clip {clip}: {len(own)} steps, {difference:.5f}")
        worst, row, clip = max(worst, difference), row + len(own), clip + 1
    print(f"largest difference {worst:.5f}")


if __name__ == "__main__":
    import sys

    check(sys.argv[1])
