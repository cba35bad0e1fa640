//! Every situation a call can be in, and what every input makes of it: the whole table, written out in
//! `machine_table.txt` and read by people. `UPDATE_TABLE=1 cargo test -p sidetone-consent` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic)] // tests

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sidetone_consent::{Action, Failure, Input, Machine, Medium, Policy, Say, Source, State, Terms};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Step {
    Input(Input),
    /// Time passes until the next timer, if there is one.
    Wait,
    Retell(Policy),
}

use Step::{Retell, Wait};

const EARLY: Step = Step::Input(Input::EarlyMedia);
const ANSWERED: Step = Step::Input(Input::Answered);
const BEGAN: Step = Step::Input(Input::AnnouncementBegan);
const WHOLE: Step = Step::Input(Input::AnnouncementEnded { whole: true });
const CUT: Step = Step::Input(Input::AnnouncementEnded { whole: false });
const BROKEN: Step = Step::Input(Input::AnnouncementFailed(Failure::NotFound));
const NINE: Step = digit('9');
const ONE: Step = digit('1');
const LISTED: Step = Step::Input(Input::Listed);
const UNTAPPABLE: Step = Step::Input(Input::Untappable);
const OVER: Step = Step::Input(Input::Ended);

const fn digit(digit: char) -> Step {
    Step::Input(Input::Digit { digit, medium: Medium::TelephoneEvent })
}

const fn told(say: Say, source: Source) -> Step {
    Step::Input(Input::Told { say, source })
}

const fn analysis(on: bool, source: Source) -> Step {
    Step::Input(Input::Analysis { on, source })
}

fn terms(policy: Policy) -> Terms {
    Terms {
        policy,
        binding: true,
        opt_out_digit: '9',
        opt_in_digit: '1',
        patience: 10 * SECOND,
        early: true,
        late_opt_in: false,
    }
}

