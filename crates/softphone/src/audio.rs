//! The audio that a phone sends: PCM from a file or made up, at the rate of the negotiated codec.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sidetone_codec::{Resampler, UnsupportedRate};

use crate::lock;

/// Mono 16-bit PCM, shared by every call that plays it.
#[derive(Clone, Debug)]
pub struct Clip {
    rate: u32,
    samples: Arc<[i16]>,
    at_other_rates: Arc<Mutex<HashMap<u32, Arc<[i16]>>>>,
}

/// A sound file can't be played.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// Not a readable WAV file.
    #[error("not a readable WAV file: {0}")]
    Wav(#[from] hound::Error),
    /// A WAV file of another sample format than 16-bit integers.
    #[error("WAV files must hold 16-bit integer samples, not {0}")]
    Format(String),
    /// The clip's rate can't be brought to the codec's.
    #[error(transparent)]
    Rate(#[from] UnsupportedRate),
}

impl Clip {
    /// A clip of samples at `rate` Hz.
    #[must_use]
    pub fn new(rate: u32, samples: impl Into<Arc<[i16]>>) -> Self {
        Self { rate, samples: samples.into(), at_other_rates: Arc::default() }
    }

    /// Reads a WAV file of 16-bit samples; of several channels, the first.
    ///
    /// # Errors
    /// When the file can't be read or holds another sample format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AudioError> {
        Self::read(hound::WavReader::open(path)?)
    }

    /// Reads a WAV file from memory, as [`Clip::open`] does.
    ///
    /// # Errors
    /// The same as for [`Clip::open`].
    pub fn from_wav(bytes: &[u8]) -> Result<Self, AudioError> {
        Self::read(hound::WavReader::new(bytes)?)
    }

    fn read<R: std::io::Read>(reader: hound::WavReader<R>) -> Result<Self, AudioError> {
        let spec = reader.spec();
        if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
            return Err(AudioError::Format(format!("{}-bit {:?}", spec.bits_per_sample, spec.sample_format)));
        }
        let channels = usize::from(spec.channels.max(1));
        let samples = reader.into_samples::<i16>().step_by(channels).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(spec.sample_rate, samples))
    }

    /// A sine of `seconds` at a tenth of full scale.
    #[must_use]
    pub fn tone(rate: u32, hertz: f64, seconds: f64) -> Self {
        let count = (f64::from(rate) * seconds) as u32;
        let step = std::f64::consts::TAU * hertz / f64::from(rate);
        let samples: Vec<i16> = (0..count).map(|n| ((f64::from(n) * step).sin() * 3276.0) as i16).collect();
        Self::new(rate, samples)
    }

    /// The clip's own rate in Hz.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// The clip's length in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate.max(1))
    }

    /// The clip's samples at its own rate.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The clip's samples at `rate` Hz, resampled once and kept.
    pub(crate) fn at_rate(&self, rate: u32) -> Result<Arc<[i16]>, AudioError> {
        if rate == self.rate {
            return Ok(Arc::clone(&self.samples));
        }
        let mut kept = lock(&self.at_other_rates);
        if let Some(samples) = kept.get(&rate) {
            return Ok(Arc::clone(samples));
        }
        let samples: Arc<[i16]> = resample(&self.samples, self.rate, rate)?.into();
        kept.insert(rate, Arc::clone(&samples));
        Ok(samples)
    }
}

/// As long as the original, and in step with it.
fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, UnsupportedRate> {
    let mut resampler = Resampler::new(from, to)?;
    let delay = resampler.delay().as_secs_f64();
    let mut out = Vec::new();
    resampler.push(samples, &mut out);
    resampler.push(&vec![0; (delay * f64::from(from)).ceil() as usize + 1], &mut out);
    out.drain(..out.len().min((delay * f64::from(to)).round() as usize));
    out.truncate((samples.len() as u64 * u64::from(to) / u64::from(from)) as usize);
    Ok(out)
}

/// The audio that a call sends.
#[derive(Clone, Debug)]
pub struct Audio {
    /// The clip; without one, what comes `after` it is sent from the start.
    pub clip: Option<Clip>,
    /// The audio behind the clip's end.
    pub after: After,
}

/// The audio behind a clip's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Packets of silence, as from a muted microphone.
    Silence,
    /// The clip again.
    Loop,
    /// No packets.
    Nothing,
}

impl Audio {
    /// The clip once, then silence.
    #[must_use]
    pub const fn once(clip: Clip) -> Self {
        Self { clip: Some(clip), after: After::Silence }
    }

    /// The clip once, then no more packets: what is sent can be counted.
    #[must_use]
    pub const fn exactly(clip: Clip) -> Self {
        Self { clip: Some(clip), after: After::Nothing }
    }

    /// The clip over and over.
    #[must_use]
    pub const fn looped(clip: Clip) -> Self {
        Self { clip: Some(clip), after: After::Loop }
    }

    /// Packets of silence.
    #[must_use]
    pub const fn silence() -> Self {
        Self { clip: None, after: After::Silence }
    }

    /// No packets.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { clip: None, after: After::Nothing }
    }
}

impl From<Clip> for Audio {
    fn from(clip: Clip) -> Self {
        Self::once(clip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_pitch_and_length() {
        let clip = Clip::tone(8_000, 440.0, 1.0);
        for rate in [16_000, 48_000] {
            let samples = clip.at_rate(rate).unwrap();
            assert_eq!(samples.len(), rate as usize);
            let crossings = samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
            assert!(crossings.abs_diff(440) <= 3, "{crossings} periods");
        }
    }

    #[test]
    fn reads_the_first_channel_and_refuses_other_formats() {
        let wav = |bits, channels, samples: &[i16]| {
            let spec = hound::WavSpec {
                channels,
                sample_rate: 8_000,
                bits_per_sample: bits,
                sample_format: hound::SampleFormat::Int,
            };
            let mut bytes = std::io::Cursor::new(Vec::new());
            let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
            samples.iter().for_each(|&s| writer.write_sample(s).unwrap());
            writer.finalize().unwrap();
            bytes.into_inner()
        };
        assert_eq!(Clip::from_wav(&wav(16, 2, &[1, -1, 2, -2])).unwrap().samples(), [1, 2]);
        assert!(matches!(Clip::from_wav(&wav(8, 1, &[1, 2])), Err(AudioError::Format(_))));
        assert!(matches!(Clip::from_wav(b"RIFFx"), Err(AudioError::Wav(_))));
    }
}
