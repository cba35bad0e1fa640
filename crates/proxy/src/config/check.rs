//! Faults of a configuration that parses, as far as its own text shows them.

mod keys;
mod links;
mod names;
mod peers;
mod sockets;
mod tls;

pub use links::unusable_host;
pub use sockets::media_named;

use sidetone_sip::host::Host;

use super::Config;
use super::fault::Fault;
use names::{Resolved, no_host};

/// More calls than this have no ports on one address.
const MOST_CALLS: usize = 1_000_000;
/// A healthy host answers within T1 (RFC 3261 §17.1.1.2), or an INVITE would be retransmitted.
const SHORTEST_FAILOVER: std::time::Duration = std::time::Duration::from_millis(500);

/// All faults of the proxy's configuration that its own text shows, fatal or not.
#[must_use]
pub fn check(config: &Config) -> Vec<Fault> {
    // Long: one check for each key.
    let mut faults = Vec::new();
    if config.sip.listen.is_empty() {
        faults
            .push(Fault::fatal("sip.listen", "names no socket; write for example [\"udp:127.0.0.1:5060\"]"));
    }
    if config.trunks.is_empty() {
        faults.push(Fault::fatal("trunk", "is missing: without a [[trunk]] no call can come or go"));
    }
    if config.pbxs.is_empty() {
        faults.push(Fault::fatal("pbx", "is missing: without a [[pbx]] there is nowhere to take calls to"));
    }
    if config.sip.udp_limit < 512 || config.sip.udp_limit > 65_000 {
        faults.push(Fault::fatal("sip.udp_limit", "must be 512 to 65000 bytes"));
    }
    if config.limits.calls == 0 {
        faults.push(Fault::fatal(
            "limits.calls",
            "is 0, so every call would be refused; to refuse new calls use `sidetone drain`",
        ));
    }
    if config.limits.calls > MOST_CALLS {
        faults.push(Fault::fatal(
            "limits.calls",
            format!("is more than {MOST_CALLS}, which no machine carries"),
        ));
    }
    if config.sip.failover_after.0 < SHORTEST_FAILOVER {
        faults.push(Fault::fatal(
            "sip.failover_after",
            "must be at least 500ms: a host that has not answered by then is given up, and every call with the last of them; 4s is the usual",
        ));
    }
    if config.limits.calls_per_second == 0 {
        faults.push(Fault::fatal("limits.calls_per_second", "is 0, so every call would be refused"));
    }
    if config.limits.ring.0 < std::time::Duration::from_secs(10) {
        faults.push(Fault::fatal("limits.ring", "must be at least 10s: nobody answers sooner"));
    }
    for (key, nothing) in [
        ("sip.max_transactions", config.sip.max_transactions == 0),
        ("sip.max_connections", config.sip.max_connections == 0),
        ("sip.max_connections_of_source", config.sip.max_connections_of_source == 0),
        ("health.down_after", config.health.down_after == 0),
    ] {
        if nothing {
            faults.push(Fault::fatal(key, "must be at least 1; leave it out for the default"));
        }
    }
    let interval = config.health.options_interval.0;
    if !interval.is_zero() && interval < std::time::Duration::from_secs(1) {
        faults.push(Fault::fatal("health.options_interval", "must be at least 1s, or 0s for no probes"));
    }
    if config.media.ipv6.is_none() && config.sip.listen.iter().any(|listen| listen.addr.is_ipv6()) {
        faults.push(Fault::warning(
            "media",
            "has no ipv6 address though SIP listens on IPv6: calls from there are refused",
        ));
    }
    let ports = usize::from(config.media.ports.last - config.media.ports.first) + 1;
    if ports / 4 < config.limits.calls {
        faults.push(Fault::warning(
            "media.ports",
            format!(
                "holds {ports} ports: enough for about {} calls when both sides share an address, fewer than limits.calls = {}",
                ports / 4,
                config.limits.calls
            ),
        ));
    }
    hostnames(config, &mut faults);
    peers::check(config, &mut faults);
    links::check(config, &mut faults);
    sockets::check(config, &mut faults);
    tls::check(config, &mut faults);
    keys::check(config, &mut faults);
    faults
}

/// Names that no peer could use for us.
fn hostnames(config: &Config, faults: &mut Vec<Fault>) {
    for (index, name) in config.sip.hostnames.iter().enumerate() {
        let key = format!("sip.hostnames.{index}");
        let bare = name.strip_prefix("sip:").or_else(|| name.strip_prefix("sips:")).unwrap_or(name);
        let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
        let problem = if name.is_empty() {
            Some("is empty; write a name, or leave it out".to_owned())
        } else if host != name && host.parse::<Host>().is_ok() && name.parse::<Host>().is_err() {
            Some(format!("`{name}` is more than a host; write \"{host}\": ports stand in sip.listen"))
        } else {
            no_host(name, Resolved::Elsewhere)
        };
        faults.extend(problem.map(|problem| Fault::fatal(key, problem)));
    }
}
