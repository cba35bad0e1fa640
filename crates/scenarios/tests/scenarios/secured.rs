//! SRTP that ends here, between real softphones: heard on both sides, listened to, announced into, counted.

use serde_json::Value;
use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::until;

use super::tls::Keys;

/// Sidetone with these policies, a phone at the carrier and one in place of the PBX. `;mediaenc=…` is baresip's word
/// for how it protects its media.
struct Phones {
    sidetone: Sidetone,
    carrier: Baresip,
    pbx: Baresip,
    net: Net,
}

fn phones(trunk: (&str, &str), pbx: (&str, &str), codec: Codec) -> Phones {
    phones_with(trunk, pbx, codec, "")
}

fn phones_with(trunk: (&str, &str), pbx: (&str, &str), codec: Codec, more: &str) -> Phones {
    let net = Net::lease();
    let mut setup = Setup::for_softphones(&net);
    setup.more.push_str(more);
    setup.media.push_str(&format!("[media.security]\ntrunk = {:?}\npbx = {:?}\n", trunk.0, pbx.0));
    let sidetone = Sidetone::start(&net, &setup);
    let (ada, bob) = (net.v4(host::TRUNK), net.v4(host::PBX));
    let account = |security: &str| format!(";regint=0;answermode=auto{security}");
    let carrier = Baresip::start(ada, &format!("ada@{ada}"), &account(trunk.1), codec, 1.0);
    let pbx = Baresip::start(bob, &format!("bob@{bob}"), &account(pbx.1), codec, 0.7);
    Phones { net, sidetone, carrier, pbx }
}

impl Phones {
    fn call(&mut self) {
        self.carrier.command("dial", &format!("sip:bob@{}", self.net.v4(host::SIDETONE)));
        self.carrier.wait_event("CALL_ESTABLISHED");
    }

    fn hear_each_other(&self) {
        self.pbx.wait_until_hears("the callee hears the caller", self.carrier.played());
        self.carrier.wait_until_hears("the caller hears the callee", self.pbx.played());
    }

    /// The call's stream, as `sidetone call` shows it.
    fn counts(&self) -> Value {
        counts(&self.sidetone)
    }

    /// The protection of the customer's and of the agent's packets.
    fn security(&self) -> [String; 2] {
        let stream = self.counts();
        ["customer", "agent"].map(|leg| stream[leg]["security"].as_str().unwrap().to_owned())
    }

    fn finish(mut self) -> Vec<Value> {
        self.carrier.command("hangup", "");
        self.carrier.wait_event("CALL_CLOSED");
        self.sidetone.finish()
    }
}

fn counts(sidetone: &Sidetone) -> Value {
    let events = sidetone.events();
    let id = events.first().and_then(|event| event["call"]["id"].as_str()).unwrap();
    let shown = sidetone.command(&["call", id, "--json"]);
    let call: Value = serde_json::from_str(&shown).unwrap();
    let stream = if call["streams"].is_null() { &call["call"]["streams"][0] } else { &call["streams"][0] };
    assert!(stream["customer"].is_object(), "{shown}");
    stream.clone()
}

#[test]
fn a_protected_carrier_and_a_plain_pbx() {
    let mut phones = phones(("terminate", ";mediaenc=srtp-mand"), ("plain", ""), Codec::Pcmu);
    phones.call();
    phones.hear_each_other();
    assert_eq!(phones.security(), ["AES_CM_128_HMAC_SHA1_80", "none"]);
    let events = phones.finish();
    assert!(of_kind(&events, "call.untappable").is_empty());
    let told: Vec<_> =
        of_kind(&events, "call.secured").into_iter().map(|event| event["data"].clone()).collect();
    assert_eq!(
        told,
        [serde_json::json!({
            "stream": 0, "leg": "customer", "security": "sdes", "suite": "AES_CM_128_HMAC_SHA1_80", "fingerprint": null,
        })]
    );
}

#[test]
fn a_plain_carrier_and_a_pbx_that_must_be_protected() {
    let mut phones = phones(("plain", ""), ("require", ";mediaenc=srtp-mand"), Codec::Opus);
    phones.call();
    phones.hear_each_other();
    let [customer, agent] = phones.security();
    assert_eq!(customer, "none");
    assert!(agent.starts_with("AE"), "{agent}");
    phones.finish();
}

/// Each of them speaks SRTP, but not with the same keys: both streams end here.
#[test]
fn both_protected() {
    let mut phones =
        phones(("require", ";mediaenc=srtp-mand"), ("require", ";mediaenc=srtp-mand"), Codec::G722);
    phones.call();
    phones.hear_each_other();
    assert!(phones.security().iter().all(|suite| suite.starts_with("AE")), "{:?}", phones.security());
    phones.finish();
}

/// What is offered beside RTP/AVP falls back on RTP with a phone that knows nothing of it (RFC 8643).
#[test]
fn an_offer_that_falls_back() {
    let mut phones = phones(("terminate", ""), ("terminate", ""), Codec::Pcmu);
    phones.call();
    phones.hear_each_other();
    assert_eq!(phones.security(), ["none", "none"]);
    phones.finish();
}

