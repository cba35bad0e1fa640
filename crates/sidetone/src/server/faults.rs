//! What is wrong with a configuration, gathered.

use sidetone_proxy::config::Fault;

/// Whose the sockets of a configuration may be that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// They would have to be free.
    ByNobody,
    /// This process has bound them.
    ByThisProcess,
    /// They are another machine's.
    Elsewhere,
}

/// What has been found wrong, nothing of it twice.
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    pub(super) fn taken<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        result: Result<T, E>,
        remedy: &str,
    ) -> Option<T> {
        result.map_err(|error| self.add(Fault::fatal(key, format!("can't be used: {error}; {remedy}")))).ok()
    }
}

pub(super) fn list_fault(problem: &str) -> Fault {
    let (key, problem) = problem.split_once(": ").unwrap_or(("consent.do_not_analyse", problem));
    Fault::fatal(
        key,
        format!("can't be used: {problem}; `sidetone consent exclude NUMBER --list FILE` begins a list"),
    )
}

pub(super) fn receipts_fault(error: &dyn std::fmt::Display) -> Fault {
    let problem = format!("can't be used: {error}; name a folder that Sidetone's user may write to");
    Fault::fatal("consent.receipts", problem)
}
