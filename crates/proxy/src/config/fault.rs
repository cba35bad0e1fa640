//! One thing wrong with a configuration.

/// One thing wrong: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `trunk.0.hosts.1.to`: tables by name, list entries by number.
    pub key: String,
    /// What is wrong and what to write instead.
    pub problem: String,
    /// Whether Sidetone still can run.
    pub fatal: bool,
}

impl Fault {
    /// What can't be run, at a key.
    pub fn fatal(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: true }
    }
    /// What can be run, and hardly is what was meant, at a key.
    pub fn warning(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: false }
    }
}
