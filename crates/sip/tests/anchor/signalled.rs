//! What messages say to Sidetone beside their business. Every message passes twice, and so is heard twice.

use crate::script::{Callee, Caller, Script, audio};

#[test]
fn headers_of_ours_are_heard_wherever_they_stand() {
    let mut s = Script::new();
    let more = "X-Sidetone-Tier: bereavement\r\nX-Other: 1\r\nx-sidetone-queue:  billing ,\r\n  late\r\n";
    s.request_with(Caller, "INVITE 1", None, more, &audio("192.0.2.1", 4000)).unwrap();
    let told = ["trunk says Tier: bereavement", "trunk says queue: billing , late"];
    assert_eq!(s.facts(), [&["started +15550100 to 4711"][..], &told, &told].concat());
    s.response_with(Caller, 200, "INVITE 1", "callee", "X-Sidetone-Agent: 12\r\n", &audio("10.0.0.2", 5000));
    let facts = s.facts();
    assert_eq!(facts.iter().filter(|fact| *fact == "pbx says Agent: 12").count(), 2, "{facts:?}");
    s.request_with(Callee, "MESSAGE 5", Some("callee"), "X-Sidetone-Consent: granted\r\n", "").unwrap();
    assert_eq!(s.facts(), ["pbx says Consent: granted"; 2]);
}

#[test]
fn keys_are_heard_in_every_form_of_info() {
    let mut s = Script::new();
    s.talk();
    s.facts();
    let mut cseq = 10;
    let mut info = |kind: &str, body: &str| {
        cseq += 1;
        let more = format!("Content-Type: {kind}\r\n");
        s.request_with(Caller, &format!("INFO {cseq}"), Some("b"), &more, body).unwrap();
        s.facts()
    };
    assert_eq!(info("application/dtmf-relay", "Signal=9\r\nDuration=160\r\n"), ["trunk pressed 9"; 2]);
    assert_eq!(info("application/dtmf-relay; v=1", "signal= # \r\n"), ["trunk pressed #"; 2]);
    assert_eq!(info("Application/DTMF", "11"), ["trunk pressed #"; 2]);
    assert_eq!(info("application/dtmf", "d"), ["trunk pressed D"; 2]);
    assert_eq!(info("application/dtmf-relay", "Signal: 9\r\n"), ["trunk pressed 9"; 2]);
    assert_eq!(info("audio/telephone-event", "d=9\r\n"), ["trunk pressed 9"; 2]);
    let nortel = "p=Digit-Collection\r\ny=Digits\r\n\r\nd=9\r\n";
    assert_eq!(info("application/vnd.nortelnetworks.digits", nortel), ["trunk pressed 9"; 2]);
    for (kind, body) in [
        ("application/dtmf", "99"),
        ("application/dtmf-relay", "Duration=9"),
        ("text/plain", "9"),
        ("application/dtmf", ""),
    ] {
        assert!(info(kind, body).is_empty(), "{kind} {body}");
    }
}

#[test]
fn a_flood_of_headers_is_bounded() {
    let mut s = Script::new();
    let more = "X-Sidetone-Queue: ".to_owned() + &"q".repeat(500) + "\r\n";
    s.request_with(Caller, "INVITE 1", None, &more.repeat(40), &audio("192.0.2.1", 4000)).unwrap();
    let facts = s.facts();
    assert_eq!(facts.len(), 1 + 2 * 16);
    assert!(facts.iter().all(|fact| fact.len() < 230));
}

/// A call's names can be written into any request.
#[test]
fn what_is_no_part_of_the_call_s_dialog_is_not_heard() {
    let mut s = Script::new();
    s.talk();
    s.facts();
    let more = "Content-Type: application/dtmf\r\nX-Sidetone-Consent: granted\r\n";
    for to_tag in [None, Some("another")] {
        s.request_with(Caller, "INFO 10", to_tag, more, "1").unwrap();
        s.request_with(Caller, "REFER 11", to_tag, "Refer-To: <sip:9@x>\r\n", "").unwrap();
        assert!(
            s.facts().iter().all(|fact| !fact.contains("says") && !fact.contains("pressed")),
            "{to_tag:?}"
        );
    }
    s.request_with(Caller, "INFO 12", Some("b"), more, "1").unwrap();
    assert_eq!(s.facts().len(), 4);
}
