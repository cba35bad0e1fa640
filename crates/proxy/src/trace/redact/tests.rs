//! No telephone number gets through, wherever in a message it stands; the fields that an operator needs do.

use proptest::prelude::*;
use sidetone_events::Secret;

use super::*;

fn hasher() -> NumberHasher {
    NumberHasher::salted(&Secret::new("sixteen bytes and more")).unwrap()
}

fn shown(text: &str) -> (Shown, Belongs) {
    message(&hasher(), &mut Remembered::default(), &Bytes::copy_from_slice(text.as_bytes()))
        .unwrap_or_else(|| panic!("no SIP message: {text}"))
}

const INVITE: &str = "INVITE sip:+49301234567@192.0.2.10;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Erika Mustermann\" <sip:+4915555550123@carrier.example>;tag=1928301774\r\n\
t: <sip:+49301234567@192.0.2.10>\r\n\
Call-ID: a84b4c76e66710@pc33.carrier.example\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:15555550123@192.0.2.1:5060;transport=udp>\r\n\
User-Agent: Asterisk PBX 18.10.0\r\n\
Authorization: Digest username=\"15555550123\", response=\"6629fae49393a05397450978507c4ef1\"\r\n\
X-Sidetone-Agent: Erika\r\n\
Supported: 100rel, timer\r\n\
Content-Type: application/sdp\r\n\
\r\n\
v=0\r\n\
o=15555550123 2890844526 2890844527 IN IP4 192.0.2.1\r\n\
s=Erika calls\r\n\
p=+49 155 5555 0123\r\n\
c=IN IP4 192.0.2.1\r\n\
t=0 0\r\n\
m=audio 4000 RTP/SAVP 0 101\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n\
a=sendrecv\r\n";

#[test]
fn what_an_operator_needs_is_shown_and_nothing_of_who_calls_whom() {
    let (shown, belongs) = shown(INVITE);
    let text = shown.text();
    let callee = hasher().hash("+49301234567").unwrap().to_string();
    for kept in [
        format!("INVITE sip:{callee}@192.0.2.10;user=phone SIP/2.0\r\n").as_str(),
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n",
        "@carrier.example>;tag=1928301774\r\n",
        "Call-ID: a84b4c76e66710@pc33.carrier.example\r\n",
        "CSeq: 314159 INVITE\r\n",
        "User-Agent: Asterisk PBX 18.10.0\r\n",
        "Authorization: (74 bytes)\r\n",
        "X-Sidetone-Agent: (5 bytes)\r\n",
        "Supported: 100rel, timer\r\n",
        "o=- 2890844526 2890844527 IN IP4 192.0.2.1\r\n",
        "m=audio 4000 RTP/SAVP 0 101\r\n",
        "a=rtpmap:101 telephone-event/8000\r\n",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
    ] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
    for gone in ["1234567", "5550123", "Erika", "6629fae", "d0Rmd"] {
        assert!(!text.contains(gone), "{gone} is in\n{text}");
    }
    assert_eq!(shown.media.as_deref(), Some("audio 192.0.2.1:4000 PCMU telephone-event encrypted sendrecv"));
    assert_eq!(shown.cseq, Some((314_159, "INVITE".to_owned())));
    assert_eq!(belongs.in_events, "a84b4c76e66710@pc33.carrier.example");
    // The redacted text is SIP again, and its redaction changes nothing.
    let again = message(&hasher(), &mut Remembered::default(), &Bytes::from(text.clone())).unwrap().0;
    assert_eq!(again.method.as_deref(), Some("INVITE"));
    assert_eq!(again.media, shown.media);
}

#[test]
fn a_body_that_is_no_session_description_is_left_out() {
    let info = "INFO sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INFO\r\nContent-Type: application/dtmf-relay\r\nContent-Length: 22\r\n\r\n\
        Signal=9\r\nDuration=160";
    let text = shown(info).0.text();
    assert!(!text.contains("Signal") && text.contains("X-Body-Left-Out: 22 bytes"), "{text}");
    assert!(text.contains("Content-Length: 0\r\n\r\n") && text.contains("CSeq: 1 INFO"), "{text}");
}

#[test]
fn a_call_id_that_holds_a_number_is_masked_as_in_events() {
    let (shown, belongs) = shown(&INVITE.replace("a84b4c76e66710@", "15555550123-7@"));
    assert!(shown.call_id.starts_with("masked:"), "{}", shown.call_id);
    assert_eq!(shown.call_id, belongs.in_events);
    assert!(belongs.call_id.starts_with("15555550123"));
}

