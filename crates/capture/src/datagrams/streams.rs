//! TCP segments put in order: enough of RFC 9293 to read a conversation that someone else had.
//!
//! A segment that comes early waits, within bounds, for what is missing before it. When that doesn't come (it was not
//! captured) the stream goes on behind the gap, and says so.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::{Datagram, Transport};

/// Streams followed at once (each direction of a connection is one); beyond it the one idle longest is forgotten.
const MOST_STREAMS: usize = 1024;
/// Early segments that wait in one stream.
const MOST_WAITING: usize = 64;
/// Bytes that wait in one stream.
const MOST_WAITING_BYTES: usize = 64 * 1024;
/// A segment farther from the expected one than this belongs to another stream between the same addresses.
const FARTHEST: i32 = 16 * 1024 * 1024;

/// One TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) sequence: u32,
    /// SYN: a stream begins.
    pub(super) opens: bool,
    /// FIN or RST: it ends.
    pub(super) closes: bool,
    pub(super) bytes: &'a [u8],
}

/// All streams being followed.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: HashMap<(SocketAddr, SocketAddr), Stream>,
    gaps: u64,
}

#[derive(Debug)]
struct Stream {
    last_heard: Duration,
    /// The sequence number expected next.
    next: u32,
    /// Whether bytes right before `next` were given out.
    follows: bool,
    /// Early segments, nearest first.
    waiting: Vec<(u32, Bytes)>,
    waiting_bytes: usize,
}

impl Streams {
    /// Places where bytes are missing.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps
    }

    /// Takes a segment; what can be read on is appended to `ready`.
    pub(super) fn push(
        &mut self,
        at: Duration,
        src: SocketAddr,
        dst: SocketAddr,
        segment: Segment<'_>,
        ready: &mut VecDeque<Datagram>,
    ) {
        let key = (src, dst);
        // A SYN takes a sequence number of its own (RFC 9293 section 3.4).
        let sequence = segment.sequence.wrapping_add(u32::from(segment.opens));
        if segment.opens || self.streams.get(&key).is_some_and(|stream| stream.is_far_from(sequence)) {
            self.finish(at, key, ready);
        }
        if !self.streams.contains_key(&key) {
            if segment.bytes.is_empty() && !segment.opens {
                return;
            }
            if self.streams.len() == MOST_STREAMS {
                let idle =
                    self.streams.iter().min_by_key(|(_, stream)| stream.last_heard).map(|(key, _)| *key);
                if let Some(idle) = idle {
                    self.finish(at, idle, ready);
                }
            }
            self.streams.insert(key, Stream::starting_at(sequence, at));
        }
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.last_heard = at;
        let mut out = Out { at, key, ready };
        stream.take(sequence, segment.bytes, &mut out);
        if stream.waiting.len() > MOST_WAITING || stream.waiting_bytes > MOST_WAITING_BYTES {
            self.gaps += stream.jump(&mut out);
        }
        if segment.closes && stream.waiting.is_empty() {
            self.streams.remove(&key);
        }
    }

    /// Nothing more comes: gives out what waits, behind gaps.
    pub(super) fn end(&mut self, ready: &mut VecDeque<Datagram>) {
        let mut rest: Vec<_> = self.streams.iter().map(|(key, stream)| (stream.last_heard, *key)).collect();
        rest.sort_unstable();
        for (at, key) in rest {
            self.finish(at, key, ready);
        }
    }

    fn finish(&mut self, at: Duration, key: (SocketAddr, SocketAddr), ready: &mut VecDeque<Datagram>) {
        let Some(mut stream) = self.streams.remove(&key) else { return };
        while !stream.waiting.is_empty() {
            self.gaps += stream.jump(&mut Out { at, key, ready });
        }
    }
}

/// Where a stream's bytes go.
struct Out<'a> {
    at: Duration,
    key: (SocketAddr, SocketAddr),
    ready: &'a mut VecDeque<Datagram>,
}

impl Stream {
    fn starting_at(next: u32, at: Duration) -> Self {
        Self { last_heard: at, next, follows: false, waiting: Vec::new(), waiting_bytes: 0 }
    }

    /// How far `sequence` is ahead of what is expected (RFC 9293 section 3.4: modulo 2³²).
    fn ahead(&self, sequence: u32) -> i32 {
        sequence.wrapping_sub(self.next) as i32
    }

    fn is_far_from(&self, sequence: u32) -> bool {
        !(-FARTHEST..=FARTHEST).contains(&self.ahead(sequence))
    }

    fn take(&mut self, sequence: u32, bytes: &[u8], out: &mut Out<'_>) {
        if bytes.is_empty() {
            return;
        }
        if self.ahead(sequence) > 0 {
            let next = self.next;
            let place = self
                .waiting
                .partition_point(|(other, _)| other.wrapping_sub(next) <= sequence.wrapping_sub(next));
            self.waiting_bytes += bytes.len();
            self.waiting.insert(place, (sequence, Bytes::copy_from_slice(bytes)));
            return;
        }
        self.give(sequence, Bytes::copy_from_slice(bytes), out);
        self.give_what_now_follows(out);
    }

    /// Gives out `bytes` less what was given before; they must not be early.
    fn give(&mut self, sequence: u32, mut bytes: Bytes, out: &mut Out<'_>) {
        let known = usize::try_from(i64::from(self.ahead(sequence)).unsigned_abs()).unwrap_or(usize::MAX);
        if known >= bytes.len() {
            return;
        }
        let payload = bytes.split_off(known);
        self.next = self.next.wrapping_add(payload.len() as u32);
        let transport = Transport::Tcp { follows: self.follows };
        self.follows = true;
        let (src, dst) = out.key;
        out.ready.push_back(Datagram { at: out.at, src, dst, transport, payload });
    }

    fn give_what_now_follows(&mut self, out: &mut Out<'_>) {
        while let Some((sequence, _)) = self.waiting.first()
            && self.ahead(*sequence) <= 0
        {
            let (sequence, bytes) = self.waiting.remove(0);
            self.waiting_bytes -= bytes.len();
            self.give(sequence, bytes, out);
        }
    }

    /// Goes on behind a gap; gives how many gaps that were.
    fn jump(&mut self, out: &mut Out<'_>) -> u64 {
        let Some((sequence, _)) = self.waiting.first() else { return 0 };
        self.next = *sequence;
        self.follows = false;
        self.give_what_now_follows(out);
        1
    }
}
