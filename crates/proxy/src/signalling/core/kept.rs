//! Calls that outlive the process: their signalling is written down, and read by the next process.

use std::time::Duration;

use sidetone_call::{CallKey, Cause};
use sidetone_journal::{Part, Parts, Pen};

use super::Core;

/// Why a call is not carried on.
#[derive(Debug, thiserror::Error)]
pub enum NotCarriedOn {
    /// The process before has not got as far as to write down all of it.
    #[error("not all of it was written down")]
    Incomplete,
    /// The SIP core can't go on with it.
    #[error(transparent)]
    Signalling(#[from] sidetone_sip::anchor::NotTakenUp),
    /// The configuration names its caller's peer no longer.
    #[error("its trunk or PBX is not in the configuration any more")]
    Peer,
    /// A part of it can't be read. What stands there is nothing for the log.
    #[error("what was written of it can't be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Core {
    /// From now on each call is written down, so that the next process can carry it on.
    pub fn keep_in(&mut self, pen: Pen) {
        let filter = self.proxy.filter();
        filter.inner().note_changes(pen.seals());
        filter.legs().note_changes();
        self.journal = Some(pen);
    }

    /// Writes down all calls, and has relay threads tell of all their media: the journal was begun anew.
    pub fn keep_anew(&mut self) {
        let anchor = self.proxy.filter().inner();
        anchor.note_all();
        anchor.media().keep_anew();
    }

    /// Carries on a call that an earlier process has written down, its media included; `since` is when that was last
    /// known to be alive.
    ///
    /// # Errors
    /// [`NotCarriedOn`]: the call is over, and its ports are free.
    pub fn take_up(&mut self, now: Duration, since: Duration, parts: &Parts) -> Result<(), NotCarriedOn> {
        let (Some(signalling), Some(book)) = (parts.get(&Part::Signalling), parts.get(&Part::Book)) else {
            return Err(NotCarriedOn::Incomplete);
        };
        let media = parts.get(&Part::Media).map(|media| serde_json::from_slice(media)).transpose()?;
        let key = self.anchor().take_up(now, signalling)?;
        if media.is_none() && self.anchor_ref().holds_keys(key) {
            // With counters that begin anew a key stream would be used twice.
            self.anchor().terminate(now, key, Cause::Failed);
            return Err(NotCarriedOn::Incomplete);
        }
        let caller = self.anchor_ref().named(key).and_then(|(_, caller)| caller);
        let peer = caller.and_then(|caller| self.table.of_neighbour(caller));
        if caller.is_some() && peer.is_none() {
            self.anchor().terminate(now, key, Cause::Failed);
            return Err(NotCarriedOn::Peer);
        }
        let inferred = parts.get(&Part::Insight).map(Vec::as_slice);
        if let Err(error) = self.calls.take_up(since, book, inferred) {
            self.anchor().terminate(now, key, Cause::Failed);
            return Err(error.into());
        }
        self.anchor().media().resume(key, media.unwrap_or_default());
        if let Some(numbering) = parts.get(&Part::Numbering) {
            // Without it the PBX is told nothing more in this dialog; the call goes on.
            if let Err(error) = self.proxy.filter().legs().take_up(numbering) {
                tracing::warn!(%error, "the numbers of a dialog that was carried on can't be read");
            }
        }
        if let Some(peer) = peer {
            let name = self.peer_name(peer);
            self.shares.begun(key, name);
        }
        Ok(())
    }

    /// Calls that are up.
    #[must_use]
    pub fn calls_up(&self) -> usize {
        self.anchor_ref().calls()
    }

    /// The calls that end with this process, whatever is written down.
    #[must_use]
    pub fn not_kept(&self) -> Vec<CallKey> {
        self.anchor_ref().not_kept()
    }

    /// Whether another process could go on with all that is open now: each call can be carried on, and nobody waits for
    /// an answer to an INVITE, which that would know nothing of.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.not_kept().is_empty() && !self.proxy.is_asked()
    }

    /// Writes down the calls that the messages just handled have changed.
    pub(super) fn write_down(&mut self) {
        let Some(pen) = &self.journal else { return };
        let filter = self.proxy.filter();
        for (names, caller) in filter.legs().take_changed() {
            filter.inner().note_change_of(&names, caller);
        }
        let changed: Vec<CallKey> = filter.inner().take_changed();
        let (anchor, legs) = (filter.inner_ref(), filter.legs_ref());
        for key in changed {
            let kept = anchor.kept(key);
            let named = anchor.named(key).filter(|_| kept.is_some());
            match kept {
                Some(kept) if kept.secret => pen.write_secret(key, Part::Signalling, &kept.content),
                kept => pen.write(key, Part::Signalling, kept.map(|kept| kept.content.to_vec())),
            }
            pen.write(key, Part::Numbering, named.and_then(|(call_id, caller)| legs.kept(call_id, caller)));
        }
    }
}
