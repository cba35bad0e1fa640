//! Cues over whole calls, told as the hearing half tells them.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sidetone_call::{CustomerOnly, Labels, Leg, Modality};

use super::*;
use crate::affect::{AffectUpdate, Alert, AlertKind, Phase, State, Trend};
use crate::conduct::{Conduct, LegConduct, Pace};

/// A call that is told by the second.
struct Played {
    coach: Coach,
    situation: Situation,
    conduct: Conduct,
    now: Duration,
    silence: Duration,
    agent_talks: bool,
    told: Vec<(u64, CueTold)>,
}

const STEP: Duration = Duration::from_millis(500);

impl Played {
    fn with(toml: &str) -> Self {
        let mut set = CueSet::default();
        set.add(toml).unwrap();
        Self::of(set)
    }

    fn of(set: CueSet) -> Self {
        Self {
            coach: Coach::new(Arc::new(set)),
            situation: Situation::default(),
            conduct: Conduct::default(),
            now: Duration::ZERO,
            silence: Duration::ZERO,
            agent_talks: false,
            told: Vec::new(),
        }
    }

    /// So many seconds in which these talk.
    fn talk(&mut self, seconds: u64, customer: bool, agent: bool) -> &mut Self {
        for _ in 0..seconds * 2 {
            self.now += STEP;
            if customer {
                self.conduct.customer.talk += STEP;
            }
            if agent {
                self.conduct.agent.talk += STEP;
            }
            let all = self.conduct.customer.talk + self.conduct.agent.talk;
            self.conduct.agent.talk_share =
                (!all.is_zero()).then(|| self.conduct.agent.talk.as_secs_f32() / all.as_secs_f32());
            self.silence = if customer || agent { Duration::ZERO } else { self.silence + STEP };
            self.agent_talks = agent;
            self.step();
        }
        self
    }

    fn step(&mut self) {
        let running = Running { silence: self.silence, agent_talks: self.agent_talks };
        self.situation.conduct(self.now, &self.conduct, Some(running));
        let told = self.coach.step(self.now, &self.situation.moment(self.now));
        self.told.extend(told.into_iter().map(|told| (self.now.as_millis() as u64, told)));
    }

    fn agent_pace(&mut self, words_per_minute: f32) -> &mut Self {
        let rate = words_per_minute / 40.0;
        self.conduct.agent = LegConduct {
            pace: Some(Pace {
                syllables_per_second: rate,
                recent_syllables_per_second: rate,
                words_per_minute,
            }),
            ..self.conduct.agent
        };
        self
    }

    fn alert(&mut self, alert: AlertKind, phase: Phase) -> &mut Self {
        let alert = Alert {
            leg: CustomerOnly,
            modality: Modality::Voice,
            stands_on: vec![crate::Basis::Voice],
            phrase: None,
            alert,
            phase,
            score: 0.9,
            valence: -0.6,
            arousal: 0.5,
            confidence: 0.8,
            lasted: None,
        };
        self.situation.alert(self.now, &alert);
        self
    }

    fn affect(&mut self, state: State, distress: f32) -> &mut Self {
        let update = AffectUpdate {
            leg: CustomerOnly,
            modality: Modality::Voice,
            valence: 0.2 - distress,
            arousal: distress,
            distress,
            confidence: 0.8,
            state,
            trend: Trend::Steady,
            relative: None,
            classes: std::collections::BTreeMap::new(),
            speech: Duration::from_secs(1),
            estimates: 1,
            abstained: 0,
        };
        self.situation.affect(self.now, &update);
        self
    }

    /// What was told, in short.
    fn story(&self) -> Vec<String> {
        let short = |(at, told): &(u64, CueTold)| match told {
            CueTold::Shown(it) => format!("{at} {} shown", it.cue),
            CueTold::Withheld(it) => format!("{at} {} withheld", it.cue),
            CueTold::Cleared(it) => format!("{at} {} {}", it.cue, it.why.word()),
            CueTold::Judged(it) => format!("{at} {} {:?} {:?}", it.cue, it.adopted, it.recovered),
        };
        self.told.iter().map(short).collect()
    }

