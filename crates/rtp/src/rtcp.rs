//! RTCP: compound packets, what they report, and the round-trip time (RFC 3550 §6, A.2).
//!
//! [`Compound::parse`] checks the whole datagram once; what it yields afterwards can't fail.
//! Feedback, extended reports and application packets (RFC 4585, 3611) are stepped over.

mod report;
mod round_trip;

pub use report::{Bye, ReportBlock, Sdes, SdesItem, SenderInfo};
pub use round_trip::RoundTrip;

/// Packet types (RFC 3550 §12.1).
pub mod packet_type {
    /// Sender report.
    pub const SR: u8 = 200;
    /// Receiver report.
    pub const RR: u8 = 201;
    /// Source description.
    pub const SDES: u8 = 202;
    /// Goodbye.
    pub const BYE: u8 = 203;
    /// Application-defined.
    pub const APP: u8 = 204;
}

/// Why a datagram is not RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// A packet is shorter than its header, its length field or its counts say.
    #[error("packet at byte {at} is truncated")]
    Truncated {
        /// Where the packet begins.
        at: usize,
    },
    /// Only version 2 exists.
    #[error("version {version}, not 2, at byte {at}")]
    Version {
        /// The version found.
        version: u8,
        /// Where the packet begins.
        at: usize,
    },
    /// A compound packet begins with a sender or receiver report.
    #[error("compound packet begins with packet type {0}, not with a report")]
    FirstPacket(u8),
    /// Padding on another packet than the last, or of an impossible length.
    #[error("padding at byte {at} is wrong")]
    Padding {
        /// Where the packet begins.
        at: usize,
    },
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Sender report: what the source sent, and what it heard of others.
    SenderReport {
        /// SSRC of the party that reports.
        ssrc: u32,
        /// The report on its own stream.
        info: SenderInfo,
        /// The reports on what it receives, a block for each source.
        blocks: Blocks<'a>,
    },
    /// Receiver report.
    ReceiverReport {
        /// SSRC of the party that reports.
        ssrc: u32,
        /// The reports on what it receives, a block for each source.
        blocks: Blocks<'a>,
    },
    /// Source description.
    Sdes(Sdes<'a>),
    /// Sources that leave.
    Bye(Bye<'a>),
    /// Anything else.
    Other {
        /// Packet type, 192 to 223.
        packet_type: u8,
        /// The five bits of count, subtype or format.
        count: u8,
        /// The bytes behind the four-byte header, without padding.
        body: &'a [u8],
    },
}

/// The report blocks of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [[u8; 24]]);

impl<'a> Blocks<'a> {
    /// The blocks in order.
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        self.0.iter().map(ReportBlock::read)
    }
}

/// A checked RTCP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a> {
    datagram: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a compound packet (RFC 3550 A.2): a report first and without padding, version 2
    /// throughout, lengths that add up to the datagram, counts that fit, padding only at the end.
    ///
    /// # Errors
    /// [`RtcpError`] says which check failed.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        match datagram.get(1) {
            Some(&(packet_type::SR | packet_type::RR)) => Self::parse_reduced(datagram),
            Some(&other) => Err(RtcpError::FirstPacket(other)),
            None => Err(RtcpError::Truncated { at: 0 }),
        }
    }

    /// The same for reduced-size RTCP (RFC 5506), which may begin with any packet.
    ///
    /// # Errors
    /// [`RtcpError`] says which check failed.
    pub fn parse_reduced(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut at = 0;
        loop {
            let rest = datagram.get(at..).unwrap_or_default();
            let (packet, next) = Raw::split(rest, at)?;
            if packet.read().is_none() {
                return Err(RtcpError::Truncated { at });
            }
            if next.is_empty() {
                return Ok(Self { datagram });
            }
            if packet.padded {
                return Err(RtcpError::Padding { at });
            }
            at = datagram.len() - next.len();
        }
    }

    /// The packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + 'a {
        let mut rest = self.datagram;
        std::iter::from_fn(move || {
            let (packet, next) = Raw::split(rest, 0).ok()?;
            rest = next;
            packet.read()
        })
    }
}

/// One packet's frame.
struct Raw<'a> {
    packet_type: u8,
    count: u8,
    padded: bool,
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Splits the first packet off; `at` is only for the error.
    fn split(data: &'a [u8], at: usize) -> Result<(Self, &'a [u8]), RtcpError> {
        let [first, packet_type, high, low, ..] = *data else {
            return Err(RtcpError::Truncated { at });
        };
        let version = first >> 6;
        if version != 2 {
            return Err(RtcpError::Version { version, at });
        }
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let (packet, rest) = data.split_at_checked(length).ok_or(RtcpError::Truncated { at })?;
        let mut body = packet.get(4..).unwrap_or_default();
        let padded = first & 0x20 != 0;
        if padded {
            let count = usize::from(body.last().copied().unwrap_or(0));
            let valid = count != 0 && count.is_multiple_of(4) && count <= body.len();
            body =
                valid.then(|| body.get(..body.len() - count)).flatten().ok_or(RtcpError::Padding { at })?;
        }
        Ok((Self { packet_type, count: first & 0x1f, padded, body }, rest))
    }

    /// The packet's content; `None` if its counts don't fit.
    fn read(&self) -> Option<Packet<'a>> {
        let body = self.body;
        Some(match self.packet_type {
            packet_type::SR => {
                let (ssrc, rest) = body.split_first_chunk::<4>()?;
                let (info, rest) = rest.split_first_chunk::<20>()?;
                Packet::SenderReport {
                    ssrc: u32::from_be_bytes(*ssrc),
                    info: SenderInfo::read(info),
                    blocks: self.blocks(rest)?,
                }
            }
            packet_type::RR => {
                let (ssrc, rest) = body.split_first_chunk::<4>()?;
                Packet::ReceiverReport { ssrc: u32::from_be_bytes(*ssrc), blocks: self.blocks(rest)? }
            }
            packet_type::SDES => Packet::Sdes(Sdes::read(self.count, body)),
            packet_type::BYE => Packet::Bye(Bye::read(self.count, body)?),
            packet_type => Packet::Other { packet_type, count: self.count, body },
        })
    }

    fn blocks(&self, data: &'a [u8]) -> Option<Blocks<'a>> {
        let (blocks, _) = data.as_chunks::<24>();
        blocks.get(..usize::from(self.count)).map(Blocks)
    }
}
