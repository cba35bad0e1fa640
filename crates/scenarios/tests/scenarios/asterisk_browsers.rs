//! A real Asterisk by TLS, with an agent by WebSocket: registered through Sidetone with a Path, and rung by a carrier's
//! call.

use std::time::Duration;

use rustls::version::TLS13;
use sidetone_scenarios::GUARD;
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::certificates::client;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone};
use sidetone_scenarios::sip::{Raw, answer};
use sidetone_scenarios::stream::{Line, Stream};
use sidetone_scenarios::trace::Seen;

use super::tls::Keys;

const PAGE: &str = "https://agents.test";
const CONTACT: &str = "sip:ag7@df7jal23ls0d.invalid;transport=ws";

const PJSIP: &str = "
[transport-tls]
type = transport
protocol = tls
bind = @IP:5061
cert_file = @ETC/pbx.pem
priv_key_file = @ETC/pbx.key
method = tlsv1_2

[global]
type = global
endpoint_identifier_order = username,ip

[ag7]
type = endpoint
context = from-agents
aors = ag7
disallow = all
allow = ulaw
direct_media = no
media_address = @IP
bind_rtp_to_media_address = yes

[ag7]
type = aor
max_contacts = 2
support_path = yes
";

fn with_sdp(response: &str, ip: &str) -> String {
    let sdp =
        format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n");
    let length = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    response.replace("Content-Length: 0\r\n\r\n", &length)
}

/// A later request of the agent's, in the dialog that Asterisk's INVITE has made.
fn from_agent(invite: &Seen, method: &str) -> String {
    let target = invite.header("Contact").unwrap();
    let target = target.split(['<', '>']).nth(1).unwrap().to_owned();
    let routes =
        invite.headers("Record-Route").iter().map(|route| format!("Route: {route}\r\n")).collect::<String>();
    let header = |name| invite.header(name).unwrap();
    let (from, to, id) = (header("To"), header("From"), header("Call-ID"));
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKx{method}\r\n{routes}\
         From: {from};tag=raw\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: 7 {method}\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_carrier_s_call_rings_an_agent_in_a_browser() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let pbx_ip = net.v4(host::PBX).to_string();
    let pbx = keys.authority.issue("pbx", &[&pbx_ip]);
    let dialplan = "[from-carrier](+)\nexten => 777,1,Dial(PJSIP/ag7,30)\n same => n,Hangup()\n";
    let (sip, wss) = (net.at(host::SIDETONE, 5060), net.at(host::SIDETONE, 8443));
    let asterisk = Asterisk::start_with(net.v4(host::PBX), sip, dialplan, |etc, inside| {
        std::fs::copy(&pbx.certificate, etc.join("pbx.pem")).unwrap();
        std::fs::copy(&pbx.key, etc.join("pbx.key")).unwrap();
        let more = PJSIP.replace("@IP", &pbx_ip).replace("@ETC", &format!("{inside}/etc"));
        // Without it Asterisk calls no Contact of a browser, whatever its Path.
        let websocket = "load = res_http_websocket.so\nload = res_pjsip_transport_websocket.so\n";
        for (file, more) in [("pjsip.conf", more.as_str()), ("modules.conf", websocket)] {
            let text = std::fs::read_to_string(etc.join(file)).unwrap();
            // The endpoint of the trunk would send by UDP only, whatever the Record-Route says.
            let text = text.replace("aors = sidetone\ntransport = transport-udp", "aors = sidetone");
            std::fs::write(etc.join(file), text + more).unwrap();
        }
    });
    let mut setup = Setup::usual(&net);
    setup.listen.push(format!("tls:{}", net.at(host::SIDETONE, 5061)));
    setup.listen.push(format!("wss:{wss}"));
    setup.sip = format!("{}websocket = {{ origins = [{PAGE:?}] }}\n", keys.sip(""));
    let to = format!("sip:{};transport=tls", net.at(host::PBX, 5061));
    setup.pbx = vec![Host { to, priority: 1, certificate_name: None }];
    setup.more = format!(
        "[[trunk]]\nname = \"agents\"\nallow = []\nallow_at = [\"wss:{wss}\"]\ndisclosure = \"never\"\n"
    );
    let sidetone = Sidetone::start(&net, &setup);
    let config = client(keys.authority.file(), None, &[&TLS13]);
    let stream = Stream::connect(net.at(host::STRANGER, 0), wss).unwrap();
    let stream = stream.secure(&config, "sidetone.test").unwrap();
    let mut agent = Line::websocket(stream, "sidetone.test", Some(PAGE)).unwrap();
    agent.send(&format!(
        "REGISTER sip:sidetone.test SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKreg\r\n\
         From: <sip:ag7@sidetone.test>;tag=r\r\nTo: <sip:ag7@sidetone.test>\r\nCall-ID: reg\r\nCSeq: 1 REGISTER\r\n\
         Max-Forwards: 70\r\nContact: <{CONTACT}>;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000007>\"\r\n\
         Supported: path, outbound\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n"
    ));
    let registered = agent.response();
    assert_eq!(registered.status(), Some(200), "{}", asterisk.output());
    assert!(registered.headers("Path").join(",").contains("path-"), "{registered:?}");

    let carrier = Raw::bind(net.at(host::TRUNK, 5060), sip);
    let invite = carrier.request("INVITE", "sip:777@sidetone.test", "c1", "");
    carrier.send(with_sdp(&invite, &net.v4(host::TRUNK).to_string()).as_bytes());
    let rung = loop {
        let Some(request) = agent.receive_within(Duration::from_secs(20)) else {
            panic!(
                "no INVITE; the carrier got {:?}; Asterisk says:\n{}",
                carrier.response(),
                asterisk.output()
            );
        };
        if request.start_line().starts_with("INVITE ") {
            break request;
        }
        agent.send(&answer(&request, "200 OK", ""));
    };
    assert!(rung.start_line().starts_with(&format!("INVITE {CONTACT}")), "{}", rung.start_line());
    let routes = rung.headers("Record-Route").join(", ");
    assert!(routes.starts_with(&format!("<sip:{wss};transport=ws;lr")), "{routes}");
    assert!(routes.contains(&format!("<sip:{};transport=tls;lr", net.at(host::SIDETONE, 5061))), "{routes}");
    let ok = answer(&rung, "200 OK", &format!("Contact: <{CONTACT};ob>\r\n"));
    agent.send(&with_sdp(&ok, &net.v4(host::STRANGER).to_string()));
    let ack = agent.request();
    assert!(ack.start_line().starts_with("ACK "), "{}", ack.start_line());
    let answered = loop {
        let response = carrier.response();
        if response.status() == Some(200) {
            break response;
        }
    };
    let target = answered.header("Contact").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    let routes: String =
        answered.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    // The ACK to a 2xx is a transaction of its own (RFC 3261 §17.1.1.3).
    let ack = carrier.request("ACK", &target, "c1", &routes).replace("z9hG4bKc1", "z9hG4bKc1-ack");
    let to = answered.header("To").unwrap();
    carrier.send(ack.replace(&format!("To: <{target}>"), &format!("To: {to}")).as_bytes());

    agent.send(&from_agent(&rung, "BYE"));
    assert_eq!(agent.response().status(), Some(200));
    // Asterisk ends the carrier's leg too.
    let bye = carrier.request_within(GUARD).expect("the BYE");
    assert!(bye.start_line().starts_with("BYE "), "{}", bye.start_line());
    carrier.answer(&bye, "200 OK");
    assert!(carrier.request_within(Duration::from_millis(200)).is_none());
    sidetone.finish();
}
