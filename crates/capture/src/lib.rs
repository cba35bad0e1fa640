//! Recordings read back: WAV audio, pcap and pcapng captures, and the calls inside a capture.
//!
//! Pure readers over anything that implements [`std::io::Read`]: no clock, no threads. Every file is taken for
//! hostile: nothing in one makes a reader panic or hold more than its stated bounds.
#![forbid(unsafe_code)]

pub mod calls;
pub mod datagrams;
pub mod pcap;
pub mod wav;

#[doc(hidden)]
pub mod fuzz;

/// What kind of recording a file is, by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WAV audio: see [`wav::Reader`].
    Wav,
    /// A pcap or pcapng capture: see [`datagrams::Datagrams`].
    Capture,
}

impl Kind {
    /// Tells a file by its first bytes (12 are enough); none if it is neither.
    pub fn of(beginning: &[u8]) -> Option<Self> {
        match beginning {
            [b'R', b'I', b'F', b'F', ..] | [b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..] => {
                Some(Self::Wav)
            }
            [0x0A, 0x0D, 0x0D, 0x0A, ..]
            | [0xD4, 0xC3, 0xB2, 0xA1, ..]
            | [0x4D, 0x3C, 0xB2, 0xA1, ..]
            | [0xA1, 0xB2, 0xC3, 0xD4, ..]
            | [0xA1, 0xB2, 0x3C, 0x4D, ..] => Some(Self::Capture),
            _ => None,
        }
    }
}
