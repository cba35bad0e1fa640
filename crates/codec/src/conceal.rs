//! Concealing lost packets of waveform codecs.
//!
//! The method of ITU-T G.711 Appendix I: what is missing is filled with the last pitch period before
//! the gap, repeated; from the second 10 ms on with the last two, from the third on with the last
//! three, so that it doesn't buzz; it fades by a fifth every 10 ms from the second on, and after
//! 60 ms is silent. The first samples after the gap are cross-faded with what would have followed.
//!
//! Differences: the Appendix delays all output by 3.75 ms, so that it can change the last samples
//! before a gap once it knows of it. Here nothing is delayed; the step between the last sample and
//! the first repeated one is levelled out over a quarter of a period instead. And any rate will do.
#![allow(clippy::indexing_slicing)] // offsets into one buffer of known length, in inner loops

/// Conceals gaps in one channel.
#[derive(Debug, Clone)]
pub struct Concealer {
    rate: usize,
    /// The newest output, real or made up.
    history: Vec<i16>,
    /// Copy of `history` at the beginning of the gap.
    before: Vec<i16>,
    gap: Option<Gap>,
}

/// A gap being filled.
#[derive(Debug, Clone)]
struct Gap {
    /// Pitch period in samples.
    period: usize,
    /// Samples filled.
    filled: usize,
    /// Periods that are repeated now, and the place in them.
    cycle: Cycle,
    /// Those that were repeated before, still fading out.
    former: Option<(Cycle, usize)>,
    /// Step between the last sample and the first repeated one.
    step: f32,
}

/// A walk around the last `periods` periods.
#[derive(Debug, Clone, Copy)]
struct Cycle {
    periods: usize,
    at: usize,
}

