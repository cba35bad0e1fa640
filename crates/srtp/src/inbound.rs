//! Packets from a party: authenticated, checked for replay, decrypted.

use std::collections::BTreeMap;

use sidetone_call::Keying;

use crate::Fault;
use crate::index::{self, Place, Reached, Window};
use crate::packet::{Header, RTCP_HEADER, rtcp_sender};
use crate::transform::{Number, Of, Transform};

/// Most sources that are remembered, of RTP and RTCP each. A source is remembered once a packet of it is authentic; the
/// one not heard for the longest gives way.
const MOST_SOURCES: usize = 64;
/// Sources that gave way and whose highest index is kept, of RTP and RTCP each: what they have sent does not open
/// again.
const MOST_GONE: usize = 16_384;
/// The E bit of SRTCP's index word: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// A longer packet is tried with one roll-over count only.
const SCRATCH: usize = 2_048;

/// What unprotects the packets of one party under one master key.
pub struct Inbound {
    keying: Keying,
    rtp: Transform,
    rtcp: Transform,
    sources: Sources,
    reporters: Sources,
    /// A packet as it came, where a cipher spoils it by a failed attempt.
    scratch: Box<[u8; SCRATCH]>,
    /// Counts packets, to tell which source was heard last.
    clock: u64,
}

/// The sources of one kind.
#[derive(Default)]
struct Sources {
    known: Vec<Source>,
    /// Highest index of each source that gave way.
    gone: BTreeMap<u32, u64>,
}

#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    window: Window,
    heard: u64,
}

impl Sources {
    /// What was seen of a source. Of one that gave way all up to its highest index counts as seen.
    fn window(&self, ssrc: u32) -> Option<Window> {
        let known = self.known.iter().find(|source| source.ssrc == ssrc).map(|source| source.window);
        known.or_else(|| self.gone.get(&ssrc).map(|highest| Window::resumed(*highest)))
    }

    /// A packet of a source was authentic.
    fn note(&mut self, ssrc: u32, index: u64, heard: u64) {
        if let Some(source) = self.known.iter_mut().find(|source| source.ssrc == ssrc) {
            source.window.note(index);
            source.heard = heard;
            return;
        }
        let mut window = self.window(ssrc).unwrap_or_else(|| Window::begun(index));
        window.note(index);
        self.gone.remove(&ssrc);
        self.keep(Source { ssrc, window, heard });
    }

    fn reached(&self) -> Vec<index::Source> {
        let of = |source: &Source| index::Source {
            ssrc: source.ssrc,
            highest: source.window.highest(),
            offset: 0,
        };
        self.known.iter().map(of).collect()
    }

    fn go_on(&mut self, from: &[index::Source]) {
        for source in from.iter().take(MOST_SOURCES) {
            self.keep(Source { ssrc: source.ssrc, window: Window::resumed(source.highest), heard: 0 });
        }
    }

    fn keep(&mut self, source: Source) {
        self.known.retain(|known| known.ssrc != source.ssrc);
        if self.known.len() >= MOST_SOURCES {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, source)| source.heard);
            if let Some(at) = oldest.map(|(at, _)| at) {
                let oldest = self.known.swap_remove(at);
                if self.gone.len() >= MOST_GONE {
                    self.gone.pop_first();
                }
                self.gone.insert(oldest.ssrc, oldest.window.highest());
            }
        }
        self.known.push(source);
    }
}

impl Inbound {
    /// Derives the session keys.
    ///
    /// # Errors
    /// Never for a [`Keying`] of a suite's own length; the ciphers' interfaces allow for it.
    pub fn new(keying: Keying) -> Result<Self, Fault> {
        let (rtp, rtcp) = (Transform::new(&keying, Of::Rtp)?, Transform::new(&keying, Of::Rtcp)?);
        Ok(Self {
            keying,
            rtp,
            rtcp,
            sources: Sources::default(),
            reporters: Sources::default(),
            scratch: Box::new([0; SCRATCH]),
            clock: 0,
        })
    }

    /// Roll-overs of all its sources: a number that changes when one goes on.
    #[must_use]
    pub fn rollovers(&self) -> u64 {
        self.sources.known.iter().map(|source| source.window.highest() >> 16).sum()
    }

