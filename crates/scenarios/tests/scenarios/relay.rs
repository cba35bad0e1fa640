//! Sidetone is no open relay: a tag makes no dialog, a Route no way, and a dialog belongs to the two peers that made
//! it.

use std::net::TcpListener;
use std::time::Duration;

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone, of_kind};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::trace::Seen;
use sidetone_scenarios::{GUARD, until};

const METHODS: [&str; 10] =
    ["INVITE", "BYE", "MESSAGE", "OPTIONS", "REFER", "NOTIFY", "SUBSCRIBE", "INFO", "UPDATE", "FROBNICATE"];
const SOON: Duration = Duration::from_millis(200);

/// Two trunks and two PBXs.
pub(crate) fn setup(net: &Net) -> Setup {
    let mut setup = Setup::usual(net);
    setup.allow_pbx = vec![net.v4(host::PBX).to_string()];
    setup.more = format!(
        "[[trunk]]\nname = \"second\"\nhosts = [{{ to = \"sip:{}\" }}]\nallow = [\"{}\"]\n\
         [[pbx]]\nname = \"other\"\nhosts = [{{ to = \"sip:{}\" }}]\nallow = [\"{}\"]\n",
        net.at(host::ELSEWHERE, 5060),
        net.v4(host::ELSEWHERE),
        net.at(host::SECOND, 5060),
        net.v4(host::SECOND),
    );
    setup
}

pub(crate) struct Office {
    pub(crate) sidetone: Sidetone,
    pub(crate) carrier: Raw,
    pub(crate) second: Raw,
    pub(crate) pbx: Raw,
    pub(crate) other: Raw,
}

impl Office {
    pub(crate) fn open(net: &Net, setup: &Setup) -> Self {
        let sidetone = Sidetone::start(net, setup);
        let at = |host| Raw::bind(net.at(host, 5060), sidetone.sip());
        let (carrier, second) = (at(host::TRUNK), at(host::ELSEWHERE));
        let (pbx, other) = (at(host::PBX), at(host::SECOND));
        Self { sidetone, carrier, second, pbx, other }
    }

    pub(crate) fn nobody_got_anything(&self) {
        for (name, raw) in [("second", &self.second), ("pbx", &self.pbx), ("other", &self.other)] {
            if let Some(request) = raw.request_within(SOON) {
                panic!("{name} got {}", request.start_line());
            }
        }
    }

    pub(crate) fn refused(&self, reason: &str) -> usize {
        let (_, page) = self.sidetone.get("/metrics").unwrap();
        let start = format!("sidetone_refused_total{{reason=\"{reason}\"}}");
        let line = page.lines().find(|line| line.starts_with(&start));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
    }
}

/// Hosts that a request may name without having business there.
fn goals(net: &Net, sidetone: &Sidetone) -> Vec<String> {
    let own = net.v4(host::SIDETONE);
    vec![
        net.at(host::ELSEWHERE, 5060).to_string(),
        net.at(host::TRUNK, 5060).to_string(),
        net.at(host::STRANGER, 5060).to_string(),
        net.at(host::PBX, 22).to_string(),
        format!("{};transport=tcp", net.at(host::PBX, 5038)),
        format!("{own}:9464;transport=tcp"),
        format!("{own}:30000"),
        format!("{own}:{};transport=tcp", sidetone.sip().port() + 1),
        "127.0.0.1:9;transport=tcp".to_owned(),
        "localhost:9".to_owned(),
        "0.0.0.0:5060".to_owned(),
        "224.0.1.75".to_owned(),
    ]
}

