//! What is refused, and whether it can be answered.

use bytes::Bytes;
use sidetone_sip::message::{Flaw, Limits, ParseError, ResponseBuilder};
use sidetone_sip::{Message, Name};

use crate::five;

fn flaw(text: &str) -> ParseError {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect_err(text)
}

fn options(more: &str) -> String {
    format!("OPTIONS sip:a@b SIP/2.0\r\n{}{more}\r\n", five("OPTIONS"))
}

fn without(name: &str) -> String {
    options("").lines().filter(|l| !l.starts_with(name)).map(|l| format!("{l}\r\n")).collect()
}

#[test]
fn answerable() {
    let swap = |from: &str, to: &str| options("").replace(from, to);
    for (text, expected, status) in [
        (swap("SIP/2.0\r\n", "SIP/7.0\r\n"), Flaw::Version, 505),
        (swap("sip:a@b ", "<sip:a@b> "), Flaw::StartLine, 400),
        (swap("sip:a@b ", "sip:a@b; lr "), Flaw::StartLine, 400),
        (swap("sip:a@b ", " sip:a@b "), Flaw::StartLine, 400),
        (swap("SIP/2.0\r\n", "SIP/2.0 \r\n"), Flaw::StartLine, 400),
        (swap("1 OPTIONS", "36893488147419103232 OPTIONS"), Flaw::CSeq, 400),
        (swap("1 OPTIONS", "OPTIONS"), Flaw::CSeq, 400),
        (swap("1 OPTIONS", "1 INVITE"), Flaw::MethodMismatch, 400),
        (swap("<sip:b@example.com>", ""), Flaw::To, 400),
        (swap("<sip:a@example.com>;tag=1", " "), Flaw::From, 400),
        (swap("Call-ID: x@y", "Call-ID:"), Flaw::CallId, 400),
        (options("Call-ID: z\r\n"), Flaw::RepeatedHeader, 400),
        (options("Content-Length: 1\r\nl: 0\r\n"), Flaw::RepeatedHeader, 400),
        (options("Content-Length: 0\r\nl: x\r\n"), Flaw::RepeatedHeader, 400),
        (options("Content-Length: -999\r\n"), Flaw::ContentLength, 400),
        (options("Content-Length: 9999\r\n"), Flaw::ShortBody, 400),
        (options("Content-Length: 99999999999999999999999\r\n"), Flaw::ContentLength, 400),
        (swap("SIP/2.0\r\n", "SIP/2.0\r\n X: y\r\n"), Flaw::Header, 400),
        (options("X: a\rb\r\n"), Flaw::Header, 400),
        (options("X: a\0b\r\n"), Flaw::Header, 400),
        (options("no colon \0 here\r\n"), Flaw::Header, 400),
        (options(&"no colon here\r\n".repeat(300)), Flaw::TooManyHeaders, 400),
        (options("X: y\r\n").trim_end().to_owned() + "\r\n", Flaw::Truncated, 400),
        (options(&"X: y\r\n".repeat(300)), Flaw::TooManyHeaders, 400),
        (options(&format!("X: {}\r\n", "y".repeat(20_000))), Flaw::LineTooLong, 400),
        (options(&format!("X: {}\r\n", "y\r\n ".repeat(5_000))), Flaw::LineTooLong, 400),
        (options("") + &"x".repeat(140_000), Flaw::TooLarge, 513),
        (without("From"), Flaw::MissingHeader, 400),
        (without("To"), Flaw::MissingHeader, 400),
        (without("Call-ID"), Flaw::MissingHeader, 400),
        (without("CSeq"), Flaw::MissingHeader, 400),
        (swap(";branch=z9hG4bKa", ";;,;"), Flaw::Via, 400),
        (swap("SIP/2.0/UDP ", "SIP/2.0 "), Flaw::Via, 400),
    ] {
        let error = flaw(&text);
        assert_eq!((error.flaw, error.status()), (expected, status), "{}", &text[..text.len().min(400)]);
        let view = error.answerable().unwrap_or_else(|| panic!("{expected:?} can be answered"));
        let response = ResponseBuilder::new(view, status).reason(&error.reason()).to_tag("t").build();
        let answer = String::from_utf8_lossy(&response).into_owned();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
        for name in ["Via", "From", "Call-ID", "CSeq"] {
            let line = text.lines().find(|line| line.starts_with(name));
            assert!(line.is_none_or(|line| answer.contains(&format!("\r\n{line}\r\n"))), "{answer}");
        }
    }
}

#[test]
fn to_be_dropped() {
    for (text, expected) in [
        (String::new(), Flaw::Empty),
        ("\r\n\r\n".to_owned(), Flaw::Empty),
        ("\0\0\0\0".to_owned(), Flaw::StartLine),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Flaw::StartLine),
        ("OPTIONS sip:a@b\r\n\r\n".to_owned(), Flaw::StartLine),
        (without("Via"), Flaw::MissingHeader),
        (format!("SIP/2.0 4294967301 better\r\n{}\r\n", five("X")), Flaw::StartLine),
        (format!("SIP/2.0 099 x\r\n{}\r\n", five("X")), Flaw::StartLine),
        (format!("SIP/2.0 700 x\r\n{}\r\n", five("X")), Flaw::StartLine),
        (format!("SIP/3.0 200 x\r\n{}\r\n", five("X")), Flaw::StartLine),
        (format!("SIP/2.0 200 x\r\n{}Content-Length: 9\r\n\r\n", five("X")), Flaw::ShortBody),
    ] {
        let error = flaw(&text);
        assert_eq!(error.flaw, expected, "{text}");
        assert!(error.answerable().is_none(), "{text}");
    }
}

/// A flaw in the middle doesn't hide what stands after it.
#[test]
fn the_view_goes_on_after_a_flaw() {
    let text = format!("OPTIONS sip:a@b SIP/2.0\r\nX: \0\r\n{}Subject: s\r\n\r\n", five("OPTIONS"));
    let error = flaw(&text);
    let view = error.answerable().unwrap();
    assert_eq!(view.header(Name::Subject).unwrap().value, b"s");
    assert_eq!(view.call_id(), "x@y");
}

#[test]
fn limits_are_the_caller_s_to_set() {
    let text = Bytes::from(options(""));
    let tight = |limits: Limits| Message::parse_with(text.clone(), &limits).map(|_| ()).map_err(|e| e.flaw);
    assert_eq!(tight(Limits { headers: 5, ..Limits::default() }), Ok(()));
    assert_eq!(tight(Limits { headers: 4, ..Limits::default() }), Err(Flaw::TooManyHeaders));
    assert_eq!(tight(Limits { line: 30, ..Limits::default() }), Err(Flaw::LineTooLong));
    assert_eq!(tight(Limits { message: 100, ..Limits::default() }), Err(Flaw::TooLarge));
}