/// The phone holds the call and takes it back: counters go on, and both are heard again.
#[test]
fn roll_over_counter_at_hold() {
    let mut phones = phones(("terminate", ";mediaenc=srtp-mand"), ("plain", ""), Codec::Pcmu);
    phones.call();
    phones.hear_each_other();
    phones.carrier.command("hold", "");
    until("the hold", || {
        let calls = phones.sidetone.command(&["calls", "--json"]);
        calls.contains("\"held\"").then_some(())
    });
    phones.carrier.command("resume", "");
    // baresip 1.0 decodes no further once a call was held; what it counts as received has passed its own SRTP.
    let count = |leg: &str| phones.counts()[leg]["packets"].as_u64().unwrap();
    let before = [count("customer"), count("agent")];
    until("packets both ways again", || {
        (count("customer") > before[0] + 100 && count("agent") > before[1] + 100).then_some(())
    });
    assert!(phones.carrier.receiving() > 0 && phones.pbx.receiving() > 0);
    let counts = phones.counts();
    for leg in ["customer", "agent"] {
        // baresip begins with an APP packet in the clear.
        let unauthentic = counts[leg]["unauthentic"].as_u64().unwrap();
        assert!(unauthentic <= 1 && counts[leg]["replayed"] == 0, "{counts}");
    }
    phones.finish();
}

/// Keys and counters go on in the next process, after a kill and by an upgrade; in the file they are sealed.
#[test]
fn a_protected_call_outlives_its_process() {
    outlives(("require", ";mediaenc=srtp-mand"));
}

/// Likewise where keys are offered beside RTP/AVP (RFC 8643): it does not go on in the clear.
#[test]
fn a_call_that_need_not_be_protected_stays_so_in_the_next_process() {
    outlives(("terminate", ";mediaenc=srtp"));
}

fn outlives(security: (&str, &str)) {
    let journal = "[journal]\npath = \"calls.journal\"\n";
    let mut phones = phones_with(security, security, Codec::Pcmu, journal);
    phones.call();
    phones.hear_each_other();
    let count = |phones: &Phones, leg: &str| phones.counts()[leg]["packets"].as_u64().unwrap();
    let go_on = |phones: &Phones, what: &str| {
        let before = [count(phones, "customer"), count(phones, "agent")];
        until(what, || {
            let now = [count(phones, "customer"), count(phones, "agent")];
            (now[0] > before[0] + 100 && now[1] > before[1] + 100).then_some(())
        });
        phones.hear_each_other();
    };
    let written = |phones: &Phones| {
        let metrics = phones.sidetone.metrics();
        (metrics["sidetone_journal_calls"] == 1.0 && metrics["sidetone_journal_waiting"] == 0.0).then_some(())
    };
    until("the call to be written down", || written(&phones));
    // Media are told once a second.
    go_on(&phones, "packets before");
    let before = phones.counts();
    phones.sidetone.kill_and_start_anew();
    assert_eq!(phones.sidetone.metric("sidetone_journal_recovered_calls_total"), 1.0);
    go_on(&phones, "packets after the kill");
    let upgraded = phones.sidetone.upgrade(&[]).unwrap();
    assert_eq!((&upgraded["calls"], &upgraded["ended"]), (&Value::from(1), &Value::from(0)), "{upgraded}");
    go_on(&phones, "packets after the upgrade");
    let counts = phones.counts();
    for leg in ["customer", "agent"] {
        assert_eq!(counts[leg]["security"], before[leg]["security"], "{counts}");
        assert_eq!(counts[leg]["replayed"], 0, "{counts}");
        // baresip begins with an APP packet in the clear.
        assert!(counts[leg]["unauthentic"].as_u64().unwrap() <= 1, "{counts}");
    }
    let mut file = std::fs::read(phones.sidetone.dir().join("calls.journal")).unwrap();
    file.extend(std::fs::read(phones.sidetone.dir().join("calls.journal-wal")).unwrap_or_default());
    let holds = |text: &[u8]| file.windows(text.len()).any(|bytes| bytes == text);
    assert!(holds(b"\"consent\""), "what is no secret is read as it was written");
    assert!(!holds(b"inline:") && !holds(b"\"secret\""), "a key in the clear");
    // Held and taken back, by the dialog that goes on.
    phones.carrier.command("hold", "");
    until("the hold", || {
        let calls = phones.sidetone.command(&["calls", "--json"]);
        calls.contains("\"held\"").then_some(())
    });
    phones.finish();
}

#[test]
fn a_phone_that_offers_no_protection_where_it_is_required() {
    let mut phones = phones(("require", ""), ("plain", ""), Codec::Pcmu);
    phones.carrier.command("dial", &format!("sip:bob@{}", phones.net.v4(host::SIDETONE)));
    phones.carrier.wait_event("CALL_CLOSED");
    assert_eq!(refusals(&phones.sidetone), 1);
    phones.sidetone.finish();
}

