//! Connections for those who ask, beside the one that writes.

use std::sync::{Mutex, PoisonError};

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::store::Store;

/// Most connections that are kept for the next question.
const KEPT: usize = 4;

/// Connections to one store, each used by one question at a time.
#[derive(Debug)]
pub struct Readers {
    config: StoreConfig,
    idle: Mutex<Vec<Store>>,
}

impl Readers {
    /// Connections to the store of a configuration, made as they are needed.
    #[must_use]
    pub fn new(config: StoreConfig) -> Self {
        Self { config, idle: Mutex::default() }
    }

    /// Asks, on the calling thread, which must not be an asynchronous one. A connection that has gone stale, since the
    /// database was started anew, is replaced once: so `ask` may run twice.
    ///
    /// # Errors
    /// The store's.
    pub fn ask<T>(&self, ask: impl Fn(&mut Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut store) = kept
            && store.database.is_in_place().is_ok()
            && let Ok(answer) = ask(&mut store)
        {
            self.keep(store);
            return Ok(answer);
        }
        let mut store = Store::open(&self.config)?;
        let answer = ask(&mut store)?;
        self.keep(store);
        Ok(answer)
    }

    fn keep(&self, store: Store) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(store);
        }
    }
}
