//! The faults of a configuration, gathered.

use sidetone_events::{NumberHasherError, SecretError};
use sidetone_journal::JournalError;
use sidetone_proxy::config::Fault;
use sidetone_spool::SpoolError;
use sidetone_store::{StoreConfig, StoreError};

/// The possible owner of a configuration's sockets that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// None: they have to be free.
    ByNobody,
    /// This process has bound them.
    ByThisProcess,
    /// The process before has bound them, and will give them.
    ByTheProcessBefore,
    /// Another machine has them.
    Elsewhere,
}

impl Held {
    /// Whether a Sidetone runs by this configuration right now, as it should.
    pub(super) const fn in_use(self) -> bool {
        matches!(self, Self::ByThisProcess | Self::ByTheProcessBefore)
    }
}

/// Why a secret can't be obtained.
#[derive(Debug)]
pub(super) enum NoSecret {
    /// The configured secret can't be used.
    Unusable(SecretError),
    /// No secret is configured, and none can be made.
    NotMade(NumberHasherError),
}

impl From<SecretError> for NoSecret {
    fn from(error: SecretError) -> Self {
        Self::Unusable(error)
    }
}

impl From<NumberHasherError> for NoSecret {
    fn from(error: NumberHasherError) -> Self {
        match error {
            NumberHasherError::Salt(error) => Self::Unusable(error),
            other => Self::NotMade(other),
        }
    }
}

/// The faults found, without duplicates.
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// Whether that key has a fault already.
    pub(super) fn concern(&self, key: &str) -> bool {
        self.0.iter().any(|fault| fault.key == key)
    }

    /// A secret, or the fault that it can't be obtained.
    pub(super) fn secret<T>(&mut self, key: &str, result: Result<T, NoSecret>) -> Option<T> {
        let problem = match result {
            Ok(secret) => return Some(secret),
            Err(NoSecret::Unusable(error)) => format!("can't be used: {error}; {}", error.remedy()),
            Err(NoSecret::NotMade(error)) => format!("can't be used: {error}"),
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

pub(super) fn receipts_fault(error: &dyn std::fmt::Display) -> Fault {
    let problem = format!("can't be used: {error}; name a folder that Sidetone's user may write to");
    Fault::fatal("consent.receipts", problem)
}

/// What is wrong with a store. A PostgreSQL that can't be reached may be there in a minute; calls don't wait for it.
pub(super) fn store_fault(config: &StoreConfig, error: &StoreError) -> Fault {
    let problem = format!("can't be used: {error}; {}", error.remedy());
    let key = match (error, config.postgres.is_some()) {
        (StoreError::Password { .. }, _) => "store.postgres_password_file",
        (_, true) => "store.postgres",
        (_, false) => "store.path",
    };
    match error {
        // A damaged file is moved aside when the store is opened; what another process does to it may be over by then.
        StoreError::Postgres(_) | StoreError::Silent { .. } | StoreError::Sqlite(_) | StoreError::Held(_) => {
            Fault::warning(key, problem)
        }
        _ => Fault::fatal(key, problem),
    }
}

pub(super) fn journal_fault(error: &JournalError) -> Fault {
    let problem = format!("can't be used: {error}; {}", error.remedy());
    match error {
        // Most likely the very Sidetone whose configuration this is; a second one is refused when it starts.
        JournalError::Held(_) => Fault::warning("journal.path", problem),
        _ => Fault::fatal("journal.path", problem),
    }
}

pub(super) fn spool_fault(error: &SpoolError) -> Fault {
    let problem = format!("can't be used: {error}; {}", error.remedy());
    match error {
        // Most likely the very Sidetone whose configuration this is; a second one is refused when it starts.
        SpoolError::Held(_) => Fault::warning("spool.path", problem),
        _ => Fault::fatal("spool.path", problem),
    }
}
