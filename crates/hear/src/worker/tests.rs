use std::sync::mpsc;
use std::time::Duration;

use sidetone_call::Side;

use super::*;
use crate::ear::testing::{Datagram, Phone, caller, ms, permit, plan};
use crate::inbox::{Orders, inbox};
use sidetone_tap::{Arrival, TapSender, Tapped, ring};

const ONE: CallKey = CallKey(1);
const TWO: CallKey = CallKey(2);

/// A worker with a simulated clock, one ring, and both of the book's ends.
struct Bench {
    worker: Worker,
    orders: Arc<Orders>,
    tap: TapSender,
    outcomes: mpsc::Receiver<Outcome>,
}

impl Bench {
    fn new() -> Self {
        Self::answering(|_, _| {})
    }

    /// With a book that reacts to each outcome, on the worker's thread as the real one does.
    fn answering(book: impl Fn(&Orders, &Outcome) + Send + 'static) -> Self {
        let (tap, receiver) = ring(1 << 22);
        let (orders, inbox) = inbox();
        let orders = Arc::new(orders);
        let (told, outcomes) = mpsc::channel();
        let given = Arc::clone(&orders);
        let report = Box::new(move |outcome| {
            book(&given, &outcome);
            told.send(outcome).unwrap();
        });
        let model = Model::embedded().unwrap();
        let worker = Worker::new(inbox, vec![receiver], model, report, Arc::default(), Instant::now());
        Self { worker, orders, tap, outcomes }
    }

    fn order(&self, orders: impl IntoIterator<Item = Work>) {
        orders.into_iter().for_each(|order| self.orders.give(order));
    }

    /// Puts packets of the customer's into the ring, where they wait.
    fn copy(&mut self, call: CallKey, packets: &[Datagram]) {
        for (at, packet) in packets {
            let tapped = Tapped { call, stream: 0, side: Side::Trunk, came: (*at).into(), packet };
            assert!(self.tap.send(&tapped), "the ring is full");
        }
    }

    /// The same for packets that waited in their socket until a delayed relay thread read them at `taken`: their
    /// arrival is only known to be after `empty`, when the socket was empty.
    fn copy_late(&mut self, call: CallKey, packets: &[Datagram], empty: Duration, taken: Duration) {
        for (_, packet) in packets {
            let came = Arrival { earliest: empty, latest: taken };
            assert!(
                self.tap.send(&Tapped { call, stream: 0, side: Side::Trunk, came, packet }),
                "the ring is full"
            );
        }
    }

    /// Sound that has reached the model.
    fn heard(&self) -> Duration {
        ms(self.worker.counters.model_ms.load(Relaxed))
    }
}

fn begin(call: CallKey) -> Work {
    Work::Begin {
        call,
        origin: Duration::ZERO,
        thresholds: Box::default(),
        in_band: true,
        coach: None,
        words: None,
    }
}

/// The orders for a call until it is answered.
fn answered(call: CallKey) -> [Work; 3] {
    let plan = Work::Plan { call, stream: 0, plan: Box::new(plan(Ok(()))) };
    [begin(call), plan, Work::Answered(call, ms(3_900))]
}

/// How much sound is in the packets that came at `since` or later.
fn came_since(packets: &[Datagram], since: Duration) -> Duration {
    ms(20) * u32::try_from(packets.iter().filter(|(at, _)| *at >= since).count()).unwrap()
}

#[test]
fn a_panic_in_an_order_costs_its_call_alone() {
    let mut bench = Bench::new();
    bench.order([begin(ONE), begin(TWO)]);
    bench.worker.round(ms(0));
    bench.worker.contain(ONE, |_| panic!("a fault in the analysis"));
    assert_eq!(bench.worker.keys(), [TWO]);
    assert!(matches!(bench.outcomes.try_recv(), Ok(Outcome::Broken(ONE))));
    assert_eq!(bench.worker.counters.panics.load(Relaxed), 1);
    bench.order([Work::Answered(ONE, ms(1)), Work::Finish(TWO, ms(2))]);
    bench.worker.round(ms(10));
    assert!(matches!(bench.outcomes.try_recv(), Ok(Outcome::Finished { call: TWO, .. })));
}

#[test]
fn a_call_with_too_many_orders_is_given_up_alone() {
    let mut bench = Bench::new();
    bench.order([begin(ONE), Work::Listen(permit(ONE), ms(0)), begin(TWO)]);
    bench.worker.round(ms(0));
    bench.order((0..1_000).map(|n| Work::Held(ONE, Side::Pbx, ms(n))));
    bench.worker.round(ms(10));
    assert_eq!(bench.worker.keys(), [TWO]);
    assert!(matches!(bench.outcomes.try_recv(), Ok(Outcome::Broken(ONE))));
    assert_eq!(bench.worker.counters.abandoned.load(Relaxed), 1);
}

