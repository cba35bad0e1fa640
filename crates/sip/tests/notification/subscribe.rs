//! Subscriptions, from SUBSCRIBE to the last NOTIFY.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Nature;
use sidetone_sip::message::{Message, Name};
use sidetone_sip::notification::{Ask, Counts, Notifier, Parcel, Reply};
use sidetone_sip::proxy::Answer;

use crate::office::secs;

const OK: Answer = Answer::Final { status: 200, retry_after: None };

struct Desk {
    notifier: Notifier,
    now: Duration,
    pbx: Arc<str>,
}

fn subscribe(number: u32, to: &str, event: &str, headers: &str) -> Message {
    let text = format!(
        "SUBSCRIBE sip:sidetone@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.20;branch=z9hG4bK{number}\r\n\
         Record-Route: <sip:203.0.113.30;lr>\r\nFrom: <sip:office@203.0.113.20>;tag=s\r\n\
         To: <sip:sidetone@192.0.2.1>{to}\r\nCall-ID: watch\r\nCSeq: {number} SUBSCRIBE\r\n\
         Contact: <sip:office@203.0.113.20:5080>\r\nEvent: {event}\r\n{headers}\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

const EVENT: &str = "x-sidetone-affect;call-id=\"a@b\";id=7";

impl Desk {
    fn new() -> Self {
        Self { notifier: Notifier::new(), now: secs(100), pbx: "office".into() }
    }

    fn ask(&mut self, request: &Message) -> Reply {
        let contact = "<sip:sidetone@192.0.2.1:5060>";
        let content_type = "application/json";
        let ask = Ask { request, tag: "us", contact, pbx: &self.pbx, content_type };
        self.notifier.subscribe(self.now, &ask, |call| call == "a@b")
    }

    fn status(&mut self, request: &Message) -> u16 {
        self.ask(request).status
    }

    fn tell(&mut self, nature: Nature, body: &str) {
        let parcel = Parcel { content_type: "application/json", body: Bytes::from(body.to_owned()), nature };
        self.notifier.tell(self.now, &self.pbx, "a@b", &parcel);
    }

    /// The next NOTIFY, answered so.
    fn notify(&mut self, answer: Answer) -> Option<Message> {
        let (id, _, hop) = self.notifier.wanting(self.now)?;
        assert_eq!(hop.as_str(), "sip:203.0.113.30;lr");
        let draft = self.notifier.write(self.now, id).unwrap();
        assert!(self.notifier.wanting(self.now).is_none(), "one at a time");
        self.notifier.answered(self.now, id, answer);
        let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn";
        Some(Message::parse(draft.head.via(via).body(&draft.body)).unwrap())
    }

    #[track_caller]
    fn notified(&mut self) -> (String, String) {
        let notify = self.notify(OK).expect("a NOTIFY");
        let state = notify.headers_called("Subscription-State").next().unwrap().text().into_owned();
        (state, String::from_utf8_lossy(notify.body()).into_owned())
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.notifier.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.notifier.timeout(self.now);
        }
        self.now = end;
    }
}

fn told(state: &str, body: &str) -> (String, String) {
    (state.to_owned(), body.to_owned())
}

#[test]
fn from_the_first_notify_to_the_last() {
    let mut desk = Desk::new();
    let reply = desk.ask(&subscribe(1, "", EVENT, "Expires: 600\r\n"));
    assert_eq!(reply.status, 200);
    let header = |name: &str| reply.headers.iter().find(|(it, _)| it == name).unwrap().1.clone();
    assert_eq!(header("Expires"), "600");
    assert_eq!(header("Contact"), "<sip:sidetone@192.0.2.1:5060>");
    assert_eq!(header("Record-Route"), "<sip:203.0.113.30;lr>");
    let first = desk.notify(OK).unwrap();
    let value = |name: &str| first.headers_called(name).next().unwrap().text().into_owned();
    assert_eq!(first.request_uri(), Some("sip:office@203.0.113.20:5080"));
    assert_eq!(value("Route"), "<sip:203.0.113.30;lr>");
    assert_eq!(value("Event"), "x-sidetone-affect;id=7");
    assert_eq!(value("Subscription-State"), "active;expires=600");
    assert_eq!(value("From"), "<sip:sidetone@192.0.2.1>;tag=us");
    assert_eq!(value("To"), "<sip:office@203.0.113.20>;tag=s");
    assert_eq!(value("CSeq"), "1 NOTIFY");
    assert!(first.header(Name::ContentType).is_none() && first.body().is_empty());
    desk.tell(Nature::Affect, "rising");
    assert_eq!(desk.notified(), told("active;expires=600", "rising"));
    desk.tell(Nature::Plain, "ended");
    let pbx = desk.pbx.clone();
    desk.notifier.end(&pbx, "a@b");
    assert_eq!(desk.notified(), told("terminated;reason=noresource", "ended"));
    assert!(desk.notifier.is_empty());
    assert_eq!(desk.notifier.ledger().counts("office"), Counts { sent: 2, failed: 0, dropped: 0 });
}

#[test]
fn who_comes_late_is_told_how_it_stands() {
    let mut desk = Desk::new();
    desk.tell(Nature::Affect, "rising");
    desk.tell(Nature::Plain, "held");
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    assert_eq!(desk.notified(), told("active;expires=3600", "rising"));
    // A fetch: once, and no more.
    let mut desk = Desk::new();
    desk.tell(Nature::Plain, "held");
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "Expires: 0\r\n")), 200);
    assert_eq!(desk.notified(), told("terminated;reason=timeout", "held"));
    assert!(desk.notifier.is_empty());
}