impl Concealer {
    /// A concealer for a sample rate in Hz, 8000 to 48000.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let rate = rate.clamp(8000, 48_000) as usize;
        // Three periods of the lowest pitch and a quarter: 48.75 ms.
        let length = Self::longest(rate) * 13 / 4;
        Self { rate, history: vec![0; length], before: vec![0; length], gap: None }
    }

    /// Passes real samples through. After a gap their beginning is cross-faded with what the
    /// concealment would have gone on with.
    pub fn pass(&mut self, pcm: &mut [i16]) {
        if pcm.is_empty() {
            return;
        }
        if let Some(mut gap) = self.gap.take() {
            let overlap = self.overlap(&gap).min(pcm.len());
            for (n, sample) in pcm.iter_mut().take(overlap).enumerate() {
                let weight = (n + 1) as f32 / (overlap + 1) as f32;
                let made_up = self.next(&mut gap);
                *sample = round(made_up * (1.0 - weight) + f32::from(*sample) * weight);
            }
        }
        self.remember(pcm);
    }

    /// Fills `out` with what might have been.
    pub fn conceal(&mut self, out: &mut [i16]) {
        let mut gap = match self.gap.take() {
            Some(gap) => gap,
            None => self.begin(),
        };
        for sample in out.iter_mut() {
            *sample = round(self.next(&mut gap));
        }
        self.gap = Some(gap);
        self.remember(out);
    }

    /// Real silence follows, not a gap: nothing is to be cross-faded later.
    pub fn reset(&mut self) {
        self.gap = None;
        self.history.fill(0);
    }

    /// Longest and shortest pitch period: 15 and 5 ms, 66 and 200 Hz.
    fn longest(rate: usize) -> usize {
        rate * 15 / 1000
    }

    fn shortest(rate: usize) -> usize {
        rate * 5 / 1000
    }

    fn begin(&mut self) -> Gap {
        self.before.copy_from_slice(&self.history);
        let period = self.pitch();
        let mut gap = Gap { period, filled: 0, cycle: Cycle { periods: 1, at: 0 }, former: None, step: 0.0 };
        let last = self.before.last().copied().map_or(0.0, f32::from);
        gap.step = last - self.repeated(&gap, Cycle { periods: 1, at: period - 1 });
        gap
    }

    /// The next sample of a gap.
    fn next(&self, gap: &mut Gap) -> f32 {
        let ten_ms = self.rate / 100;
        if gap.filled >= ten_ms * 6 {
            return 0.0;
        }
        let quarter = gap.period / 4;
        let periods = (gap.filled / ten_ms + 1).min(3);
        if periods != gap.cycle.periods {
            // The same place in the oldest of the periods, so that the pitch runs through.
            let at = gap.cycle.at % gap.period;
            gap.former = Some((std::mem::replace(&mut gap.cycle, Cycle { periods, at }), quarter));
        }
        let mut value = self.repeated(gap, gap.cycle);
        gap.cycle.advance(gap.period);
        if let Some((cycle, left)) = &mut gap.former {
            let (mut walk, remaining) = (*cycle, *left);
            let weight = remaining as f32 / (quarter + 1) as f32;
            let old = self.repeated(gap, walk);
            value = old * weight + value * (1.0 - weight);
            walk.advance(gap.period);
            gap.former = (remaining > 1).then_some((walk, remaining - 1));
        }
        if gap.filled < quarter {
            value += gap.step * (1.0 - (gap.filled + 1) as f32 / (quarter + 1) as f32);
        }
        let faded = gap.filled.saturating_sub(ten_ms) as f32 / (ten_ms * 5) as f32;
        gap.filled += 1;
        value * (1.0 - faded)
    }

    /// The sample at a place of the repeated periods. Towards their end they fade into what came
    /// before their beginning, so that the end leads over to the beginning.
    fn repeated(&self, gap: &Gap, cycle: Cycle) -> f32 {
        let length = cycle.periods * gap.period;
        let quarter = gap.period / 4;
        let end = self.before.len();
        let plain = f32::from(self.before[end - length + cycle.at]);
        let until_end = length - cycle.at;
        if until_end > quarter {
            return plain;
        }
        let lead_in = f32::from(self.before[end - length - until_end]);
        let weight = (quarter - until_end + 1) as f32 / (quarter + 1) as f32;
        plain * (1.0 - weight) + lead_in * weight
    }

    /// Samples over which real audio fades in after a gap: a quarter of a period, and 4 ms more for
    /// every further 10 ms of gap, up to 10 ms.
    fn overlap(&self, gap: &Gap) -> usize {
        let further = (gap.filled / (self.rate / 100)).saturating_sub(1);
        (gap.period / 4 + further * (self.rate / 250)).min(self.rate / 100)
    }

    /// The pitch period at the end of `before`: the lag with the highest normalised correlation over
    /// the last 20 ms, searched coarsely (on samples thinned out to 8 kHz, every second lag), then
    /// finely.
    fn pitch(&self) -> usize {
        let (shortest, longest) = (Self::shortest(self.rate), Self::longest(self.rate));
        let thin = self.rate / 8000;
        let coarse = (shortest..=longest)
            .step_by(2 * thin)
            .map(|lag| (lag, self.likeness(lag, thin)))
            .fold((longest, f32::MIN), |best, new| if new.1 > best.1 { new } else { best })
            .0;
        let (from, to) = (coarse.saturating_sub(2 * thin).max(shortest), (coarse + 2 * thin).min(longest));
        (from..=to)
            .map(|lag| (lag, self.likeness(lag, thin)))
            .fold((coarse, f32::MIN), |best, new| if new.1 > best.1 { new } else { best })
            .0
    }

    fn likeness(&self, lag: usize, thin: usize) -> f32 {
        let end = self.before.len();
        let window = self.rate / 50;
        let newest = self.before[end - window..].iter().step_by(thin);
        let older = self.before[end - window - lag..end - lag].iter().step_by(thin);
        let (product, energy) = newest.zip(older).fold((0.0f32, 0.0f32), |(product, energy), (&a, &b)| {
            let (a, b) = (f32::from(a), f32::from(b));
            (product + a * b, energy + b * b)
        });
        product / energy.max(1.0).sqrt()
    }

    fn remember(&mut self, pcm: &[i16]) {
        let length = self.history.len();
        if let Some(newest) = pcm.len().checked_sub(length) {
            self.history.copy_from_slice(&pcm[newest..]);
        } else {
            self.history.copy_within(pcm.len().., 0);
            self.history[length - pcm.len()..].copy_from_slice(pcm);
        }
    }
}

impl Cycle {
    fn advance(&mut self, period: usize) {
        self.at += 1;
        if self.at >= self.periods * period {
            self.at = 0;
        }
    }
}

fn round(value: f32) -> i16 {
    value.round().clamp(-32_768.0, 32_767.0) as i16
}
