//! Completions and man pages, both made from the one definition of the command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::Cli;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to complete in.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sidetone", &mut script);
        say(String::from_utf8_lossy(&script).trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder to write `sidetone.1`, `sidetone-run.1` and so on into; made if it is missing.
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder))
            .with_context(|| format!("man pages can't be written to {}", self.folder.display()))?;
        if output.json {
            say_json(&json!({ "folder": self.folder }))?;
        } else {
            say(format_args!("man pages written; read one with: man {}/sidetone.1", self.folder.display()));
        }
        Ok(ExitCode::SUCCESS)
    }
}
