//! One conversation captured at two hops: on both sides of a proxy, a session border controller or a PBX.
//!
//! A hop may change addresses, SSRC, sequence numbers and Call-ID; unless it transcodes, it leaves the payloads. Two
//! calls in which the same payloads pass at the same time, in both directions, are one call seen twice.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sidetone_call::Side;
use sidetone_rtp::RtpView;

use super::doubt::Doubt;
use super::recording::{Happening, Origin, Recording};

/// How long a payload takes from hop to hop at most, a jitter buffer included.
const PASSAGE: Duration = Duration::from_millis(500);
/// Payloads compared in all; of more, a fair sample is.
const MOST_COMPARED: usize = 500_000;
/// Places at which a payload may be found before it is taken for a common sound: silence, a tone.
const MOST_PLACES: usize = 8;
/// Fewer payloads in common than this prove nothing.
const FEWEST: u32 = 5;
/// The part of a party's payloads that must be found again.
const SHARE: f64 = 0.3;

/// A party's voice: index of the call, and its side there.
type Voice = (usize, Side);

/// Where and when a payload was heard.
#[derive(Debug, Clone, Copy)]
struct Place {
    voice: Voice,
    at: Duration,
    ssrc: u32,
}

/// The packets that two voices have in common.
#[derive(Debug, Clone, Copy, Default)]
struct Common {
    payloads: u32,
    /// Of these, from one source: such a hop changes nothing of RTP.
    by_one_ssrc: u32,
}

/// Leaves of each conversation the one call that tells most of it; gives how many were left out.
pub(super) fn leave_one_each(recordings: &mut Vec<Recording>) -> u64 {
    let voices = Voices::of(recordings);
    let views: Vec<(usize, usize, bool)> = voices
        .pairs()
        .into_iter()
        .filter_map(|(a, b)| voices.one_conversation(a, b).map(|crossed| (a, b, crossed)))
        .collect();
    // Of every two views, before any is left out: a third one may stand between them.
    for (a, b, _) in views.iter().filter(|(_, _, crossed)| *crossed) {
        let are_signalled =
            [a, b].iter().all(|index| recordings.get(**index).is_some_and(Recording::caller_is_known));
        for index in [a, b].into_iter().filter(|_| are_signalled) {
            if let Some(recording) = recordings.get_mut(*index) {
                recording.doubt_that(Doubt::LegsContradict);
            }
        }
    }
    let mut gone = vec![false; recordings.len()];
    for (a, b, crossed) in views {
        let is_gone = |index: usize| gone.get(index).copied().unwrap_or(true);
        if is_gone(a) || is_gone(b) {
            continue;
        }
        let Ok([first, second]) = recordings.get_disjoint_mut([a, b]) else { continue };
        let (winner, view, loser) =
            if worth(first) >= worth(second) { (first, second, b) } else { (second, first, a) };
        winner.absorb(view, crossed);
        if let Some(gone) = gone.get_mut(loser) {
            *gone = true;
        }
    }
    let mut index = 0;
    recordings.retain(|_| {
        index += 1;
        !gone.get(index - 1).copied().unwrap_or(false)
    });
    gone.iter().filter(|gone| **gone).count() as u64
}

/// Signalling tells most; then, who began first stands nearer to the caller.
fn worth(recording: &Recording) -> (bool, bool, std::cmp::Reverse<Duration>) {
    let is_signalled = matches!(recording.origin(), Origin::Sip { .. });
    (recording.caller_is_known(), is_signalled, std::cmp::Reverse(recording.began()))
}

/// The packets that all voices have in common.
#[derive(Debug, Default)]
struct Voices {
    heard: HashMap<Voice, u32>,
    common: HashMap<(Voice, Voice), Common>,
}

