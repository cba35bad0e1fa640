//! `models/recognisers.toml`: which networks there are, and where each comes from.

use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

/// The one that the program was built with.
const BUILT_IN: &str = include_str!("../../../../../../models/recognisers.toml");
/// The most bytes of a file whose length isn't known.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// Networks that can be fetched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    #[serde(rename = "model", default)]
    pub(crate) models: Vec<Listed>,
}

/// A network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) kind: Kind,
    pub(crate) language: String,
    pub(crate) licence: String,
    pub(crate) publisher: String,
    #[serde(rename = "source", default)]
    pub(crate) sources: Vec<Source>,
    #[serde(rename = "result", default)]
    pub(crate) results: Vec<Result_>,
}

/// What is done with a network's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Moonshine,
    Whisper,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Moonshine => "moonshine",
            Self::Whisper => "whisper",
        }
    }
}

/// A place that a network can be had from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) form: Form,
    #[serde(rename = "file")]
    pub(crate) files: Vec<Remote>,
    #[serde(rename = "part", default)]
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    Safetensors,
    Package,
}

/// A file that is downloaded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remote {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) sha256: Option<String>,
}

/// A file within a package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Part {
    /// Its name without the folders.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A file that is installed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Result_ {
    pub(crate) name: String,
    pub(crate) sha256: String,
}

impl Source {
    /// Whether all that comes from there is known beforehand.
    pub(crate) fn verified(&self) -> bool {
        self.files.iter().all(|file| file.sha256.is_some())
    }
}

impl Manifest {
    /// The one in `path`, or the one that the program was built with.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Self::read(BUILT_IN) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
        Self::read(&text).with_context(|| format!("{} is no manifest of models", path.display()))
    }

    fn read(text: &str) -> anyhow::Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        for model in &manifest.models {
            let names = model.sources.iter().flat_map(|source| source.files.iter().map(|file| &file.name));
            for name in names.chain(model.results.iter().map(|file| &file.name)).chain([&model.name]) {
                // It becomes a file's name on this machine.
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                    bail!("{name:?} is no plain name; letters, digits, -, _ and . make one");
                }
            }
        }
        Ok(manifest)
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> anyhow::Result<&Listed> {
        self.models.iter().find(|model| model.name == name).with_context(|| {
            let names: Vec<&str> = self.models.iter().map(|model| model.name.as_str()).collect();
            format!("no model is named {name}; there is {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_that_is_shipped_names_verified_sources_for_every_model() {
        let manifest = Manifest::open(None).unwrap();
        assert!(!manifest.models.is_empty());
        for model in &manifest.models {
            assert!(model.sources.iter().any(Source::verified), "{}", model.name);
            for file in model.sources.iter().flat_map(|source| &source.files) {
                assert!(file.address.starts_with("https://"), "{}", file.address);
                assert!(file.sha256.is_none() || file.bytes.is_some(), "{}", file.address);
            }
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["../up", "a/b", "", ".hidden", "a b"] {
            let text = format!(
                "[[model]]\nname = {name:?}\nabout = \"\"\nkind = \"moonshine\"\nlanguage = \"en\"\nlicence = \"MIT\"\n\
                 publisher = \"\"\n"
            );
            assert!(Manifest::read(&text).is_err(), "{name}");
        }
    }

    #[test]
    fn a_model_that_is_not_there_is_answered_with_those_that_are() {
        let error = Manifest::open(None).unwrap().model("wav2vec").unwrap_err();
        assert!(error.to_string().contains("moonshine-tiny"), "{error}");
    }
}
