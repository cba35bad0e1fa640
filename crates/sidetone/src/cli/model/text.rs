//! `sidetone model train-text`: trains the weights that read texts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sidetone_language::text::train::{TrainOptions, train};

use crate::cli::model::weights::bar;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct TrainText {
    /// The folder of GoEmotions: train.tsv and dev.tsv.
    #[arg(long, value_name = "DIR")]
    goemotions: PathBuf,
    /// The folder of grammars and held-out sentences.
    #[arg(long, value_name = "DIR", default_value = "crates/language/corpus")]
    corpus: PathBuf,
    /// Where the weights and their card go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The name on the card.
    #[arg(long, default_value = "sidetone-text", value_name = "NAME")]
    name: String,
    /// Seed of everything that is drawn: the same seed gives the same weights.
    #[arg(long, default_value_t = defaults().seed)]
    seed: u64,
    /// How many utterances the grammars make.
    #[arg(long, default_value_t = defaults().utterances, value_name = "COUNT")]
    utterances: usize,
    /// How many comments of GoEmotions stand beside them as talk about no topic.
    #[arg(long, default_value_t = defaults().comments, value_name = "COUNT")]
    comments: usize,
    /// Look at the test half of the held-out sentences too: once, after the last change.
    #[arg(long)]
    test: bool,
}

fn defaults() -> TrainOptions {
    TrainOptions::new(PathBuf::new(), PathBuf::new(), PathBuf::new())
}

impl TrainText {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let options = TrainOptions {
            name: self.name,
            seed: self.seed,
            utterances: self.utterances,
            comments: self.comments,
            test: self.test,
            ..TrainOptions::new(self.goemotions, self.corpus, self.out)
        };
        let bar = bar("reading");
        let report = train(&options, &mut |progress| {
            bar.set_message(progress.doing);
            bar.set_length(progress.of as u64);
            bar.set_position(progress.done as u64);
            true
        });
        bar.finish_and_clear();
        let report = report?;
        if output.json {
            say_json(&report)?;
            return Ok(ExitCode::SUCCESS);
        }
        say(format_args!("{} and its card are written, {} bytes", report.model.display(), report.bytes));
        say(format_args!("28 labels, GoEmotions dev: macro-F1 {}", report.affect));
        for set in &report.topics {
            say(format_args!("topics, {} ({} sentences): macro-F1 {}", set.set, set.sentences, set.f1));
        }
        Ok(ExitCode::SUCCESS)
    }
}
