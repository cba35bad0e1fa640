//! `sidetone model train`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sidetone_emotion::corpus::telephony::Augmentation;
use sidetone_emotion::model::Licence;
use sidetone_emotion::network::NetworkConfig;
use sidetone_emotion::train::{Epoch, Progress, TrainOptions, train};

use super::arguments::{augmentation, clips_of, licence, network, share};
use crate::cli::model::weights::{bar, there};
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// CSV with the columns path, emotion, speaker, corpus; sex, lang and intensity are used if there, and so are
    /// columns named after classes (anger, happiness, ...) with the votes of several listeners.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's relative paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Where model.safetensors, CARD.md, training.json and the checkpoint go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The model's name.
    #[arg(long, default_value = "sidetone")]
    name: String,
    /// What the weights may be used for: open or research. You vouch that the corpora's licences allow it.
    #[arg(long, default_value = "research", value_parser = licence)]
    licence: Licence,
    /// Use only these corpora.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    corpora: Vec<String>,
    /// Speakers kept for testing. A fifth of a corpus of which none is named is drawn, unless `none` is among the
    /// names.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    test: Vec<String>,
    /// Speakers that decide when to stop, and on whom confidence is calibrated. A seventh is drawn likewise. `none`
    /// keeps nobody apart: all epochs are trained, and `sidetone model calibrate` is to follow.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    validation: Vec<String>,
    /// A model to adapt instead of starting from nothing.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Everything random comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most epochs.
    #[arg(long, default_value_t = defaults().epochs)]
    epochs: usize,
    /// Epochs without a better validation after which training stops.
    #[arg(long, default_value_t = defaults().patience, value_name = "EPOCHS")]
    patience: usize,
    /// Clips in a step.
    #[arg(long, default_value_t = defaults().batch, value_name = "CLIPS")]
    batch: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = defaults().rate)]
    rate: f64,
    /// Share of activations dropped.
    #[arg(long, default_value_t = defaults().dropout, value_name = "SHARE")]
    dropout: f32,
    /// How much of the average of the weights is kept at each step; that average is what is written.
    #[arg(long, default_value_t = defaults().averaging, value_name = "SHARE")]
    averaging: f64,
    /// How fast weights decay, in units of the learning rate.
    #[arg(long, default_value_t = defaults().weight_decay, value_name = "SHARE")]
    weight_decay: f64,
    /// Most clips of one corpus in an epoch.
    #[arg(long, default_value_t = defaults().most_clips, value_name = "CLIPS")]
    most_clips: usize,
    /// The same for corpora by name, such as crema_d=2000,emogator=800.
    #[arg(long, value_delimiter = ',', value_name = "CORPUS=CLIPS", value_parser = clips_of)]
    most_of: Vec<(String, usize)>,
    /// Fewest clips of one corpus in an epoch: those of a smaller one are heard again, varied otherwise.
    #[arg(long, default_value_t = defaults().least_clips, value_name = "CLIPS")]
    least_clips: usize,
    /// Most clips of one corpus that are drawn from at all.
    #[arg(long, default_value_t = defaults().pool, value_name = "CLIPS")]
    pool: usize,
    /// Variations of a clip's sound that are made once and heard in turn; 0: a new one each time, which is slower.
    #[arg(long, default_value_t = 4, value_name = "COUNT")]
    variants: usize,
    /// How clips are varied, as a JSON object of what differs from the default, such as {"speed": 0.05}.
    #[arg(long, value_name = "JSON", value_parser = augmentation, default_value = "{}")]
    augment: Augmentation,
    /// How much such votes count beside the label, 0 to 1.
    #[arg(long, default_value_t = defaults().shares_weight, value_name = "SHARE", value_parser = share)]
    shares_weight: f32,
    /// A teacher to distil from: see models/teacher.
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,
    /// Keeps what the teacher said, for the next training.
    #[arg(long, value_name = "FILE", requires = "teacher")]
    teacher_cache: Option<PathBuf>,
    /// How much the teacher's frames count beside the labels.
    #[arg(long, default_value_t = defaults().teacher_weight, value_name = "WEIGHT")]
    teacher_weight: f64,
    /// How much the teacher's summary of a clip counts beside the labels.
    #[arg(long, default_value_t = defaults().summary_weight, value_name = "WEIGHT")]
    summary_weight: f64,
    /// Lets the network hear each clip beside its speaker's own manner, as known from others of their clips, and
    /// without: as a call goes.
    #[arg(long)]
    manner: bool,
    /// Leaves the encoder of the model that --from names as it is: the heads alone learn, in a third of the time.
    #[arg(long, requires = "from")]
    frozen: bool,
    /// The network's shape, as a JSON object of what differs from the default, such as {"channels": 96}.
    #[arg(long, value_name = "JSON", value_parser = network, default_value = "{}", conflicts_with = "from")]
    network: NetworkConfig,
}

fn defaults() -> TrainOptions {
    TrainOptions::new(PathBuf::new(), PathBuf::new(), PathBuf::new())
}

impl Train {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let options = self.options();
        let bar = bar("reading");
        let report = train(&options, &mut |progress| {
            match progress {
                Progress::Begun(processor) => {
                    if !output.json {
                        bar.suspend(|| say(format_args!("training on the {processor}")));
                    }
                }
                Progress::Loading { done, of } => {
                    bar.set_length(of as u64);
                    bar.set_position(done as u64);
                }
                Progress::Teaching { done, of } => {
                    bar.set_message("asking the teacher");
                    bar.set_length(of as u64);
                    bar.set_position(done as u64);
                }
                Progress::Step { epoch, done, of, loss } => {
                    bar.set_length(of as u64);
                    bar.set_position(done as u64);
                    bar.set_message(format!("epoch {epoch}, loss {loss:.3}"));
                }
                Progress::Epoch(epoch) => bar.suspend(|| tell(&epoch, output)),
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

    fn options(self) -> TrainOptions {
        TrainOptions {
            name: self.name,
            licence: self.licence,
            corpora: self.corpora,
            test: self.test,
            validation: self.validation,
            start: self.from,
            seed: self.seed,
            epochs: self.epochs,
            patience: self.patience,
            batch: self.batch,
            rate: self.rate,
            dropout: self.dropout,
            averaging: self.averaging,
            weight_decay: self.weight_decay,
            most_clips: self.most_clips,
            most_of: self.most_of.into_iter().collect(),
            least_clips: self.least_clips,
            pool: self.pool,
            variants: self.variants,
            augmentation: self.augment,
            shares_weight: self.shares_weight,
            teacher: self.teacher,
            teacher_cache: self.teacher_cache,
            teacher_weight: self.teacher_weight,
            summary_weight: self.summary_weight,
            caller: self.manner,
            frozen: self.frozen,
            network: self.network,
            ..TrainOptions::new(self.manifest, self.root, self.out)
        }
    }
}

fn tell(epoch: &Epoch, output: Output) {
    if output.json {
        let _ = say_json(epoch);
        return;
    }
    let scores: Vec<String> =
        epoch.validation.iter().map(|(corpus, uar)| format!("{corpus} {uar:.3}")).collect();
    say(format_args!("epoch {:>3}  loss {:.3}  validation {}", epoch.epoch, epoch.loss, scores.join("  ")));
}
