//! The book of all calls that are up. Its input is the time and what happened; its output is effects. It has no I/O.
//!
//! Each kind of happening has its file: `facts` of the SIP core, `media`, `hearing`, `disclosure` with `playback`,
//! `telling`, `transfers`, and `closing`.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{CallKey, Node, Teams};
use sidetone_consent::policy::Settings;
use sidetone_events::{CallId, NumberHasher, Timestamp};
use sidetone_hear::{Language, Scribe};
use sidetone_insight::Thresholds;
use sidetone_insight::cues::CueSet;

use crate::counters::CallCounters;
use crate::effect::Effects;
use crate::entry::Entry;
use crate::kept::Touched;
use crate::playback::Playback;
use crate::rules::{Numbers, RoutedTo, Rules};
use crate::transfers::Transfers;
use crate::view::CallView;

/// Most calls whose route is known and whose INVITE has not passed yet.
const MOST_ROUTED: usize = 10_000;
/// Most ended calls that are remembered by their Call-ID, for the log.
const MOST_PAST: usize = 1_024;

/// The call book.
pub(crate) struct Book {
    routed: HashMap<(String, SocketAddr), RoutedTo>,
    routed_order: VecDeque<(String, SocketAddr)>,
    pub(crate) calls: HashMap<CallKey, Entry>,
    pub(crate) transfers: Transfers,
    /// The keys by SIP Call-ID. A call that a PBX sends back to us keeps its Call-ID, so several may share one.
    by_sip: HashMap<String, Vec<CallKey>>,
    /// SIP Call-IDs of the calls that ended last, with their ids: later log lines about them name the id too.
    past: VecDeque<(String, CallId)>,
    pub(crate) node: Option<Node>,
    pub(crate) thresholds: Thresholds,
    pub(crate) cues: Option<Arc<CueSet>>,
    pub(crate) words: Option<(Scribe, Arc<Language>)>,
    pub(crate) settings: Settings,
    pub(crate) numbers: Numbers,
    pub(crate) media_timeout: Duration,
    /// Calls just answered whose plans have not arrived yet.
    pub(crate) answered: Vec<(CallKey, Duration)>,
    /// Calls of which the SIP message at hand has told labels.
    pub(crate) relabelled: Vec<(CallKey, Duration)>,
    pub(crate) teams: Teams,
    pub(crate) counters: CallCounters,
    pub(crate) playback: Playback,
    /// SHA-256 of the model that listens, if receipts are filed at all.
    pub(crate) receipts_name: Option<Option<String>>,
    pub(crate) hasher: NumberHasher,
    /// Wall-clock time at zero of the process's clock.
    pub(crate) epoch_wall: Timestamp,
    /// Number of workers that the calls are shared out among.
    pub(crate) workers: usize,
    /// Calls that are to be written down.
    pub(crate) touched: Touched,
    /// Effects that have not been carried out yet.
    pub(crate) effects: Effects,
}

impl Book {
    /// An empty book.
    pub(crate) fn new(hasher: NumberHasher, workers: usize, rules: Rules, epoch_wall: Timestamp) -> Self {
        let Rules { node, thresholds, cues, words, media_timeout, consent, numbers, teams } = rules;
        Self {
            routed: HashMap::new(),
            routed_order: VecDeque::new(),
            calls: HashMap::new(),
            transfers: Transfers::default(),
            by_sip: HashMap::new(),
            past: VecDeque::new(),
            node,
            thresholds,
            cues,
            words,
            settings: consent,
            numbers,
            media_timeout,
            answered: Vec::new(),
            relabelled: Vec::new(),
            teams,
            counters: CallCounters::default(),
            playback: Playback::default(),
            receipts_name: None,
            hasher,
            epoch_wall,
            workers,
            touched: None,
            effects: Effects::default(),
        }
    }

    /// Replaces the rules, for calls to come.
    pub(crate) fn rule(&mut self, rules: Rules) {
        let Rules { node, thresholds, cues, words, media_timeout, consent, numbers, teams } = rules;
        self.cues = cues;
        self.words = words;
        self.node = node;
        self.thresholds = thresholds;
        self.media_timeout = media_timeout;
        self.settings = consent;
        self.numbers = numbers;
        self.teams = teams;
    }

    pub(crate) fn enter(&mut self, key: CallKey, entry: Entry) {
        self.by_sip.entry(entry.sip_call_id().to_owned()).or_default().push(key);
        self.calls.insert(key, entry);
    }

    pub(crate) fn strike(&mut self, key: CallKey) -> Option<Entry> {
        let entry = self.calls.remove(&key)?;
        self.touch(key);
        if let Some(keys) = self.by_sip.get_mut(entry.sip_call_id()) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_sip.remove(entry.sip_call_id());
            }
        }
        if self.past.len() >= MOST_PAST {
            self.past.pop_front();
        }
        self.past.push_back((entry.sip_call_id().to_owned(), entry.call().id));
        Some(entry)
    }

    /// The calls with that SIP Call-ID.
    pub(crate) fn named(&self, sip_call_id: &str) -> impl Iterator<Item = &Entry> {
        let keys = self.by_sip.get(sip_call_id).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| self.calls.get(key))
    }

    /// The call's identity at its PBX: its unhashed Call-ID, and the PBX's name.
    #[must_use]
    pub(crate) fn identity(&self, id: &CallId) -> Option<(String, String)> {
        let entry = self.calls.values().find(|entry| entry.call().id == *id)?;
        Some((entry.sip_call_id().to_owned(), entry.pbx().to_owned()))
    }

    /// Sidetone's id of the call with that unhashed SIP Call-ID. Calls that have just ended are found too.
    pub(crate) fn known_as(&self, sip_call_id: &str) -> Option<CallId> {
        let up = self.by_sip.get(sip_call_id).and_then(|keys| self.calls.get(keys.last()?));
        let past = || self.past.iter().rev().find(|(past, _)| past == sip_call_id).map(|(_, id)| *id);
        up.map(|entry| entry.call().id).or_else(past)
    }

    /// The calls that are up, oldest first.
    #[must_use]
    pub(crate) fn list(&self, now: Duration) -> Vec<CallView> {
        let mut calls: Vec<CallView> = self.calls.values().map(|entry| entry.view(now)).collect();
        calls.sort_by(|a, b| a.id.cmp(&b.id));
        calls
    }

    /// Notes the route of an INVITE from `source`; its call starts in a moment.
    pub(crate) fn routed(&mut self, sip_call_id: &str, source: SocketAddr, routed: RoutedTo) {
        // Another sender of an INVITE with that Call-ID has a call of its own.
        let name = (sip_call_id.to_owned(), source);
        if self.routed.insert(name.clone(), routed).is_none() {
            // Entries of calls that have started stay until the queue is full: cheaper than searching for each.
            self.routed_order.push_back(name);
            if self.routed_order.len() > MOST_ROUTED
                && let Some(oldest) = self.routed_order.pop_front()
            {
                self.routed.remove(&oldest);
            }
        }
    }

    /// Takes the route that was found for an INVITE of that Call-ID from `source`.
    pub(crate) fn take_route(&mut self, sip_call_id: String, source: SocketAddr) -> RoutedTo {
        self.routed.remove(&(sip_call_id, source)).unwrap_or_default()
    }
}
