//! `sidetone model music`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use sidetone_emotion::train::music::{MusicOptions, fit};

use super::budget::files;
use crate::cli::model::weights::there;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Music {
    /// The model that learns to tell music, tones, noise and crowds from a voice.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// CSV with the columns path, emotion, speaker, corpus: voices.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's relative paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Recordings of music, or folders of them, such as Debian's asterisk-moh-opsound-wav: to report on, never to learn
    /// from.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    sounds: Vec<PathBuf>,
    /// Most speakers of a corpus.
    #[arg(long, default_value_t = 60, value_name = "COUNT")]
    speakers: usize,
    /// Everything random comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where model.safetensors and CARD.md go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Music {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let report = fit(&MusicOptions {
            model: self.model,
            manifest: self.manifest,
            root: self.root,
            music: files(&self.sounds)?,
            speakers: self.speakers,
            seed: self.seed,
            out: self.out,
        })?;
        if output.json {
            let (voices, others) = report.windows;
            let told: serde_json::Map<_, _> = report
                .told
                .iter()
                .map(|(kind, (windows, share))| (kind.clone(), json!({ "windows": windows, "share": share })))
                .collect();
            say_json(&json!({ "model": report.model, "voices": voices, "others": others, "told": told }))?;
            return Ok(ExitCode::SUCCESS);
        }
        say(format_args!("taken for no voice, of windows that voice activity lets pass:"));
        for (kind, (windows, share)) in &report.told {
            say(format_args!("  {kind:<18} {:5.1} % of {windows}", share * 100.0));
        }
        say(format_args!("{} and its card are written", report.model.display()));
        Ok(ExitCode::SUCCESS)
    }
}
