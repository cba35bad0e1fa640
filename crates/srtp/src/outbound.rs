//! Packets to a party: numbered, encrypted, tagged.

use std::collections::BTreeMap;

use ring::rand::{SecureRandom, SystemRandom};
use sidetone_call::Keying;

use crate::index::{self, Place, Reached, Window};
use crate::packet::{Header, RTCP_HEADER, renumber, rtcp_sender};
use crate::transform::{Number, Of, Transform};
use crate::{Fault, MOST_TRAILER};

/// Sources whose state is at hand. The one not heard for the longest gives way.
const MOST_SOURCES: usize = 64;
/// Sources that one key protects. Of those that gave way the highest index is kept: one that came back and began anew
/// would repeat its indices, and with them the key stream. So there is an end to them.
const MOST_EVER: usize = 16_384;
/// SRTCP's indices have 31 bits.
const MOST_RTCP: u32 = (1 << 31) - 1;

/// RTCP packets that are left out where it is not known how many were sent, and as many again at most, by chance: two
/// processes that go on from the same count, one killed at once, don't use the same ones.
const LEFT_OUT: u32 = 1 << 20;
/// The same of RTP where its sender begins anew: more than is sent between two looks at how far it is. Few enough to be
/// no roll-over to the receiver.
const RTP_LEFT_OUT: u64 = 1 << 12;

/// What protects the packets to one party under one master key.
pub struct Outbound {
    keying: Keying,
    rtp: Transform,
    rtcp: Transform,
    /// The one heard last stands at the end.
    sources: Vec<Source>,
    /// Highest index of each source that gave way.
    gone: BTreeMap<u32, u64>,
    /// Sources that are not known here may have sent under this key: none begins.
    closed: bool,
    /// Index of the next RTCP packet; one count for all sources keeps each one's indices distinct.
    reports: u32,
}

/// A source, with the numbers under which its packets leave.
///
/// A plain sender may begin its numbers anew without changing its SSRC (a transfer behind a PBX, an announcement). Its
/// peer's roll-over estimate could not follow, and the call would be silent one way: so its packets are numbered on
/// from the highest that has left.
struct Source {
    ssrc: u32,
    window: Window,
    /// Added to the sender's sequence numbers.
    offset: u16,
    /// The sequence number that would confirm that the sender has begun anew (RFC 3550 appendix A.1).
    expected: Option<u16>,
    /// It goes on from an earlier process, which may have sent more than is known.
    resumed: bool,
}

impl Outbound {
    /// Derives the session keys.
    ///
    /// # Errors
    /// As [`Inbound::new`](crate::Inbound::new).
    pub fn new(keying: Keying) -> Result<Self, Fault> {
        let (rtp, rtcp) = (Transform::new(&keying, Of::Rtp)?, Transform::new(&keying, Of::Rtcp)?);
        Ok(Self { keying, rtp, rtcp, sources: Vec::new(), gone: BTreeMap::new(), closed: false, reports: 0 })
    }

    /// Roll-overs of all its sources: a number that changes when one goes on.
    #[must_use]
    pub fn rollovers(&self) -> u64 {
        self.sources.iter().map(|source| source.window.highest() >> 16).sum()
    }

    /// How often its sources have begun their numbers anew, put together: a number that changes when one does.
    #[must_use]
    pub fn offsets(&self) -> u64 {
        let each = self.sources.iter().map(|source| u64::from(source.ssrc) + u64::from(source.offset));
        each.fold(0, u64::wrapping_add)
    }

    /// How far it has got.
    #[must_use]
    pub fn reached(&self) -> Reached {
        let of = |source: &Source| index::Source {
            ssrc: source.ssrc,
            highest: source.window.highest(),
            offset: source.offset,
        };
        let closed = self.closed || !self.gone.is_empty();
        Reached {
            rtp: self.sources.iter().map(of).collect(),
            rtcp: Vec::new(),
            reports: self.reports,
            closed,
        }
    }

    /// Goes on from where a context of the same key had got to. What that may have sent since then is unknown, as after
    /// a crash: numbers of RTP are the senders', which go on by themselves; of RTCP as many are left out as nobody
    /// sends meanwhile.
    pub fn go_on(&mut self, from: &Reached) {
        for source in from.rtp.iter().take(MOST_SOURCES) {
            self.sources.retain(|known| known.ssrc != source.ssrc);
            let (ssrc, offset, window) = (source.ssrc, source.offset, Window::resumed(source.highest));
            self.sources.push(Source { ssrc, window, offset, expected: None, resumed: true });
        }
        let skip = LEFT_OUT + by_chance() % LEFT_OUT;
        self.reports = self.reports.max(from.reports.saturating_add(skip));
        self.closed |= from.closed;
    }

    /// The master key.
    #[must_use]
    pub const fn keying(&self) -> &Keying {
        &self.keying
    }

    /// A source's roll-over counter, if a packet of it was protected.
    #[must_use]
    pub fn rollover(&self, ssrc: u32) -> Option<u32> {
        let source = self.sources.iter().find(|source| source.ssrc == ssrc)?;
        u32::try_from(source.window.highest() >> 16).ok()
    }

    /// Takes over a roll-over counter and the highest sequence number from before, as after a restart.
    pub fn resume(&mut self, ssrc: u32, rollover: u32, sequence: u16) {
        let index = u64::from(rollover) << 16 | u64::from(sequence);
        self.sources.retain(|source| source.ssrc != ssrc);
        self.sources.push(Source {
            ssrc,
            window: Window::resumed(index),
            offset: 0,
            expected: None,
            resumed: true,
        });
    }

