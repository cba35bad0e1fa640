//! Numbers nobody outside can foresee, from the keys that the standard library draws from the system for each map.

use std::hash::{BuildHasher, RandomState};

/// A fresh number.
pub(crate) fn number() -> u64 {
    RandomState::new().hash_one(0_u8)
}
