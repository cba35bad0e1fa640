//! Every number that decides something, with its reason. All may be set in the configuration file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::period::Period;

/// What decides when a caller counts as upset, and how conduct is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// How estimates become a state.
    pub smoothing: SmoothingThresholds,
    /// When a state becomes an alert.
    pub alerts: AlertThresholds,
    /// What words add to the voice.
    pub fusion: FusionThresholds,
    /// How talk is counted.
    pub conduct: ConductThresholds,
    /// Most points of the timeline, 60 to 3600. With 600 a call is drawn second by second up to ten minutes and in
    /// steps of 64 s at ten hours, in 48 kB.
    pub timeline_points: usize,
}

/// How estimates become a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothingThresholds {
    /// Speech that the first estimate stands for: the model waits for this much.
    pub first: Period,
    /// Speech that each later estimate adds at most: the model's hop.
    pub hop: Period,
    /// Memory of the state, in seconds of speech. Windows of the model overlap, so one misheard word is in several
    /// estimates in a row; two seconds outlast it and still follow a change of mood within one sentence.
    pub memory: Period,
    /// Memory that the trend is measured against: about two or three sentences.
    pub trend_memory: Period,
    /// The caller's own first seconds, which later ones are compared with: long enough to hold a greeting and a first
    /// sentence, short enough to be over before most callers have reached what upsets them.
    pub baseline: Period,
    /// First and last seconds of speech that the summary compares.
    pub edge: Period,
    /// Below this confidence an estimate counts as an abstention, `[0, 1]`. The model abstains by itself; this is the
    /// operator's stricter bound.
    pub min_confidence: f32,
    /// Valence from which the state is `positive`, and whose negative is `negative`; left at half of it, `(0, 1]`.
    pub mood: f32,
    /// Difference between the two memories from which there is a trend; left at half of it, `(0, 1]`.
    pub trend: f32,
}

/// When a state becomes an alert.
///
/// The score of an alert is how likely the caller is upset, beside how they sounded at first, split by kind: whichever
/// of anger and fear-or-sadness is the greater part keeps the whole, the other one loses in proportion. It is made of
/// the model's log-odds, smoothed: less a share of what the caller showed at first, less a doubt, and with what a rise
/// of arousal adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertThresholds {
    /// Score that raises an alert once it has held for `sustain`, `(0, 1]`. Chosen with `sustain` so that an hour of
    /// calm speech, of speech over babble, of hold music and of prompts raises at most one: see `docs/MODEL.md`.
    pub raise: f32,
    /// Score at or below which the caller counts as calm, `[0, raise)`. The distance to `raise` is what keeps noise
    /// from turning an alert off and on.
    pub calm: f32,
    /// Memory of the score, in seconds of speech. It outlasts a lively sentence; what comes on top of it is delay.
    pub memory: Period,
    /// Speech for which the score must stay at `raise` or above without a break.
    pub sustain: Period,
    /// The same before the caller's own manner at first is known: longer, for it can't be allowed for yet.
    pub sustain_at_first: Period,
    /// Speech for which the score must stay at `calm` or below without a break. Longer than `sustain`: a pause for
    /// breath is not peace.
    pub calm_for: Period,
    /// Least time between rising and calmed, so that whoever is told has time to look.
    pub shortest: Period,
    /// Time after calmed during which the same kind can't rise again.
    pub cooldown: Period,
    /// After this long without a usable estimate, evidence half gathered is dropped.
    pub stale: Period,
    /// Smoothed valence above which nothing is an alert, `[-1, 1]`: loud joy is not anger.
    pub valence: f32,
    /// Smoothed arousal from which frustration is borne out, `[-1, 1]`. Just below the middle: anger may be cold.
    pub arousal: f32,
    /// Or: rise above the caller's own arousal at first, `[0, 2]`.
    pub arousal_gain: f32,
    /// Distress that an ordinary voice shows at first, `(0, 1)`. What a caller shows beyond it in their first seconds,
    /// in log-odds, is taken for their manner of speaking,
    pub usual: f32,
    /// and this share of it, `[0, 1]`, is taken off their score. Not all: who begins upset is upset.
    pub allowance: f32,
    /// Taken off the score, in log-odds, `[0, 10]`: upsets are rare on a service line, and a stranger's voice misleads.
    /// 1.8 leaves a sixth of the odds. Words that count stand in its place.
    pub doubt: f32,
    /// The same before the caller's own manner at first is known.
    pub doubt_at_first: f32,
    /// What a rise of arousal above the caller's own at first adds, in log-odds a unit, `[0, 50]`: of voices never
    /// heard a network tells how they change better than what they mean.
    pub agitation: f32,
    /// Rise of arousal that lively talk has, `[0, 2]`: only what is beyond it counts.
    pub lively: f32,
    /// Most that the rise adds, in log-odds, `[0, 10]`: who is merely loud must not raise an alert.
    pub most_agitation: f32,
    /// While one kind is up, the other must lead it by this much to rise beside it, `[0, 1]`: one upset is one alert.
    /// Small, or the first would be told as calmed before the other rises, while the caller is as upset as ever.
    pub margin: f32,
}

