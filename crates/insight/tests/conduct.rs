//! How both parties talk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{call, ms};
use proptest::prelude::*;
use sidetone_call::Leg;
use sidetone_insight::{Call, Conduct, Insight};

const CUSTOMER: Leg = Leg::Customer;
const AGENT: Leg = Leg::Agent;

fn ended(mut call: Call, at: u64) -> Conduct {
    call.summary(ms(at)).conduct
}

#[test]
fn an_ordinary_exchange() {
    let mut call = call();
    call.speech(AGENT, ms(1_000), ms(4_000));
    call.speech(CUSTOMER, ms(4_600), ms(10_600));
    call.speech(AGENT, ms(11_600), ms(14_600));
    let conduct = ended(call, 20_000);
    assert_eq!((conduct.customer.talk, conduct.agent.talk), (ms(6_000), ms(6_000)));
    assert_eq!((conduct.customer.talk_share, conduct.agent.talk_share), (Some(0.5), Some(0.5)));
    assert_eq!((conduct.customer.turns, conduct.agent.turns), (1, 2));
    assert_eq!(conduct.customer.response.unwrap().mean, ms(600));
    assert_eq!(conduct.agent.response.unwrap().mean, ms(1_000));
    assert_eq!(conduct.agent.response.unwrap().count, 1, "the first word answers nobody");
    assert_eq!((conduct.overlap, conduct.overlaps), (Duration::ZERO, 0));
    assert_eq!(conduct.silence, ms(600 + 1_000 + 5_400), "counted from the first word to the end");
    assert_eq!(conduct.longest_silence, ms(5_400));
    assert!(conduct.is_final);
}

#[test]
fn overlaps_are_counted_once_noticed() {
    let mut call = call();
    call.speech(CUSTOMER, ms(0), ms(10_000));
    call.speech(AGENT, ms(2_000), ms(2_100)); // a murmur
    call.speech(AGENT, ms(4_000), ms(5_000));
    call.speech(AGENT, ms(9_000), ms(12_000));
    call.speech(CUSTOMER, ms(11_000), ms(11_500));
    let conduct = ended(call, 12_000);
    assert_eq!(conduct.overlap, ms(100 + 1_000 + 1_000 + 500));
    assert_eq!(conduct.overlaps, 3);
    assert_eq!((conduct.agent.overlaps_begun, conduct.customer.overlaps_begun), (2, 1));
    assert_eq!(conduct.agent.response, None, "an answer that begins early has no gap");
}

#[test]
fn pauses_within_a_turn_are_no_answers() {
    let mut call = call();
    for phrase in 0..5 {
        call.speech(CUSTOMER, ms(phrase * 2_000), ms(phrase * 2_000 + 1_500));
    }
    call.speech(AGENT, ms(10_000), ms(11_000));
    let conduct = ended(call, 11_000);
    assert_eq!((conduct.customer.turns, conduct.customer.response), (1, None));
    assert_eq!(conduct.agent.response.unwrap().longest, ms(500));
}

#[test]
fn hold_is_hold_and_nothing_else() {
    let mut call = call();
    call.speech(CUSTOMER, ms(0), ms(5_000));
    call.hold(AGENT, ms(6_000));
    call.speech(AGENT, ms(6_000), ms(60_000)); // music
    call.syllables(AGENT, 500);
    call.resume(AGENT, ms(60_000));
    call.speech(AGENT, ms(61_000), ms(63_000));
    let conduct = ended(call, 63_000);
    assert_eq!((conduct.hold, conduct.holds), (ms(54_000), 1));
    assert_eq!(conduct.agent.talk, ms(2_000));
    assert_eq!(conduct.agent.pace, None, "music has no pace");
    assert_eq!(conduct.longest_silence, ms(1_000));
    assert_eq!(conduct.agent.response, None, "coming back from hold isn't answering late");
}

#[test]
fn a_call_held_from_both_sides_goes_on_when_neither_holds_it() {
    let mut call = call();
    call.speech(CUSTOMER, ms(0), ms(1_000));
    call.hold(AGENT, ms(10_000));
    call.hold(CUSTOMER, ms(15_000));
    call.resume(AGENT, ms(20_000));
    call.resume(AGENT, ms(21_000)); // told twice
    call.resume(CUSTOMER, ms(30_000));
    call.resume(CUSTOMER, ms(35_000));
    let conduct = ended(call, 40_000);
    assert_eq!((conduct.hold, conduct.holds), (ms(20_000), 1));
}

#[test]
fn a_call_that_ends_on_hold_was_on_hold_to_the_end() {
    let mut call = call();
    call.speech(CUSTOMER, ms(0), ms(1_000));
    call.hold(AGENT, ms(10_000));
    assert_eq!(ended(call, 70_000).hold, ms(60_000));
}

#[test]
fn pace_is_syllables_over_speech() {
    let mut call = call();
    for second in 0..4u64 {
        call.speech(AGENT, ms(second * 2_000), ms(second * 2_000 + 1_000));
        call.syllables(AGENT, 5);
    }
    assert_eq!(call.conduct().agent.pace, None, "four seconds are too few to tell");
    for second in 4..60u64 {
        call.speech(AGENT, ms(second * 2_000), ms(second * 2_000 + 1_000));
        call.syllables(AGENT, 5);
    }
    let slow = call.conduct().agent.pace.unwrap();
    assert_eq!(slow.syllables_per_second, 5.0);
    assert!((slow.words_per_minute - 231.0).abs() <= 5.0, "{slow:?}");
    for second in 60..120u64 {
        call.speech(AGENT, ms(second * 2_000), ms(second * 2_000 + 1_000));
        call.syllables(AGENT, 7);
    }
    let fast = call.conduct().agent.pace.unwrap();
    assert_eq!(fast.syllables_per_second, 6.0);
    assert!((fast.words_per_minute - 323.0).abs() <= 10.0, "{fast:?}");
}

