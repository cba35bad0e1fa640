//! Alerts: the caller grows upset, and calms down again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fusion::Basis;
use crate::millis;
use crate::number::{round3, whole};
use crate::thresholds::AlertThresholds;
use sidetone_call::{CustomerOnly, Modality};

/// The customer has grown upset, or has calmed down again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Whose state this is.
    pub leg: CustomerOnly,
    /// What it was told by. Version 1 of the events began with the voice alone, and does not write that.
    #[serde(default, skip_serializing_if = "Modality::is_voice")]
    pub modality: Modality,
    /// What it stands on, strongest claim first: voice, words, conduct. Left out where it is the voice alone.
    #[serde(default = "by_voice", skip_serializing_if = "is_by_voice")]
    pub stands_on: Vec<Basis>,
    /// The phrase that carried it, redacted, if it stands on words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// What kind of upset.
    pub alert: AlertKind,
    /// Whether it begins or ends.
    pub phase: Phase,
    /// Strength of the evidence, `[0, 1]`: what the thresholds are about.
    pub score: f32,
    /// Unpleasant to pleasant, `[-1, 1]`, smoothed.
    pub valence: f32,
    /// Quiet to agitated, `[-1, 1]`, smoothed.
    pub arousal: f32,
    /// Confidence, `[0, 1]`, smoothed.
    pub confidence: f32,
    /// How long it lasted; `None` while it rises.
    #[serde(rename = "lasted_ms", with = "millis::option")]
    pub lasted: Option<Duration>,
}

fn by_voice() -> Vec<Basis> {
    vec![Basis::Voice]
}

fn is_by_voice(bases: &[Basis]) -> bool {
    bases == [Basis::Voice]
}

/// What kind of upset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    /// Anger-like: agitated and unpleasant.
    Frustration,
    /// Fear- or sadness-like.
    Distress,
}

impl AlertKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Frustration, Self::Distress];

    /// The word that events write.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Frustration => "frustration",
            Self::Distress => "distress",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Frustration => Self::Distress,
            Self::Distress => Self::Frustration,
        }
    }
}

/// Whether an upset begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The caller has been upset for long enough to act on.
    Rising,
    /// The caller has been calm again for long enough to believe it.
    Calmed,
}

/// The evidence for both kinds after one more usable estimate.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) frustration: f32,
    pub(crate) distress: f32,
    /// Whether valence and arousal bear each kind out.
    pub(crate) frustration_borne_out: bool,
    pub(crate) distress_borne_out: bool,
    pub(crate) valence: f32,
    pub(crate) arousal: f32,
    pub(crate) confidence: f32,
    /// Whether the caller's own manner at first is known and allowed for.
    pub(crate) known: bool,
    /// What the upset stands on.
    pub(crate) bases: Vec<Basis>,
    /// The phrase that carries it, if it stands on words.
    pub(crate) phrase: Option<String>,
}

impl Evidence {
    fn score(&self, kind: AlertKind) -> f32 {
        match kind {
            AlertKind::Frustration => self.frustration,
            AlertKind::Distress => self.distress,
        }
    }

    fn borne_out(&self, kind: AlertKind) -> bool {
        match kind {
            AlertKind::Frustration => self.frustration_borne_out,
            AlertKind::Distress => self.distress_borne_out,
        }
    }
}

/// Both triggers, and the rule between them: one upset is one alert.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Watch {
    frustration: Trigger,
    distress: Trigger,
}

impl Watch {
    /// Takes one more usable estimate that adds `span` of speech; says which alerts begin or end by it.
    pub(crate) fn step(
        &mut self,
        at: Duration,
        span: Duration,
        evidence: &Evidence,
        thresholds: &AlertThresholds,
    ) -> impl Iterator<Item = Alert> + use<> {
        let told = AlertKind::ALL.map(|kind| {
            let rival = evidence.score(kind.other());
            let score = evidence.score(kind);
            let may_rise = evidence.borne_out(kind)
                && if self.of(kind.other()).is_up() {
                    score >= rival + thresholds.margin
                } else {
                    score >= rival
                };
            let sustain = if evidence.known { thresholds.sustain } else { thresholds.sustain_at_first };
            let turn = self.of_mut(kind).step(at, span, score, may_rise, sustain.into(), thresholds)?;
            Some(Alert {
                leg: CustomerOnly,
                modality: if evidence.bases.contains(&Basis::Voice) {
                    Modality::Voice
                } else {
                    Modality::Words
                },
                stands_on: evidence.bases.clone(),
                phrase: evidence.phrase.clone().filter(|_| turn.is_none()),
                alert: kind,
                phase: if turn.is_some() { Phase::Calmed } else { Phase::Rising },
                score: round3(score),
                valence: round3(evidence.valence),
                arousal: round3(evidence.arousal),
                confidence: round3(evidence.confidence),
                lasted: turn.map(whole),
            })
        });
        told.into_iter().flatten()
    }

    /// Nothing could be judged for a while: half-gathered evidence no longer counts.
    pub(crate) fn lapse(&mut self) {
        self.frustration.streak = Duration::ZERO;
        self.distress.streak = Duration::ZERO;
    }

    /// The alert that is up; frustration if both are.
    pub(crate) fn up(&self) -> Option<AlertKind> {
        AlertKind::ALL.into_iter().find(|kind| self.of(*kind).is_up())
    }

    fn of(&self, kind: AlertKind) -> &Trigger {
        match kind {
            AlertKind::Frustration => &self.frustration,
            AlertKind::Distress => &self.distress,
        }
    }

    fn of_mut(&mut self, kind: AlertKind) -> &mut Trigger {
        match kind {
            AlertKind::Frustration => &mut self.frustration,
            AlertKind::Distress => &mut self.distress,
        }
    }
}

/// One alert's hysteresis: raised by staying above one bound, ended by staying below a lower one, and then quiet for
/// a cool-down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Trigger {
    /// Since when the alert is up.
    since: Option<Duration>,
    /// Speech spent beyond the bound that would turn it, without a break.
    streak: Duration,
    /// No alert before this.
    quiet_until: Duration,
}

impl Trigger {
    fn is_up(&self) -> bool {
        self.since.is_some()
    }

    /// `None`: no turn. `Some(None)`: it rises. `Some(Some(lasted))`: it has calmed.
    fn step(
        &mut self,
        at: Duration,
        span: Duration,
        score: f32,
        may_rise: bool,
        sustain: Duration,
        thresholds: &AlertThresholds,
    ) -> Option<Option<Duration>> {
        let beyond = match self.since {
            None => may_rise && score >= thresholds.raise,
            Some(_) => score <= thresholds.calm,
        };
        self.streak = if beyond { self.streak.saturating_add(span) } else { Duration::ZERO };
        match self.since {
            None if self.streak >= sustain && beyond && at >= self.quiet_until => {
                self.since = Some(at);
                self.streak = Duration::ZERO;
                Some(None)
            }
            Some(since) => {
                let lasted = at.saturating_sub(since);
                let calm = beyond
                    && self.streak >= thresholds.calm_for.into()
                    && lasted >= thresholds.shortest.into();
                calm.then(|| {
                    self.since = None;
                    self.streak = Duration::ZERO;
                    self.quiet_until = at.saturating_add(thresholds.cooldown.into());
                    Some(lasted)
                })
            }
            None => None,
        }
    }
}
