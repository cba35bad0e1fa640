//! The tools of an analysis, shared by all recordings.

use sidetone_capture::calls::Customer;
use sidetone_capture::dtls::KeyLog;
use sidetone_emotion::model::Model;
use sidetone_events::NumberHasher;
use sidetone_hear::Scribe;
use sidetone_insight::cues::CueSet;
use std::sync::Arc;

/// The model, thresholds and options that every file is analysed with.
pub(crate) struct Bench {
    pub(crate) customer: Option<Customer>,
    pub(crate) model: Arc<Model>,
    pub(crate) hasher: NumberHasher,
    pub(crate) formats: Vec<sidetone_call::Format>,
    /// Secrets of the DTLS handshakes in captures.
    pub(crate) key_log: Option<Arc<KeyLog>>,
    /// The cues that the agent might have been shown.
    pub(crate) cues: Option<Arc<CueSet>>,
    /// Where the customer's words are recognised, if they are.
    pub(crate) scribe: Option<Scribe>,
}
