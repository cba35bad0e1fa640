//! From captured frames to what programs sent: UDP datagrams and TCP streams, with their addresses and times.
//!
//! VLAN tags, labels and tunnels are looked through. Fragments are put together again, TCP segments put in order, both
//! within bounds. Whatever can't be used is counted in [`Counters`] and passed over; checksums are not looked at, since
//! a machine that captures its own traffic sees them before its network card fills them in.

mod exported;
mod fragments;
mod ip;
mod link;
mod streams;
mod tunnel;
mod unread;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::pcap::Reader;
use crate::pcap::record::{Link, PcapError};
use exported::Exported;
use fragments::Fragments;
use ip::{Packet, Part};
use link::Refused;
use streams::Streams;
use unread::Tally;
pub use unread::Unread;

/// Tunnels within tunnels that are looked through.
const MOST_TUNNELS: usize = 8;

/// Bytes that one program sent to another, as they arrived where they were captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// When it was captured, since the Unix epoch.
    pub at: Duration,
    /// Where it came from.
    pub src: SocketAddr,
    /// Where it was going.
    pub dst: SocketAddr,
    /// How it travelled.
    pub transport: Transport,
    /// The payload: a datagram of UDP, or the next bytes of a TCP stream.
    pub payload: Bytes,
}

/// How a payload travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// Bytes of a stream.
    Tcp {
        /// Whether they follow on the bytes given out before for the same two addresses; if not, this is where a
        /// stream begins, or goes on after bytes that were not captured.
        follows: bool,
    },
}

/// Counts of the captured frames by their outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Frames read.
    pub frames: u64,
    /// Frames that carry no IP, or begin in a way that isn't known here.
    pub not_ip: u64,
    /// Packets of protocols other than UDP and TCP.
    pub not_transport: u64,
    /// Packets whose headers contradict themselves.
    pub malformed: u64,
    /// Packets of which only the beginning was captured: the snap length was too short.
    pub cut: u64,
    /// The most bytes that were captured of one of those.
    pub snap_length: usize,
    /// Frames without a time of their own: simple packets of pcapng carry none.
    pub untimed: u64,
    /// Packets that came inside others: by a tunnel, or from a mirroring switch or a capture agent.
    pub tunnelled: u64,
    /// Fragmented packets that never became whole, or whose fragments overlap.
    pub fragments_lost: u64,
    /// Places in TCP streams where bytes are missing.
    pub stream_gaps: u64,
}

/// Reads datagrams out of a capture.
#[derive(Debug)]
pub struct Datagrams<R> {
    reader: Reader<R>,
    unwrap: Unwrap,
    damage: Option<PcapError>,
}

impl<R: Read> Datagrams<R> {
    /// Begins to read a capture. `input` is read in small pieces: give it a buffer.
    ///
    /// # Errors
    /// When it isn't one.
    pub fn new(input: R) -> Result<Self, PcapError> {
        Ok(Self { reader: Reader::new(input)?, unwrap: Unwrap::default(), damage: None })
    }

    /// Counts of the frames so far.
    pub fn counters(&self) -> Counters {
        self.unwrap.counters
    }

    /// Why the capture ended before its end, if it did.
    pub fn damage(&self) -> Option<&PcapError> {
        self.damage.as_ref()
    }

    /// Whether the file ended in the middle of a frame.
    pub fn truncated(&self) -> bool {
        self.reader.truncated()
    }

    /// Protocols that were recognised and not read, with their frames; the most frequent first.
    pub fn unread(&self) -> Vec<(Unread, u64)> {
        self.unwrap.unread.by_frequency()
    }

    /// Bytes read of the file so far.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }
}

impl<R: Read> Iterator for Datagrams<R> {
    type Item = Datagram;

    fn next(&mut self) -> Option<Datagram> {
        loop {
            if let Some(datagram) = self.unwrap.ready.pop_front() {
                return Some(datagram);
            }
            match self.reader.next_frame() {
                Ok(Some(frame)) => {
                    self.unwrap.counters.untimed += u64::from(!frame.timed);
                    let whole = frame.bytes.len() >= frame.original as usize;
                    self.unwrap.frame(frame.at, frame.link, frame.bytes, whole);
                }
                Ok(None) if self.unwrap.ended => return None,
                Ok(None) => self.unwrap.end(),
                Err(error) => self.damage = Some(error),
            }
        }
    }
}

/// Takes frames apart, without any file.
#[derive(Debug, Default)]
pub(crate) struct Unwrap {
    fragments: Fragments,
    streams: Streams,
    ready: VecDeque<Datagram>,
    counters: Counters,
    unread: Tally,
    ended: bool,
}

/// The data in a TURN server's ChannelData message (RFC 8656 section 12.4), to the byte: RFC 7983 keeps the first
/// bytes 64 to 79 for these, and RTP begins with 128 at least.
fn channel_data(payload: &[u8]) -> Option<&[u8]> {
    let &[64..=79, _, high, low, ref rest @ ..] = payload else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let padding = rest.len().checked_sub(length)?;
    (length > 0 && padding < 4).then(|| rest.get(..length)).flatten()
}

