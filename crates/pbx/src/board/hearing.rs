//! Input from the PBX: its channels, the calls that they carry, and its statements about them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sidetone_consent::Telling;

use super::{Board, HELD, HELD_FOR, Held, LONGEST_SIP};
use crate::Told;
use crate::counts::Tally;
use crate::text::is_id;

/// The delays of requests for a channel's Call-ID: the first at once, the others after each answer without one.
const ASK_AFTER: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

impl Board {
    /// Notes that a channel exists; its Call-ID is `sip` if the PBX reports it by itself.
    pub(crate) fn channel_seen(
        &mut self,
        now: Duration,
        id: &str,
        name: &str,
        linked: Option<&str>,
        sip: Option<&str>,
    ) {
        if !is_id(id) || !is_id(name) {
            return;
        }
        let linked = linked.filter(|linked| is_id(linked));
        let Some(is_new) = self.channels.seen(id, name, linked) else { return };
        match sip.filter(|sip| !sip.is_empty() && sip.len() <= LONGEST_SIP) {
            Some(sip) => self.channel_found(id, sip),
            None if is_new || self.channels.get(id).is_some_and(|it| it.sip.is_none() && !it.asking) => {
                self.ask(now, id);
            }
            None => {}
        }
    }

    /// The channel has another name, and may carry another call.
    pub(crate) fn channel_renamed(&mut self, now: Duration, id: &str, name: &str) {
        if let Some(channel) = self.channels.get_mut(id)
            && is_id(name)
        {
            channel.name = name.into();
            channel.asked = 0;
            if !channel.asking {
                self.ask(now, id);
            }
        }
    }

    /// The channel exists no more.
    pub(crate) fn channel_gone(&mut self, id: &str) {
        self.channels.gone(id);
    }

    /// The PBX says that `name` is `value` for the call of channel `id`. If the channel speaks no SIP, or carries no
    /// call of Sidetone's, the statement holds for the one call that is linked with it.
    pub(crate) fn heard(&mut self, now: Duration, id: &str, linked: Option<&str>, name: &str, value: &str) {
        let Some(telling) = self.understand(name, value) else { return };
        let own = self.channels.get(id).and_then(|channel| channel.sip.clone());
        if let Some(sip) = &own
            && self.by_sip.contains_key(sip)
        {
            return self.tell_on(sip, telling);
        }
        let linked = linked.map(Arc::from).or_else(|| self.channels.get(id)?.linked.clone());
        if let Some(sip) = linked.and_then(|linked| self.one_call_of(&linked)) {
            return self.tell_on(&sip, telling);
        }
        match own {
            // The call may be so new that the bus has not announced it yet; the receiver will know it.
            Some(sip) => self.tell_on(&sip, telling),
            None if self.channels.get(id).is_some_and(|channel| channel.asking) => {
                if self.held.len() >= HELD {
                    self.held.pop_front();
                    Tally::add(&self.tally.told_in_vain, 1);
                }
                self.held.push_back(Held { until: now + HELD_FOR, channel: id.into(), telling });
            }
            None => Tally::add(&self.tally.told_in_vain, 1),
        }
    }

    /// The same for a call that is named by its Call-ID.
    pub(crate) fn heard_of_call(&mut self, sip: &str, name: &str, value: &str) {
        if let Some(telling) = self.understand(name, value) {
            self.tell_on(sip, telling);
        }
    }

    /// The id of the channel that the PBX names, by name or id.
    pub(crate) fn channel_called(&self, called: &str) -> Option<Arc<str>> {
        self.channels.id(called).or_else(|| self.channels.named(called))
    }

    pub(super) fn understand(&mut self, name: &str, value: &str) -> Option<Telling> {
        match Telling::parse(name, value) {
            Ok(telling) => Some(telling),
            Err(why) => {
                Tally::add(&self.tally.told_in_vain, 1);
                self.complain(&why.to_string(), "the PBX tells something that means nothing");
                None
            }
        }
    }

    pub(super) fn tell_on(&self, sip: &str, telling: Telling) {
        Tally::add(&self.tally.told, 1);
        let source = self.purpose.kind.source();
        let pbx = self.purpose.pbx.clone();
        (self.hear)(Told { pbx, sip_call_id: sip.to_owned(), source, telling });
    }

    /// The call of Sidetone's in a conversation, if there is exactly one.
    pub(super) fn one_call_of(&self, linked: &str) -> Option<Arc<str>> {
        let mut calls = self.channels.calls_linked(linked).filter(|sip| self.by_sip.contains_key(*sip));
        let first = calls.next()?;
        calls.all(|other| other == first).then(|| Arc::clone(first))
    }

    pub(super) fn ask(&mut self, now: Duration, id: &str) {
        let Some(id) = self.channels.id(id) else { return };
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let wait = match channel.asked.checked_sub(1) {
            None => Duration::ZERO,
            Some(times) => match ASK_AFTER.get(times) {
                Some(wait) => *wait,
                // A channel without a Call-ID, or one that does not reveal it.
                None => return self.nobody_knows(&id),
            },
        };
        channel.asked += 1;
        channel.asking = true;
        self.asks.insert((now + wait, id));
    }

    pub(super) fn channel_found(&mut self, id: &str, sip: &str) {
        self.channels.found(id, sip);
        if let Some(channel) = self.channels.get_mut(id) {
            channel.asking = false;
        }
        let sip: Arc<str> = sip.into();
        if self.by_sip.contains_key(&sip) {
            self.see(&sip);
            self.set_on_all(&sip);
        }
        for held in self.held_of(id) {
            // Handled from the start, since the channel may be linked to a call of Sidetone's without carrying one.
            let linked = self.channels.get(id).and_then(|channel| channel.linked.clone());
            let call = if self.by_sip.contains_key(&sip) {
                Some(Arc::clone(&sip))
            } else {
                linked.and_then(|linked| self.one_call_of(&linked))
            };
            self.tell_on(&call.unwrap_or_else(|| Arc::clone(&sip)), held.telling);
        }
    }

    /// The channel's Call-ID can't be found.
    pub(super) fn nobody_knows(&mut self, id: &str) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.asking = false;
        }
        let held = self.held_of(id).len();
        Tally::add(&self.tally.told_in_vain, held);
    }

    pub(super) fn held_of(&mut self, id: &str) -> Vec<Held> {
        let (of, others) = std::mem::take(&mut self.held).into_iter().partition(|held| &*held.channel == id);
        self.held = others;
        let of: VecDeque<Held> = of;
        of.into()
    }
}
