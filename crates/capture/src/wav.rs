//! WAV audio to 16-bit samples, one channel a leg, read piece by piece.
//!
//! Takes what telephony leaves behind: PCM of 8 to 32 bits, floating point, G.711 in either law, the extensible
//! header, RF64, and recordings whose sizes were never filled in because the recorder was killed or wrote to a
//! pipe. One channel is one party (or both mixed); two channels are a leg each.

mod header;
mod samples;

use std::io::{self, Read};

use header::Header;
pub use samples::Encoding;

/// The lowest and highest sample rates accepted, in hertz.
pub const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Bytes asked of the file at a time.
const PIECE: usize = 32 * 1024;

/// Why a file can't be read as WAV.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file doesn't begin as a WAV file does.
    #[error("not a WAV file: it doesn't begin with RIFF or RF64 and WAVE")]
    NotWav,
    /// A chunk contradicts itself or is cut short before any audio.
    #[error("damaged WAV header: {0}")]
    Damaged(&'static str),
    /// The samples are coded in a way that isn't read here.
    #[error("WAV format {tag:#06x} with {bits} bits a sample isn't supported: convert it to 16-bit PCM")]
    Encoding {
        /// The format tag, after looking through WAVE_FORMAT_EXTENSIBLE.
        tag: u16,
        /// Bits a sample takes in the file.
        bits: u16,
    },
    /// There are neither one nor two channels.
    #[error("WAV with {0} channels: one (mono) or two (a leg per channel) are read")]
    Channels(u16),
    /// The sample rate can't be that of speech.
    #[error("WAV at {0} Hz: from {min} to {max} Hz are read", min = RATES.start(), max = RATES.end())]
    Rate(u32),
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the header says of the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Samples a second and channel, in hertz.
    pub rate: u32,
    /// Channels: one or two.
    pub channels: usize,
    /// How a sample is coded in the file.
    pub encoding: Encoding,
}

/// Reads a WAV file from its beginning to its end, in bounded memory.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    format: Format,
    frames: Option<u64>,
    /// Bytes of audio that the header promises and that were not read yet; none where it runs to the file's end.
    left: Option<u64>,
    buffer: Vec<u8>,
    truncated: bool,
}

impl<R: Read> Reader<R> {
    /// Reads up to where the audio begins.
    ///
    /// # Errors
    /// When this is no WAV file, or one that can't be read: see [`WavError`].
    pub fn new(mut input: R) -> Result<Self, WavError> {
        let Header { format, audio } = Header::read(&mut input)?;
        let frame = frame_bytes(&format) as u64;
        Ok(Self {
            input,
            format,
            frames: audio.map(|bytes| bytes / frame),
            left: audio,
            buffer: Vec::new(),
            truncated: false,
        })
    }

    /// How the audio is stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Samples a channel, as the header has it; none for a recording whose sizes were never filled in.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Whether the file ended before the audio that its header promises.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Reads the next piece: appends each channel's samples to its vector of `out` and returns how many there were
    /// (0 at the end). Vectors beyond the file's channels stay as they are; channels beyond `out` are left out.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(&mut self, out: &mut [Vec<i16>]) -> Result<usize, WavError> {
        let frame = frame_bytes(&self.format);
        let whole = PIECE - PIECE % frame;
        let wanted = self.left.map_or(whole, |left| usize::try_from(left).unwrap_or(whole).min(whole));
        self.buffer.clear();
        self.input.by_ref().take(wanted as u64).read_to_end(&mut self.buffer)?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(self.buffer.len() as u64);
            if self.buffer.len() < wanted {
                self.truncated = true;
                *left = 0;
            }
        }
        let encoding = self.format.encoding;
        for (channel, samples) in out.iter_mut().enumerate().take(self.format.channels) {
            samples.extend(
                self.buffer
                    .chunks_exact(frame)
                    .filter_map(|one| one.get(channel * encoding.bytes()..))
                    .map(|sample| encoding.sample(sample)),
            );
        }
        Ok(self.buffer.len() / frame)
    }
}

fn frame_bytes(format: &Format) -> usize {
    format.encoding.bytes() * format.channels
}
