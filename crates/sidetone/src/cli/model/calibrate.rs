//! `sidetone model calibrate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use sidetone_emotion::train::Progress;
use sidetone_emotion::train::folds::{FoldOptions, calibrate_by_folds};

use super::eval::figure;
use crate::cli::model::weights::{bar, there};
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Calibrate {
    /// The model: one that has heard every speaker it may.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Models trained like it, each without some of its speakers.
    #[arg(long, value_name = "FILES", value_delimiter = ',', required = true)]
    folds: Vec<PathBuf>,
    /// CSV with the columns path, emotion, speaker, corpus.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's relative paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Where model.safetensors and CARD.md go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How what the model was trained from had been made, in Markdown, for the card. What the card beside the model
    /// says of its training is taken over.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Most clips of one corpus that a fold is heard on.
    #[arg(long, default_value_t = 400, value_name = "CLIPS")]
    most_clips: usize,
    /// Leaves the scale of the distress output as it is: the one by which alerts were chosen.
    #[arg(long)]
    keep_distress: bool,
}

impl Calibrate {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let recipe = match &self.recipe {
            Some(path) => std::fs::read_to_string(path).with_context(|| {
                format!("{} can't be read; leave --recipe out, or name a text", path.display())
            })?,
            None => String::new(),
        };
        let bar = bar("reading");
        let options = FoldOptions {
            model: self.model,
            folds: self.folds,
            manifest: self.manifest,
            root: self.root,
            out: self.out,
            recipe,
            most_clips: self.most_clips,
            keep_distress: self.keep_distress,
        };
        let report = calibrate_by_folds(&options, &mut |progress| {
            if let Progress::Loading { done, of } = progress {
                bar.set_length(of as u64);
                bar.set_position(done as u64);
            }
            true
        })?;
        bar.finish_and_clear();
        if output.json {
            say_json(&json!({
                "model": report.model,
                "calibration": report.calibration,
                "clips": report.clips,
                "evaluation": report.evaluation,
                "strangers": report.strangers,
            }))?;
        } else {
            say(format_args!(
                "calibrated on {} clips of speakers that each fold did not know; {} and its card are written",
                report.clips,
                report.model.display()
            ));
            say(format_args!("temperature of the classes: {:.3}", report.calibration.temperature));
            for corpus in &report.strangers {
                let Some(set) = corpus.sets.first() else { continue };
                say(format_args!(
                    "{}, {} speakers that each fold did not know: unweighted average recall {}, calibration error {:.3}, of which \
                     chance {:.3}",
                    corpus.corpus,
                    corpus.speakers,
                    figure(set.uar.as_ref()),
                    set.calibration_error,
                    set.calibration_noise
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
