//! `sidetone consent`: the receipts, and the list of numbers that are never analysed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use sidetone_call::Leg;
use sidetone_consent::list::Lookup;
use sidetone_consent::log::{self, Line, Noted, Report};
use sidetone_consent::numbering::Numbering;
use sidetone_consent::receipt::{Export, Said};
use sidetone_consent::{Entry, List, Moment, Receipt};
use sidetone_events::Timestamp;
use sidetone_insight::WordsFinal;

use crate::cli::output::{Output, say, say_json};
use crate::cli::store::{Place, explained};
use crate::config;

#[derive(Debug, Subcommand)]
pub(super) enum Consent {
    /// Check that no receipt was changed, removed or added since it was written.
    Verify(Verify),
    /// Show the consent record of a call.
    Show(Show),
    /// Write the consent record of a call for others.
    Export(ExportCall),
    /// Never analyse calls of this number.
    Exclude(Number),
    /// Take a number off the list of those that are never analysed.
    Include(Number),
    /// Say whether a number is on the list.
    Check(Number),
}

impl Consent {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Verify(verify) => verify.run(output),
            Self::Show(show) => show.run(output),
            Self::Export(export) => export.run(),
            Self::Exclude(number) => number.exclude(output),
            Self::Include(number) => number.include(output),
            Self::Check(number) => number.check(output),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Folder of the receipts (`consent.receipts`), or one of its files.
    log: PathBuf,
    /// The head of the log as an earlier run printed it, noted elsewhere: NUMBER:HASH. Only this finds a log that
    /// somebody wrote anew from beginning to end.
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<Noted>,
}

