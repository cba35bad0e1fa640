//! What holds whatever happens to a call, in any order.

#![allow(clippy::unwrap_used, clippy::panic)] // tests

use std::time::Duration;

use proptest::prelude::*;
use sidetone_consent::{Action, Failure, Input, Machine, Medium, Policy, Say, Source, State, Terms};

#[derive(Debug, Clone)]
enum Step {
    Input(Input),
    Pass(u16),
    Due,
    Retell(Terms),
}

fn source() -> impl Strategy<Value = Source> {
    prop::sample::select(vec![
        Source::Policy,
        Source::List,
        Source::Digit(Medium::Info),
        // Often, since all that it may do is restrict.
        Source::TrunkHeader,
        Source::TrunkHeader,
        Source::TrunkHeader,
        Source::TrunkHeader,
        Source::PbxHeader,
        Source::Ami,
        Source::Ari,
        Source::Esl,
        Source::Api,
        Source::Cli,
    ])
}

fn terms() -> impl Strategy<Value = Terms> {
    let policy = prop::sample::select(vec![
        Policy::Never,
        Policy::GivenUpstream,
        Policy::Notice,
        Policy::OptIn,
        Policy::AnnounceElsewhere,
    ]);
    (policy, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(policy, binding, early, late)| Terms {
        policy,
        binding,
        opt_out_digit: '9',
        opt_in_digit: '1',
        patience: Duration::from_secs(10),
        early,
        late_opt_in: late,
    })
}

fn input() -> impl Strategy<Value = Input> {
    let medium = prop::sample::select(vec![Medium::TelephoneEvent, Medium::InBand, Medium::Info]);
    let failure = prop::sample::select(vec![Failure::NotFound, Failure::Codec, Failure::NoMedia]);
    prop_oneof![
        2 => Just(Input::EarlyMedia),
        4 => Just(Input::Answered),
        8 => Just(Input::AnnouncementBegan),
        8 => any::<bool>().prop_map(|whole| Input::AnnouncementEnded { whole }),
        1 => failure.prop_map(Input::AnnouncementFailed),
        1 => (prop::sample::select(vec!['1', '9', '5', '*']), medium)
            .prop_map(|(digit, medium)| Input::Digit { digit, medium }),
        3 => prop::sample::select(vec![Medium::TelephoneEvent, Medium::InBand])
            .prop_map(|medium| Input::Digit { digit: '1', medium }),
        2 => (prop::sample::select(vec![Say::Announced, Say::Granted]), source())
            .prop_map(|(say, source)| Input::Told { say, source }),
        1 => source().prop_map(|source| Input::Told { say: Say::Refused, source }),
        4 => (any::<bool>(), source()).prop_map(|(on, source)| Input::Analysis { on, source }),
        1 => Just(Input::Listed),
        1 => Just(Input::Untappable),
        1 => Just(Input::AnalysisLost),
        1 => Just(Input::Ended),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => input().prop_map(Step::Input),
        1 => any::<u16>().prop_map(Step::Pass),
        1 => Just(Step::Due),
        2 => terms().prop_map(Step::Retell),
    ];
    prop::collection::vec(step, 0..40)
}

fn may_permit(source: Source) -> bool {
    !matches!(source, Source::TrunkHeader | Source::Policy | Source::List | Source::Digit(_))
}

/// What an outside observer knows of a call: enough to say whether listening is allowed.
#[derive(Debug, Default)]
struct Observer {
    media: bool,
    /// Asked to play, and not yet told that it is over.
    outstanding: bool,
    began: bool,
    stopped: bool,
    heard_whole: bool,
    announced: bool,
    agreed: bool,
    barred: bool,
    trunk_stopped: bool,
    ended: bool,
    listening: bool,
    /// Something may have been inferred that is not erased.
    inferred: bool,
}

impl Observer {
    fn see(&mut self, input: Input) {
        match input {
            Input::EarlyMedia | Input::Answered => self.media = true,
            Input::AnnouncementBegan => self.began |= self.outstanding,
            Input::AnnouncementEnded { whole } => {
                self.heard_whole |= self.outstanding && self.began && !self.stopped && whole;
                (self.outstanding, self.began) = (false, false);
            }
            Input::AnnouncementFailed(_) => (self.outstanding, self.began) = (false, false),
            Input::Digit { digit: '9', .. } | Input::Told { say: Say::Refused, .. } | Input::Listed => {
                self.barred = true;
            }
            Input::Digit { digit: '1', .. } => self.agreed |= self.began || self.heard_whole,
            Input::Told { say: Say::Granted, source } => self.agreed |= may_permit(source),
            Input::Told { say: Say::Announced, source } => self.announced |= may_permit(source),
            Input::Analysis { on: false, source: Source::TrunkHeader } => self.trunk_stopped = true,
            Input::Ended => self.ended = true,
            _ => {}
        }
    }