    /// How far it has got.
    #[must_use]
    pub fn reached(&self) -> Reached {
        let closed = !(self.sources.gone.is_empty() && self.reporters.gone.is_empty());
        Reached { rtp: self.sources.reached(), rtcp: self.reporters.reached(), reports: 0, closed }
    }

    /// Goes on from where a context of the same key had got to: what was seen by then is not opened again.
    pub fn go_on(&mut self, from: &Reached) {
        self.sources.go_on(&from.rtp);
        self.reporters.go_on(&from.rtcp);
    }

    /// The master key.
    #[must_use]
    pub const fn keying(&self) -> &Keying {
        &self.keying
    }

    /// A source's roll-over counter (RFC 3711 §3.3.1), if it was heard.
    #[must_use]
    pub fn rollover(&self, ssrc: u32) -> Option<u32> {
        u32::try_from(self.sources.window(ssrc)?.highest() >> 16).ok()
    }

    /// Takes over a roll-over counter and the highest sequence number from before, as after a restart.
    pub fn resume(&mut self, ssrc: u32, rollover: u32, sequence: u16) {
        let index = u64::from(rollover) << 16 | u64::from(sequence);
        self.clock += 1;
        self.sources.keep(Source { ssrc, window: Window::begun(index), heard: self.clock });
    }

    /// Unprotects an RTP packet in place and gives its length, without the tag. A packet that is refused changes no
    /// state of ours; its bytes may have changed.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::NotAuthentic`], [`Fault::Replayed`], [`Fault::TooOld`].
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Fault> {
        let header = Header::read(packet)?;
        // A sender may begin at 65535: then the packets before the first roll-over may have been lost.
        self.unprotect_from(header, packet, if header.sequence < 0x8000 { 2 } else { 1 })
    }

    /// As [`Self::unprotect`], and for a source that was not heard yet, each roll-over count below `counts` is tried:
    /// for a recording that begins when a call has gone on for long. Each costs a tag.
    ///
    /// # Errors
    /// As [`Self::unprotect`].
    pub fn unprotect_in_midst(&mut self, packet: &mut [u8], counts: u32) -> Result<usize, Fault> {
        let header = Header::read(packet)?;
        self.unprotect_from(header, packet, counts)
    }

    fn unprotect_from(&mut self, header: Header, packet: &mut [u8], counts: u32) -> Result<usize, Fault> {
        let (body, tag_at) = self.rtp_body(packet.len(), header.length)?;
        let mki_at = if self.rtp.spoils() { body + self.rtp.tag_length() } else { body };
        if !has_mki(packet, mki_at, self.keying.mki()) {
            return Err(Fault::NotAuthentic);
        }
        self.clock += 1;
        let index = match self.sources.window(header.ssrc) {
            Some(window) => {
                let index = index::estimate(window.highest(), header.sequence).ok_or(Fault::TooOld)?;
                match window.place(index) {
                    Place::New => {}
                    Place::Seen => return Err(Fault::Replayed),
                    Place::Before => return Err(Fault::TooOld),
                }
                open(&self.rtp, Number { ssrc: header.ssrc, index }, packet, header.length, body, tag_at)?;
                index
            }
            None => self.first_index(header, packet, (body, tag_at), counts)?,
        };
        self.sources.note(header.ssrc, index, self.clock);
        Ok(body)
    }

    /// The index of a source's first packet here, which is decrypted: with the lowest roll-over count below `counts`
    /// that makes it authentic.
    fn first_index(
        &mut self,
        header: Header,
        packet: &mut [u8],
        (body, tag_at): (usize, usize),
        counts: u32,
    ) -> Result<u64, Fault> {
        let length = packet.len();
        let spoils = self.rtp.spoils();
        // What can't be restored is tried once.
        let counts = if spoils && length > SCRATCH { 1 } else { counts };
        if spoils
            && counts > 1
            && let Some(kept) = self.scratch.get_mut(..length)
        {
            kept.copy_from_slice(packet);
        }
        let mut fault = Fault::NotAuthentic;
        for count in 0..counts {
            if spoils
                && count > 0
                && let Some(kept) = self.scratch.get(..length)
            {
                packet.copy_from_slice(kept);
            }
            let index = u64::from(count) << 16 | u64::from(header.sequence);
            match open(&self.rtp, Number { ssrc: header.ssrc, index }, packet, header.length, body, tag_at) {
                Ok(()) => return Ok(index),
                Err(failed) => fault = failed,
            }
        }
        Err(fault)
    }

