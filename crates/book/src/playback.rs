//! Announcements: which recording plays to which party, in which formats.

use std::sync::Arc;

use sidetone_announce::library::Found;
use sidetone_announce::{Announcements, Hearer, Library, Mode};
use sidetone_call::{CallKey, Side};
use sidetone_consent::{Failure, Recording};
use sidetone_relay::{Job, PlayId, formats};

use crate::consent::{Act, Consent};
use crate::effect::Effects;
use crate::entry::Entry;

/// Most announcements of a call that have been stopped and are not over yet.
const MOST_LEAVING: usize = 8;

/// The announcements that exist, and how many are mixed at the moment.
#[derive(Default)]
pub(crate) struct Playback {
    /// Set once media has started.
    pub(crate) repertoire: Option<Repertoire>,
    /// Announcements that are laid over speech.
    mixing: usize,
}

/// The recordings and the way they are played.
pub(crate) struct Repertoire {
    pub(crate) library: Arc<Library>,
    pub(crate) announcements: Announcements,
}

impl Playback {
    /// Plays the announcement of the policy in force.
    pub(crate) fn announce(
        &mut self,
        effects: &mut Effects,
        entry: &mut Entry,
        key: CallKey,
    ) -> Result<(), Failure> {
        let repertoire = self.repertoire.as_ref().ok_or(Failure::NoMedia)?;
        let name = entry.consent.decision.announcement.clone().ok_or(Failure::NotFound)?;
        let language = entry.consent.decision.language.clone();
        let found = repertoire.library.find(&name, Some(&language)).ok_or(Failure::NotFound)?;
        let recording = Recording {
            name: found.name.clone(),
            language: found.language.clone(),
            sha256: found.clip.digest().to_owned(),
        };
        let toward = match repertoire.announcements.to {
            Hearer::Customer => vec![Side::Trunk],
            Hearer::Both => vec![Side::Trunk, Side::Pbx],
        };
        let mode = repertoire.announcements.mode;
        self.start(effects, entry, key, found, mode, toward, true)?;
        entry.consent.machine.recording(recording);
        Ok(())
    }

    /// Plays a recording to those parties of a call.
    #[allow(clippy::too_many_arguments)] // What plays, where, and how.
    pub(crate) fn start(
        &mut self,
        effects: &mut Effects,
        entry: &mut Entry,
        key: CallKey,
        found: Found,
        mode: Mode,
        toward: Vec<Side>,
        discloses: bool,
    ) -> Result<(), Failure> {
        let repertoire = self.repertoire.as_ref().ok_or(Failure::NoMedia)?;
        let id = PlayId(entry.consent.plays + 1);
        let (stream, plan) = entry.talk().ok_or(Failure::NoMedia)?;
        if plan.tappable.is_err() {
            return Err(Failure::Codec);
        }
        let plan = plan.clone();
        // Two announcements are never heard at once. Only the disclosure to the customer may replace an announcement of
        // the operator's own.
        self.hush(effects, entry, key);
        entry.consent.leaving.extend(entry.consent.playing.take());
        if entry.consent.leaving.len() > MOST_LEAVING {
            let oldest = entry.consent.leaving.remove(0);
            self.mixing -= usize::from(oldest.mode == Mode::Duck).min(self.mixing);
        }
        let mode = match mode {
            Mode::Duck if self.mixing >= repertoire.announcements.most_mixed => Mode::Replace,
            mode => mode,
        };
        for side in &toward {
            let (formats, ptime) = formats(&plan, *side);
            let found = found.clone();
            let (call, toward) = (key, *side);
            effects.play(Job { call, stream, toward, id, found, formats, ptime, mode, again: false });
        }
        if mode == Mode::Duck {
            self.mixing += 1;
        }
        entry.consent.plays = id.0;
        entry.consent.playing = Some(Act { id, stream, found, mode, toward, discloses });
        Ok(())
    }

    /// An announcement is no longer mixed.
    pub(crate) fn count_off(&mut self, act: &Act) {
        if act.mode == Mode::Duck {
            self.mixing = self.mixing.saturating_sub(1);
        }
    }

    /// Counts off announcements whose end was never reported.
    pub(crate) fn forget(&mut self, entry: &mut Entry) {
        let Consent { playing, leaving, .. } = &mut entry.consent;
        playing.take().iter().chain(&std::mem::take(leaving)).for_each(|act| self.count_off(act));
    }

    /// Stops the announcement; false if none plays.
    pub(crate) fn hush(&self, effects: &mut Effects, entry: &Entry, key: CallKey) -> bool {
        let (Some(act), Some(_)) = (&entry.consent.playing, &self.repertoire) else { return false };
        for toward in &act.toward {
            effects.hush(key, *toward, act.id);
        }
        true
    }

    /// SDP has changed: an announcement that plays goes on in the newly agreed format.
    pub(crate) fn revoice(&self, effects: &mut Effects, entry: &Entry, key: CallKey) {
        let (Some(act), Some(_)) = (&entry.consent.playing, &self.repertoire) else { return };
        let Some(plan) = entry.stream_plan(act.stream) else { return };
        for toward in &act.toward {
            let (formats, ptime) = formats(plan, *toward);
            if !formats.is_empty() {
                effects.play(Job {
                    call: key,
                    stream: act.stream,
                    toward: *toward,
                    id: act.id,
                    found: act.found.clone(),
                    formats,
                    ptime,
                    mode: act.mode,
                    again: true,
                });
            }
        }
    }
}
