//! The signalling side's interface to the media relay.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{CallKey, Side, StreamPlan};

/// The media relay. The signalling side tells it which ports are needed and where the parties are; it does the rest,
/// and never calls back in the middle of a call.
pub trait MediaPlane {
    /// Reserves an RTP and RTCP port pair on the address used towards `side` in that IP family. The pair belongs to the
    /// call until [`MediaPlane::release`]. `stream` is the index of the m-line. Called once for each combination.
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

    /// Takes a pair of ports that the call had in an earlier process.
    ///
    /// # Errors
    /// When it can't be had.
    fn reclaim(
        &mut self,
        _call: CallKey,
        _stream: usize,
        _side: Side,
        _local: LocalMedia,
    ) -> Result<(), Exhausted> {
        Err(Exhausted)
    }

    /// Whether media may be sent to an address that the party on `side` states in its SDP: media must not be aimed at
    /// Sidetone or at other services on this host.
    fn admits(&self, _call: CallKey, _side: Side, _address: SocketAddr) -> bool {
        true
    }

    /// The negotiated plan of a stream has changed.
    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan);

    /// The call is over: all its ports are free.
    fn release(&mut self, call: CallKey);
}

/// No media port is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no media port left")]
pub struct Exhausted;
/// A family of addresses; a c= line's `IP4` or `IP6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// The family of an address; an IPv4-mapped IPv6 address is IPv4.
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

    /// The unspecified address: in a c= line, hold (RFC 3264 §8.4).
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// A pair of our own ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LocalMedia {
    /// Our address for RTP, or other datagrams.
    pub rtp: SocketAddr,
    /// Our address for RTCP.
    pub rtcp: SocketAddr,
}
