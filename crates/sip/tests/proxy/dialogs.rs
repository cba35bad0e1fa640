//! Which requests are part of a dialog, and whose dialog it is.

use sidetone_call::Side;
use sidetone_sip::message::{Message, Name};
use sidetone_sip::proxy::{Decision, Neighbour, Registered, RouteKind, Settings, Standing, Target};
use sidetone_sip::{Flow, Transport};

use crate::sim::*;

/// Another carrier that is let in.
const OTHER: &str = "198.51.100.66:5060";
const KEY: [u8; 16] = [9; 16];

fn named(settings: Settings) -> Net {
    let mut net = Net::with(settings);
    net.proxy.name_peers(|addr| {
        let (side, id) = match addr.ip().to_string().as_str() {
            "198.51.100.10" | "198.51.100.11" => (Side::Trunk, 1),
            "198.51.100.66" => (Side::Trunk, 2),
            "203.0.113.20" => (Side::Pbx, 1),
            "203.0.113.21" => (Side::Pbx, 2),
            _ => return None,
        };
        Some(Neighbour { side, id })
    });
    net
}

fn net() -> Net {
    named(settings())
}

/// A call that is up: the caller's dialog and the callee's.
fn call(net: &mut Net) -> (Dialog, Dialog) {
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    net.take(CARRIER, "100");
    let ok = net.take(CARRIER, "200");
    let dialogs = (Dialog::of_caller(&ok), Dialog::of_callee(&sent, "b"));
    let ack = dialogs.0.request("ACK", CARRIER, 1);
    assert!(matches!(stand(net, CARRIER, ack), Standing::Within(_)));
    net.take(PBX, "ACK");
    net.asked.clear();
    dialogs
}

/// Where a request stands that this peer sends.
fn stand(net: &mut Net, from: &str, request: Draft) -> Standing {
    net.send(from, request);
    net.asked.pop().expect("a request that is asked about").standing
}

/// The same, of a request that goes no further.
fn stand_only(net: &mut Net, from: &str, request: Draft) -> Standing {
    net.hold_routes = true;
    net.send(from, request);
    net.hold_routes = false;
    let query = net.asked.pop().expect("a request that is asked about");
    net.decide(&query, Decision::Drop);
    query.standing
}

/// The proxy has hung up by BYEs of its own: nothing but what crosses them passes, and soon nothing at all.
#[test]
fn a_dialog_that_the_proxy_has_hung_up_is_over() {
    for by_caller in [true, false] {
        let mut net = net();
        let (caller, callee) = call(&mut net);
        let tag = |end: &str| end.split_once(";tag=").unwrap().1.to_owned();
        let parties = [(tag(&caller.local), addr(CARRIER)), (tag(&callee.local), addr(PBX))];
        let [carrier, pbx] = &parties;
        net.proxy.hung_up(net.now, &caller.call_id, [(&carrier.0, carrier.1), (&pbx.0, pbx.1)]);
        let (dialog, from) = if by_caller { (&caller, CARRIER) } else { (&callee, PBX) };
        for method in ["INVITE", "INFO", "UPDATE"] {
            let standing = stand_only(&mut net, from, dialog.request(method, from, 7));
            assert_eq!(standing, Standing::Unknown, "{method}");
        }
        assert!(matches!(stand_only(&mut net, from, dialog.request("BYE", from, 8)), Standing::Within(_)));
        net.pass(secs(40));
        assert_eq!(stand_only(&mut net, from, dialog.request("BYE", from, 9)), Standing::Unknown);
        assert_eq!(net.proxy.dialogs(), 0, "its room is free");
    }
}