#[test]
fn refusals() {
    for (event, headers, status) in [
        ("presence", "", 489),
        ("x-sidetone-affect.winfo;call-id=\"a@b\"", "", 489),
        ("x-sidetone-affect", "", 400),
        ("x-sidetone-affect;call-id=\"nobody@b\"", "", 404),
        (EVENT, "Expires: 59\r\n", 423),
        (EVENT, "Expires: soon\r\n", 400),
        (EVENT, "Accept: application/pidf+xml, text/*\r\n", 406),
        (EVENT, "Accept: text/plain, application/*;q=0.5\r\n", 200),
        (EVENT, "Accept: Application/JSON\r\n", 200),
        (EVENT, "Expires: 99999999999999999\r\n", 200),
    ] {
        let mut desk = Desk::new();
        assert_eq!(desk.status(&subscribe(1, "", event, headers)), status, "{event} {headers}");
        assert_eq!(desk.notifier.len(), usize::from(status == 200));
    }
    assert_eq!(Desk::new().status(&subscribe(1, ";tag=gone", EVENT, "")), 481);
    let mut desk = Desk::new();
    let statuses: Vec<u16> = (0..9)
        .map(|number| {
            let text = String::from_utf8_lossy(subscribe(1, "", EVENT, "").as_bytes()).into_owned();
            let text = text.replace("Call-ID: watch", &format!("Call-ID: watch{number}"));
            desk.status(&Message::parse(Bytes::from(text)).unwrap())
        })
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 503]);
}

#[test]
fn refreshed_and_ended_by_the_subscriber() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(5, "", EVENT, "Expires: 60\r\n")), 200);
    assert_eq!(desk.status(&subscribe(5, "", EVENT, "Expires: 60\r\n")), 200, "again");
    assert_eq!(desk.notifier.len(), 1);
    desk.notified();
    desk.pass(secs(50));
    assert_eq!(desk.status(&subscribe(6, ";tag=us", EVENT, "Expires: 120\r\n")), 200);
    assert_eq!(desk.notified(), told("active;expires=120", ""));
    assert_eq!(desk.status(&subscribe(5, ";tag=us", EVENT, "")), 500, "out of order");
    desk.pass(secs(100));
    assert!(desk.notify(OK).is_none());
    desk.tell(Nature::Reading, "r");
    assert_eq!(desk.status(&subscribe(7, ";tag=us", EVENT, "Expires: 0\r\n")), 200);
    assert_eq!(desk.notified(), told("terminated;reason=timeout", "r"));
    assert_eq!(desk.status(&subscribe(8, ";tag=us", EVENT, "")), 481);
    assert!(desk.notifier.next_timeout().is_none());
}

#[test]
fn what_is_not_refreshed_runs_out() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "Expires: 60\r\n")), 200);
    desk.notified();
    desk.pass(secs(60));
    assert_eq!(desk.notified(), told("terminated;reason=timeout", ""));
    assert!(desk.notifier.is_empty() && desk.notifier.next_timeout().is_none());
}

#[test]
fn who_refuses_or_is_silent_is_not_asked_again() {
    for answer in [
        Answer::Final { status: 481, retry_after: None },
        Answer::Final { status: 503, retry_after: None },
        Answer::Final { status: 404, retry_after: Some(secs(5)) },
        Answer::Silence,
        Answer::Unsent,
    ] {
        let mut desk = Desk::new();
        assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
        desk.notify(answer);
        assert!(desk.notifier.is_empty(), "{answer:?}");
        desk.tell(Nature::Affect, "rising");
        assert!(desk.notify(OK).is_none());
    }
}

#[test]
fn who_says_when_is_asked_again_then() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    desk.notify(Answer::Final { status: 503, retry_after: Some(secs(10)) });
    desk.tell(Nature::Reading, "r1");
    assert!(desk.notify(OK).is_none());
    desk.tell(Nature::Reading, "r2");
    desk.pass(secs(10));
    assert_eq!(desk.notified(), told("active;expires=3590", "r2"));
    // Not until tomorrow, though.
    desk.tell(Nature::Reading, "r3");
    desk.notify(Answer::Final { status: 500, retry_after: Some(secs(86_400)) });
    desk.tell(Nature::Reading, "grows stale");
    desk.pass(secs(60));
    desk.tell(Nature::Affect, "news");
    assert_eq!(desk.notified().1, "news");
}

