//! `sidetone compliance`: reports for a compliance officer.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueHint};
use sidetone_consent::report::{ModelFacts, Report};
use sidetone_emotion::model::Model;

use crate::cli::output::{ConfigFile, Output, say, say_json};
use crate::compliance;
use crate::config::{self, Config};

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
        let report = Report::new(&compliance::facts(&config, Some(model(&config)?)));
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

/// The model that the configuration names.
fn model(config: &Config) -> anyhow::Result<ModelFacts> {
    let model = match &config.analysis.model {
        Some(path) => Model::open(path).with_context(|| format!("analysis.model {}", path.display()))?,
        None => Model::embedded()?,
    };
    Ok(compliance::model(&model))
}
