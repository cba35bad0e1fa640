//! Faults of a configuration that parses, as far as its own text shows them: each part's own check, and conflicts
//! between parts.

use sidetone_consent::Policy;
use sidetone_events::SinkError;
use sidetone_events::config::EventsConfig;
use sidetone_insight::did_you_mean;
use sidetone_proxy::config::{Fault, unusable_host};

use sidetone_journal::JournalConfig;
use sidetone_spool::SpoolConfig;
use sidetone_store::StoreConfig;

use super::Config;

/// All faults of a configuration that its own text shows, fatal or not.
#[must_use]
pub(crate) fn check(config: &Config) -> Vec<Fault> {
    let mut faults = sidetone_proxy::config::check(&config.proxy());
    let media = config.media.faults().into_iter();
    faults.extend(media.map(|(key, problem)| Fault::fatal(format!("media.{key}"), problem)));
    let analysis = config.analysis.faults().into_iter();
    faults.extend(analysis.map(|(key, problem)| Fault::fatal(format!("analysis.{key}"), problem)));
    let language = config.language.faults().into_iter();
    faults.extend(language.map(|(key, problem)| Fault::fatal(format!("language.{key}"), problem)));
    for name in &config.language.trunks {
        let known = config.trunks.iter().map(|trunk| trunk.name.as_str());
        if !known.clone().any(|known| known == name) {
            let problem = format!(
                "`{name}` is no trunk, so nobody's words are recognised for it; {}",
                did_you_mean(name, known)
            );
            faults.push(Fault::warning("language.trunks", problem));
        }
    }
    if let Some(problem) = config.announcement.loudness_fault() {
        faults.push(Fault::fatal("announcement.loudness", problem));
    }
    if let Some((key, problem)) = config.journal.as_ref().and_then(JournalConfig::fault) {
        faults.push(Fault::fatal(format!("journal.{key}"), problem));
    }
    if let Some((key, problem)) = config.spool.as_ref().and_then(SpoolConfig::fault) {
        faults.push(Fault::fatal(format!("spool.{key}"), problem));
    }
    if let Some((key, problem)) = config.store.as_ref().and_then(StoreConfig::fault) {
        faults.push(Fault::fatal(format!("store.{key}"), problem));
    }
    if let Some(oidc) = &config.http.oidc {
        if let Some((key, problem)) = oidc.fault() {
            faults.push(Fault::fatal(format!("http.oidc.{key}"), problem));
        }
        if config.store.is_none() {
            let problem = "lets people sign in to pages, and there are none without a store; begin one with [store] and path = \"/var/lib/sidetone/store.db\"";
            faults.push(Fault::fatal("http.oidc", problem));
        }
    }
    if config.store.is_some() && config.spool.is_none() {
        faults.push(Fault::fatal(
            "store",
            "is fed from the spool, and there is none; begin one with [spool] and path = \"/var/lib/sidetone/spool.db\"",
        ));
    }
    let trunks: Vec<&str> = config.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
    faults.extend(config.consent.faults(&trunks).into_iter().map(|fault| Fault {
        key: fault.key,
        problem: fault.problem,
        fatal: fault.fatal,
    }));
    if let Some((one, other)) = config.teams.ambiguity() {
        let problem = format!("an agent of `{other}` is named in `{one}` too; an agent has one team");
        faults.push(Fault::fatal("teams", problem));
    }
    events(config, &mut faults);
    for (index, webhook) in config.events.webhooks.iter().enumerate() {
        let problem = unusable_host(&webhook.url);
        faults.extend(problem.map(|problem| Fault::fatal(format!("events.webhook.{index}.url"), problem)));
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

/// Checks each webhook by itself, so that the fault names the right one.
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
    // Conflicts between webhooks.
    if let Err(error) = config.events.validate()
        && !faults.iter().any(|fault| fault.key.starts_with("events."))
    {
        faults.push(events_fault(None, &error));
    }
}

/// A fault of `[events]`; `webhook` is the number of the webhook that it concerns, from 0.
pub(crate) fn events_fault(webhook: Option<usize>, error: &SinkError) -> Fault {
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
