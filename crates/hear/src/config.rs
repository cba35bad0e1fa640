//! `[analysis]` of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sidetone_insight::Thresholds;

/// More threads than this bring no gain on any machine.
const MOST_WORKERS: usize = 256;

/// `[analysis]`
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Analysis {
    /// A folder or safetensors file with weights; without it, the open weights inside the binary.
    pub model: Option<PathBuf>,
    /// Analysis workers; 0 is one for every two cores, at least one.
    pub workers: usize,
    /// The thresholds of a caller's alerts.
    pub thresholds: Thresholds,
}

impl Analysis {
    /// Values that can't be intended: each key within `[analysis]`, and the remedy.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.workers > MOST_WORKERS {
            let problem = format!("is more than {MOST_WORKERS}; 0 takes one for every two cores");
            faults.push(("workers".to_owned(), problem));
        }
        if let Err(error) = self.thresholds.validate() {
            faults.push((format!("thresholds.{}", error.key), format!("must be {}", error.must)));
        }
        faults
    }
}
