//! Media sockets that are bound ahead of their calls. A call gets its sockets under the SIP core's lock; binding one
//! takes four system calls, and every other user of the core would wait for them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidetone_handover::Inherited;
use sidetone_rtp::latch::Senders;
use sidetone_watch::{Alarm, Heartbeat};
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::PortRange;
use crate::ports::PortPool;

/// Differentiated services code point of voice, "expedited forwarding" (RFC 3246, RFC 4594 §4.1), as a TOS byte.
pub(super) const TOS_EXPEDITED: u32 = 46 << 2;
/// Bytes of a socket's receive buffer: a quarter of a second of a flood, and many seconds of a call.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// Most ports held by other programs that are skipped in a row.
const BIND_TRIES: usize = 64;
/// Pairs of sockets kept ready for each address: a second's worth of new calls.
const READY: usize = 64;
/// In a small range, at most one of this many ports is kept ready.
const SHARE_READY: usize = 8;
/// Most datagrams that a ready socket may have received. A socket with more is under attack.
const MOST_STALE: usize = 64;
/// Most flooded pairs that one call lays to rest. The call then gets sockets bound on the spot, which are empty: a
/// flood of all idle ports must not make every call read all of it under the core's lock.
const MOST_FLOODED: usize = 2;
/// How often, and how long apart, a port of a call from before is asked for.
const CLAIM_TRIES: u32 = 5;
const CLAIM_PAUSE: Duration = Duration::from_millis(1);
/// How often the thread looks without being asked: ports that another program held may be free again.
const LOOKS_UP: Duration = Duration::from_secs(1);

/// A stream's two sockets on one side, empty and bound.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// The RTP port; RTCP uses the next one.
    pub(super) port: u16,
    /// Since when both are known to be empty.
    pub(super) empty_since: Duration,
}

/// The free ports, and the sockets that are bound to some of them.
#[derive(Debug)]
pub(super) struct Stock {
    shared: Arc<Shared>,
    epoch: Instant,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Signals that a pair was taken, or that the thread is to end.
    wanted: Condvar,
    /// Most pairs kept ready for each address.
    most: usize,
    /// Sockets of the process before, for its calls.
    inherited: Inherited,
}

#[derive(Debug)]
struct Inner {
    pool: PortPool,
    /// Ready pairs by the address that calls may get sockets on.
    ready: HashMap<IpAddr, VecDeque<(UdpSocket, UdpSocket, u16)>>,
    ending: bool,
}

