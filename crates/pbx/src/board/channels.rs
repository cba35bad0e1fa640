//! A PBX's channels, by the calls that they belong to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::variables::{Values, Variable};

/// Most channels that are tracked at once; further ones are ignored.
pub(crate) const MOST: usize = 20_000;

/// A SIP channel of the PBX's.
#[derive(Debug)]
pub(crate) struct Channel {
    /// The name that the PBX shows; changes when the channel is renamed.
    pub(crate) name: Arc<str>,
    /// Its SIP Call-ID, once found.
    pub(crate) sip: Option<Arc<str>>,
    /// The id that the channels of one conversation share.
    pub(crate) linked: Option<Arc<str>>,
    /// The values that have been set on it, or are being set.
    pub(crate) sent: Values,
    /// The variables being set.
    pub(crate) busy: Vec<Variable>,
    /// Whether it stands in the queue of channels to set variables on.
    pub(crate) queued: bool,
    /// How often its Call-ID has been requested.
    pub(crate) asked: usize,
    /// Whether that request is under way or due.
    pub(crate) asking: bool,
}

/// All channels of the PBX.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    by_id: HashMap<Arc<str>, Channel>,
    by_sip: HashMap<Arc<str>, Vec<Arc<str>>>,
    by_linked: HashMap<Arc<str>, Vec<Arc<str>>>,
}

impl Channels {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Channel> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Channel> {
        self.by_id.get_mut(id)
    }

    /// The stored form of the id.
    pub(crate) fn id(&self, id: &str) -> Option<Arc<str>> {
        self.by_id.get_key_value(id).map(|(id, _)| Arc::clone(id))
    }

    /// The id of the channel of that name. A linear search.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<str>> {
        self.by_id.iter().find(|(_, channel)| &*channel.name == name).map(|(id, _)| Arc::clone(id))
    }

    /// Notes that a channel exists; returns whether it is new.
    pub(crate) fn seen(&mut self, id: &str, name: &str, linked: Option<&str>) -> Option<bool> {
        let is_new = !self.by_id.contains_key(id);
        if is_new {
            if self.by_id.len() >= MOST {
                return None;
            }
            let channel = Channel {
                name: name.into(),
                sip: None,
                linked: None,
                sent: Values::default(),
                busy: Vec::new(),
                queued: false,
                asked: 0,
                asking: false,
            };
            self.by_id.insert(id.into(), channel);
        }
        if let Some(linked) = linked {
            self.link(id, linked);
        }
        Some(is_new)
    }

    fn link(&mut self, id: &str, linked: &str) {
        let Some((key, channel)) = self.by_id.get_key_value(id) else { return };
        if channel.linked.as_deref() == Some(linked) {
            return;
        }
        let (key, before) = (Arc::clone(key), channel.linked.clone());
        if let Some(before) = before {
            leave(&mut self.by_linked, &before, id);
        }
        let linked: Arc<str> = linked.into();
        self.by_linked.entry(Arc::clone(&linked)).or_default().push(key);
        if let Some(channel) = self.by_id.get_mut(id) {
            channel.linked = Some(linked);
        }
    }

    /// Notes that the channel's Call-ID is `sip`.
    pub(crate) fn found(&mut self, id: &str, sip: &str) {
        let Some(key) = self.id(id) else { return };
        let Some(channel) = self.by_id.get_mut(id) else { return };
        if channel.sip.as_deref() == Some(sip) {
            return;
        }
        let sip: Arc<str> = sip.into();
        if let Some(before) = channel.sip.replace(Arc::clone(&sip)) {
            // The channel carries another call now, for which no variable has been set.
            channel.sent = Values::default();
            leave(&mut self.by_sip, &before, id);
        }
        self.by_sip.entry(sip).or_default().push(key);
    }

    pub(crate) fn gone(&mut self, id: &str) {
        let Some(channel) = self.by_id.remove(id) else { return };
        if let Some(sip) = channel.sip {
            leave(&mut self.by_sip, &sip, id);
        }
        if let Some(linked) = channel.linked {
            leave(&mut self.by_linked, &linked, id);
        }
    }

    /// The channels of a call.
    pub(crate) fn of_call(&self, sip: &str) -> &[Arc<str>] {
        self.by_sip.get(sip).map_or(&[], Vec::as_slice)
    }

    /// The Call-IDs of the channels in a conversation.
    pub(crate) fn calls_linked(&self, linked: &str) -> impl Iterator<Item = &Arc<str>> {
        let ids = self.by_linked.get(linked).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.by_id.get(id)?.sip.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

fn leave(index: &mut HashMap<Arc<str>, Vec<Arc<str>>>, key: &str, id: &str) {
    if let Some(ids) = index.get_mut(key) {
        ids.retain(|it| &**it != id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
