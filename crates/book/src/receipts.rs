//! The receipts of calls: disclosure, question and answer, filed when a call is over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sidetone_consent::Receipt;
use sidetone_consent::log::{Counters, Writer};

/// The receipts' writer, if receipts are kept at all.
pub struct Receipts {
    /// The writer, until it is closed.
    writer: Mutex<Option<Writer>>,
    /// SHA-256 of the model that listens.
    pub(crate) model: Option<String>,
}

impl Receipts {
    /// Receipts by this writer, if any are kept. `model` is the SHA-256 of the model that listens to the calls.
    pub fn new(writer: Option<Writer>, model: Option<String>) -> Self {
        Self { writer: Mutex::new(writer), model }
    }

    /// Files a receipt; false if it is lost.
    pub(crate) fn file(&self, receipt: Receipt) -> bool {
        self.writer().as_ref().is_none_or(|writer| writer.submit(receipt))
    }

    /// Receipts written and lost.
    pub fn counters(&self) -> Option<Counters> {
        self.writer().as_ref().map(Writer::counters)
    }

    /// Syncs the filed receipts to the disk, and files no more. This waits for the disk.
    pub fn close(&self) {
        let writer = self.writer().take();
        if let Some(writer) = writer {
            writer.close();
        }
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