#[test]
fn a_forged_tag_opens_no_way_to_anybody() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let own = office.sidetone.sip();
    let mut sent = 0;
    for method in METHODS {
        let mut goals = goals(&net, &office.sidetone);
        goals.push(net.at(host::PBX, 5060).to_string());
        for (n, goal) in goals.iter().enumerate() {
            let uri = format!("sip:+15550999@{goal}");
            let by_uri = office.carrier.request(method, &uri, &format!("u{n}{method}"), "");
            let route = format!("Route: <sip:{own};lr>\r\nRoute: <sip:{goal};lr>\r\n");
            let plain = "sip:+15550999@far.example";
            let by_route = office.carrier.request(method, plain, &format!("r{n}{method}"), &route);
            for (request, to) in [(by_uri, uri.as_str()), (by_route, plain)] {
                let forged = request.replace(&format!("To: <{to}>"), &format!("To: <{to}>;tag=forged"));
                assert_ne!(forged, request);
                office.carrier.send(forged.as_bytes());
                sent += 1;
                let answer = office.carrier.response();
                assert_eq!(answer.status(), Some(481), "{method} {goal}: {}", answer.start_line());
                if method == "INVITE" {
                    let ack = forged.replace("INVITE sip:", "ACK sip:").replace("1 INVITE", "1 ACK");
                    office.carrier.send(ack.as_bytes());
                }
            }
        }
    }
    let stray = office.carrier.request("ACK", &format!("sip:x@{}", net.at(host::PBX, 5060)), "stray", "");
    office.carrier.send(stray.replacen(">\r\nCall-ID", ">;tag=forged\r\nCall-ID", 1).as_bytes());
    until("the ACK to be counted", || (office.refused("no_dialog") == sent + 1).then_some(()));
    office.nobody_got_anything();
    office.sidetone.finish();
}

#[test]
fn a_route_leads_to_configured_hosts_only() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let own = office.sidetone.sip();
    for method in ["INVITE", "MESSAGE", "OPTIONS", "REFER", "NOTIFY", "SUBSCRIBE", "PUBLISH", "REGISTER"] {
        for (n, goal) in goals(&net, &office.sidetone).iter().enumerate() {
            let route = format!("Route: <sip:{own};lr>\r\nRoute: <sip:{goal};lr>\r\n");
            let id = format!("p{n}{method}");
            let request = office.carrier.request(method, "sip:+15550999@far.example", &id, &route);
            office.carrier.send(request.as_bytes());
            let answer = office.carrier.response();
            let status = answer.status().unwrap();
            assert!(status == 403 || status == 503, "{method} {goal}: {}", answer.start_line());
            if method == "INVITE" {
                let ack = request.replace("INVITE sip:", "ACK sip:").replace("1 INVITE", "1 ACK");
                office.carrier.send(ack.as_bytes());
            }
        }
    }
    office.nobody_got_anything();
    assert!(office.refused("no_relay") > 0);
    office.sidetone.finish();
}

#[test]
fn our_own_http_port_is_no_next_hop() {
    let net = Net::lease();
    let setup = setup(&net);
    // Something that would tell if it were reached.
    let decoy = TcpListener::bind(net.at(host::PBX, 5038)).unwrap();
    decoy.set_nonblocking(true).unwrap();
    let office = Office::open(&net, &setup);
    let call = Call::answered(&office, "call1");
    // In its own dialog too, a party may name a host and not reach it.
    for (n, goal) in [
        format!("{}:9464;transport=tcp", net.v4(host::SIDETONE)),
        format!("{};transport=tcp", net.at(host::PBX, 5038)),
        net.at(host::ELSEWHERE, 5060).to_string(),
    ]
    .iter()
    .enumerate()
    {
        let uri = format!("sip:x@{goal}");
        office.carrier.send(call.by_caller(&office.carrier, "INFO", &uri, "", 10 + n).as_bytes());
        assert_eq!(office.carrier.response().status(), Some(403), "{goal}");
    }
    assert!(decoy.accept().is_err());
    call.hang_up(&office);
    office.sidetone.finish();
}

/// A call between the carrier and the PBX, both played by the test.
struct Call {
    id: String,
    target: String,
    /// Route lines of the caller's requests.
    routes: String,
    sdp: &'static str,
}

const OFFER: &str =
    "v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 192.0.2.77\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

impl Call {
    fn answered(office: &Office, id: &str) -> Self {
        let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", OFFER.len());
        let invite = office.carrier.request("INVITE", "sip:+15550123@sidetone.example", id, &more);
        office.carrier.send(format!("{invite}{OFFER}").as_bytes());
        let received = office.pbx.request_within(GUARD).expect("the INVITE at the PBX");
        office.pbx.send(accept(&received, office.pbx.at().to_string().as_str()).as_bytes());
        let ok = office.carrier.response();
        assert_eq!(ok.status(), Some(200), "{}", ok.start_line());
        let routes =
            ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let target = format!("sip:agent@{}", office.pbx.at());
        let call = Self { id: id.to_owned(), target, routes, sdp: OFFER };
        office.carrier.send(call.by_caller(&office.carrier, "ACK", &call.target, "", 1).as_bytes());
        let ack = office.pbx.request_within(GUARD).unwrap();
        assert!(ack.start_line().starts_with("ACK "), "{}", ack.start_line());
        call
    }

