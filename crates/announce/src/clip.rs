//! A recording in its stored form: 48 kHz mono, of equal loudness, without clicks at its ends.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ebur128::{EbuR128, Mode};
use sha2::{Digest, Sha256};
use sidetone_codec::file::{self, FileError};
use sidetone_codec::{Resampler, UnsupportedRate};

/// Sample rate in which clips are kept, in Hz: that of Opus, and a multiple of the telephone's.
pub const RATE: u32 = 48_000;
/// Longer announcements are taken for a mistake.
const LONGEST: Duration = Duration::from_secs(120);
/// No recording of that length is larger, in bytes; a device may have no end at all.
const LARGEST: u64 = 128 * 1024 * 1024;
/// Peaks stay this far from full scale, in dB: companding and concealment add a little.
const HEADROOM_DB: f64 = 3.0;
/// Silence before the first word. A telephone that was just answered opens its audio late, and the predictors of an
/// ADPCM decoder (G.722) need about a tenth of a second to forget earlier sound.
const LEAD_IN: usize = RATE as usize * 3 / 10;
/// A recording that begins or ends mid-wave would click.
const FADE: usize = RATE as usize / 200;

/// Why a recording can't be announced.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The recording can't be opened.
    #[error("{path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The recording can't be read.
    #[error("{name}: {source}")]
    Read {
        /// The recording.
        name: String,
        /// The reason.
        source: FileError,
    },
    /// The recording's sample rate is out of range.
    #[error("{name}: {source}")]
    Rate {
        /// The recording.
        name: String,
        /// The reason.
        source: UnsupportedRate,
    },
    /// The recording is silent.
    #[error("{name}: it holds no sound; a caller would be told nothing")]
    Silent {
        /// The recording.
        name: String,
    },
    /// The recording is longer than two minutes.
    #[error("{name}: longer than two minutes; nobody listens to that")]
    TooLong {
        /// The recording.
        name: String,
    },
}

/// One recording.
#[derive(Debug)]
pub struct Clip {
    pcm: Vec<i16>,
    digest: String,
}

impl Clip {
    /// Reads a WAV, FLAC or Ogg Opus file and brings it to `loudness` LUFS.
    ///
    /// # Errors
    /// [`ClipError`].
    pub fn open(path: &Path, loudness: f64) -> Result<Self, ClipError> {
        let unreadable = |source| ClipError::Open { path: path.to_owned(), source };
        let there = std::fs::metadata(path).map_err(unreadable)?;
        if !there.is_file() {
            return Err(unreadable(std::io::Error::other("it is no regular file")));
        }
        if there.len() > LARGEST {
            return Err(unreadable(std::io::Error::other("it is larger than two minutes of sound can be")));
        }
        let file = File::open(path).map_err(unreadable)?;
        Self::read(&path.display().to_string(), BufReader::new(file), loudness)
    }

    /// Reads a clip from an open file; `name` is for errors.
    ///
    /// # Errors
    /// [`ClipError`].
    pub fn read(name: &str, mut source: impl Read + Seek, loudness: f64) -> Result<Self, ClipError> {
        let read = |source| ClipError::Read { name: name.to_owned(), source };
        let damaged = |error: std::io::Error| read(FileError::Damaged(error.to_string()));
        let mut bytes = Vec::new();
        source.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 > LARGEST {
            return Err(ClipError::TooLong { name: name.to_owned() });
        }
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let sound = file::read(std::io::Cursor::new(bytes)).map_err(read)?;
        if sound.samples.len() as f64 > LONGEST.as_secs_f64() * f64::from(sound.rate) {
            return Err(ClipError::TooLong { name: name.to_owned() });
        }
        let gain = gain(&sound.samples, sound.rate, loudness)
            .ok_or_else(|| ClipError::Silent { name: name.to_owned() })?;
        let even: Vec<i16> = sound.samples.iter().map(|x| to_i16(x * gain)).collect();
        let mut pcm = vec![0; LEAD_IN];
        let mut resampler = Resampler::new(sound.rate, RATE)
            .map_err(|source| ClipError::Rate { name: name.to_owned(), source })?;
        resampler.push(&even, &mut pcm);
        // Flushes the samples that are still inside the filter.
        resampler.push(&vec![0; sound.rate as usize / 50], &mut pcm);
        if let Some(sound) = pcm.get_mut(LEAD_IN..) {
            fade(sound);
        }
        Ok(Self { pcm, digest })
    }