    fn shown(&self) -> Vec<&CueShown> {
        let shown = |(_, told): &(_, CueTold)| match told {
            CueTold::Shown(_) => true,
            CueTold::Withheld(_) | CueTold::Cleared(_) | CueTold::Judged(_) => false,
        };
        let cues = self.told.iter().filter(|told| shown(told));
        cues.filter_map(|(_, told)| if let CueTold::Shown(cue) = told { Some(cue) } else { None }).collect()
    }
}

const PACE: &str = r#"
    [[cue]]
    id = "slow-down"
    when = ["agent_pace > 190"]
    for = "2s"
    cooldown = "1m"
    while_agent_talks = true
    line.en = "{agent_pace} words a minute."
    line.de = "{agent_pace} Wörter in der Minute."
    reason.en = "Words get lost."
"#;

#[test]
fn a_cue_comes_when_its_cause_lasts_and_goes_when_that_has_passed() {
    let mut call = Played::with(PACE);
    call.agent_pace(150.0).talk(10, false, true).agent_pace(195.0).talk(8, false, true);
    assert_eq!(call.story(), ["12500 slow-down shown"]);
    call.agent_pace(150.0).talk(30, false, true);
    assert_eq!(
        call.story(),
        ["12500 slow-down shown", "20500 slow-down passed", "42500 slow-down Some(true) None"]
    );
    let cue = call.shown()[0];
    assert_eq!((cue.line.as_str(), cue.reason.as_deref()), ("195 words a minute.", Some("Words get lost.")));
    assert_eq!(cue.because, [Cause { condition: "agent_pace > 190".to_owned(), value: Some(195.0) }]);
    assert_eq!((cue.language.as_str(), cue.number, cue.priority), ("en", 1, 500));
}

#[test]
fn a_cue_that_is_not_followed_expires_and_rests() {
    let mut call = Played::with(PACE);
    call.agent_pace(200.0).talk(90, false, true);
    // Shown for 20 s, then a minute's rest.
    assert_eq!(
        call.story(),
        [
            "2500 slow-down shown",
            "22500 slow-down expired",
            "32500 slow-down Some(false) None",
            "82500 slow-down shown"
        ]
    );
}

#[test]
fn an_agent_who_talks_is_not_made_to_read() {
    let quiet = PACE.replace("while_agent_talks = true", "");
    let mut call = Played::with(&quiet);
    call.agent_pace(200.0).talk(10, false, true);
    assert!(call.story().is_empty());
    call.talk(1, true, false);
    assert_eq!(call.story(), ["10500 slow-down shown"]);
}

#[test]
fn few_cues_are_shown_and_not_close_together() {
    let cues = (0..20).map(|n| {
        format!("[[cue]]\nid = \"c{n}\"\ncooldown = \"10m\"\nwhen = [\"call > 1s\"]\nshow = \"3s\"\nline.en = \"{n}\"\npriority = {n}\n")
    });
    let mut set = CueSet::default();
    set.add(&cues.collect::<String>()).unwrap();
    let mut call = Played::of(set);
    call.talk(600, true, false);
    let shown: Vec<u64> =
        call.told.iter().filter(|(_, told)| matches!(told, CueTold::Shown(_))).map(|(at, _)| *at).collect();
    assert_eq!(shown.len(), 6, "at most six a call");
    assert!(shown.windows(2).all(|pair| pair[1] - pair[0] >= 25_000), "{shown:?}");
    let names: Vec<&str> = call.shown().iter().map(|cue| cue.cue.as_str()).collect();
    assert_eq!(names, ["c19", "c18", "c17", "c16", "c15", "c14"], "the highest priority first");
}