    /// Unprotects an RTCP packet in place and gives its length, without index and tag.
    ///
    /// # Errors
    /// As [`Self::unprotect`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Fault> {
        let ssrc = rtcp_sender(packet)?;
        let tag = self.rtcp.tag_length();
        let mki = self.keying.mki();
        // With AES in counter mode the index stands before identifier and tag; with GCM behind the tag, before the
        // identifier (RFC 7714 §9.2).
        let behind_tag = self.rtcp.spoils();
        let body = packet.len().checked_sub(4 + mki.len() + tag).filter(|body| *body >= RTCP_HEADER);
        let body = body.ok_or(Fault::Malformed)?;
        let (index_at, tag_at, mki_at) = if behind_tag {
            (body + tag, body, body + tag + 4)
        } else {
            (body, body + 4 + mki.len(), body + 4)
        };
        let word = packet.get(index_at..).and_then(<[u8]>::first_chunk::<4>);
        let word = word.copied().ok_or(Fault::Malformed)?;
        if !has_mki(packet, mki_at, mki) {
            return Err(Fault::NotAuthentic);
        }
        let value = u32::from_be_bytes(word);
        let index = u64::from(value & !ENCRYPTED);
        match self.reporters.window(ssrc).map(|window| window.place(index)) {
            None | Some(Place::New) => {}
            Some(Place::Seen) => return Err(Fault::Replayed),
            Some(Place::Before) => return Err(Fault::TooOld),
        }
        let mut bytes = [0; 16];
        let kept = bytes.get_mut(..tag).ok_or(Fault::Malformed)?;
        kept.copy_from_slice(packet.get(tag_at..tag_at + tag).ok_or(Fault::Malformed)?);
        let number = Number { ssrc, index };
        if value & ENCRYPTED == 0 {
            let clear = packet.get_mut(..body).ok_or(Fault::Malformed)?;
            self.rtcp.verify(number, clear, word, kept)?;
        } else {
            let end = if behind_tag { body + tag } else { body };
            let secret = packet.get_mut(..end).ok_or(Fault::Malformed)?;
            self.rtcp.open(number, secret, RTCP_HEADER, word, kept)?;
        }
        self.clock += 1;
        self.reporters.note(ssrc, index, self.clock);
        Ok(body)
    }

    /// The length of a packet without its trailer, and where the tag begins: behind the master key identifier, or with
    /// GCM before it (RFC 7714 §8.2).
    fn rtp_body(&self, length: usize, header: usize) -> Result<(usize, usize), Fault> {
        let (tag, mki) = (self.rtp.tag_length(), self.keying.mki().len());
        let body = length.checked_sub(tag + mki).filter(|body| *body >= header).ok_or(Fault::Malformed)?;
        Ok((body, if self.rtp.spoils() { body } else { body + mki }))
    }
}

/// Whether the master key identifier stands in the packet.
fn has_mki(packet: &[u8], at: usize, mki: &[u8]) -> bool {
    mki.is_empty() || packet.get(at..).is_some_and(|rest| rest.starts_with(mki))
}

/// Opens an RTP packet.
fn open(
    transform: &Transform,
    number: Number,
    packet: &mut [u8],
    header: usize,
    body: usize,
    tag_at: usize,
) -> Result<(), Fault> {
    let rollover = u32::try_from(number.index >> 16).map_err(|_| Fault::KeyExhausted)?;
    let length = transform.tag_length();
    let mut tag = [0; 16];
    let tag = tag.get_mut(..length).ok_or(Fault::Malformed)?;
    tag.copy_from_slice(packet.get(tag_at..tag_at + length).ok_or(Fault::Malformed)?);
    let end = if transform.spoils() { tag_at + length } else { body };
    let packet = packet.get_mut(..end).ok_or(Fault::Malformed)?;
    transform.open(number, packet, header, rollover.to_be_bytes(), tag)
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("keying", &self.keying).finish_non_exhaustive()
    }
}
