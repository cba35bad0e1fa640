//! The band in which everything is analysed: 8 kHz, mono.

use std::time::Duration;

use crate::resample::{Resampler, UnsupportedRate};

/// Brings PCM of any rate and channel count to 8 kHz mono, as a stream.
///
/// After n samples a channel have gone in, exactly ceil(n * 8000 / rate) have come out: an hour of call
/// yields an hour of audio, to the sample. 8 kHz mono passes unchanged and undelayed. Two channels are
/// averaged.
#[derive(Debug, Clone)]
pub struct AnalysisBand {
    channels: usize,
    resampler: Resampler,
    mono: Vec<i16>,
}

impl AnalysisBand {
    /// Sample rate of what comes out, in Hz.
    pub const RATE: u32 = 8000;

    /// For interleaved PCM of `channels` at `rate` Hz.
    ///
    /// # Errors
    /// [`UnsupportedRate`] as for [`Resampler::new`].
    pub fn new(rate: u32, channels: u8) -> Result<Self, UnsupportedRate> {
        let resampler = Resampler::new(rate, Self::RATE)?;
        Ok(Self { channels: usize::from(channels.max(1)), resampler, mono: Vec::new() })
    }

    /// Takes in interleaved samples and appends those that come out; how many. Samples that don't
    /// fill all channels are left out.
    pub fn push(&mut self, pcm: &[i16], out: &mut Vec<i16>) -> usize {
        if self.channels == 1 {
            return self.resampler.push(pcm, out);
        }
        let mean = |frame: &[i16]| {
            let sum: i32 = frame.iter().map(|&s| i32::from(s)).sum();
            // Between i16::MIN and i16::MAX, as every sample is.
            sum.div_euclid(frame.len() as i32) as i16
        };
        self.mono.clear();
        self.mono.extend(pcm.chunks_exact(self.channels).map(mean));
        self.resampler.push(&self.mono, out)
    }

    /// How much later a sound comes out than it went in: 0 from 8 kHz, 3.6 to 3.9 ms from
    /// all higher rates.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.resampler.delay()
    }

    /// Forgets the past, as if new.
    pub fn reset(&mut self) {
        self.resampler.reset();
    }
}