#[test]
fn the_end_of_a_call_comes_when_all_of_it_is_heard() {
    let mut bench = Bench::new();
    // More than a round takes, from two calls side by side.
    let packets = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(28_000)));
    bench.order(answered(ONE));
    bench.order([Work::Listen(permit(ONE), ms(0))]);
    for _ in 0..4 {
        bench.copy(TWO, &packets);
    }
    bench.copy(ONE, &packets[..100]);
    bench.order([Work::Finish(ONE, ms(6_000))]);
    bench.worker.round(ms(4_000));
    assert!(bench.outcomes.try_iter().all(|told| !matches!(told, Outcome::Finished { .. })));
    // Packets after the end are not waited for.
    bench.copy(TWO, &packets);
    bench.worker.round(ms(4_000));
    let finished = |told: &Outcome| matches!(told, Outcome::Finished { call: ONE, .. });
    assert_eq!(bench.outcomes.try_iter().filter(finished).count(), 1);
    assert_eq!(bench.heard(), ms(2_000));
}

/// The ring holds packets from before and after consent when the order comes; the arrival of each decides whether the
/// model gets it.
#[test]
fn of_what_waits_only_that_which_came_after_consent_reaches_the_model() {
    for (consent, early_media) in [(4_750, false), (4_760, false), (4_761, false), (4_750, true)] {
        let mut bench = Bench::new();
        let packets = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(5_600)));
        bench.order(answered(ONE));
        if early_media {
            bench.worker.round(ms(3_950));
        }
        bench.copy(ONE, &packets);
        bench.order([Work::Listen(permit(ONE), ms(consent))]);
        bench.worker.round(ms(5_600));
        let expected = came_since(&packets, ms(consent));
        assert!(expected > ms(800) && expected < ms(900));
        assert_eq!(bench.heard(), expected, "consent at {consent} ms");
        bench.order([Work::Finish(ONE, ms(5_600))]);
        bench.worker.round(ms(5_610));
        let heard = bench.outcomes.try_iter().find_map(|told| match told {
            Outcome::Finished { heard, .. } => Some(heard),
            _ => None,
        });
        let heard = heard.unwrap();
        assert!(heard.len() == 1 && heard[0].0 >= ms(consent), "{heard:?}");
    }
}

/// A worker that stood still: all but the end of the ring is too old to be listened to.
#[test]
fn a_worker_that_is_behind_drops_the_oldest_sound_and_hears_the_keys_in_it() {
    for in_band in [false, true] {
        let mut bench = Bench::new();
        let mut phone = Phone::new(ms(4_000));
        let mut packets = phone.speak(&caller(ms(4_000), ms(8_000)));
        packets.extend(if in_band { phone.speak(&nine()) } else { phone.press() });
        packets.extend(phone.speak(&caller(ms(15_000), ms(20_000))));
        let now = phone.at;
        bench.order(answered(ONE));
        bench.order([Work::Listen(permit(ONE), ms(4_000))]);
        bench.copy(ONE, &packets);
        bench.worker.round(now);
        let keys = bench.outcomes.try_iter().filter(|told| matches!(told, Outcome::Key(ONE, ..))).count();
        assert_eq!(keys, 1, "in band: {in_band}");
        assert_eq!(bench.heard(), came_since(&packets, now - CAUGHT_UP));
        let late = packets.iter().filter(|(at, _)| *at < now - CAUGHT_UP).count();
        assert_eq!(bench.worker.counters.shed.load(Relaxed), late as u64);
        // The worker listens again to packets in time.
        let more = phone.speak(&caller(ms(15_000), ms(16_000)));
        bench.copy(ONE, &more);
        bench.worker.round(phone.at);
        assert_eq!(bench.heard(), came_since(&packets, now - CAUGHT_UP) + ms(1_000));
    }
}

/// A book that answers a key with the order to erase, as the real one does.
fn refusing() -> Bench {
    Bench::answering(|orders, outcome| {
        if let Outcome::Key(call, ..) = outcome {
            orders.give(Work::Deafen { call: *call, erase: true });
        }
    })
}

/// A refusal that waits in the ring among the sound of two calls, a second old: packets behind it are not heard.
#[test]
fn an_objection_in_the_ring_is_carried_out_before_the_packet_behind_it() {
    let mut bench = refusing();
    let mut phone = Phone::new(ms(4_000));
    let before = phone.speak(&caller(ms(4_000), ms(5_000)));
    let pressed = phone.press();
    let after = phone.speak(&caller(ms(5_000), ms(5_800)));
    let other = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(6_000)));
    bench.order(answered(ONE).into_iter().chain(answered(TWO)));
    bench.order([Work::Listen(permit(ONE), ms(4_000)), Work::Listen(permit(TWO), ms(4_000))]);
    let mut all: Vec<_> = [(ONE, before), (ONE, pressed), (ONE, after), (TWO, other)]
        .into_iter()
        .flat_map(|(call, packets)| packets.into_iter().map(move |packet| (call, packet)))
        .collect();
    all.sort_by_key(|(_, (at, _))| *at);
    all.iter().for_each(|(call, packet)| bench.copy(*call, std::slice::from_ref(packet)));
    bench.worker.round(ms(6_000));
    assert_eq!(bench.heard(), ms(1_000) + ms(2_000), "of the one up to the key, of the other all");
}