impl Inner {
    /// Takes a ready pair of an address, and tells how many are left there.
    fn pop(&mut self, ip: IpAddr) -> (Option<(UdpSocket, UdpSocket, u16)>, usize) {
        self.ready.get_mut(&ip).map_or((None, 0), |ready| (ready.pop_front(), ready.len()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    /// A stock over `range`, in an order determined by `seed`, with sockets ready on these addresses.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        range: PortRange,
        seed: u64,
        addresses: impl IntoIterator<Item = IpAddr>,
        inherited: Inherited,
        epoch: Instant,
        alarm: &Alarm,
    ) -> io::Result<Self> {
        let pairs = usize::from(range.last - range.first) / 2;
        let shared = Arc::new(Shared {
            inner: Mutex::new(Inner {
                pool: PortPool::new(range, seed),
                ready: addresses.into_iter().map(|ip| (ip, VecDeque::new())).collect(),
                ending: false,
            }),
            wanted: Condvar::new(),
            most: READY.min(pairs / SHARE_READY),
            inherited,
        });
        let (beat, its) = (Heartbeat::new("ports", epoch.elapsed()), Arc::clone(&shared));
        let (its_beat, its_alarm) = (beat.clone(), alarm.clone());
        // Without the thread, calls get sockets that are bound on the spot.
        let thread = alarm.thread(beat, false, move || {
            loop {
                its_beat.beat(epoch.elapsed());
                its_alarm.contain(&its_beat, || fill(&its, epoch));
                let inner = its.lock();
                if inner.ending {
                    return Ok(());
                }
                let waited = its.wanted.wait_timeout(inner, LOOKS_UP).unwrap_or_else(PoisonError::into_inner);
                if waited.0.ending {
                    return Ok(());
                }
            }
        })?;
        Ok(Self { shared, epoch, thread: Some(thread) })
    }

    /// Takes two sockets on an address: ready ones if there are any, else newly bound ones. `None` if no port can be
    /// had.
    pub(super) fn take(&self, ip: IpAddr) -> Option<Pair> {
        for _ in 0..MOST_FLOODED {
            let empty_since = self.epoch.elapsed();
            let (ready, left) = self.shared.lock().pop(ip);
            // One waking a batch of calls: each costs the call a system call and the thread a turn.
            if left < self.shared.most.div_ceil(2) {
                self.shared.wanted.notify_one();
            }
            let Some((rtp, rtcp, port)) = ready else { break };
            if is_emptied(&rtp) && is_emptied(&rtcp) {
                return Some(Pair { rtp, rtcp, port, empty_since });
            }
            // The port is under a flood: it rests, and the next one is taken.
            self.lay_to_rest(ip, port);
        }
        let empty_since = self.epoch.elapsed();
        let (rtp, rtcp, port) = bind(&self.shared, self.epoch, ip)?;
        Some(Pair { rtp, rtcp, port, empty_since })
    }

    /// Takes the two sockets of that RTP port, for a call that had them in an earlier process: the very same ones with
    /// what waits in them, or new ones. `None` if they can't be had.
    pub(super) fn claim(&self, ip: IpAddr, port: u16) -> Option<Pair> {
        // The thread that makes pairs ready may have that very port in its hands.
        for _ in 0..CLAIM_TRIES {
            if let Some(pair) = self.claim_now(ip, port) {
                return Some(pair);
            }
            std::thread::sleep(CLAIM_PAUSE);
        }
        None
    }

    fn claim_now(&self, ip: IpAddr, port: u16) -> Option<Pair> {
        let empty_since = self.epoch.elapsed();
        let mut inner = self.shared.lock();
        let ready = inner.ready.get_mut(&ip);
        let at = ready.as_ref().and_then(|ready| ready.iter().position(|(.., ready)| *ready == port));
        if let Some((rtp, rtcp, port)) = at.and_then(|at| ready?.remove(at)) {
            return Some(Pair { rtp, rtcp, port, empty_since });
        }
        if !inner.pool.claim(ip, port) {
            return None;
        }
        let had = |port| match self.shared.inherited.datagrams(SocketAddr::new(ip, port)) {
            Some(had) => Ok(had),
            None => socket(ip, port),
        };
        match (had(port), had(port.checked_add(1)?)) {
            (Ok(rtp), Ok(rtcp)) => Some(Pair { rtp, rtcp, port, empty_since }),
            _ => {
                inner.pool.give_back(ip, port);
                None
            }
        }
    }

    /// Returns a port that no media has used.
    pub(super) fn give_back(&self, ip: IpAddr, port: u16) {
        self.shared.lock().pool.give_back(ip, port);
    }

    /// Returns a port that media may still come to.
    pub(super) fn lay_to_rest(&self, ip: IpAddr, port: u16) {
        self.shared.lock().pool.lay_to_rest(self.epoch.elapsed(), ip, port);
    }

    /// Remembers the senders to a port in the call that has ended.
    pub(super) fn remember(&self, local: SocketAddr, senders: Senders) {
        self.shared.lock().pool.remember(self.epoch.elapsed(), local, senders);
    }

    /// The senders to a port in its last call.
    pub(super) fn senders(&self, local: SocketAddr) -> Senders {
        self.shared.lock().pool.senders(self.epoch.elapsed(), local)
    }

    /// RTP ports that calls hold.
    pub(super) fn taken(&self) -> usize {
        let inner = self.shared.lock();
        let ready: usize = inner.ready.values().map(VecDeque::len).sum();
        inner.pool.taken().saturating_sub(ready)
    }

    /// RTP ports that rest after an ended call.
    pub(super) fn resting(&self) -> usize {
        self.shared.lock().pool.resting()
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        self.shared.lock().ending = true;
        self.shared.wanted.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Binds sockets until enough are ready on each address, or no more can be bound.
fn fill(shared: &Shared, epoch: Instant) {
    let addresses: Vec<IpAddr> = shared.lock().ready.keys().copied().collect();
    for ip in addresses {
        loop {
            let inner = shared.lock();
            let enough = inner.ready.get(&ip).is_none_or(|ready| ready.len() >= shared.most);
            if enough || inner.ending {
                break;
            }
            drop(inner);
            let Some(pair) = bind(shared, epoch, ip) else { break };
            shared.lock().ready.entry(ip).or_default().push_back(pair);
        }
    }
}

/// Binds the sockets of the next free port. The lock is held only while ports are counted.
fn bind(shared: &Shared, epoch: Instant, ip: IpAddr) -> Option<(UdpSocket, UdpSocket, u16)> {
    let mut busy = Vec::new();
    let mut bound = None;
    while bound.is_none() && busy.len() < BIND_TRIES {
        let Some(port) = shared.lock().pool.take(epoch.elapsed(), ip) else { break };
        match (socket(ip, port), socket(ip, port + 1)) {
            (Ok(rtp), Ok(rtcp)) => bound = Some((rtp, rtcp, port)),
            _ => busy.push(port),
        }
    }
    let mut inner = shared.lock();
    for port in busy {
        inner.pool.give_back(ip, port);
    }
    bound
}

fn socket(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Best effort: a system that refuses these options still relays.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = if ip.is_ipv4() { socket.set_tos_v4(TOS_EXPEDITED) } else { socket.set_tclass_v6(TOS_EXPEDITED) };
    socket.bind(&SocketAddr::new(ip, port).into())?;
    Ok(socket.into())
}

/// Discards datagrams that came while no call had the socket; false if they don't end.
fn is_emptied(socket: &UdpSocket) -> bool {
    // The buffer cuts a datagram, and one byte is enough to show that there was one.
    let mut byte = [0];
    (0..MOST_STALE).any(|_| {
        // A pending ICMP error is cleared by reading it, as a datagram is.
        socket.recv(&mut byte).is_err_and(|why| why.kind() == io::ErrorKind::WouldBlock)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 117));

    fn stock(range: PortRange) -> Stock {
        Stock::start(range, 7, [HERE], Inherited::default(), Instant::now(), &Alarm::new()).unwrap()
    }

    fn ready(stock: &Stock) -> usize {
        stock.shared.lock().ready[&HERE].len()
    }

    fn until_ready(stock: &Stock, pairs: usize) {
        for _ in 0..3_000 {
            if ready(stock) == pairs {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} pairs are ready, not {pairs}", ready(stock));
    }

    #[test]
    fn sockets_are_ready_and_count_as_free() {
        let stock = stock(PortRange { first: 40_000, last: 40_099 });
        until_ready(&stock, 6);
        assert_eq!(stock.taken(), 0);
        let pair = stock.take(HERE).unwrap();
        assert_eq!(pair.rtp.local_addr().unwrap(), SocketAddr::new(HERE, pair.port));
        assert_eq!(pair.rtcp.local_addr().unwrap(), SocketAddr::new(HERE, pair.port + 1));
        assert_eq!(stock.taken(), 1);
        until_ready(&stock, 6);
        stock.give_back(HERE, pair.port);
        assert_eq!(stock.taken(), 0);
    }

    #[test]
    fn a_port_is_had_again_ready_or_not_and_by_one_call() {
        let stock = stock(PortRange { first: 40_600, last: 40_699 });
        until_ready(&stock, 6);
        let ready = stock.shared.lock().ready[&HERE][2].2;
        let bound: HashSet<u16> = stock.shared.lock().ready[&HERE].iter().map(|pair| pair.2).collect();
        let other = (40_600..40_699).step_by(2).find(|port| !bound.contains(port)).unwrap();
        for port in [ready, other] {
            let pair = stock.claim(HERE, port).unwrap();
            assert_eq!(pair.rtcp.local_addr().unwrap(), SocketAddr::new(HERE, port + 1));
            assert!(stock.claim(HERE, port).is_none());
        }
        assert_eq!(stock.taken(), 2);
        assert!(stock.claim(HERE, 40_700).is_none() && stock.claim(HERE, 40_601).is_none());
    }

    #[test]
    fn every_port_is_given_once_ready_or_not() {
        let stock = stock(PortRange { first: 40_100, last: 40_199 });
        until_ready(&stock, 6);
        let pairs: Vec<Pair> = std::iter::from_fn(|| stock.take(HERE)).collect();
        let ports: HashSet<u16> = pairs.iter().map(|pair| pair.port).collect();
        // Only those that the thread is binding at the moment may be missing.
        let missing = 50 - ports.len() - ready(&stock);
        assert!(pairs.len() == ports.len() && missing <= 1, "{} ports, {missing} missing", ports.len());
    }

    #[test]
    fn what_came_before_the_call_is_not_heard_in_it() {
        let stock = stock(PortRange { first: 40_200, last: 40_299 });
        until_ready(&stock, 6);
        let next = stock.shared.lock().ready[&HERE][0].2;
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for byte in 0..10 {
            stranger.send_to(&[byte; 172], SocketAddr::new(HERE, next)).unwrap();
        }
        let pair = stock.take(HERE).unwrap();
        assert_eq!(pair.port, next);
        let stale = pair.rtp.recv(&mut [0; 200]).unwrap_err();
        assert_eq!(stale.kind(), io::ErrorKind::WouldBlock);
        stranger.send_to(&[9; 172], SocketAddr::new(HERE, next)).unwrap();
        assert_eq!(pair.rtp.recv(&mut [0; 200]).unwrap(), 172);
    }

    #[test]
    fn a_port_that_is_flooded_is_given_to_nobody() {
        let stock = stock(PortRange { first: 40_300, last: 40_399 });
        until_ready(&stock, 6);
        let flooded = stock.shared.lock().ready[&HERE][0].2;
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2 * MOST_STALE {
            stranger.send_to(&[7; 12], SocketAddr::new(HERE, flooded)).unwrap();
        }
        assert_ne!(stock.take(HERE).unwrap().port, flooded);
        assert_eq!(stock.resting(), 1);
    }

    #[test]
    fn a_flood_of_all_idle_ports_is_not_read_by_one_call() {
        let stock = stock(PortRange { first: 40_500, last: 40_599 });
        until_ready(&stock, 6);
        let idle: Vec<u16> = stock.shared.lock().ready[&HERE].iter().map(|pair| pair.2).collect();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for port in &idle {
            for _ in 0..2 * MOST_STALE {
                stranger.send_to(&[7; 12], SocketAddr::new(HERE, *port)).unwrap();
            }
        }
        let pair = stock.take(HERE).unwrap();
        assert!(!idle.contains(&pair.port));
        assert_eq!(stock.resting(), MOST_FLOODED);
    }

    #[test]
    fn a_small_range_keeps_none_back() {
        let stock = stock(PortRange { first: 40_400, last: 40_405 });
        assert_eq!(stock.shared.most, 0);
        assert_eq!(std::iter::from_fn(|| stock.take(HERE)).count(), 3);
    }
}
