//! What can be read from a well-formed message, however oddly it is written.

use bytes::Bytes;
use sidetone_sip::{Message, Method, Name, StartLine};

use crate::{five, message};

/// RFC 4475 §3.1.1.1, "A Short Tortuous INVITE".
const TORTUOUS: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n\
TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n\
from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\nContent-Length   : 150\r\ncseq: 0009\r\n  INVITE\r\n\
Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\n\
NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n\
Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n\
\x20SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n\
\x20 secondparam ; q = 0.33\r\n\r\n\
v=0\r\no=mhandley 29739 7272939 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\n\
m=audio 49217 RTP/AVP 0 12\r\nm=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n";

#[test]
fn tortuous() {
    let m = message(TORTUOUS);
    assert_eq!(m.as_bytes(), TORTUOUS.as_bytes());
    let uri = "sip:vivekg@chair-dnrc.example.com;unknownparam";
    assert_eq!(m.start(), StartLine::Request { method: Method::INVITE, uri });
    assert_eq!(m.to_tag(), Some("1918181833n"));
    assert_eq!(m.from_tag(), Some("98asjd8"));
    assert_eq!(m.max_forwards(), Some(Ok(68)));
    let cseq = m.cseq().unwrap();
    assert_eq!((cseq.number, cseq.method), (9, Method::INVITE));
    assert_eq!(m.top_via().unwrap().branch(), Some("390skdjuw"));
    assert_eq!(m.values(Name::Via).count(), 3);
    assert_eq!(m.header(Name::Subject).unwrap().value, b"");
    assert_eq!(m.body().len(), 150);
    let new = m.headers_called("NEWFANGLEDHEADER").next().unwrap();
    assert_eq!(new.text(), "newfangled value continued newfangled value");
    let contact = sidetone_sip::name_addr::NameAddr::parse(m.first_value(Name::Contact).unwrap()).unwrap();
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(contact.params.get("secondparam"), Some(None));
}

#[test]
fn unknown_methods_headers_and_responses() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    let m = message(&format!("{method} sip:a@b SIP/2.0\r\n{}X-!*: \u{fe}\u{1f600}\r\n\r\n", five(method)));
    assert_eq!(m.method().unwrap().as_str(), method);
    assert_eq!(m.headers_called("x-!*").next().unwrap().text(), "\u{fe}\u{1f600}");
    let m = message(&format!("SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}\r\n{}\r\n", five("INVITE")));
    assert_eq!(
        m.start(),
        StartLine::Response { status: 200, reason: "= 2**3 * 5**2 \u{43d}\u{43e}".as_bytes() }
    );
    for line in ["SIP/2.0 100 ", "SIP/2.0 100", "sip/2.0 100 x"] {
        assert_eq!(message(&format!("{line}\r\n{}\r\n", five("INVITE"))).status(), Some(100), "{line}");
    }
}

#[test]
fn compact_and_repeated_headers() {
    let m = message(
        "OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=1\r\nf: <sip:a@b>;tag=1\r\nt: sip:b@c\r\ni: x\r\n\
         CSeq: 1 OPTIONS\r\nk: 100rel , timer\r\nSupported: path\r\nl: 0\r\n\r\n",
    );
    assert_eq!(m.call_id(), "x");
    assert!(m.lists(Name::Supported, "TIMER") && m.lists(Name::Supported, "path"));
    assert!(!m.lists(Name::Supported, "time"));
    assert_eq!(m.values(Name::Supported).count(), 3);
    assert_eq!(m.headers().count(), 8);
}

#[test]
fn line_ends() {
    let text = format!("\r\n\r\n\nOPTIONS sip:a@b SIP/2.0\r\n{}\r\n", five("OPTIONS"));
    assert!(message(&text).as_bytes().starts_with(b"OPTIONS"));
    let m = message(&text.replace("\r\n", "\n"));
    assert_eq!(m.call_id(), "x@y");
    assert_eq!(m.headers().count(), 5);
}

