//! `sidetone chaos`: an operator's drill. A part is broken on purpose; what calls had of it is told, and what came of
//! it.

mod report;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sidetone_drill::Fault;
use sidetone_serve::control::Request;

use super::control::Running;
use crate::cli::output::{Output, say, say_json};
use report::{Report, Watch, nothing_to_break};

/// How often counters are looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(500);
/// How long a part may take to be itself again.
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Chaos {
    /// What to break; without it, a list of what can be.
    #[arg(value_name = "FAULT", conflicts_with = "all")]
    fault: Option<Fault>,
    /// Break one part after the other, those that are not there left out.
    #[arg(long)]
    all: bool,
    /// For how long, each. Ctrl-C ends it.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    running: Running,
}

impl Chaos {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let faults: Vec<Fault> = match (self.fault, self.all) {
            (Some(fault), _) => vec![fault],
            (None, true) => Fault::ALL.to_vec(),
            (None, false) => return list(output),
        };
        let mut failed = false;
        for fault in faults {
            if let Some(why) = nothing_to_break(fault, &self.stats()?) {
                if self.all {
                    if output.json {
                        say_json(&json!({ "fault": fault, "skipped": why }))?;
                    } else {
                        say(format!("{fault}: {why}"));
                    }
                    continue;
                }
                bail!("{why}");
            }
            let report = self.hold(fault, output)?;
            failed |= !report.is_fine();
            if output.json { say_json(&report)? } else { report.lines().into_iter().for_each(say) }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn stats(&self) -> anyhow::Result<Value> {
        self.running.ask_once(&Request::Stats)
    }

    /// Breaks a part, watches, and waits until it is whole again.
    fn hold(&self, fault: Fault, output: Output) -> anyhow::Result<Report> {
        let mut watch = Watch::new(fault, self.seconds, self.stats()?);
        let mut drill = self.running.ask(&Request::Chaos { fault, seconds: self.seconds })?;
        let mut next = || -> anyhow::Result<Value> {
            let step = drill.next().context("Sidetone hung up in the midst of the drill; see its log")??;
            match step.get("error").and_then(Value::as_str) {
                Some(error) => bail!("{error}"),
                None => Ok(step),
            }
        };
        next()?;
        let began = Instant::now();
        let progress = if std::io::stderr().is_terminal() && !output.json {
            ProgressBar::new(self.seconds)
        } else {
            ProgressBar::hidden()
        };
        progress.println(format!("{fault}: {}", fault.what()));
        while began.elapsed() < Duration::from_secs(self.seconds) {
            sleep(LOOKS_EVERY);
            progress.set_position(began.elapsed().as_secs());
            watch.during(self.stats()?);
        }
        next()?;
        progress.finish_and_clear();
        let over = Instant::now();
        while over.elapsed() < RECOVERS_WITHIN {
            sleep(LOOKS_EVERY);
            if watch.after(over.elapsed(), self.stats()?) {
                break;
            }
        }
        Ok(watch.report())
    }
}

fn list(output: Output) -> anyhow::Result<ExitCode> {
    if output.json {
        let all: Vec<Value> =
            Fault::ALL.iter().map(|fault| json!({ "fault": fault, "what": fault.what() })).collect();
        say_json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    for fault in Fault::ALL {
        say(format!("{:<14} {}", fault.name(), fault.what()));
    }
    say(
        "\nNone of them touches a packet. `sidetone chaos FAULT --for 20`, within chaos.windows, holds a drill.",
    );
    Ok(ExitCode::SUCCESS)
}
