//! WAV audio to 16-bit samples, one channel a leg, read piece by piece.
//!
//! Takes what telephony leaves behind: PCM of 8 to 32 bits, floating point, G.711 in either law, GSM full rate, the
//! extensible header, RF64, RIFX, and recordings whose sizes were never filled in because the recorder was killed or
//! wrote to a pipe. Where a header contradicts itself, what can be seen of the audio decides.
//! One channel is one party (or both mixed); two channels are a leg each.

mod header;
mod samples;

use std::io::{self, Read};

use sidetone_codec::gsm::{GsmDecoder, WAV_BLOCK, WAV_BLOCK_SAMPLES};

pub use samples::Encoding;

use header::{Header, Order, is_name};

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
    #[error(
        "WAV of {} (format {tag:#06x}, {bits} bits a sample) isn't read: convert it, for instance by `{}`",
        coding(*.tag), remedy(*.tag)
    )]
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

/// The audio's format, as the header states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Samples a second and channel, in hertz.
    pub rate: u32,
    /// Channels: one or two.
    pub channels: usize,
    /// How a sample is coded in the file.
    pub encoding: Encoding,
}

/// The name of a coding that isn't read.
fn coding(tag: u16) -> &'static str {
    match tag {
        0x01 | 0x03 | 0x06 | 0x07 => "an unusual sample size",
        0x02 => "Microsoft ADPCM",
        0x10 => "OKI ADPCM",
        0x11 => "IMA ADPCM",
        0x14 | 0x40 | 0x45 | 0x64 => "G.726 ADPCM",
        0x22 => "TrueSpeech",
        0x31 => "GSM in two channels",
        0x42 => "G.723.1",
        0x50 => "MPEG audio",
        0x55 => "MP3",
        0x83 | 0x133 => "G.729",
        0x28F | 0x65 => "G.722",
        0xFF | 0x1610 => "AAC",
        0x674F..=0x6771 => "Vorbis",
        0xF1AC => "FLAC",
        _ => "an unknown coding",
    }
}

/// A tool that reads it.
fn remedy(tag: u16) -> &'static str {
    match tag {
        0x01..=0x03 | 0x06 | 0x07 | 0x10 | 0x11 | 0x31 => "sox in.wav -e signed -b 16 out.wav",
        _ => "ffmpeg -i in.wav -c:a pcm_s16le out.wav",
    }
}

/// Reads a WAV file from its beginning to its end, in bounded memory.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    format: Format,
    order: Order,
    frames: Option<u64>,
    /// Bytes of audio that the header promises and that were not read yet; none where it runs to the file's end.
    left: Option<u64>,
    /// Whether the chunk of audio has an odd size, and a byte of padding may follow.
    odd: bool,
    /// The header says that there is no audio at all.
    stated_empty: bool,
    /// Bytes that were read to see what they are, and are audio.
    ahead: Vec<u8>,
    /// Audio that was read; of it, less than a frame may stay until more is read.
    buffer: Vec<u8>,
    truncated: bool,
    runs_on: bool,
    ended: bool,
    /// Full scale of floating-point samples, once there were some.
    full: Option<f64>,
    gsm: GsmDecoder,
}

