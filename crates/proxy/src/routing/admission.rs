//! Whether a new call is taken: room, rate, drain.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::shares::{PeerName, usual_share};

/// Within this time a caller may repeat an INVITE, as after 401, 407 or 422, without using up rate again.
const REPEATED_WITHIN: Duration = Duration::from_secs(32);
/// Most such repetitions.
const REPEATS: u8 = 2;
/// Most calls remembered for that, in each of the two halves.
const MOST_RECENT: usize = 10_000;

/// The limits in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once.
    pub calls: usize,
    /// New calls a second; the burst is one second's worth.
    pub calls_per_second: u32,
    /// The Retry-After for a refused caller.
    pub retry_after: Duration,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// All allowed calls are up.
    Full,
    /// This peer's whole share of calls is up.
    Share,
    /// Calls come faster than allowed.
    TooFast,
    /// Sidetone is being drained.
    Draining,
}

impl Refused {
    /// The reason phrase of the 503.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Full => "Call Limit Reached",
            Self::Share => "Call Share Reached",
            Self::TooFast => "Call Rate Limit Reached",
            Self::Draining => "Draining",
        }
    }
}

/// Token buckets, for all and for each peer, and a drain switch.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    draining: bool,
    all: Bucket,
    peers: HashMap<PeerName, Bucket>,
    recent: Recent,
}

/// The calls that are up, and the peer that wants another.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The peer that begins the call.
    pub peer: &'a PeerName,
    /// Calls that are up.
    pub up: usize,
    /// The calls among those that this peer has begun.
    pub of_peer: usize,
    /// How many calls this peer may have up.
    pub share: usize,
    /// The call's name: Call-ID and From's tag.
    pub call: (&'a str, &'a str),
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Thousandths of a call.
    tokens: u64,
    refilled: Duration,
}

impl Bucket {
    /// A full bucket.
    fn new(now: Duration, rate: u64) -> Self {
        Self { tokens: rate * 1_000, refilled: now }
    }

    /// Refills the bucket; returns whether it holds a call.
    fn refill(&mut self, now: Duration, rate: u64) -> bool {
        let passed = now.saturating_sub(self.refilled);
        let earned = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned).min(rate * 1_000);
            self.refilled = now;
        }
        self.tokens >= 1_000
    }

    fn take(&mut self) {
        self.tokens = self.tokens.saturating_sub(1_000);
    }
}

/// Calls admitted a short time ago, by a keyed hash of their names.
#[derive(Debug, Default)]
struct Recent {
    keys: RandomState,
    /// How often each call may still be repeated.
    newer: HashMap<u64, u8>,
    older: HashMap<u64, u8>,
    turned: Duration,
}

impl Recent {
    /// Whether this call was admitted and may be repeated; counts the repetition.
    fn repeats(&mut self, now: Duration, call: u64) -> bool {
        // An entry of the older half has been there for at least the whole time when the halves turn.
        if now.saturating_sub(self.turned) >= REPEATED_WITHIN {
            self.older = std::mem::take(&mut self.newer);
            self.turned = now;
        }
        let left = match self.newer.get_mut(&call) {
            Some(left) => left,
            None => match self.older.get_mut(&call) {
                Some(left) => left,
                None => return false,
            },
        };
        let allowed = *left > 0;
        *left = left.saturating_sub(1);
        allowed
    }

    fn remember(&mut self, call: u64) {
        if self.newer.len() < MOST_RECENT {
            self.newer.insert(call, REPEATS);
        }
    }
}

