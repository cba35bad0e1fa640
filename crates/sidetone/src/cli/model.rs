//! `sidetone model`: list, fetch, look at, train, blend, calibrate, evaluate, count false alerts.

mod arguments;
mod blend;
mod budget;
mod calibrate;
mod eval;
mod fetch;
mod list;
mod music;
mod plots;
mod several;
mod text;
mod train;
pub(crate) mod weights;

use crate::cli::model::weights::Weights;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // There is one, and it is made once.
pub(super) enum Model {
    /// Which networks can be fetched, and which are installed.
    List(list::List),
    /// Fetch a network's weights, verified. Goes on where an interrupted fetch stopped.
    Fetch(fetch::Fetch),
    /// What a model is: size, classes, licence, who it was trained on.
    Info(Info),
    /// Train a model from labelled speech. Goes on where an interrupted training stopped.
    Train(train::Train),
    /// Train the weights that read texts, from GoEmotions and the grammars of topics.
    TrainText(text::TrainText),
    /// Blend a model with what further training made of it.
    Blend(blend::Blend),
    /// Calibrate a model on what models trained alike make of speakers that they do not know.
    Calibrate(calibrate::Calibrate),
    /// Teach a model to tell music, tones, noise and crowds from a voice. The last step: it changes nothing else.
    Music(music::Music),
    /// Measure a model on labelled speech of speakers it never heard.
    Eval(eval::Eval),
    /// Count the alerts that an hour without any reason for one raises: calm speech strung into calls, music, prompts.
    Budget(budget::Budget),
}

impl Model {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(output),
            Self::Fetch(fetch) => fetch.run(output),
            Self::Info(info) => info.run(output),
            Self::Train(train) => train.run(output),
            Self::TrainText(train) => train.run(output),
            Self::Blend(blend) => blend.run(output),
            Self::Calibrate(calibrate) => calibrate.run(output),
            Self::Music(music) => music.run(output),
            Self::Eval(eval) => eval.run(output),
            Self::Budget(budget) => budget.run(output),
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