#[test]
fn both_parties_are_within_and_each_is_led_to_the_other() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    let Standing::Within(way) = stand_only(&mut net, CARRIER, caller.request("INFO", CARRIER, 2)) else {
        panic!("the caller is no party")
    };
    assert_eq!((way.hop, way.named), (Some(udp(PBX)), true));
    let Standing::Within(way) = stand_only(&mut net, PBX, callee.request("INVITE", PBX, 2)) else {
        panic!("the callee is no party")
    };
    assert_eq!((way.hop, way.named), (Some(udp(CARRIER)), true));
    // From another address of the same peer it is the same party.
    let elsewhere = "198.51.100.11:5060";
    let info = caller.request("INFO", elsewhere, 3);
    assert!(matches!(stand_only(&mut net, elsewhere, info), Standing::Within(_)));
}

#[test]
fn a_forged_tag_makes_no_dialog_whatever_the_method() {
    let mut net = net();
    call(&mut net);
    for method in
        ["INVITE", "BYE", "INFO", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS", "ACK", "UPDATE"]
    {
        let forged = draft(method, CARRIER, &format!("f-{method}")).tagged("forged");
        assert_eq!(stand_only(&mut net, CARRIER, forged), Standing::Unknown, "{method}");
    }
    // Nor does another tag in a call of one's own.
    let own = draft("INVITE", CARRIER, "c1").tagged("another").cseq(7);
    assert_eq!(stand_only(&mut net, CARRIER, own), Standing::Unknown);
}

#[test]
fn a_dialog_is_not_another_trunk_s_nor_another_pbx_s_though_they_know_its_names() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    for method in ["BYE", "INVITE", "INFO", "UPDATE", "ACK", "REFER"] {
        let stolen = caller.request(method, OTHER, 5);
        assert_eq!(stand_only(&mut net, OTHER, stolen), Standing::Unknown, "{method} as the caller");
        let stolen = callee.request(method, PBX2, 5);
        assert_eq!(stand_only(&mut net, PBX2, stolen), Standing::Unknown, "{method} as the callee");
        // The parties have no business in each other's place either.
        let swapped = callee.request(method, CARRIER, 5);
        assert_eq!(stand_only(&mut net, CARRIER, swapped), Standing::Unknown, "{method} swapped");
    }
    let same_names = draft("INFO", CARRIER, "c1").via(&format!("SIP/2.0/UDP {OTHER};branch=z9hG4bKx"));
    assert_eq!(stand_only(&mut net, OTHER, same_names), Standing::Taken);
    let again = invite(CARRIER, "c1").via(&format!("SIP/2.0/UDP {OTHER};branch=z9hG4bKy"));
    assert_eq!(stand_only(&mut net, OTHER, again), Standing::Taken);
}

#[test]
fn the_names_of_a_call_that_failed_are_free_for_another_trunk() {
    let mut net = net();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 503, "b", PBX));
    net.take(PBX, "ACK");
    let retried = invite(CARRIER, "c1").via(&format!("SIP/2.0/UDP {OTHER};branch=z9hG4bKy"));
    net.hold_routes = true;
    net.send(OTHER, retried);
    net.hold_routes = false;
    let query = net.asked.pop().unwrap();
    assert_eq!(query.standing, Standing::Outside { registered: Vec::new() });
    net.decide(&query, Decision::Forward { from: Side::Trunk, targets: vec![Target::from(udp(PBX))] });
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 200, "b", PBX));
    let ok = net.all(OTHER).pop().unwrap().message;
    let bye = Dialog::of_caller(&ok).request("BYE", OTHER, 2);
    assert!(matches!(stand_only(&mut net, OTHER, bye), Standing::Within(_)));
}

