//! `sidetone model`: look at, train, evaluate.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sidetone_chart::figures::Confusion;
use sidetone_emotion::corpus::{Band, Manifest};
use sidetone_emotion::eval::{CorpusReport, EvalOptions, Evaluation, evaluate};
use sidetone_emotion::metrics::Figure;
use sidetone_emotion::model::{Licence, Model as Network};
use sidetone_emotion::train::{Progress, TrainOptions, train};

use super::{Output, say, say_json};

#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// What a model is: size, classes, licence, who it was trained on.
    Info(Info),
    /// Train a model from labelled speech. Goes on where an interrupted training stopped.
    Train(Train),
    /// Measure a model on labelled speech of speakers it never heard.
    Eval(Eval),
}

impl Model {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Info(info) => info.run(output),
            Self::Train(train) => train.run(output),
            Self::Eval(eval) => eval.run(output),
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

#[derive(Debug, Args)]
pub(super) struct Train {
    /// CSV with the columns path, emotion, speaker, corpus; sex, lang and intensity are used if there.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Where model.safetensors, CARD.md and the checkpoint go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The model's name.
    #[arg(long, default_value = "sidetone")]
    name: String,
    /// What the weights may be used for: open or research. You vouch that the corpora's licences allow it.
    #[arg(long, default_value = "research", value_parser = licence)]
    licence: Licence,
    /// Use only these corpora.
    #[arg(long, value_delimiter = ',')]
    corpora: Vec<String>,
    /// Speakers kept for testing. Without it they are drawn.
    #[arg(long, value_delimiter = ',')]
    test: Vec<String>,
    /// Everything random comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most epochs.
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// A teacher to distil from: see models/teacher.
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
}

fn licence(text: &str) -> Result<Licence, String> {
    serde_json::from_value(json!(text)).map_err(|_| "write open or research".to_owned())
}

impl Train {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let options = TrainOptions {
            name: self.name,
            licence: self.licence,
            corpora: self.corpora,
            test: self.test,
            seed: self.seed,
            epochs: self.epochs,
            teacher: self.teacher,
            ..TrainOptions::new(self.manifest, self.root, self.out)
        };
        let bar = bar("reading");
        let report = train(&options, &mut |progress| {
            match progress {
                Progress::Loading { done, of } => {
                    bar.set_length(of as u64);
                    bar.set_position(done as u64);
                }
                Progress::Step { epoch, done, of, loss } => {
                    bar.set_length(of as u64);
                    bar.set_position(done as u64);
                    bar.set_message(format!("epoch {epoch}, loss {loss:.3}"));
                }
                Progress::Epoch(epoch) => {
                    let scores: Vec<String> =
                        epoch.validation.iter().map(|(corpus, uar)| format!("{corpus} {uar:.3}")).collect();
                    bar.suspend(|| {
                        if output.json {
                            let _ = say_json(&epoch);
                        } else {
                            say(format_args!(
                                "epoch {:>3}  loss {:.3}  validation {}",
                                epoch.epoch,
                                epoch.loss,
                                scores.join("  ")
                            ));
                        }
                    });
                }
            }
            true
        })?;
        bar.finish_and_clear();
        if output.json {
            say_json(&report)?;
        } else {
            say(format_args!(
                "kept epoch {}; {} and its card are written",
                report.best,
                report.model.display()
            ));
            for (corpus, uar) in &report.test {
                say(format_args!(
                    "test speakers of {corpus}: unweighted average recall {uar:.3}, 8 kHz G.711"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Eval {
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
    /// Draw the confusion matrices into this folder, as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

fn band(text: &str) -> Result<Band, String> {
    Band::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Band::ALL.iter().map(|band| band.name()).collect();
        format!("write one of {}", names.join(", "))
    })
}

impl Eval {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let model = self.weights.load()?;
        let mut manifest = Manifest::read(&self.manifest)?;
        if !self.corpora.is_empty() {
            manifest = manifest.filtered(|entry| self.corpora.contains(&entry.corpus));
        }
        let options =
            EvalOptions { band: self.band, loss: self.loss, gain_db: self.gain, ..EvalOptions::default() };
        let bar = bar("hearing");
        let evaluation = evaluate(&model, &manifest, &self.root, &options, &mut |done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        if let Some(folder) = &self.plots {
            draw(&evaluation, folder)?;
        }
        if output.json {
            say_json(&evaluation)?;
        } else {
            print(&evaluation);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn figure(figure: Option<&Figure>) -> String {
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
        for set in &corpus.sets {
            say(format_args!(
                "  {:<8} {} classes  UAR {}  calibration error {:.3}",
                set.set,
                set.classes.len(),
                figure(set.uar.as_ref()),
                set.calibration_error
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
    if let Some(cost) = evaluation.cpu_ms_per_second {
        say(format_args!(
            "\n{cost:.2} ms of CPU for each second of speech, {} parameters",
            evaluation.parameters
        ));
    }
}

fn draw(evaluation: &Evaluation, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    for corpus in &evaluation.corpora {
        for set in &corpus.sets {
            let scene = Confusion {
                title: format!("{}, {} set, {} weights", corpus.corpus, set.set, evaluation.licence.name()),
                note: note(evaluation, corpus, set.uar.as_ref()),
                labels: set.classes.iter().map(|class| class.name().to_owned()).collect(),
                counts: set.confusion.0.clone(),
            }
            .scene();
            let path = folder.join(format!("{}-{}-confusion.svg", corpus.corpus, set.set));
            std::fs::write(&path, scene.svg())?;
            let png = scene.png(sidetone_chart::Theme::Light, 2.0).map_err(|error| anyhow!("{error}"))?;
            std::fs::write(path.with_extension("png"), png)?;
        }
    }
    Ok(())
}

fn note(evaluation: &Evaluation, corpus: &CorpusReport, uar: Option<&Figure>) -> String {
    format!(
        "UAR {}; {} clips of {} unseen speakers, band {}",
        figure(uar),
        corpus.clips,
        corpus.speakers,
        evaluation.band.name()
    )
}

/// A progress bar on standard error; hidden where nobody looks.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:<28} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