#[test]
fn the_state_owed_comes_after_what_waits() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    let (id, ..) = desk.notifier.wanting(desk.now).unwrap();
    desk.notifier.write(desk.now, id).unwrap();
    desk.tell(Nature::Affect, "rising");
    desk.tell(Nature::Affect, "calmed");
    assert_eq!(desk.status(&subscribe(2, ";tag=us", EVENT, "")), 200);
    desk.notifier.answered(desk.now, id, OK);
    let bodies: Vec<String> = (0..3).map(|_| desk.notified().1).collect();
    assert_eq!(bodies, ["rising", "calmed", "calmed"], "never an older one after a newer one");
    assert!(desk.notify(OK).is_none());
    // The last word is the last event, state owed or not.
    assert_eq!(desk.status(&subscribe(3, ";tag=us", EVENT, "")), 200);
    desk.tell(Nature::Plain, "ended");
    let pbx = desk.pbx.clone();
    desk.notifier.end(&pbx, "a@b");
    assert_eq!(desk.notified(), told("terminated;reason=noresource", "ended"));
}

#[test]
fn a_state_that_was_refused_for_now_is_still_owed() {
    let mut desk = Desk::new();
    desk.tell(Nature::Affect, "rising");
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    // Not at once again, either, whatever it says.
    for _ in 0..3 {
        desk.notify(Answer::Final { status: 503, retry_after: Some(secs(0)) }).unwrap();
        assert!(desk.notify(OK).is_none());
        desk.notifier.timeout(desk.now);
        assert!(desk.notify(OK).is_none());
        desk.pass(secs(1));
    }
    assert_eq!(desk.notified(), told("active;expires=3597", "rising"));
    assert!(desk.notify(OK).is_none());
}

#[test]
fn an_objection_is_remembered_no_further() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    desk.notified();
    desk.tell(Nature::Affect, "rising");
    let pbx = desk.pbx.clone();
    desk.notifier.withdraw(&pbx, "a@b");
    desk.tell(Nature::Plain, "opted out");
    assert_eq!(desk.notified().1, "opted out");
    assert_eq!(desk.status(&subscribe(2, ";tag=us", EVENT, "")), 200);
    assert_eq!(desk.notified().1, "opted out", "the state holds nothing of what was felt");
}

#[test]
fn an_objection_takes_back_the_notify_under_way() {
    let mut desk = Desk::new();
    let pbx = desk.pbx.clone();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    desk.notified();
    desk.tell(Nature::Plain, "held");
    assert_eq!(desk.notified().1, "held");
    desk.tell(Nature::Affect, "rising");
    let (id, ..) = desk.notifier.wanting(desk.now).unwrap();
    assert!(desk.notifier.withdraw(&pbx, "a@b").is_empty(), "nothing has been written yet");
    desk.notifier.answered(desk.now, id, Answer::Unsent);
    // The last one too.
    let mut desk = Desk::new();
    desk.tell(Nature::Affect, "rising");
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "Expires: 0\r\n")), 200);
    let (id, ..) = desk.notifier.wanting(desk.now).unwrap();
    assert_eq!(desk.notifier.write(desk.now, id).unwrap().body, "rising");
    assert_eq!(desk.notifier.withdraw(&pbx, "a@b"), [id]);
    desk.notifier.answered(desk.now, id, Answer::Recalled);
    assert_eq!(desk.notified(), told("terminated;reason=timeout", ""));
    assert!(desk.notifier.is_empty());
    assert_eq!(desk.notifier.ledger().counts("office"), Counts { sent: 0, failed: 0, dropped: 1 });
}

#[test]
fn what_a_call_that_is_over_still_had_to_tell_is_taken_back_too() {
    let mut desk = Desk::new();
    let pbx = desk.pbx.clone();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    desk.notify(Answer::Final { status: 503, retry_after: Some(secs(10)) });
    desk.tell(Nature::Affect, "rising");
    desk.tell(Nature::Plain, "ended");
    desk.notifier.end(&pbx, "a@b");
    desk.notifier.withdraw(&pbx, "a@b");
    desk.pass(secs(10));
    assert_eq!(desk.notified(), told("terminated;reason=noresource", "ended"));
}

#[test]
fn at_the_end_everyone_is_told() {
    let mut desk = Desk::new();
    assert_eq!(desk.status(&subscribe(1, "", EVENT, "")), 200);
    desk.notified();
    desk.notifier.close("another");
    assert!(desk.notifier.is_idle());
    desk.notifier.close("office");
    assert!(!desk.notifier.is_idle());
    assert_eq!(desk.notified(), told("terminated;reason=deactivated", ""));
    assert!(desk.notifier.is_idle());
}
