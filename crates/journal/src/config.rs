//! `[journal]` in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The longest time that calls may wait for their next process, in seconds: an hour.
const LONGEST: u32 = 3_600;

/// `[journal]`: calls that are up are written down, and carried on by the next process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// The file. While it is open, `PATH-wal` stands beside it.
    pub path: PathBuf,
    /// Seconds after which a call that no process has carried on is over: by then its parties have hung up.
    #[serde(default = "JournalConfig::default_keep_seconds")]
    pub keep_seconds: u32,
}

impl JournalConfig {
    const fn default_keep_seconds() -> u32 {
        120
    }

    /// An unusable value, as the key within `[journal]` and the remedy.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if self.path.as_os_str().is_empty() {
            return Some(("path", "is empty; name a file, as in /var/lib/sidetone/calls.journal".to_owned()));
        }
        if !(1..=LONGEST).contains(&self.keep_seconds) {
            return Some(("keep_seconds", format!("must be from 1 to {LONGEST}; 120 is usual")));
        }
        None
    }

    /// The secret by which dialogs are recognised in the next process, unless `sip.dialog_key` names another file.
    #[must_use]
    pub fn dialog_key(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".key");
        path.into()
    }
}