    /// `policies`: those that have ever been in force. Once met, a policy needn't be met again.
    fn may_listen(&self, now: Policy, policies: &[Policy]) -> bool {
        let told = self.heard_whole
            || self.announced && policies.contains(&Policy::AnnounceElsewhere)
            || self.media && policies.contains(&Policy::GivenUpstream);
        let met = self.agreed || told && !matches!(now, Policy::OptIn | Policy::Never);
        !self.barred && !self.trunk_stopped && !self.ended && met
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_promises_hold(terms in terms(), steps in steps()) {
        let mut now = Duration::ZERO;
        let mut machine = Machine::new(terms, now);
        let mut observer = Observer::default();
        let mut policies = vec![machine.terms().policy];
        for step in steps {
            now += Duration::from_millis(20);
            let was = machine.state();
            let mut refused = false;
            match step {
                Step::Input(input) => {
                    refused = matches!(
                        input,
                        Input::Digit { digit: '9', .. } | Input::Told { say: Say::Refused, .. } | Input::Listed
                    ) && !matches!(was, State::OptedOut | State::Excluded);
                    observer.see(input);
                    machine.input(now, input);
                }
                Step::Pass(millis) => {
                    now += Duration::from_millis(millis.into());
                    machine.timeout(now);
                }
                Step::Due => {
                    if let Some(due) = machine.next_timeout() {
                        now = now.max(due);
                        machine.timeout(now);
                        prop_assert!(machine.next_timeout().is_none_or(|next| next > now), "no busy loop");
                    }
                }
                Step::Retell(terms) => machine.retell(now, terms),
            }
            policies.push(machine.terms().policy);
            let (mut first, mut untold) = (true, false);
            while let Some(action) = machine.poll() {
                if refused && first {
                    prop_assert_eq!(action, Action::StopAnalysis { erase: true });
                }
                first = false;
                match action {
                    Action::Announce => {
                        prop_assert!(!observer.outstanding, "two announcements");
                        prop_assert!(!observer.barred && !observer.ended);
                        (observer.outstanding, observer.began, observer.stopped) = (true, false, false);
                    }
                    Action::StopAnnouncing => {
                        prop_assert!(observer.outstanding && !observer.stopped);
                        observer.stopped = true;
                    }
                    Action::BeginAnalysis => {
                        prop_assert!(!observer.listening);
                        prop_assert!(observer.may_listen(machine.terms().policy, &policies), "{observer:?} {:?}", machine.terms());
                        observer.listening = true;
                        observer.inferred = true;
                    }
                    Action::PauseAnalysis => {
                        prop_assert!(observer.listening);
                        observer.listening = false;
                    }
                    Action::StopAnalysis { erase } => {
                        observer.listening = false;
                        untold |= erase && observer.inferred;
                        observer.inferred &= !erase;
                    }
                    Action::Changed { state, erased, .. } => {
                        untold &= !erased;
                        prop_assert!(was != State::OptedOut, "a refusal is final");
                        // Who was excluded after having been listened to is never listened to again.
                        observer.barred |= state == State::Excluded && !machine.record().analysed.is_empty();
                        prop_assert!(!erased || !machine.record().analysed.is_empty());
                        prop_assert!(erased || state != State::Declined || machine.record().analysed.is_empty());
                    }
                    Action::Alarm(_) => prop_assert!(!observer.ended),
                }
            }
            prop_assert!(!untold, "whoever keeps events is told of each erasure");
            prop_assert!(!refused || !first, "a refusal is answered");
            prop_assert_eq!(observer.listening, machine.may_analyse());
            let record = machine.record();
            prop_assert_eq!(record.outcome, machine.state());
            prop_assert_eq!(record.analysed.last().is_some_and(|span| span.to_ms.is_none()), observer.listening);
            for announcement in &record.announcements {
                prop_assert!(!announcement.whole || announcement.began_ms <= announcement.ended_ms);
            }
        }
    }

    /// Without facts that change, each policy is met by its own means only.
    #[test]
    fn each_policy_asks_for_what_it_says(terms in terms(), inputs in prop::collection::vec(input(), 0..30)) {
        let policy = terms.policy;
        let mut machine = Machine::new(terms, Duration::ZERO);
        let mut observer = Observer::default();
        for (tick, input) in inputs.into_iter().enumerate() {
            observer.see(input);
            machine.input(Duration::from_millis(tick as u64 * 20), input);
            while let Some(action) = machine.poll() {
                if action == Action::Announce {
                    (observer.outstanding, observer.began, observer.stopped) = (true, false, false);
                }
                observer.stopped |= action == Action::StopAnnouncing;
                if action == Action::BeginAnalysis {
                    prop_assert!(!observer.barred);
                    let met = match policy {
                        Policy::Never => false,
                        Policy::GivenUpstream => observer.media || observer.agreed,
                        Policy::AnnounceElsewhere => observer.announced || observer.agreed,
                        Policy::Notice => observer.heard_whole || observer.agreed,
                        Policy::OptIn => observer.agreed,
                    };
                    prop_assert!(met, "{policy:?} {observer:?}");
                }
            }
        }
    }

    /// Facts that change for ever fill no memory.
    #[test]
    fn the_record_is_bounded(all in prop::collection::vec(terms(), 200..300)) {
        let mut machine = Machine::new(all[0].clone(), Duration::ZERO);
        for terms in all {
            machine.retell(Duration::from_secs(1), terms);
            for on in [false, true] {
                machine.input(Duration::from_secs(1), Input::Analysis { on, source: Source::Api });
            }
            while machine.poll().is_some() {}
        }
        let record = machine.record();
        prop_assert!(record.changes.len() <= 32 && record.analysed.len() <= 32);
    }
}

/// A refusal is answered in the same instant, so that the 100 ms are all the media plane's.
#[test]
fn a_refusal_needs_no_timer() {
    let terms = Terms {
        policy: Policy::GivenUpstream,
        binding: false,
        opt_out_digit: '9',
        opt_in_digit: '1',
        patience: Duration::from_secs(10),
        early: false,
        late_opt_in: false,
    };
    let mut machine = Machine::new(terms, Duration::ZERO);
    machine.input(Duration::ZERO, Input::Answered);
    assert!(machine.may_analyse());
    machine.input(Duration::from_secs(3), Input::Digit { digit: '9', medium: Medium::InBand });
    assert!(!machine.may_analyse());
    let record = machine.record();
    assert_eq!((record.outcome, record.by), (State::OptedOut, Source::Digit(Medium::InBand)));
    assert_eq!(record.analysed[0].to_ms, Some(3_000));
    assert!(record.erased);
}
