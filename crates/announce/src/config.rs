//! What an operator may say about announcements: the shape of `[announcement]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[announcement]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Announcements {
    /// Language of callers of whom nothing else is known, as an RFC 5646 tag.
    pub language: String,
    /// Whether the announcement takes the place of what the other side says, or is laid over it.
    pub mode: Mode,
    /// When it begins.
    pub when: Moment,
    /// Who hears it.
    pub to: Hearer,
    /// How loud, in LUFS (ITU-R BS.1770).
    pub loudness: f64,
    /// Most announcements that are laid over speech at once; beyond it they replace it, which costs next to nothing.
    pub most_mixed: usize,
    /// Recordings of the operator's own, by name and language: `notice = { en = "/etc/sidetone/notice.wav" }`.
    pub files: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl Default for Announcements {
    fn default() -> Self {
        Self {
            language: "en".to_owned(),
            mode: Mode::default(),
            when: Moment::default(),
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

/// When an announcement begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// When the call is answered.
    #[default]
    Answer,
    /// With the early media, if the callee sends any; else when the call is answered.
    Early,
}

/// Who hears an announcement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hearer {
    /// The customer.
    #[default]
    Customer,
    /// Whoever the PBX has put on the line.
    Agent,
    /// Both.
    Both,
}
