//! Calls that outlive the process: what one needs to be carried on is written down, and read by the next process.
//!
//! A call is kept once it is answered: before, transactions are under way that the next process knows nothing of. One
//! whose protection ends here is kept if its keys are in its signalling and can be sealed; keys of handshakes are not
//! among what is written down.

use std::time::Duration;

use memchr::memmem;
use sidetone_call::{CallKey, Exhausted, MediaPlane, Side};
use zeroize::Zeroizing;

use super::Anchor;
use super::call::{Call, Phase};
use super::position::call_name;
use crate::proxy::Neighbour;

/// A call that can't be carried on.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenUp {
    /// What was written of it can't be read. It holds numbers, and is nothing for the log.
    #[error("what was written of it can't be read")]
    Unreadable(#[from] serde_json::Error),
    /// A call of that key or name is up already.
    #[error("it is up already")]
    Known,
    /// One of its ports can't be had again.
    #[error("its media ports are taken")]
    Ports(#[from] Exhausted),
}

/// What a call needs to be carried on.
pub struct Kept {
    /// As JSON.
    pub content: Zeroizing<Vec<u8>>,
    /// Keys are in it: it must be sealed before it leaves the process.
    pub secret: bool,
}

/// How lines with keys begin in JSON. In a string of a party's there would be a backslash before the second quote.
const LINES_WITH_KEYS: &[u8] = b"\"crypto\":[{";

impl Call {
    fn can_be_kept(&self, seals: bool) -> bool {
        self.phase == Phase::Answered && !self.terms.shakes_hands() && (seals || !self.terms.holds_keys())
    }

    /// What it needs to be carried on; `None` if it can't be. Keys are in it of parties that agree on them with each
    /// other, too.
    fn kept(&self, seals: bool) -> Option<Kept> {
        if !self.can_be_kept(seals) {
            return None;
        }
        let content = Zeroizing::new(serde_json::to_vec(self).ok()?);
        let secret = self.terms.holds_keys() || memmem::find(&content, LINES_WITH_KEYS).is_some();
        (seals || !secret).then_some(Kept { content, secret })
    }
}

impl<M: MediaPlane> Anchor<M> {
    /// Notes from now on which calls change, for [`Self::take_changed`]; `seals` says whether what holds keys can be
    /// kept too.
    pub fn note_changes(&mut self, seals: bool) {
        self.changed.get_or_insert_default();
        self.seals = seals;
    }

    /// Notes each call as changed.
    pub fn note_all(&mut self) {
        if let Some(changed) = &mut self.changed {
            changed.extend(self.calls.keys());
        }
    }

    /// The calls that have changed since the last call of this method, those that have ended among them.
    pub fn take_changed(&mut self) -> Vec<CallKey> {
        self.changed.as_mut().map(|changed| std::mem::take(changed).into_iter().collect()).unwrap_or_default()
    }

    /// The call of that Call-ID and those tags, the trunk's and the PBX's, has changed elsewhere.
    pub fn note_change_of(&mut self, [call_id, trunk, pbx]: &[String; 3], caller: Option<Neighbour>) {
        let by = |tag: &str, side| {
            let named = self.names.get(&call_name(call_id, tag, side))?;
            named.iter().find(|(by, _)| *by == caller).map(|(_, key)| *key)
        };
        if let Some(key) = by(trunk, Side::Trunk).or_else(|| by(pbx, Side::Pbx)) {
            self.note_change(key);
        }
    }

    pub(super) fn note_change(&mut self, key: CallKey) {
        if let Some(changed) = &mut self.changed {
            changed.insert(key);
        }
    }

    /// What a call needs to be carried on; `None` for one that is over, not answered yet, or protected by keys that
    /// can't be kept.
    #[must_use]
    pub fn kept(&self, key: CallKey) -> Option<Kept> {
        self.calls.get(&key)?.kept(self.seals)
    }

    /// Whether keys of ours protect any of a call's media.
    #[must_use]
    pub fn holds_keys(&self, key: CallKey) -> bool {
        self.calls.get(&key).is_some_and(|call| call.terms.holds_keys())
    }

    /// The calls that end with this process: [`Self::kept`] has nothing of them.
    #[must_use]
    pub fn not_kept(&self) -> Vec<CallKey> {
        // Without a seal what is written has to be looked through for keys.
        let kept = |call: &Call| {
            if self.seals { call.can_be_kept(true) } else { call.kept(false).is_some() }
        };
        self.calls.iter().filter(|(_, call)| !kept(call)).map(|(key, _)| *key).collect()
    }

    /// Call-ID of a call, and the peer that has begun it.
    #[must_use]
    pub fn named(&self, key: CallKey) -> Option<(&str, Option<Neighbour>)> {
        let call = self.calls.get(&key)?;
        Some((call.name.split('\n').next()?, call.caller))
    }

    /// Carries on a call that [`Self::kept`] has written, on the ports that it had: the media plane is told its plans
    /// again. No fact is told.
    ///
    /// # Errors
    /// [`NotTakenUp`]: nothing of it is left behind then.
    pub fn take_up(&mut self, now: Duration, kept: &[u8]) -> Result<CallKey, NotTakenUp> {
        let mut call: Call = serde_json::from_slice(kept)?;
        let key = call.key;
        let same = |named: &Vec<(Option<Neighbour>, CallKey)>| named.iter().any(|(by, _)| *by == call.caller);
        if self.calls.contains_key(&key) || self.names.get(&call.name).is_some_and(same) {
            return Err(NotTakenUp::Known);
        }
        if let Err(taken) = call.reclaim(&mut self.media) {
            self.media.release(key);
            return Err(taken.into());
        }
        self.next_key = self.next_key.max(key.0 + 1);
        self.names.entry(call.name.clone()).or_default().push((call.caller, key));
        self.deadlines.insert((call.deadline, key));
        let (mut tools, calls) = self.tools();
        call.refresh(&mut tools, now);
        calls.insert(key, call);
        Ok(key)
    }
}