#[test]
fn what_is_urgent_does_not_wait() {
    let urgent = format!(
        "{PACE}\n[[cue]]\nid = \"acknowledge\"\npriority = 950\nwhen = [\"alert = frustration\"]\nline.en = \"Acknowledge.\"\n"
    );
    let mut call = Played::with(&urgent);
    call.agent_pace(200.0).talk(5, false, true);
    call.alert(AlertKind::Frustration, Phase::Rising).affect(State::Frustrated, 0.9).talk(2, true, false);
    assert_eq!(call.story(), ["2500 slow-down shown", "6500 slow-down replaced", "6500 acknowledge shown"]);
    call.alert(AlertKind::Frustration, Phase::Calmed).talk(25, true, false).affect(State::Neutral, 0.1);
    call.talk(6, true, false);
    let story = call.story();
    assert!(story.contains(&"12500 acknowledge passed".to_owned()), "{story:?}");
    assert!(story.contains(&"36500 acknowledge None Some(true)".to_owned()), "{story:?}");
}

/// Whose alert has calmed is calmer, though their mood is not pleasant yet.
#[test]
fn a_customer_is_calmer_by_the_measure_by_which_they_seemed_upset() {
    let cue = "[[cue]]\nid = \"a\"\nwhen = [\"alert = frustration\"]\nline.en = \"A.\"\n";
    let mut call = Played::with(cue);
    call.talk(2, true, false).alert(AlertKind::Frustration, Phase::Rising).affect(State::Frustrated, 0.9);
    call.talk(10, true, false).alert(AlertKind::Frustration, Phase::Calmed);
    for _ in 0..5 {
        call.affect(State::Negative, 0.4).talk(5, true, false);
    }
    assert!(call.story().iter().any(|line| line.ends_with("a None Some(true)")), "{:?}", call.story());
}

#[test]
fn two_urgent_cues_are_not_shown_in_a_row() {
    let urgent = |id: &str, priority: u16, when: &str| {
        format!("[[cue]]\nid = \"{id}\"\npriority = {priority}\nwhen = [\"{when}\"]\nline.en = \"{id}\"\n")
    };
    let mut call = Played::with(&format!(
        "{}{}",
        urgent("a", 900, "alert = distress"),
        urgent("b", 1_000, "alert = frustration")
    ));
    call.alert(AlertKind::Distress, Phase::Rising).talk(3, true, false);
    call.alert(AlertKind::Frustration, Phase::Rising).talk(12, true, false);
    assert_eq!(call.story(), ["500 a shown", "6500 a passed", "12500 b shown"]);
}

#[test]
fn a_dismissed_cue_is_gone_for_the_call() {
    let mut call = Played::with(&PACE.replace("1m", "0s"));
    call.agent_pace(200.0).talk(4, false, true);
    assert!(call.coach.answer(call.now, 7, Answer::Dismissed).is_none(), "not that one");
    assert!(call.coach.answer(call.now, 1, Answer::Acknowledged).is_none(), "it stays in view");
    let Some(CueTold::Cleared(cleared)) = call.coach.answer(call.now, 1, Answer::Dismissed) else {
        panic!("it is cleared")
    };
    assert_eq!((cleared.why, cleared.shown), (Cleared::Dismissed, Duration::from_millis(1_500)));
    call.talk(300, false, true);
    assert_eq!(call.shown().len(), 1);
}

