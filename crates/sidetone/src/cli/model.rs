//! `sidetone model`: look at, train, calibrate, evaluate, count false alerts.

mod budget;
mod calibrate;
mod eval;
mod plots;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sidetone_emotion::model::Model as Network;

use super::{Output, say, say_json};

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // There is one, and it is made once.
pub(super) enum Model {
    /// What a model is: size, classes, licence, who it was trained on.
    Info(Info),
    /// Train a model from labelled speech. Goes on where an interrupted training stopped.
    Train(train::Train),
    /// Calibrate a model on what models trained alike make of speakers that they do not know.
    Calibrate(calibrate::Calibrate),
    /// Measure a model on labelled speech of speakers it never heard.
    Eval(eval::Eval),
    /// Count the alerts that an hour without any reason for one raises: calm speech strung into calls, music, prompts.
    Budget(budget::Budget),
}

impl Model {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Info(info) => info.run(output),
            Self::Train(train) => train.run(output),
            Self::Calibrate(calibrate) => calibrate.run(output),
            Self::Eval(eval) => eval.run(output),
            Self::Budget(budget) => budget.run(output),
        }
    }
}

#[derive(Debug, Args)]
struct Weights {
    /// A safetensors file with weights. Without it, the open weights inside the binary.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl Weights {
    fn load(&self) -> anyhow::Result<Arc<Network>> {
        match &self.model {
            Some(path) => Network::open(path).with_context(|| format!("{} can't be loaded", path.display())),
            None => Ok(Network::embedded()?),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Info {
    #[command(flatten)]
    weights: Weights,
}

impl Info {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let model = self.weights.load()?;
        let meta = model.meta();
        if output.json {
            say_json(&json!({ "parameters": model.parameters(), "sha256": model.sha256(), "meta": meta }))?;
            return Ok(ExitCode::SUCCESS);
        }
        say(format_args!("{}  ({} weights)", meta.name, meta.licence.name()));
        say(format_args!("  parameters   {}", model.parameters()));
        say(format_args!("  sha256       {}", model.sha256()));
        say(format_args!("  trained on   {}", meta.corpora.join(", ")));
        say(format_args!("  held out     {} speakers", meta.held_out.len()));
        let classes: Vec<&str> = meta.classes.iter().map(|class| class.name()).collect();
        say(format_args!("  classes      {}", classes.join(", ")));
        say(format_args!("  seed         {}", meta.seed));
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what to do where a manifest or its folder is missing.
fn there(manifest: &Path, root: &Path) -> anyhow::Result<()> {
    if !manifest.is_file() {
        bail!(
            "there is no manifest {}; write a CSV with the columns path, emotion, speaker and corpus, a clip a line \
             (docs/MODEL.md shows one)",
            manifest.display()
        );
    }
    if !root.is_dir() {
        bail!("there is no folder {}; --root names the one that the manifest's paths are in", root.display());
    }
    Ok(())
}

/// A progress bar on standard error; hidden where nobody looks.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:<28} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
