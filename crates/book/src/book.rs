//! What is known of every call that is up: told the time and what happened, it gives effects. It does nothing itself.
//!
//! What happens to a call stands by subject: `facts` of the SIP core, `media`, `hearing`, `disclosure` with `playback`,
//! `telling`, `transfer`, and `closing`.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::{CallKey, Node};
use sidetone_consent::policy::Settings;
use sidetone_events::{CallId, NumberHasher, Timestamp};
use sidetone_insight::Thresholds;

use crate::counters::CallCounters;
use crate::effect::Effects;
use crate::entry::Entry;
use crate::playback::Playback;
use crate::rules::{Numbers, RoutedTo, Rules};
use crate::transfers::Transfers;
use crate::view::CallView;

/// Calls whose route is known and whose INVITE has not passed yet.
const MOST_ROUTED: usize = 10_000;
/// Calls that are remembered by their Call-ID after they have ended, for the log.
const MOST_PAST: usize = 1_024;

/// The call book.
pub(crate) struct Book {
    routed: HashMap<(String, SocketAddr), RoutedTo>,
    routed_order: VecDeque<(String, SocketAddr)>,
    pub(crate) calls: HashMap<CallKey, Entry>,
    pub(crate) transfers: Transfers,
    /// The same by SIP Call-ID, of which a call that comes back to us has the same.
    by_sip: HashMap<String, Vec<CallKey>>,
    /// SIP Call-IDs of the calls that ended last, with their ids: what is said of them afterwards names them too.
    past: VecDeque<(String, CallId)>,
    pub(crate) node: Option<Node>,
    pub(crate) thresholds: Thresholds,
    pub(crate) settings: Settings,
    pub(crate) numbers: Numbers,
    pub(crate) media_timeout: Duration,
    /// Calls just answered, whose plans are still on their way.
    pub(crate) answered: Vec<(CallKey, Duration)>,
    pub(crate) counters: CallCounters,
    pub(crate) playback: Playback,
    /// SHA-256 of the model that listens, if receipts are filed at all.
    pub(crate) receipts_name: Option<Option<String>>,
    pub(crate) hasher: NumberHasher,
    /// The time of day at zero of the process's clock.
    pub(crate) epoch_wall: Timestamp,
    /// How many workers calls are shared out among.
    pub(crate) workers: usize,
    /// What is to be done.
    pub(crate) effects: Effects,
}

impl Book {
    /// An empty book.
    pub(crate) fn new(hasher: NumberHasher, workers: usize, rules: Rules, epoch_wall: Timestamp) -> Self {
        let Rules { node, thresholds, media_timeout, consent, numbers } = rules;
        Self {
            routed: HashMap::new(),
            routed_order: VecDeque::new(),
            calls: HashMap::new(),
            transfers: Transfers::default(),
            by_sip: HashMap::new(),
            past: VecDeque::new(),
            node,
            thresholds,
            settings: consent,
            numbers,
            media_timeout,
            answered: Vec::new(),
            counters: CallCounters::default(),
            playback: Playback::default(),
            receipts_name: None,
            hasher,
            epoch_wall,
            workers,
            effects: Effects::default(),
        }
    }

    /// Takes new rules, for calls to come.
    pub(crate) fn rule(&mut self, rules: Rules) {
        let Rules { node, thresholds, media_timeout, consent, numbers } = rules;
        self.node = node;
        self.thresholds = thresholds;
        self.media_timeout = media_timeout;
        self.settings = consent;
        self.numbers = numbers;
    }

    pub(crate) fn enter(&mut self, key: CallKey, entry: Entry) {
        self.by_sip.entry(entry.sip_call_id().to_owned()).or_default().push(key);
        self.calls.insert(key, entry);
    }

    pub(crate) fn strike(&mut self, key: CallKey) -> Option<Entry> {
        let entry = self.calls.remove(&key)?;
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

    /// How a call is known to its PBX: its Call-ID as it is, and the PBX's name.
    #[must_use]
    pub(crate) fn identity(&self, id: &CallId) -> Option<(String, String)> {
        let entry = self.calls.values().find(|entry| entry.call().id == *id)?;
        Some((entry.sip_call_id().to_owned(), entry.pbx().to_owned()))
    }

    /// Sidetone's id of the call with that SIP Call-ID, as it stands in SIP; of one that has just ended, too.
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

    /// The way of an INVITE from `source` has been found; its call starts in a moment.
    pub(crate) fn routed(&mut self, sip_call_id: &str, source: SocketAddr, routed: RoutedTo) {
        // Whoever else sends an INVITE of that Call-ID has a call of its own.
        let name = (sip_call_id.to_owned(), source);
        if self.routed.insert(name.clone(), routed).is_none() {
            // Calls that have started stay in this order until it is full: cheaper than looking for each.
            self.routed_order.push_back(name);
            if self.routed_order.len() > MOST_ROUTED
                && let Some(oldest) = self.routed_order.pop_front()
            {
                self.routed.remove(&oldest);
            }
        }
    }

    /// The route that was found for an INVITE of that Call-ID from there.
    pub(crate) fn take_route(&mut self, sip_call_id: String, source: SocketAddr) -> RoutedTo {
        self.routed.remove(&(sip_call_id, source)).unwrap_or_default()
    }
}
