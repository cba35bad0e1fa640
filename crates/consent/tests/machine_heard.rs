//! Consent alone is no listening: the record tells when there was something to hear, and by whom it could be heard.

#![allow(clippy::unwrap_used)] // tests

use std::time::Duration;

use sidetone_consent::{Action, Input, Machine, Policy, Source, State, Terms};

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A call on a trunk whose callers have been told, answered after two seconds.
fn answered() -> Machine {
    let terms = Terms {
        policy: Policy::GivenUpstream,
        binding: false,
        opt_out_digit: '9',
        opt_in_digit: '1',
        patience: at(10_000),
        early: false,
        late_opt_in: false,
    };
    let mut machine = Machine::new(terms, at(0));
    machine.input(at(2_000), Input::Answered);
    machine
}

fn analysed(machine: &Machine) -> Vec<(u64, Option<u64>)> {
    machine.record().analysed.iter().map(|span| (span.from_ms, span.to_ms)).collect()
}

#[test]
fn a_call_without_sound_was_not_listened_to() {
    let mut machine = answered();
    machine.input(at(60_000), Input::Ended);
    assert_eq!(analysed(&machine), [(2_000, Some(60_000))], "as far as is known without the worker's word");
    machine.heard(&[]);
    assert_eq!(analysed(&machine), []);
}

#[test]
fn listening_begins_with_the_first_sound() {
    let mut machine = answered();
    machine.input(at(20_000), Input::Analysis { on: false, source: Source::Cli });
    machine.input(at(30_000), Input::Analysis { on: true, source: Source::Cli });
    machine.input(at(40_000), Input::Analysis { on: false, source: Source::Cli });
    machine.input(at(50_000), Input::Analysis { on: true, source: Source::Cli });
    machine.input(at(60_000), Input::Ended);
    machine.heard(&[(at(9_400), at(19_980)), (at(50_000), at(50_020))]);
    assert_eq!(analysed(&machine), [(9_400, Some(20_000)), (50_000, Some(60_000))]);
}

#[test]
fn who_can_listen_no_more_is_not_said_to() {
    let mut machine = answered();
    while machine.poll().is_some() {}
    machine.input(at(8_000), Input::AnalysisLost);
    assert_eq!(machine.poll(), Some(Action::PauseAnalysis));
    assert!(!machine.may_analyse());
    assert_eq!(machine.state(), State::Given, "the customer's choice stands");
    machine.input(at(9_000), Input::Analysis { on: true, source: Source::Cli });
    assert_eq!(machine.poll(), None, "and nothing brings it back");
    machine.input(at(60_000), Input::Ended);
    assert_eq!(analysed(&machine), [(2_000, Some(8_000))]);
}