/// It may still be answered by its own caller, and is nobody else's.
#[test]
fn under_the_names_of_a_challenged_call_each_trunk_has_a_call_of_its_own() {
    let mut net = net();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 407, "b", PBX));
    net.take(PBX, "ACK");
    let stolen = invite(CARRIER, "c1").cseq(2).via(&format!("SIP/2.0/UDP {OTHER};branch=z9hG4bKy"));
    assert_eq!(begin(&mut net, OTHER, stolen), Standing::Outside { registered: Vec::new() });
    let theirs = net.take(PBX, "INVITE");
    net.send(PBX, reply(&theirs, 200, "theirs", PBX));
    let thief = Dialog::of_caller(&net.all(OTHER).pop().unwrap().message);
    // The caller answers the challenge.
    let retried = invite(CARRIER, "c1").cseq(2);
    assert_eq!(begin(&mut net, CARRIER, retried), Standing::Outside { registered: Vec::new() });
    let own = net.take(PBX, "INVITE");
    net.send(PBX, reply(&own, 200, "own", PBX));
    let caller = Dialog::of_caller(&net.all(CARRIER).pop().unwrap().message);
    let callers = net.proxy.filter().callers.clone();
    let [first, second, third] = callers.as_slice() else { panic!("{callers:?}") };
    assert!(first == third && first != second, "{callers:?}");
    for (from, dialog, within) in
        [(CARRIER, &caller, true), (OTHER, &thief, true), (CARRIER, &thief, false), (OTHER, &caller, false)]
    {
        let standing = stand_only(&mut net, from, dialog.request("BYE", from, 9));
        assert_eq!(matches!(standing, Standing::Within(_)), within, "{from} {standing:?}");
    }
    // The PBX tells them apart by its own tags.
    for (request, tag, hop) in [(&own, "own", CARRIER), (&theirs, "theirs", OTHER)] {
        let bye = Dialog::of_callee(request, tag).request("BYE", PBX, 4);
        let Standing::Within(way) = stand_only(&mut net, PBX, bye) else { panic!("{tag}") };
        assert_eq!(way.hop, Some(udp(hop)));
    }
}

/// A request that is forwarded as `Net` does from the carrier, from whichever trunk.
fn begin(net: &mut Net, from: &str, request: Draft) -> Standing {
    net.hold_routes = true;
    net.send(from, request);
    net.hold_routes = false;
    let query = net.asked.pop().unwrap();
    net.decide(&query, Decision::Forward { from: Side::Trunk, targets: vec![Target::from(udp(PBX))] });
    query.standing
}

/// Whoever answers a request of one call says nothing of another, whatever names the answer bears.
#[test]
fn a_response_under_the_names_of_another_call_is_dropped() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    begin(&mut net, OTHER, invite(OTHER, "c2"));
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 200, "t", PBX));
    net.all(OTHER);
    net.send(PBX, Dialog::of_callee(&sent, "t").request("BYE", PBX, 2));
    let bye = net.take(OTHER, "BYE");
    let answer = String::from_utf8(reply(&bye, 200, "", OTHER)).unwrap();
    let forged = answer
        .replace(bye.call_id(), &callee.call_id)
        .replace(&Dialog::of_callee(&sent, "t").local, &callee.local)
        .replace(&Dialog::of_callee(&sent, "t").remote, &callee.remote);
    let other_tag = answer.replace(";tag=t", ";tag=u");
    for wrong in [forged, other_tag] {
        assert_ne!(wrong, answer);
        net.send(OTHER, wrong.into_bytes());
        net.nothing(PBX);
    }
    assert_eq!(net.proxy.counters().stray_responses, 2);
    assert!(matches!(stand_only(&mut net, CARRIER, caller.request("INFO", CARRIER, 3)), Standing::Within(_)));
    net.send(OTHER, answer.into_bytes());
    net.take(PBX, "200");
}

#[test]
fn after_its_bye_a_dialog_takes_no_new_requests_but_those_that_cross() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    net.send(CARRIER, caller.request("BYE", CARRIER, 2));
    let bye = net.take(PBX, "BYE");
    net.send(PBX, reply(&bye, 200, "b", PBX));
    for method in ["INVITE", "INFO", "UPDATE", "REFER", "MESSAGE"] {
        let late = caller.request(method, CARRIER, 3);
        assert_eq!(stand_only(&mut net, CARRIER, late), Standing::Unknown, "{method}");
    }
    assert!(matches!(stand_only(&mut net, PBX, callee.request("BYE", PBX, 2)), Standing::Within(_)));
    net.pass(secs(60));
    assert_eq!(stand_only(&mut net, PBX, callee.request("BYE", PBX, 3)), Standing::Unknown);
    assert_eq!(net.proxy.dialogs(), 0);
}

