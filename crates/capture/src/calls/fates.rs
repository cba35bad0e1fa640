//! What became of a call's protected packets.

use std::time::Duration;

use sidetone_call::{Side, Untappable};

/// Most m-lines of both parties whose packets' fate is told.
const MOST_FATES: usize = 64;

/// Protected packets of a party (SRTP).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protected {
    /// Packets that were opened with a key that the capture or the key log has, and are heard.
    pub opened: u64,
    /// Packets that no such key opens. They are left out.
    pub sealed: u64,
}

/// The fate of the packets of each m-line and party.
#[derive(Debug, Clone, Default)]
pub(super) struct Fates(Vec<Fate>);

#[derive(Debug, Clone, Copy)]
struct Fate {
    stream: usize,
    side: Side,
    heard: u64,
    protected: Protected,
    first: Option<Sealed>,
}

/// The first packet that no key opens: when it came, and the kind of its protection.
pub(super) type Sealed = (Duration, Untappable);

/// The fate of an m-line.
#[derive(Debug)]
pub(super) struct StreamFate {
    pub(super) stream: usize,
    /// Whether packets of any party are heard.
    pub(super) is_heard: bool,
    /// The first that no key opens, of both parties.
    pub(super) first: Option<Sealed>,
    /// Those who sent packets of which none is heard.
    pub(super) unheard: Vec<(Side, Sealed)>,
}

impl Fates {
    fn of(&mut self, stream: usize, side: Side) -> Option<&mut Fate> {
        let at = self.0.iter().position(|fate| (fate.stream, fate.side) == (stream, side));
        let Some(at) = at else {
            if self.0.len() == MOST_FATES {
                return None;
            }
            self.0.push(Fate { stream, side, heard: 0, protected: Protected::default(), first: None });
            return self.0.last_mut();
        };
        self.0.get_mut(at)
    }

    /// A packet is heard.
    pub(super) fn heard(&mut self, stream: usize, side: Side) {
        if let Some(fate) = self.of(stream, side) {
            fate.heard += 1;
        }
    }

    /// A packet was opened.
    pub(super) fn opened(&mut self, stream: usize, side: Side) {
        if let Some(fate) = self.of(stream, side) {
            fate.protected.opened += 1;
        }
    }

    /// A packet came that no key opens.
    pub(super) fn sealed(&mut self, stream: usize, side: Side, sealed: Sealed) {
        if let Some(fate) = self.of(stream, side) {
            fate.protected.sealed += 1;
            fate.first.get_or_insert(sealed);
        }
    }

    /// The parties change their sides.
    pub(super) fn turn(&mut self) {
        self.0.iter_mut().for_each(|fate| fate.side = fate.side.other());
    }

    /// What became of a party's protected packets.
    pub(super) fn protected(&self, side: Side) -> Protected {
        self.0.iter().filter(|fate| fate.side == side).fold(Protected::default(), |sum, fate| Protected {
            opened: sum.opened + fate.protected.opened,
            sealed: sum.sealed + fate.protected.sealed,
        })
    }

    /// The fate of each m-line that had packets.
    pub(super) fn streams(&self) -> Vec<StreamFate> {
        let mut streams: Vec<usize> = self.0.iter().map(|fate| fate.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        let fate_of = |stream| {
            let fates = || self.0.iter().filter(move |fate| fate.stream == stream);
            let unheard = fates().filter(|fate| fate.heard == 0);
            StreamFate {
                stream,
                is_heard: fates().any(|fate| fate.heard > 0),
                first: fates().filter_map(|fate| fate.first).min_by_key(|(at, _)| *at),
                unheard: unheard.filter_map(|fate| Some((fate.side, fate.first?))).collect(),
            }
        };
        streams.into_iter().map(fate_of).collect()
    }
}
