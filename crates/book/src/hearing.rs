//! The worker that listens to a call, and its outcomes.

use std::time::Duration;

use sidetone_call::{CallKey, Labels, Topic};
use sidetone_consent::{Input, State, Telling};
use sidetone_events::{CallUntappable, MediaState};
use sidetone_hear::{Audible, Outcome, Work};
use sidetone_insight::cues::{Cleared, Coach, CueTold};
use sidetone_insight::{Call, Insight, Phase as AlertPhase};

use crate::book::Book;
use crate::kept;

impl Book {
    /// Assigns a worker to a call whose consent may depend on what is heard.
    pub(crate) fn attend_to(&mut self, key: CallKey) {
        let (thresholds, cues, words) = (self.thresholds.clone(), self.cues.clone(), self.words.clone());
        let (in_band, keeps) = (self.settings.in_band_digits, self.touched.is_some());
        let Some(entry) = self.calls.get_mut(&key) else { return };
        let lot = entry.call().id.lot();
        let wanted = !entry.is_over() && entry.is_sound() && entry.consent.concerns();
        if entry.worker().is_some() || !wanted || self.workers == 0 {
            return;
        }
        entry.engage(usize::try_from(key.0).unwrap_or(0) % self.workers);
        let thresholds = Box::new(thresholds);
        let words = words.and_then(|(scribe, language)| Some((scribe, language.wording(entry.trunk())?)));
        self.effects.hear(
            entry.worker(),
            Work::Begin {
                call: key,
                origin: entry.origin(),
                thresholds,
                in_band,
                coach: cues.map(|cues| Box::new(Coach::new(cues).drawn(lot))),
                words,
            },
        );
        if keeps {
            let given = entry.consent.machine.state() == State::Given;
            let before = entry.inferred_before.take().filter(|_| given);
            self.effects.hear(entry.worker(), Work::Keep(key, before));
        }
        for (stream, plan) in entry.plans() {
            self.effects.hear(entry.worker(), Work::Plan { call: key, stream, plan: Box::new(plan.clone()) });
        }
        if let Some(at) = entry.answered_at() {
            self.effects.hear(entry.worker(), Work::Answered(key, at));
        }
        for (side, since) in entry.holds() {
            self.effects.hear(entry.worker(), Work::Held(key, side, since));
        }
        let labels = entry.labelled.labels();
        if *labels != Labels::default() {
            self.effects.hear(entry.worker(), Work::Labels(key, Box::new(labels.clone())));
        }
        self.effects.tap(key, entry.worker());
    }

    /// The customer has named a topic that gives their call a tier: as if the PBX had told it, so that the consent
    /// rules of that tier hold from now on. What they have said stays in the past tense: it was said while it could be
    /// heard.
    fn raise_tier(&mut self, now: Duration, key: CallKey, topic: Topic) {
        let tier = self.words.as_ref().and_then(|(_, language)| language.raise.get(&topic));
        let Some(tier) = tier.map(|tier| tier.as_str().to_owned()) else { return };
        let is_its = |entry: &crate::entry::Entry| {
            entry.labelled.labels().tier.as_ref().is_some_and(|its| its.as_str() == tier)
        };
        if self.calls.get(&key).is_none_or(|entry| entry.is_over() || is_its(entry)) {
            return;
        }
        let telling = Telling::Tier(tier);
        let Self { calls, settings, .. } = self;
        if let Some(entry) = calls.get_mut(&key) {
            entry.consent.tell(settings, now, &telling);
        }
        self.drive(key, now);
        // Where that ends the analysis, all that was inferred has just been erased: a label would tell it after all.
        if self.calls.get(&key).is_some_and(|entry| entry.consent.machine.may_analyse()) {
            self.label(key, &telling);
            self.tell_labels(now, key);
        }
    }

