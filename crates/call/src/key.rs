//! A call's key within one process.

/// A call's key within one process, unique for the process's life. Outside of it a call is named by the id in its
/// events, which is globally unique, and by its [`Node`](crate::Node): so the key needs no part for the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);