impl Voices {
    fn of(recordings: &[Recording]) -> Self {
        let hasher = RandomState::new();
        let all: usize = recordings.iter().map(Recording::packets).sum();
        // By their content, so that a payload is in the sample of every hop or of none.
        let one_in = (all / MOST_COMPARED + 1) as u64;
        let mut voices = Self::default();
        let mut places: HashMap<u64, Vec<Place>> = HashMap::new();
        for (index, recording) in recordings.iter().enumerate() {
            for (at, happening) in recording.replay() {
                let Happening::Packet { side, rtp, .. } = happening else { continue };
                let Some((payload, ssrc)) = telling(rtp) else { continue };
                let hash = hasher.hash_one(payload);
                if hash % one_in != 0 {
                    continue;
                }
                let place = Place { voice: (index, side), at: recording.began() + at, ssrc };
                *voices.heard.entry(place.voice).or_default() += 1;
                let known = places.entry(hash).or_default();
                if known.len() < MOST_PLACES {
                    known.push(place);
                }
            }
        }
        for places in places.values().filter(|places| places.len() < MOST_PLACES) {
            voices.compare(places);
        }
        voices
    }

    /// Counts a payload for every two calls that it was heard in at about the same time.
    fn compare(&mut self, places: &[Place]) {
        for (n, a) in places.iter().enumerate() {
            for b in places.iter().skip(n + 1) {
                let apart = a.at.abs_diff(b.at);
                if a.voice.0 != b.voice.0 && apart <= PASSAGE {
                    let (a, b) = if a.voice.0 < b.voice.0 { (a, b) } else { (b, a) };
                    let common = self.common.entry((a.voice, b.voice)).or_default();
                    common.payloads += 1;
                    common.by_one_ssrc += u32::from(a.ssrc == b.ssrc);
                }
            }
        }
    }

    /// Calls with something in common, in the order of their indices.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<_> = self.common.keys().map(|((a, _), (b, _))| (*a, *b)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    /// Whether two calls are one conversation, and if so whether the caller of one is the one called in the other.
    fn one_conversation(&self, a: usize, b: usize) -> Option<bool> {
        let straight = |side: Side| side;
        let crossed = || self.agree(a, b, Side::other).then_some(true);
        self.agree(a, b, straight).then_some(false).or_else(crossed)
    }

    /// Whether each party of one call is the party of the other that `turned` says. Music for those who wait is the
    /// same in many calls, so one voice in common is not enough while both parties can be heard.
    fn agree(&self, a: usize, b: usize, turned: impl Fn(Side) -> Side) -> bool {
        let (mut in_common, mut one_way) = (0, false);
        for side in [Side::Trunk, Side::Pbx] {
            let (ours, theirs) = ((a, side), (b, turned(side)));
            let heard = |voice| self.heard.get(&voice).copied().unwrap_or(0);
            let fewer = heard(ours).min(heard(theirs));
            if fewer < FEWEST {
                one_way = true;
                continue;
            }
            let common = self.common.get(&(ours, theirs)).copied().unwrap_or_default();
            if common.payloads < FEWEST || f64::from(common.payloads) < SHARE * f64::from(fewer) {
                return false;
            }
            in_common += common.payloads;
        }
        let by_one_ssrc: u32 = [Side::Trunk, Side::Pbx]
            .iter()
            .filter_map(|side| self.common.get(&((a, *side), (b, turned(*side)))))
            .map(|common| common.by_one_ssrc)
            .sum();
        in_common > 0 && (!one_way || by_one_ssrc * 2 > in_common)
    }
}

/// A packet's payload, if it is one that is hardly heard twice: silence and steady tones repeat themselves.
fn telling(rtp: &[u8]) -> Option<(&[u8], u32)> {
    const SHORTEST: usize = 20;
    const FEWEST_VALUES: usize = 8;
    let view = RtpView::parse(rtp).ok()?;
    let payload = view.payload();
    let mut seen = [false; 256];
    for byte in payload {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let values = seen.iter().filter(|seen| **seen).count();
    (payload.len() >= SHORTEST && values >= FEWEST_VALUES).then_some((payload, view.ssrc()))
}