#[test]
fn a_bye_that_is_challenged_or_sent_by_another_ends_nothing() {
    let mut net = net();
    let (caller, _) = call(&mut net);
    net.send(CARRIER, caller.request("BYE", CARRIER, 2));
    let bye = net.take(PBX, "BYE");
    net.send(PBX, reply(&bye, 401, "b", PBX));
    assert!(matches!(stand_only(&mut net, CARRIER, caller.request("INFO", CARRIER, 3)), Standing::Within(_)));
    let query = {
        net.hold_routes = true;
        net.send(OTHER, caller.request("BYE", OTHER, 9));
        net.asked.pop().unwrap()
    };
    net.decide(&query, Decision::Reject { status: 481, reason: "No".into(), headers: vec![] });
    net.hold_routes = false;
    assert!(net.proxy.filter().concluded.is_empty(), "nobody hears of the end of what never passed");
    assert!(matches!(stand_only(&mut net, CARRIER, caller.request("INFO", CARRIER, 4)), Standing::Within(_)));
}

#[test]
fn a_subscription_is_a_dialog_from_its_first_notify_on_and_no_call() {
    let mut net = net();
    net.send(CARRIER, draft("SUBSCRIBE", CARRIER, "s1").header("Expires: 600"));
    let sent = net.take(PBX, "SUBSCRIBE");
    let notifier = Dialog::of_callee(&sent, "n");
    // It overtakes the response.
    let notify = notifier.request("NOTIFY", PBX, 1).header("Subscription-State: active;expires=600");
    assert!(matches!(stand(&mut net, PBX, notify), Standing::Within(_)));
    let notify = notifier.request("NOTIFY", PBX2, 1);
    assert_eq!(
        stand_only(&mut net, PBX2, notify),
        Standing::Unknown,
        "whoever was not asked has nothing to notify"
    );
    net.send(PBX, reply_with(&sent, 200, "n", PBX, &[("Expires", "600")]));
    let notify = net.take(CARRIER, "NOTIFY");
    net.send(CARRIER, reply(&notify, 200, "", CARRIER));
    net.take(PBX, "200");
    let ok = net.take(CARRIER, "200");
    let subscriber = Dialog::of_caller(&ok);
    assert_eq!(stand_only(&mut net, CARRIER, subscriber.request("INVITE", CARRIER, 2)), Standing::Unknown);
    net.pass(secs(500));
    let refresh = subscriber.request("SUBSCRIBE", CARRIER, 3).header("Expires: 600");
    assert!(matches!(stand(&mut net, CARRIER, refresh), Standing::Within(_)));
    let refresh = net.take(PBX, "SUBSCRIBE");
    net.send(PBX, reply_with(&refresh, 200, "n", PBX, &[("Expires", "600")]));
    net.pass(secs(500));
    let notify = notifier.request("NOTIFY", PBX, 2).header("Subscription-State: terminated;reason=timeout");
    assert!(matches!(stand(&mut net, PBX, notify), Standing::Within(_)));
    net.pass(secs(100));
    assert_eq!(stand_only(&mut net, PBX, notifier.request("NOTIFY", PBX, 3)), Standing::Unknown);
}

#[test]
fn a_transfer_is_reported_after_the_call_it_began_in() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    net.send(PBX, callee.request("REFER", PBX, 2).header("Refer-To: <sip:x@y>"));
    let refer = net.take(CARRIER, "REFER");
    net.send(CARRIER, reply(&refer, 202, "", CARRIER));
    net.send(PBX, callee.request("BYE", PBX, 3));
    let bye = net.take(CARRIER, "BYE");
    net.send(CARRIER, reply(&bye, 200, "", CARRIER));
    net.pass(secs(120));
    let notify = caller.request("NOTIFY", CARRIER, 4).header("Subscription-State: terminated");
    assert!(matches!(stand(&mut net, CARRIER, notify), Standing::Within(_)));
}

