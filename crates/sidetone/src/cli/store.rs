//! `sidetone store`: what happened in calls, kept to be asked about.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use sidetone_events::{NumberHasher, Timestamp};
use sidetone_spool::{SpoolError, SpoolFile};
use sidetone_store::{Making, Store as Database, StoreConfig, StoreError, Table};

use crate::cli::output::{ConfigFile, Output, remark, say, say_json};
use crate::config;

/// How often, and after what pauses, the spool's log is tried to be emptied.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Show what is in the store, and how far it is.
    Status(Status),
    /// Make the store if it is not there, and bring one of an older Sidetone forward.
    ///
    /// `sidetone run` does that by itself when it starts; this does it beforehand, so that a long step does not wait
    /// for the start.
    Migrate(Migrate),
    /// Write a table as CSV or Parquet.
    Export(Export),
    /// Delete every call of a number, whichever side it was on, with everything about them.
    ///
    /// The events file, webhooks' receivers and other copies are their own: see docs/CONSENT.md.
    Erase(Erase),
    /// Overwrite deleted content and give its room back. Writes the whole database anew, so it takes a while.
    Vacuum(Vacuum),
}

impl Store {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Status(status) => status.run(output),
            Self::Migrate(migrate) => migrate.run(output),
            Self::Export(export) => export.run(output),
            Self::Erase(erase) => erase.run(output),
            Self::Vacuum(vacuum) => vacuum.run(output),
        }
    }
}

/// Where the store is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The store's SQLite file; without it, the one that the configuration names (`store.path`, `store.postgres`).
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl Place {
    pub(super) fn config(&self) -> anyhow::Result<StoreConfig> {
        if let Some(path) = &self.store {
            return Ok(StoreConfig::in_file(path.clone()));
        }
        let config = whole(&self.config)?;
        config.store.with_context(|| {
            format!(
                "{} keeps no store; begin one with [store] and path = \"/var/lib/sidetone/store.db\", or name one with --store",
                self.config.config.display()
            )
        })
    }

    pub(super) fn open(&self) -> anyhow::Result<Database> {
        Database::open(&self.config()?).map_err(|error| explained(&error))
    }
}

fn whole(file: &ConfigFile) -> anyhow::Result<config::Config> {
    let (config, _) = config::load(&file.config).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", problems.join("\n"))
    })?;
    Ok(config)
}

