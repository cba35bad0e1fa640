//! Audio files to 8 kHz mono PCM: WAV, FLAC and Ogg Opus, of any rate and any number of channels.

use std::{fs::File, io::BufReader, path::Path};

use crate::corpus::CorpusError;

/// Longest clip that is read, in samples of one channel as stored: ten minutes at 48 kHz.
const LONGEST: usize = 600 * 48_000;

/// Reads a file by its extension, mixes its channels and brings it to 8 kHz.
///
/// # Errors
/// An unreadable or damaged file, an unknown extension, or more than ten minutes.
pub fn read(path: &Path) -> Result<Vec<i16>, CorpusError> {
    let wrong = |reason: AudioError| CorpusError::Audio { path: path.to_owned(), reason };
    let extension = path.extension().and_then(|x| x.to_str()).unwrap_or_default().to_ascii_lowercase();
    let file = File::open(path).map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
    let file = BufReader::new(file);
    let (samples, channels, rate) = match extension.as_str() {
        "wav" => wav(file),
        "flac" => flac(file),
        "opus" | "ogg" => opus(file),
        other => Err(AudioError::Kind(other.to_owned())),
    }
    .map_err(wrong)?;
    if channels == 0 || rate == 0 {
        return Err(wrong(AudioError::Nothing));
    }
    let mono: Vec<f32> =
        samples.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    let narrow = if rate == 8000 { mono } else { resample(&mono, 8000.0 / rate as f32) };
    Ok(narrow.into_iter().map(|x| (x * 32768.0).round().clamp(-32768.0, 32767.0) as i16).collect())
}

type Pcm = (Vec<f32>, usize, u32);

/// Why a file is not the audio that its name says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// Its extension is none that is read.
    #[error("{0:?} is none of wav, flac, opus, ogg")]
    Kind(String),
    /// Its header names no channels or no rate.
    #[error("no channels or no sample rate")]
    Nothing,
    /// More than is read of a clip.
    #[error("longer than ten minutes")]
    TooLong,
    /// Not WAV, or damaged.
    #[error(transparent)]
    Wav(#[from] hound::Error),
    /// Not FLAC, or damaged.
    #[error(transparent)]
    Flac(#[from] claxon::Error),
    /// Not Ogg, or damaged.
    #[error(transparent)]
    Ogg(#[from] ogg::OggReadError),
    /// Opus within Ogg is damaged.
    #[error(transparent)]
    Opus(#[from] audiopus::Error),
    /// Something else in Ogg.
    #[error("no OpusHead: Ogg, but not Opus")]
    NotOpus,
    /// The first packet is too short.
    #[error("OpusHead is cut off")]
    CutOff,
}

fn wav(file: BufReader<File>) -> Result<Pcm, AudioError> {
    let mut reader = hound::WavReader::new(file)?;
    let spec = reader.spec();
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().take(LONGEST + 1).collect(),
        hound::SampleFormat::Int => {
            let full = (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            reader.samples::<i32>().take(LONGEST + 1).map(|x| x.map(|x| x as f32 / full)).collect()
        }
    };
    bounded(samples?, spec.channels.into(), spec.sample_rate)
}

fn flac(file: BufReader<File>) -> Result<Pcm, AudioError> {
    let mut reader = claxon::FlacReader::new(file)?;
    let info = reader.streaminfo();
    let full = (1u64 << (info.bits_per_sample.clamp(1, 32) - 1)) as f32;
    let samples: Result<Vec<f32>, _> =
        reader.samples().take(LONGEST + 1).map(|x| x.map(|x| x as f32 / full)).collect();
    bounded(samples?, info.channels as usize, info.sample_rate)
}

/// RFC 7845: an OpusHead packet, an OpusTags packet, then audio; libopus gives 8 kHz directly.
fn opus(file: BufReader<File>) -> Result<Pcm, AudioError> {
    let mut packets = ogg::PacketReader::new(file);
    let head = packets.read_packet_expected()?;
    if !head.data.starts_with(b"OpusHead") {
        return Err(AudioError::NotOpus);
    }
    let skip = match head.data.get(10..12) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])) / 6,
        _ => return Err(AudioError::CutOff),
    };
    packets.read_packet_expected()?;
    let mut decoder = audiopus::coder::Decoder::new(audiopus::SampleRate::Hz8000, audiopus::Channels::Mono)?;
    let mut samples = Vec::new();
    let mut frame = [0.0f32; 960];
    while let Some(packet) = packets.read_packet()? {
        let packet = audiopus::packet::Packet::try_from(&packet.data)?;
        let output = audiopus::MutSignals::try_from(&mut frame[..])?;
        let count = decoder.decode_float(Some(packet), output, false)?;
        samples.extend_from_slice(frame.get(..count).unwrap_or_default());
        if samples.len() > LONGEST {
            break;
        }
    }
    samples.drain(..skip.min(samples.len()));
    bounded(samples, 1, 8000)
}

