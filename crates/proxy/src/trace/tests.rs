//! Messages as the SIP side hands them over, and the traces that receive them.

use std::time::Instant;

use sidetone_events::Bus;
use sidetone_sip::Transport;

use super::*;
use sidetone_book::Rules;

fn tracer() -> (Tracer, Arc<Calls>) {
    let hasher = NumberHasher::with_random_salt().unwrap();
    let calls =
        Arc::new(Calls::new(Bus::new(), hasher.clone(), Vec::new(), Rules::default(), Instant::now()));
    let wall = Timestamp::from_unix_millis(1_000_000);
    (Tracer::start(hasher, &calls, wall, Instant::now(), &sidetone_watch::Alarm::new()).unwrap(), calls)
}

fn flow() -> Flow {
    let addr = |text: &str| text.parse().unwrap();
    Flow { transport: Transport::Udp, local: addr("192.0.2.10:5060"), remote: addr("192.0.2.1:5060") }
}

fn request(method: &str, call_id: &str, to_tag: &str) -> Bytes {
    Bytes::from(format!(
        "{method} sip:b@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>{to_tag}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
    ))
}

fn response(status: u16, call_id: &str, method: &str) -> Bytes {
    Bytes::from(format!(
        "SIP/2.0 {status} Word\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>;tag=2\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\r\n"
    ))
}

fn carrier() -> Option<(Side, String)> {
    Some((Side::Trunk, "carrier".to_owned()))
}

#[tokio::test]
async fn the_next_calls_are_taken_up_and_no_more() {
    let (tracer, _calls) = tracer();
    let mut trace = tracer.open(Wanted::Next(2)).unwrap();
    let at = Duration::from_secs(1);
    for (bytes, peer) in [
        (request("OPTIONS", "o", ""), carrier()),
        (request("INVITE", "s", ""), None),
        (request("INVITE", "reinvite", ";tag=9"), carrier()),
        (request("INVITE", "one", ""), carrier()),
        (request("INVITE", "two", ""), carrier()),
        (request("INVITE", "three", ""), carrier()),
    ] {
        tracer.received(at, &flow(), &bytes, || peer);
    }
    tracer.settle();
    let to = Destination::from(flow());
    tracer.sent(at, &to, &response(486, "two", "INVITE"), carrier);
    tracer.settle();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = trace.next().await.unwrap();
        seen.push((message.call, message.in_events.clone(), message.begins, message.ends));
    }
    let of = |call, id: &str, begins, ends| (call, id.to_owned(), begins, ends);
    assert_eq!(seen, [of(1, "one", true, false), of(2, "two", true, false), of(2, "two", false, true)]);
}

#[test]
fn nobody_looking_costs_nothing_and_a_refusal_is_looked_at() {
    let (tracer, _calls) = tracer();
    let at = Duration::from_secs(1);
    assert!(!tracer.is_wanted(at, &request("INVITE", "x", "")));
    assert!(!tracer.is_wanted(at, &response(200, "x", "INVITE")));
    let refusal = response(503, "x", "INVITE");
    assert_eq!((0..1_000).filter(|_| tracer.is_wanted(at, &refusal)).count() as u64, MOST_REFUSALS);
    assert!(tracer.is_wanted(at + Duration::from_secs(1), &refusal));
}

#[test]
fn traces_are_few_and_give_their_places_back() {
    let (tracer, _calls) = tracer();
    let mut open: Vec<Trace> = (0..MOST_SESSIONS).map(|_| tracer.open(Wanted::Next(1)).unwrap()).collect();
    assert!(tracer.open(Wanted::Next(1)).is_none());
    open.pop();
    assert!(tracer.open(Wanted::Next(1)).is_some());
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_messages_and_is_told_so() {
    let (tracer, _calls) = tracer();
    let mut trace = tracer.open(Wanted::Call("x".to_owned())).unwrap();
    let message = request("OPTIONS", "x", ";tag=2");
    // No faster than the thread takes them, so that the reader's queue is the one that fills.
    let mut given = 0;
    while given < MOST_UNREAD + 10 {
        let before = tracer.lost.load(Relaxed);
        tracer.received(Duration::from_secs(1), &flow(), &message, carrier);
        tracer.settle();
        if tracer.lost.load(Relaxed) == before {
            given += 1;
        } else {
            std::thread::yield_now();
        }
    }
    // The thread has seen all of them once it has seen this message of another trace.
    let mut other = tracer.open(Wanted::Call("y".to_owned())).unwrap();
    while {
        let before = tracer.lost.load(Relaxed);
        tracer.received(Duration::from_secs(1), &flow(), &request("OPTIONS", "y", ";tag=2"), carrier);
        tracer.settle();
        tracer.lost.load(Relaxed) != before
    } {}
    other.next().await.unwrap();
    for _ in 0..MOST_UNREAD {
        trace.next().await.unwrap();
    }
    tracer.received(Duration::from_secs(2), &flow(), &message, carrier);
    tracer.settle();
    let line = serde_json::to_value(trace.next().await.unwrap()).unwrap();
    assert_eq!(line["lost_before"], 10, "{line}");
}

mod refused {
    use super::super::redact;
    use super::super::refusals::{By, Refusals};
    use super::*;

    fn by(refusals: &mut Refusals, way: Way, peer: Option<(Side, String)>, bytes: Bytes) -> Option<By> {
        let (shown, belongs) = redact::message(
            &NumberHasher::with_random_salt().unwrap(),
            &mut redact::Remembered::default(),
            &bytes,
        )
        .unwrap();
        let seen = Seen { at: Duration::ZERO, way, flow: flow(), peer, bytes };
        refusals.by(&seen, &shown, &belongs.call_id)
    }

    #[test]
    fn a_refusal_is_the_side_s_that_it_came_from_and_told_once() {
        let mut refusals = Refusals::default();
        let pbx = || Some((Side::Pbx, "asterisk".to_owned()));
        assert_eq!(by(&mut refusals, Way::In, pbx(), response(486, "x", "INVITE")), None);
        let out = |refusals: &mut Refusals, status| {
            by(refusals, Way::Out, carrier(), response(status, "x", "INVITE"))
        };
        assert_eq!(out(&mut refusals, 486), Some(By::Side(Side::Pbx)));
        assert_eq!(out(&mut refusals, 486), None, "a retransmission");
        assert_eq!(out(&mut refusals, 503), Some(By::Sidetone));
        assert_eq!(by(&mut refusals, Way::Out, carrier(), response(481, "x", "BYE")), None);
        assert_eq!(by(&mut refusals, Way::Out, carrier(), response(200, "x", "INVITE")), None);
    }
}
