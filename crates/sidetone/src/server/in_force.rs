//! The configuration in force, and a lock that outlives a panic.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;

/// The configuration in force, for readers that don't take the SIP core's lock.
pub(crate) struct InForce(Mutex<Arc<Config>>);

impl InForce {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self(Mutex::new(config))
    }

    pub(super) fn get(&self) -> Arc<Config> {
        Arc::clone(&lock(&self.0))
    }

    pub(super) fn set(&self, config: Arc<Config>) {
        *lock(&self.0) = config;
    }
}

/// A panic elsewhere must not take this down: no data is left half-changed under these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
