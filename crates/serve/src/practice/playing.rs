//! A recorded call at one moment of its playing. Pure: `now` is how much of it has been played.

use std::time::Duration;

use serde::Serialize;
use sidetone_call::Leg;
use sidetone_insight::cues::{Answer, CueShown, CueTold};
use sidetone_insight::{Insight, Phase};
use sidetone_pages::{DeskCall, DeskCue, DeskCustomer, PracticeCue, PracticeSummary, Practising};

use super::Playing;

/// A turn is still shown for so long after its end.
const LINGER: Duration = Duration::from_millis(600);
/// What stands in place of a call's id.
const NAME: &str = "practice";

impl Playing {
    /// The cue that is shown at a time, if one is: none that was dismissed, and none of a rule that was.
    fn cue(&self, now: Duration) -> Option<&CueShown> {
        let mut shown: Option<&CueShown> = None;
        let mut dismissed: Vec<&str> = Vec::new();
        for (_, insight) in self.script.told.iter().take_while(|(at, _)| *at <= now) {
            match insight {
                Insight::Cue(CueTold::Shown(cue)) => {
                    let answer = self.answers.get(&cue.number);
                    if matches!(answer, Some((Answer::Dismissed, _))) {
                        dismissed.push(&cue.cue);
                    }
                    shown = (!dismissed.contains(&cue.cue.as_str())).then_some(cue);
                }
                Insight::Cue(CueTold::Cleared(cleared)) => {
                    shown = shown.filter(|cue| cue.number != cleared.number);
                }
                _ => {}
            }
        }
        shown
    }

    pub(super) fn answer(&mut self, now: Duration, number: u32, answer: Answer) {
        if self.cue(now).is_some_and(|cue| cue.number == number) {
            self.answers.insert(number, (answer, now));
        }
    }

    pub(super) fn at(&self, now: Duration, wall_ms: u64) -> Practising {
        let script = &self.script;
        let caption = script.turns.iter().rfind(|turn| turn.from <= now && now < turn.to + LINGER);
        Practising {
            id: self.id.to_owned(),
            elapsed_ms: millis(now.min(script.length)),
            length_ms: millis(script.length),
            call: self.desk(now, wall_ms),
            caption: caption.map(|turn| (turn.who == Leg::Customer, turn.text.clone())),
            summary: (now >= script.length).then(|| self.summary()),
        }
    }

    /// The desk as it would be in such a call.
    fn desk(&self, now: Duration, wall_ms: u64) -> DeskCall {
        let mut call = DeskCall {
            id: NAME.to_owned(),
            // To the second, as on a real desk: what differs by less is the same.
            since: (wall_ms.saturating_sub(millis(now)) + 500) / 1_000 * 1_000,
            direction: "inbound".to_owned(),
            answered: true,
            held: self.script.held.is_some_and(|(from, to)| (from..to).contains(&now)),
            queue: None,
            consent: "given".to_owned(),
            customer: None,
            alert: None,
            said: None,
            topics: Vec::new(),
            pace: None,
            share: None,
            cue: None,
        };
        for (_, insight) in self.script.told.iter().take_while(|(at, _)| *at <= now) {
            match insight {
                Insight::AffectUpdate(update) if update.modality.is_voice() => {
                    call.customer = Some(DeskCustomer {
                        state: update.state.word().to_owned(),
                        trend: word(&update.trend),
                        valence: f64::from(update.valence),
                        confidence: f64::from(update.confidence),
                    });
                }
                Insight::Alert(alert) => {
                    call.alert = (alert.phase == Phase::Rising).then(|| word(&alert.alert));
                }
                Insight::Conduct(conduct) => {
                    call.pace = conduct.agent.pace.map(|pace| f64::from(pace.words_per_minute));
                    call.share = conduct.agent.talk_share.map(f64::from);
                }
                Insight::Topic(topic) => {
                    let name = topic.topic.name().to_owned();
                    if !call.topics.contains(&name) {
                        call.topics.push(name);
                    }
                }
                _ => {}
            }
        }
        call.cue = self.cue(now).map(|cue| DeskCue {
            number: cue.number,
            line: cue.line.clone(),
            reason: cue.reason.clone(),
            language: cue.language.clone(),
            acknowledged: self.answers.contains_key(&cue.number),
            others: (cue.others.iter())
                .map(|(tag, text)| (tag.clone(), (text.line.clone(), text.reason.clone())))
                .collect(),
        });
        call
    }

