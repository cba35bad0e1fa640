//! `sidetone check`.

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
        let (usable, problems) = match config::examine(&self.file) {
            Ok((_, warnings)) => (true, warnings),
            Err(problems) => (false, problems),
        };
        if output.json {
            say_json(&json!({ "file": self.file, "usable": usable, "problems": problems }))?;
        } else {
            for problem in &problems {
                say(problem);
            }
            if usable {
                say(format_args!("{}: can be run", self.file.display()));
            }
        }
        Ok(if usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
