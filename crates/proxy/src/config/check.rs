//! What can be wrong with a configuration that reads well.

use std::collections::HashSet;

use super::{Config, Peer, Policy};

/// One thing wrong: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `trunk.0.hosts.1.to`: tables by name, list entries by number.
    pub key: String,
    /// What is wrong and what to write instead.
    pub problem: String,
    /// Whether Sidetone still can run.
    pub fatal: bool,
}

impl Fault {
    fn fatal(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: true }
    }
    fn warning(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: false }
    }
}

/// Everything wrong with a configuration, fatal or not.
#[must_use]
pub fn check(config: &Config) -> Vec<Fault> {
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
    if config.media.threads == 0 || config.media.threads > 64 {
        faults.push(Fault::fatal("media.threads", "must be 1 to 64"));
    }
    if config.media.tick.0 > std::time::Duration::from_millis(10) {
        faults.push(Fault::fatal("media.tick", "delays every packet by up to this much; 10ms is the most"));
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
    if config.limits.calls_per_second == 0 {
        faults.push(Fault::fatal("limits.calls_per_second", "is 0, so every call would be refused"));
    }
    if config.limits.ring.0 < std::time::Duration::from_secs(10) {
        faults.push(Fault::fatal("limits.ring", "must be at least 10s: nobody answers sooner"));
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
                "holds {ports} ports: enough for about {} calls when both faces share an address, fewer than limits.calls = {}",
                ports / 4,
                config.limits.calls
            ),
        ));
    }
    if let Err(error) = config.analysis.thresholds.validate() {
        faults.push(Fault::fatal(
            format!("analysis.thresholds.{}", error.key),
            format!("must be {}", error.must),
        ));
    }
    if let Err(error) = config.events.validate() {
        faults.push(Fault::fatal("events", error.to_string()));
    }
    let mut names = HashSet::new();
    for (table, peers, others) in
        [("trunk", &config.trunks, &config.pbxs), ("pbx", &config.pbxs, &config.trunks)]
    {
        for (index, peer) in peers.iter().enumerate() {
            check_peer(&mut faults, &format!("{table}.{index}"), peer, others);
            if !names.insert(peer.name.as_str()) {
                faults.push(Fault::fatal(
                    format!("{table}.{index}.name"),
                    format!("`{}` is taken by another trunk or PBX", peer.name),
                ));
            }
            if table == "pbx" && peer.disclosure != Policy::Never {
                faults.push(Fault::fatal(
                    format!("{table}.{index}.disclosure"),
                    "belongs to a trunk: it is callers who are told",
                ));
            }
        }
    }
    let trunks: Vec<&str> = config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    faults.extend(config.consent.faults(&trunks).into_iter().map(|fault| Fault {
        key: fault.key,
        problem: fault.problem,
        fatal: fault.fatal,
    }));
    for (index, trunk) in config.trunks.iter().enumerate() {
        if !trunk.links().is_empty() {
            faults.push(Fault::fatal(format!("trunk.{index}"), "ami, ari, esl and sip belong to a [[pbx]]"));
        }
    }
    for (index, pbx) in config.pbxs.iter().enumerate() {
        if let Err(error) = pbx.links().validate(&pbx.name) {
            faults.push(Fault::fatal(format!("pbx.{index}.{}", error.key), error.why));
        }
    }
    for (index, trunk) in config.trunks.iter().enumerate() {
        let rules = config.consent.rules.iter().any(|rule| rule.policy.unwrap_or_default() != Policy::Never);
        if trunk.analyse_outbound && trunk.disclosure == Policy::Never && !rules {
            faults.push(Fault::warning(
                format!("trunk.{index}.analyse_outbound"),
                "has no effect: `disclosure` does not say how those who are called are told",
            ));
        }
    }
    if !config.trunks.is_empty() && !config.listens_to_any() {
        faults.push(Fault::warning(
            "trunk.0.disclosure",
            "no trunk states how callers are told, so calls are carried but none is analysed; write disclosure = \"notice\" to have Sidetone announce it, or \"given-upstream\" where callers hear of it before they get here",
        ));
    }
    faults
}

fn check_peer(faults: &mut Vec<Fault>, key: &str, peer: &Peer, others: &[Peer]) {
    if peer.name.is_empty() || !peer.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        faults.push(Fault::fatal(
            format!("{key}.name"),
            "may hold letters, digits, '-', '_' and '.' only, since it becomes a metrics label",
        ));
    }
    if peer.hosts.is_empty() {
        faults.push(Fault::fatal(
            format!("{key}.hosts"),
            "names no host; write [{ to = \"sip:192.0.2.1:5060\" }]",
        ));
    }
    if peer.allow.is_empty() {
        faults
            .push(Fault::warning(format!("{key}.allow"), "is empty, so no request from this peer is taken"));
    }
    for (index, host) in peer.hosts.iter().enumerate() {
        if let Err(problem) = crate::routing::HostAddress::parse(&host.to) {
            faults.push(Fault::fatal(format!("{key}.hosts.{index}.to"), problem));
        }
    }
    for (list, names) in [("to", &peer.to), ("overflow", &peer.overflow)] {
        for (index, name) in names.iter().enumerate() {
            if !others.iter().any(|other| other.name == *name) {
                faults.push(Fault::fatal(
                    format!("{key}.{list}.{index}"),
                    format!("`{name}` is no peer on the other face"),
                ));
            }
        }
    }
    if peer.calls == Some(0) {
        faults.push(Fault::fatal(
            format!("{key}.calls"),
            "is 0, so every call from this peer would be refused",
        ));
    }
}
