//! DTLS-SRTP and ICE that end here, with those who speak them: Chromium, and Asterisk as WebRTC has it. The other leg
//! is a softphone with plain RTP.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::trace::Seen;
use sidetone_scenarios::{audio, until};

fn start(net: &Net, trunk: &str, pbx: &str, more: &str) -> Sidetone {
    let mut setup = Setup::for_softphones(net);
    setup.media.push_str(&format!("[media.security]\ntrunk = {trunk:?}\npbx = {pbx:?}\n{more}"));
    Sidetone::start(net, &setup)
}

fn phone(net: &Net, host: u8, name: &str, codec: Codec, voice: f64) -> Baresip {
    let own = net.v4(host);
    Baresip::start(own, &format!("{name}@{own}"), ";regint=0;answermode=auto", codec, voice)
}

/// The first call's stream, as `sidetone call` shows it.
fn stream(sidetone: &Sidetone) -> Value {
    let events = sidetone.events();
    let id = events.first().and_then(|event| event["call"]["id"].as_str()).unwrap();
    let call: Value = serde_json::from_str(&sidetone.command(&["call", id, "--json"])).unwrap();
    let stream = if call["streams"].is_null() { &call["call"]["streams"][0] } else { &call["streams"][0] };
    assert!(stream["customer"].is_object(), "{call}");
    stream.clone()
}

