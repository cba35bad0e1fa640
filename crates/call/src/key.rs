//! A call's key within one process.

use serde::{Deserialize, Serialize};

/// A call's key within one process, and within the next one if that carries the call on. Outside of it a call is named
/// by the id in its events, which is globally unique, and by its [`Node`](crate::Node): so the key needs no part for
/// the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(pub u64);