#[test]
fn the_body_is_what_content_length_says() {
    let with = |length: &str, body: &str| {
        let text = format!("MESSAGE sip:a@b SIP/2.0\r\n{}{length}\r\n{body}", five("MESSAGE"));
        Message::parse(Bytes::from(text))
    };
    assert_eq!(with("", "ab\0c").unwrap().body(), b"ab\0c");
    let cut = with("Content-Length: 002\r\n", "abcd").unwrap();
    assert_eq!((cut.body(), cut.excess()), (&b"ab"[..], 2));
    assert!(cut.as_bytes().ends_with(b"\r\n\r\nab"));
    assert_eq!(with("Content-Length:\r\n 4\r\n", "abcd").unwrap().excess(), 0);
    assert!(with("Content-Length: 5\r\n", "abcd").is_err());
}

#[test]
fn bytes_that_are_not_text() {
    let mut bytes = format!("MESSAGE sip:a@b SIP/2.0\r\n{}X: ", five("MESSAGE")).into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\r\n\r\n\xff\0\r\n\r\n");
    let m = Message::parse(Bytes::from(bytes.clone())).unwrap();
    assert_eq!(m.as_bytes(), bytes);
    assert_eq!(m.headers_called("x").next().unwrap().value, b"\xff\xfe");
    assert_eq!(m.body(), b"\xff\0\r\n\r\n");
}

/// RFC 3261 §16.3 step 1: what a proxy need not read, well-formed or not, is ignored and stays.
#[test]
fn what_is_odd_and_not_needed_is_passed_over() {
    for odd in [
        "X Bad Name: 1\r\n",
        "garbage\r\n",
        ": x\r\n",
        "X-Foo(1): bob\r\n with a fold\r\n",
        "X-\u{e9}: bob\r\n",
        "Max-Forwards: 70\r\nMax-Forwards: 69\r\n",
        "Content-Length: 0\r\nl: 0\r\n",
    ] {
        for start in ["OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK"] {
            let text = format!("{start}\r\n{odd}{}Subject: s\r\n\r\n", five("OPTIONS"));
            let m = message(&text);
            assert_eq!(m.as_bytes(), text.as_bytes());
            assert_eq!((m.call_id(), m.from_tag()), ("x@y", Some("1")), "{odd}");
            assert_eq!(m.header(Name::Subject).unwrap().value, b"s");
        }
    }
}

#[test]
fn of_from_and_to_only_the_tag_is_needed() {
    let from = "\"\"unknown\"\" <sip:a@example.com>;tag=1;";
    let to = "\"Bob\" sip:b@example.com;tag=2";
    let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", five("OPTIONS"))
        .replace("<sip:a@example.com>;tag=1", from)
        .replace("<sip:b@example.com>", to);
    let m = message(&text);
    assert_eq!((m.from_tag(), m.to_tag()), (Some("1"), Some("2")));
    // A tag is added only where there is none, and stands where a parser finds it.
    let answer = |text: &str| {
        let m = message(text);
        message(
            std::str::from_utf8(&sidetone_sip::message::ResponseBuilder::new(&m, 404).to_tag("t").build())
                .unwrap(),
        )
    };
    assert_eq!(answer(&text).to_tag(), Some("2"));
    for bare in ["\"Bob\" sip:b@example.com", "<sip:b@example.com>;", "\"open <sip:b@example.com>"] {
        assert_eq!(answer(&text.replace(to, bare)).to_tag(), Some("t"), "{bare}");
    }
}

/// Some devices put what they are called into the Call-ID, in Latin-1.
#[test]
fn a_call_id_that_is_no_utf_8_is_read_and_stays_as_it_came() {
    let with = |call_id: &[u8]| {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{}\r\n", five("OPTIONS"));
        let (before, after) = text.split_once("x@y").unwrap();
        let bytes = [before.as_bytes(), call_id, after.as_bytes()].concat();
        (sidetone_sip::Message::parse(Bytes::from(bytes.clone())).unwrap(), bytes)
    };
    let (latin, bytes) = with(b"caf\xe9@10.0.0.1");
    assert_eq!(latin.call_id(), "caf\u{e9}@10.0.0.1 ");
    assert_eq!(latin.as_bytes(), bytes);
    let (utf8, _) = with("caf\u{e9}@10.0.0.1".as_bytes());
    assert_ne!(latin.call_id(), utf8.call_id(), "two calls are two");
    assert_ne!(with(b"\xe9").0.call_id(), with(b"\xe8").0.call_id());
}
