//! The pool of free media ports.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sidetone_rtp::latch::Senders;

use crate::config::PortRange;

/// How long a port that media has used rests: a party that has not heard of its call's end yet must not be heard in the
/// next call. BYE and its answer take a second at most where they get through; a lost BYE is retransmitted within 0.5,
/// 1.5, 3.5 s (RFC 3261 §17.1.2.1).
pub(crate) const REST: Duration = Duration::from_secs(5);

/// How long the senders to a port are remembered. A sender that has not heard of its call's end stops within minutes,
/// by itself or because its PBX hears no media. Devices that reuse one SSRC must not be shut out for ever.
const MEMORY: Duration = Duration::from_secs(3_600);

/// Free RTP ports (even; RFC 3550 §11 puts RTCP on the odd one above), in a separate list for each local address.
///
/// Ports are handed out in shuffled order, so that nobody can guess the next one. A returned port goes to the back of
/// the queue. One that media has used is not handed out before it has rested for a while (`REST`), even if no other is
/// free.
#[derive(Debug)]
pub struct PortPool {
    range: PortRange,
    seed: u64,
    free: HashMap<IpAddr, VecDeque<u16>>,
    /// With the end of their rest, in this order.
    resting: VecDeque<(Duration, IpAddr, u16)>,
    taken: usize,
    /// The senders to a port (RTCP's included) in its last call, with their expiry: one entry a port.
    senders: HashMap<SocketAddr, (Duration, Senders)>,
}

impl PortPool {
    /// A pool over `range`; `seed` orders it.
    #[must_use]
    pub fn new(range: PortRange, seed: u64) -> Self {
        Self {
            range,
            seed,
            free: HashMap::new(),
            resting: VecDeque::new(),
            taken: 0,
            senders: HashMap::new(),
        }
    }

    /// Takes the next free even port on an address. `now` never goes back.
    pub fn take(&mut self, now: Duration, ip: IpAddr) -> Option<u16> {
        while let Some((_, ip, port)) = self.resting.pop_front_if(|(until, ..)| *until <= now) {
            self.free.entry(ip).or_default().push_back(port);
        }
        let (range, seed) = (self.range, self.seed);
        let port = self.free.entry(ip).or_insert_with(|| shuffled(range, seed)).pop_front()?;
        self.taken += 1;
        Some(port)
    }

    /// Takes that port, if it is free and in the range.
    pub fn claim(&mut self, ip: IpAddr, port: u16) -> bool {
        let (range, seed) = (self.range, self.seed);
        let free = self.free.entry(ip).or_insert_with(|| shuffled(range, seed));
        let Some(at) = free.iter().position(|free| *free == port) else { return false };
        free.remove(at);
        self.taken += 1;
        true
    }

    /// Returns a port that no media has used.
    pub fn give_back(&mut self, ip: IpAddr, port: u16) {
        if let Some(free) = self.free.get_mut(&ip) {
            free.push_back(port);
            self.taken = self.taken.saturating_sub(1);
        }
    }

    /// Returns a port that media may still come to.
    pub fn lay_to_rest(&mut self, now: Duration, ip: IpAddr, port: u16) {
        if self.free.contains_key(&ip) {
            self.resting.push_back((now.saturating_add(REST), ip, port));
            self.taken = self.taken.saturating_sub(1);
        }
    }

    /// Remembers the senders to a port of ours in the call that has ended.
    pub fn remember(&mut self, now: Duration, local: SocketAddr, senders: Senders) {
        if senders.iter().any(Option::is_some) {
            self.senders.insert(local, (now.saturating_add(MEMORY), senders));
        } else {
            self.senders.remove(&local);
        }
    }

    /// The senders to a port in its last call.
    #[must_use]
    pub fn senders(&self, now: Duration, local: SocketAddr) -> Senders {
        self.senders
            .get(&local)
            .filter(|(until, _)| now < *until)
            .map_or_else(Senders::default, |(_, known)| *known)
    }

    /// RTP ports in use, over all addresses.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// RTP ports that rest, or that no call has asked for since.
    #[must_use]
    pub fn resting(&self) -> usize {
        self.resting.len()
    }
}

/// Fisher-Yates shuffle with an xorshift: order matters here, not secrecy against an attacker who knows the seed.
fn shuffled(range: PortRange, seed: u64) -> VecDeque<u16> {
    let first = range.first + range.first % 2;
    let mut ports: Vec<u16> = (first..range.last).step_by(2).collect();
    let mut state = seed | 1;
    for i in (1..ports.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let j = usize::try_from(state % (i as u64 + 1)).unwrap_or(0);
        ports.swap(i, j);
    }
    ports.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use sidetone_rtp::latch::Sender;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn every_even_port_with_an_odd_neighbour_is_given_once() {
        let mut pool = PortPool::new(PortRange { first: 30_001, last: 30_010 }, 7);
        let given: HashSet<u16> = std::iter::from_fn(|| pool.take(NOW, HERE)).collect();
        assert_eq!(given, HashSet::from([30_002, 30_004, 30_006, 30_008]));
        assert_eq!(pool.taken(), 4);
    }

    #[test]
    fn a_returned_port_is_given_out_last() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_009 }, 7);
        let first = pool.take(NOW, HERE).unwrap();
        pool.give_back(HERE, first);
        let rest: Vec<u16> = std::iter::from_fn(|| pool.take(NOW, HERE)).collect();
        assert_eq!(rest.last(), Some(&first));
        assert_eq!(rest.len(), 5);
    }

    #[test]
    fn each_address_has_all_ports() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_003 }, 7);
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(
            [pool.take(NOW, HERE), pool.take(NOW, HERE), pool.take(NOW, HERE)].iter().flatten().count(),
            2
        );
        assert!(pool.take(NOW, other).is_some());
    }

    #[test]
    fn who_sent_to_a_port_is_remembered_for_its_next_call() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_001 }, 7);
        let local = SocketAddr::new(HERE, 30_000);
        let mut senders = Senders::default();
        senders[0] = Some(Sender { address: SocketAddr::new(HERE, 9), ssrc: Some(7) });
        pool.remember(NOW, local, senders);
        assert_eq!(pool.senders(NOW + REST, local), senders);
        assert_eq!(pool.senders(NOW + MEMORY, local), Senders::default());
        assert_eq!(pool.senders(NOW, SocketAddr::new(HERE, 30_001)), Senders::default());
        // The next call was silent: its senders are none.
        pool.remember(NOW, local, Senders::default());
        assert_eq!(pool.senders(NOW, local), Senders::default());
    }

    #[test]
    fn a_port_that_media_has_flown_by_rests_even_if_no_other_is_free() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_001 }, 7);
        assert_eq!(pool.take(NOW, HERE), Some(30_000));
        pool.lay_to_rest(NOW, HERE, 30_000);
        assert_eq!((pool.taken(), pool.resting()), (0, 1));
        assert_eq!(pool.take(NOW + REST - Duration::from_millis(1), HERE), None);
        assert_eq!(pool.take(NOW + REST, HERE), Some(30_000));
        assert_eq!((pool.taken(), pool.resting()), (1, 0));
    }
}
