//! The bus never waits for anyone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{a_call, narrator};
use proptest::prelude::*;
use sidetone_call::Leg;
use sidetone_events::{Bus, CallHeld, Event, Kind};

fn events(count: u64) -> Vec<Event> {
    let mut narrator = narrator();
    (0..count).map(|at| narrator.tell(Duration::from_millis(at), CallHeld { by: Leg::Agent })).collect()
}

#[test]
fn a_full_queue_drops_its_oldest_and_counts() {
    let bus = Bus::new();
    let mut slow = bus.subscribe("slow", 10, &[]);
    let mut wide = bus.subscribe("wide", 100, &[]);
    events(25).into_iter().for_each(|event| bus.publish(event));
    let received: Vec<_> = std::iter::from_fn(|| slow.try_recv()).map(|it| it.event.seq).collect();
    assert_eq!(received, (16..=25).collect::<Vec<_>>(), "the newest, in order");
    assert_eq!((slow.counts().dropped, slow.counts().queued), (15, 0));
    assert_eq!(std::iter::from_fn(|| wide.try_recv()).count(), 25, "the others lose nothing by it");
    assert_eq!((wide.counts().dropped, bus.published()), (0, 25));
}

#[test]
fn a_subscriber_gets_the_kinds_it_asked_for() {
    let bus = Bus::new();
    let mut alerts = bus.subscribe("alerts", 100, &[Kind::AffectAlert, Kind::CallEnded]);
    a_call().into_iter().for_each(|event| bus.publish(event));
    let kinds: Vec<_> = std::iter::from_fn(|| alerts.try_recv()).map(|it| it.event.kind()).collect();
    assert_eq!(kinds, [Kind::AffectAlert, Kind::CallEnded]);
}

#[test]
fn what_was_published_before_the_close_is_still_received() {
    let bus = Bus::new();
    let mut subscription = bus.subscribe("one", 10, &[]);
    events(3).into_iter().for_each(|event| bus.publish(event));
    bus.close();
    events(3).into_iter().for_each(|event| bus.publish(event));
    let received: Vec<_> =
        std::iter::from_fn(|| subscription.recv_blocking()).map(|it| it.event.seq).collect();
    assert_eq!(received, [1, 2, 3]);
}

#[test]
fn a_dropped_subscription_is_gone() {
    let bus = Bus::new();
    let one = bus.subscribe("one", 10, &[]);
    let two = bus.subscribe("two", 10, &[]);
    drop(one);
    assert_eq!(bus.counts().iter().map(|it| it.name.clone()).collect::<Vec<_>>(), ["two"]);
    drop(bus);
    drop(two);
}

#[test]
fn the_json_is_one_line() {
    let bus = Bus::new();
    let mut subscription = bus.subscribe("one", 100, &[]);
    a_call().into_iter().for_each(|event| bus.publish(event));
    while let Some(published) = subscription.try_recv() {
        assert!(!published.json().contains('\n'));
        assert_eq!(serde_json::from_str::<Event>(published.json()).unwrap(), published.event);
    }
}

/// A subscriber that has stopped receiving, and others that come and go, hold no publisher back: if one did, this test
/// would never end.
#[test]
fn publishers_go_on_whatever_subscribers_do() {
    let bus = Bus::new();
    let stuck = bus.subscribe("stuck", 4, &[]);
    let done = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let churn = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut passing = bus.subscribe("passing", 4, &[]);
                let _ = passing.try_recv();
            }
        });
        let publishers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| events(2_000).into_iter().for_each(|event| bus.publish(event))))
            .collect();
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        done.store(true, Ordering::Relaxed);
        churn.join().unwrap();
    });
    let counts = stuck.counts();
    assert_eq!((counts.queued, counts.dropped), (4, 7_996));
}

#[test]
fn a_thread_that_waits_is_woken() {
    let bus = Bus::new();
    let mut subscription = bus.subscribe("waiting", 10_000, &[]);
    let waiting = std::thread::spawn(move || {
        let mut seen = vec![];
        while let Some(published) = subscription.recv_blocking() {
            seen.push(published.event.seq);
        }
        seen
    });
    for event in events(500) {
        bus.publish(event);
        std::thread::yield_now();
    }
    bus.close();
    assert_eq!(waiting.join().unwrap(), (1..=500).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the order of publishing and receiving, what arrives is in order and nothing is uncounted.
    #[test]
    fn received_and_dropped_make_up_all(steps in proptest::collection::vec(any::<bool>(), 0..200), capacity in 1usize..20) {
        let bus = Bus::new();
        let mut subscription = bus.subscribe("one", capacity, &[]);
        let mut coming = events(200).into_iter();
        let mut received = vec![];
        let mut published = 0;
        for publish in steps {
            if publish {
                bus.publish(coming.next().unwrap());
                published += 1;
            } else if let Some(event) = subscription.try_recv() {
                received.push(event.event.seq);
            }
        }
        let counts = subscription.counts();
        prop_assert!(received.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(received.len() as u64 + counts.dropped + counts.queued as u64, published);
        prop_assert!(counts.queued <= capacity);
    }
}
