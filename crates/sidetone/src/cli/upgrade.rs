//! `sidetone upgrade`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use sidetone_serve::control::{Request, Upgraded};

use super::control::Running;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(super) struct Upgrade {
    /// The program that is to take over [default: the one that this command belongs to].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// How long to wait for a moment in which every call can be carried on: none that still rings, none whose keys
    /// came by DTLS. After it, those are ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=600))]
    wait: u64,
    #[command(flatten)]
    running: Running,
}

impl Upgrade {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let program = match self.program {
            Some(named) => std::path::absolute(&named).with_context(|| named.display().to_string())?,
            None => std::env::current_exe()
                .context("this program does not know where it is; name it with --program")?,
        };
        let request = Request::Upgrade { program, patience: self.wait };
        let progress = if std::io::stderr().is_terminal() && !output.json {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        progress.enable_steady_tick(Duration::from_millis(120));
        let mut last = None;
        for step in self.running.ask(&request)? {
            let step = step?;
            if let Some(now) = step.get("now").and_then(Value::as_str) {
                progress.set_message(now.to_owned());
                continue;
            }
            last = Some(step);
        }
        progress.finish_and_clear();
        let last = last.context("Sidetone hung up before it said whether it is upgraded; see its log")?;
        if let Some(error) = last.get("error").and_then(Value::as_str) {
            bail!("{error}");
        }
        if output.json {
            say_json(&last)?;
            return Ok(ExitCode::SUCCESS);
        }
        let Upgraded { version, pid, calls, ended, gap_ms } =
            serde_json::from_value(last).context("Sidetone's answer can't be read")?;
        say(format!(
            "version {version} runs as process {pid}: {calls} calls carried on, {ended} ended; what came in {gap_ms} ms between waited in the sockets"
        ));
        Ok(ExitCode::SUCCESS)
    }
}