#[test]
fn early_dialogs_and_forks_are_known_each_by_its_tag() {
    let mut net = net();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    for tag in ["one", "two"] {
        net.send(PBX, reply(&sent, 183, tag, PBX));
    }
    let early: Vec<Message> = net.all(CARRIER).into_iter().map(|arrived| arrived.message).collect();
    for response in early.iter().filter(|response| response.status() == Some(183)) {
        let update = Dialog::of_caller(response).request("UPDATE", CARRIER, 2);
        assert!(matches!(stand_only(&mut net, CARRIER, update), Standing::Within(_)));
    }
    // The INVITE is given up; its early dialogs go with it.
    net.send(PBX, reply(&sent, 486, "one", PBX));
    net.pass(secs(100));
    let update = Dialog::of_caller(&early[1]).request("UPDATE", CARRIER, 3);
    assert_eq!(stand_only(&mut net, CARRIER, update), Standing::Unknown);
}

#[test]
fn a_next_hop_that_the_other_party_never_named_is_told_as_such() {
    let mut net = net();
    let (caller, callee) = call(&mut net);
    let mut astray = caller.clone();
    astray.target = "sip:x@198.51.100.99:5060".into();
    let Standing::Within(way) = stand_only(&mut net, CARRIER, astray.request("INFO", CARRIER, 2)) else {
        panic!("no dialog")
    };
    assert_eq!((way.hop, way.named), (Some(udp(PBX)), false));
    // It moves: from then on it is there as well.
    let moved = callee.request("INVITE", PBX, 2).without("Contact").header("Contact: <sip:bob@203.0.113.99>");
    net.send(PBX, moved);
    let mut follows = caller;
    follows.target = "sip:bob@203.0.113.99:5060".into();
    let Standing::Within(way) = stand_only(&mut net, CARRIER, follows.request("INFO", CARRIER, 3)) else {
        panic!("no dialog")
    };
    assert!(way.named);
}

/// As when the process was killed in the middle of a call.
#[test]
fn a_mark_in_record_route_proves_a_dialog_to_the_next_life_and_to_its_parties_only() {
    let marked = || Settings { dialog_key: Some(KEY), ..settings() };
    let mut before = named(marked());
    let (caller, callee) = call(&mut before);
    assert!(caller.routes[0].contains(";st="), "{:?}", caller.routes);
    // Another seed, as another process has it.
    let mut after = named(marked());
    after.proxy = sidetone_sip::proxy::Proxy::new(marked(), Recorder::default(), 8);
    let mut template = named(marked());
    std::mem::swap(&mut template.proxy, &mut after.proxy);
    let mut after = template;
    after.proxy.name_peers(|addr| match addr.ip().to_string().as_str() {
        "198.51.100.10" => Some(Neighbour { side: Side::Trunk, id: 1 }),
        "198.51.100.66" => Some(Neighbour { side: Side::Trunk, id: 2 }),
        "203.0.113.20" => Some(Neighbour { side: Side::Pbx, id: 1 }),
        "203.0.113.21" => Some(Neighbour { side: Side::Pbx, id: 2 }),
        _ => None,
    });
    assert_eq!(stand_only(&mut after, OTHER, caller.request("BYE", OTHER, 4)), Standing::Unknown);
    assert_eq!(stand_only(&mut after, PBX2, callee.request("BYE", PBX2, 4)), Standing::Unknown);
    let mut unmarked = caller.clone();
    unmarked.routes = vec![format!("<sip:{US};lr>")];
    assert_eq!(stand_only(&mut after, CARRIER, unmarked.request("BYE", CARRIER, 4)), Standing::Unknown);
    let Standing::Within(way) = stand(&mut after, PBX, callee.request("INVITE", PBX, 5)) else {
        panic!("the mark proves nothing")
    };
    assert_eq!(way.hop, None);
    let trunk = |id| Neighbour { side: Side::Trunk, id };
    assert!(after.proxy.leads_to(&way, trunk(1)) && !after.proxy.leads_to(&way, trunk(2)));
    after.take(CARRIER, "INVITE");
    // It has been taken up again, and is now held like any other.
    let Standing::Within(way) = stand_only(&mut after, CARRIER, unmarked.request("INFO", CARRIER, 6)) else {
        panic!("it is not held")
    };
    assert_eq!(way.hop, Some(udp(PBX)));
    // To the life that wrote it, the mark alone proves nothing.
    before.send(CARRIER, caller.request("BYE", CARRIER, 7));
    let bye = before.take(PBX, "BYE");
    before.send(PBX, reply(&bye, 200, "b", PBX));
    before.pass(secs(60));
    assert_eq!(stand_only(&mut before, CARRIER, caller.request("INVITE", CARRIER, 8)), Standing::Unknown);
}