/// What is withheld takes its turn as if it were shown, so that such a call differs from others in nothing else.
#[test]
fn a_withheld_cue_is_noted_when_it_would_have_been_shown_and_judged_like_it() {
    let play = |lot: f64, toml: &str| {
        let mut set = CueSet { holdout: 0.5, ..CueSet::default() };
        set.add(toml).unwrap();
        let mut call = Played::of(set);
        call.coach = call.coach.drawn(lot);
        call.agent_pace(200.0).talk(90, false, true);
        assert!(
            call.coach.answer(call.now, 2, Answer::Dismissed).is_none() == (lot < 0.5),
            "answers what is seen"
        );
        call
    };
    let shown = play(0.5, PACE);
    assert!(shown.shown().iter().all(|cue| cue.compared));
    let as_withheld = shown.story().into_iter().filter(|line| !line.ends_with("expired"));
    let as_withheld: Vec<String> = as_withheld.map(|line| line.replace("shown", "withheld")).collect();
    assert_eq!(play(0.49, PACE).story(), as_withheld);
    assert_eq!(as_withheld.len(), 3, "{as_withheld:?}");
    // A rule that is always shown is shown as soon as if nothing had been withheld before, and compared with nothing.
    let always = "[[cue]]\nid = \"condolence\"\nwhen = [\"call > 10s\"]\nonce = true\nalways = true\n\
         while_agent_talks = true\nline.en = \"Condolence.\"\n";
    let alone = play(0.0, always).story()[0].clone();
    assert!(alone.ends_with("condolence shown"), "{alone}");
    let call = play(0.0, &format!("{PACE}\n{always}"));
    assert_eq!(call.story()[..2], ["2500 slow-down withheld".to_owned(), alone]);
    assert!(!call.shown()[0].compared);
    assert_eq!(call.shown()[0].number, 2, "numbers go over both");
    assert!(
        Played::with(PACE).agent_pace(200.0).talk(9, false, true).shown().iter().all(|cue| !cue.compared)
    );
}

#[test]
fn shares_turns_and_interruptions_are_of_the_last_minute() {
    let mut call = Played::with(PACE);
    call.talk(60, true, false).talk(60, false, true);
    let moment = call.situation.moment(call.now);
    assert_eq!(moment.value(Measure::AgentShare), Some(1.0));
    assert_eq!(moment.value(Measure::AgentTurn), Some(60.0));
    call.conduct.agent.overlaps_begun = 3;
    call.talk(1, true, true);
    assert_eq!(call.situation.moment(call.now).value(Measure::Interruptions), Some(3.0));
    call.talk(59, true, false);
    assert_eq!(
        call.situation.moment(call.now).value(Measure::AgentTurn),
        Some(0.0),
        "the customer has the floor"
    );
    call.talk(3, false, false);
    let moment = call.situation.moment(call.now);
    assert_eq!(moment.value(Measure::Interruptions), Some(0.0), "a minute ago");
    assert_eq!(moment.value(Measure::Silence), Some(3.0));
    assert_eq!(moment.word(Aspect::Phase), Some("talk"));
}

#[test]
fn a_short_word_in_between_is_not_the_floor() {
    let mut call = Played::with(PACE);
    call.talk(30, false, true);
    call.now += STEP;
    call.conduct.customer.talk += STEP;
    call.step();
    call.talk(5, false, true);
    assert_eq!(call.situation.moment(call.now).value(Measure::AgentTurn), Some(35.0));
}

#[test]
fn what_was_told_long_ago_says_nothing_of_now() {
    let mut call = Played::with(PACE);
    call.affect(State::Negative, 0.7).talk(9, true, false);
    assert_eq!(call.situation.moment(call.now).value(Measure::Distress), Some(0.7));
    call.talk(2, true, false);
    let moment = call.situation.moment(call.now);
    assert_eq!((moment.value(Measure::Distress), moment.word(Aspect::State)), (None, None));
}

#[test]
fn labels_are_matched_without_regard_to_case() {
    let mut call = Played::with(
        "[[cue]]\nid = \"vip\"\nwhen = [\"tier = Gold, 1\", \"call > 1s\"]\nunless = [\"queue = sales\"]\nline.en = \"Gold.\"\n",
    );
    let label = |text: &str| Some(text.parse().unwrap());
    let mut labels = Labels { tier: label("gold"), queue: label("Sales"), ..Labels::default() };
    call.situation.labels(&labels);
    call.talk(3, true, false);
    assert!(call.story().is_empty());
    labels.queue = label("claims");
    call.situation.labels(&labels);
    call.talk(1, true, false);
    assert_eq!(call.shown().len(), 1);
}

