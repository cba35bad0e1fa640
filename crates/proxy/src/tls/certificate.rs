//! What a certificate says: the SIP domains that it speaks for (RFC 5922 §7.1), and when it is valid (RFC 5280
//! §4.1.2.5).

use rustls::pki_types::{CertificateDer, ServerName};
use sidetone_sip::host::{Host, literal};
use sidetone_sip::uri::{Scheme, UriView};
use webpki::EndEntityCert;

/// Tags of DER (X.690 §8).
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, explicit: the version (RFC 5280 §4.1).
const VERSION: u8 = 0xa0;

/// The SIP domains that a certificate speaks for, in lower case: the hosts of its `sip:` URIs without a user, or if
/// there are none its DNS names. Names with wildcards are none (RFC 5922 §7.2), and the subject's common name is not
/// looked at.
#[must_use]
pub(crate) fn identities(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let uris: Vec<String> = certificate.valid_uri_names().filter_map(domain).collect();
    if !uris.is_empty() {
        return uris;
    }
    let names = certificate.valid_dns_names().filter(|name| !name.contains('*'));
    names.map(|name| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()).collect()
}

/// The domain of a SIP URI that names no user.
fn domain(uri: &str) -> Option<String> {
    let uri = UriView::parse(uri).ok()?;
    let is_domain = uri.scheme() == Scheme::Sip && uri.userinfo().is_none();
    match uri.host().parse().ok().filter(|_| is_domain)? {
        Host::Name(name) => Some(name.strip_suffix('.').map(str::to_owned).unwrap_or(name)),
        Host::Ip(ip) => Some(ip.to_canonical().to_string()),
    }
}

/// Whether a certificate speaks for that domain; for an address, if it names that very address.
pub(super) fn speaks_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let wanted = name.to_str();
    let listed = || identities(certificate);
    match name {
        ServerName::DnsName(_) => listed().iter().any(|known| known.eq_ignore_ascii_case(&wanted)),
        ServerName::IpAddress(_) => {
            let by_uri = literal(&wanted).map(|ip| ip.to_canonical().to_string());
            let Ok(certificate) = EndEntityCert::try_from(certificate) else { return false };
            certificate.verify_is_valid_for_subject_name(name).is_ok()
                || by_uri.is_some_and(|ip| listed().contains(&ip))
        }
        _ => false,
    }
}

/// When a certificate begins and ends to be valid, in seconds since 1970; none if it can't be read.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Option<(i64, i64)> {
    let (outer, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(outer, SEQUENCE)?;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    // The serial number, the algorithm and the issuer stand before it.
    for _ in 0..3 {
        let tag = *fields.first()?;
        (_, fields) = element(fields, tag)?;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (begins, rest) = time(validity)?;
    let (ends, _) = time(rest)?;
    Some((begins, ends))
}

/// The content of the element at the start, if it has that tag, and whatever follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (short, rest) = rest.split_first().filter(|_| *found == tag)?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(*short), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A time: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
fn time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let tag = *bytes.first()?;
    let (text, rest) = element(bytes, tag)?;
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = |from: usize, to: usize| -> Option<i64> {
        Some(digits.get(from..to)?.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, at) = match tag {
        UTC_TIME => {
            let year = number(0, 2)?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, 2)
        }
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    if digits.len() != at + 10 {
        return None;
    }
    let part = |index: usize| number(at + 2 * index, at + 2 * index + 2);
    let days = days(year, part(0)?, part(1)?)?;
    Some(((days * 24 + part(2)?) * 3_600 + part(3)? * 60 + part(4)?, rest))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by counting in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(names: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name.push(rcgen::DnType::CommonName, "common.example");
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(2051, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    fn uri(uri: &str) -> SanType {
        SanType::URI(uri.try_into().unwrap())
    }

    fn speaks(certificate: &CertificateDer<'_>, host: &str) -> bool {
        speaks_for(certificate, &super::super::identity(host).unwrap())
    }

    #[test]
    fn dns_names_count_where_no_sip_uri_stands() {
        let one = made(vec![dns("SBC.Example"), dns("*.wild.example")]);
        assert_eq!(identities(&one), ["sbc.example"]);
        assert!(speaks(&one, "sbc.example") && speaks(&one, "SBC.EXAMPLE."));
        for other in ["example", "a.sbc.example", "x.wild.example", "common.example", "192.0.2.1"] {
            assert!(!speaks(&one, other), "{other}");
        }
    }

    #[test]
    fn a_sip_uri_without_a_user_outweighs_dns_names() {
        let one = made(vec![dns("sbc.example"), uri("SIP:carrier.example"), uri("sip:bob@user.example")]);
        assert_eq!(identities(&one), ["carrier.example"]);
        assert!(speaks(&one, "carrier.example"));
        assert!(!speaks(&one, "sbc.example") && !speaks(&one, "user.example"));
        // Other schemes are no SIP domain, `sips` among them.
        assert_eq!(identities(&made(vec![dns("a.example"), uri("sips:b.example")])), ["a.example"]);
        assert!(identities(&made(Vec::new())).is_empty());
    }

    #[test]
    fn an_address_is_proven_by_that_address() {
        let one = made(vec![SanType::IpAddress([192, 0, 2, 1].into()), dns("sbc.example")]);
        assert!(speaks(&one, "192.0.2.1") && !speaks(&one, "192.0.2.2"));
        assert!(speaks(&made(vec![uri("sip:192.0.2.7")]), "192.0.2.7"));
    }

    #[test]
    fn validity_is_read_in_both_forms() {
        // 1999 is a UTCTime, 2051 a GeneralizedTime.
        assert_eq!(validity(&made(Vec::new())), Some((946_598_400, 2_561_241_600)));
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2000, 2, 29), Some(11_016));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = made(vec![dns("sbc.example")]);
        for cut in 0..whole.len() {
            let cut = CertificateDer::from(&whole[..cut]);
            assert_eq!((validity(&cut).is_some(), identities(&cut).len()).1, 0);
        }
        for at in 0..whole.len().min(400) {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0xff;
            let broken = CertificateDer::from(bytes);
            let _ = (validity(&broken), identities(&broken));
        }
    }
}
