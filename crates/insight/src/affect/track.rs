//! The customer's affect over a call: takes estimates one by one, says when there is something to tell.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, AlertKind, Evidence, Phase, Watch};
use super::edges::Edges;
use super::fusion::{Beside, Lift};
use super::sample::Sound;
use super::smooth::{Smooth, logistic};
use super::update::{AffectUpdate, State};
use crate::number::{round3, whole};
use crate::summary::{AlertSpan, Alerts, Analysis, Sentiment};
use crate::thresholds::Thresholds;
use sidetone_call::{Abstention, CustomerOnly, Estimate, Modality};

/// How much speech goes into one [`AffectUpdate`].
const UPDATE_EVERY: Duration = Duration::from_secs(1);
/// Alerts kept one by one for the summary; later ones are only counted.
const ALERTS_KEPT: usize = 32;

/// All that is known about the customer's affect.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct AffectTrack {
    smooth: Smooth,
    watch: Watch,
    edges: Edges,
    last_sample: Option<Duration>,
    last_usable: Option<Duration>,
    judged: Duration,
    /// Speech of which an estimate told anything, if only how upset it sounds.
    heard: Duration,
    told_at: Duration,
    fresh: u32,
    fresh_abstained: u32,
    estimates: u32,
    abstained: BTreeMap<Abstention, u32>,
    alerts: Alerts,
    /// How likely the caller is upset, by their voice.
    upset: f32,
}

/// What one estimate led to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) update: Option<AffectUpdate>,
    /// For the timeline: smoothed valence, arousal and distress, if the estimate was used.
    pub(crate) reading: Option<[f32; 3]>,
}

impl AffectTrack {
    /// Takes an estimate of the voice; `lift` is what the customer's words add.
    pub(crate) fn take(
        &mut self,
        at: Duration,
        sample: &Estimate,
        lift: &Lift,
        thresholds: &Thresholds,
    ) -> Outcome {
        let at = self.last_sample.map_or(at, |last| at.max(last));
        let span = self.span(at, thresholds);
        self.last_sample = Some(at);
        let sound = match Sound::of(sample, span, &thresholds.smoothing) {
            Ok(sound) => sound.beside(self.smooth.baseline_arousal()),
            Err(reason) => {
                let count = self.abstained.entry(reason).or_default();
                *count = count.saturating_add(1);
                self.fresh_abstained = self.fresh_abstained.saturating_add(1);
                self.smooth.abstain(span, &thresholds.smoothing);
                return match Sound::unsure(sample, span) {
                    Some(sound) => {
                        let sound = sound.beside(self.smooth.baseline_arousal());
                        self.hint(at, &sound, lift, thresholds)
                    }
                    None => Outcome::default(),
                };
            }
        };
        self.hear(at, span, thresholds);
        self.estimates = self.estimates.saturating_add(1);
        self.fresh = self.fresh.saturating_add(1);
        if span.is_zero() {
            // A second estimate for the same instant adds no speech, so it carries no weight.
            return Outcome::default();
        }
        self.judged = self.judged.saturating_add(span);
        self.smooth.take(&sound, &thresholds.smoothing, thresholds.alerts.memory.into());
        let alerts = self.watch(at, span, lift, thresholds);
        let smooth = &self.smooth;
        let reading = Some([smooth.valence, smooth.arousal, self.upset]);
        Outcome { reading, update: self.update(at, &alerts, thresholds), alerts }
    }

    /// An estimate that is unsure of the class tells all the same how agitated and how upset the caller sounds: it
    /// moves all but the class and the confidence, and counts for alerts.
    fn hint(&mut self, at: Duration, sound: &Sound, lift: &Lift, thresholds: &Thresholds) -> Outcome {
        self.hear(at, sound.span, thresholds);
        self.fresh = self.fresh.saturating_add(1);
        self.smooth.hint(sound, &thresholds.smoothing, thresholds.alerts.memory.into());
        let alerts = self.watch(at, sound.span, lift, thresholds);
        let smooth = &self.smooth;
        let reading = Some([smooth.valence, smooth.arousal, self.upset]);
        Outcome { reading, update: self.update(at, &alerts, thresholds), alerts }
    }

    /// The voice is heard at `at`: what was half gathered before a long break counts no longer.
    fn hear(&mut self, at: Duration, span: Duration, thresholds: &Thresholds) {
        let gap = self.last_usable.map_or(Duration::ZERO, |last| at.saturating_sub(last));
        if gap > thresholds.alerts.stale.into() {
            self.watch.lapse();
            self.smooth.lapse();
        }
        self.last_usable = Some(at);
        self.heard = self.heard.saturating_add(span);
    }

    /// Words have come that stand for `span` of speech up to `at`: they may raise or end an alert by themselves,
    /// whatever the voice says or if it says nothing.
    pub(crate) fn words(
        &mut self,
        at: Duration,
        span: Duration,
        lift: &Lift,
        thresholds: &Thresholds,
    ) -> Outcome {
        let at = self.last_sample.map_or(at, |last| at.max(last));
        let alerts = self.watch(at, span, lift, thresholds);
        Outcome { alerts, ..Outcome::default() }
    }

