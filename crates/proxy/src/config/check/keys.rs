//! Keys of media that would pass in the clear.

use sidetone_call::Side;
use sidetone_relay::config::{Keying, SidePolicy};
use sidetone_sip::Transport;
use sidetone_sip::host::Host;

use crate::config::Config;
use crate::config::fault::Fault;
use crate::routing::HostAddress;

/// RFC 4568 §7 has keys in SDP carried by TLS or the like: whoever reads the signalling can else read the media.
pub(super) fn check(config: &Config, faults: &mut Vec<Fault>) {
    let security = &config.media.security;
    for (side, keying, peers) in
        [(Side::Trunk, security.keying_trunk, &config.trunks), (Side::Pbx, security.keying_pbx, &config.pbxs)]
    {
        let offered = matches!(security.toward(side), SidePolicy::Terminate | SidePolicy::Require);
        let open = peers.iter().flat_map(|peer| &peer.hosts).find(|host| is_open(&host.to));
        if let (true, Keying::Sdes, Some(host)) = (offered, keying, open) {
            let side = side.as_str();
            let problem = format!(
                "has keys sent to `{}` in SDP, where SIP is not encrypted: who can read that can hear the call; reach it by \
                 ;transport=tls, or write keying_{side} = \"dtls\"",
                host.to
            );
            faults.push(Fault::warning(format!("media.security.{side}"), problem));
        }
    }
}

/// Whether what is sent there can be read on the way: by UDP or TCP, and not within this machine.
fn is_open(to: &str) -> bool {
    let Ok(address) = HostAddress::parse(to) else { return false };
    let within = matches!(address.host.host, Host::Ip(ip) if ip.is_loopback());
    !within && !address.transport.is_some_and(Transport::is_secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_this_machine_or_by_tls_is_not_open() {
        for (to, open) in [
            ("sip:192.0.2.1", true),
            ("sip:carrier.example;transport=tcp", true),
            ("sip:192.0.2.1:5061;transport=tls", false),
            ("sips:carrier.example", false),
            ("sip:127.0.0.1", false),
            ("sip:[::1]:5070", false),
            ("no URI at all", false),
        ] {
            assert_eq!(is_open(to), open, "{to}");
        }
    }
}
