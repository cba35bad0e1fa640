//! A call's name within one process.

/// A call's name within one process, unique for the process's life. Outside it a call goes by the id in its events, which
/// no two processes give twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub u64);
