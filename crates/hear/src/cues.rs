//! `[cues]` of the configuration, and the cues that it names.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_insight::Period;
use sidetone_insight::cues::{CueSet, CueSetError};

/// The largest file of cues that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// Most cues in a call that can be meant: more are noise.
const MOST: u32 = 50;
/// The largest share of calls whose cues can be withheld: a comparison gains nothing by more.
const MOST_HELD_OUT: f64 = 0.5;

/// `[cues]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cues {
    /// Whether agents are shown cues.
    pub enabled: bool,
    /// The language that agents read, an RFC 5646 tag.
    pub language: String,
    /// Most cues in a call.
    pub most: u32,
    /// Least time between one cue and the next.
    pub gap: Period,
    /// The share of calls, drawn by lot, whose agent is shown none but those that are always shown: to learn whether
    /// cues help.
    pub holdout: f64,
    /// Whether those that Sidetone brings are among them.
    pub shipped: bool,
    /// Files with further ones; a cue of the same id takes the place of an earlier one.
    pub files: Vec<PathBuf>,
    /// Ids of cues to leave out.
    pub without: Vec<String>,
}

impl Default for Cues {
    fn default() -> Self {
        Self {
            enabled: true,
            language: "en".to_owned(),
            most: 6,
            gap: Period::from_secs(25),
            holdout: 0.0,
            shipped: true,
            files: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// Why there are no cues as configured.
#[derive(Debug, thiserror::Error)]
pub enum CuesError {
    /// A value that can't be meant.
    #[error("must be {must}")]
    Range {
        /// The key within `[cues]`.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A file can't be read.
    #[error("{file} can't be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: std::io::Error,
    },
    /// A name is that of a folder, a pipe or a device.
    #[error("{file} is no file")]
    NoFile {
        /// The name.
        file: String,
    },
    /// A file is too large.
    #[error("{file} is larger than 1 MiB")]
    Large {
        /// The file.
        file: String,
    },
    /// A file has faults.
    #[error("{file}, {fault}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, and in which line.
        fault: Box<CueSetError>,
    },
    /// No cue has a line in the language that agents read.
    #[error(
        "no cue has a line in `{language}`, but in {has}: take one of these, or name a file of cues with line.{language} in cues.files"
    )]
    Untranslated {
        /// The language.
        language: String,
        /// The languages that cues have.
        has: String,
    },
    /// A cue is to be left out that there isn't.
    #[error("{0}")]
    Without(Box<CueSetError>),
}

impl CuesError {
    /// The key within `[cues]` that is at fault.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Range { key, .. } => key,
            Self::Unreadable { .. } | Self::NoFile { .. } | Self::Large { .. } | Self::File { .. } => "files",
            Self::Without(_) => "without",
            Self::Untranslated { .. } => "language",
        }
    }
}

impl Cues {
    /// The cues that agents are shown; `None` if they are shown none.
    ///
    /// # Errors
    /// [`CuesError`]: the key that is at fault, and the remedy.
    pub fn load(&self) -> Result<Option<Arc<CueSet>>, CuesError> {
        let gap = Duration::from(self.gap);
        let tag = |tag: &str| {
            (2..=16).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let checks = [
            (tag(&self.language), "language", "a language's tag, as en or de-AT"),
            ((1..=MOST).contains(&self.most), "most", "1 to 50; cues are switched off by enabled = false"),
            (gap <= Duration::from_secs(600), "gap", "at most 10m"),
            (
                (0.0..=MOST_HELD_OUT).contains(&self.holdout),
                "holdout",
                "0 to 0.5: the share of calls without cues, as 0.1; cues are switched off by enabled = false",
            ),
        ];
        if let Some((_, key, must)) = checks.into_iter().find(|(holds, ..)| !holds) {
            return Err(CuesError::Range { key, must });
        }
        let (language, most, holdout) = (self.language.clone(), self.most, self.holdout);
        let mut set = CueSet { language, most, gap, holdout, ..CueSet::default() };
        if self.shipped {
            let file = "the cues that Sidetone brings".to_owned();
            set.add(CueSet::DEFAULT).map_err(|fault| CuesError::File { file, fault: Box::new(fault) })?;
        }
        for path in &self.files {
            let file = path.display().to_string();
            let unreadable = |why| CuesError::Unreadable { file: file.clone(), why };
            // A pipe or a device might never end.
            if !fs::metadata(path).map_err(unreadable)?.is_file() {
                return Err(CuesError::NoFile { file });
            }
            let mut text = String::new();
            let read = fs::File::open(path).and_then(|it| it.take(LARGEST + 1).read_to_string(&mut text));
            if read.map_err(unreadable)? as u64 > LARGEST {
                return Err(CuesError::Large { file });
            }
            set.add(&text).map_err(|fault| CuesError::File { file, fault: Box::new(fault) })?;
        }
        set.leave_out(&self.without).map_err(|fault| CuesError::Without(Box::new(fault)))?;
        let base = self.language.split('-').next().unwrap_or_default();
        let has: BTreeSet<&str> =
            set.cues.iter().flat_map(|cue| cue.line.keys()).map(String::as_str).collect();
        if !has.is_empty() && !has.contains(base) && !has.contains(self.language.as_str()) {
            let (language, has) = (self.language.clone(), Vec::from_iter(has).join(", "));
            return Err(CuesError::Untranslated { language, has });
        }
        Ok(self.enabled.then(|| Arc::new(set)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_calls_without_cues_is_half_of_them_at_most() {
        let of = |holdout: f64| Cues { holdout, ..Cues::default() }.load();
        assert!((of(0.1).unwrap().unwrap().holdout - 0.1).abs() < f64::EPSILON);
        for wrong in [0.51, -0.1, f64::NAN, 10.0] {
            let error = of(wrong).unwrap_err();
            assert_eq!(error.key(), "holdout", "{wrong}");
        }
    }

    #[test]
    fn a_language_that_no_cue_has_is_refused_with_those_that_there_are() {
        let of = |language: &str| Cues { language: language.to_owned(), ..Cues::default() }.load();
        for known in ["en", "de", "de-AT"] {
            assert!(of(known).is_ok(), "{known}");
        }
        let error = of("fr").unwrap_err();
        assert_eq!(error.key(), "language");
        let said = error.to_string();
        assert!(said.contains("`fr`") && said.contains("de, en") && said.contains("cues.files"), "{said}");
    }
}
