//! Which weights and which corpora a command works on, and how far it is.

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use sidetone_emotion::model::Model as Network;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Weights {
    /// A safetensors file with weights. Without it, the open weights inside the binary.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl Weights {
    pub(crate) fn load(&self) -> anyhow::Result<Arc<Network>> {
        match &self.model {
            Some(path) => open(path),
            None => Ok(Network::embedded()?),
        }
    }
}

/// The weights in a file.
pub(crate) fn open(path: &Path) -> anyhow::Result<Arc<Network>> {
    Network::open(path).with_context(|| format!("{} can't be loaded", path.display()))
}

/// Says what to do where a manifest or its folder is missing.
pub(crate) fn there(manifest: &Path, root: &Path) -> anyhow::Result<()> {
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
pub(crate) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:<28} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
