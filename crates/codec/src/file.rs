//! Audio files: WAV, FLAC and Ogg Opus, of any rate and any number of channels.

use std::io::{Read, Seek};

use crate::coding::Decode;
use crate::opus::OpusDecoder;

/// The longest file that is read, in samples of one channel: ten minutes at 48 kHz.
const LONGEST: usize = 600 * 48_000;
/// The longest Opus packet (RFC 6716 §3.4): 120 ms at 48 kHz.
const OPUS_RATE: u32 = 48_000;

/// A whole file's audio.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Mono samples in [-1, 1]: several channels are averaged.
    pub samples: Vec<f32>,
    /// Sample rate in Hz.
    pub rate: u32,
}

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// RIFF WAVE: integer or floating-point PCM.
    Wav,
    /// FLAC.
    Flac,
    /// Opus in Ogg (RFC 7845).
    OggOpus,
}

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The first bytes are those of no known kind.
    #[error("neither WAV, FLAC nor Ogg Opus")]
    Unknown,
    /// Damaged, or cut off.
    #[error("{0}")]
    Damaged(String),
    /// More than ten minutes.
    #[error("longer than ten minutes")]
    TooLong,
    /// No channels, or no sample rate.
    #[error("no channels or no sample rate")]
    Empty,
}

impl Container {
    /// Tells by the first four bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match head.get(..4)? {
            b"RIFF" => Some(Self::Wav),
            b"fLaC" => Some(Self::Flac),
            b"OggS" => Some(Self::OggOpus),
            _ => None,
        }
    }
}

/// Reads a whole file; its first bytes tell which kind it is.
///
/// # Errors
/// [`FileError`].
pub fn read(mut file: impl Read + Seek) -> Result<Sound, FileError> {
    let mut head = [0; 4];
    file.read_exact(&mut head).map_err(damaged)?;
    file.rewind().map_err(damaged)?;
    let (samples, channels, rate) = match Container::of(&head).ok_or(FileError::Unknown)? {
        Container::Wav => wav(file),
        Container::Flac => flac(file),
        Container::OggOpus => ogg_opus(file),
    }?;
    if samples.len() > LONGEST {
        return Err(FileError::TooLong);
    }
    if channels == 0 || rate == 0 {
        return Err(FileError::Empty);
    }
    let samples = match channels {
        1 => samples,
        _ => samples.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect(),
    };
    Ok(Sound { samples, rate })
}

type Pcm = (Vec<f32>, usize, u32);

fn damaged(error: impl std::fmt::Display) -> FileError {
    FileError::Damaged(error.to_string())
}

fn wav(file: impl Read) -> Result<Pcm, FileError> {
    let mut reader = hound::WavReader::new(file).map_err(damaged)?;
    let spec = reader.spec();
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().take(LONGEST + 1).collect(),
        hound::SampleFormat::Int => {
            let full = (1_u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            reader.samples::<i32>().take(LONGEST + 1).map(|x| x.map(|x| x as f32 / full)).collect()
        }
    };
    Ok((samples.map_err(damaged)?, spec.channels.into(), spec.sample_rate))
}

fn flac(file: impl Read) -> Result<Pcm, FileError> {
    let mut reader = claxon::FlacReader::new(file).map_err(damaged)?;
    let info = reader.streaminfo();
    let full = (1_u64 << (info.bits_per_sample.clamp(1, 32) - 1)) as f32;
    let samples: Result<Vec<f32>, _> =
        reader.samples().take(LONGEST + 1).map(|x| x.map(|x| x as f32 / full)).collect();
    Ok((samples.map_err(damaged)?, info.channels as usize, info.sample_rate))
}

/// An OpusHead packet, an OpusTags packet, then audio (RFC 7845 §3).
fn ogg_opus(file: impl Read + Seek) -> Result<Pcm, FileError> {
    let mut packets = ogg::PacketReader::new(file);
    let head = packets.read_packet_expected().map_err(damaged)?;
    if !head.data.starts_with(b"OpusHead") {
        return Err(FileError::Unknown);
    }
    let Some(&[low, high]) = head.data.get(10..12) else { return Err(damaged("OpusHead is cut off")) };
    let skip = usize::from(u16::from_le_bytes([low, high]));
    packets.read_packet_expected().map_err(damaged)?;
    let mut decoder = OpusDecoder::new(OPUS_RATE, 1).map_err(damaged)?;
    let mut samples = Vec::new();
    // The last page's position says where the sound ends (RFC 7845 §4.4).
    let mut end = None;
    while let Some(packet) = packets.read_packet().map_err(damaged)? {
        decoder.decode(&packet.data, &mut samples).map_err(damaged)?;
        if samples.len() > LONGEST {
            return Err(FileError::TooLong);
        }
        if packet.last_in_stream() {
            end = usize::try_from(packet.absgp_page()).ok();
        }
    }
    samples.truncate(end.unwrap_or(usize::MAX));
    samples.drain(..skip.min(samples.len()));
    Ok((samples.into_iter().map(|x: i16| f32::from(x) / 32_768.0).collect(), 1, OPUS_RATE))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_no_audio_is_refused_with_a_reason() {
        for bytes in [&b""[..], b"no", b"no audio at all", b"RIFF", b"fLaC....", b"OggS............"] {
            assert!(read(Cursor::new(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_stereo_wav_is_averaged() {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for sample in [16_384_i16, 0, -16_384, -16_384] {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.set_position(0);
        assert_eq!(read(bytes).unwrap(), Sound { samples: vec![0.25, -0.5], rate: 16_000 });
    }
}