/// What a customer's words and conduct add to what their voice says, where words are recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FusionThresholds {
    /// The weight of words beside the voice's, `[0, 1]`; 0 leaves alerts to the voice. Below one, since both tell of
    /// the same person.
    pub words: f32,
    /// Distress that ordinary words on a service line have, `(0, 1)`: words that say as much add nothing, and those
    /// that say less take a little away.
    pub usual: f32,
    /// How far beyond the usual words must be before they count, in log-odds, `[0, 5]`: what is doubtful of one
    /// sentence must not add up over many.
    pub doubt: f32,
    /// Most that words which say nothing of an upset take away, in log-odds, `[0, 5]`, however many there are: they
    /// must not silence the voice.
    pub calm: f32,
    /// Most that one utterance adds, in log-odds before the weight, `[0, 5]`: 2.5 makes the odds twelve times what they
    /// were. Utterances add up, to twice this.
    pub most: f32,
    /// How long they count, in the call's time; after this a third of it is left.
    pub memory: Period,
    /// What each time adds that the customer cut in, in log-odds, `[0, 1]`; twice this at most, and only beside words.
    pub conduct: f32,
}

/// How talk is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConductThresholds {
    /// How often conduct is told.
    pub every: Period,
    /// How late a stretch of speech may be reported, at most a minute: the two legs pass through separate jitter
    /// buffers.
    pub settle: Period,
    /// Overlaps from this length on are counted one by one. Listeners notice overlaps from 120 ms (Heldner, 2011,
    /// "Detection thresholds for gaps, overlaps, and no-gap-no-overlaps"); the rest is for the voice detector's edges.
    pub overlap: Period,
    /// Speech after which a pace is told.
    pub pace_after: Period,
    /// Memory of the recent pace, in seconds of speech.
    pub pace_memory: Period,
    /// Syllables to a word, `[1, 4]`. English on the telephone has 1.2 to 1.4, prompts that are read 1.5; German is
    /// nearer 1.6, Spanish and Italian 2 (docs/CUES.md, "How the pace is measured").
    pub syllables_per_word: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            smoothing: SmoothingThresholds::default(),
            alerts: AlertThresholds::default(),
            fusion: FusionThresholds::default(),
            conduct: ConductThresholds::default(),
            timeline_points: 600,
        }
    }
}

impl Default for SmoothingThresholds {
    fn default() -> Self {
        Self {
            first: Period::from_secs(1),
            hop: Period::from_millis(500),
            memory: Period::from_secs(2),
            trend_memory: Period::from_secs(12),
            baseline: Period::from_secs(8),
            edge: Period::from_secs(10),
            min_confidence: 0.3,
            mood: 0.25,
            trend: 0.12,
        }
    }
}

impl Default for AlertThresholds {
    fn default() -> Self {
        Self {
            raise: 0.8,
            calm: 0.5,
            memory: Period::from_secs(3),
            sustain: Period::from_millis(500),
            sustain_at_first: Period::from_secs(3),
            calm_for: Period::from_secs(4),
            shortest: Period::from_secs(5),
            cooldown: Period::from_secs(30),
            stale: Period::from_secs(10),
            valence: -0.1,
            arousal: -0.1,
            arousal_gain: 0.15,
            usual: 0.3,
            allowance: 0.6,
            doubt: 1.8,
            doubt_at_first: 1.0,
            agitation: 8.0,
            lively: 0.29,
            most_agitation: 2.0,
            margin: 0.15,
        }
    }
}

impl Default for FusionThresholds {
    fn default() -> Self {
        Self {
            words: 0.8,
            usual: 0.15,
            doubt: 0.7,
            calm: 1.0,
            most: 2.5,
            memory: Period::from_secs(20),
            conduct: 0.2,
        }
    }
}

impl Default for ConductThresholds {
    fn default() -> Self {
        Self {
            every: Period::from_secs(10),
            settle: Period::from_secs(2),
            overlap: Period::from_millis(200),
            pace_after: Period::from_secs(5),
            pace_memory: Period::from_secs(20),
            syllables_per_word: 1.3,
        }
    }
}

