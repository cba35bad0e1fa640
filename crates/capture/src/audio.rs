//! Audio files to 16-bit samples, one channel a leg, read piece by piece: WAV, FLAC, Ogg Opus and Ogg Vorbis.
//!
//! One channel is one party (or both mixed); two channels are a leg each. Nothing is sought in a file, so it may come from
//! a pipe, and memory is bounded by the longest block of its coding.

mod flac;
mod ogg;
mod opus;
mod vorbis;
mod xiph;

use std::io::{self, Read};

use crate::wav::{self, RATES, WavError};

/// Channels read: one (mono) or two (a leg each).
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=2;

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
    /// It is no WAV file that can be read.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// It is not what its first bytes say, or is damaged before any audio.
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

/// What is wrong with a file of which something could be read all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// It ends before its header, or its coding, says.
    #[error("the file is cut off; what stands before that is heard")]
    Cut,
    /// The rest can't be decoded.
    #[error("the file is damaged ({0}); what stands before that is heard")]
    Damaged(String),
    /// Pieces of it can't be decoded.
    #[error("{0} pieces of the file are damaged and left out")]
    Pieces(u64),
    /// Its header states less audio than there is.
    #[error("the header states a wrong size; the audio behind it is heard too")]
    Size,
}

/// Which kind of audio file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// WAV.
    Wav,
    /// FLAC.
    Flac,
    /// Ogg, with Opus or Vorbis.
    Ogg,
}

/// Reads an audio file from its beginning to its end.
#[derive(Debug)]
pub struct Reader<R: Read>(Source<R>);

#[derive(Debug)]
enum Source<R: Read> {
    Wav(Box<wav::Reader<R>>),
    Flac(Box<flac::Reader<R>>),
    Xiph(Box<xiph::Reader<R>>),
}

impl<R: Read> Reader<R> {
    /// Reads up to where the audio begins. `input` is read in small pieces: give it a buffer.
    ///
    /// # Errors
    /// When it isn't such a file, or one that can't be read: see [`AudioError`].
    pub fn new(container: Container, input: R) -> Result<Self, AudioError> {
        Ok(Self(match container {
            Container::Wav => Source::Wav(Box::new(wav::Reader::new(input)?)),
            Container::Flac => Source::Flac(Box::new(flac::Reader::new(input)?)),
            Container::Ogg => Source::Xiph(Box::new(xiph::Reader::new(input)?)),
        }))
    }

    /// How the audio is stored.
    pub fn format(&self) -> Format {
        match &self.0 {
            Source::Wav(wav) => Format { rate: wav.format().rate, channels: wav.format().channels },
            Source::Flac(flac) => flac.format(),
            Source::Xiph(xiph) => xiph.format(),
        }
    }

    /// Reads the next piece: appends each channel's samples to its vector of `out` and returns how many there were
    /// (0 at the end). Channels beyond `out` are left out.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(&mut self, out: &mut [Vec<i16>]) -> Result<usize, AudioError> {
        Ok(match &mut self.0 {
            Source::Wav(wav) => wav.read(out)?,
            Source::Flac(flac) => flac.read(out)?,
            Source::Xiph(xiph) => xiph.read(out)?,
        })
    }

    /// What is wrong with what has been read so far.
    pub fn defect(&self) -> Option<Defect> {
        match &self.0 {
            Source::Wav(wav) if wav.truncated() => Some(Defect::Cut),
            Source::Wav(wav) => wav.runs_on().then_some(Defect::Size),
            Source::Flac(flac) => flac.defect(),
            Source::Xiph(xiph) => xiph.defect(),
        }
    }
}

/// Refuses what no leg can be made of.
fn checked(rate: u32, channels: usize) -> Result<Format, AudioError> {
    if !CHANNELS.contains(&channels) {
        return Err(AudioError::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(AudioError::Rate(rate));
    }
    Ok(Format { rate, channels })
}

/// Appends interleaved samples, each channel to its vector; gives how many a channel.
fn append(interleaved: &[i16], channels: usize, out: &mut [Vec<i16>]) -> usize {
    for (channel, samples) in out.iter_mut().enumerate().take(channels) {
        samples.extend(interleaved.chunks_exact(channels).filter_map(|frame| frame.get(channel)));
    }
    interleaved.len() / channels
}
