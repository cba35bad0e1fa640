//! One sample of each coding as a signed 16-bit number.

use sidetone_codec::g711;

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
}

impl Encoding {
    /// From a format tag (1 PCM, 3 float, 6 A-law, 7 µ-law) and the bytes that a sample takes.
    pub(super) fn from_tag(tag: u16, bytes: u16) -> Option<Self> {
        Some(match (tag, bytes) {
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

    /// Bytes that a sample takes in the file.
    pub fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::ALaw | Self::MuLaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// The sample that begins `bytes`; 0 if they are too few.
    pub(super) fn sample(self, bytes: &[u8]) -> i16 {
        match (self, bytes) {
            (Self::Unsigned8, &[a, ..]) => (i16::from(a) - 128) << 8,
            (Self::Signed16, &[a, b, ..]) => i16::from_le_bytes([a, b]),
            (Self::Signed24, &[a, b, c, ..]) => narrow(i32::from_le_bytes([0, a, b, c])),
            (Self::Signed32, &[a, b, c, d, ..]) => narrow(i32::from_le_bytes([a, b, c, d])),
            (Self::Float32, &[a, b, c, d, ..]) => from_unit(f64::from(f32::from_le_bytes([a, b, c, d]))),
            (Self::Float64, &[a, b, c, d, e, f, g, h, ..]) => {
                from_unit(f64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
            (Self::ALaw, &[code, ..]) => g711::from_alaw(code),
            (Self::MuLaw, &[code, ..]) => g711::from_ulaw(code),
            _ => 0,
        }
    }
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
        assert_eq!(Encoding::Signed24.sample(&[0x80, 0x00, 0x00]), 1);
        assert_eq!(Encoding::Signed24.sample(&[0x7F, 0x00, 0x00]), 0);
        assert_eq!(Encoding::Signed32.sample(&i32::MAX.to_le_bytes()), i16::MAX);
        assert_eq!(Encoding::Signed32.sample(&i32::MIN.to_le_bytes()), i16::MIN);
        assert_eq!(Encoding::Float32.sample(&1.5f32.to_le_bytes()), i16::MAX);
        assert_eq!(Encoding::Float32.sample(&(-0.5f32).to_le_bytes()), -16_384);
        assert_eq!(Encoding::Float64.sample(&f64::NAN.to_le_bytes()), 0);
        assert_eq!(Encoding::Unsigned8.sample(&[0]), i16::MIN);
        assert_eq!(Encoding::Unsigned8.sample(&[128]), 0);
    }
}