    /// A request with the caller's names, from whomever.
    fn by_caller(&self, from: &Raw, method: &str, uri: &str, body: &str, cseq: usize) -> String {
        let kind = match body {
            "" => "",
            OFFER => "Content-Type: application/sdp\r\n",
            _ => "Content-Type: application/dtmf-relay\r\n",
        };
        let length = body.len();
        let more = format!("{}{kind}Content-Length: {length}\r\n", self.routes);
        let request = from.request(method, uri, &self.id, &more);
        let request = request
            .replace(
                &format!("branch=z9hG4bK{}", self.id),
                &format!("branch=z9hG4bK{}-{cseq}-{method}", self.id),
            )
            .replace(&format!("CSeq: 1 {method}"), &format!("CSeq: {cseq} {method}"))
            .replace(&format!("To: <{uri}>"), "To: <sip:+15550123@sidetone.example>;tag=agent");
        format!("{request}{body}")
    }

    fn hang_up(&self, office: &Office) {
        office.carrier.send(self.by_caller(&office.carrier, "BYE", &self.target, "", 90).as_bytes());
        let bye = office.pbx.request_within(GUARD).expect("the BYE at the PBX");
        assert!(bye.start_line().starts_with("BYE "), "{}", bye.start_line());
        office.pbx.answer(&bye, "200 OK");
        assert_eq!(office.carrier.response().status(), Some(200));
    }
}

fn accept(invite: &Seen, contact: &str) -> String {
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| invite.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    format!(
        "SIP/2.0 200 OK\r\n{kept}To: {};tag=agent\r\nContact: <sip:agent@{contact}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        invite.header("To").unwrap(),
        OFFER.len()
    )
}

#[test]
fn a_dialog_belongs_to_the_peers_that_made_it() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let call = Call::answered(&office, "call1");
    let mut cseq = 20;
    for (method, body) in
        [("BYE", ""), ("INVITE", call.sdp), ("UPDATE", call.sdp), ("INFO", "Signal=1\r\n"), ("REFER", "")]
    {
        for thief in [&office.second, &office.other] {
            cseq += 1;
            let stolen = call.by_caller(thief, method, &call.target, body, cseq);
            thief.send(stolen.as_bytes());
            assert_eq!(thief.response().status(), Some(481), "{method}");
        }
    }
    // Without the tag it is no part of the call either.
    let names =
        call.by_caller(&office.second, "INFO", &call.target, "Signal=1\r\n", 60).replace(";tag=agent", "");
    office.second.send(names.as_bytes());
    assert_eq!(office.second.response().status(), Some(482));
    assert_eq!(office.pbx.request_within(SOON), None, "nothing of it reaches the PBX");
    assert_eq!(office.carrier.request_within(SOON), None, "nor the caller");
    assert_eq!(office.sidetone.metric(SESSIONS), 1.0, "the call is up");
    call.hang_up(&office);
    let events = office.sidetone.finish();
    let ended = events.iter().filter(|event| event["kind"] == "call.ended").count();
    assert_eq!(ended, 1);
    assert!(
        !events.iter().any(|event| event["kind"] == "consent.changed" && event["data"]["by"] == "keypad")
    );
}

#[test]
fn a_call_outlives_a_restart_and_a_forged_mark_does_not() {
    let net = Net::lease();
    let dir = tempfile::tempdir().unwrap();
    let mut setup = setup(&net);
    setup.sip = format!("dialog_key = {:?}\n", dir.path().join("dialog.key"));
    let mut office = Office::open(&net, &setup);
    let call = Call::answered(&office, "call1");
    office.sidetone.process().kill();
    office.sidetone = Sidetone::start(&net, &setup);
    let forged = Call {
        id: call.id.clone(),
        target: call.target.clone(),
        routes: call.routes.replace(";st=", ";st=0"),
        sdp: OFFER,
    };
    office.carrier.send(forged.by_caller(&office.carrier, "BYE", &call.target, "", 30).as_bytes());
    assert_eq!(office.carrier.response().status(), Some(481));
    office.second.send(call.by_caller(&office.second, "BYE", &call.target, "", 31).as_bytes());
    assert_eq!(office.second.response().status(), Some(481));
    call.hang_up(&office);
    office.sidetone.stop();
}