impl<R: Read> Reader<R> {
    /// Reads up to where the audio begins.
    ///
    /// # Errors
    /// When this is no WAV file, or one that can't be read: see [`WavError`].
    pub fn new(mut input: R) -> Result<Self, WavError> {
        let Header { format, order, audio } = Header::read(&mut input)?;
        let (frame, samples) = frame_bytes(&format);
        Ok(Self {
            input,
            format,
            order,
            frames: audio.map(|bytes| bytes / frame as u64 * samples as u64),
            left: audio,
            odd: audio.is_some_and(|bytes| bytes % 2 == 1),
            stated_empty: audio == Some(0),
            ahead: Vec::new(),
            buffer: Vec::new(),
            truncated: false,
            runs_on: false,
            ended: false,
            full: None,
            gsm: GsmDecoder::default(),
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

    /// Whether audio followed behind what the header promises: its size was wrong.
    pub fn runs_on(&self) -> bool {
        self.runs_on
    }

    /// Reads the next piece: appends each channel's samples to its vector of `out` and returns how many there were
    /// (0 at the end). Vectors beyond the file's channels stay as they are; channels beyond `out` are left out.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn read(&mut self, out: &mut [Vec<i16>]) -> Result<usize, WavError> {
        let (frame, samples) = frame_bytes(&self.format);
        while self.buffer.len() < frame && !self.ended {
            self.fill()?;
        }
        let whole = self.buffer.len() - self.buffer.len() % frame;
        let Some(audio) = self.buffer.get(..whole) else { return Ok(0) };
        let encoding = self.format.encoding;
        if encoding == Encoding::Gsm {
            if let Some(out) = out.first_mut() {
                let (blocks, _) = audio.as_chunks::<WAV_BLOCK>();
                blocks.iter().for_each(|block| self.gsm.wav_block(block, out));
            }
        } else {
            let numbers = audio.chunks_exact(encoding.bytes());
            let full = match self.full {
                _ if !encoding.is_float() => 1.0,
                Some(full) => full,
                None => {
                    *self.full.insert(full_scale(numbers.map(|bytes| encoding.number(bytes, self.order))))
                }
            };
            for (channel, samples) in out.iter_mut().enumerate().take(self.format.channels) {
                samples.extend(
                    audio
                        .chunks_exact(frame)
                        .filter_map(|one| one.get(channel * encoding.bytes()..))
                        .map(|sample| encoding.sample(sample, self.order, full)),
                );
            }
        }
        self.buffer.drain(..whole);
        Ok(whole / frame * samples)
    }

    /// Reads more audio into the buffer.
    fn fill(&mut self) -> Result<(), WavError> {
        if self.left == Some(0) {
            return self.look_behind();
        }
        let wanted = self.left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE).min(PIECE));
        let before = self.buffer.len();
        let ahead = std::mem::take(&mut self.ahead);
        self.buffer.extend_from_slice(&ahead);
        let more = wanted.saturating_sub(ahead.len());
        self.input.by_ref().take(more as u64).read_to_end(&mut self.buffer)?;
        let read = self.buffer.len() - before;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(read as u64);
        }
        if read < wanted {
            self.truncated = self.left.is_some_and(|left| left > 0);
            self.ended = true;
        }
        Ok(())
    }

    /// The audio should end here. Another chunk may follow, which may be more of it; bytes that are no chunk are audio
    /// whose size was written before it ended.
    fn look_behind(&mut self) -> Result<(), WavError> {
        let mut head = Vec::new();
        self.input.by_ref().take(8).read_to_end(&mut head)?;
        if let [0, a, b, c, d, ..] = *head
            && self.odd
            && is_name([a, b, c, d])
        {
            head.remove(0);
            self.input.by_ref().take(1).read_to_end(&mut head)?;
        }
        match *head {
            [a, b, c, d, s0, s1, s2, s3] if is_name([a, b, c, d]) => {
                let size = self.order.u32([s0, s1, s2, s3]);
                self.odd = size % 2 == 1;
                if &[a, b, c, d] == b"data" {
                    self.left = (size > 0).then_some(u64::from(size));
                    self.runs_on = self.left.is_none();
                } else {
                    let skipped = io::copy(&mut self.input.by_ref().take(u64::from(size)), &mut io::sink())?;
                    self.ended = skipped < u64::from(size);
                }
            }
            // Tags that music players append.
            [b'I', b'D', b'3', ..] | [b'T', b'A', b'G', ..] => self.ended = true,
            _ if head.len() < 8 && !self.stated_empty => self.ended = true,
            [] => self.ended = true,
            _ => {
                self.ahead = head;
                self.left = None;
                self.runs_on = true;
            }
        }
        Ok(())
    }
}

/// The bytes of a frame, and the samples a channel that are in it.
fn frame_bytes(format: &Format) -> (usize, usize) {
    let samples = if format.encoding == Encoding::Gsm { WAV_BLOCK_SAMPLES } else { 1 };
    (format.encoding.bytes() * format.channels, samples)
}

/// Full scale of floating-point samples: ±1, unless they go so far beyond it that they must be integers which somebody
/// has converted without scaling.
fn full_scale(numbers: impl Iterator<Item = f64>) -> f64 {
    const LOUDEST: f64 = 16.0;
    let peak = numbers.map(f64::abs).filter(|number| number.is_finite()).fold(0.0, f64::max);
    match peak {
        peak if peak <= LOUDEST => 1.0,
        peak if peak <= 32_768.0 => 32_768.0,
        peak if peak <= 8_388_608.0 => 8_388_608.0,
        _ => 2_147_483_648.0,
    }
}