#[test]
fn keys_show_nowhere() {
    let mut phones = phones(("terminate", ";mediaenc=srtp-mand"), ("plain", ""), Codec::Pcmu);
    phones.call();
    phones.hear_each_other();
    let view = phones.sidetone.command(&["calls", "--json"]);
    let output = phones.sidetone.process().output();
    for text in [view, output] {
        assert!(!text.contains("inline:"), "{text}");
    }
    let events = phones.finish();
    assert!(!serde_json::to_string(&events).unwrap().contains("inline:"));
}

/// The carrier's phone calls an echo at Asterisk, which takes SRTP alone: Asterisk answers, and is heard.
#[test]
fn asterisk_answers_with_keys_in_sdp() {
    let net = Net::lease();
    let (sidetone, mut ada) = beside_asterisk(&net, "require");
    let dialplan = "[from-carrier]\nexten => 600,1,Answer()\n same => n,Echo()\n";
    let _asterisk = Asterisk::start_with_sdes(net.v4(host::PBX), sidetone.sip(), dialplan);
    ada.command("dial", &format!("sip:600@{}", net.v4(host::SIDETONE)));
    heard_through_asterisk(sidetone, ada);
}

/// Asterisk calls the carrier's phone: Asterisk offers.
#[test]
fn asterisk_offers_keys_in_sdp() {
    let net = Net::lease();
    let (sidetone, ada) = beside_asterisk(&net, "terminate");
    let asterisk = Asterisk::start_with_sdes(net.v4(host::PBX), sidetone.sip(), "");
    let _ = asterisk.ask("channel originate PJSIP/ada@sidetone application Echo");
    heard_through_asterisk(sidetone, ada);
}

fn beside_asterisk(net: &Net, pbx: &str) -> (Sidetone, Baresip) {
    let mut setup = Setup::for_softphones(net);
    setup.media.push_str(&format!("[media.security]\ntrunk = \"plain\"\npbx = {pbx:?}\n"));
    let own = net.v4(host::TRUNK);
    let sidetone = Sidetone::start(net, &setup);
    let ada = Baresip::start(own, &format!("ada@{own}"), ";regint=0;answermode=auto", Codec::Pcmu, 1.0);
    (sidetone, ada)
}

fn heard_through_asterisk(sidetone: Sidetone, mut ada: Baresip) {
    ada.wait_event("CALL_ESTABLISHED");
    ada.wait_until_hears("the echo", ada.played());
    let counts = counts(&sidetone);
    assert_eq!(counts["customer"]["security"], "none", "{counts}");
    let suite = counts["agent"]["security"].as_str().unwrap();
    assert!(suite.starts_with("AES_CM_128_HMAC_SHA1"), "{suite}");
    assert_eq!(
        (&counts["agent"]["replayed"], &counts["agent"]["unauthentic"]),
        (&0.into(), &0.into()),
        "{counts}"
    );
    ada.command("hangup", "");
    ada.wait_event("CALL_CLOSED");
    sidetone.finish();
}

/// A softphone's SIP by TLS, and under it the keys of its media, as RFC 4568 wants them carried. The PBX hangs up: its
/// BYE goes to the phone on the connection that the phone has made.
#[test]
fn a_softphone_by_tls_and_srtp() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let mut setup = Setup::for_softphones(&net);
    setup.media.push_str("[media.security]\ntrunk = \"require\"\npbx = \"plain\"\n");
    let secure = net.at(host::SIDETONE, 5061);
    setup.listen.push(format!("tls:{secure}"));
    setup.sip = keys.sip("");
    // It binds its connections to no address.
    setup.allow_trunk.push("127.0.0.1".to_owned());
    let sidetone = Sidetone::start(&net, &setup);
    let (ada, bob) = (net.v4(host::TRUNK), net.v4(host::PBX));
    let account = ";regint=0;mediaenc=srtp-mand";
    let user = format!("ada@{ada};transport=tls");
    let carrier = Baresip::start_by_tls(ada, &user, account, 1.0, keys.authority.file());
    let account = ";regint=0;answermode=auto";
    let pbx = Baresip::start(bob, &format!("bob@{bob}"), account, Codec::Pcmu, 0.7);
    let mut phones = Phones { sidetone, carrier, pbx, net };
    phones.carrier.command("dial", &format!("sip:bob@{secure}"));
    phones.carrier.wait_event("CALL_ESTABLISHED");
    phones.hear_each_other();
    assert_eq!(phones.security(), ["AES_CM_128_HMAC_SHA1_80", "none"]);
    assert!(
        phones.sidetone.series("sidetone_tls_handshakes_total", &[("role", "server"), ("version", "1.3")])
            >= 1.0
    );
    phones.pbx.command("hangup", "");
    phones.carrier.wait_event("CALL_CLOSED");
    phones.sidetone.finish();
}

/// Requests refused for the protection of their media.
fn refusals(sidetone: &Sidetone) -> usize {
    let (_, page) = sidetone.get("/metrics").unwrap();
    let start = "sidetone_refused_total{reason=\"media_security\"}";
    let line = page.lines().find(|line| line.starts_with(start));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
}