/// Every place in a message that a sender could write a number into.
fn message_with(number: &str, place: usize, split: bool) -> String {
    let written = if split {
        let (area, rest) = number.split_at(3);
        format!("{area}-{rest}")
    } else {
        number.to_owned()
    };
    let escaped: String = number.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let at = |wanted: usize, usual: &str| if place == wanted { written.clone() } else { usual.to_owned() };
    let user = if place == 0 { escaped } else { number.to_owned() };
    format!(
        "INVITE sip:{user}@{host} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch}\r\n\
         Via: SIP/2.0/UDP {via};branch=z9hG4bK-2;x-{param}=1\r\n\
         From: \"{display}\" <sip:{from}@carrier.example>;tag={tag}\r\n\
         To: <sip:{user}@192.0.2.10>;x={to_param}\r\n\
         Call-ID: {call_id}@carrier.example\r\n\
         CSeq: 1 INVITE\r\n\
         Max-Forwards: 70\r\n\
         P-Asserted-Identity: <tel:+{asserted}>\r\n\
         Diversion: <sip:{diverted}@x.example>;reason=\"{reason}\"\r\n\
         History-Info: <sip:a@x.example?Reason=SIP%3Bcause%3D302%3Btext%3D{history}>;index=1\r\n\
         Refer-To: <sip:b@x.example?Replaces={replaces}%3Bto-tag%3D1>\r\n\
         Replaces: {replaced};to-tag={replaced_tag};from-tag=2\r\n\
         Reason: Q.850;cause=16;text=\"{cause}\"\r\n\
         User-Agent: phone of {agent}\r\n\
         Subject: {subject}\r\n\
         X-{name}: 1\r\n\
         X-Other: {other}\r\n\
         Supported: timer, {option}\r\n\
         Content-Type: application/sdp;x={kind}\r\n\
         \r\n\
         v=0\r\n\
         o={origin} {id} 1 IN IP4 192.0.2.1\r\n\
         s={title}\r\n\
         i={info}\r\n\
         c=IN IP4 {connection}\r\n\
         t=0 0\r\n\
         m=audio 4000 RTP/AVP 0\r\n\
         a=x-{attribute}\r\n\
         a=label:{label}\r\n\
         a=fmtp:0 x={format}\r\n\
         a=rtpmap:0 {map}/8000\r\n",
        host = at(1, "192.0.2.10"),
        branch = at(2, "1"),
        via = at(3, "via.example"),
        param = at(4, "p"),
        display = at(5, "name"),
        from = at(6, "anonymous"),
        tag = at(7, "1"),
        to_param = at(8, "1"),
        call_id = at(9, "abc"),
        asserted = at(10, "49"),
        diverted = at(11, "x"),
        reason = at(12, "unconditional"),
        history = at(13, "x"),
        replaces = at(14, "x"),
        replaced = at(15, "x"),
        replaced_tag = at(16, "x"),
        cause = at(17, "x"),
        agent = at(18, "x"),
        subject = at(19, "x"),
        name = at(20, "Custom"),
        other = at(21, "x"),
        option = at(22, "x"),
        kind = at(23, "x"),
        origin = at(24, "-"),
        id = at(25, "1"),
        title = at(26, "-"),
        info = at(27, "x"),
        connection = at(28, "192.0.2.1"),
        attribute = at(29, "x"),
        label = at(30, "x"),
        format = at(31, "x"),
        map = at(32, "PCMU"),
    )
}
const PLACES: usize = 33;

/// Whether the number's last seven digits stand in the text, in any grouping.
fn leaks(text: &str, number: &str) -> bool {
    let tail = &number[number.len() - 7..];
    text.lines().any(|line| {
        // A hash is 24 hexadecimal digits, of which seven may match by chance.
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ' ' | '%')));
        let words = words.filter(|word| !is_hash(word));
        words
            .map(|word| word.chars().filter(char::is_ascii_digit).collect::<String>())
            .any(|it| it.contains(tail))
    })
}