    /// Protects the RTP packet of `length` bytes at the buffer's start, and gives its length with the tag.
    ///
    /// # Errors
    /// [`Fault::NoRoom`] if fewer than [`MOST_TRAILER`] bytes lie behind the packet; [`Fault::Replayed`] and
    /// [`Fault::TooOld`] for a number that has left already, since a number's key stream must not be used twice;
    /// [`Fault::TooManySources`], [`Fault::KeyExhausted`], [`Fault::Malformed`].
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Fault> {
        let packet = buffer.get(..length).ok_or(Fault::Malformed)?;
        room(buffer, length)?;
        let header = Header::read(packet)?;
        let index = self.index(header)?;
        let rollover = u32::try_from(index >> 16).map_err(|_| Fault::KeyExhausted)?;
        let packet = buffer.get_mut(..length).ok_or(Fault::Malformed)?;
        renumber(packet, (index & 0xffff) as u16);
        let number = Number { ssrc: header.ssrc, index };
        let tag = self.rtp.seal(number, packet, header.length, rollover.to_be_bytes())?;
        append(buffer, length, tag.get(..self.rtp.tag_length()).unwrap_or_default())
    }

    /// The index under which a packet leaves.
    fn index(&mut self, header: Header) -> Result<u64, Fault> {
        let Some(at) = self.sources.iter().position(|source| source.ssrc == header.ssrc) else {
            return self.begin(header);
        };
        if at + 1 != self.sources.len() {
            self.sources.get_mut(at..).unwrap_or_default().rotate_left(1);
        }
        let source = self.sources.last_mut().ok_or(Fault::Malformed)?;
        let sequence = header.sequence.wrapping_add(source.offset);
        let index = index::estimate(source.window.highest(), sequence);
        let index = match index.map(|index| (index, source.window.place(index))) {
            Some((index, Place::New)) => index,
            Some((_, Place::Seen)) => return Err(Fault::Replayed),
            None | Some((_, Place::Before)) if source.expected == Some(header.sequence) => {
                let left_out = if std::mem::take(&mut source.resumed) { RTP_LEFT_OUT } else { 0 };
                let next = source.window.highest() + 1 + left_out;
                source.offset = ((next & 0xffff) as u16).wrapping_sub(header.sequence);
                next
            }
            None | Some((_, Place::Before)) => {
                source.expected = Some(header.sequence.wrapping_add(1));
                return Err(Fault::TooOld);
            }
        };
        source.expected = None;
        source.window.note(index);
        Ok(index)
    }

    /// The index of a source's first packet, or of one that gave way and is back.
    fn begin(&mut self, header: Header) -> Result<u64, Fault> {
        let most = self.closed || self.sources.len() + self.gone.len() >= MOST_EVER;
        if most && !self.gone.contains_key(&header.ssrc) {
            return Err(Fault::TooManySources);
        }
        if self.sources.len() >= MOST_SOURCES {
            let longest = self.sources.remove(0);
            self.gone.insert(longest.ssrc, longest.window.highest());
        }
        let (index, offset, window) = match self.gone.remove(&header.ssrc) {
            // Numbered on from where it was. Which numbers before that have left nobody knows any more: none of them
            // leaves again.
            Some(highest) => {
                let next = highest + 1;
                (next, (next as u16).wrapping_sub(header.sequence), Window::resumed(next))
            }
            None => (u64::from(header.sequence), 0, Window::begun(header.sequence.into())),
        };
        self.sources.push(Source { ssrc: header.ssrc, window, offset, expected: None, resumed: false });
        Ok(index)
    }

    /// Protects the RTCP packet of `length` bytes at the buffer's start, and gives its length with index and tag.
    ///
    /// # Errors
    /// As [`Self::protect`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Fault> {
        let packet = buffer.get(..length).ok_or(Fault::Malformed)?;
        room(buffer, length)?;
        let ssrc = rtcp_sender(packet)?;
        if self.reports > MOST_RTCP {
            return Err(Fault::KeyExhausted);
        }
        let word = (1 << 31 | self.reports).to_be_bytes();
        let number = Number { ssrc, index: u64::from(self.reports) };
        self.reports += 1;
        let packet = buffer.get_mut(..length).ok_or(Fault::Malformed)?;
        let tag = self.rtcp.seal(number, packet, RTCP_HEADER, word)?;
        let tag = tag.get(..self.rtcp.tag_length()).unwrap_or_default();
        // With GCM the tag belongs to the ciphertext and the index follows it (RFC 7714 §9.2).
        if self.rtcp.spoils() {
            let length = append(buffer, length, tag)?;
            append(buffer, length, &word)
        } else {
            let length = append(buffer, length, &word)?;
            append(buffer, length, tag)
        }
    }
}

/// A number that nobody knows; none, if the system has no randomness: fewer are left out then.
fn by_chance() -> u32 {
    let mut bytes = [0; 4];
    let _ = SystemRandom::new().fill(&mut bytes);
    u32::from_be_bytes(bytes)
}

fn room(buffer: &[u8], length: usize) -> Result<(), Fault> {
    if buffer.len() - length < MOST_TRAILER { Err(Fault::NoRoom) } else { Ok(()) }
}

fn append(buffer: &mut [u8], length: usize, bytes: &[u8]) -> Result<usize, Fault> {
    let end = length + bytes.len();
    buffer.get_mut(length..end).ok_or(Fault::NoRoom)?.copy_from_slice(bytes);
    Ok(end)
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("keying", &self.keying).finish_non_exhaustive()
    }
}
