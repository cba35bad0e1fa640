//! Which media ports are free.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::config::PortRange;

/// Free RTP ports (even; RFC 3550 §11 puts RTCP on the odd one above), an own list for each local address.
///
/// Ports are handed out in shuffled order, so that nobody can guess the next one, and a returned port goes to the
/// back of the queue, so that late packets of the old call have the longest time to die out.
#[derive(Debug)]
pub struct PortPool {
    range: PortRange,
    seed: u64,
    free: HashMap<IpAddr, VecDeque<u16>>,
    taken: usize,
}

impl PortPool {
    /// A pool over `range`; `seed` orders it.
    #[must_use]
    pub fn new(range: PortRange, seed: u64) -> Self {
        Self { range, seed, free: HashMap::new(), taken: 0 }
    }

    /// Takes the next free even port on an address.
    pub fn take(&mut self, ip: IpAddr) -> Option<u16> {
        let (range, seed) = (self.range, self.seed);
        let port = self.free.entry(ip).or_insert_with(|| shuffled(range, seed)).pop_front()?;
        self.taken += 1;
        Some(port)
    }

    /// Gives a port back.
    pub fn give_back(&mut self, ip: IpAddr, port: u16) {
        if let Some(free) = self.free.get_mut(&ip) {
            free.push_back(port);
            self.taken = self.taken.saturating_sub(1);
        }
    }

    /// RTP ports in use, over all addresses.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }
}

/// Fisher and Yates, with an xorshift: order matters here, not secrecy against someone who knows the seed.
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

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn every_even_port_with_an_odd_neighbour_is_given_once() {
        let mut pool = PortPool::new(PortRange { first: 30_001, last: 30_010 }, 7);
        let given: HashSet<u16> = std::iter::from_fn(|| pool.take(HERE)).collect();
        assert_eq!(given, HashSet::from([30_002, 30_004, 30_006, 30_008]));
        assert_eq!(pool.taken(), 4);
    }

    #[test]
    fn a_returned_port_is_given_out_last() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_009 }, 7);
        let first = pool.take(HERE).unwrap();
        pool.give_back(HERE, first);
        let rest: Vec<u16> = std::iter::from_fn(|| pool.take(HERE)).collect();
        assert_eq!(rest.last(), Some(&first));
        assert_eq!(rest.len(), 5);
    }

    #[test]
    fn each_address_has_all_ports() {
        let mut pool = PortPool::new(PortRange { first: 30_000, last: 30_003 }, 7);
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!([pool.take(HERE), pool.take(HERE), pool.take(HERE)].iter().flatten().count(), 2);
        assert!(pool.take(other).is_some());
    }
}