/// An order that is given while a long round goes on does not wait for its end.
#[test]
fn an_objection_from_elsewhere_does_not_wait_for_the_rest_of_a_round() {
    let mut bench = Bench::answering(|orders, outcome| {
        if let Outcome::Key(TWO, ..) = outcome {
            orders.give(Work::Deafen { call: ONE, erase: true });
        }
    });
    let mut signal = Phone::new(ms(4_500));
    let packets = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(5_900)));
    bench.order(answered(ONE).into_iter().chain(answered(TWO)));
    bench.order([Work::Listen(permit(ONE), ms(4_000))]);
    bench.copy(ONE, &packets[..20]);
    bench.copy(TWO, &signal.press());
    bench.copy(ONE, &packets[20..]);
    bench.worker.round(ms(5_900));
    assert_eq!(bench.heard(), ms(400));
}

/// A delayed relay thread reads packets from its sockets after consent that came before them.
#[test]
fn what_may_have_come_before_consent_is_not_heard() {
    let mut bench = Bench::new();
    let packets = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(6_000)));
    let (consent, taken) = (ms(5_000), ms(5_500));
    let (late, rest): (Vec<_>, Vec<_>) = packets.into_iter().partition(|(at, _)| *at <= taken);
    bench.order(answered(ONE));
    bench.order([Work::Listen(permit(ONE), consent)]);
    bench.copy_late(ONE, &late, ms(3_990), taken);
    bench.copy(ONE, &rest);
    bench.worker.round(ms(6_000));
    assert!(rest.len() >= 20);
    assert_eq!(
        bench.heard(),
        came_since(&rest, taken),
        "of what was said by half a second after consent nothing"
    );
}

#[test]
fn what_came_while_consent_was_withdrawn_is_not_heard_when_it_comes_back() {
    let mut bench = Bench::new();
    let packets = Phone::new(ms(4_000)).speak(&caller(ms(4_000), ms(5_500)));
    bench.order(answered(ONE));
    bench.order([Work::Listen(permit(ONE), ms(4_000))]);
    bench.copy(ONE, &packets[..25]);
    bench.worker.round(ms(4_500));
    bench.copy(ONE, &packets[25..]);
    bench.order([Work::Deafen { call: ONE, erase: false }, Work::Listen(permit(ONE), ms(5_000))]);
    bench.worker.round(ms(5_500));
    assert_eq!(bench.heard(), ms(500) + came_since(&packets, ms(5_000)));
}

/// Tones of the key 9: 852 and 1477 Hz (ITU-T Q.23).
fn nine() -> Vec<i16> {
    let tone = |n: u32, hertz: f64| (f64::from(n) / 8_000.0 * std::f64::consts::TAU * hertz).sin();
    (0..1_600).map(|n| (6_000.0 * tone(n, 852.0) + 6_000.0 * tone(n, 1_477.0)) as i16).collect()
}

/// The call book answers a key with an order in the same instant, so this is all the time that a refusal takes. The
/// simulated clock advances twenty milliseconds a round, twice the most that a round may take.
#[test]
fn a_refusal_keeps_the_model_from_hearing_more_than_100_ms_of_what_follows() {
    for in_band in [false, true] {
        let mut bench = refusing();
        bench.order(answered(ONE));
        bench.order([Work::Listen(permit(ONE), ms(3_900))]);
        let mut phone = Phone::new(ms(4_000));
        let mut packets = phone.speak(&caller(ms(4_000), ms(14_000)));
        let pressed = phone.at;
        packets.extend(if in_band { phone.speak(&nine()) } else { phone.press() });
        packets.extend(phone.speak(&caller(ms(14_000), ms(24_000))));
        let (mut keys, mut insights) = (0, 0);
        for packet in packets {
            let at = packet.0;
            bench.copy(ONE, &[packet]);
            bench.worker.round(at);
            for outcome in bench.outcomes.try_iter() {
                match outcome {
                    Outcome::Key(ONE, ..) => keys += 1,
                    Outcome::Insight(..) if keys == 0 => insights += 1,
                    // The book drops the outcomes on their way, which are of the same round.
                    Outcome::Insight(_, when, _) => {
                        assert!(when <= at && at <= pressed + ms(120), "{when:?}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!(keys == 1 && insights > 0, "in band: {in_band}; {keys} keys, {insights} insights");
        let said = pressed - ms(4_000);
        let most = if in_band { said + ms(100) } else { said };
        assert!(
            (said..=most).contains(&bench.heard()),
            "in band: {in_band}; {:?} of {said:?}",
            bench.heard()
        );
        bench.order([Work::Finish(ONE, ms(24_500))]);
        bench.worker.round(ms(24_500));
        let Ok(Outcome::Finished { summary, timeline, .. }) = bench.outcomes.try_recv() else {
            panic!("no end")
        };
        assert!(timeline.is_empty(), "what was inferred is erased");
        assert!(summary.is_none_or(|summary| summary.analysis.erased));
    }
}
