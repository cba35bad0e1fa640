//! `sidetone check`: everything that `sidetone run` does with a configuration, up to binding its sockets.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{DEFAULT_CONFIG, Output, say, say_json};
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(default_value = DEFAULT_CONFIG, value_name = "CONFIG")]
    file: PathBuf,
}

impl Check {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let (prepared, problems) = config::prepare(&self.file);
        let usable = prepared.is_some() && problems.iter().all(|problem| !problem.fatal);
        if output.json {
            say_json(&json!({ "file": self.file, "usable": usable, "problems": problems }))?;
        } else {
            for problem in &problems {
                say(problem);
            }
            let file = self.file.display();
            match (usable, prepared.is_some()) {
                (true, _) => say(format_args!("{file}: can be run")),
                (false, true) => say(format_args!("{file}: can be run, but not as it is meant")),
                (false, false) => say(format_args!("{file}: can't be run")),
            }
        }
        Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
