//! The chunks before the audio: RIFF and RF64, `fmt `, `ds64`, and the many ways their sizes can be wrong.

use std::io::{self, Read};

use super::{Encoding, Format, RATES, WavError};

/// A size that says "not known when this was written".
const UNKNOWN: u32 = u32::MAX;
/// The size that SoX writes for the same when its output is a pipe.
const UNKNOWN_TO_SOX: u32 = 0x7FFF_F000;
/// `fmt ` chunks are 16, 18 or 40 bytes; what follows in a longer one is not looked at.
const LONGEST_FMT: u32 = 40;

/// More audio than this was never recorded: the field was filled with ones.
const BELIEVED: u64 = 1 << 48;
/// The longest `fmt ` chunk believed in; in the other byte order every chunk of a real file is far longer.
const LONGEST_BELIEVED: u32 = 4096;

/// The byte order of a file's numbers and samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// RIFF.
    Little,
    /// RIFX.
    Big,
}

impl Order {
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// The header before the samples.
pub(super) struct Header {
    pub(super) format: Format,
    pub(super) order: Order,
    /// Bytes of audio; none where it runs to the end of the file.
    pub(super) audio: Option<u64>,
}

impl Header {
    /// Reads chunk after chunk until the audio begins.
    pub(super) fn read(input: &mut impl Read) -> Result<Self, WavError> {
        let [r0, r1, r2, r3, s0, s1, s2, s3, w0, w1, w2, w3] =
            take(input, "file shorter than a RIFF header")?;
        let (wide, mut order) = match &[r0, r1, r2, r3] {
            b"RIFF" => (false, Order::Little),
            b"RIFX" => (false, Order::Big),
            b"RF64" | b"BW64" => (true, Order::Little),
            _ => return Err(WavError::NotWav),
        };
        if &[w0, w1, w2, w3] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let mut at: u64 = 12;
        let mut format = None;
        let mut wide_audio = None;
        // Whether the chunk before had an odd size, after which most writers put a byte, and some forget to.
        let mut odd = false;
        loop {
            let (id, size_bytes) = chunk(input, &mut odd, &mut at)?;
            let mut size = order.u32(size_bytes);
            match &id {
                b"data" => {
                    let format = format.ok_or(WavError::Damaged("data chunk before the fmt chunk"))?;
                    let riff_size = u64::from(order.u32([s0, s1, s2, s3]));
                    let audio = match size {
                        UNKNOWN if wide => wide_audio.filter(|audio| (1..BELIEVED).contains(audio)),
                        UNKNOWN | UNKNOWN_TO_SOX => None,
                        // Zero is what a recorder writes first and fills in when it ends. Only if the file as a whole
                        // claims to go on behind this chunk, it may be meant: what stands there will tell.
                        0 if riff_size + 8 <= at || riff_size == u64::from(UNKNOWN) => None,
                        _ => Some(u64::from(size)),
                    };
                    return Ok(Self { format, order, audio });
                }
                b"fmt " => {
                    // A few writers put RIFX before a file that is little-endian all the same.
                    if size > LONGEST_BELIEVED && size.swap_bytes() <= LONGEST_BELIEVED {
                        order = if order == Order::Big { Order::Little } else { Order::Big };
                        size = order.u32(size_bytes);
                    }
                    let read = size.min(LONGEST_FMT);
                    let mut body = Vec::new();
                    input.take(u64::from(read)).read_to_end(&mut body)?;
                    format = Some(parse_format(&body, order)?);
                    skip(input, u64::from(size - read))?;
                }
                b"ds64" if size >= 16 => {
                    let _riff: [u8; 8] = take(input, "ds64 chunk cut short")?;
                    wide_audio = Some(u64::from_le_bytes(take(input, "ds64 chunk cut short")?));
                    skip(input, u64::from(size - 16))?;
                }
                _ => skip(input, u64::from(size))?,
            }
            odd = size % 2 == 1;
            at = at.saturating_add(u64::from(size));
        }
    }
}

/// The next chunk's name and size, over the byte of padding that may stand before it.
fn chunk(input: &mut impl Read, odd: &mut bool, at: &mut u64) -> Result<([u8; 4], [u8; 4]), WavError> {
    const MISSING: &str = "no audio (no data chunk)";
    let [a, b, c, d, s0, s1, s2, s3] = take(input, MISSING)?;
    *at += 8;
    if std::mem::take(odd) && !is_name([a, b, c, d]) && is_name([b, c, d, s0]) {
        let [last] = take(input, MISSING)?;
        *at += 1;
        return Ok(([b, c, d, s0], [s1, s2, s3, last]));
    }
    Ok(([a, b, c, d], [s0, s1, s2, s3]))
}

/// Whether four bytes may name a chunk: they are printable, and begin with a letter.
pub(super) fn is_name(bytes: [u8; 4]) -> bool {
    let [first, ..] = bytes;
    (first.is_ascii_alphabetic() || first == b'_') && bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// The body of a `fmt ` chunk: WAVEFORMAT, WAVEFORMATEX or WAVEFORMATEXTENSIBLE.
fn parse_format(body: &[u8], order: Order) -> Result<Format, WavError> {
    let &[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, a0, a1, b0, b1, ref more @ ..] = body else {
        return Err(WavError::Damaged("fmt chunk cut short"));
    };
    let mut tag = order.u16([t0, t1]);
    let channels = order.u16([c0, c1]);
    let rate = order.u32([r0, r1, r2, r3]);
    let align = order.u16([a0, a1]);
    let bits = order.u16([b0, b1]);
    if tag == 0xFFFE {
        // The real tag is the first field of the sub-format's GUID: size(2), valid bits(2), speakers(4), GUID.
        let [.., t0, t1] =
            more.first_chunk::<10>().ok_or(WavError::Damaged("extensible fmt chunk cut short"))?;
        tag = order.u16([*t0, *t1]);
    }
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels(channels));
    }
    if !RATES.contains(&rate) {
        return Err(WavError::Rate(rate));
    }
    let container = container(bits, align, channels);
    let encoding = Encoding::from_tag(tag, container, channels).ok_or(WavError::Encoding { tag, bits })?;
    Ok(Format { rate, channels: usize::from(channels), encoding })
}

/// The bytes that a sample takes. Its bits say so, rounded up, since samples of 12 or 20 bits stand left-justified in
/// whole bytes. The bytes of a frame, which writers often get wrong, are believed where there are no bits, and for
/// samples of 17 to 24 bits that stand in four bytes.
fn container(bits: u16, align: u16, channels: u16) -> u16 {
    let by_frame = if align.is_multiple_of(channels) { align / channels } else { 0 };
    match bits {
        0 => by_frame,
        17..=24 if by_frame == 4 => 4,
        bits => bits.div_ceil(8),
    }
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
