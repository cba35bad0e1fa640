//! Captured frames out of pcap and pcapng files, and into pcap.
//!
//! Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; link types from the registry of the former. Both are
//! read in one pass from anything that reads, holding one frame at a time. What was readable before the first
//! damage is given out; damage is reported once and ends the file.

mod classic;
mod input;
mod ng;
mod writer;

use std::io::{self, Read};
use std::time::Duration;

pub use writer::Writer;

use input::Input;

/// The longest frame accepted: twice what capture tools allow, so that only nonsense is refused.
pub const LONGEST_FRAME: usize = 512 * 1024;

/// Why reading a capture stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PcapError {
    /// The file doesn't begin as a capture does.
    #[error("neither a pcap nor a pcapng file")]
    NotACapture,
    /// The file contradicts itself from here on.
    #[error("capture damaged at byte {offset}: {what}")]
    Damaged {
        /// Where in the file, in bytes from its beginning.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// BSD loopback: a 4-byte address family in either byte order, then IP (link types 0 and 108).
    Loopback,
    /// IEEE 802.3 Ethernet (1).
    Ethernet,
    /// IP without anything before it (101, and what some systems write instead: 12, 14, 228, 229).
    Ip,
    /// Linux "cooked" (113).
    LinuxCooked,
    /// Linux "cooked", version 2 (276).
    LinuxCooked2,
    /// PPP, with HDLC-like framing or without (9, 50).
    Ppp,
    /// PPP behind a byte that says which way it went (204).
    PppWithDirection,
    /// A session of PPP over Ethernet, from its own header on (51).
    PppoeSession,
    /// Cisco's HDLC (104).
    CiscoHdlc,
    /// Linux's netfilter log (239).
    NetfilterLog,
    /// Messages taken out of their packets, as Wireshark exports them (252).
    ExportedPdu,
    /// Anything else, by its number in the registry; its frames are skipped.
    Other(u16),
}

impl From<u16> for Link {
    fn from(number: u16) -> Self {
        match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            9 | 50 => Self::Ppp,
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            51 => Self::PppoeSession,
            104 => Self::CiscoHdlc,
            113 => Self::LinuxCooked,
            204 => Self::PppWithDirection,
            239 => Self::NetfilterLog,
            252 => Self::ExportedPdu,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

impl Link {
    /// The number in the registry of link types (the usual one where there are several).
    pub fn number(self) -> u16 {
        match self {
            Self::Loopback => 0,
            Self::Ethernet => 1,
            Self::Ip => 101,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
            Self::Ppp => 9,
            Self::PppWithDirection => 204,
            Self::PppoeSession => 51,
            Self::CiscoHdlc => 104,
            Self::NetfilterLog => 239,
            Self::ExportedPdu => 252,
            Self::Other(number) => number,
        }
    }
}

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured, since the Unix epoch.
    pub at: Duration,
    /// What it begins with.
    pub link: Link,
    /// What was captured of it.
    pub bytes: &'a [u8],
    /// How many bytes it had on the wire: more than were captured where the snap length was shorter.
    pub original: u32,
    /// Whether the file says when it was captured. A simple packet of pcapng does not: `at` is then the last time known.
    pub timed: bool,
}

/// Reads frames from a pcap or pcapng file.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    ended: bool,
    truncated: bool,
}

#[derive(Debug)]
enum Format {
    Classic(classic::Classic),
    Ng(ng::Ng),
}

impl<R: Read> Reader<R> {
    /// Reads the file's header. `input` is read in small pieces: give it a buffer.
    ///
    /// # Errors
    /// When this is no capture or its header is damaged.
    pub fn new(input: R) -> Result<Self, PcapError> {
        let mut input = Input::new(input);
        let magic = input.array::<4>()?.ok_or(PcapError::NotACapture)?;
        let format = if magic == ng::SECTION {
            Format::Ng(ng::Ng::open(&mut input)?)
        } else {
            Format::Classic(classic::Classic::open(magic, &mut input)?)
        };
        Ok(Self { input, format, ended: false, truncated: false })
    }

    /// The next frame; none at the end. A file that ends in the middle of a frame (its recorder was killed) ends
    /// before it.
    ///
    /// # Errors
    /// Once, when the rest of the file can't be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        if self.ended {
            return Ok(None);
        }
        let frame = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.input),
            Format::Ng(ng) => ng.next(&mut self.input),
        };
        self.ended = !matches!(frame, Ok(Some(_)));
        let frame = frame?;
        self.truncated = frame.is_none() && self.input.is_within_a_piece();
        Ok(frame.map(|Stamp { at, link, original, timed }| Frame {
            at,
            link,
            bytes: self.input.frame(),
            original,
            timed,
        }))
    }

    /// Whether the file has ended in the middle of a frame: its recorder was killed, or its disk was full.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Bytes read of the file so far.
    pub fn position(&self) -> u64 {
        self.input.position()
    }
}

/// What a format says about the frame that it just read.
struct Stamp {
    at: Duration,
    link: Link,
    original: u32,
    timed: bool,
}
