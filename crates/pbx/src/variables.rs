//! The channel variables that a dialplan branches on.

use sidetone_consent::State as Consent;
use sidetone_events::Happening;
use sidetone_insight::{AlertKind, Phase, State};

/// A variable on the channel of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variable {
    Valence,
    Arousal,
    State,
    Alert,
    Consent,
    Intent,
    Urgency,
}

impl Variable {
    pub(crate) const ALL: [Self; 7] =
        [Self::Valence, Self::Arousal, Self::State, Self::Alert, Self::Consent, Self::Intent, Self::Urgency];

    /// The variable's name, the same on every PBX.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Valence => "SIDETONE_VALENCE",
            Self::Arousal => "SIDETONE_AROUSAL",
            Self::State => "SIDETONE_STATE",
            Self::Alert => "SIDETONE_ALERT",
            Self::Consent => "SIDETONE_CONSENT",
            Self::Intent => "SIDETONE_INTENT",
            Self::Urgency => "SIDETONE_URGENCY",
        }
    }

    /// The variable's name as a header of an event.
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Valence => "Valence",
            Self::Arousal => "Arousal",
            Self::State => "State",
            Self::Alert => "Alert",
            Self::Consent => "Consent",
            Self::Intent => "Intent",
            Self::Urgency => "Urgency",
        }
    }
}

/// A value for each variable; `None` where there is no value, empty where an earlier value is withdrawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Values([Option<Box<str>>; 7]);

impl Values {
    pub(crate) fn get(&self, variable: Variable) -> Option<&str> {
        self.0.get(variable as usize)?.as_deref()
    }

    pub(crate) fn set(&mut self, variable: Variable, value: &str) {
        if let Some(place) = self.0.get_mut(variable as usize)
            && place.as_deref() != Some(value)
        {
            *place = Some(value.into());
        }
    }

    /// The changes that turn a channel's values `sent` into these.
    pub(crate) fn since<'a>(&'a self, sent: &'a Self) -> impl Iterator<Item = (Variable, &'a str)> {
        Variable::ALL.into_iter().filter_map(|variable| {
            let value = self.get(variable)?;
            (sent.get(variable) != Some(value)).then_some((variable, value))
        })
    }
}

/// The state that a call's events add up to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mood {
    values: Values,
    frustration: bool,
    distress: bool,
}

impl Mood {
    /// The state of a new call.
    pub(crate) fn new() -> Self {
        let mut mood = Self::default();
        mood.values.set(Variable::State, "unknown");
        mood.values.set(Variable::Alert, "none");
        mood
    }

    /// The state of a call that was up before this process: values that an earlier one set on its channel are obsolete.
    pub(crate) fn resumed() -> Self {
        let mut mood = Self::new();
        for variable in
            Variable::ALL.into_iter().filter(|it| !matches!(it, Variable::State | Variable::Alert))
        {
            mood.values.set(variable, "");
        }
        mood
    }

    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// Takes one more event; returns whether a value changed.
    pub(crate) fn take(&mut self, happening: &Happening) -> bool {
        let before = self.values.clone();
        match happening {
            // The variables show the voice's estimate: a dialplan knows one state only.
            Happening::AffectUpdate(update) if update.modality.is_voice() => {
                self.feeling(update.valence, update.arousal);
                self.state(update.state);
            }
            Happening::WordsTopic(topic) => {
                self.values.set(Variable::Intent, topic.topic.name());
                self.values.set(Variable::Urgency, &decimals(topic.urgency));
            }
            Happening::AffectAlert(alert) => {
                let up = alert.phase == Phase::Rising;
                match alert.alert {
                    AlertKind::Frustration => self.frustration = up,
                    AlertKind::Distress => self.distress = up,
                }
                // Of a voice that was not heard there is nothing to say.
                if alert.modality.is_voice() {
                    self.feeling(alert.valence, alert.arousal);
                }
                // The full update follows; until then only calm is known.
                self.state(State::Neutral);
            }
            Happening::ConsentChanged(change) => {
                self.values.set(Variable::Consent, &change.state.to_string());
                if change.erased || change.state == Consent::OptedOut {
                    (self.frustration, self.distress) = (false, false);
                    for variable in Variable::ALL.into_iter().filter(|it| *it != Variable::Consent) {
                        self.values.set(variable, "");
                    }
                }
            }
            _ => {}
        }
        before != self.values
    }

    fn feeling(&mut self, valence: f32, arousal: f32) {
        self.values.set(Variable::Valence, &decimals(valence));
        self.values.set(Variable::Arousal, &decimals(arousal));
    }

    fn state(&mut self, told: State) {
        let (alert, state) = match (self.frustration, self.distress) {
            (true, _) => ("frustration", "frustrated"),
            (false, true) => ("distress", "distressed"),
            (false, false) => ("none", told.word()),
        };
        self.values.set(Variable::Alert, alert);
        self.values.set(Variable::State, state);
    }
}

