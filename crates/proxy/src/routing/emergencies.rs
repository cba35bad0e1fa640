//! Room for emergency calls when other calls have taken all (RFC 5031): a small reserve beside the limit.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::CallKey;

use super::shares::{PeerName, usual_share};

/// An admitted call that has not begun by then will not begin: it could not be routed.
const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// One emergency call may be up for this many ordinary calls.
const ONE_IN: usize = 20;
/// The least reserve, however low the limit.
const LEAST: usize = 4;

/// Emergency calls that found no ordinary room. They count toward no other limit.
#[derive(Debug, Default)]
pub struct Emergencies {
    /// Admitted calls that have not begun, by Call-ID and source.
    coming: HashMap<(String, SocketAddr), (PeerName, Duration)>,
    up: HashMap<CallKey, PeerName>,
}

/// How many emergency calls may be up beside `limit` ordinary calls.
#[must_use]
pub const fn reserve(limit: usize) -> usize {
    let part = limit / ONE_IN;
    if part < LEAST { LEAST } else { part }
}

impl Emergencies {
    /// Admits a call if the reserve has room for it. No peer gets all of the reserve.
    pub fn admit(
        &mut self,
        now: Duration,
        peer: &PeerName,
        call_id: &str,
        source: SocketAddr,
        limit: usize,
    ) -> bool {
        self.coming.retain(|_, (_, at)| now.saturating_sub(*at) < BEGINS_WITHIN);
        let name = (call_id.to_owned(), source);
        if self.coming.contains_key(&name) {
            return true;
        }
        let taken = self.up.len() + self.coming.len();
        let begun = self.up.values().chain(self.coming.values().map(|(peer, _)| peer));
        let theirs = begun.filter(|other| *other == peer).count();
        let most = reserve(limit);
        if taken >= most || theirs >= usual_share(most) {
            return false;
        }
        self.coming.insert(name, (peer.clone(), now));
        true
    }

    /// A call has begun. Returns whether it takes a place of the reserve.
    pub fn begun(&mut self, call: CallKey, call_id: &str, source: SocketAddr) -> bool {
        let Some((peer, _)) = self.coming.remove(&(call_id.to_owned(), source)) else { return false };
        self.up.insert(call, peer);
        true
    }

    /// A call is over.
    pub fn ended(&mut self, call: CallKey) {
        self.up.remove(&call);
    }

    /// Calls that are up by the reserve.
    #[must_use]
    pub fn up(&self) -> usize {
        self.up.len()
    }
}

#[cfg(test)]
mod tests {
    use sidetone_call::Side;

    use super::*;

    #[test]
    fn the_reserve_is_small_and_no_peer_has_all_of_it() {
        assert_eq!([1, 80, 100, 2_000].map(reserve), [4, 4, 5, 100]);
        let source = SocketAddr::from(([10, 0, 0, 1], 5060));
        let (one, other): (PeerName, PeerName) = ((Side::Pbx, "one".into()), (Side::Pbx, "other".into()));
        let mut calls = Emergencies::default();
        let mut taken = |peer: &PeerName, prefix: &str, now| {
            let ids = (0..10).map(|n| format!("{prefix}{n}"));
            ids.filter(|id| calls.admit(now, peer, id, source, 1)).count()
        };
        assert_eq!(taken(&one, "a", Duration::ZERO), 3);
        assert_eq!(taken(&other, "b", Duration::ZERO), 1);
        assert_eq!(taken(&one, "c", BEGINS_WITHIN), 3, "those before them have never begun");
        assert!(calls.begun(CallKey(1), "c0", source) && !calls.begun(CallKey(2), "d", source));
        assert_eq!(calls.up(), 1);
        assert!(!calls.admit(BEGINS_WITHIN, &one, "e", source, 1));
        calls.ended(CallKey(1));
        assert!(calls.admit(BEGINS_WITHIN, &one, "e", source, 1));
    }
}
