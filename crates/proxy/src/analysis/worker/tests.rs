use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::analysis::ear::testing::{Phone, caller, ms, plan};
use crate::tap::{TapReceiver, Tapped, ring};

const ONE: CallKey = CallKey(1);
const TWO: CallKey = CallKey(2);

fn worker(inbox: Receiver<Work>, taps: Vec<TapReceiver>, report: Box<dyn Fn(Outcome) + Send>) -> Worker {
    Worker {
        inbox,
        taps,
        model: Model::embedded().unwrap(),
        report,
        counters: Arc::default(),
        // So long ago that all that is told now and then is due at once.
        epoch: Instant::now().checked_sub(Duration::from_secs(60)).unwrap(),
    }
}

fn begin(call: CallKey) -> Work {
    Work::Begin { call, origin: Duration::ZERO, thresholds: Box::default(), in_band: true }
}

fn broken(outcomes: &mpsc::Receiver<Outcome>) -> Vec<CallKey> {
    outcomes
        .try_iter()
        .filter_map(|told| if let Outcome::Broken(key) = told { Some(key) } else { None })
        .collect()
}

#[test]
fn a_panic_in_an_order_costs_its_call_alone() {
    let (told, outcomes) = mpsc::channel();
    let worker = worker(mpsc::channel().1, Vec::new(), Box::new(move |outcome| told.send(outcome).unwrap()));
    let mut calls = Calls::new();
    worker.obey(&mut calls, begin(ONE));
    worker.obey(&mut calls, begin(TWO));
    worker.contain(&mut calls, ONE, |_| panic!("a fault in the analysis"));
    assert_eq!(calls.keys().collect::<Vec<_>>(), [&TWO]);
    assert_eq!(broken(&outcomes), [ONE]);
    assert_eq!(worker.counters.panics.load(Relaxed), 1);
    worker.obey(&mut calls, Work::Answered(ONE, ms(1)));
    worker.finish(&mut calls, TWO, ms(2));
    assert!(matches!(outcomes.try_recv(), Ok(Outcome::Finished(TWO, ..))));
}

#[test]
fn an_order_holds_for_the_packets_behind_it_and_the_end_comes_last() {
    let (told, outcomes) = mpsc::channel();
    let (orders, inbox) = mpsc::channel();
    let (mut tap, taps) = ring(1 << 20);
    let worker = worker(inbox, vec![taps], Box::new(move |outcome| told.send(outcome).unwrap()));
    let counters = Arc::clone(&worker.counters);
    // All of the call waits when the worker first looks.
    for (at, packet) in Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(10_000))) {
        assert!(tap.send(&Tapped { call: ONE, stream: 0, face: Face::Trunk, at, packet: &packet }));
    }
    for order in [
        begin(ONE),
        Work::Listen(ONE),
        Work::Plan { call: ONE, stream: 0, plan: Box::new(plan(Ok(()))) },
        Work::Answered(ONE, ms(3_900)),
        Work::Finish(ONE, ms(10_000)),
    ] {
        orders.send(order).unwrap();
    }
    drop(orders);
    worker.run();
    assert!(outcomes.iter().any(|told| matches!(told, Outcome::Finished(ONE, ..))));
    assert_eq!(counters.model_ms.load(Relaxed), 6_000);
}
