//! The facts of the compliance report, from the configuration and the model that run.

use std::path::Path;

use sha2::{Digest, Sha256};
use sidetone_consent::report::{ModelFacts, Report, ReportFacts, SinkFacts};
use sidetone_consent::{List, Moment, log};
use sidetone_emotion::model::Model;
use sidetone_events::{Revealed, Timestamp};
use sidetone_pbx::LinkKind;
use sidetone_serve::http::Facts;

use crate::config::Config;

/// The facts of a configuration. Reads the running program's file.
pub(crate) fn facts(config: &Config, model: Option<ModelFacts>) -> ReportFacts {
    ReportFacts {
        build: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        program_sha256: own_checksum(),
        made: Moment::from_unix_millis(Timestamp::now().unix_millis()),
        settings: config.consent.clone(),
        trunks: config.trunks.iter().map(|trunk| (trunk.name.clone(), trunk.disclosure)).collect(),
        outbound: outbound(config),
        model,
        sinks: sinks(config),
        numbers_salted: config.events.number_salt.is_some(),
    }
}

/// What the compliance page tells beside the store. Reads every receipt, and the list of numbers.
pub(crate) fn of_pages(config: &Config, model: Option<ModelFacts>) -> Facts {
    let receipts = config.consent.receipts.as_ref();
    Facts {
        report: Report::new(&facts(config, model)),
        receipts: receipts.map(|folder| verified(folder).map_err(|error| error.to_string())),
        excluded: config.consent.do_not_analyse.as_ref().map(|path| excluded(config, path)),
    }
}

/// A line that is being written looks like one that a crash has cut short: a second look tells.
fn verified(folder: &Path) -> Result<log::Report, log::LogError> {
    let report = log::verify(folder, None)?;
    if report.is_intact() { Ok(report) } else { log::verify(folder, None) }
}

fn excluded(config: &Config, path: &Path) -> Result<u64, String> {
    let salt = config.events.number_salt.as_ref().map(|salt| salt.reveal(1)).transpose();
    let salt = salt.map_err(|error| error.to_string())?;
    let list = List::open(path, salt.as_ref().map(Revealed::bytes), &config.consent.numbering);
    list.map(|list| list.len() as u64).map_err(|error| error.to_string())
}

/// The trunks and PBXs whose outbound calls reach customers, as the configuration says.
fn outbound(config: &Config) -> Vec<String> {
    let peers = config.trunks.iter().chain(&config.pbxs);
    peers.filter(|peer| peer.analyse_outbound).map(|peer| peer.name.clone()).collect()
}

/// SHA-256 of the running program, where the system lets it read itself.
fn own_checksum() -> Option<String> {
    let program = std::fs::read(std::env::current_exe().ok()?).ok()?;
    Some(Sha256::digest(program).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A model's facts.
pub(crate) fn model(model: &Model) -> ModelFacts {
    let meta = model.meta();
    ModelFacts {
        name: meta.name.clone(),
        sha256: model.sha256().to_owned(),
        card_sha256: meta.card_sha256.clone(),
        licence: meta.licence.name().to_owned(),
        parameters: model.parameters(),
    }
}

fn sinks(config: &Config) -> Vec<SinkFacts> {
    let events = &config.events;
    let mut sinks = Vec::new();
    let mut add = |key: String, what: String, kept: String| sinks.push(SinkFacts { key, what, kept });
    if events.stdout {
        add("events.stdout".into(), "standard output".into(), "by whatever collects it".into());
    }
    if let Some(file) = &events.file {
        let megabytes = file.max_bytes.saturating_mul(u64::from(file.keep) + 1).div_ceil(1 << 20);
        let kept = match file.keep_days {
            0 => format!("until {megabytes} MiB are full; bounded by size, not by time"),
            days => format!("{days} days, or until {megabytes} MiB are full"),
        };
        let kept = format!("{kept}; erased at once when the customer refuses");
        add("events.file".into(), file.path.display().to_string(), kept);
    }
    if let Some(spool) = &config.spool {
        let megabytes = spool.max_bytes.div_ceil(1 << 20);
        let days = match spool.keep_days {
            0 => String::new(),
            days => format!("{days} days, or "),
        };
        let kept = format!(
            "until its readers have had it, at most {days}until {megabytes} MiB are full; erased at once when the customer refuses"
        );
        add("spool".into(), spool.path.display().to_string(), kept);
    }
    if let Some(store) = &config.store {
        let days = |days: u32| match days {
            0 => "without a limit of time".to_owned(),
            days => format!("{days} days"),
        };
        // No longer than the moments, which they go with.
        let words = match (config.language.keep, store.keep_words_days) {
            (true, 1..) => format!(", words {}", days(store.keep_words_days)),
            _ => String::new(),
        };
        let kept = format!(
            "calls {}, what was inferred from moment to moment {}{}; erased when the customer refuses, and by `sidetone store erase`",
            days(store.keep_calls_days),
            days(store.keep_timelines_days),
            words
        );
        // A connection string names hosts and users, no password.
        let place = store.path.as_ref().map(|path| path.display().to_string());
        add("store".into(), place.or_else(|| store.postgres.clone()).unwrap_or_default(), kept);
    }
    for (index, webhook) in events.webhooks.iter().enumerate() {
        // A path may hold a token.
        let host = webhook.url.split('/').take(3).collect::<Vec<_>>().join("/");
        add(format!("events.webhook.{index}"), host, "by the receiver".into());
    }
    add(
        "http./events".into(),
        "live stream for screens".into(),
        format!("the newest {} events, in memory, for clients that come back", events.stream.replay),
    );
    for (index, pbx) in config.pbxs.iter().enumerate() {
        for kind in pbx.links().kinds() {
            let kept = match kind {
                LinkKind::Sip => "in the PBX's own records",
                _ => "as channel variables for the length of the call, and in the PBX's own records",
            };
            add(format!("pbx.{index}.{kind}"), format!("PBX {}", pbx.name), kept.into());
        }
    }
    sinks
}