/// What a request of that peer's for the host is told of registrations, by the peer that made them.
fn registered(net: &mut Net, from: &str, host: &str) -> Vec<Registered> {
    let path = format!("Route: <sip:path@{US};lr>");
    let ask = draft("OPTIONS", from, &format!("o{}", net.asked.len()))
        .via(&format!("SIP/2.0/UDP {from};branch=z9hG4bKo{}", net.proxy.counters().unrouted))
        .uri(&format!("sip:pbx@{host}"))
        .header(&path);
    let Standing::Outside { registered } = stand_only(net, from, ask) else { panic!("not outside") };
    registered
}

/// A REGISTER with those Contacts passes from the PBX to the carrier, which answers so.
fn register(net: &mut Net, call: &str, contacts: &[&str], status: u16, listed: &[(&str, &str)]) {
    let mut register = draft("REGISTER", PBX, call).without("Contact");
    for contact in contacts {
        register = register.header(&format!("Contact: {contact}"));
    }
    net.send(PBX, register);
    let sent = net.take(CARRIER, "REGISTER");
    let mut response = sidetone_sip::message::ResponseBuilder::new(&sent, status).to_tag("r");
    for (name, value) in listed {
        response = response.header(name, value);
    }
    net.send(CARRIER, response.build().to_vec());
    net.take(PBX, &status.to_string());
}

const SPARE: &str = "203.0.113.20:5099";

#[test]
fn a_contact_that_the_registrar_has_accepted_may_be_called_by_it_and_by_nobody_else() {
    let mut net = net();
    let contact = format!("<sip:pbx@{SPARE}>");
    register(&mut net, "r1", &[&contact], 200, &[("Contact", &format!("{contact};expires=600"))]);
    let pbx = Neighbour { side: Side::Pbx, id: 1 };
    assert_eq!(registered(&mut net, CARRIER, SPARE), [Registered { peer: pbx, heard: udp(PBX) }]);
    for (from, host) in [(OTHER, SPARE), (PBX2, SPARE), (PBX, SPARE), (CARRIER, "203.0.113.20:5038")] {
        assert_eq!(registered(&mut net, from, host), [], "{from} {host}");
    }
    // The registrar had granted ten minutes.
    net.pass(secs(700));
    assert_eq!(registered(&mut net, CARRIER, SPARE), []);
}

#[test]
fn what_no_registrar_has_accepted_binds_nothing() {
    let mut net = net();
    let contact = format!("<sip:pbx@{SPARE}>");
    let listed = format!("{contact};expires=600");
    net.send(PBX, draft("REGISTER", PBX, "r0").without("Contact").header(&format!("Contact: {contact}")));
    net.take(CARRIER, "REGISTER");
    assert_eq!(registered(&mut net, CARRIER, SPARE), [], "not answered yet");
    for (n, (status, answer)) in [
        (403, vec![("Contact", listed.as_str())]),
        (401, vec![("Contact", &listed)]),
        (302, vec![("Contact", &listed)]),
        // It lists what others have registered, and not this one.
        (200, vec![("Contact", "<sip:pbx@203.0.113.20:5077>;expires=600")]),
        (200, vec![]),
        (200, vec![("Contact", &contact), ("Expires", "0")]),
        (200, vec![("Contact", "<sip:pbx@203.0.113.20:5099>;expires=0")]),
    ]
    .into_iter()
    .enumerate()
    {
        register(&mut net, &format!("r{}", n + 1), &[&contact], status, &answer);
        assert_eq!(registered(&mut net, CARRIER, SPARE), [], "{status} {answer:?}");
        assert_eq!(registered(&mut net, CARRIER, "203.0.113.20:5077"), []);
    }
}

