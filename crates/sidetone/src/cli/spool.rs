//! `sidetone spool`: the events that are kept for readers that must not miss one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use sidetone_events::Timestamp;
use sidetone_spool::{ReaderName, SpoolError, SpoolFile};

use crate::cli::output::{ConfigFile, Output, flush, remark, say, say_json};
use crate::config;

/// Entries that are read at once.
const PAGE: usize = 1_000;
/// How often `--follow` polls.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(super) enum Spool {
    /// Show what stands in the spool and how far its readers are.
    Status(Status),
    /// Print what a reader has not had yet, a line each, and note that it has had it.
    ///
    /// A line is acknowledged once it has been written to standard output. Whoever is ended in between gets it again:
    /// events have the same `id` then. A line `{"erasure":{"call":…,"before":…}}` asks for what was inferred in that
    /// call, in events whose `seq` is lower, to be erased wherever they were kept. When events were lost, a note on
    /// standard error says how many.
    Read(Read),
    /// Forget a reader, so that nothing is kept for it any more.
    Forget(Forget),
}

impl Spool {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(status) => status.run(output),
            Self::Read(read) => read.run(output),
            Self::Forget(forget) => forget.run(output),
        }
    }
}

/// Where the spool is.
#[derive(Debug, Args)]
struct Place {
    /// The spool's file; without it, the one that the configuration names (`spool.path`).
    #[arg(long, value_name = "FILE")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl Place {
    fn open(&self) -> anyhow::Result<SpoolFile> {
        let path = match &self.spool {
            Some(path) => path.clone(),
            None => {
                let file = &self.config.config;
                let (config, _) = config::load(file).map_err(|problems| {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    anyhow!("{}", problems.join("\n"))
                })?;
                let spool = config.spool.with_context(|| {
                    format!(
                        "{} keeps no spool; begin one with [spool] and path = \"/var/lib/sidetone/spool.db\", or name one with --spool",
                        file.display()
                    )
                })?;
                spool.path
            }
        };
        SpoolFile::open(&path).map_err(|error| explained(&error))
    }
}

/// An error with its remedy.
fn explained(error: &SpoolError) -> anyhow::Error {
    let remedy = match error {
        SpoolError::Open { why, .. } if why.kind() == std::io::ErrorKind::NotFound => {
            "it is made when `sidetone run` starts with [spool] in its configuration"
        }
        other => other.remedy(),
    };
    anyhow!("{error}; {remedy}")
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let file = self.place.open()?;
        let status = file.status().map_err(|error| explained(&error))?;
        if output.json {
            say_json(&status)?;
            return Ok(ExitCode::SUCCESS);
        }
        let megabytes = status.bytes as f64 / 1e6;
        say(format_args!("{}: {} entries, {megabytes:.1} MB", file.path().display(), status.entries));
        if let (Some(first), Some(oldest)) = (status.first, status.oldest) {
            say(format_args!("places {first} to {}, the oldest of {oldest}", status.last));
        }
        if status.readers.is_empty() {
            say("no reader yet: `sidetone spool read NAME` begins one");
        }
        for reader in &status.readers {
            let has = match reader.behind {
                0 => "has everything".to_owned(),
                behind => format!("{behind} behind"),
            };
            say(format_args!("reader {}: {has}, last heard of {}", reader.name, reader.acknowledged));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Read {
    /// The reader's name, kept with its place in the spool: one that is new begins with the oldest event there is.
    #[arg(value_name = "READER")]
    name: ReaderName,
    #[command(flatten)]
    place: Place,
    /// Go on as events come, until ended.
    #[arg(long, short)]
    follow: bool,
    /// Print and acknowledge nothing: the reader gets the same again.
    #[arg(long, conflicts_with = "follow")]
    peek: bool,
    /// At most so many lines.
    #[arg(long, value_name = "LINES", conflicts_with = "follow")]
    most: Option<usize>,
}

impl Read {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let file = self.place.open()?;
        let mut left = self.most.unwrap_or(usize::MAX);
        let mut known = false;
        let mut from = file.position(&self.name).map_err(|error| explained(&error))?;
        loop {
            let page = match file.read(from, PAGE.min(left)) {
                // Somebody else had it for too long. Whoever follows has time.
                Err(error) if self.follow && error.is_busy() => {
                    std::thread::sleep(LOOK);
                    continue;
                }
                page => page.map_err(|error| explained(&error))?,
            };
            if page.lost > 0 {
                let events = if page.lost == 1 { "event was" } else { "events were" };
                remark(output.json, &format!("{} {events} lost before this", page.lost));
            }
            for entry in &page.entries {
                say(entry.content.to_line());
            }
            left = left.saturating_sub(page.entries.len());
            // The first time without an entry too: from then on the spool keeps events for this reader.
            if !self.peek && (!page.entries.is_empty() || !known) {
                known = true;
                flush();
                while let Err(error) = file.acknowledge(&self.name, page.until, Timestamp::now()) {
                    if !(self.follow && error.is_busy()) {
                        return Err(explained(&error));
                    }
                }
            }
            from = page.until;
            let more = page.entries.len() == PAGE && left > 0;
            if !more {
                if !self.follow {
                    return Ok(ExitCode::SUCCESS);
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// The reader's name.
    #[arg(value_name = "READER")]
    name: ReaderName,
    #[command(flatten)]
    place: Place,
}

impl Forget {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        self.place.open()?.forget(&self.name).map_err(|error| explained(&error))?;
        if output.json {
            say_json(&serde_json::json!({ "forgotten": self.name }))?;
        } else {
            say(format_args!("reader {} is forgotten", self.name));
        }
        Ok(ExitCode::SUCCESS)
    }
}
