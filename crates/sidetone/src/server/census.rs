//! All counters of the running server.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use sidetone_book::Calls;
use sidetone_events::{Bus, Sinks};
use sidetone_hear::{WordsCounters, WorkerCounters};
use sidetone_journal::Journal;
use sidetone_pbx::PbxLinks;
use sidetone_proxy::signalling::Signalling;
use sidetone_serve::control::DRILLED_READER;
use sidetone_serve::{LanguageStats, Stats};
use sidetone_store::Feeder;
use sidetone_watch::Alarm;

use super::in_force::{InForce, lock};
use crate::log_writer;

/// The sources of the counters.
pub(super) struct Census {
    pub(super) signalling: Arc<Signalling>,
    pub(super) calls: Arc<Calls>,
    pub(super) workers: Vec<Arc<WorkerCounters>>,
    /// What recognisers count, if words are recognised.
    pub(super) recognition: Option<Arc<WordsCounters>>,
    pub(super) sinks: Arc<Mutex<Option<Sinks>>>,
    pub(super) links: Arc<Mutex<Option<PbxLinks>>>,
    pub(super) store: Arc<Mutex<Option<Feeder>>>,
    pub(super) bus: Bus,
    pub(super) alarm: Alarm,
    pub(super) in_force: Arc<InForce>,
    /// Whether a model is loaded.
    pub(super) listens: bool,
    /// Whether words are recognised.
    pub(super) recognises: bool,
    pub(super) started: Instant,
    /// Where calls are written down, if they are.
    pub(super) journal: Option<Arc<Journal>>,
}

impl Census {
    pub(super) fn count(&self) -> Stats {
        // Before the core is locked: the SIP link's counters need that lock too.
        let links = lock(&self.links).as_ref().map(PbxLinks::counts).unwrap_or_default();
        let mut sinks = lock(&self.sinks).as_ref().map(Sinks::counts).unwrap_or_default();
        // The reader of a drill is none of the configured sinks, and to be seen all the same.
        sinks.extend(self.bus.counts().into_iter().filter(|reader| reader.name == DRILLED_READER));
        let config = self.in_force.get();
        let mut core = self.signalling.core();
        let mut stats = Stats::gather(
            &mut core,
            &self.calls,
            &self.workers,
            sinks,
            links,
            self.bus.published(),
            self.signalling.connections(),
            &self.alarm,
            !self.listens && config.listens_to_any(),
            config.node.clone(),
            self.started.elapsed(),
            log_writer::dropped(),
            self.signalling.held_times(),
        );
        drop(core);
        stats.journal = self.journal.as_ref().map(|journal| journal.counters());
        stats.store = lock(&self.store).as_ref().map(Feeder::counters);
        stats.language = self.recognition.as_deref().map(LanguageStats::of);
        stats.recogniser_missing = config.language.enabled && !self.recognises;
        let open = self.signalling.connections_by_transport();
        stats.sip.connections_by = open.map(|(transport, open)| (transport.as_word(), open)).into();
        stats.sip.handshakes = self.signalling.handshakes().into();
        stats.refused.insert("connection", self.signalling.connections_refused());
        stats.sip.rejected.insert("unread_connection", self.signalling.connections_unread());
        stats.refused.insert("lookup", self.signalling.lookups_refused());
        stats
    }
}
