//! Names looked up on behalf of peers, within bounds.
//!
//! A look-up may take seconds or never end: a sender of requests to such names could otherwise fill every table of this
//! process with waiting requests. So each name is looked up once for all requests that need it. Each peer has a bound
//! on its look-ups and on its waiting requests. A name without addresses isn't asked for again at once. Literal
//! addresses need none of this.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::address::HostAddress;
use super::dns::{Resolver, Where};

/// Most look-ups at once, in all.
const MOST_NAMES: usize = 128;
/// Most look-ups at once for one peer's requests.
const MOST_NAMES_OF_A_PEER: usize = 16;
/// Most requests that wait for look-ups at once, in all.
const MOST_WAITING: usize = 2_000;
/// Most such requests of one peer.
const MOST_WAITING_OF_A_PEER: usize = 500;
/// A name without addresses is not asked for again within this time.
const BARREN_FOR: Duration = Duration::from_secs(3);
/// Most names remembered for that.
const MOST_BARREN: usize = 1_024;

type Found = watch::Receiver<Option<Arc<[Where]>>>;

/// The look-ups under way, and the requests that wait for them.
#[derive(Debug, Default)]
pub struct Lookups {
    state: Mutex<State>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// The look-ups under way, and the peer whose request asked first; none for configured names.
    names: HashMap<HostAddress, (Found, Option<Arc<str>>)>,
    barren: HashMap<HostAddress, Instant>,
    waiting: HashMap<Arc<str>, usize>,
}

/// A request's place among the waiting ones; released when dropped.
#[derive(Debug)]
pub struct Waiting {
    lookups: Arc<Lookups>,
    peer: Arc<str>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.lookups.state();
        if let Some(count) = state.waiting.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                state.waiting.remove(&self.peer);
            }
        }
    }
}

impl Lookups {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Look-ups and requests that found no room.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// A waiting place for a request of this peer; none if its places are all taken.
    #[must_use]
    pub fn wait(self: &Arc<Self>, peer: &str) -> Option<Waiting> {
        let mut state = self.state();
        let all: usize = state.waiting.values().sum();
        let theirs = state.waiting.get(peer).copied().unwrap_or(0);
        if all >= MOST_WAITING || theirs >= MOST_WAITING_OF_A_PEER {
            self.refused.fetch_add(1, Relaxed);
            return None;
        }
        let peer: Arc<str> = peer.into();
        *state.waiting.entry(Arc::clone(&peer)).or_insert(0) += 1;
        Some(Waiting { lookups: Arc::clone(self), peer })
    }

    /// All addresses of a host, best first; empty if it has none, or none is found in time. `asker` is the peer whose
    /// request names the host; none if the configuration names it.
    pub async fn locate(
        self: &Arc<Self>,
        resolver: &Arc<Resolver>,
        address: &HostAddress,
        asker: Option<&str>,
    ) -> Vec<Where> {
        if let Some(found) = Resolver::literal(address) {
            return vec![found];
        }
        let Some(mut found) = self.find(resolver, address, asker) else { return Vec::new() };
        // The sender is dropped only after it has reported its result.
        let places = found.wait_for(Option::is_some).await;
        places.ok().and_then(|places| places.as_ref().map(|places| places.to_vec())).unwrap_or_default()
    }

    /// Joins the look-up of a name, or begins it.
    fn find(
        self: &Arc<Self>,
        resolver: &Arc<Resolver>,
        address: &HostAddress,
        asker: Option<&str>,
    ) -> Option<Found> {
        let mut state = self.state();
        let now = Instant::now();
        if state.barren.get(address).is_some_and(|until| now < *until) {
            return None;
        }
        if let Some((found, _)) = state.names.get(address) {
            return Some(found.clone());
        }
        let theirs = state.names.values().filter(|(_, by)| asker.is_some() && by.as_deref() == asker).count();
        if theirs >= MOST_NAMES_OF_A_PEER || (asker.is_some() && state.names.len() >= MOST_NAMES) {
            self.refused.fetch_add(1, Relaxed);
            return None;
        }
        let (tell, found) = watch::channel(None);
        state.names.insert(address.clone(), (found.clone(), asker.map(Arc::from)));
        let (this, resolver, address) = (Arc::clone(self), Arc::clone(resolver), address.clone());
        tokio::spawn(async move {
            let places = resolver.locate(&address).await;
            this.found(&address, places.is_empty());
            tell.send_replace(Some(places.into()));
        });
        Some(found)
    }

    fn found(&self, address: &HostAddress, barren: bool) {
        let mut state = self.state();
        state.names.remove(address);
        if !barren {
            return;
        }
        let now = Instant::now();
        if state.barren.len() >= MOST_BARREN {
            state.barren.retain(|_, until| now < *until);
        }
        if state.barren.len() < MOST_BARREN {
            state.barren.insert(address.clone(), now + BARREN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resolver whose only name server never answers, and the server's socket.
    fn silent() -> (Arc<Resolver>, std::net::UdpSocket) {
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        (Arc::new(Resolver::new(&[server.local_addr().unwrap()])), server)
    }

    fn name(n: usize) -> HostAddress {
        HostAddress::parse(&format!("sip:host{n}.example:5060")).unwrap()
    }

    #[tokio::test]
    async fn a_peer_has_only_so_many_names_looked_up_at_once() {
        let (resolver, _server) = silent();
        let lookups = Arc::new(Lookups::default());
        let begun = |n, peer| lookups.find(&resolver, &name(n), peer).is_some();
        let asked = (0..100).filter(|n| begun(*n, Some("flooder"))).count();
        assert_eq!(asked, MOST_NAMES_OF_A_PEER);
        assert_eq!(lookups.refused(), 100 - asked as u64);
        assert!(begun(0, Some("flooder")), "the same name is the same look-up");
        assert!(begun(200, Some("another")), "another peer has room");
        assert!(begun(300, None), "and so has the configuration");
        let literal = HostAddress::parse("sip:192.0.2.1").unwrap();
        assert_eq!(lookups.locate(&resolver, &literal, Some("flooder")).await.len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_not_asked_for_again_at_once() {
        let lookups = Arc::new(Lookups::default());
        let (resolver, _server) = silent();
        lookups.found(&name(1), true);
        assert!(lookups.locate(&resolver, &name(1), None).await.is_empty());
        assert!(lookups.state().names.is_empty(), "nobody was asked");
        for n in 0..10_000 {
            lookups.found(&name(n), true);
        }
        assert!(lookups.state().barren.len() <= MOST_BARREN);
    }

    #[test]
    fn a_peer_has_only_so_many_requests_waiting() {
        let lookups = Arc::new(Lookups::default());
        let mut places: Vec<_> =
            (0..MOST_WAITING_OF_A_PEER).filter_map(|_| lookups.wait("flooder")).collect();
        assert_eq!(places.len(), MOST_WAITING_OF_A_PEER);
        assert!(lookups.wait("flooder").is_none());
        assert!(lookups.wait("another").is_some());
        places.pop();
        assert!(lookups.wait("flooder").is_some());
        places.clear();
        assert!(lookups.state().waiting.is_empty());
    }
}