/// A name, the terms it begins with, and what leads there.
type Situation = (&'static str, Terms, Vec<Step>);

fn situations() -> Vec<Situation> {
    let unbinding = Terms { binding: false, ..terms(Policy::Never) };
    let late = Terms { late_opt_in: true, ..terms(Policy::OptIn) };
    let not_early = Terms { early: false, ..terms(Policy::Notice) };
    vec![
        ("never", terms(Policy::Never), vec![]),
        ("never, answered", terms(Policy::Never), vec![ANSWERED]),
        ("never for want of a rule", unbinding.clone(), vec![ANSWERED]),
        ("never for want of a rule, PBX agreed", unbinding, vec![told(Say::Granted, Source::Api)]),
        ("upstream, ringing", terms(Policy::GivenUpstream), vec![]),
        ("upstream, answered", terms(Policy::GivenUpstream), vec![ANSWERED]),
        ("upstream, paused", terms(Policy::GivenUpstream), vec![ANSWERED, analysis(false, Source::Api)]),
        (
            "upstream, stopped by trunk",
            terms(Policy::GivenUpstream),
            vec![analysis(false, Source::TrunkHeader), ANSWERED],
        ),
        ("upstream, untappable", terms(Policy::GivenUpstream), vec![ANSWERED, UNTAPPABLE]),
        ("elsewhere, answered", terms(Policy::AnnounceElsewhere), vec![ANSWERED]),
        (
            "elsewhere, announced",
            terms(Policy::AnnounceElsewhere),
            vec![ANSWERED, told(Say::Announced, Source::PbxHeader)],
        ),
        ("notice, ringing", terms(Policy::Notice), vec![]),
        ("notice, early", terms(Policy::Notice), vec![EARLY]),
        ("notice, not early", not_early, vec![EARLY]),
        ("notice, early failed", terms(Policy::Notice), vec![EARLY, BEGAN, CUT]),
        ("notice, called for", terms(Policy::Notice), vec![ANSWERED]),
        ("notice, playing", terms(Policy::Notice), vec![ANSWERED, BEGAN]),
        (
            "notice, playing, PBX announced",
            terms(Policy::Notice),
            vec![ANSWERED, BEGAN, told(Say::Announced, Source::Ami)],
        ),
        (
            "notice, playing, opt-in meanwhile",
            terms(Policy::Notice),
            vec![ANSWERED, BEGAN, Retell(Policy::OptIn)],
        ),
        ("notice, given", terms(Policy::Notice), vec![ANSWERED, BEGAN, WHOLE]),
        (
            "notice, given, opt-in since",
            terms(Policy::Notice),
            vec![ANSWERED, BEGAN, WHOLE, Retell(Policy::OptIn)],
        ),
        (
            "notice, given, asked since",
            terms(Policy::Notice),
            vec![ANSWERED, BEGAN, WHOLE, Retell(Policy::OptIn), BEGAN, WHOLE],
        ),
        ("notice, failed", terms(Policy::Notice), vec![ANSWERED, BROKEN]),
        ("notice, not begun in time", terms(Policy::Notice), vec![ANSWERED, Wait]),
        ("notice, early, not begun in time", terms(Policy::Notice), vec![EARLY, Wait]),
        ("notice, untappable", terms(Policy::Notice), vec![ANSWERED, BEGAN, UNTAPPABLE]),
        ("opt-in, called for", terms(Policy::OptIn), vec![ANSWERED]),
        ("opt-in, playing", terms(Policy::OptIn), vec![ANSWERED, BEGAN]),
        ("opt-in, playing, agreed already", terms(Policy::OptIn), vec![ANSWERED, BEGAN, ONE]),
        ("opt-in, asked", terms(Policy::OptIn), vec![ANSWERED, BEGAN, WHOLE]),
        ("opt-in, agreed", terms(Policy::OptIn), vec![ANSWERED, BEGAN, WHOLE, ONE]),
        ("opt-in, declined", terms(Policy::OptIn), vec![ANSWERED, BEGAN, WHOLE, Wait]),
        ("opt-in, declined, may be late", late, vec![ANSWERED, BEGAN, WHOLE, Wait]),
        ("opt-in, failed", terms(Policy::OptIn), vec![ANSWERED, BEGAN, CUT]),
        ("opted out", terms(Policy::Notice), vec![ANSWERED, BEGAN, WHOLE, NINE]),
        ("opted out while playing", terms(Policy::Notice), vec![ANSWERED, BEGAN, NINE]),
        ("listed", terms(Policy::GivenUpstream), vec![ANSWERED, LISTED]),
        ("tier came later", terms(Policy::GivenUpstream), vec![ANSWERED, Retell(Policy::Never)]),
        ("over, was given", terms(Policy::Notice), vec![ANSWERED, BEGAN, WHOLE, OVER]),
        ("over, was playing", terms(Policy::Notice), vec![ANSWERED, BEGAN, OVER]),
    ]
}

fn steps() -> Vec<(&'static str, Step)> {
    vec![
        ("early media", EARLY),
        ("answered", ANSWERED),
        ("began", BEGAN),
        ("ended whole", WHOLE),
        ("ended cut", CUT),
        ("failed", BROKEN),
        ("key 9", NINE),
        ("key 1", ONE),
        ("key 5", digit('5')),
        ("pbx: announced", told(Say::Announced, Source::PbxHeader)),
        ("pbx: granted", told(Say::Granted, Source::Api)),
        ("pbx: refused", told(Say::Refused, Source::Ami)),
        ("trunk: announced", told(Say::Announced, Source::TrunkHeader)),
        ("trunk: granted", told(Say::Granted, Source::TrunkHeader)),
        ("trunk: refused", told(Say::Refused, Source::TrunkHeader)),
        ("pbx: stop", analysis(false, Source::Api)),
        ("pbx: start", analysis(true, Source::Api)),
        ("trunk: stop", analysis(false, Source::TrunkHeader)),
        ("trunk: start", analysis(true, Source::TrunkHeader)),
        ("listed", LISTED),
        ("untappable", UNTAPPABLE),
        ("time passes", Wait),
        ("now never", Retell(Policy::Never)),
        ("now upstream", Retell(Policy::GivenUpstream)),
        ("now elsewhere", Retell(Policy::AnnounceElsewhere)),
        ("now notice", Retell(Policy::Notice)),
        ("now opt-in", Retell(Policy::OptIn)),
        ("over", OVER),
    ]
}

struct Call {
    machine: Machine,
    now: Duration,
}

impl Call {
    fn to(terms: &Terms, steps: &[Step]) -> Self {
        let mut call = Self { machine: Machine::new(terms.clone(), Duration::ZERO), now: SECOND };
        steps.iter().for_each(|step| call.take(*step));
        while call.machine.poll().is_some() {}
        call
    }

    fn take(&mut self, step: Step) {
        self.now += SECOND;
        match step {
            Step::Input(input) => self.machine.input(self.now, input),
            Wait => {
                self.now = self.machine.next_timeout().unwrap_or(self.now);
                self.machine.timeout(self.now);
            }
            Retell(policy) => self.machine.retell(self.now, terms(policy)),
        }
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.machine.poll()).collect()
    }
}