/// An error with its remedy.
pub(super) fn explained(error: &StoreError) -> anyhow::Error {
    let remedy = match error {
        StoreError::Open { why, .. } if why.kind() == std::io::ErrorKind::NotFound => {
            "it is made when `sidetone run` starts with [store] in its configuration, or by `sidetone store migrate`"
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
        let status = self.place.open()?.status().map_err(|error| explained(&error))?;
        if output.json {
            say_json(&status)?;
            return Ok(ExitCode::SUCCESS);
        }
        let megabytes = status.bytes as f64 / 1e6;
        say(format_args!(
            "{}: {} calls, {} events, {megabytes:.1} MB",
            status.name, status.calls, status.events
        ));
        if let (Some(oldest), Some(newest)) = (status.oldest, status.newest) {
            let time = Timestamp::from_unix_millis;
            say(format_args!("calls from {} to {}", time(oldest), time(newest)));
        }
        say(format_args!("schema {}", status.schema));
        for feed in &status.feeds {
            let node = if feed.node.is_empty() {
                "the spool".to_owned()
            } else {
                format!("the spool of {}", feed.node)
            };
            say(format_args!("up to position {} of {node}", feed.position));
            if feed.lost > 0 {
                say(format_args!("{} of its events were lost before they came here", feed.lost));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    place: Place,
}

impl Migrate {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let (before, now) = Database::migrate(&self.place.config()?, &mut |making| {
            let Making { version, statement, statements, what } = making;
            remark(output.json, &format!("schema {version}, {statement} of {statements}: {what}"));
        })
        .map_err(|error| explained(&error))?;
        if output.json {
            say_json(&json!({ "before": before, "now": now }))?;
        } else if before == now {
            say(format_args!("the store has schema {now}, the newest: nothing to do"));
        } else {
            say(format_args!("the store had schema {before}, and has {now} now"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A table, as the command line names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// A row a call.
    Calls,
    /// A row a moment of a call's timeline.
    Affect,
    /// A row an event, its data as JSON.
    Events,
    /// A row a call of which an outcome was posted.
    Outcomes,
    /// A row a call whose caller has answered a survey.
    Surveys,
    /// A row a supervisor's note.
    Notes,
    /// A row a day, direction, and trunk, queue, team or tier.
    Days,
    /// A row a day, team, and topic that customers named.
    Topics,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text with a header, as spreadsheets read it.
    Csv,
    /// Columns with types, times as timestamps; as pandas, Spark and DuckDB read it.
    Parquet,
}

impl Format {
    fn write(self, store: &mut Database, table: Table, to: impl Write + Send) -> anyhow::Result<u64> {
        let rows = match self {
            Self::Csv => store.export(table, to),
            Self::Parquet => store.export_parquet(table, to),
        };
        rows.map_err(|error| explained(&error))
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    place: Place,
    /// The table.
    #[arg(value_enum)]
    table: Which,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// The file to write; without it, standard output. A file that is there is not written over.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let table = match self.table {
            Which::Calls => Table::Calls,
            Which::Affect => Table::Affect,
            Which::Events => Table::Events,
            Which::Outcomes => Table::Outcomes,
            Which::Surveys => Table::Surveys,
            Which::Notes => Table::Notes,
            Which::Days => Table::Days,
            Which::Topics => Table::Topics,
        };
        let mut store = self.place.open()?;
        anyhow::ensure!(
            self.output.is_some() || !output.json,
            "a table is no JSON; name its file with --output, and --json tells how many rows it has"
        );
        let Some(path) = &self.output else {
            let mut to = BufWriter::new(std::io::stdout());
            self.format.write(&mut store, table, &mut to)?;
            to.flush().context("standard output")?;
            return Ok(ExitCode::SUCCESS);
        };
        // What customers felt is nobody else's business.
        let opened: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("{} can't be made; name another file", path.display()))?;
        let mut to = BufWriter::new(opened);
        let rows = self.format.write(&mut store, table, &mut to)?;
        to.flush().with_context(|| path.display().to_string())?;
        if output.json {
            say_json(&json!({ "file": path, "rows": rows }))?;
        } else {
            say(format_args!("{rows} rows in {}", path.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Erase {
    #[command(flatten)]
    config: ConfigFile,
    /// The number, as it stands in calls: +4930123456, or as its trunk writes it. It is read from standard input
    /// without this argument, so that it need not stand in the shell's history.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
}

impl Erase {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let config = whole(&self.config)?;
        let store = config.store.as_ref().with_context(|| {
            format!("{} keeps no store: nothing of a call is kept there", self.config.config.display())
        })?;
        let hasher = hasher(&config)?;
        let number = match self.number {
            Some(number) => number,
            None => {
                remark(output.json, "the number, on a line of its own:");
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).context("standard input")?;
                line.trim().to_owned()
            }
        };
        let mut store = Database::open(store).map_err(|error| explained(&error))?;
        let hashed = Some(&number).filter(|number| number.bytes().any(|byte| byte.is_ascii_digit()));
        let hashed = hashed.and_then(|number| hasher.hash(number));
        let hashed = hashed.context("that is no number; write it as +4930123456")?;
        let calls = store.erase_number(&hashed, Timestamp::now()).map_err(|error| explained(&error))?.calls;
        let emptied = config.spool.as_ref().map(|spool| emptied(&spool.path)).transpose()?;
        if output.json {
            say_json(&json!({ "calls": calls, "spool_log_emptied": emptied }))?;
        } else {
            say(format_args!("{calls} calls deleted, with everything about them"));
            if emptied == Some(false) {
                let remedy = "a reader of the spool holds its log, where deleted events stand until it is emptied; run this again";
                remark(false, remedy);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Empties the spool's write-ahead log: events that the spool has deleted since each reader has had them still stand in
/// it. Whether it could be done: a reader in the middle of something is waited for, and not for long.
fn emptied(spool: &Path) -> anyhow::Result<bool> {
    if !spool.exists() {
        return Ok(true);
    }
    let spooled = |error: SpoolError| anyhow!("{error}; {}", error.remedy());
    let file = SpoolFile::open(spool).map_err(spooled)?;
    for _ in 0..TRIES {
        if file.checkpoint().map_err(spooled)? {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Hashes numbers as the events do.
fn hasher(config: &config::Config) -> anyhow::Result<NumberHasher> {
    let salt = config.events.number_salt.as_ref().context(
        "numbers are hashed with a salt that is lost at each start, so nobody's calls can be found by their number; set events.number_salt",
    )?;
    Ok(NumberHasher::salted(salt)?)
}

#[derive(Debug, Args)]
pub(super) struct Vacuum {
    #[command(flatten)]
    place: Place,
}

impl Vacuum {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut store = self.place.open()?;
        let before = store.status().map_err(|error| explained(&error))?.bytes;
        remark(output.json, "writing the database anew …");
        store.vacuum().map_err(|error| explained(&error))?;
        let after = store.status().map_err(|error| explained(&error))?.bytes;
        if output.json {
            say_json(&json!({ "before": before, "after": after }))?;
        } else {
            say(format_args!("{:.1} MB, {:.1} MB before", after as f64 / 1e6, before as f64 / 1e6));
        }
        Ok(ExitCode::SUCCESS)
    }
}