impl Admission {
    /// Starts with a full bucket, not draining.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            draining: false,
            all: Bucket::new(Duration::ZERO, limits.calls_per_second.into()),
            peers: HashMap::new(),
            recent: Recent::default(),
        }
    }

    /// Changes the limits; calls that are up stay up.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        // A reload may have removed peers.
        self.peers.clear();
    }

    /// The Retry-After for a refused caller.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.limits.retry_after
    }

    /// Starts or ends the drain.
    pub fn drain(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// Whether a drain is on.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining
    }

    /// Takes a new call. No peer gets all of the room or all of the rate: a quarter of both is left to the others,
    /// unless the peer's configuration gives it another share of the room.
    ///
    /// # Errors
    /// Why the call is refused.
    pub fn admit(&mut self, now: Duration, wanted: &Wanted<'_>) -> Result<(), Refused> {
        if self.draining {
            return Err(Refused::Draining);
        }
        if wanted.up >= self.limits.calls {
            return Err(Refused::Full);
        }
        if wanted.of_peer >= wanted.share {
            return Err(Refused::Share);
        }
        let call = self.recent.keys.hash_one((wanted.peer, wanted.call));
        if self.recent.repeats(now, call) {
            return Ok(());
        }
        let rate = self.limits.calls_per_second;
        let share = usual_share(usize::try_from(rate).unwrap_or(usize::MAX)) as u64;
        let rate = u64::from(rate);
        let theirs = self.peers.entry(wanted.peer.clone()).or_insert_with(|| Bucket::new(now, share));
        let (all, own) = (self.all.refill(now, rate), theirs.refill(now, share));
        if !all || !own {
            return Err(Refused::TooFast);
        }
        self.all.take();
        theirs.take();
        self.recent.remember(call);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(calls: usize, calls_per_second: u32) -> Admission {
        Admission::new(Limits { calls, calls_per_second, retry_after: Duration::from_secs(1) })
    }

    fn admit_call(
        admission: &mut Admission,
        now: Duration,
        up: usize,
        call: (&str, &str),
    ) -> Result<(), Refused> {
        let peer = (sidetone_call::Side::Trunk, "a".into());
        admission.admit(now, &Wanted { peer: &peer, up, of_peer: 0, share: usize::MAX, call })
    }

    /// A new call each time.
    fn admit(admission: &mut Admission, now: Duration, up: usize) -> Result<(), Refused> {
        let call = crate::random::number().to_string();
        admit_call(admission, now, up, (&call, "tag"))
    }

    #[test]
    fn a_peer_has_neither_all_of_the_room_nor_all_of_the_rate() {
        let mut admission = admission(100, 8);
        let (a, b): (PeerName, PeerName) =
            ((sidetone_call::Side::Trunk, "a".into()), (sidetone_call::Side::Pbx, "b".into()));
        let mut ask = |peer, of_peer| {
            let call = crate::random::number().to_string();
            let wanted = Wanted { peer, up: 75, of_peer, share: 75, call: (&call, "tag") };
            admission.admit(Duration::ZERO, &wanted)
        };
        assert_eq!(ask(&a, 75), Err(Refused::Share));
        let taken = (0..20).filter(|_| ask(&a, 0).is_ok()).count();
        assert_eq!((taken, ask(&a, 0)), (6, Err(Refused::TooFast)));
        assert_eq!((ask(&b, 0), ask(&b, 0), ask(&b, 0)), (Ok(()), Ok(()), Err(Refused::TooFast)));
    }

    #[test]
    fn no_more_calls_than_allowed() {
        let mut admission = admission(2, 100);
        assert_eq!(admit(&mut admission, Duration::ZERO, 1), Ok(()));
        assert_eq!(admit(&mut admission, Duration::ZERO, 2), Err(Refused::Full));
    }

    #[test]
    fn the_rate_holds_over_any_second() {
        // One peer's share of thirteen is ten.
        let mut admission = admission(1_000_000, 13);
        let taken =
            (0..5_000).filter(|ms| admit(&mut admission, Duration::from_millis(*ms), 0).is_ok()).count();
        // The sixtieth is due at five seconds sharp, the next a tenth of a second later.
        assert_eq!(taken, 59);
        assert_eq!(admit(&mut admission, Duration::from_millis(5_000), 0), Ok(()));
        assert_eq!(admit(&mut admission, Duration::from_millis(5_099), 0), Err(Refused::TooFast));
        assert_eq!(admit(&mut admission, Duration::from_millis(5_100), 0), Ok(()));
    }

    #[test]
    fn a_drain_takes_nothing_until_it_is_over() {
        let mut admission = admission(10, 10);
        admission.drain(true);
        assert_eq!(admit(&mut admission, Duration::ZERO, 0), Err(Refused::Draining));
        admission.drain(false);
        assert_eq!(admit(&mut admission, Duration::ZERO, 0), Ok(()));
    }

    #[test]
    fn an_invite_repeated_with_credentials_is_the_same_call_but_not_for_ever() {
        let mut admission = admission(10, 1);
        let call = ("call", "tag");
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, ("call", "other")), Err(Refused::TooFast));
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, call), Ok(()));
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, call), Err(Refused::TooFast));
    }

    #[test]
    fn a_call_is_forgotten_after_a_while() {
        let mut admission = admission(10, 1);
        let (first, second) = (("call", "tag"), ("next", "tag"));
        assert_eq!(admit_call(&mut admission, Duration::ZERO, 0, first), Ok(()));
        for _ in 0..2 {
            let at = Duration::from_secs(70);
            assert_eq!(admit_call(&mut admission, at, 0, second), Ok(()));
        }
        assert_eq!(admit_call(&mut admission, Duration::from_secs(140), 0, ("third", "tag")), Ok(()));
        assert_eq!(admit_call(&mut admission, Duration::from_secs(140), 0, first), Err(Refused::TooFast));
    }
}
