//! What is wrong with a configuration, gathered.

use sidetone_events::SecretError;
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

    /// Whether anything is wrong with that key already.
    pub(super) fn concern(&self, key: &str) -> bool {
        self.0.iter().any(|fault| fault.key == key)
    }

    /// A secret, or what to do about its not being had.
    pub(super) fn secret<T>(
        &mut self,
        key: &str,
        result: Result<T, Result<SecretError, String>>,
    ) -> Option<T> {
        let problem = match result {
            Ok(secret) => return Some(secret),
            Err(Ok(error)) => format!("can't be used: {error}; {}", error.remedy()),
            Err(Err(why)) => format!("can't be used: {why}"),
        };
        self.add(Fault::fatal(key, problem));
        None
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
    let remedy = match problem {
        _ if problem.contains("ermission denied") => "; let Sidetone's user read and write it",
        // It says itself what to do.
        _ if problem.contains("; ") => "",
        _ => "; `sidetone consent exclude NUMBER --list FILE` begins a list",
    };
    Fault::fatal(key, format!("can't be used: {problem}{remedy}"))
}

pub(super) fn receipts_fault(error: &dyn std::fmt::Display) -> Fault {
    let problem = format!("can't be used: {error}; name a folder that Sidetone's user may write to");
    Fault::fatal("consent.receipts", problem)
}
