//! A call's name within one process.

/// A call's name within one process, unique for the process's life. Outside it a call goes by the id in its events,
/// which no two processes give twice, with the [`Node`](crate::Node) that it is on: so this needs no part for the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);