fn word(action: &Action) -> String {
    match action {
        Action::Announce => "announce".to_owned(),
        Action::StopAnnouncing => "stop announcing".to_owned(),
        Action::BeginAnalysis => "LISTEN".to_owned(),
        Action::PauseAnalysis => "pause".to_owned(),
        Action::StopAnalysis { erase: true } => "stop and erase".to_owned(),
        Action::StopAnalysis { erase: false } => "stop".to_owned(),
        Action::Changed { state, erased, .. } => {
            format!("now {state}{}", if *erased { ", erased" } else { "" })
        }
        Action::Alarm(failure) => format!("alarm ({failure})"),
    }
}

#[test]
fn the_whole_table() {
    let mut table = String::new();
    let mut seen = BTreeSet::new();
    for (name, terms, way) in situations() {
        let at = Call::to(&terms, &way);
        seen.insert(at.machine.state().to_string());
        let listening = if at.machine.may_analyse() { ", listening" } else { "" };
        writeln!(table, "{name} ({}{listening})", at.machine.state()).unwrap();
        for (what, step) in steps() {
            let mut call = Call::to(&terms, &way);
            let before = (call.machine.state(), call.machine.next_timeout());
            call.take(step);
            let actions: Vec<String> = call.actions().iter().map(word).collect();
            let unchanged = actions.is_empty()
                && (before == (call.machine.state(), call.machine.next_timeout()) || matches!(step, Wait));
            if !unchanged {
                let said = if actions.is_empty() { "timer only".to_owned() } else { actions.join("; ") };
                writeln!(table, "    {what:<18} {said}").unwrap();
            }
        }
    }
    assert_eq!(seen.len(), 8, "every state of the vocabulary is tried: {seen:?}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine_table.txt");
    if std::env::var_os("UPDATE_TABLE").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    for (line, (is, should)) in table.lines().zip(written.lines()).enumerate() {
        assert_eq!(is, should, "machine_table.txt:{}", line + 1);
    }
    assert_eq!(table.lines().count(), written.lines().count());
}

#[test]
fn who_is_not_listened_to_is_never_listened_to_by_one_step_that_does_not_allow_it() {
    for (name, terms, way) in situations() {
        for (what, step) in steps() {
            let mut call = Call::to(&terms, &way);
            if call.machine.may_analyse() {
                continue;
            }
            let state = call.machine.state();
            call.take(step);
            if call.machine.may_analyse() {
                let allowed = matches!(
                    what,
                    "ended whole" | "key 1" | "pbx: granted" | "pbx: announced" | "pbx: start"
                ) || matches!(call.machine.terms().policy, Policy::GivenUpstream)
                    || what == "now notice" && name.ends_with("PBX agreed")
                    || name.ends_with("PBX agreed") && what.starts_with("now");
                assert!(allowed, "{name}: {what}");
                assert!(!matches!(state, State::OptedOut), "{name}: {what}");
            }
        }
    }
}
