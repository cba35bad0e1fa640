//! `sidetone model blend`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use sidetone_emotion::train::blend::{BlendOptions, blend};

use super::arguments::share;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Blend {
    /// A model, and the model that came of training it further.
    #[arg(long, value_name = "FILES", value_delimiter = ',', required = true)]
    of: Vec<PathBuf>,
    /// Share of the second.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    share: f32,
    /// Where model.safetensors and CARD.md go.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Blend {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let [first, second] = <[PathBuf; 2]>::try_from(self.of)
            .map_err(|of| anyhow::anyhow!("--of takes two models, not {}", of.len()))?;
        let path = blend(&BlendOptions { first, second, share: self.share, out: self.out })?;
        if output.json {
            say_json(&json!({ "model": path }))?;
        } else {
            say(format_args!("{} and its card are written", path.display()));
            say(format_args!(
                "Its calibration is the second model's: fit its own by `sidetone model calibrate`."
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
