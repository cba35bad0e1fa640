//! `sidetone compliance`: reports for a compliance officer.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;
use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueHint};
use sha2::{Digest, Sha256};
use sidetone_consent::Moment;
use sidetone_consent::report::{ModelFacts, Report, ReportFacts, SinkFacts};
use sidetone_emotion::model::Model;
use sidetone_events::Timestamp;
use sidetone_pbx::LinkKind;

use crate::cli::output::{ConfigFile, Output, say, say_json};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Compliance {
    /// List every path by which something is inferred, its legal gate, what is kept how long, and what runs.
    Report(ReportOn),
}

impl Compliance {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Report(report) => report.run(output),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReportOn {
    #[command(flatten)]
    config: ConfigFile,
    /// Write it to this file as a page that can be read, printed and filed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,
}

impl ReportOn {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let (config, _) = match config::load(&self.config.config) {
            Ok(loaded) => loaded,
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("{}", problems.join("\n"));
            }
        };
        let report = Report::new(&facts(&config)?);
        if let Some(path) = &self.html {
            std::fs::write(path, report.to_html())
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
        if output.json {
            say_json(&report)?;
        } else if let Some(path) = &self.html {
            say(format_args!("report written to {}", path.display()));
        } else {
            say(report.to_string().trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn facts(config: &Config) -> anyhow::Result<ReportFacts> {
    Ok(ReportFacts {
        build: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        program_sha256: own_checksum(),
        made: Moment::from_unix_millis(Timestamp::now().unix_millis()),
        settings: config.consent.clone(),
        trunks: config.trunks.iter().map(|trunk| (trunk.name.clone(), trunk.disclosure)).collect(),
        outbound: outbound(config),
        model: Some(model(config)?),
        sinks: sinks(config),
        numbers_salted: config.events.number_salt.is_some(),
    })
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

fn model(config: &Config) -> anyhow::Result<ModelFacts> {
    let model = match &config.analysis.model {
        Some(path) => Model::open(path).with_context(|| format!("analysis.model {}", path.display()))?,
        None => Model::embedded()?,
    };
    let meta = model.meta();
    Ok(ModelFacts {
        name: meta.name.clone(),
        sha256: model.sha256().to_owned(),
        card_sha256: meta.card_sha256.clone(),
        licence: meta.licence.name().to_owned(),
        parameters: model.parameters(),
    })
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
        let kept = format!(
            "calls {}, what was inferred from moment to moment {}; erased when the customer refuses, and by `sidetone store erase`",
            days(store.keep_calls_days),
            days(store.keep_timelines_days)
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
