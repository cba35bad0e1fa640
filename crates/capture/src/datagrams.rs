//! From captured frames to what programs sent: UDP datagrams and TCP streams, with their addresses and times.
//!
//! Fragments are put together again, TCP segments put in order, both within bounds. Whatever can't be used is counted
//! in [`Counters`] and passed over; checksums are not looked at, since a machine that captures its own traffic sees
//! them before its network card fills them in.

mod fragments;
mod ip;
mod link;
mod streams;

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::pcap::{Link, PcapError, Reader};
use fragments::Fragments;
use ip::{Packet, Part};
use streams::Streams;

/// What one program sent to another, as it arrived where it was captured.
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
    /// What was sent: a datagram of UDP, or the next bytes of a TCP stream.
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

/// What became of the captured frames.
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
    /// Packets of which only the beginning was captured (a snap length too short for audio).
    pub cut: u64,
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

    /// What became of the frames so far.
    pub fn counters(&self) -> Counters {
        self.unwrap.counters
    }

    /// Why the capture ended before its end, if it did.
    pub fn damage(&self) -> Option<&PcapError> {
        self.damage.as_ref()
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
                Ok(Some(frame)) => self.unwrap.frame(frame.at, frame.link, frame.bytes),
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
    ended: bool,
}

impl Unwrap {
    /// Takes one frame; what comes of it is appended to what is ready.
    pub(crate) fn frame(&mut self, at: Duration, link: Link, frame: &[u8]) {
        self.counters.frames += 1;
        let Some(packet) = link::network_layer(link, frame) else {
            self.counters.not_ip += 1;
            return;
        };
        match Packet::parse(packet) {
            Ok(packet) => self.packet(at, packet),
            Err(ip::Refused::NotIp) => self.counters.not_ip += 1,
            Err(ip::Refused::Malformed) => self.counters.malformed += 1,
            Err(ip::Refused::Cut) => self.counters.cut += 1,
        }
    }

    fn packet(&mut self, at: Duration, packet: Packet<'_>) {
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
        match ip::transport_layer(protocol, payload) {
            Ok(ip::Segment::Udp { src_port, dst_port, payload }) => self.ready.push_back(Datagram {
                at,
                src: SocketAddr::new(src, src_port),
                dst: SocketAddr::new(dst, dst_port),
                transport: Transport::Udp,
                payload: Bytes::copy_from_slice(payload),
            }),
            Ok(ip::Segment::Tcp { src_port, dst_port, segment }) => {
                let (src, dst) = (SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port));
                self.streams.push(at, src, dst, segment, &mut self.ready);
                self.counters.stream_gaps = self.streams.gaps();
            }
            Ok(ip::Segment::Other) => self.counters.not_transport += 1,
            Err(()) => self.counters.malformed += 1,
        }
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
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Datagram> {
        std::mem::take(&mut self.ready).into_iter()
    }
}