#[test]
fn at_the_end_what_followed_is_looked_at_if_there_was_time() {
    for (seconds, judged) in [(9, 0), (11, 1)] {
        let mut call = Played::with(PACE);
        call.agent_pace(200.0).talk(2 + seconds, false, true);
        let told = call.coach.finish(call.now, &call.situation.moment(call.now));
        let cleared =
            told.iter().filter(|told| matches!(told, CueTold::Cleared(it) if it.why == Cleared::Ended));
        assert_eq!(cleared.count(), 1);
        assert_eq!(told.iter().filter(|told| matches!(told, CueTold::Judged(_))).count(), judged);
    }
}

#[test]
fn the_cues_that_come_along_are_sound() {
    let set = CueSet::shipped().unwrap();
    assert!(set.cues.len() >= 20, "{}", set.cues.len());
    for cue in &set.cues {
        for language in ["en", "de"] {
            assert!(cue.line.contains_key(language), "{} has no line in {language}", cue.id);
            assert!(cue.reason.contains_key(language), "{} has no reason in {language}", cue.id);
        }
        assert!(cue.source.is_some(), "{} has no source", cue.id);
    }
}

#[test]
fn each_cue_that_comes_along_has_an_example_that_shows_it() {
    let set = Arc::new(CueSet::shipped().unwrap());
    let examples = Example::read(include_str!("examples.toml"), &set).unwrap();
    for example in &examples {
        assert_eq!(example.shown(&set), example.shows, "{}", example.name);
    }
    for cue in &set.cues {
        assert!(examples.iter().any(|example| example.shows.as_ref() == Some(&cue.id)), "{}", cue.id);
    }
}

#[test]
fn examples_that_can_t_be_meant_say_so() {
    let set = CueSet::shipped().unwrap();
    let said = |toml: &str| Example::read(toml, &set).unwrap_err().to_string();
    let example = |rest: &str| format!("[[example]]\nname = \"a\"\n{rest}");
    assert!(said(&example("is = { agent_pase = \"3\" }")).contains("did you mean `agent_pace`?"));
    assert!(
        said(&example("is = { call = \"1s\" }\nshows = \"slow-don\"")).contains("did you mean `slow-down`?")
    );
    assert!(said(&example("is = {}\ncolour = 1")).starts_with("line 4: unknown field"));
}

#[test]
fn a_file_that_can_t_be_meant_says_where() {
    let said = |toml: &str| CueSet::default().add(toml).unwrap_err().to_string();
    let cue = |rest: &str| format!("# cues\n[[cue]]\nid = \"a\"\nline.en = \"x\"\n{rest}");
    assert_eq!(
        said(&cue("when = [\"agent_pac > 1\"]")),
        format!(
            "line 3: cue `a`: when: nothing is called `agent_pac`; {}",
            crate::did_you_mean(
                "agent_pac",
                Measure::ALL.iter().map(|it| it.name()).chain(Aspect::ALL.iter().map(|it| it.name()))
            )
        )
    );
    assert_eq!(said(&cue("when = []")), "line 3: cue `a`: when must be one condition or more");
    assert_eq!(
        said(&cue("when = [\"call > 1s\"]\npriority = 1001")),
        "line 3: cue `a`: priority must be 0 to 1000"
    );
    let unknown = said(&cue("when = [\"call > 1s\"]\ncolour = \"red\""));
    assert!(unknown.starts_with("line 6: unknown field `colour`"), "{unknown}");
    let twice = format!("{}{}", cue("when = [\"call > 1s\"]\n"), cue("when = [\"call > 1s\"]\n"));
    assert_eq!(said(&twice), "line 8: there are two cues `a` in this file");
    let line = "[[cue]]\nid = \"a\"\nwhen = [\"call > 1s\"]\nline.en = \"{agent_pase} words\"\n";
    assert!(said(line).contains("did you mean `agent_pace`?"), "{}", said(line));
    assert!(said("[[cue]]\nid = \"a\"\nwhen = [\"call > 1s\"]\nline.en = \"{call\"\n").contains("place"));
    let mut set = CueSet::shipped().unwrap();
    let error = set.leave_out(&["slow-don".to_owned()]).unwrap_err().to_string();
    assert!(error.starts_with("no cue is called `slow-don`; did you mean `slow-down`?"), "{error}");
}

