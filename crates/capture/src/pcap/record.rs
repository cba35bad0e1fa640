//! A frame as a capture file of either kind describes it.

use std::io;
use std::time::Duration;

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
        /// The flaw there.
        what: &'static str,
    },
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The link type of a frame: the header that it begins with.
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

/// The description of the frame that was just read.
pub(crate) struct Stamp {
    pub(crate) at: Duration,
    pub(crate) link: Link,
    pub(crate) original: u32,
    pub(crate) timed: bool,
}
