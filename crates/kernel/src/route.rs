//! Where packets leave: the routing table's answer, by rtnetlink (RFC 3549, rtnetlink(7)).

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::ipsec::Policies;

const AF_NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// Bytes of a netlink header, of a route's own, and of an attribute's.
const HEADER: usize = 16;
const ROUTE: usize = 12;
const ATTRIBUTE: usize = 4;
/// How long an answer is believed. Tables change seldom, and a call's media must not stay on a way that is gone.
const BELIEVED: Duration = Duration::from_secs(5);
/// Most answers that are kept.
const MOST_KEPT: usize = 4_096;

/// Where packets for an address leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// By the interface with this index.
    By(u32),
    /// Nowhere: the address is this machine's.
    Local,
}

/// Asks for routes, and keeps the answers for a few seconds.
#[derive(Debug)]
pub struct Routes {
    socket: Socket,
    known: HashMap<(IpAddr, IpAddr), (Duration, Option<Route>)>,
    asked: u32,
    policies: Policies,
    /// Whether there were IPsec policies when that was last asked, and until when that is believed.
    ipsec: (Duration, bool),
}

impl Routes {
    /// # Errors
    /// When the system gives no socket.
    pub fn new() -> io::Result<Self> {
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, Some(Protocol::from(NETLINK_ROUTE)))?;
        // The kernel answers before `send` returns; this is for the case that it doesn't.
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(Self {
            socket,
            known: HashMap::new(),
            asked: 0,
            policies: Policies::new(),
            ipsec: (Duration::ZERO, false),
        })
    }

    /// The route of packets from an address of ours at `now`; `None` if there is none that goes on by one interface, or
    /// IPsec policies are in force, which only packets from sockets meet.
    pub fn find(&mut self, now: Duration, from: IpAddr, to: IpAddr) -> Option<Route> {
        if self.is_ipsec_in_force(now) {
            return None;
        }
        let asked = (from.to_canonical(), to.to_canonical());
        if let Some((until, route)) = self.known.get(&asked)
            && now < *until
        {
            return *route;
        }
        if self.known.len() >= MOST_KEPT {
            self.known.clear();
        }
        let one_family = asked.0.is_ipv6() == asked.1.is_ipv6();
        let route = if one_family { self.ask(asked.0, asked.1).unwrap_or(None) } else { None };
        self.known.insert(asked, (now + BELIEVED, route));
        route
    }

    fn is_ipsec_in_force(&mut self, now: Duration) -> bool {
        if now >= self.ipsec.0 {
            // What isn't said stays as it was.
            self.ipsec = (now + BELIEVED, self.policies.any().unwrap_or(self.ipsec.1));
        }
        self.ipsec.1
    }

    fn ask(&mut self, from: IpAddr, to: IpAddr) -> io::Result<Option<Route>> {
        self.asked = self.asked.wrapping_add(1);
        self.socket.send(&question(self.asked, from, to))?;
        let mut room = [0; 4_096];
        // Passes over an answer to an earlier question that came too late.
        for _ in 0..8 {
            let length = (&self.socket).read(&mut room)?;
            let message = room.get(..length).unwrap_or_default();
            if u32_at(message, 8) == Some(self.asked) {
                return Ok(answer(message));
            }
        }
        Ok(None)
    }
}

fn question(number: u32, from: IpAddr, to: IpAddr) -> Vec<u8> {
    let (family, bits) = if to.is_ipv6() { (AF_INET6, 128) } else { (AF_INET, 32) };
    let to = attribute(RTA_DST, to);
    let from = attribute(RTA_SRC, from);
    let length = u32::try_from(HEADER + ROUTE + to.len() + from.len()).unwrap_or(0);
    let mut route = [0; ROUTE];
    [route[0], route[1], route[2]] = [family, bits, bits];
    [
        &length.to_ne_bytes()[..],
        &RTM_GETROUTE.to_ne_bytes(),
        &NLM_F_REQUEST.to_ne_bytes(),
        &number.to_ne_bytes(),
        &[0; 4],
        &route,
        &to,
        &from,
    ]
    .concat()
}

/// Its length is a multiple of four, to which attributes are aligned.
fn attribute(kind: u16, ip: IpAddr) -> Vec<u8> {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let length = u16::try_from(ATTRIBUTE + octets.len()).unwrap_or(0);
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &octets].concat()
}

fn answer(message: &[u8]) -> Option<Route> {
    if u16_at(message, 4)? != RTM_NEWROUTE {
        return None;
    }
    match *message.get(HEADER + 7)? {
        RTN_LOCAL => return Some(Route::Local),
        RTN_UNICAST => {}
        _ => return None,
    }
    let mut rest = message.get(HEADER + ROUTE..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        if length < ATTRIBUTE {
            return None;
        }
        if kind == RTA_OIF {
            return u32_at(rest, ATTRIBUTE).filter(|index| *index > 0).map(Route::By);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_local() {
        let mut routes = Routes::new().unwrap();
        for ip in ["127.0.0.1", "127.3.2.1", "::1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(routes.find(Duration::ZERO, ip, ip), Some(Route::Local), "{ip}");
        }
    }

    #[test]
    fn an_answer_is_believed_for_a_while() {
        let mut routes = Routes::new().unwrap();
        let ip: IpAddr = "127.0.0.1".parse().unwrap();
        for (now, asked) in [(0, 1), (4_999, 1), (5_000, 2), (9_000, 2)] {
            routes.find(Duration::from_millis(now), ip, ip);
            assert_eq!(routes.asked, asked, "{now} ms");
        }
    }

    #[test]
    fn damaged_answers_are_none() {
        let mut whole = question(1, "10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        whole[4..6].copy_from_slice(&RTM_NEWROUTE.to_ne_bytes());
        whole[HEADER + 7] = RTN_UNICAST;
        whole.extend_from_slice(&[8, 0, RTA_OIF as u8, 0, 7, 0, 0, 0]);
        assert_eq!(answer(&whole), Some(Route::By(7)));
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]), None, "{length} bytes");
        }
        whole[HEADER + ROUTE] = 0;
        assert_eq!(answer(&whole), None);
    }
}