#[test]
fn a_cue_of_the_same_id_takes_the_place() {
    let mut set = CueSet::shipped().unwrap();
    let before = set.cues.len();
    set.add("[[cue]]\nid = \"slow-down\"\nwhen = [\"agent_pace > 220\"]\nline.en = \"Slower.\"\n").unwrap();
    assert_eq!(set.cues.len(), before);
    assert_eq!(set.cue("slow-down").unwrap().when, [Condition::Above(Measure::AgentPace, 220.0)]);
}

#[test]
fn a_line_is_in_the_language_that_there_is() {
    let mut set = CueSet::shipped().unwrap();
    let mut lines = Vec::new();
    for language in ["de-AT", "en", "fr"] {
        language.clone_into(&mut set.language);
        let cue = set.cue("thank-for-waiting").unwrap();
        lines.push(cue.in_language(&set.language).unwrap().0.to_owned());
    }
    assert_eq!(lines, ["de", "en", "en"]);
}

proptest! {
    /// Whatever happens in a call: one cue at a time, each cleared once and after it was shown, numbers without a gap,
    /// within the bounds of the set.
    #[test]
    fn cues_are_told_in_order(
        steps in prop::collection::vec((0u8..8, 1u64..20, 0.0f32..1.0), 1..60),
        withholds: bool,
    ) {
        let mut call = Played::of(CueSet { holdout: 0.5, ..CueSet::shipped().unwrap() });
        call.coach = call.coach.drawn(if withholds { 0.0 } else { 0.5 });
        for (what, seconds, value) in steps {
            match what {
                0 => drop(call.talk(seconds, true, false)),
                1 => drop(call.talk(seconds, false, true)),
                2 => drop(call.talk(seconds, true, true)),
                3 => drop(call.talk(seconds, false, false)),
                4 => drop(call.agent_pace(100.0 + value * 150.0)),
                5 => {
                    let phase = if value < 0.5 { Phase::Rising } else { Phase::Calmed };
                    call.alert(AlertKind::ALL[usize::from(value < 0.3)], phase);
                }
                6 => drop(call.affect(if value > 0.5 { State::Negative } else { State::Positive }, value)),
                _ if value < 0.5 => call.situation.hold(Leg::Agent, call.now),
                _ => call.situation.resume(Leg::Agent, call.now),
            }
        }
        let at = call.now.as_millis() as u64;
        let last = call.coach.finish(call.now, &call.situation.moment(call.now));
        call.told.extend(last.into_iter().map(|told| (at, told)));
        let (mut up, mut numbers, mut judged) = (None, Vec::new(), Vec::new());
        for (_, told) in &call.told {
            match told {
                CueTold::Shown(cue) => {
                    prop_assert_eq!(up, None);
                    up = Some(cue.number);
                    numbers.push(cue.number);
                    let places = cue.line.matches('{').count();
                    prop_assert!(cue.line.chars().count() <= 160 && places == 0, "{}", cue.line);
                    prop_assert!(!cue.because.is_empty());
                }
                CueTold::Withheld(cue) => {
                    prop_assert_eq!(up, None);
                    prop_assert!(withholds);
                    numbers.push(cue.number);
                }
                CueTold::Cleared(cue) => {
                    prop_assert_eq!(up, Some(cue.number));
                    up = None;
                }
                CueTold::Judged(cue) => {
                    prop_assert!(numbers.contains(&cue.number) && !judged.contains(&cue.number));
                    judged.push(cue.number);
                }
            }
        }
        prop_assert_eq!(up, None);
        prop_assert!(numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()));
        prop_assert!(numbers.len() <= 6);
    }
}
