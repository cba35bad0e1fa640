//! `sidetone check`: everything that `sidetone run` does with a configuration, up to binding its sockets.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::cli::output::{DEFAULT_CONFIG, Output, say, say_json};
use crate::server;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(default_value = DEFAULT_CONFIG, value_name = "CONFIG")]
    file: PathBuf,
    /// Exit with 1 for whatever is found, warnings too, and not only for what keeps Sidetone from running.
    #[arg(long)]
    strict: bool,
    /// The file is for another machine: say nothing of addresses that this one has not, or of ports in use here.
    #[arg(long)]
    elsewhere: bool,
}

impl Check {
    /// The exit status says whether `run` would carry calls. `run` does so without a model, so a missing model is no
    /// failure here either: an operator who lets this command decide over a start must not lose calls for want of
    /// analysis.
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let prepare = if self.elsewhere { server::prepare_elsewhere } else { server::prepare };
        let (prepared, problems) = prepare(&self.file);
        let runs = prepared.is_some();
        let usable = runs && problems.iter().all(|problem| !problem.fatal);
        if output.json {
            say_json(&json!({ "file": self.file, "runs": runs, "usable": usable, "problems": problems }))?;
        } else {
            for problem in &problems {
                say(problem);
            }
            let file = self.file.display();
            match (usable, runs) {
                (true, _) => say(format_args!("{file}: can be run")),
                (false, true) => say(format_args!("{file}: can be run, but not as it is meant")),
                (false, false) => say(format_args!("{file}: can't be run")),
            }
        }
        let good = runs && (problems.is_empty() || !self.strict);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