/// What is told of a call, and what applies to its caller, is its own trunk's, whoever else calls under its names.
#[test]
fn a_challenged_call_is_not_taken_over_by_another_trunk() {
    let net = Net::lease();
    let mut office = Office::open(&net, &setup(&net));
    let invite = |from: &Raw, cseq: u8| {
        let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", OFFER.len());
        let invite = office.carrier.request("INVITE", "sip:+15550123@sidetone.example", "one", &more);
        let invite = invite
            .replace("branch=z9hG4bKone", &format!("branch=z9hG4bKone{cseq}"))
            .replace(
                &format!("Via: SIP/2.0/UDP {}", office.carrier.at()),
                &format!("Via: SIP/2.0/UDP {}", from.at()),
            )
            .replace("CSeq: 1 ", &format!("CSeq: {cseq} "));
        from.send(format!("{invite}{OFFER}").as_bytes());
        office.pbx.request_within(GUARD).expect("the INVITE at the PBX")
    };
    let challenged = invite(&office.carrier, 1);
    office.pbx.answer(&challenged, "407 Proxy Authentication Required");
    assert_eq!(office.carrier.response().status(), Some(407));
    assert!(office.pbx.request_within(GUARD).unwrap().start_line().starts_with("ACK "));
    let contact = office.pbx.at().to_string();
    for from in [&office.second, &office.carrier] {
        let received = invite(from, 2);
        let answer = accept(&received, &contact).replace(";tag=agent", &format!(";tag=at{}", from.at().ip()));
        office.pbx.send(answer.as_bytes());
        assert_eq!(from.response().status(), Some(200));
    }
    assert_eq!(office.sidetone.metric(SESSIONS), 2.0, "a call each");
    let events = until("both to be told as answered", || {
        let events = office.sidetone.events();
        (of_kind(&events, "call.answered").len() == 2).then_some(events)
    });
    let mut trunks: Vec<&str> = of_kind(&events, "call.answered")
        .iter()
        .map(|event| event["call"]["trunk"].as_str().unwrap())
        .collect();
    trunks.sort_unstable();
    assert_eq!(trunks, ["carrier", "second"]);
    assert_eq!(of_kind(&events, "call.started").len(), 2);
    office.sidetone.stop();
}

/// Behind NAT a party knows no better address of itself: it is answered where it was last reached.
#[test]
fn a_contact_that_leads_nowhere_is_reached_where_it_spoke_from() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", OFFER.len());
    let invite = office.carrier.request("INVITE", "sip:+15550123@sidetone.example", "nat", &more);
    office.carrier.send(format!("{invite}{OFFER}").as_bytes());
    let received = office.pbx.request_within(GUARD).unwrap();
    office.pbx.send(accept(&received, "no.such.host.invalid").as_bytes());
    let ok = office.carrier.response();
    let routes = ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    let target = "sip:agent@no.such.host.invalid".to_owned();
    let call = Call { id: "nat".to_owned(), target, routes, sdp: OFFER };
    office.carrier.send(call.by_caller(&office.carrier, "ACK", &call.target, "", 1).as_bytes());
    let ack = office.pbx.request_within(GUARD).expect("the ACK at the PBX");
    assert!(ack.start_line().starts_with("ACK sip:agent@no.such.host.invalid"), "{}", ack.start_line());
    call.hang_up(&office);
    office.sidetone.finish();
}

/// Its way is its own, and so are its peers: not those that configuration would have sent it to.
#[test]
fn a_call_that_brings_its_own_route_is_told_by_its_peers() {
    let net = Net::lease();
    let office = Office::open(&net, &setup(&net));
    let own = office.sidetone.sip();
    for (caller, callee, at, trunk, pbx, id) in [
        (&office.second, &office.other, host::SECOND, "second", "other", "inbound"),
        (&office.other, &office.second, host::ELSEWHERE, "second", "other", "outbound"),
    ] {
        let route = format!("Route: <sip:{own};lr>\r\nRoute: <sip:{};lr>\r\n", net.at(at, 5060));
        caller.send(caller.request("INVITE", "sip:+15550999@far.example", id, &route).as_bytes());
        let invite = callee.request_within(GUARD).expect("the call");
        callee.answer(&invite, "180 Ringing");
        let calls = office.sidetone.command(&["calls", "--json"]);
        let calls: Vec<serde_json::Value> =
            calls.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let call = calls.iter().find(|call| call["direction"] == id).expect(id);
        assert_eq!((&call["trunk"], &call["pbx"]), (&trunk.into(), &pbx.into()), "{id}: {call:#}");
    }
}
