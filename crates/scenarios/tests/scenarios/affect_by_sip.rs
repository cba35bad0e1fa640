//! A caller speaks, and a PBX that knows nothing but SIP is told: by NOTIFY if it subscribes, by INFO if it lists the
//! package.

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::repository;
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, of_kind};
use sidetone_scenarios::sipp::{Plan, Sipp};
use sidetone_scenarios::trace::{Seen, Way};
use sidetone_scenarios::until;

/// Seven seconds of the demo's caller losing patience.
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    assert_eq!(reader.spec().sample_rate, 8_000);
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(7 * 8_000).collect()
}

fn a_call(scenario: &str, sip: &str) -> Call {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more.push_str(&format!("[pbx.sip]\n{sip}\n"));
    let mut uac = Plan::new(scenario, "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new(scenario, "uas", net.at(host::PBX, 5060));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call
}

/// A SIPp that subscribes to that call, from a port of its own.
fn subscriber(call: &Call, from: u8, accept: &str) -> Sipp {
    let mut plan = Plan::new("affect-notify", "uas-subscriber", call.net.at(from, 5080));
    plan.remote = Some(call.net.at(host::SIDETONE, 5060));
    let watched = call.callee.seen().iter().find_map(|seen| seen.header("Call-ID")).unwrap();
    let options =
        ["-cid_str", "subscription-%u-%p@test", "-key", "watched", &watched, "-key", "accepted", accept];
    plan.options = options.map(str::to_owned).to_vec();
    // There may be several, each with files of its own.
    let dir = call.sidetone.dir().join(from.to_string());
    std::fs::create_dir_all(&dir).unwrap();
    Sipp::start(plan, &dir)
}

fn requests(seen: &[Seen], way: Way) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.way == way && seen.status().is_none()).collect()
}

fn received<'a>(seen: &'a [Seen], method: &str) -> Vec<&'a Seen> {
    requests(seen, Way::Received).into_iter().filter(|seen| seen.method() == method).collect()
}

fn body(seen: &Seen) -> &str {
    let text = std::str::from_utf8(&seen.bytes).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.trim_end()
}