#[test]
fn conduct_is_told_every_ten_seconds_from_the_first_word_on() {
    let mut call = call();
    for second in 0..65u64 {
        if second == 15 {
            call.speech(AGENT, ms(14_000), ms(15_000));
        }
        call.advance(ms(second * 1_000));
    }
    let times: Vec<_> = std::iter::from_fn(|| call.poll()).map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [20, 30, 40, 50, 60]);
    call.advance(ms(3_600_000));
    assert_eq!(std::iter::from_fn(|| call.poll()).count(), 1, "what was missed in a jump isn't repeated");
}

#[test]
fn what_comes_too_late_is_left_out() {
    let mut call = call();
    call.speech(CUSTOMER, ms(0), ms(1_000));
    call.advance(ms(20_000));
    call.speech(AGENT, ms(5_000), ms(19_000));
    assert_eq!(ended(call, 20_000).agent.talk, ms(1_000), "only what lies in the last two seconds");
}

/// Talk of both legs in one second's grain, and times on hold.
fn talk() -> impl Strategy<Value = Vec<(bool, u64, u64)>> {
    proptest::collection::vec((any::<bool>(), 0u64..120_000, 1u64..9_000), 0..60)
}

fn leg(customer: bool) -> Leg {
    if customer { CUSTOMER } else { AGENT }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn swapped_legs_swap_roles(talk in talk(), holds in proptest::collection::vec((any::<bool>(), 0u64..120_000), 0..6)) {
        let run = |flip: bool| {
            let mut call = call();
            for (place, (who, from, length)) in talk.iter().enumerate() {
                call.speech(leg(*who != flip), ms(*from), ms(from + length));
                call.syllables(leg(*who != flip), (length / 200) as u32);
                if let Some((who, at)) = holds.get(place) {
                    if place % 2 == 0 { call.hold(leg(*who != flip), ms(*at)) } else { call.resume(leg(*who != flip), ms(*at)) }
                }
            }
            ended(call, 130_000)
        };
        let (one, mut other) = (run(false), run(true));
        std::mem::swap(&mut other.customer, &mut other.agent);
        prop_assert_eq!(one, other);
    }

    #[test]
    fn the_sums_add_up(talk in talk()) {
        let mut sorted = talk;
        sorted.sort_by_key(|(_, from, _)| *from);
        let mut call = call();
        for (who, from, length) in &sorted {
            call.speech(leg(*who), ms(*from), ms(from + length));
        }
        let end = ms(200_000);
        let conduct = call.summary(end).conduct;
        if let (Some(a), Some(b)) = (conduct.customer.talk_share, conduct.agent.talk_share) {
            prop_assert!((0.0..=1.0).contains(&a) && (0.0..=1.0).contains(&b) && (a + b - 1.0).abs() < 0.002);
        }
        prop_assert!(conduct.overlap <= conduct.customer.talk.min(conduct.agent.talk));
        prop_assert!(conduct.longest_silence <= conduct.silence);
        let first = sorted.first().map_or(end, |(_, from, _)| ms(*from));
        let spoken = conduct.customer.talk + conduct.agent.talk - conduct.overlap;
        prop_assert!(spoken + conduct.silence <= end - first, "{:?} + {:?}", spoken, conduct.silence);
    }

    /// Within the settling time it doesn't matter which leg is told first, nor how finely.
    #[test]
    fn order_and_grain_do_not_matter(talk in talk(), grain in 20u64..3_000) {
        let mut sorted = talk;
        // None is longer than the settling time: those are to be told in pieces.
        sorted.iter_mut().for_each(|(_, _, length)| *length = (*length).min(1_900));
        sorted.sort_by_key(|(_, from, length)| from + length);
        let mut whole = call();
        for (who, from, length) in sorted.iter().copied() {
            whole.speech(leg(who), ms(from), ms(from + length));
            whole.advance(ms(from + length));
        }
        let mut pieces: Vec<(u64, Leg, u64)> = vec![];
        for (who, from, length) in sorted.iter().copied() {
            let mut at = from;
            while at < from + length {
                let to = (at + grain).min(from + length);
                pieces.push((to, leg(who), at));
                at = to;
            }
        }
        pieces.sort_by_key(|(to, who, from)| (*to, *who == CUSTOMER, *from));
        let mut fine = call();
        for (to, who, from) in pieces {
            fine.speech(who, ms(from), ms(to));
            fine.advance(ms(to));
        }
        let drop_pace = |mut conduct: Conduct| {
            // The fading memory of the pace depends, in the last decimal, on the grain; the counts don't.
            (conduct.customer.pace, conduct.agent.pace) = (None, None);
            conduct
        };
        prop_assert_eq!(drop_pace(ended(whole, 200_000)), drop_pace(ended(fine, 200_000)));
    }

    #[test]
    fn only_conduct_is_told_without_estimates(talk in talk()) {
        let mut call = call();
        for (who, from, length) in talk {
            call.speech(leg(who), ms(from), ms(from + length));
            call.advance(ms(from + length));
        }
        prop_assert!(std::iter::from_fn(|| call.poll()).all(|(_, it)| matches!(it, Insight::Conduct(_))));
    }
}