impl Verify {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let report = log::verify(&self.log, self.head.as_ref()).map_err(|error| at_log(&self.log, error))?;
        if output.json {
            say_json(&json!({ "intact": report.is_intact(), "report": report }))?;
        } else {
            tell(&report, self.head.is_some());
        }
        Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn tell(report: &Report, compared: bool) {
    for finding in &report.findings {
        say(finding);
    }
    if report.further_findings > 0 {
        say(format_args!("and {} more", report.further_findings));
    }
    for note in &report.notes {
        say(format_args!("note: {note}"));
    }
    let Report { receipts, files, lost, .. } = report;
    say(format_args!("{receipts} receipts in {files} files"));
    if *lost > 0 {
        say(format_args!(
            "{lost} receipts could not be written when they should have been; the log says so itself"
        ));
    }
    if let Some(head) = &report.head {
        say(format_args!("head {}:{}", head.seq, head.hash));
    }
    if !report.is_intact() {
        say("NOT INTACT: keep a copy of the folder as it is, and compare it with a backup");
    } else if compared {
        say("intact, and as it was when the head was noted");
    } else {
        say("intact; note the head elsewhere, and give it to --head next time");
    }
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Folder of the receipts (`consent.receipts`), or one of its files.
    log: PathBuf,
    /// The call's id, as events give it.
    call: String,
}

impl Show {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let (id, lines) = found(&self.log, &self.call)?;
        for (line, receipt) in receipts(&lines) {
            if output.json {
                let (sequence, hash) = (line.seq, &line.hash);
                say_json(&json!({ "log": id, "sequence": sequence, "hash": hash, "receipt": receipt }))?;
            } else {
                say(format_args!("{receipt}line      {} of log {id}", line.seq));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct ExportCall {
    /// Folder of the receipts (`consent.receipts`), or one of its files.
    log: PathBuf,
    /// The call's id, as events give it.
    call: String,
    /// As a vCon with a lawful-basis attachment (IETF drafts), one a line.
    #[arg(long, required = true)]
    vcon: bool,
    /// With what was said, redacted, as a transcript: from the store, where words are kept.
    #[arg(long)]
    words: bool,
    #[command(flatten)]
    place: Place,
}

impl ExportCall {
    fn run(self) -> anyhow::Result<ExitCode> {
        let (id, lines) = found(&self.log, &self.call)?;
        let said = if self.words { self.said()? } else { Vec::new() };
        for (line, receipt) in receipts(&lines) {
            say_json(&Export { receipt, log: &id, line, said: &said }.vcon())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The words of the call that the store has.
    fn said(&self) -> anyhow::Result<Vec<Said>> {
        let call = self.place.open()?.call(&self.call).map_err(|error| explained(&error))?;
        let events = call.map(|call| call.events).unwrap_or_default();
        let words = events.into_iter().filter(|event| event.kind == "words.final");
        let said: Vec<Said> = words
            .filter_map(|event| serde_json::from_value::<WordsFinal>(event.data).ok())
            .map(|words| Said {
                by_customer: words.leg == Leg::Customer,
                from_ms: u64::try_from(words.from.as_millis()).unwrap_or(u64::MAX),
                to_ms: u64::try_from(words.to.as_millis()).unwrap_or(u64::MAX),
                text: words.text,
                language: words.language,
            })
            .collect();
        if said.is_empty() {
            bail!(
                "the store has no words of call {}: they are kept with [language] keep = true, for store.keep_words_days, \
                 and not after an objection; leave --words out for the record alone",
                self.call
            );
        }
        Ok(said)
    }
}

/// The receipts of a call; an error if it has none.
fn found(path: &Path, call: &str) -> anyhow::Result<(String, Vec<Line>)> {
    let (id, lines) = log::find(path, call).map_err(|error| at_log(path, error))?;
    if lines.is_empty() {
        bail!(
            "{} has no receipt of call {call}; ids stand in the events of a call, as `call`, and a receipt is written \
             when the call has ended",
            path.display()
        );
    }
    Ok((id, lines))
}

fn receipts(lines: &[Line]) -> impl Iterator<Item = (&Line, &Receipt)> {
    lines.iter().filter_map(|line| match &line.entry {
        Entry::Receipt(receipt) => Some((line, receipt.as_ref())),
        _ => None,
    })
}

fn at_log(path: &Path, error: log::LogError) -> anyhow::Error {
    let next = format!("{} can't be read; give the folder that `consent.receipts` names", path.display());
    anyhow::Error::new(error).context(next)
}

#[derive(Debug, Args)]
pub(super) struct Number {
    /// The number, best as +49301234567; or a SIP or tel URI.
    #[arg(allow_hyphen_values = true)]
    number: String,
    /// The list. Begun by `exclude` where there is none.
    #[arg(long, value_name = "FILE", conflicts_with = "config", required_unless_present = "config")]
    list: Option<PathBuf>,
    /// The configuration file, which names the list, its salt, and the country that numbers are read in.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// With --list: the country code that national numbers are read in, as 49.
    #[arg(long, value_name = "CODE", requires = "list")]
    country: Option<String>,
    /// With --config: the list of the agents' own numbers (`consent.agent_numbers`), who are no customers.
    #[arg(long, conflicts_with = "list")]
    agents: bool,
}

/// The list's file, with the key and the numbering to read it.
struct Access {
    path: PathBuf,
    key: Option<Vec<u8>>,
    numbering: Numbering,
}

impl Number {
    fn access(&self) -> anyhow::Result<Access> {
        if let Some(path) = &self.list {
            let numbering = Numbering { country: self.country.clone(), ..Numbering::default() };
            return Ok(Access { path: path.clone(), key: None, numbering });
        }
        let Some(file) = &self.config else { bail!("give --list FILE or --config FILE") };
        let (config, _) = config::load(file).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", problems.join("\n"))
        })?;
        let (key, path) = if self.agents {
            ("agent_numbers", config.consent.agent_numbers)
        } else {
            ("do_not_analyse", config.consent.do_not_analyse)
        };
        let Some(path) = path else {
            bail!("{} names no list; add {key} = \"FILE\" under [consent]", file.display());
        };
        let salt = config
            .events
            .number_salt
            .map(|salt| salt.reveal(16))
            .transpose()
            .context("events.number_salt")?;
        let key = salt.map(|salt| salt.bytes().to_vec());
        Ok(Access { path, key, numbering: config.consent.numbering })
    }

    fn exclude(self, output: Output) -> anyhow::Result<ExitCode> {
        let Access { path, key, numbering } = self.access()?;
        let (mut list, begun) = List::open_or_begin(&path, key.as_deref(), &numbering)?;
        let now = Moment::from_unix_millis(Timestamp::now().unix_millis());
        let new = list.exclude(&self.number, now)?;
        let ambiguous = list.is_ambiguous(&self.number);
        if output.json {
            say_json(&json!({
                "list": path, "excluded": true, "new": new, "numbers": list.len(), "ambiguous": ambiguous,
            }))?;
        } else {
            if begun {
                say(format_args!("{}: begun", path.display()));
            }
            say(if new { "never analysed from the next call on" } else { "was on the list already" });
            say("a running Sidetone reads the list again on `sidetone reload`");
            if ambiguous {
                say("note: written without a country code; the same number as +… is not recognised unless \
                     consent.numbering.country (or --country) says how to read it");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn include(self, output: Output) -> anyhow::Result<ExitCode> {
        let Access { path, key, numbering } = self.access()?;
        let mut list = opened(&path, key.as_deref(), &numbering)?;
        let removed = list.include(&self.number)?;
        if output.json {
            say_json(&json!({ "list": path, "removed": removed, "numbers": list.len() }))?;
        } else if removed {
            say("off the list; a running Sidetone reads it again on `sidetone reload`");
        } else {
            say(
                "was not on the list; if it was entered without its country code, write it so or give --config",
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn check(self, output: Output) -> anyhow::Result<ExitCode> {
        let Access { path, key, numbering } = self.access()?;
        let list = opened(&path, key.as_deref(), &numbering)?;
        let lookup = list.look_up(&self.number);
        if output.json {
            let listed = match lookup {
                Lookup::Listed => json!(true),
                Lookup::NotListed => json!(false),
                Lookup::Withheld => json!(null),
            };
            say_json(&json!({ "list": path, "listed": listed }))?;
        } else {
            say(match lookup {
                Lookup::Listed => "on the list: never analysed",
                Lookup::NotListed => "not on the list",
                Lookup::Withheld => "no number: withheld or empty; write it as +49301234567",
            });
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Opens a list that must exist.
fn opened(path: &Path, key: Option<&[u8]>, numbering: &Numbering) -> anyhow::Result<List> {
    if path.try_exists().is_ok_and(|there| !there) {
        bail!("{} is no list yet; `sidetone consent exclude NUMBER` begins it", path.display());
    }
    Ok(List::open(path, key, numbering)?)
}