fn number(seen: &Seen) -> u32 {
    seen.header("CSeq").unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn is_about(kind: &'static str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.way == Way::Received && body(seen).contains(&format!("\"kind\":\"{kind}\""))
}

/// Each told body is one of the events that were published, word for word.
fn are_events(told: &[&Seen], events: &[Value]) {
    for seen in told.iter().filter(|seen| !body(seen).is_empty()) {
        let told: Value = serde_json::from_str(body(seen)).unwrap();
        assert!(events.contains(&told), "{told} was never published");
        assert_eq!(seen.header("Content-Type").as_deref(), Some("application/json"));
    }
}

#[test]
fn a_subscriber_is_told_by_notify() {
    let events = "events = [\"affect.update\", \"affect.alert\", \"consent.changed\", \"call.ended\"]";
    let mut call = a_call("affect-notify", events);
    let mut subscriber = subscriber(&call, host::PBX, "application/json");
    // The first at once, the second for the refresh.
    subscriber.wait_received("NOTIFY", 2);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    subscriber.wait_for("an update", 1, is_about("affect.update"));
    assert_eq!(call.sidetone.metric("sidetone_sip_subscriptions"), 1.0);
    call.caller.open_gate();
    subscriber.finish();
    let seen = subscriber.seen();
    let notifies = received(&seen, "NOTIFY");
    let state = |seen: &Seen| seen.header("Subscription-State").unwrap();
    let (last, before) = notifies.split_last().unwrap();
    assert_eq!(state(last), "terminated;reason=noresource");
    assert!(is_about("call.ended")(last), "the last one tells of the end");
    assert!(before.iter().all(|seen| state(seen).starts_with("active;expires=")));
    let sent = call.sidetone.metric("sidetone_link_sent_total");
    assert!(sent >= 2.0, "{sent} were counted as sent");
    assert_eq!(call.sidetone.metric("sidetone_link_failed_total"), 0.0);
    // Neither party of the call has seen anything of it.
    assert!(received(&call.callee.seen(), "NOTIFY").is_empty());
    assert!(received(&call.caller.seen(), "NOTIFY").is_empty());
    are_events(&notifies, &call.finish(6));
}

#[test]
fn a_subscriber_is_told_in_emotionml() {
    let mut call =
        a_call("affect-notify", "format = \"emotionml\"\nevents = [\"affect.update\", \"affect.alert\"]");
    let mut subscriber = subscriber(&call, host::PBX, "application/emotionml+xml");
    subscriber.wait_received("NOTIFY", 2);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let notify = subscriber
        .wait_for("an emotion", 1, |seen| seen.way == Way::Received && body(seen).contains("<emotion "));
    assert_eq!(notify.header("Content-Type").as_deref(), Some("application/emotionml+xml"));
    let document = roxmltree::Document::parse(body(&notify)).unwrap();
    let namespace = "http://www.w3.org/2009/10/emotionml";
    assert!(document.root_element().has_tag_name((namespace, "emotionml")));
    call.caller.open_gate();
    subscriber.finish();
    call.finish(6);
}

/// The subscriber is told of the objection, and of no feeling after it; and whoever subscribes then learns nothing of
/// what was felt before.
#[test]
fn after_an_objection_no_feeling_is_told() {
    let events = "events = [\"affect.update\", \"affect.alert\", \"consent.changed\", \"call.ended\"]";
    let mut call = a_call("affect-notify", events);
    let mut first = subscriber(&call, host::PBX, "application/json");
    first.wait_received("NOTIFY", 2);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    first.wait_for("an update", 1, is_about("affect.update"));
    let id = of_kind(&call.sidetone.events(), "call.started")[0]["call"]["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    let objected = |seen: &Seen| seen.way == Way::Received && body(seen).contains("\"state\":\"opted-out\"");
    first.wait_for("the objection", 1, objected);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let mut second = subscriber(&call, host::SECOND, "application/json");
    let notify = second.wait_received("NOTIFY", 1);
    assert!(objected(&notify), "the state is the objection");
    call.caller.open_gate();
    first.finish();
    second.finish();
    let seen = first.seen();
    let after: Vec<&Seen> =
        received(&seen, "NOTIFY").into_iter().skip_while(|seen| !objected(seen)).collect();
    assert!(after.iter().all(|seen| !body(seen).contains("\"kind\":\"affect.")));
    call.finish(6);
}

#[test]
fn whoever_else_subscribes_is_refused() {
    let mut call = a_call("affect-notify", "");
    let mut carrier = subscriber(&call, host::TRUNK, "application/json");
    carrier.wait_response(403, "SUBSCRIBE", 1);
    assert_eq!(call.sidetone.metric("sidetone_sip_subscriptions"), 0.0);
    drop(carrier);
    let mut pbx = subscriber(&call, host::PBX, "application/pidf+xml");
    pbx.wait_response(406, "SUBSCRIBE", 1);
    call.caller.open_gate();
    call.caller.wait_sent("BYE", 1);
    call.finish(6);
}

#[test]
fn the_pbx_is_told_by_info_and_neither_side_is_confused() {
    let mut call =
        a_call("affect-info", "info = true\nnotify = false\nevents = [\"affect.update\", \"affect.alert\"]");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    call.callee.wait_for("an INFO", 2, is_about("affect.update"));
    // UPDATE: its answer takes the package off the list.
    call.caller.open_gate();
    call.caller.wait_response(200, "UPDATE", 1);
    until("the last INFO to be answered", || {
        let seen = call.callee.seen();
        let answered = seen.iter().filter(|it| it.way == Way::Sent && it.method() == "INFO").count();
        (answered == received(&seen, "INFO").len()).then_some(())
    });
    let before = received(&call.callee.seen(), "INFO").len();
    assert_eq!(call.sidetone.metric("sidetone_sip_info_legs"), 0.0);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    assert_eq!(received(&call.callee.seen(), "INFO").len(), before, "none after Recv-Info: nil");
    // A re-INVITE: its answer puts it there again.
    call.caller.open_gate();
    call.callee.wait_received("ACK", 2);
    assert_eq!(call.sidetone.metric("sidetone_sip_info_legs"), 1.0);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    call.callee.wait_for("another INFO", before + 1, |seen| {
        seen.way == Way::Received && seen.start_line().starts_with("INFO ")
    });
    call.caller.open_gate();
    call.caller.finish();
    call.callee.finish();
    let (caller, callee) = (call.caller.seen(), call.callee.seen());
    // The PBX sees one dialog: each request numbered higher, the ACK as its INVITE.
    let mut numbers = Vec::new();
    for request in requests(&callee, Way::Received) {
        match request.method().as_ref() {
            "GATE" => {}
            "ACK" => {
                let invites = received(&callee, "INVITE");
                assert!(invites.iter().any(|invite| number(invite) == number(request)), "{numbers:?}");
            }
            _ => numbers.push(number(request)),
        }
    }
    numbers.dedup();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(numbers.len() >= 7, "INVITE, UPDATE, INVITE, BYE, and three INFO at least: {numbers:?}");
    // The caller sees its own numbers, and no INFO.
    let responses: Vec<u32> = caller
        .iter()
        .filter(|seen| seen.way == Way::Received && seen.status().is_some_and(|status| status >= 200))
        .map(number)
        .collect();
    assert_eq!(responses, [1, 2, 3, 4]);
    assert!(received(&caller, "INFO").is_empty());
    for info in received(&callee, "INFO") {
        assert_eq!(info.header("Info-Package").as_deref(), Some("x-sidetone-affect"));
        assert_eq!(info.header("Content-Disposition").as_deref(), Some("Info-Package"));
    }
    let events = call.sidetone.finish();
    are_events(&received(&callee, "INFO"), &events);
    assert!(!of_kind(&events, "affect.update").is_empty());
}

#[test]
fn without_recv_info_no_info_is_sent() {
    let mut call = a_call("talk", "info = true\nevents = [\"affect.update\", \"affect.alert\"]");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let told = call.sidetone.metrics();
    assert_eq!((told["sidetone_link_sent_total"], told["sidetone_link_failed_total"]), (0.0, 0.0));
    call.caller.open_gate();
    let callee = call.callee.seen();
    assert!(received(&callee, "INFO").is_empty());
    assert!(!of_kind(&call.finish(6), "affect.update").is_empty());
}
