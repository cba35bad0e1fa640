use std::sync::mpsc;
use std::time::Duration;

use sidetone_consent::policy::{Facts, Settings};
use sidetone_consent::{Input, Machine, Policy};

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

/// What the consent machine of a call gives whose callers were told before.
fn permit(call: CallKey) -> ListeningPermit {
    let settings = Settings::default();
    let decision = settings.decide(&Facts { trunk_policy: Policy::GivenUpstream, ..Facts::default() });
    let mut machine = Machine::new(settings.terms(&decision, false), Duration::ZERO).of_call(call.0);
    machine.input(Duration::ZERO, Input::Answered);
    machine.permit().unwrap()
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
        Work::Listen(permit(ONE)),
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

/// Tones of the key 9: 852 and 1477 Hz (ITU-T Q.23).
fn nine() -> Vec<i16> {
    let tone = |n: u32, hertz: f64| (f64::from(n) / 8_000.0 * std::f64::consts::TAU * hertz).sin();
    (0..1_600).map(|n| (6_000.0 * tone(n, 852.0) + 6_000.0 * tone(n, 1_477.0)) as i16).collect()
}

/// The call book answers a key with an order in the same instant; so this is all the time that a refusal takes. Told the
/// time, twenty milliseconds a round, which is twice what a round may take.
#[test]
fn a_refusal_keeps_the_model_from_hearing_more_than_100_ms_of_what_follows() {
    for in_band in [false, true] {
        let (told, outcomes) = mpsc::channel();
        let (orders, inbox) = mpsc::channel();
        let (mut tap, taps) = ring(1 << 20);
        let mut worker = worker(inbox, vec![taps], Box::new(move |outcome| told.send(outcome).unwrap()));
        let mut calls = Calls::new();
        let plan = Box::new(plan(Ok(())));
        let begun = [
            begin(ONE),
            Work::Listen(permit(ONE)),
            Work::Plan { call: ONE, stream: 0, plan },
            Work::Answered(ONE, ms(3_900)),
        ];
        begun.into_iter().for_each(|order| orders.send(order).unwrap());
        let mut phone = Phone::new(ms(4_000));
        let mut packets = phone.speak(&caller(ms(4_000), ms(14_000)));
        let pressed = phone.at;
        packets.extend(if in_band { phone.speak(&nine()) } else { phone.press() });
        packets.extend(phone.speak(&caller(ms(14_000), ms(24_000))));
        let (mut keys, mut insights) = (0, 0);
        for (at, packet) in packets {
            assert!(tap.send(&Tapped { call: ONE, stream: 0, face: Face::Trunk, at, packet: &packet }));
            worker.take(&mut calls, None);
            worker.think(&mut calls, at);
            for outcome in outcomes.try_iter() {
                match outcome {
                    Outcome::Key(ONE, ..) => {
                        keys += 1;
                        orders.send(Work::Deafen { call: ONE, erase: true }).unwrap();
                    }
                    Outcome::Insight(..) if keys == 0 => insights += 1,
                    // The book drops what was on its way, which is of the same round.
                    Outcome::Insight(_, when, _) => {
                        assert!(when <= at && at <= pressed + ms(120), "{when:?}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(keys == 1 && insights > 0, "in band: {in_band}; {keys} keys, {insights} insights");
        let heard = ms(worker.counters.model_ms.load(Relaxed));
        let said = pressed - ms(4_000);
        assert!(
            (said - ms(20)..=said + ms(100)).contains(&heard),
            "in band: {in_band}; {heard:?} of {said:?}"
        );
        worker.take(&mut calls, Some(Work::Finish(ONE, ms(24_500))));
        let Ok(Outcome::Finished(ONE, summary, timeline)) = outcomes.try_recv() else { panic!("no end") };
        assert!(timeline.is_empty(), "what was inferred is erased");
        assert!(summary.is_none_or(|summary| summary.analysis.erased));
    }
}
