//! Whole calls over a network that loses, doubles and reorders: each ends, and nothing is left of it.

use std::time::Duration;

use proptest::prelude::*;

use crate::sim::lossy::{Weather, World};
use crate::sim::phone::{Outcome, Phone, Script};
use crate::sim::*;

#[derive(Debug, Clone, Copy)]
struct Plan {
    script: Script,
    tcp: (bool, bool),
}

fn play(weather: Weather, plans: &[Plan], seed: u64) -> World {
    let mut world = World::new(weather, seed);
    for (n, plan) in (0u16..).zip(plans) {
        let caller = format!("198.51.100.10:{}", 10_000 + n).parse().unwrap();
        let callee = format!("203.0.113.20:{}", 20_000 + n).parse().unwrap();
        world.add(Phone::callee(callee, plan.tcp.1, plan.script));
        world.add(Phone::caller(caller, plan.tcp.0, plan.script, callee, Duration::ZERO));
    }
    world.run();
    assert_eq!(world.proxy.transactions(), 0);
    assert_eq!(world.proxy.next_timeout(), None);
    for phone in world.phones.values() {
        assert!(!phone.calls || phone.outcome.is_some(), "{phone:?}");
        assert!(phone.invites <= 1, "the proxy made two calls of one");
    }
    world
}

fn plan() -> impl Strategy<Value = Plan> {
    let timing = (0u64..3000, 0u64..8000, proptest::option::of(0u64..9000), 0u64..4000);
    let status = prop_oneof![3 => Just(200u16), 1 => Just(486), 1 => Just(603)];
    (timing, status, any::<(bool, bool)>()).prop_map(|((ring, answer, cancel, talk), status, tcp)| Plan {
        script: Script {
            ring_after: ms(ring),
            answer_after: ms(answer),
            status,
            cancel_after: cancel.map(ms),
            talk: ms(talk),
        },
        tcp,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_and_the_tables_are_empty(
        plans in proptest::collection::vec(plan(), 1..12),
        lost in 0u64..60,
        doubled in 0u64..40,
        delay in 1u64..900,
        seed in any::<u64>(),
    ) {
        play(Weather { lost, doubled, delay }, &plans, seed);
    }

    /// With moderate loss retransmission makes up for everything: callers get what callees decided.
    #[test]
    fn moderate_loss_changes_no_outcome(
        plans in proptest::collection::vec(plan(), 1..12),
        doubled in 0u64..30,
        delay in 1u64..300,
        seed in any::<u64>(),
    ) {
        let world = play(Weather { lost: 5, doubled, delay }, &plans, seed);
        for (phone, plan) in world.phones.values().filter(|p| p.calls).zip(&plans) {
            let outcome = phone.outcome.unwrap();
            let callee = &world.phones[&format!("203.0.113.20:{}", phone.addr.port() + 10_000).parse().unwrap()];
            match outcome {
                Outcome::Ended(200) => {
                    prop_assert!(callee.answered && callee.byes > 0);
                    prop_assert_eq!(plan.script.status, 200);
                }
                Outcome::Failed(487) => prop_assert!(plan.script.cancel_after.is_some() && !callee.answered),
                Outcome::Failed(status) => prop_assert_eq!(status, plan.script.status),
                Outcome::Ended(_) => prop_assert!(false, "{:?}", phone),
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let script = Script {
        ring_after: ms(300),
        answer_after: ms(2000),
        status: 200,
        cancel_after: None,
        talk: ms(1000),
    };
    let weather = Weather { lost: 30, doubled: 20, delay: 400 };
    let plans = [Plan { script, tcp: (false, false) }; 20];
    let (a, b) = (play(weather, &plans, 5), play(weather, &plans, 5));
    assert_eq!(a.proxy.counters(), b.proxy.counters());
    assert_eq!(a.now, b.now);
    assert!(a.proxy.counters().retransmissions_in > 0);
    assert_ne!(a.now, play(weather, &plans, 6).now);
}

#[test]
fn in_good_weather_nothing_is_sent_twice() {
    let script =
        Script { ring_after: ms(100), answer_after: ms(300), status: 200, cancel_after: None, talk: ms(500) };
    let world =
        play(Weather { lost: 0, doubled: 0, delay: 5 }, &[Plan { script, tcp: (false, false) }; 10], 1);
    let counters = world.proxy.counters();
    assert_eq!((counters.retransmissions_in, counters.retransmissions_out, counters.timeouts), (0, 0, 0));
    assert_eq!(counters.requests_forwarded, 30);
    assert_eq!(counters.responses_forwarded, 30);
    assert_eq!(counters.stray_responses + counters.misdirected_responses, 0);
    for phone in world.phones.values() {
        assert!(if phone.calls { phone.outcome == Some(Outcome::Ended(200)) } else { phone.confirmed });
    }
}
