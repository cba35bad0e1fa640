//! `sidetone model eval`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use sidetone_emotion::corpus::{Band, Manifest};
use sidetone_emotion::eval::compare::compare;
use sidetone_emotion::eval::strangers::strangers;
use sidetone_emotion::eval::{Answer, CorpusReport, EvalOptions, Evaluation, evaluate};
use sidetone_emotion::metrics::Figure;
use sidetone_emotion::model::Model;

use super::arguments::band;
use super::{plots, several};
use crate::cli::model::weights::{Weights, bar, open, there};
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Eval {
    #[command(flatten)]
    weights: Weights,
    /// CSV with the columns path, emotion, speaker, corpus.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The way from mouth to analysis.
    #[arg(long, default_value = "g711", value_parser = band)]
    band: Band,
    /// Share of 20 ms packets lost, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    loss: f32,
    /// Change of level in dB, before the band.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    gain: f32,
    /// Only these corpora.
    #[arg(long, value_delimiter = ',')]
    corpora: Vec<String>,
    /// Models trained alike, each without a corpus: each is asked about the corpora that it never had, and about
    /// nothing else.
    #[arg(long, value_delimiter = ',', value_name = "FILES", conflicts_with_all = ["model", "against", "plots"])]
    strangers_to: Vec<PathBuf>,
    /// Compare with this model, paired by clip, on the speakers that neither has heard.
    #[arg(long, value_name = "FILE", conflicts_with = "plots")]
    against: Option<PathBuf>,
    /// Write what the model makes of each clip, a JSON object a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["strangers_to", "against"])]
    answers: Option<PathBuf>,
    /// Draw confusion matrices, reliability and risk against coverage into this folder, as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

impl Eval {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let mut manifest = Manifest::read(&self.manifest)?;
        if !self.corpora.is_empty() {
            manifest = manifest.filtered(|entry| self.corpora.contains(&entry.corpus));
        }
        let options =
            EvalOptions { band: self.band, loss: self.loss, gain_db: self.gain, ..EvalOptions::default() };
        let bar = bar("hearing");
        let mut tell = |done: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        };
        if !self.strangers_to.is_empty() {
            let models: Vec<Arc<Model>> =
                self.strangers_to.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
            let strangers = strangers(&models, &manifest, &self.root, &options, &mut tell)?;
            bar.finish_and_clear();
            return several::strangers(&strangers, output);
        }
        let model = self.weights.load()?;
        if let Some(other) = &self.against {
            let other = open(other)?;
            let compared = compare(&model, &other, &manifest, &self.root, &options, &mut tell)?;
            bar.finish_and_clear();
            return several::compared(&compared, &model, &other, output);
        }
        let evaluation = evaluate(&model, &manifest, &self.root, &options, &mut tell)?;
        bar.finish_and_clear();
        if let Some(path) = &self.answers {
            write(path, &evaluation.answers)
                .with_context(|| format!("{} can't be written", path.display()))?;
        }
        if let Some(folder) = &self.plots {
            plots::draw(&evaluation, folder)?;
        }
        if output.json {
            say_json(&evaluation)?;
        } else {
            print(&evaluation);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(path: &Path, answers: &[Answer]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for answer in answers {
        serde_json::to_writer(&mut file, answer)?;
        writeln!(file)?;
    }
    file.flush()
}

pub(super) fn figure(figure: Option<&Figure>) -> String {
    figure.map_or_else(|| "-".to_owned(), |f| format!("{:.3} [{:.3}, {:.3}]", f.value, f.low, f.high))
}

fn print(evaluation: &Evaluation) {
    say(format_args!(
        "{} ({} weights), band {}, loss {:.0} %; intervals are 95 %, over speakers",
        evaluation.model,
        evaluation.licence.name(),
        evaluation.band.name(),
        evaluation.loss * 100.0
    ));
    if evaluation.heard_before > 0 {
        say(format_args!(
            "left out: {} clips of speakers that the model was trained on",
            evaluation.heard_before
        ));
    }
    if evaluation.unmapped > 0 {
        say(format_args!("left out: {} clips whose label is no class", evaluation.unmapped));
    }
    for corpus in &evaluation.corpora {
        say(format_args!("\n{}: {} clips, {} speakers", corpus.corpus, corpus.clips, corpus.speakers));
        print_corpus(corpus);
    }
    for corpus in &evaluation.manner_known {
        say(format_args!(
            "\n{}, each speaker's manner known from 8 s of calm clips, which are left out: {} clips, {} speakers",
            corpus.corpus, corpus.clips, corpus.speakers
        ));
        print_corpus(corpus);
    }
    if let Some(cost) = evaluation.cpu_ms_per_second {
        say(format_args!(
            "\n{cost:.2} ms of CPU for each second of speech, {} parameters",
            evaluation.parameters
        ));
    }
}

fn print_corpus(corpus: &CorpusReport) {
    for set in &corpus.sets {
        say(format_args!(
            "  {:<8} {} classes  UAR {}  calibration error {:.3}, of which chance {:.3}",
            set.set,
            set.classes.len(),
            figure(set.uar.as_ref()),
            set.calibration_error,
            set.calibration_noise
        ));
    }
    say(format_args!(
        "  distress against calm and neutral, AUC {}",
        figure(corpus.distress_against_calm.as_ref())
    ));
    say(format_args!(
        "  anger and fear against calm and neutral, AUC {}",
        figure(corpus.alarm_against_calm.as_ref())
    ));
    if let Some(agreed) = &corpus.concordance {
        say(format_args!("  valence, concordance with listeners          {}", figure(Some(&agreed.valence))));
        say(format_args!("  arousal, concordance with listeners          {}", figure(Some(&agreed.arousal))));
    }
    for (name, value) in [
        ("as recorded less this band", corpus.wide_less_band),
        ("length alone would give", corpus.length_only),
        ("level alone would give", corpus.level_only),
    ] {
        if let Some(value) = value {
            say(format_args!("  {name:<34} {value:+.3}"));
        }
    }
    for slice in &corpus.slices {
        say(format_args!("  {} {:<31} {:.3} ({} clips)", slice.by, slice.value, slice.uar, slice.clips));
    }
}