/// Two decimals, without a minus before zero.
fn decimals(value: f32) -> String {
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(clippy::needless_pass_by_value)] // reads better
    fn happening(kind: &str, data: serde_json::Value) -> Happening {
        serde_json::from_value(json!({ "kind": kind, "data": data })).unwrap()
    }

    fn update(valence: f32, state: &str) -> Happening {
        happening(
            "affect.update",
            json!({
                "leg": "customer", "valence": valence, "arousal": 0.256, "distress": 0.1, "confidence": 0.8, "state": state,
                "trend": "steady", "relative": null, "classes": {}, "speech_ms": 4000, "estimates": 4, "abstained": 0
            }),
        )
    }

    fn alert(alert: &str, phase: &str) -> Happening {
        happening(
            "affect.alert",
            json!({
                "leg": "customer", "alert": alert, "phase": phase, "score": 0.9, "valence": -0.6, "arousal": 0.7,
                "confidence": 0.9, "lasted_ms": null
            }),
        )
    }

    fn consent(state: &str, erased: bool) -> Happening {
        let data = json!({ "state": state, "policy": "notice", "by": "policy", "erased": erased });
        happening("consent.changed", data)
    }

    fn told(mood: &Mood) -> Vec<(&'static str, String)> {
        mood.values().since(&Values::default()).map(|(at, value)| (at.name(), value.to_owned())).collect()
    }

    #[test]
    fn a_call_begins_unknown() {
        let told = told(&Mood::new());
        assert_eq!(told, [("SIDETONE_STATE", "unknown".into()), ("SIDETONE_ALERT", "none".into())]);
    }

    #[test]
    fn what_another_sidetone_has_set_on_a_channel_is_taken_back() {
        let told = told(&Mood::resumed());
        let values: Vec<&str> = told.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!((told.len(), values), (Variable::ALL.len(), vec!["", "", "unknown", "none", "", "", ""]));
    }

    #[test]
    fn what_the_customer_named_last_is_the_intent() {
        let mut mood = Mood::new();
        for (topic, urgency) in [("repeat_contact", 0.2), ("cancel", 0.456)] {
            let data = json!({
                "leg": "customer", "utterance": 1, "topic": topic, "probability": 0.9, "phrase": "it", "times": 1,
                "urgency": urgency, "satisfaction": -0.5
            });
            mood.take(&happening("words.topic", data));
        }
        let told = told(&mood);
        assert!(told.contains(&("SIDETONE_INTENT", "cancel".to_owned())), "{told:?}");
        assert!(told.contains(&("SIDETONE_URGENCY", "0.46".to_owned())), "{told:?}");
    }

    #[test]
    fn affect_has_two_decimals_and_the_events_own_words() {
        let mut mood = Mood::new();
        assert!(mood.take(&update(-0.004, "negative")));
        assert!(!mood.take(&update(-0.004, "negative")), "the same again is no news");
        assert_eq!(mood.values().get(Variable::Valence), Some("0.00"));
        assert_eq!(mood.values().get(Variable::Arousal), Some("0.26"));
        assert_eq!(mood.values().get(Variable::State), Some("negative"));
    }

    #[test]
    fn an_alert_stands_until_it_has_calmed() {
        let mut mood = Mood::new();
        let state = |mood: &Mood| {
            let get = |at| mood.values().get(at).unwrap().to_owned();
            (get(Variable::Alert), get(Variable::State))
        };
        mood.take(&alert("distress", "rising"));
        assert_eq!(state(&mood), ("distress".into(), "distressed".into()));
        mood.take(&alert("frustration", "rising"));
        mood.take(&update(-0.5, "negative"));
        assert_eq!(state(&mood), ("frustration".into(), "frustrated".into()));
        mood.take(&alert("frustration", "calmed"));
        assert_eq!(state(&mood), ("distress".into(), "distressed".into()));
        mood.take(&alert("distress", "calmed"));
        mood.take(&update(0.3, "positive"));
        assert_eq!(state(&mood), ("none".into(), "positive".into()));
    }

    #[test]
    fn what_was_inferred_is_taken_back_when_it_is_erased() {
        let mut mood = Mood::new();
        mood.take(&consent("given", false));
        mood.take(&alert("frustration", "rising"));
        mood.take(&consent("opted-out", true));
        let empty = |at: &str| (at.to_owned(), String::new());
        let told: Vec<_> = told(&mood).into_iter().map(|(at, value)| (at.to_owned(), value)).collect();
        assert_eq!(
            told,
            [
                empty("SIDETONE_VALENCE"),
                empty("SIDETONE_AROUSAL"),
                empty("SIDETONE_STATE"),
                empty("SIDETONE_ALERT"),
                ("SIDETONE_CONSENT".to_owned(), "opted-out".to_owned()),
                empty("SIDETONE_INTENT"),
                empty("SIDETONE_URGENCY"),
            ]
        );
    }
}