impl Unwrap {
    /// Takes one frame; what comes of it is appended to what is ready. `whole` says that all of it was captured.
    pub(crate) fn frame(&mut self, at: Duration, link: Link, frame: &[u8], whole: bool) {
        self.counters.frames += 1;
        let lost = self.lost();
        if link == Link::ExportedPdu {
            self.exported(at, exported::wireshark(frame).as_ref());
        } else {
            match link::network_layer(link, frame) {
                Ok(packet) => self.ip(at, packet, 0),
                Err(refused) => self.refused(refused),
            }
        }
        if !whole && self.lost() > lost {
            self.counters.snap_length = self.counters.snap_length.max(frame.len());
        }
    }

    /// Packets that could not be used though they are IP.
    fn lost(&self) -> u64 {
        self.counters.cut + self.counters.malformed
    }

    fn refused(&mut self, refused: Refused) {
        match refused {
            Refused::Malformed => self.counters.malformed += 1,
            Refused::Other(unread) => {
                self.counters.not_ip += 1;
                self.unread.count(unread);
            }
        }
    }

    /// Takes an IP packet that came inside so many others.
    fn ip(&mut self, at: Duration, packet: &[u8], depth: usize) {
        match Packet::parse(packet) {
            Ok(packet) => self.packet(at, packet, depth),
            Err(ip::Refused::NotIp) => self.counters.not_ip += 1,
            Err(ip::Refused::Malformed) => self.counters.malformed += 1,
            Err(ip::Refused::Cut) => self.counters.cut += 1,
        }
    }

    /// Reads on in an IP packet that stands in `depth` tunnels. [`Self::carried`] bounds their number: a packet may
    /// hold others without end, or claim to.
    fn packet(&mut self, at: Duration, packet: Packet<'_>, depth: usize) {
        let Packet { src, dst, protocol, part, payload } = packet;
        let put_together;
        let payload = match part {
            Part::Whole => payload,
            Part::Fragment { id, offset, last } => {
                let key = fragments::Key { src, dst, protocol, id };
                let whole = self.fragments.push(at, key, offset, last, payload);
                self.counters.fragments_lost = self.fragments.lost();
                let Some(whole) = whole else { return };
                put_together = whole;
                &put_together
            }
        };
        if let Some(carried) = tunnel::in_ip(protocol, payload) {
            return self.carried(at, carried, depth);
        }
        match ip::transport_layer(protocol, payload) {
            Ok(ip::Segment::Udp { src_port, dst_port, payload }) => {
                let (src, dst) = (SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port));
                if exported::is_hep(payload) {
                    self.exported(at, exported::hep(payload).as_ref());
                } else if let Some(carried) = tunnel::in_udp(src_port, dst_port, payload) {
                    self.carried(at, carried, depth);
                } else {
                    self.datagram(at, src, dst, payload);
                }
            }
            Ok(ip::Segment::Tcp { src_port, dst_port, segment }) => {
                let (src, dst) = (SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port));
                self.streams.push(at, src, dst, segment, &mut self.ready);
                self.counters.stream_gaps = self.streams.gaps();
            }
            Ok(ip::Segment::Other(number)) => {
                self.counters.not_transport += 1;
                self.unread.count(Unread::IpProtocol(number));
            }
            Err(()) => self.counters.malformed += 1,
        }
    }

    /// Goes on with what a tunnel carries.
    fn carried(&mut self, at: Duration, carried: Result<&[u8], Refused>, depth: usize) {
        if depth == MOST_TUNNELS {
            self.counters.malformed += 1;
            return;
        }
        match carried {
            Ok(packet) => {
                self.counters.tunnelled += 1;
                self.ip(at, packet, depth + 1);
            }
            Err(refused) => self.refused(refused),
        }
    }

    fn exported(&mut self, at: Duration, exported: Option<&Exported<'_>>) {
        let Some(&Exported { src, dst, at: stated, payload }) = exported else {
            self.counters.malformed += 1;
            return;
        };
        self.counters.tunnelled += 1;
        self.datagram(stated.unwrap_or(at), src, dst, payload);
    }

    fn datagram(&mut self, at: Duration, src: SocketAddr, dst: SocketAddr, payload: &[u8]) {
        let payload = Bytes::copy_from_slice(channel_data(payload).unwrap_or(payload));
        self.ready.push_back(Datagram { at, src, dst, transport: Transport::Udp, payload });
    }

    /// No more frames come: gives out what was waiting for something before it.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.streams.end(&mut self.ready);
        self.fragments.end();
        self.counters.stream_gaps = self.streams.gaps();
        self.counters.fragments_lost = self.fragments.lost();
    }

    /// Takes what is ready.
    #[cfg(feature = "fuzz")]
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Datagram> {
        std::mem::take(&mut self.ready).into_iter()
    }
}