/// Neither a third party's, nor one on the registrar's own side.
#[test]
fn an_address_of_another_peer_s_is_not_bound_though_the_registrar_accepts_it() {
    let mut net = net();
    for (n, host) in ["203.0.113.21:5060", "198.51.100.66:5060", "198.51.100.10:6379", "192.0.2.200:5060"]
        .iter()
        .enumerate()
    {
        let contact = format!("<sip:pbx@{host}>");
        let listed = format!("{contact};expires=600");
        register(&mut net, &format!("r{n}"), &[&contact], 200, &[("Contact", &listed)]);
        assert_eq!(registered(&mut net, CARRIER, host), [], "{host}");
    }
    // Whose a name is shows when it is looked up: the peer stands beside it.
    let contact = "<sip:pbx@victim.example:6379>";
    register(&mut net, "rn", &[contact], 200, &[("Contact", contact)]);
    assert_eq!(registered(&mut net, CARRIER, "victim.example:6379")[0].peer.side, Side::Pbx);
}

#[test]
fn dialogs_are_bounded() {
    let mut net = named(Settings { max_dialogs: 2, ..settings() });
    for n in 0..2 {
        net.send(CARRIER, invite(CARRIER, &format!("c{n}")));
        net.take(PBX, "INVITE");
    }
    net.all(CARRIER);
    net.send(CARRIER, invite(CARRIER, "c9"));
    net.take(CARRIER, "100");
    net.take(CARRIER, "503");
    net.nothing(PBX);
    assert_eq!(net.proxy.dialogs(), 2);
}

/// One carrier's subscriptions and calls leave room for what others begin.
#[test]
fn no_peer_has_all_the_dialogs() {
    let mut net = named(Settings { max_dialogs: 8, ..settings() });
    for n in 0..8 {
        net.send(CARRIER, draft("SUBSCRIBE", CARRIER, &format!("c{n}")));
    }
    assert_eq!((net.all(PBX).len(), net.proxy.dialogs()), (6, 6));
    net.send(OTHER, invite(OTHER, "o1"));
    net.send(OTHER, invite(OTHER, "o2"));
    assert_eq!(net.proxy.dialogs(), 8);
    net.pass(secs(1_000));
    net.send(CARRIER, draft("SUBSCRIBE", CARRIER, "again"));
    net.pass(secs(4));
    assert_eq!(net.proxy.dialogs(), 1, "what is over takes no room");
}

#[test]
fn only_whoever_was_asked_may_answer() {
    let mut net = net();
    net.send(CARRIER, invite(CARRIER, "c1"));
    let sent = net.take(PBX, "INVITE");
    net.take(CARRIER, "100");
    for elsewhere in [OTHER, PBX2, "192.0.2.200:5060"] {
        net.send(elsewhere, reply(&sent, 200, "evil", elsewhere));
    }
    net.nothing(CARRIER);
    assert_eq!(net.proxy.counters().foreign_responses, 3);
    net.send("203.0.113.20:40000", reply(&sent, 180, "b", PBX));
    net.take(CARRIER, "180");
}

#[test]
fn a_cancel_is_acted_on_only_if_it_comes_from_whoever_sent_the_invite() {
    let mut net = net();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    net.send(PBX, reply(&sent, 180, "b", PBX));
    net.all(CARRIER);
    // Also from another address of the same peer: it did not send the INVITE.
    for elsewhere in [OTHER, "198.51.100.11:5060", PBX] {
        net.send(elsewhere, call.cancel());
        net.take(elsewhere, "481");
    }
    net.nothing(PBX);
    assert_eq!(net.proxy.counters().stray_cancels, 3);
    net.all(CARRIER);
    net.send(CARRIER, call.cancel());
    net.take(CARRIER, "200");
    net.take(PBX, "CANCEL");
}