    /// The sound at [`RATE`].
    #[must_use]
    pub fn pcm(&self) -> &[i16] {
        &self.pcm
    }

    /// The clip's length.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_micros(self.pcm.len() as u64 * 1_000_000 / u64::from(RATE))
    }

    /// SHA-256 of the file, in hexadecimal: a receipt names the played recording by it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// The factor that gives samples this loudness, with their peaks below full scale; `None` for silence.
fn gain(samples: &[f32], rate: u32, loudness: f64) -> Option<f32> {
    let mut meter = EbuR128::new(1, rate, Mode::I | Mode::SAMPLE_PEAK).ok()?;
    meter.add_frames_f32(samples).ok()?;
    let measured = meter.loudness_global().ok()?;
    let peak = meter.sample_peak(0).ok()?;
    if !measured.is_finite() || peak <= 0.0 {
        return None;
    }
    let wanted = 10_f64.powf((loudness - measured) / 20.0);
    let most = 10_f64.powf(-HEADROOM_DB / 20.0) / peak;
    Some(wanted.min(most) as f32)
}

fn fade(pcm: &mut [i16]) {
    let scale = |sample: &mut i16, n: usize| *sample = (i32::from(*sample) * n as i32 / FADE as i32) as i16;
    for (n, sample) in pcm.iter_mut().take(FADE).enumerate() {
        scale(sample, n);
    }
    for (n, sample) in pcm.iter_mut().rev().take(FADE).enumerate() {
        scale(sample, n);
    }
}

fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn wav(rate: u32, samples: impl Iterator<Item = f32>) -> Cursor<Vec<u8>> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.for_each(|x| writer.write_sample(to_i16(x)).unwrap());
        writer.finalize().unwrap();
        bytes.set_position(0);
        bytes
    }

    fn tone(rate: u32, seconds: u32, level: f32) -> Cursor<Vec<u8>> {
        wav(rate, (0..rate * seconds).map(move |n| level * (n as f32 * 6_283.2 / rate as f32).sin()))
    }

    #[test]
    fn quiet_and_loud_recordings_of_any_rate_become_equally_loud() {
        let rms = |clip: &Clip| {
            let sum: f64 = clip.pcm().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            20.0 * ((sum / clip.pcm().len() as f64).sqrt() / 32_768.0).log10()
        };
        let levels: Vec<f64> = [(8_000, 0.01), (16_000, 0.3), (22_050, 0.9), (44_100, 0.1), (48_000, 0.5)]
            .map(|(rate, level)| rms(&Clip::read("tone", tone(rate, 2, level), -23.0).unwrap()))
            .to_vec();
        for level in &levels {
            assert!((level - levels[0]).abs() < 0.3, "{levels:?}");
        }
    }

    #[test]
    fn its_length_is_kept_and_its_ends_are_silent() {
        let clip = Clip::read("tone", tone(22_050, 3, 0.2), -23.0).unwrap();
        assert!((clip.length().as_secs_f64() - 3.32).abs() < 0.01, "{:?}", clip.length());
        assert_eq!((clip.pcm().first(), clip.pcm().last()), (Some(&0), Some(&0)));
    }

    #[test]
    fn silence_tells_nobody_anything() {
        let error = Clip::read("hush", wav(8_000, (0..16_000).map(|_| 0.0)), -23.0).unwrap_err();
        assert!(matches!(error, ClipError::Silent { .. }));
    }

    #[test]
    fn peaks_stay_below_full_scale_however_loud_it_ought_to_be() {
        let clip = Clip::read("tone", tone(8_000, 1, 0.5), 0.0).unwrap();
        let peak = clip.pcm().iter().map(|x| x.unsigned_abs()).max().unwrap();
        assert!(peak < 24_500, "{peak}");
    }
}