    fn summary(&self) -> PracticeSummary {
        let summary = &self.script.summary;
        let mut dismissed: Vec<&str> = Vec::new();
        let mut cues = Vec::new();
        for (at, insight) in &self.script.told {
            let Insight::Cue(CueTold::Shown(cue)) = insight else { continue };
            if dismissed.contains(&cue.cue.as_str()) {
                continue;
            }
            let answer = self.answers.get(&cue.number);
            if matches!(answer, Some((Answer::Dismissed, _))) {
                dismissed.push(&cue.cue);
            }
            cues.push(PracticeCue {
                at_ms: millis(*at),
                line: cue.line.clone(),
                language: cue.language.clone(),
                others: cue.others.iter().map(|(tag, text)| (tag.clone(), text.line.clone())).collect(),
                answer: answer.map(|(answer, when)| {
                    (*answer == Answer::Acknowledged, millis(when.saturating_sub(*at)))
                }),
            });
        }
        PracticeSummary {
            shift: summary.sentiment.map(|it| (f64::from(it.start), f64::from(it.end))),
            alerts: (summary.alerts.spans.iter())
                .map(|span| (word(&span.alert), millis(span.from), span.to.map(millis)))
                .collect(),
            cues,
        }
    }
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use sidetone_insight::cues::{Cleared, CueCleared};
    use sidetone_insight::{Call, Thresholds};
    use tokio::time::Instant;

    use super::*;
    use crate::practice::{Script, Turn};

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn shown(cue: &str, number: u32) -> Insight {
        Insight::Cue(CueTold::Shown(CueShown {
            cue: cue.to_owned(),
            number,
            line: format!("Do {cue}."),
            reason: None,
            language: "en".to_owned(),
            others: [].into(),
            priority: 500,
            expires: second(20),
            because: Vec::new(),
            compared: false,
        }))
    }

    fn playing() -> Playing {
        let cleared = |number| {
            let why = Cleared::Expired;
            Insight::Cue(CueTold::Cleared(CueCleared { cue: "a".to_owned(), number, why, shown: second(20) }))
        };
        let told = vec![
            (second(5), shown("a", 1)),
            (second(25), cleared(1)),
            (second(40), shown("a", 2)),
            (second(50), cleared(2)),
            (second(52), shown("b", 3)),
        ];
        let turns =
            vec![Turn { who: Leg::Customer, from: second(2), to: second(6), text: "Hello?".to_owned() }];
        let summary = Call::new(Thresholds::default()).summary(second(60));
        let script = Script {
            told,
            held: Some((second(30), second(35))),
            turns,
            length: second(60),
            summary,
            sound: vec![],
        };
        Playing { id: "whole", script: Arc::new(script), began: Instant::now(), answers: HashMap::new() }
    }

    #[test]
    fn a_recorded_call_is_at_each_moment_what_a_desk_would_show() {
        let playing = playing();
        let line = |at| playing.at(second(at), 1_000_000).call.cue.map(|cue| cue.line);
        assert_eq!(line(4), None);
        assert_eq!(line(5).as_deref(), Some("Do a."));
        assert_eq!(line(30), None);
        let at = playing.at(second(31), 1_000_000);
        assert!(at.call.held && at.summary.is_none() && at.caption.is_none());
        assert_eq!((at.elapsed_ms, at.call.since), (31_000, 969_000));
        assert_eq!(playing.at(second(3), 0).caption, Some((true, "Hello?".to_owned())));
    }

    #[test]
    fn answers_are_taken_as_on_a_desk_and_told_at_the_end() {
        let mut playing = playing();
        playing.answer(second(4), 1, Answer::Acknowledged);
        playing.answer(second(7), 2, Answer::Dismissed);
        assert!(playing.answers.is_empty(), "neither was shown");
        playing.answer(second(7), 1, Answer::Acknowledged);
        assert!(playing.at(second(8), 0).call.cue.unwrap().acknowledged);
        playing.answer(second(9), 1, Answer::Dismissed);
        assert_eq!(playing.at(second(10), 0).call.cue, None);
        assert_eq!(playing.at(second(41), 0).call.cue, None, "its rule comes no more");
        let over = playing.at(second(60), 0).summary.unwrap();
        let told: Vec<_> = over.cues.iter().map(|cue| (cue.line.as_str(), cue.answer)).collect();
        assert_eq!(told, [("Do a.", Some((false, 4_000))), ("Do b.", None)]);
    }
}
