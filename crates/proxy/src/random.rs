//! Unpredictable numbers, from the keys that the standard library draws from the system for each map.

use std::hash::{BuildHasher, RandomState};

/// A fresh number.
pub fn number() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// A fresh number in `[0, 1)`.
pub fn fraction() -> f64 {
    (number() >> 11) as f64 / (1_u64 << 53) as f64
}