#[test]
fn a_refusal_goes_out_once_for_each_copy_of_the_invite() {
    let mut net = net();
    net.hold_routes = true;
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let query = net.asked.remove(0);
    net.decide(&query, Decision::Reject { status: 503, reason: "No".into(), headers: vec![] });
    net.take(CARRIER, "503");
    net.pass(secs(10));
    net.nothing(CARRIER);
    net.send(CARRIER, &call);
    net.take(CARRIER, "503");
    net.nothing(CARRIER);
    assert!(net.asked.is_empty(), "a copy is not routed again");
    net.finish();
}

#[test]
fn a_refusal_after_a_100_is_repeated_until_its_ack_comes() {
    let mut net = net();
    net.hold_routes = true;
    net.send(CARRIER, invite(CARRIER, "c1"));
    let query = net.asked.remove(0);
    net.pass(ms(300));
    net.take(CARRIER, "100");
    net.decide(&query, Decision::Reject { status: 503, reason: "No".into(), headers: vec![] });
    net.take(CARRIER, "503");
    net.pass(secs(2));
    net.take(CARRIER, "503");
}

/// Anyone may write another's address on a datagram.
#[test]
fn answers_over_udp_are_bounded_in_number_and_size() {
    let mut net = net();
    let ping = draft("OPTIONS", CARRIER, "o").uri("sip:192.0.2.1");
    for _ in 0..1_000 {
        net.send(CARRIER, &ping);
    }
    assert_eq!(net.all(CARRIER).len(), 100);
    net.pass(secs(1));
    // Too small a request for an answer to be worth it.
    net.send(CARRIER, "X sip:a SIP/2.0\r\nv:SIP/2.0/UDP a\r\n\r\n");
    net.nothing(CARRIER);
    assert_eq!(net.proxy.counters().answers_withheld, 901);
    // A connection's far end has shown that it is there.
    for _ in 0..1_000 {
        net.send_tcp(CARRIER, &ping);
    }
    assert_eq!(net.all(CARRIER).len(), 1_000);
}

#[test]
fn a_stream_that_breaks_off_is_told_why() {
    use sidetone_sip::framing::FrameFlaw;
    let mut net = net();
    let to = tcp(CARRIER);
    let flow = Flow { transport: Transport::Tcp, local: to.local, remote: to.remote };
    net.connections.push(to);
    for (flaw, status) in
        [(FrameFlaw::NoContentLength, "400"), (FrameFlaw::ContentLength, "400"), (FrameFlaw::TooLarge, "513")]
    {
        let head = draft("OPTIONS", CARRIER, "o").text().replace("Content-Length: 0\r\n", "");
        net.proxy.receive_broken(net.now, &flow, head.into(), flaw);
        net.drain();
        let answer = net.take(CARRIER, status);
        assert!(answer.header(Name::CallId).is_some());
    }
    net.proxy.receive_broken(net.now, &flow, draft("ACK", CARRIER, "a").text().into(), FrameFlaw::TooLarge);
    net.drain();
    net.nothing(CARRIER);
}

#[test]
fn a_request_that_takes_us_for_the_other_party_is_within_all_the_same() {
    let mut net = net();
    let (mut caller, _) = call(&mut net);
    (caller.target, caller.routes) = (format!("sip:bob@{US}"), Vec::new());
    net.hold_routes = true;
    net.send(CARRIER, caller.request("BYE", CARRIER, 2));
    let query = net.asked.pop().unwrap();
    assert_eq!(query.kind, RouteKind::Initial);
    assert!(matches!(query.standing, Standing::Within(way) if way.hop == Some(udp(PBX))));
}