fn count(sidetone: &Sidetone, of: &str) -> u64 {
    let (_, page) = sidetone.get("/metrics").unwrap();
    let line = page.lines().find(|line| line.starts_with(of)).unwrap_or_else(|| panic!("no {of}:\n{page}"));
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

/// Nothing but what came before the keys was not authentic.
fn assert_secured(sidetone: &Sidetone, leg: &str) {
    let stream = stream(sidetone);
    assert_eq!(stream[leg]["security"], "DTLS-SRTP", "{stream}");
    assert_eq!(stream[leg]["replayed"], 0, "{stream}");
    assert_eq!(count(sidetone, "sidetone_dtls_handshakes_total{outcome=\"done\"}"), 1);
    assert_eq!(count(sidetone, "sidetone_dtls_handshakes_total{outcome=\"failed\"}"), 0);
}

/// The carrier's phone calls an echo at Asterisk, whose trunk speaks DTLS alone: Asterisk answers.
#[test]
fn asterisk_answers_with_dtls() {
    let net = Net::lease();
    let sidetone = start(&net, "plain", "require", "keying_pbx = \"dtls\"\n");
    let asterisk = Asterisk::start_with_dtls(
        net.v4(host::PBX),
        net.at(host::SIDETONE, 5060),
        "[from-carrier]\nexten => 600,1,Answer()\n same => n,Echo()\n",
    );
    let mut ada = phone(&net, host::TRUNK, "ada", Codec::Pcmu, 1.0);
    ada.command("dial", &format!("sip:600@{}", net.v4(host::SIDETONE)));
    ada.wait_event("CALL_ESTABLISHED");
    ada.wait_until_hears("the echo", ada.played());
    assert_secured(&sidetone, "agent");
    ada.command("hangup", "");
    ada.wait_event("CALL_CLOSED");
    assert!(!asterisk.output().contains("DTLS failure"), "{}", asterisk.output());
    sidetone.finish();
}

/// Asterisk calls the carrier's phone: Asterisk offers.
#[test]
fn asterisk_offers_dtls() {
    let net = Net::lease();
    let sidetone = start(&net, "plain", "terminate", "");
    let asterisk = Asterisk::start_with_dtls(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut ada = phone(&net, host::TRUNK, "ada", Codec::Pcmu, 1.0);
    let _ = asterisk.ask("channel originate PJSIP/ada@sidetone application Echo");
    ada.wait_event("CALL_ESTABLISHED");
    ada.wait_until_hears("the echo", ada.played());
    assert_secured(&sidetone, "agent");
    ada.command("hangup", "");
    ada.wait_event("CALL_CLOSED");
    sidetone.finish();
}

/// A softphone with DTLS and no ICE. baresip 1.0 makes itself an RSA certificate, as FreeSWITCH does.
fn phone_with_dtls(net: &Net, host: u8, name: &str, voice: f64) -> Baresip {
    let own = net.v4(host);
    let account = ";regint=0;answermode=auto;mediaenc=dtls_srtp";
    Baresip::start(own, &format!("{name}@{own}"), account, Codec::Pcmu, voice)
}

fn hear_each_other(net: &Net, sidetone: Sidetone, mut ada: Baresip, bob: &Baresip, leg: &str) {
    ada.command("dial", &format!("sip:bob@{}", net.v4(host::SIDETONE)));
    ada.wait_event("CALL_ESTABLISHED");
    bob.wait_until_hears("the caller", ada.played());
    ada.wait_until_hears("the callee", bob.played());
    assert_secured(&sidetone, leg);
    ada.command("hangup", "");
    ada.wait_event("CALL_CLOSED");
    sidetone.finish();
}

#[test]
fn a_phone_with_an_rsa_certificate_calls() {
    let net = Net::lease();
    let sidetone = start(&net, "require", "plain", "");
    let ada = phone_with_dtls(&net, host::TRUNK, "ada", 1.0);
    let bob = phone(&net, host::PBX, "bob", Codec::Pcmu, 0.7);
    hear_each_other(&net, sidetone, ada, &bob, "customer");
}

#[test]
fn a_phone_with_an_rsa_certificate_is_called() {
    let net = Net::lease();
    let sidetone = start(&net, "plain", "require", "keying_pbx = \"dtls\"\n");
    let ada = phone(&net, host::TRUNK, "ada", Codec::Pcmu, 1.0);
    let bob = phone_with_dtls(&net, host::PBX, "bob", 0.7);
    hear_each_other(&net, sidetone, ada, &bob, "agent");
}

/// A page that calls: its words to the other party are a sound that the test knows.
struct Browser {
    chromium: Chromium,
    played: Vec<f64>,
}

impl Browser {
    fn start() -> Self {
        let mut chromium = Chromium::start_with(&["--autoplay-policy=no-user-gesture-required"]);
        let played = audio::sweep(8_000, 40, 1.0);
        let file = chromium.folder().join("played.wav");
        audio::write(&file, &audio::sweep(48_000, 40, 1.0), 48_000, 1);
        let sound = BASE64.encode(&std::fs::read(file).unwrap());
        chromium.value(&format!(
            "window.sound = Uint8Array.from(atob({sound:?}), sign => sign.charCodeAt(0)).buffer; null"
        ));
        chromium.awaited(
            "(async () => {
                const context = new AudioContext();
                const source = context.createBufferSource();
                source.buffer = await context.decodeAudioData(window.sound);
                const out = context.createMediaStreamDestination();
                source.connect(out);
                const peer = window.peer = new RTCPeerConnection();
                peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
                peer.ontrack = event => {
                    const sink = window.sink = new Audio();
                    sink.srcObject = event.streams[0];
                    sink.play();
                };
                peer.onconnectionstatechange = () => {
                    if (peer.connectionState === 'connected' && !window.began) { window.began = true; source.start(); }
                };
            })()",
        );
        Self { chromium, played }
    }

    /// Its offer; `gathered` with all candidates, else as it is before it knows any.
    fn offer(&mut self, gathered: bool) -> String {
        let wait =
            "await new Promise(done => { const look = () => peer.iceGatheringState === 'complete' ? done() :
                        setTimeout(look, 20); look(); });";
        let text = self.chromium.awaited(&format!(
            "(async () => {{
                const offer = await peer.createOffer();
                await peer.setLocalDescription(offer);
                {}
                return {};
            }})()",
            if gathered { wait } else { "" },
            if gathered { "peer.localDescription.sdp" } else { "offer.sdp" },
        ));
        text.as_str().unwrap().to_owned()
    }

    fn take_answer(&mut self, sdp: &str) {
        let answer = json!({ "type": "answer", "sdp": sdp });
        self.chromium.awaited(&format!("peer.setRemoteDescription({answer}).then(() => null)"));
    }

    /// Its answer to an offer.
    fn answer(&mut self, sdp: &str) -> String {
        let offer = json!({ "type": "offer", "sdp": sdp });
        let text = self.chromium.awaited(&format!(
            "(async () => {{
                await peer.setRemoteDescription({offer});
                await peer.setLocalDescription(await peer.createAnswer());
                return peer.localDescription.sdp;
            }})()"
        ));
        text.as_str().unwrap().to_owned()
    }

    fn is_connected(&mut self) {
        until("the browser to be connected", || {
            let state = self.chromium.value("peer.connectionState");
            assert_ne!(state, "failed");
            (state == "connected").then_some(())
        });
    }

    /// Statistics of one kind.
    fn stats(&mut self, kind: &str) -> Value {
        self.chromium.awaited(&format!(
            "(async () => {{ for (const of of (await peer.getStats()).values())
                if (of.type === {kind:?}) return {{ ...of }}; return null; }})()"
        ))
    }

    /// Hears sound, not only packets: what does not decrypt has none.
    fn hears(&mut self) {
        until("the browser to hear", || {
            let stats = self.stats("inbound-rtp");
            let loud = stats["totalAudioEnergy"].as_f64().unwrap_or_default() > 0.01;
            (stats["packetsReceived"].as_u64().unwrap_or_default() > 50 && loud).then_some(())
        });
    }
}

