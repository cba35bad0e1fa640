//! `[spool]` in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The least bound of a spool, in bytes: some thousand events.
const LEAST_BYTES: u64 = 1 << 20;

/// `[spool]`: events kept on the disk until their readers have had them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SpoolConfig {
    /// The file. While it is open, `PATH-wal` and `PATH-shm` stand beside it.
    pub path: PathBuf,
    /// Most bytes of events that are kept; beyond it the oldest are deleted, read or not.
    #[serde(default = "SpoolConfig::default_max_bytes")]
    pub max_bytes: u64,
    /// Days after which an event is deleted, read or not; 0 keeps it until the file is full.
    #[serde(default = "SpoolConfig::default_keep_days")]
    pub keep_days: u32,
}

impl SpoolConfig {
    const fn default_max_bytes() -> u64 {
        1 << 30
    }

    const fn default_keep_days() -> u32 {
        30
    }

    /// An unusable value, as the key within `[spool]` and the remedy.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if self.path.as_os_str().is_empty() {
            return Some(("path", "is empty; name a file, as in /var/lib/sidetone/spool.db".to_owned()));
        }
        if self.max_bytes < LEAST_BYTES {
            return Some(("max_bytes", format!("must be at least {LEAST_BYTES}: some thousand events")));
        }
        None
    }
}
