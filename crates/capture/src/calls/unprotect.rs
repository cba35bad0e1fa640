//! Protected packets of a capture opened, each with the key of the party that has sent it.
//!
//! Which key that is, the packet's own tag proves: all that may be it are tried, the likeliest first. What none opens
//! is handed on only where the descriptions say that it is plain, so that nobody hears noise.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{Side, Untappable};
use sidetone_rtp::RtpView;
use sidetone_srtp::{Fault, Inbound};

use super::addresses::Route;
use super::keys::{Expected, Keys, MOST_TRIED, Party};

/// Voices followed; the protected packets of more are not opened.
const MOST_VOICES: usize = 32_768;
/// Keys that have opened packets of a voice and are kept ready; of more, the one not used for the longest gives way.
const MOST_READY: usize = 4;
/// Keys kept ready in all: each takes some 6 KB.
const MOST_READY_IN_ALL: usize = 32_768;
/// Sources of a voice that are told apart. No call has as many; more count as one.
const MOST_SOURCES: usize = 64;
/// Packets of a source that are tried with all keys before it is taken for lost, and then one in as many.
const PATIENCE: u32 = 64;
/// Roll-over counts that a source is searched for where its beginning was not captured: 23 hours of packets of 20 ms.
const COUNTS: u32 = 64;
/// Packets of a source for which that search is made.
const SEARCHED: u32 = 3;
/// Sources of a voice for which it is made.
const MOST_SEARCHED: u32 = 16;

/// Who sends packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sender {
    /// A party of a call, by the call's index, with its m-line.
    Party(usize, usize, Side),
    /// Somebody on that way.
    On(Route),
}

/// What has become of a packet.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is plain.
    Plain(Bytes),
    /// It was protected, and is as it was before.
    Opened(Bytes),
    /// It has come before.
    Repeated,
    /// It is protected, and no key opens it.
    Sealed(Untappable),
}

/// Opens the packets of a capture, in order of time.
#[derive(Debug)]
pub(super) struct Unprotect {
    keys: Keys,
    voices: HashMap<(Sender, Route), Voice>,
    ready: usize,
}

/// What is known of a sender's packets on one way.
#[derive(Debug)]
struct Voice {
    expected: Expected,
    /// The one that has opened a packet last first.
    ready: Vec<Inbound>,
    sources: HashMap<u32, Source>,
    /// Sources beyond the bound.
    others: Source,
    searched: u32,
}

/// A sender's SSRC.
#[derive(Debug, Clone, Copy, Default)]
struct Source {
    opened: bool,
    /// Packets in a row that did not open.
    failed: u32,
}

impl Unprotect {
    pub(super) fn new(keys: Keys) -> Self {
        Self { keys, voices: HashMap::new(), ready: 0 }
    }

    /// Opens a packet; `party` is asked for when keys are looked for.
    pub(super) fn open(
        &mut self,
        now: Duration,
        sender: Sender,
        party: impl FnOnce() -> Option<Party>,
        route: Route,
        packet: Bytes,
    ) -> Outcome {
        if !self.keys.any() {
            return Outcome::Plain(packet);
        }
        let key = (sender, route);
        let is_news = self.voices.get(&key).is_none_or(|voice| now >= voice.expected.until);
        if is_news {
            let expected = self.keys.expected(now, party().as_ref(), route);
            if let Some(voice) = self.voices.get_mut(&key) {
                voice.renew(expected);
            } else if self.voices.len() < MOST_VOICES {
                self.voices.insert(key, Voice::new(expected));
            } else {
                return expected.sealed.map_or(Outcome::Plain(packet), Outcome::Sealed);
            }
        }
        let room = self.ready < MOST_READY_IN_ALL;
        let Some(voice) = self.voices.get_mut(&key) else { return Outcome::Plain(packet) };
        let before = voice.ready.len();
        let outcome = voice.open(packet, room);
        self.ready = self.ready + voice.ready.len() - before;
        outcome
    }
}