fn with_body(request: &str, sdp: &str) -> Vec<u8> {
    let length = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len());
    request.replace("Content-Length: 0\r\n", &length).into_bytes().into_iter().chain(sdp.bytes()).collect()
}

/// A request in the dialog that a 2xx has begun.
fn within(raw: &Raw, ok: &Seen, method: &str, number: u32) -> String {
    let contact = ok.header("Contact").unwrap();
    let uri = contact.split(['<', '>']).nth(1).unwrap_or(&contact).to_owned();
    let routes: String =
        ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    let kept: String =
        ["From", "To", "Call-ID"].map(|name| format!("{name}: {}\r\n", ok.header(name).unwrap())).concat();
    let at = raw.at();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{number}\r\n{routes}{kept}\
         CSeq: {number} {method}\r\nContact: <sip:raw@{at}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The final response to an INVITE, acknowledged.
fn invited(raw: &Raw, number: u32) -> Seen {
    let ok = loop {
        let seen = raw.response();
        let status = seen.status().unwrap();
        assert!(status < 300, "{}", String::from_utf8_lossy(&seen.bytes));
        if status >= 200 && seen.method() == "INVITE" {
            break seen;
        }
    };
    raw.send(within(raw, &ok, "ACK", number).as_bytes());
    ok
}

fn body(seen: &Seen) -> String {
    String::from_utf8_lossy(seen.body()).into_owned()
}

/// A browser at the carrier's side calls a phone with plain RTP; by and by it restarts ICE, and hangs up.
#[test]
fn chromium_calls_a_plain_phone() {
    for gathered in [true, false] {
        let net = Net::lease();
        let sidetone = start(&net, "terminate", "plain", "");
        let bob = phone(&net, host::PBX, "bob", Codec::Opus, 0.7);
        let mut browser = Browser::start();
        let raw = Raw::bind(net.at(host::TRUNK, 5060), net.at(host::SIDETONE, 5060));
        let uri = format!("sip:bob@{}", net.v4(host::SIDETONE));
        let offer = browser.offer(gathered);
        raw.send(&with_body(&raw.request("INVITE", &uri, "browser", ""), &offer));
        let ok = invited(&raw, 1);
        browser.take_answer(&body(&ok));
        browser.is_connected();
        bob.wait_until_hears("the phone hears the browser", &browser.played);
        browser.hears();
        assert_secured(&sidetone, "customer");

        if gathered {
            browser.chromium.value("peer.restartIce(); null");
            let offer = browser.offer(true);
            let renewed = within(&raw, &ok, "INVITE", 2);
            raw.send(&with_body(&renewed, &offer));
            let ok = invited(&raw, 2);
            browser.take_answer(&body(&ok));
            let before = browser.stats("outbound-rtp")["packetsSent"].as_u64().unwrap();
            until("the browser to go on sending", || {
                (browser.stats("outbound-rtp")["packetsSent"].as_u64().unwrap() > before + 50).then_some(())
            });
            browser.is_connected();
            bob.wait_until_hears("the phone hears the browser after the restart", &browser.played);
            assert_secured(&sidetone, "customer");
        }
        raw.send(within(&raw, &ok, "BYE", 3).as_bytes());
        let _ = raw.response();
        until("the browser to be told by DTLS", || {
            let state = browser.stats("transport")["dtlsState"].clone();
            (state == "closed").then_some(())
        });
        sidetone.finish();
    }
}

/// A phone with plain RTP calls a browser in the PBX's place.
#[test]
fn a_plain_phone_calls_chromium() {
    let net = Net::lease();
    let sidetone = start(&net, "plain", "require", "keying_pbx = \"dtls\"\n");
    let mut ada = phone(&net, host::TRUNK, "ada", Codec::Opus, 0.7);
    let mut browser = Browser::start();
    let raw = Raw::bind(net.at(host::PBX, 5060), net.at(host::SIDETONE, 5060));
    ada.command("dial", &format!("sip:bob@{}", net.v4(host::SIDETONE)));
    let invite = raw.request_within(Duration::from_secs(20)).expect("an INVITE");
    let answer = browser.answer(&body(&invite));
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| invite.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let to = invite.header("To").unwrap();
    let ok = format!(
        "SIP/2.0 200 OK\r\n{kept}To: {to};tag=browser\r\nContact: <sip:bob@{}>\r\nContent-Length: 0\r\n\r\n",
        raw.at()
    );
    raw.send(&with_body(&ok, &answer));
    browser.is_connected();
    ada.wait_event("CALL_ESTABLISHED");
    ada.wait_until_hears("the phone hears the browser", &browser.played);
    browser.hears();
    assert_secured(&sidetone, "agent");
    ada.command("hangup", "");
    let bye = until("a BYE", || raw.request_within(Duration::from_secs(1)).filter(|it| it.method() == "BYE"));
    raw.answer(&bye, "200 OK");
    sidetone.finish();
}