    fn watch(&mut self, at: Duration, span: Duration, lift: &Lift, thresholds: &Thresholds) -> Vec<Alert> {
        let stale = Duration::from(thresholds.alerts.stale);
        let heard = self.last_usable.is_some_and(|last| at.saturating_sub(last) <= stale);
        let beside = lift.beside(at, &thresholds.fusion);
        let by_voice = self.smooth.upset_odds(&thresholds.alerts);
        // What is told of distress is what alerts go by, or the two would contradict each other.
        self.upset = logistic(by_voice);
        // Words that count say themselves how rare an upset is.
        let voice = heard.then(|| logistic(by_voice + beside.weight() * thresholds.alerts.doubt));
        let evidence = evidence(&self.smooth, voice, &beside, thresholds);
        let alerts: Vec<Alert> = self.watch.step(at, span, &evidence, &thresholds.alerts).collect();
        self.smooth.upset(self.watch.up().is_some());
        alerts.iter().for_each(|alert| note(&mut self.alerts, at, alert));
        alerts
    }

    /// The state that goes with the alert that is up.
    pub(crate) fn up(&self) -> Option<State> {
        self.watch.up().map(|kind| match kind {
            AlertKind::Frustration => State::Frustrated,
            AlertKind::Distress => State::Distressed,
        })
    }

    /// Speech that an estimate stands for: the time since the one before, at most one hop. The model gives its first
    /// after a whole window and then one each hop of speech, so a pause between two adds nothing.
    fn span(&self, at: Duration, thresholds: &Thresholds) -> Duration {
        match self.last_sample {
            None => thresholds.smoothing.first.into(),
            Some(last) => at.saturating_sub(last).min(thresholds.smoothing.hop.into()),
        }
    }

    /// An update is due after each second of speech that told anything, and with each alert so that state and alert
    /// agree.
    fn update(&mut self, at: Duration, alerts: &[Alert], thresholds: &Thresholds) -> Option<AffectUpdate> {
        let span = self.heard.saturating_sub(self.told_at);
        if alerts.is_empty() && span < UPDATE_EVERY {
            return None;
        }
        self.told_at = self.heard;
        self.edges.take(at, span, round3(self.smooth.valence), thresholds.smoothing.edge.into());
        let smooth = &self.smooth;
        Some(AffectUpdate {
            leg: CustomerOnly,
            modality: Modality::Voice,
            valence: round3(smooth.valence),
            arousal: round3(smooth.arousal),
            distress: round3(self.upset),
            confidence: round3(smooth.confidence),
            state: self.up().unwrap_or_else(|| smooth.mood()),
            trend: smooth.trend(),
            relative: smooth.relative(),
            classes: smooth.classes(),
            speech: whole(self.judged),
            estimates: std::mem::take(&mut self.fresh),
            abstained: std::mem::take(&mut self.fresh_abstained),
        })
    }

    pub(crate) fn sentiment(&self, thresholds: &Thresholds) -> Option<Sentiment> {
        self.edges.sentiment(thresholds.smoothing.edge.into())
    }

    pub(crate) fn alerts(&self) -> Alerts {
        self.alerts.clone()
    }

    pub(crate) fn analysis(&self, speech: Duration) -> Analysis {
        let abstained = self.abstained.values().fold(0u32, |sum, count| sum.saturating_add(*count));
        let asked = self.estimates.saturating_add(abstained);
        let share = (asked > 0).then(|| round3(abstained as f32 / asked as f32));
        Analysis {
            speech: whole(speech),
            judged: whole(self.judged),
            estimates: self.estimates,
            abstained,
            abstained_share: share,
            reasons: self.abstained.clone(),
            erased: false,
        }
    }

    /// Everything held that could grow.
    pub(crate) fn held(&self) -> usize {
        self.edges.held() + self.alerts.spans.len() + self.abstained.len()
    }
}

/// How upset the caller is, by their voice if it is heard and by what else is known, split by kind, and whether valence
/// and arousal bear it out.
fn evidence(smooth: &Smooth, voice: Option<f32>, beside: &Beside<'_>, thresholds: &Thresholds) -> Evidence {
    let alerts = &thresholds.alerts;
    let (quick, heard) = (smooth.quick(), voice.is_some());
    let upset = beside.fuse(voice);
    let heat = beside.heat(heard.then(|| quick.heat()));
    let by_words = beside.is_unpleasant(alerts.valence);
    let unpleasant = heard && quick.valence <= alerts.valence || by_words;
    let agitated = heard && (quick.arousal >= alerts.arousal || smooth.arousal_gain() >= alerts.arousal_gain)
        || by_words;
    Evidence {
        frustration: upset * (2.0 * heat).min(1.0),
        distress: upset * (2.0 * (1.0 - heat)).min(1.0),
        frustration_borne_out: unpleasant && agitated,
        distress_borne_out: unpleasant,
        valence: smooth.valence,
        arousal: smooth.arousal,
        confidence: smooth.confidence,
        known: smooth.knows_baseline(),
        bases: beside.bases(voice, alerts.calm),
        phrase: beside.phrase.map(ToOwned::to_owned),
    }
}

/// Enters an alert into the summary's list.
fn note(alerts: &mut Alerts, at: Duration, alert: &Alert) {
    match alert.phase {
        Phase::Rising => {
            let count = match alert.alert {
                AlertKind::Frustration => &mut alerts.frustration,
                AlertKind::Distress => &mut alerts.distress,
            };
            *count = count.saturating_add(1);
            if alerts.spans.len() < ALERTS_KEPT {
                alerts.spans.push(AlertSpan { alert: alert.alert, from: whole(at), to: None });
            }
        }
        Phase::Calmed => {
            let open = alerts.spans.iter_mut().rfind(|span| span.alert == alert.alert && span.to.is_none());
            if let Some(span) = open {
                span.to = Some(whole(at));
            }
        }
    }
}
