//! The chunks before the audio: RIFF and RF64, `fmt `, `ds64`, and the many ways their sizes can be wrong.

use std::io::{self, Read};

use super::{Encoding, Format, RATES, WavError};

/// A size that says "not known when this was written".
const UNKNOWN: u32 = u32::MAX;
/// What SoX writes for the same when its output is a pipe.
const UNKNOWN_TO_SOX: u32 = 0x7FFF_F000;
/// `fmt ` chunks are 16, 18 or 40 bytes; what follows in a longer one is not looked at.
const LONGEST_FMT: u32 = 40;

/// What stands before the samples.
pub(super) struct Header {
    pub(super) format: Format,
    /// Bytes of audio; none where it runs to the end of the file.
    pub(super) audio: Option<u64>,
}

impl Header {
    /// Reads chunk after chunk until the audio begins.
    pub(super) fn read(input: &mut impl Read) -> Result<Self, WavError> {
        let riff: [u8; 12] = take(input, "file shorter than a RIFF header")?;
        let [r0, r1, r2, r3, s0, s1, s2, s3, w0, w1, w2, w3] = riff;
        let wide = match &[r0, r1, r2, r3] {
            b"RIFF" => false,
            b"RF64" | b"BW64" => true,
            _ => return Err(WavError::NotWav),
        };
        if &[w0, w1, w2, w3] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let riff_size = u32::from_le_bytes([s0, s1, s2, s3]);
        let mut at: u64 = 12;
        let mut format = None;
        let mut wide_audio = None;
        loop {
            let [a, b, c, d, s0, s1, s2, s3] = take(input, "no audio (no data chunk)")?;
            let size = u32::from_le_bytes([s0, s1, s2, s3]);
            at += 8;
            match &[a, b, c, d] {
                b"data" => {
                    let format = format.ok_or(WavError::Damaged("data chunk before the fmt chunk"))?;
                    let audio = match size {
                        UNKNOWN if wide => wide_audio,
                        UNKNOWN | UNKNOWN_TO_SOX => None,
                        // Zero is what a recorder writes first and fills in when it ends. It is to be believed only
                        // if the file as a whole claims to go on behind this chunk.
                        0 if u64::from(riff_size) + 8 <= at || riff_size == UNKNOWN => None,
                        _ => Some(u64::from(size)),
                    };
                    return Ok(Self { format, audio });
                }
                b"fmt " => {
                    let read = size.min(LONGEST_FMT);
                    let mut body = Vec::new();
                    input.take(u64::from(read)).read_to_end(&mut body)?;
                    format = Some(parse_format(&body)?);
                    skip(input, u64::from(size - read) + u64::from(size % 2))?;
                }
                b"ds64" if size >= 16 => {
                    let _riff: [u8; 8] = take(input, "ds64 chunk cut short")?;
                    wide_audio = Some(u64::from_le_bytes(take(input, "ds64 chunk cut short")?));
                    skip(input, u64::from(size - 16) + u64::from(size % 2))?;
                }
                _ => skip(input, u64::from(size) + u64::from(size % 2))?,
            }
            at = at.saturating_add(u64::from(size) + u64::from(size % 2));
        }
    }
}

/// The body of a `fmt ` chunk: WAVEFORMAT, WAVEFORMATEX or WAVEFORMATEXTENSIBLE.
fn parse_format(body: &[u8]) -> Result<Format, WavError> {
    let &[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, a0, a1, b0, b1, ref more @ ..] = body else {
        return Err(WavError::Damaged("fmt chunk cut short"));
    };
    let mut tag = u16::from_le_bytes([t0, t1]);
    let channels = u16::from_le_bytes([c0, c1]);
    let rate = u32::from_le_bytes([r0, r1, r2, r3]);
    let align = u16::from_le_bytes([a0, a1]);
    let bits = u16::from_le_bytes([b0, b1]);
    if tag == 0xFFFE {
        // The real tag is the first field of the sub-format's GUID: size(2), valid bits(2), speakers(4), GUID.
        let [.., t0, t1] =
            more.first_chunk::<10>().ok_or(WavError::Damaged("extensible fmt chunk cut short"))?;
        tag = u16::from_le_bytes([*t0, *t1]);
    }
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(WavError::Rate(rate));
    }
    // Samples of 12 or 20 bits stand left-justified in whole bytes, so the container is what counts.
    let container = if align % channels == 0 && align > 0 { align / channels } else { bits.div_ceil(8) };
    let encoding = Encoding::from_tag(tag, container).ok_or(WavError::Encoding { tag, bits })?;
    Ok(Format { rate, channels: usize::from(channels), encoding })
}

fn take<const N: usize>(input: &mut impl Read, missing: &'static str) -> Result<[u8; N], WavError> {
    let mut bytes = [0; N];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(WavError::Damaged(missing)),
        Err(error) => Err(error.into()),
    }
}

fn skip(input: &mut impl Read, bytes: u64) -> Result<(), WavError> {
    io::copy(&mut input.take(bytes), &mut io::sink())?;
    Ok(())
}
