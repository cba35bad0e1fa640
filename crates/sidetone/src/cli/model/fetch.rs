//! `sidetone model fetch`: a network's weights from where they are published, verified, to the folder for models.

mod download;
mod install;
pub(super) mod manifest;
mod parts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sidetone_language::models::{self, Card};
use sidetone_language::recognise::{Recogniser, whisper::Whisper};

use self::manifest::{Kind, Listed, Manifest};
use self::parts::Files;
use crate::cli::output::{Output, causes, remark, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The model's name; `sidetone model list` shows them.
    name: String,
    /// Take it from here instead of the network: the package, or a folder with the published files, or with what was
    /// installed on another machine.
    #[arg(long, value_name = "FILE|DIR")]
    from: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Take files whose SHA-256 the manifest does not know: from the publisher's release, or from --from.
    #[arg(long)]
    accept_unverified: bool,
    /// Fetch it even if it is installed.
    #[arg(long)]
    again: bool,
}

/// Which models there are, and where they are installed.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The folder for models [default: /var/lib/sidetone/models for root and the service, else
    /// $XDG_DATA_HOME/sidetone/models].
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// A manifest in place of the one that the program was built with, for a mirror of your own.
    #[arg(long, value_name = "TOML")]
    manifest: Option<PathBuf>,
}

impl Place {
    pub(super) fn folder(&self) -> PathBuf {
        self.into.clone().unwrap_or_else(models::folder)
    }

    pub(super) fn manifest(&self) -> anyhow::Result<Manifest> {
        Manifest::open(self.manifest.as_deref())
    }
}

impl Fetch {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let manifest = self.place.manifest()?;
        let model = manifest.model(&self.name)?;
        let into = self.place.folder();
        let folder = into.join(&model.name);
        if !self.again && Card::of(&folder).is_some_and(|card| card.verified) && open(model, &folder).is_ok()
        {
            return self.done(output, &folder, "is installed already");
        }
        std::fs::create_dir_all(&into)
            .with_context(|| format!("{} can't be made; --into names another folder", into.display()))?;
        let (files, source) = match &self.from {
            Some(path) => (parts::from_path(model, path)?, path.display().to_string()),
            None => self.download(model, &into, output)?,
        };
        if !files.verified && !self.accept_unverified {
            bail!(
                "the manifest knows no files with the SHA-256 of these, so that they may be anything; \
                 --accept-unverified takes them all the same"
            );
        }
        let card = Card {
            name: model.name.clone(),
            kind: model.kind.name().to_owned(),
            language: model.language.clone(),
            licence: model.licence.clone(),
            source,
            verified: files.verified,
            files: files.hashes(),
        };
        install::install(&folder, &files.files, &card, |beside| open(model, beside))?;
        self.done(output, &folder, "is installed")
    }

    /// From the first source that has it.
    fn download(&self, model: &Listed, into: &Path, output: Output) -> anyhow::Result<(Files, String)> {
        let mut failures = Vec::new();
        for source in &model.sources {
            if !source.verified() && !self.accept_unverified {
                remark(
                    output.json,
                    &format!("{} is left out: its SHA-256 is not known (--accept-unverified)", source.name),
                );
                continue;
            }
            let all = source.files.iter().try_for_each(|file| {
                let bar = bar(&file.name);
                let fetched = download::download(file, into, &bar);
                bar.finish_and_clear();
                fetched.map(drop)
            });
            match all.and_then(|()| parts::from_source(model.kind, source, into)) {
                Ok(files) => {
                    for file in &source.files {
                        std::fs::remove_file(into.join(&file.name))?;
                    }
                    return Ok((files, source.name.clone()));
                }
                Err(error) => failures.push(format!("{}: {}", source.name, causes(&error))),
            }
        }
        let name = &model.name;
        bail!(
            "{name} could not be fetched; {}. On a machine without that network: sidetone model fetch {name} --from FILE",
            failures.join("; ")
        )
    }

    fn done(&self, output: Output, folder: &Path, how: &str) -> anyhow::Result<ExitCode> {
        let card = Card::of(folder).with_context(|| format!("{} can't be read", folder.display()))?;
        if output.json {
            say_json(&json!({ "folder": folder, "card": card }))?;
        } else {
            say(format_args!("{} {how} in {}", card.name, folder.display()));
            say(format_args!("  language  {}", card.language));
            say(format_args!("  licence   {}", card.licence));
            say(format_args!("  from      {}", card.source));
            for (name, sha256) in &card.files {
                say(format_args!("  sha256    {sha256}  {name}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether the network in `folder` can be used.
fn open(model: &Listed, folder: &Path) -> anyhow::Result<()> {
    let opened = match model.kind {
        Kind::Moonshine => Recogniser::open(folder).map(drop),
        // It is one of those that know many languages if it knows this one.
        Kind::Whisper => Whisper::open(folder, "en").map(drop),
    };
    opened.context("what was fetched is not usable")
}

/// A bar of bytes on standard error; hidden where nobody looks.
fn bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(name.to_owned());
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style);
    }
    bar
}