fn bounded(samples: Vec<f32>, channels: usize, rate: u32) -> Result<Pcm, AudioError> {
    if samples.len() > LONGEST { Err(AudioError::TooLong) } else { Ok((samples, channels, rate)) }
}

/// Changes the rate of a whole clip by `ratio` (new over old) with a windowed-sinc filter below the lower rate's band
/// edge.
pub fn resample(samples: &[f32], ratio: f32) -> Vec<f32> {
    const REACH: f32 = 16.0;
    /// Points of the kernel's table for each sample of distance.
    const FINENESS: f32 = 256.0;
    let cutoff = 0.96 * ratio.min(1.0);
    let reach = REACH / cutoff;
    let kernel: Vec<f32> = (0..=(reach * FINENESS) as usize + 1)
        .map(|n| {
            let t = n as f32 / FINENESS;
            let angle = std::f32::consts::PI * cutoff * t;
            let sinc = if angle < 1e-4 { 1.0 } else { angle.sin() / angle };
            let hann = 0.5 + 0.5 * (std::f32::consts::PI * (t / reach).min(1.0)).cos();
            sinc * hann * cutoff
        })
        .collect();
    let length = (samples.len() as f64 * f64::from(ratio)) as usize;
    (0..length)
        .map(|n| {
            let centre = n as f64 / f64::from(ratio);
            let first = (centre - f64::from(reach)).ceil().max(0.0) as usize;
            let last = (centre + f64::from(reach)).floor() as usize;
            let window = samples.get(first..samples.len().min(last + 1)).unwrap_or_default();
            let mut offset = (centre - first as f64) as f32 * FINENESS;
            let mut sum = 0.0;
            for x in window {
                sum += x * kernel.get((offset.abs() + 0.5) as usize).copied().unwrap_or(0.0);
                offset -= FINENESS;
            }
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_a_tone_and_drops_what_would_alias() {
        let tone = |hz: f32| -> Vec<f32> {
            (0..16000).map(|n| (std::f32::consts::TAU * hz * n as f32 / 16000.0).sin()).collect()
        };
        let kept = resample(&tone(1000.0), 0.5);
        for (n, x) in kept.iter().enumerate().skip(100).take(7000) {
            assert!((x - (std::f32::consts::TAU * 1000.0 * n as f32 / 8000.0).sin()).abs() < 0.01);
        }
        let dropped = resample(&tone(5000.0), 0.5);
        assert!(dropped[100..7900].iter().all(|x| x.abs() < 0.01));
    }

    #[test]
    fn what_is_not_audio_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.wav", "a.flac", "a.opus", "a.mp3"] {
            let path = folder.path().join(name);
            std::fs::write(&path, b"no audio at all").unwrap();
            assert!(matches!(read(&path), Err(CorpusError::Audio { .. })), "{name}");
        }
        assert!(matches!(read(&folder.path().join("none.wav")), Err(CorpusError::Read { .. })));
    }
}
