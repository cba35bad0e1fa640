//! What whoever signals asks of whoever relays.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{CallKey, Side, StreamPlan};

/// What relays the media. The signalling side tells it which ports are needed and where the parties are; it does
/// the rest, and never answers back in the middle of a call.
pub trait MediaPlane {
    /// Reserves an RTP and RTCP port pair on the address used towards `side` in that IP family. It is the
    /// call's until [`MediaPlane::release`]. `stream` is the index of the m-line. Asked once for each
    /// combination.
    ///
    /// # Errors
    /// When no port is left, or there is no address of that family.
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted>;

    /// Whether media may be sent to that address, if the party on `side` says so in its SDP: it must not be led at
    /// ourselves or at others on this host.
    fn admits(&self, _call: CallKey, _side: Side, _address: SocketAddr) -> bool {
        true
    }

    /// What is negotiated for a stream has changed.
    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan);

    /// The call is over: all its ports are free.
    fn release(&mut self, call: CallKey);
}

/// No media port is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no media port left")]
pub struct Exhausted;
/// A family of addresses; a c= line's `IP4` or `IP6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// Of an address; an IPv4-mapped IPv6 address is IPv4.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The addrtype of RFC 8866: `IP4` or `IP6`.
    #[must_use]
    pub const fn addrtype(self) -> &'static str {
        match self {
            Self::V4 => "IP4",
            Self::V6 => "IP6",
        }
    }

    /// The address that means `nowhere`: in a c= line, hold (RFC 3264 §8.4).
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// A pair of our own ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalMedia {
    /// Where we take RTP, or other datagrams.
    pub rtp: SocketAddr,
    /// Where we take RTCP.
    pub rtcp: SocketAddr,
}
