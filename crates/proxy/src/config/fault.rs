//! One fault of a configuration.

/// One fault: its key, the problem and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `trunk.0.hosts.1.to`: tables by name, list entries by number.
    pub key: String,
    /// The problem and the remedy.
    pub problem: String,
    /// Whether Sidetone can't run with it.
    pub fatal: bool,
}

impl Fault {
    /// A fault that prevents running, at a key.
    pub fn fatal(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: true }
    }
    /// A fault that Sidetone can run with, but that is hardly intended, at a key.
    pub fn warning(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: false }
    }
}