/// A threshold that can't be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {must}")]
pub struct ThresholdsError {
    /// The key, as in the configuration file.
    pub key: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Thresholds {
    /// Checks that every value is one that can be meant.
    ///
    /// # Errors
    /// The first key that is out of its range.
    pub fn validate(&self) -> Result<(), ThresholdsError> {
        let Self { smoothing, alerts, fusion, conduct, timeline_points } = self;
        let unit = |value: f32| (0.0..=1.0).contains(&value);
        let both = |value: f32| (-1.0..=1.0).contains(&value);
        let odds = |value: f32| (0.0..=10.0).contains(&value);
        let positive = |value: f32| value > 0.0 && value <= 1.0;
        let between = |period: Period, least: u64, most: u64| {
            (Duration::from_millis(least)..=Duration::from_millis(most)).contains(&period.0)
        };
        let checks = [
            (between(smoothing.first, 100, 10_000), "smoothing.first", "100ms to 10s"),
            (between(smoothing.hop, 100, 5_000), "smoothing.hop", "100ms to 5s"),
            (between(smoothing.memory, 100, 60_000), "smoothing.memory", "100ms to 1m"),
            (between(smoothing.trend_memory, 1_000, 600_000), "smoothing.trend_memory", "1s to 10m"),
            (between(smoothing.baseline, 1_000, 60_000), "smoothing.baseline", "1s to 1m"),
            (between(smoothing.edge, 1_000, 60_000), "smoothing.edge", "1s to 1m"),
            (unit(smoothing.min_confidence), "smoothing.min_confidence", "between 0 and 1"),
            (positive(smoothing.mood), "smoothing.mood", "above 0 and at most 1"),
            (positive(smoothing.trend), "smoothing.trend", "above 0 and at most 1"),
            (positive(alerts.raise), "alerts.raise", "above 0 and at most 1"),
            (
                alerts.calm >= 0.0 && alerts.calm < alerts.raise,
                "alerts.calm",
                "at least 0 and below alerts.raise",
            ),
            (between(alerts.memory, 100, 60_000), "alerts.memory", "100ms to 1m"),
            (between(alerts.sustain, 0, 60_000), "alerts.sustain", "at most 1m"),
            (between(alerts.sustain_at_first, 0, 60_000), "alerts.sustain_at_first", "at most 1m"),
            (between(alerts.calm_for, 0, 600_000), "alerts.calm_for", "at most 10m"),
            (between(alerts.shortest, 0, 600_000), "alerts.shortest", "at most 10m"),
            (between(alerts.cooldown, 0, 3_600_000), "alerts.cooldown", "at most 1h"),
            (between(alerts.stale, 1_000, 600_000), "alerts.stale", "1s to 10m"),
            (both(alerts.valence), "alerts.valence", "between -1 and 1"),
            (both(alerts.arousal), "alerts.arousal", "between -1 and 1"),
            ((0.0..=2.0).contains(&alerts.arousal_gain), "alerts.arousal_gain", "between 0 and 2"),
            (alerts.usual > 0.0 && alerts.usual < 1.0, "alerts.usual", "above 0 and below 1"),
            (unit(alerts.allowance), "alerts.allowance", "between 0 and 1"),
            (odds(alerts.doubt), "alerts.doubt", "between 0 and 10"),
            (odds(alerts.doubt_at_first), "alerts.doubt_at_first", "between 0 and 10"),
            ((0.0..=50.0).contains(&alerts.agitation), "alerts.agitation", "between 0 and 50"),
            ((0.0..=2.0).contains(&alerts.lively), "alerts.lively", "between 0 and 2"),
            (odds(alerts.most_agitation), "alerts.most_agitation", "between 0 and 10"),
            (unit(alerts.margin), "alerts.margin", "between 0 and 1"),
            (unit(fusion.words), "fusion.words", "between 0 and 1"),
            (fusion.usual > 0.0 && fusion.usual < 1.0, "fusion.usual", "above 0 and below 1"),
            ((0.0..=5.0).contains(&fusion.doubt), "fusion.doubt", "between 0 and 5"),
            ((0.0..=5.0).contains(&fusion.calm), "fusion.calm", "between 0 and 5"),
            ((0.0..=5.0).contains(&fusion.most), "fusion.most", "between 0 and 5"),
            (between(fusion.memory, 1_000, 600_000), "fusion.memory", "1s to 10m"),
            (unit(fusion.conduct), "fusion.conduct", "between 0 and 1"),
            (between(conduct.every, 1_000, 600_000), "conduct.every", "1s to 10m"),
            (between(conduct.settle, 0, 60_000), "conduct.settle", "at most 1m"),
            (between(conduct.overlap, 1, 10_000), "conduct.overlap", "1ms to 10s"),
            (between(conduct.pace_after, 1_000, 600_000), "conduct.pace_after", "1s to 10m"),
            (between(conduct.pace_memory, 1_000, 600_000), "conduct.pace_memory", "1s to 10m"),
            (
                (1.0..=4.0).contains(&conduct.syllables_per_word),
                "conduct.syllables_per_word",
                "between 1 and 4",
            ),
            ((60..=3_600).contains(timeline_points), "timeline_points", "60 to 3600"),
        ];
        match checks.into_iter().find(|(holds, ..)| !holds) {
            None => Ok(()),
            Some((_, key, must)) => Err(ThresholdsError { key, must }),
        }
    }
}
