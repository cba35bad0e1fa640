//! Audio files to 16-bit samples, one channel a leg, read piece by piece: WAV, FLAC, Ogg Opus and Ogg Vorbis.
//!
//! One channel is one party (or both mixed); two channels are a leg each. Nothing is sought in a file, so it may come
//! from a pipe, and memory is bounded by the longest block of its coding.

mod flac;
mod format;
mod ogg;
mod opus;
mod vorbis;
mod xiph;

pub use crate::audio::format::{AudioError, Defect, Format};
use std::io::Read;

use crate::wav::{self};

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

    /// The flaw of the file, as far as it has been read.
    pub fn defect(&self) -> Option<Defect> {
        match &self.0 {
            Source::Wav(wav) if wav.truncated() => Some(Defect::Cut),
            Source::Wav(wav) => wav.runs_on().then_some(Defect::Size),
            Source::Flac(flac) => flac.defect(),
            Source::Xiph(xiph) => xiph.defect(),
        }
    }
}