fn is_hash(word: &str) -> bool {
    let word = word.strip_prefix('x').unwrap_or(word);
    word.len() == 24 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn the_test_itself_would_notice() {
    assert!(leaks("From: <sip:+49 30-123 4567@x>", "49301234567"));
    assert!(!leaks("From: <sip:49301234568@x>", "49301234567"));
    assert!(leaks(&message_with("49301234567", 21, true), "49301234567"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No output holds a party's number, wherever in the message it stands.
    #[test]
    fn no_number_is_shown(number in "[1-9][0-9]{7,14}", place in 0..PLACES, split in any::<bool>()) {
        let text = message_with(&number, place, split);
        if let Some((shown, _)) = message(&hasher(), &mut Remembered::default(), &Bytes::from(text)) {
            let all = format!("{}\n{shown:?}", shown.text().replace("\r\n", "\n"));
            let all = all.replace("\\r\\n", "\n");
            prop_assert!(!leaks(&all, &number), "place {}: {}", place, all);
        }
    }

    /// The same for responses, whose reason phrases may hold anything.
    #[test]
    fn no_number_is_shown_of_responses(number in "[1-9][0-9]{7,14}", status in 100_u16..700) {
        let text = format!("SIP/2.0 {status} Not you, {number}\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n\
            From: <sip:{number}@x>;tag=1\r\nTo: <sip:b@y>;tag={number}\r\nCall-ID: {number}\r\nCSeq: 1 INVITE\r\n\r\n");
        let (shown, _) = shown(&text);
        let all = format!("{}\n{shown:?}", shown.text());
        prop_assert!(!leaks(&all, &number), "{}", all);
        prop_assert_eq!(shown.status, Some(status));
    }

    /// Any input is shown or dropped, and the output is bounded.
    #[test]
    fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0..INVITE.len()) {
        let _ = message(&hasher(), &mut Remembered::default(), &Bytes::from(bytes.clone()));
        let mut broken = INVITE.as_bytes()[..cut].to_vec();
        broken.extend(bytes);
        broken.extend(&INVITE.as_bytes()[cut..]);
        if let Some((shown, _)) = message(&hasher(), &mut Remembered::default(), &Bytes::from(broken)) {
            prop_assert!(shown.text().len() < 128 * 1024);
        }
    }
}

/// A Call-ID made of a number that only P-Asserted-Identity states, as some session border controllers make theirs.
const ASSERTED: &str = "INVITE sip:b@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=4915555550123\r\nTo: <sip:b@192.0.2.10>\r\n\
    Call-ID: 4915555550123-1@x\r\nP-Asserted-Identity: <tel:+4915555550123>\r\nCSeq: 1 INVITE\r\n\r\n";
const ANSWER: &str = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
    From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=4915555550123\r\nTo: <sip:b@192.0.2.10>;tag=2\r\n\
    Call-ID: 4915555550123-1@x\r\nCSeq: 1 INVITE\r\n\r\n";

#[test]
fn a_number_that_the_invite_told_is_found_in_what_follows() {
    let mut remembered = Remembered::default();
    let mut show = |text: &str| {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        message(&hasher(), &mut remembered, &bytes).unwrap().0
    };
    let (invite, answer) = (show(ASSERTED), show(ANSWER));
    assert!(!leaks(&invite.text(), "4915555550123"), "{}", invite.text());
    assert!(!leaks(&answer.text(), "4915555550123"), "{}", answer.text());
    assert_eq!(invite.call_id, answer.call_id, "both are of one call");
}

#[test]
fn where_the_invite_was_not_seen_whatever_may_be_a_number_is_masked() {
    let (shown, belongs) = shown(ANSWER);
    assert!(!leaks(&shown.text(), "4915555550123"), "{}", shown.text());
    assert!(belongs.withheld);
}

#[test]
fn the_numbers_of_few_calls_are_remembered() {
    let mut remembered = Remembered::default();
    for call in 0..5_000 {
        let text = ASSERTED.replace("4915555550123-1@x", &format!("{call}@x"));
        message(&hasher(), &mut remembered, &Bytes::from(text)).unwrap();
    }
    assert_eq!(remembered.len(), 2_048);
}

#[test]
fn rates_and_ports_of_a_session_description_stay() {
    let text = INVITE.replace(
        "a=sendrecv",
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxaveragebitrate=510000\r\na=rtcp:53020",
    );
    let text = shown(&text).0.text();
    for kept in ["opus/48000/2", "maxaveragebitrate=510000", "a=rtcp:53020"] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
}

#[test]
fn serial_numbers_of_telephones_go_and_versions_stay() {
    let phone = |agent: &str| shown(&INVITE.replace("Asterisk PBX 18.10.0", agent)).0.text();
    let text = phone("Yealink SIP-T46S 66.86.0.15 805ec0abc12f");
    assert!(text.contains("User-Agent: Yealink SIP-T46S 66.86.0.15 (12 hex digits)\r\n"), "{text}");
    assert!(phone("Café \u{0664}\u{0669}").contains("User-Agent: Caf? ??\r\n"));
}

/// Headers that hold secrets, names of people or unknown content.
const SECRET_HEADERS: [&str; 22] = [
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Identity",
    "y",
    "P-Charging-Vector",
    "P-Access-Network-Info",
    "Subject",
    "s",
    "Call-Info",
    "Alert-Info",
    "Organization",
    "Warning",
    "Geolocation",
    "User-to-User",
    "Security-Client",
    "SIP-If-Match",
    "X-Sidetone-Agent",
    "Remote-Party-ID",
    "P-Asserted-Identity",
];
/// How a header line may be written, well or badly.
const LAYOUTS: usize = 9;
/// Kinds of bodies that hold private content.
const BODIES: usize = 9;

fn header_with(secret: &str, name: &str, layout: usize) -> String {
    match layout {
        0 => format!("{name}: Digest username=\"{secret}\", response=\"{secret}\"\r\n"),
        1 => format!("{name}:\r\n Digest username=\"u\",\r\n\tresponse=\"{secret}\"\r\n"),
        2 => format!("{} : {secret}\r\n", name.to_uppercase()),
        3 => format!("{name} {secret}\r\n"),
        4 => format!("{name}: a\r\n{name}:{secret}\r\n"),
        5 => format!("{name}: \"{secret}\" <sip:a@x>;x={secret}\r\n"),
        6 => format!("{name}: \"{secret} <sip:a@x\r\n"),
        7 => format!("X {name}: {secret}\r\n"),
        _ => format!("{name}: <sip:a:{secret}@x;y={secret}?Authorization={secret}>;{{{secret}\r\n"),
    }
}

/// Content type and body.
fn body_with(secret: &str, kind: usize) -> (&'static str, String) {
    let sdp = |line: String| {
        ("application/sdp", format!("v=0\r\no={secret} 1 1 IN IP4 192.0.2.1\r\ns={secret}\r\n{line}\r\n"))
    };
    match kind {
        0 => sdp(format!("k=base64:{secret}")),
        1 => sdp(format!("m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{secret}")),
        2 => sdp(format!(
            "m=audio 4000 RTP/SAVP 0\r\na=ice-pwd:{secret}\r\na=ice-ufrag:{secret}\r\na=fingerprint:sha-256 {secret}"
        )),
        3 => sdp(format!(
            "a=key-mgmt:mikey {secret}\r\ni={secret}\r\nu=http://{secret}\r\ne={secret}\r\np={secret}"
        )),
        4 => sdp(format!("{secret}\r\n{secret}={secret}\r\n =a:{secret}")),
        5 => ("text/plain", secret.to_owned()),
        6 => ("application/dtmf-relay", format!("Signal={secret}")),
        7 => (
            "multipart/mixed;boundary=b",
            format!("--b\r\nContent-Type: application/sdp\r\n\r\nk=clear:{secret}\r\n--b--\r\n"),
        ),
        _ => ("application/pidf+xml", format!("<note>{secret}</note>")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    /// A secret in any header, standard or not, is left out, however its line is written.
    #[test]
    fn no_secret_is_shown(
        secret in "[A-Za-z][A-Za-z0-9]{11,30}",
        header in 0..SECRET_HEADERS.len(),
        layout in 0..LAYOUTS,
        body in 0..BODIES,
        response in any::<bool>(),
    ) {
        let (kind, body) = body_with(&secret, body);
        let start = if response { "SIP/2.0 200 OK" } else { "INVITE sip:b@192.0.2.10 SIP/2.0" };
        let line = header_with(&secret, SECRET_HEADERS[header], layout);
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n{line}f: \"{secret}\" <sip:{secret}@carrier.example>;tag=1\r\n\
             t: {secret} <sip:{secret}@192.0.2.10>\r\ni: abc\r\nm: <sip:{secret}@192.0.2.1;x={secret}>\r\nCSeq: 1 INVITE\r\n\
             c: {kind}\r\nl: {}\r\n\r\n{body}", body.len()
        );
        let shown = message(&hasher(), &mut Remembered::default(), &Bytes::from(text.clone()));
        if let Some((shown, _)) = shown {
            let all = format!("{}\n{shown:?}", shown.text());
            prop_assert!(!all.contains(&secret), "{}\nbecame\n{}", text, all);
        }
    }

    /// The redacted text is SIP that parses as the same message, so that tools can read the capture.
    #[test]
    fn what_is_shown_is_sip(number in "[1-9][0-9]{7,14}", place in 0..PLACES, split in any::<bool>()) {
        if let Some((shown, _)) = message(&hasher(), &mut Remembered::default(), &Bytes::from(message_with(&number, place, split))) {
            let again = Message::parse(Bytes::from(shown.text()));
            prop_assert!(again.is_ok(), "{}: {}", place, shown.text());
        }
    }
}
