//! What an operator may say about announcements: the shape of `[announcement]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[announcement]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Announcements {
    /// Whether the announcement takes the place of what the other side says, or is laid over it.
    pub mode: Mode,
    /// Who hears it.
    pub to: Hearer,
    /// How loud, in LUFS (ITU-R BS.1770).
    pub loudness: f64,
    /// Most announcements that are laid over speech at once; beyond it they replace it, which costs next to nothing.
    pub most_mixed: usize,
    /// Recordings of the operator's own, by name and language: `notice = { en = "/etc/sidetone/notice.wav" }`.
    pub files: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Announcements {
    /// What is wrong with the loudness, if anything.
    #[must_use]
    pub fn loudness_fault(&self) -> Option<&'static str> {
        let usable = (-60.0..=-10.0).contains(&self.loudness);
        (!usable).then_some("must be -60 to -10 LUFS; -23 is the usual")
    }
}

impl Default for Announcements {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            to: Hearer::default(),
            loudness: -23.0,
            most_mixed: 50,
            files: BTreeMap::new(),
        }
    }
}

/// What becomes of the other side's sound while an announcement plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is held back.
    #[default]
    Replace,
    /// It goes on, quieter, under the announcement.
    Duck,
}

/// Who hears the announcement that tells of the analysis. The customer always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hearer {
    /// The customer.
    #[default]
    Customer,
    /// Both parties.
    Both,
}
