//! Carries a call's consent machine: does what it asks for, and tells it what happens.

use std::time::Duration;

use sidetone_call::{CallKey, Leg, Side};
use sidetone_consent::{Action, Failure, Input, Medium, Source, State, Telling};
use sidetone_events::{Announcement, AnnouncementPhase, ConsentChanged};
use sidetone_hear::Work;
use sidetone_insight::cues::Cleared;
use sidetone_relay::{PlayId, Playing};

use crate::book::Book;
use crate::entry::Entry;
use crate::lookup::NotOne;
use crate::{cues, words};

/// Longest name and language of an announcement in events; the rest is cut off.
const LONGEST_NAME: usize = 64;
const LONGEST_LANGUAGE: usize = 35;

/// Why an announcement of the operator's own is not played.
#[derive(Debug, thiserror::Error)]
pub enum NotPlayed {
    /// The call could not be found.
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// The call has just ended.
    #[error("the call has just ended")]
    Over,
    /// Announcements are not loaded yet.
    #[error("Sidetone is still starting; try again")]
    Starting,
    /// No announcement has that name.
    #[error("no announcement is called {name}; there are: {}", .known.join(", "))]
    Name {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The announcement does not exist in that language.
    #[error("{name} is not there in `{language}`; it is in {}", .known.join(", "))]
    Language {
        /// The announcement's name.
        name: String,
        /// The language that was asked for.
        language: String,
        /// The languages that exist.
        known: Vec<String>,
    },
    /// Another announcement plays.
    #[error("an announcement plays in this call already; two are never heard at once")]
    Occupied,
    /// The call's media can't take it.
    #[error("it can't be played: {0}")]
    Failed(Failure),
}

impl Book {
    /// Tells a call's consent of something that it depends on.
    pub(crate) fn consent(&mut self, key: CallKey, now: Duration, input: Input) {
        let Some(entry) = self.calls.get_mut(&key) else { return };
        entry.consent.machine.input(now, input);
        self.drive(key, now);
    }

    /// Does what a call's consent asks for.
    pub(crate) fn drive(&mut self, key: CallKey, now: Duration) {
        // Long: one arm for each action that the consent machine asks for.
        self.attend_to(key);
        self.touch(key);
        let mut refused = None;
        let Self { calls, counters, effects, playback, .. } = self;
        let Some(entry) = calls.get_mut(&key) else { return };
        while let Some(action) = entry.consent.machine.poll() {
            match action {
                Action::Announce => {
                    if let Err(failure) = playback.announce(effects, entry, key) {
                        entry.consent.machine.input(now, Input::AnnouncementFailed(failure));
                    }
                }
                Action::StopAnnouncing => {
                    if !playback.hush(effects, entry, key) {
                        entry.consent.machine.input(now, Input::AnnouncementEnded { whole: false });
                    }
                }
                Action::BeginAnalysis => {
                    // None, if a later input in the queue has taken the permit back already.
                    if let Some(permit) = entry.consent.machine.permit() {
                        effects.hear(entry.worker(), Work::Listen(permit, now));
                    }
                }
                Action::PauseAnalysis => {
                    effects.hear(entry.worker(), Work::Deafen { call: key, erase: false });
                    cues::hush(effects, entry, now, Cleared::Consent);
                }
                Action::StopAnalysis { erase } => {
                    effects.hear(entry.worker(), Work::Deafen { call: key, erase });
                    cues::hush(effects, entry, now, Cleared::Consent);
                    if erase {
                        entry.forget();
                        effects.keep(key, None);
                    }
                }
                Action::Changed { state, by, erased } => {
                    counters.consent(state);
                    if state == State::OptedOut {
                        refused = Some(by);
                    }
                    let call = entry.call().id;
                    let sip_call_id = &entry.call().sip_call_id;
                    tracing::info!(%call, %sip_call_id, %state, by = by.name(), "consent changed");
                    let policy = entry.consent.machine.terms().policy;
                    let event = entry.tell(now, ConsentChanged { state, policy, by, erased });
                    effects.publish(event);
                }
                Action::Alarm(failure) => {
                    counters.announcement_failures += 1;
                    let call = entry.call().id;
                    let sip_call_id = &entry.call().sip_call_id;
                    tracing::warn!(%call, %sip_call_id, %failure, "the customer could not be told: the call goes on, and is not analysed");
                    let what = entry.consent.decision.clone();
                    let event = entry.tell(
                        now,
                        Announcement {
                            phase: AnnouncementPhase::Failed,
                            toward: Leg::Customer,
                            name: cut(&what.announcement.unwrap_or_default(), LONGEST_NAME),
                            language: cut(&what.language, LONGEST_LANGUAGE),
                            played: Duration::ZERO,
                        },
                    );
                    effects.publish(event);
                }
            }
        }
        if let Some(by) = refused {
            self.refusal_spreads(now, key, by);
        }
    }

