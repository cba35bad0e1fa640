//! Fragmented IP packets put together again.
//!
//! Bounded in packets, fragments, bytes and time. A packet with overlapping fragments is given up (RFC 5722 asks that
//! of IPv6; on IPv4 it is as surely an attack or damage).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Packets in the making at once; beyond it the oldest is given up.
const MOST_PACKETS: usize = 256;
/// Fragments of one packet: 64 KiB over the smallest permitted link of IPv4 is fewer.
const MOST_FRAGMENTS: usize = 128;
/// The longest payload of an IP packet.
const LONGEST: usize = 65_535;
/// How long the fragments of a packet may take (RFC 8200 section 4.5: 60 s; captures see no such delays).
const PATIENCE: Duration = Duration::from_secs(30);

/// How late copies of fragments may be. An identification isn't used again so soon.
const MIRRORED: Duration = Duration::from_millis(100);

/// The fields that fragments of one packet have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) protocol: u8,
    pub(super) id: u32,
}

/// Packets in the making.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    packets: HashMap<Key, Partial>,
    /// Packets that have just become whole: their fragments may come once more, from a mirror.
    done: VecDeque<(Key, Duration)>,
    lost: u64,
}

#[derive(Debug)]
struct Partial {
    since: Duration,
    /// The pieces by offset, without overlap.
    pieces: Vec<(usize, Vec<u8>)>,
    /// Where the packet ends, once its last fragment came.
    end: Option<usize>,
}

impl Fragments {
    /// Packets that never became whole.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes a fragment; gives the whole payload if it was the last one missing.
    pub(super) fn push(
        &mut self,
        at: Duration,
        key: Key,
        offset: usize,
        last: bool,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        while self.done.front().is_some_and(|(_, when)| at.saturating_sub(*when) > MIRRORED) {
            self.done.pop_front();
        }
        if self.done.iter().any(|(done, _)| *done == key) {
            return None;
        }
        if self.packets.get(&key).is_some_and(|packet| at.saturating_sub(packet.since) > PATIENCE) {
            self.give_up(&key);
        }
        if !self.packets.contains_key(&key) && self.packets.len() == MOST_PACKETS {
            let oldest = self.packets.iter().min_by_key(|(_, packet)| packet.since).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.give_up(&oldest);
            }
        }
        let packet = self.packets.entry(key).or_insert(Partial { since: at, pieces: Vec::new(), end: None });
        if packet.insert(offset, last, bytes).is_err() {
            self.give_up(&key);
            return None;
        }
        let whole = packet.whole()?;
        self.packets.remove(&key);
        if self.done.len() == MOST_PACKETS {
            self.done.pop_front();
        }
        self.done.push_back((key, at));
        Some(whole)
    }

    /// Nothing more comes: what is in the making is lost.
    pub(super) fn end(&mut self) {
        self.lost += self.packets.len() as u64;
        self.packets.clear();
    }

    fn give_up(&mut self, key: &Key) {
        if self.packets.remove(key).is_some() {
            self.lost += 1;
        }
    }
}

/// Fragments that contradict each other.
struct Contradiction;

impl Partial {
    fn insert(&mut self, offset: usize, last: bool, bytes: &[u8]) -> Result<(), Contradiction> {
        let end = offset + bytes.len();
        let index = self.pieces.partition_point(|(other, _)| *other < offset);
        if self.pieces.get(index).is_some_and(|(other, piece)| *other == offset && piece == bytes) {
            return Ok(()); // captured twice
        }
        let before = index.checked_sub(1).and_then(|index| self.pieces.get(index));
        let overlaps = before.is_some_and(|(other, piece)| other + piece.len() > offset)
            || self.pieces.get(index).is_some_and(|(other, _)| *other < end);
        let beyond = self.end.is_some_and(|known| end > known || last)
            || (last && self.pieces.last().is_some_and(|(other, piece)| other + piece.len() > end));
        let ragged = !last && !bytes.len().is_multiple_of(8);
        if overlaps
            || beyond
            || ragged
            || end > LONGEST
            || bytes.is_empty()
            || self.pieces.len() == MOST_FRAGMENTS
        {
            return Err(Contradiction);
        }
        if last {
            self.end = Some(end);
        }
        self.pieces.insert(index, (offset, bytes.to_vec()));
        Ok(())
    }

    /// The payload, if no piece is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let end = self.end?;
        if self.pieces.iter().map(|(_, piece)| piece.len()).sum::<usize>() != end {
            return None;
        }
        Some(self.pieces.iter().flat_map(|(_, piece)| piece).copied().collect())
    }
}
