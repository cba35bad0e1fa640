use std::time::Duration;

use sidetone_call::{CallKey, Side};

use super::{Closed, MOST_WAITING, inbox};
use crate::ear::testing::{ms, permit, plan, rejected};
use crate::worker::Work;

const ONE: CallKey = CallKey(1);
const TWO: CallKey = CallKey(2);

fn held(n: usize) -> Work {
    let at = ms(n as u64);
    if n.is_multiple_of(2) { Work::Held(ONE, Side::Pbx, at) } else { Work::Resumed(ONE, Side::Pbx, at) }
}

#[test]
fn a_call_that_floods_is_given_up_and_another_calls_objection_arrives() {
    let (orders, inbox) = inbox();
    for n in 0..100_000 {
        orders.give(held(n));
    }
    orders.give(Work::Listen(permit(ONE), ms(1)));
    orders.give(Work::Deafen { call: TWO, erase: true });
    let taken = inbox.take();
    assert!(
        matches!(taken.as_slice(), [Work::Abandon(ONE), Work::Deafen { call: TWO, erase: true }]),
        "{taken:?}"
    );
    // Once the abandonment has been taken, the book may start the call's analysis again.
    orders.give(Work::Answered(ONE, ms(2)));
    assert!(matches!(inbox.take().as_slice(), [Work::Answered(ONE, _)]));
}

#[test]
fn up_to_the_bound_nothing_is_left_out_or_reordered() {
    let (orders, inbox) = inbox();
    (0..MOST_WAITING).for_each(|n| orders.give(held(n)));
    let times = inbox.take().into_iter().map(|work| match work {
        Work::Held(_, _, at) | Work::Resumed(_, _, at) => at,
        other => panic!("{other:?}"),
    });
    assert!(times.eq((0..MOST_WAITING).map(|n| ms(n as u64))));
}

#[test]
fn only_the_newest_plan_of_a_stream_waits() {
    let (orders, inbox) = inbox();
    let of = |stream, plan| Work::Plan { call: ONE, stream, plan: Box::new(plan) };
    for _ in 0..1_000 {
        orders.give(of(0, plan(Ok(()))));
    }
    orders.give(of(1, plan(Ok(()))));
    orders.give(of(0, rejected()));
    let taken = inbox.take();
    let [Work::Plan { stream: 1, .. }, Work::Plan { stream: 0, plan, .. }] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert_eq!(**plan, rejected());
}

#[test]
fn an_inbox_ends_when_the_book_is_gone_and_all_is_taken() {
    let (orders, inbox) = inbox();
    assert!(!inbox.any());
    assert_eq!(inbox.wait(Duration::ZERO), Ok(()));
    orders.give(Work::Finish(ONE, ms(1)));
    drop(orders);
    assert_eq!(inbox.wait(Duration::from_secs(60)), Ok(()));
    assert_eq!(inbox.take().len(), 1);
    assert_eq!(inbox.wait(Duration::from_secs(60)), Err(Closed));
}

#[test]
fn what_is_given_to_a_worker_that_is_gone_is_not_kept() {
    let (orders, inbox) = inbox();
    orders.give(Work::Finish(ONE, ms(1)));
    let shared = std::sync::Arc::downgrade(&inbox.shared);
    drop(inbox);
    orders.give(Work::Finish(TWO, ms(1)));
    assert!(shared.upgrade().is_some_and(|shared| shared.lock().orders.is_empty()));
}