    /// Takes the relay's report on an announcement.
    pub(crate) fn playing(&mut self, now: Duration, key: CallKey, toward: Side, id: PlayId, how: Playing) {
        self.touch(key);
        let Some(entry) = self.calls.get_mut(&key) else { return };
        let Some(act) = entry.consent.act(id) else { return };
        let (name, language) = (act.found.name.clone(), act.found.language.clone());
        let discloses = act.discloses;
        let (phase, played) = match how {
            Playing::Began => (AnnouncementPhase::Started, Duration::ZERO),
            Playing::Ended { whole: true, played } => (AnnouncementPhase::Finished, played),
            Playing::Ended { whole: false, played } => (AnnouncementPhase::Interrupted, played),
        };
        if let Playing::Ended { .. } = how {
            act.toward.retain(|side| *side != toward);
            if act.toward.is_empty()
                && let Some(act) = entry.consent.over(id)
            {
                self.playback.count_off(&act);
            }
        }
        if phase == AnnouncementPhase::Started {
            self.counters.announcements += 1;
        }
        let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
        let (hearer, played_ms) = (toward.leg().as_str(), played.as_millis());
        tracing::info!(%call, %sip_call_id, phase = words::word(&phase), name, language, toward = hearer, played_ms, "announcement");
        let announcement = Announcement {
            phase,
            toward: toward.leg(),
            name: cut(&name, LONGEST_NAME),
            language: cut(&language, LONGEST_LANGUAGE),
            played,
        };
        self.effects.publish(entry.tell(now, announcement));
        // The agent's hearing changes nothing about what the customer knows.
        if discloses && toward == Side::Trunk {
            let input = match how {
                Playing::Began => Input::AnnouncementBegan,
                Playing::Ended { whole, .. } => Input::AnnouncementEnded { whole },
            };
            self.consent(key, now, input);
        }
    }

    /// An announcement could not be made ready.
    pub(crate) fn announcement_failed(&mut self, now: Duration, key: CallKey, id: PlayId, failure: Failure) {
        let Some(entry) = self.calls.get_mut(&key) else { return };
        let Some(act) = entry.consent.over(id) else { return };
        self.playback.count_off(&act);
        if act.discloses {
            self.consent(key, now, Input::AnnouncementFailed(failure));
        }
    }

    /// Takes what a source says of a call.
    pub(crate) fn hear(&mut self, key: CallKey, now: Duration, telling: &Telling, source: Source) {
        let Self { calls, settings, .. } = self;
        let Some(entry) = calls.get_mut(&key) else { return };
        let from_carrier = source == Source::TrunkHeader;
        match telling {
            Telling::Consent(say) => entry.consent.machine.input(now, Input::Told { say: *say, source }),
            Telling::Analysis(on) => entry.consent.machine.input(now, Input::Analysis { on: *on, source }),
            // The carrier's side may restrict analysis, as with consent.
            Telling::Customer(false) => entry.consent.tell(settings, now, telling),
            // Only the PBX knows its own parties; the carrier's word on them does not count.
            _ if from_carrier => return,
            Telling::Agent(_) | Telling::Team(_) => {}
            Telling::Party(party) => entry.consent.party = Some(*party),
            Telling::Queue(_)
            | Telling::CallType(_)
            | Telling::Tier(_)
            | Telling::Language(_)
            | Telling::Customer(true) => {
                entry.consent.tell(settings, now, telling);
            }
        }
        if !from_carrier {
            self.label(key, telling);
        }
        self.drive(key, now);
    }

    /// The customer has pressed a key.
    pub(crate) fn key_pressed(&mut self, now: Duration, key: CallKey, digit: char, medium: Medium) {
        self.consent(key, now, Input::Digit { digit, medium });
    }

    /// Fires the timeouts that calls' consent waits for.
    pub(crate) fn consent_timeouts(&mut self, now: Duration) {
        let due: Vec<CallKey> = self
            .calls
            .values()
            .filter(|entry| entry.consent.machine.next_timeout().is_some_and(|at| at <= now))
            .map(Entry::key)
            .collect();
        for key in due {
            if let Some(entry) = self.calls.get_mut(&key) {
                entry.consent.machine.timeout(now);
            }
            self.drive(key, now);
        }
    }

    /// Plays an announcement of the operator's own into any call that is up, unless one plays there.
    ///
    /// # Errors
    /// [`NotPlayed`]: nothing is heard then.
    pub(crate) fn play(
        &mut self,
        id: &str,
        name: &str,
        language: Option<&str>,
        toward: Vec<Side>,
    ) -> Result<(), NotPlayed> {
        let key = self.locate(id)?;
        let entry = self.calls.get_mut(&key).ok_or(NotPlayed::Over)?;
        let playing = self.playback.repertoire.as_ref().ok_or(NotPlayed::Starting)?;
        let found = playing.library.find(name, language).ok_or_else(|| {
            let names: std::collections::BTreeSet<&str> =
                playing.library.names().map(|(name, _)| name).collect();
            NotPlayed::Name { name: name.to_owned(), known: names.into_iter().map(str::to_owned).collect() }
        })?;
        if let Some(language) = language.filter(|asked| !is_in(&found.language, asked)) {
            let known = playing.library.names().filter(|(known, _)| *known == name);
            return Err(NotPlayed::Language {
                name: name.to_owned(),
                language: language.to_owned(),
                known: known.map(|(_, language)| language.to_owned()).collect(),
            });
        }
        if entry.consent.playing.is_some() {
            return Err(NotPlayed::Occupied);
        }
        let mode = playing.announcements.mode;
        self.playback
            .start(&mut self.effects, entry, key, found, mode, toward, false)
            .map_err(NotPlayed::Failed)
    }
}

/// Whether a recording's language satisfies the one asked for: the same, or the same without its region.
fn is_in(language: &str, asked: &str) -> bool {
    language == asked || asked.split('-').next() == Some(language)
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}
