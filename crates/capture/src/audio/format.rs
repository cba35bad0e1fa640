//! The format of a file's audio, and its possible flaws.

use std::io;

use crate::wav::RATES;
use crate::wav::WavError;

/// How a file's audio is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Samples a second and channel, in hertz.
    pub rate: u32,
    /// Channels: one or two.
    pub channels: usize,
}

/// Why a file can't be read as audio.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file is no WAV file that can be read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// The file is not of the kind that its first bytes say, or is damaged before any audio.
    #[error("damaged {0}: {1}")]
    Damaged(&'static str, String),
    /// An Ogg file of something else.
    #[error("Ogg with {0} isn't read: convert it to Opus, FLAC or 16-bit WAV (`ffmpeg -i in.ogg out.wav`)")]
    Ogg(&'static str),
    /// There are neither one nor two channels.
    #[error("{0} channels: one (mono) or two (a leg per channel) are read")]
    Channels(usize),
    /// The sample rate can't be that of speech.
    #[error("{0} Hz: from {min} to {max} Hz are read", min = RATES.start(), max = RATES.end())]
    Rate(u32),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The flaw of a file of which something could be read all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// The file ends before its header, or its coding, says.
    #[error("the file is cut off; what stands before that is heard")]
    Cut,
    /// The rest can't be decoded.
    #[error("the file is damaged ({0}); what stands before that is heard")]
    Damaged(String),
    /// Pieces of it can't be decoded.
    #[error("{0} pieces of the file are damaged and left out")]
    Pieces(u64),
    /// The header states less audio than there is.
    #[error("the header states a wrong size; the audio behind it is heard too")]
    Size,
}

/// Channels read: one (mono) or two (a leg each).
pub(crate) const CHANNELS: std::ops::RangeInclusive<usize> = 1..=2;

/// Refuses what no leg can be made of.
pub(crate) fn checked(rate: u32, channels: usize) -> Result<Format, AudioError> {
    if !CHANNELS.contains(&channels) {
        return Err(AudioError::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(AudioError::Rate(rate));
    }
    Ok(Format { rate, channels })
}

/// Appends interleaved samples, each channel to its vector; gives how many a channel.
pub(crate) fn append(interleaved: &[i16], channels: usize, out: &mut [Vec<i16>]) -> usize {
    for (channel, samples) in out.iter_mut().enumerate().take(channels) {
        samples.extend(interleaved.chunks_exact(channels).filter_map(|frame| frame.get(channel)));
    }
    interleaved.len() / channels
}