    /// Takes what a worker has found out.
    pub(crate) fn outcome(&mut self, now: Duration, outcome: Outcome) {
        // Long: one arm for each thing that a worker finds out.
        match outcome {
            Outcome::Insight(key, at, insight) => {
                let Some(entry) = self.calls.get_mut(&key) else { return };
                // The outcome was on its way when consent was withdrawn or paused.
                if !entry.consent.machine.may_analyse() && !entry.is_over() {
                    return;
                }
                if entry.consent.machine.record().erased {
                    return;
                }
                // The book has told of its end already: the call was over, or the customer objected.
                if let Insight::Cue(CueTold::Cleared(cue)) = &*insight
                    && cue.why != Cleared::Dismissed
                    && entry.cue.as_ref().is_none_or(|view| view.cue.number != cue.number)
                {
                    return;
                }
                self.counters.count(&insight);
                if let Insight::Alert(alert) = &*insight {
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    // The alert's kind is not logged: the log can't be made to forget it when the customer objects.
                    let phase = match alert.phase {
                        AlertPhase::Rising => "rising",
                        AlertPhase::Calmed => "calmed",
                    };
                    tracing::info!(%call, %sip_call_id, phase, "alert told");
                }
                let topic = if let Insight::Topic(topic) = &*insight { entry.sure_of(topic) } else { None };
                entry.insight(at, &insight);
                self.effects.publish(entry.tell_at(at, *insight));
                self.count_told(key);
                if let Some(topic) = topic {
                    self.raise_tier(now, key, topic);
                }
            }
            Outcome::Saying(key, so_far) => {
                // On its way when consent was withdrawn, it is nobody's any more.
                let entry = self.calls.get_mut(&key).filter(|entry| entry.consent.machine.may_analyse());
                if let Some(entry) = entry {
                    entry.words.so_far = so_far;
                }
            }
            Outcome::Kept(key, analysis) => {
                let Some(entry) = self.calls.get(&key).filter(|entry| !entry.is_over()) else { return };
                // It was on its way when consent ended or was paused.
                if entry.consent.machine.may_analyse() && !entry.consent.machine.record().erased {
                    self.effects.keep(key, kept::together(analysis, &entry.inferred()));
                }
            }
            Outcome::Key(key, digit, medium) => self.key_pressed(now, key, digit, medium),
            Outcome::Audible(key, stream, side, Audible { restored, reason }) => {
                let Some(entry) = self.calls.get_mut(&key).filter(|entry| !entry.is_over()) else { return };
                let (call, party) = (entry.call().id, side.leg().as_str());
                if restored {
                    tracing::info!(%call, stream, leg = party, "there is sound in what comes from this side again");
                } else {
                    self.counters.untappable += 1;
                    tracing::warn!(%call, stream, leg = party, reason = reason.as_str(), "packets come from this side, and no sound can be made of them");
                }
                let state = if restored { MediaState::Restored } else { MediaState::Lost };
                let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                let happening = CallUntappable { stream, reason, leg: Some(side.leg()), state };
                self.effects.publish(entry.tell(now, happening));
            }
            Outcome::Finished { call: key, summary, timeline, heard } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    entry.consent.machine.heard(&heard);
                    let mut summary = summary.map(|summary| *summary);
                    let mut timeline = timeline;
                    // The customer may have refused while the summary was on its way: then the refusal alone is told.
                    if entry.consent.machine.record().erased
                        && let Some(made) = summary.as_mut().filter(|made| !made.analysis.erased)
                    {
                        let mut nothing = Call::new(self.thresholds.clone());
                        nothing.forget_affect();
                        *made = nothing.summary(made.duration);
                        timeline.clear();
                    }
                    entry.sum_up(summary, timeline);
                }
                self.file(now, key);
                self.close_if_done(now, key);
            }
            Outcome::Broken(key) => {
                self.counters.analysis_broken += 1;
                if let Some(entry) = self.calls.get_mut(&key) {
                    tracing::error!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, "the analysis of this call broke and was given up; the call goes on");
                    entry.broke();
                }
                self.consent(key, now, Input::AnalysisLost);
                self.close_if_done(now, key);
            }
        }
    }
}
