//! The configuration of announcements: `[announcement]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[announcement]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Announcements {
    /// Whether the announcement replaces the other side's sound, or is mixed over it.
    pub mode: Mode,
    /// The parties that hear the announcement.
    pub to: Hearer,
    /// The loudness, in LUFS (ITU-R BS.1770).
    pub loudness: f64,
    /// Most announcements that are mixed over speech at once; beyond it they replace it, which costs next to nothing.
    pub most_mixed: usize,
    /// Recordings of the operator's own, by name and language: `notice = { en = "/etc/sidetone/notice.wav" }`.
    pub files: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Announcements {
    /// The fault of the loudness, if any.
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

/// The other side's sound while an announcement plays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The other side's sound is held back.
    #[default]
    Replace,
    /// The other side's sound goes on, quieter, under the announcement.
    Duck,
}

/// The parties that hear the announcement of the analysis. The customer always does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hearer {
    /// The customer.
    #[default]
    Customer,
    /// Both parties.
    Both,
}
