//! Messages that a proxy has to refuse or to drop, and how.

use super::sim::Net;
use super::{Fate, PBX, SENDER, fate_of, fixture};

pub(super) const NAMES: &[&str] = &[
    "badinv01",
    "clerr",
    "ncl",
    "scalar02",
    "scalarlg",
    "ltgtruri",
    "lwsruri",
    "lwsstart",
    "trws",
    "escruri",
    "badvers",
    "mismatch01",
    "mismatch02",
    "bigcode",
    "insuf",
    "bext01",
    "multi01",
    "mcl01",
    "bcast",
    "zeromf",
    "ipv6-bad",
];

#[track_caller]
fn answered(name: &str, status: u16, reason: &str) {
    match fate_of(fixture(name)) {
        Fate::Answered(got, why) => assert_eq!((got, why.as_str()), (status, reason), "{name}"),
        other => panic!("{name}: {other:?}"),
    }
}

#[track_caller]
fn dropped(name: &str) {
    let fate = fate_of(fixture(name));
    assert!(matches!(fate, Fate::Dropped), "{name}: {fate:?}");
}

#[test]
fn badinv01_extraneous_header_field_separators() {
    answered("badinv01", 400, "Bad Request (malformed Via)");
}

#[test]
fn clerr_content_length_larger_than_message() {
    answered("clerr", 400, "Bad Request (body shorter than Content-Length)");
}

#[test]
fn ncl_negative_content_length() {
    answered("ncl", 400, "Bad Request (malformed Content-Length)");
}

#[test]
fn scalar02_request_scalar_fields_with_overlarge_values() {
    answered("scalar02", 400, "Bad Request (malformed CSeq)");
}

#[test]
fn scalarlg_response_scalar_fields_with_overlarge_values() {
    dropped("scalarlg");
}

#[test]
fn ltgtruri_brackets_around_the_request_uri() {
    answered("ltgtruri", 400, "Bad Request (malformed start line)");
}

#[test]
fn lwsruri_white_space_in_the_request_uri() {
    answered("lwsruri", 400, "Bad Request (malformed start line)");
}

#[test]
fn lwsstart_multiple_spaces_in_the_request_line() {
    answered("lwsstart", 400, "Bad Request (malformed start line)");
}

#[test]
fn trws_spaces_at_the_end_of_the_request_line() {
    answered("trws", 400, "Bad Request (malformed start line)");
}

#[test]
fn escruri_escaped_headers_in_the_request_uri() {
    answered("escruri", 400, "Bad Request (headers in Request-URI)");
}

#[test]
fn badvers_unknown_protocol_version() {
    answered("badvers", 505, "Version Not Supported");
}

#[test]
fn mismatch_of_request_line_and_cseq() {
    answered("mismatch01", 400, "Bad Request (CSeq method differs)");
    answered("mismatch02", 400, "Bad Request (CSeq method differs)");
}

#[test]
fn bigcode_overlarge_response_code() {
    dropped("bigcode");
}

#[test]
fn insuf_missing_required_header_fields() {
    answered("insuf", 400, "Bad Request (missing header)");
}

#[test]
fn bext01_proxy_require_and_require() {
    answered("bext01", 420, "Bad Extension");
    let mut net = Net::new();
    net.send(SENDER, fixture("bext01"));
    let refusal = net.take(SENDER, "420");
    let unsupported = refusal.header(sidetone_sip::Name::Unsupported).unwrap();
    assert_eq!(unsupported.text(), "noProxiesSupportThis, norDoAnyProxiesSupportThis");
}

#[test]
fn multi01_multiple_values_in_single_value_fields() {
    answered("multi01", 400, "Bad Request (repeated header)");
}

#[test]
fn mcl01_multiple_content_lengths() {
    answered("mcl01", 400, "Bad Request (repeated header)");
}

/// No transaction knows it, so nothing is sent to anybody, let alone to everybody.
#[test]
fn bcast_ok_response_with_broadcast_via() {
    dropped("bcast");
    let mut net = Net::new();
    net.send(PBX, fixture("bcast"));
    assert!(net.anywhere().next().is_none());
}

/// §3.3.11 leaves a proxy the choice between 483 and answering an OPTIONS in the target's place.
#[test]
fn zeromf_max_forwards_of_zero() {
    answered("zeromf", 200, "OK");
}

#[test]
fn ipv6_bad_address_without_brackets() {
    answered("ipv6-bad", 400, "Bad Request (malformed Request-URI)");
}
