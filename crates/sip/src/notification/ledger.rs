//! Counts of parcels by their outcome, for each PBX.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Counts of one PBX. Each only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Parcels that the PBX has taken: 2xx.
    pub sent: u64,
    /// Parcels that the PBX has refused or not answered, and those that could not be sent.
    pub failed: u64,
    /// Parcels that were never sent: too many, too old, replaced by a newer one, or their dialog ended.
    pub dropped: u64,
}

/// Counts of all PBXs, by name.
#[derive(Debug, Clone, Default)]
pub struct Ledger(BTreeMap<Arc<str>, Counts>);

impl Ledger {
    pub(super) fn of(&mut self, pbx: &Arc<str>) -> &mut Counts {
        self.0.entry(Arc::clone(pbx)).or_default()
    }

    pub(super) fn dropped(&mut self, pbx: &Arc<str>, count: usize) {
        if count > 0 {
            self.of(pbx).dropped += count as u64;
        }
    }

    /// The counts of one PBX.
    #[must_use]
    pub fn counts(&self, pbx: &str) -> Counts {
        self.0.get(pbx).copied().unwrap_or_default()
    }
}