impl Voice {
    fn new(expected: Expected) -> Self {
        let (ready, sources) = (Vec::new(), HashMap::new());
        Self { expected, ready, sources, others: Source::default(), searched: 0 }
    }

    /// Takes news. A source that was given up gets another chance where there are keys that it was not tried with.
    fn renew(&mut self, expected: Expected) {
        let is_more = expected.keys.iter().any(|key| !self.expected.keys.contains(key));
        self.expected = expected;
        if is_more {
            self.sources.values_mut().chain([&mut self.others]).for_each(|source| source.failed = 0);
            self.searched = 0;
        }
    }

    fn open(&mut self, packet: Bytes, room: bool) -> Outcome {
        let sealed = self.expected.sealed;
        let otherwise = |packet| sealed.map_or(Outcome::Plain(packet), Outcome::Sealed);
        if self.ready.is_empty() && self.expected.keys.is_empty() {
            return otherwise(packet);
        }
        let Ok(ssrc) = RtpView::parse(&packet).map(|rtp| rtp.ssrc()) else { return otherwise(packet) };
        let mut repeated = false;
        for at in 0..self.ready.len() {
            let Some(inbound) = self.ready.get_mut(at) else { break };
            match attempt(inbound, &packet, None) {
                Ok(opened) => {
                    self.ready.swap(0, at);
                    *self.source(ssrc) = Source { opened: true, failed: 0 };
                    return Outcome::Opened(opened);
                }
                // A number that one key has seen may be new under another.
                Err(Fault::Replayed) => repeated = true,
                Err(_) => {}
            }
        }
        let source = *self.source(ssrc);
        let opened = (source.failed < PATIENCE || source.failed.is_multiple_of(PATIENCE))
            .then(|| self.with_other_keys(&packet, source, room))
            .flatten();
        let source = self.source(ssrc);
        match opened {
            Some(opened) => {
                *source = Source { opened: true, failed: 0 };
                Outcome::Opened(opened)
            }
            None if repeated => Outcome::Repeated,
            None => {
                source.failed = source.failed.saturating_add(1);
                otherwise(packet)
            }
        }
    }

    /// Tries keys that have not opened anything yet, and then other roll-over counts.
    fn with_other_keys(&mut self, packet: &[u8], source: Source, room: bool) -> Option<Bytes> {
        let is_searched =
            !source.opened && source.failed < SEARCHED && self.searched < MOST_SEARCHED * SEARCHED;
        self.searched += u32::from(is_searched);
        for counts in [None, is_searched.then_some(COUNTS)].into_iter().take(1 + usize::from(is_searched)) {
            if counts.is_some() {
                let known = self.ready.iter_mut().find_map(|inbound| attempt(inbound, packet, counts).ok());
                if known.is_some() {
                    return known;
                }
            }
            for key in self.expected.keys.iter().take(MOST_TRIED) {
                if self.ready.iter().any(|inbound| inbound.keying() == key) {
                    continue;
                }
                let Ok(mut inbound) = Inbound::new(key.clone()) else { continue };
                let Ok(opened) = attempt(&mut inbound, packet, counts) else { continue };
                if self.ready.len() == MOST_READY || (!room && !self.ready.is_empty()) {
                    self.ready.pop();
                }
                self.ready.insert(0, inbound);
                return Some(opened);
            }
        }
        None
    }

    /// What is known of a source; beyond the bound, of all others together.
    fn source(&mut self, ssrc: u32) -> &mut Source {
        if self.sources.len() == MOST_SOURCES && !self.sources.contains_key(&ssrc) {
            return &mut self.others;
        }
        self.sources.entry(ssrc).or_default()
    }
}

/// Opens a copy of a packet.
fn attempt(inbound: &mut Inbound, packet: &[u8], counts: Option<u32>) -> Result<Bytes, Fault> {
    let mut bytes = packet.to_vec();
    let length = match counts {
        None => inbound.unprotect(&mut bytes)?,
        Some(counts) => inbound.unprotect_in_midst(&mut bytes, counts)?,
    };
    bytes.truncate(length);
    Ok(bytes.into())
}
