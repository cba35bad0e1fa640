//! What can be wrong with a configuration that reads well, as far as its own text tells.

mod links;
mod names;
mod peers;
mod sockets;

pub use sockets::media_named;

use sidetone_events::SinkError;
use sidetone_events::config::EventsConfig;
use sidetone_sip::host::Host;

use super::fault::Fault;
use super::{Config, Policy};
use names::{Resolved, no_host};

/// More calls than this have no ports on one address.
const MOST_CALLS: usize = 1_000_000;
/// Hosts that are well answer after T1 at the latest (RFC 3261 §17.1.1.2), or an INVITE would be repeated.
const SHORTEST_FAILOVER: std::time::Duration = std::time::Duration::from_millis(500);
/// More threads than this listen no faster on any machine.
const MOST_WORKERS: usize = 256;

/// Everything wrong with a configuration that its own text tells, fatal or not.
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
        faults.push(Fault::fatal("media.threads", "must be 1 to 64; one carries about a thousand calls"));
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
        ("health.down_after", config.health.down_after == 0),
    ] {
        if nothing {
            faults.push(Fault::fatal(key, "must be at least 1; leave it out for the default"));
        }
    }
    if config.analysis.workers > MOST_WORKERS {
        faults.push(Fault::fatal(
            "analysis.workers",
            format!("is more than {MOST_WORKERS}; 0 takes one for every two cores"),
        ));
    }
    if !(-60.0..=-10.0).contains(&config.announcement.loudness) {
        faults.push(Fault::fatal("announcement.loudness", "must be -60 to -10 LUFS; -23 is the usual"));
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
    if let Err(error) = config.analysis.thresholds.validate() {
        faults.push(Fault::fatal(
            format!("analysis.thresholds.{}", error.key),
            format!("must be {}", error.must),
        ));
    }
    hostnames(config, &mut faults);
    peers::check(config, &mut faults);
    links::check(config, &mut |key, problem, fatal| faults.push(Fault { key, problem, fatal }));
    sockets::check(config, &mut faults);
    let trunks: Vec<&str> = config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    faults.extend(config.consent.faults(&trunks).into_iter().map(|fault| Fault {
        key: fault.key,
        problem: fault.problem,
        fatal: fault.fatal,
    }));
    events(config, &mut faults);
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

/// Names under which no peer could mean us.
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

/// Each webhook by itself, so that it is told which one is wrong.
fn events(config: &Config, faults: &mut Vec<Fault>) {
    let rest = EventsConfig { webhooks: Vec::new(), ..config.events.clone() };
    if let Err(error) = rest.validate() {
        faults.push(events_fault(None, &error));
        return;
    }
    for (number, webhook) in config.events.webhooks.iter().enumerate() {
        let one = EventsConfig { webhooks: vec![webhook.clone()], ..rest.clone() };
        if let Err(error) = one.validate() {
            faults.push(events_fault(Some(number), &error));
        }
    }
    // What they must not have in common.
    if let Err(error) = config.events.validate()
        && !faults.iter().any(|fault| fault.key.starts_with("events."))
    {
        faults.push(events_fault(None, &error));
    }
}

/// A fault of `[events]`; `webhook` is the number of the one that it concerns, from 0.
pub fn events_fault(webhook: Option<usize>, error: &SinkError) -> Fault {
    let (key, problem) = match error {
        SinkError::File { path, why } => {
            let problem = format!(
                "`{path}` can't be written: {why}; make its folder, and let Sidetone's user write there"
            );
            ("events.file.path", problem)
        }
        SinkError::Thread(why) => ("events", why.to_string()),
        SinkError::Config { key, why } => (*key, why.clone()),
        SinkError::Secret { key, why } => (*key, format!("can't be used: {why}; {}", why.remedy())),
    };
    let key = match (webhook, key.strip_prefix("events.webhook.")) {
        (Some(number), Some(rest)) => format!("events.webhook.{number}.{rest}"),
        _ => key.to_owned(),
    };
    Fault::fatal(key, problem)
}
