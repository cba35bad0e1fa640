//! Where SDP may aim media: not at Sidetone itself, nor at services on this host's loopback.
//!
//! A relay sends to any address that a party asks for. Aimed at a socket of this host, our own among them, it would
//! speak there with a neighbour's trust; aimed in a circle, one packet would go round for ever.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use sidetone_call::{CallKey, LocalMedia, Side};

use crate::config::Media;

/// The calls that hold our media sockets, and our other sockets.
#[derive(Debug)]
pub(super) struct Aim {
    /// Sockets other than media sockets: SIP, HTTP.
    others: Vec<SocketAddr>,
    sockets: HashMap<SocketAddr, (CallKey, Side)>,
}

impl Aim {
    pub(super) fn new(others: Vec<SocketAddr>) -> Self {
        Self { others, sockets: HashMap::new() }
    }

    /// A call holds these sockets now.
    pub(super) fn hold(&mut self, call: CallKey, side: Side, local: LocalMedia) {
        for socket in [local.rtp, local.rtcp] {
            self.sockets.insert(socket, (call, side));
        }
    }

    /// The sockets are held no longer.
    pub(super) fn release(&mut self, local: LocalMedia) {
        for socket in [local.rtp, local.rtcp] {
            self.sockets.remove(&socket);
        }
    }

    /// Whether a party of `call` on `side` may have its media sent to `address`.
    ///
    /// Only a PBX may name one of our media sockets, and only one that another call has on the PBX's side. A PBX that
    /// connects two calls of ours with each other and leaves the media path (FreeSWITCH's bypass, Asterisk's
    /// `direct_media`) tells each call the other's address. That makes no circle, for media leaves by the trunks.
    pub(super) fn admits(&self, config: &Media, call: CallKey, side: Side, address: SocketAddr) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if let Some((holder, toward)) = self.sockets.get(&address) {
            return side == Side::Pbx && *toward == Side::Pbx && *holder != call;
        }
        if self.others.iter().any(|other| is_at(*other, address, config)) {
            return false;
        }
        let here = config.address_toward(side, address.is_ipv6());
        !address.ip().is_loopback() || here.is_some_and(|here| here.is_loopback())
    }
}

/// Whether a socket bound to `bound` receives packets sent to `address`.
fn is_at(bound: SocketAddr, address: SocketAddr, config: &Media) -> bool {
    let ours = |ip: IpAddr| {
        ip.is_loopback()
            || [Side::Trunk, Side::Pbx]
                .iter()
                .any(|side| config.address_toward(*side, ip.is_ipv6()) == Some(ip))
    };
    bound.port() == address.port()
        && (bound.ip().to_canonical() == address.ip() || (bound.ip().is_unspecified() && ours(address.ip())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CallKey = CallKey(1);
    const OTHER: CallKey = CallKey(2);

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn config(address: &str) -> Media {
        let text = format!("address = \"192.0.2.1\"\naddress_pbx = \"{address}\"\nipv6 = \"2001:db8::1\"");
        toml::from_str(&text).unwrap()
    }

    fn local(rtp: &str) -> LocalMedia {
        let rtp = at(rtp);
        LocalMedia { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) }
    }

    #[test]
    fn loopback_only_where_our_own_media_is_there() {
        let aim = Aim::new(Vec::new());
        for address in ["127.0.0.1:4000", "127.9.9.9:4000", "[::ffff:127.0.0.1]:4000"] {
            let admits = |config: &Media, side| aim.admits(config, ONE, side, at(address));
            assert!(!admits(&config("10.0.0.1"), Side::Pbx), "{address}");
            assert!(admits(&config("127.0.0.1"), Side::Pbx), "{address}");
            assert!(!admits(&config("127.0.0.1"), Side::Trunk), "{address}");
        }
        assert!(!aim.admits(&config("127.0.0.1"), ONE, Side::Pbx, at("[::1]:4000")));
        assert!(aim.admits(&config("10.0.0.1"), ONE, Side::Pbx, at("10.0.0.1:4000")), "a PBX on this host");
    }

    #[test]
    fn nobody_aims_at_our_signalling() {
        let aim = Aim::new(vec![at("192.0.2.1:5060"), at("0.0.0.0:9464")]);
        for address in ["192.0.2.1:5060", "192.0.2.1:9464", "127.0.0.1:9464", "[::ffff:192.0.2.1]:5060"] {
            for side in [Side::Trunk, Side::Pbx] {
                assert!(!aim.admits(&config("127.0.0.1"), ONE, side, at(address)), "{address}");
            }
        }
        assert!(aim.admits(&config("10.0.0.1"), ONE, Side::Trunk, at("203.0.113.1:5060")));
    }

    #[test]
    fn only_a_pbx_connects_two_calls_of_ours() {
        let mut aim = Aim::new(Vec::new());
        let (trunk, pbx) = (local("192.0.2.1:30000"), local("10.0.0.1:30002"));
        aim.hold(ONE, Side::Trunk, trunk);
        aim.hold(ONE, Side::Pbx, pbx);
        let config = config("10.0.0.1");
        let admits = |aim: &Aim, call, side, to| aim.admits(&config, call, side, to);
        assert!(admits(&aim, OTHER, Side::Pbx, pbx.rtp));
        assert!(!admits(&aim, ONE, Side::Pbx, pbx.rtp), "its own call's: a circle");
        assert!(!admits(&aim, OTHER, Side::Pbx, trunk.rtp));
        for to in [trunk.rtp, trunk.rtcp, pbx.rtp] {
            assert!(!admits(&aim, OTHER, Side::Trunk, to), "{to}");
        }
        aim.release(trunk);
        assert!(admits(&aim, OTHER, Side::Trunk, trunk.rtp), "nobody's any more");
    }
}
