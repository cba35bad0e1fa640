//! One sample of each coding as a signed 16-bit number.

use sidetone_codec::g711;
use sidetone_codec::gsm::WAV_BLOCK;

use super::header::Order;

/// How a sample is coded in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Linear, unsigned 8-bit around 128.
    Unsigned8,
    /// Linear, signed 16-bit.
    Signed16,
    /// Linear, signed 24-bit.
    Signed24,
    /// Linear, signed 32-bit.
    Signed32,
    /// IEEE 754, 32-bit, full scale at ±1.
    Float32,
    /// IEEE 754, 64-bit, full scale at ±1.
    Float64,
    /// ITU-T G.711 A-law.
    ALaw,
    /// ITU-T G.711 µ-law.
    MuLaw,
    /// GSM 06.10 full rate: blocks of 65 bytes hold 320 samples of one channel.
    Gsm,
}

impl Encoding {
    /// From a format tag (1 PCM, 3 float, 6 A-law, 7 µ-law, 0x31 GSM) and the bytes that a sample takes.
    pub(super) fn from_tag(tag: u16, bytes: u16, channels: u16) -> Option<Self> {
        Some(match (tag, bytes) {
            (0x31, _) if channels == 1 => Self::Gsm,
            (1, 1) => Self::Unsigned8,
            (1, 2) => Self::Signed16,
            (1, 3) => Self::Signed24,
            (1, 4) => Self::Signed32,
            (3, 4) => Self::Float32,
            (3, 8) => Self::Float64,
            (6, 1) => Self::ALaw,
            (7, 1) => Self::MuLaw,
            _ => return None,
        })
    }

    /// Bytes that a sample takes in the file; of GSM, a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::ALaw | Self::MuLaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
            Self::Gsm => WAV_BLOCK,
        }
    }

    /// Whether samples are floating-point numbers.
    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// The number that begins `bytes`, of a floating-point coding; 0 if they are too few.
    pub(super) fn number(self, bytes: &[u8], order: Order) -> f64 {
        match self {
            Self::Float32 => f64::from(f32::from_le_bytes(little(bytes, order))),
            Self::Float64 => f64::from_le_bytes(little(bytes, order)),
            _ => 0.0,
        }
    }

    /// The sample that begins `bytes`; 0 if they are too few, and of GSM, which has no samples of its own. `full` is
    /// full scale of floating-point numbers.
    pub(super) fn sample(self, bytes: &[u8], order: Order, full: f64) -> i16 {
        match self {
            Self::Unsigned8 => bytes.first().map_or(0, |byte| (i16::from(*byte) - 128) << 8),
            Self::Signed16 => i16::from_le_bytes(little(bytes, order)),
            Self::Signed24 => {
                let [a, b, c] = little(bytes, order);
                narrow(i32::from_le_bytes([0, a, b, c]))
            }
            Self::Signed32 => narrow(i32::from_le_bytes(little(bytes, order))),
            Self::Float32 | Self::Float64 => from_unit(self.number(bytes, order) / full),
            Self::ALaw => bytes.first().map_or(0, |code| g711::from_alaw(*code)),
            Self::MuLaw => bytes.first().map_or(0, |code| g711::from_ulaw(*code)),
            Self::Gsm => 0,
        }
    }
}

/// The bytes that begin `bytes`, least significant first; zeros if they are too few.
fn little<const N: usize>(bytes: &[u8], order: Order) -> [u8; N] {
    let mut little = bytes.first_chunk().copied().unwrap_or([0; N]);
    if order == Order::Big {
        little.reverse();
    }
    little
}

/// The upper half, rounded to nearest.
fn narrow(sample: i32) -> i16 {
    (sample.saturating_add(0x8000) >> 16) as i16
}

/// Full scale ±1 to full scale ±32768, clipped; what is not a number is silence.
fn from_unit(sample: f64) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_samples_round_and_clip() {
        let sample = |encoding: Encoding, bytes: &[u8]| encoding.sample(bytes, Order::Little, 1.0);
        assert_eq!(sample(Encoding::Signed24, &[0x80, 0x00, 0x00]), 1);
        assert_eq!(sample(Encoding::Signed24, &[0x7F, 0x00, 0x00]), 0);
        assert_eq!(sample(Encoding::Signed32, &i32::MAX.to_le_bytes()), i16::MAX);
        assert_eq!(sample(Encoding::Signed32, &i32::MIN.to_le_bytes()), i16::MIN);
        assert_eq!(sample(Encoding::Float32, &1.5f32.to_le_bytes()), i16::MAX);
        assert_eq!(sample(Encoding::Float32, &(-0.5f32).to_le_bytes()), -16_384);
        assert_eq!(sample(Encoding::Float64, &f64::NAN.to_le_bytes()), 0);
        assert_eq!(sample(Encoding::Unsigned8, &[0]), i16::MIN);
        assert_eq!(sample(Encoding::Unsigned8, &[128]), 0);
        assert_eq!(Encoding::Signed16.sample(&[0x12, 0x34], Order::Big, 1.0), 0x1234);
    }
}
