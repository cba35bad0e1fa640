//! Host names that no resolver could find: most are addresses or ports that were mistyped.

use sidetone_sip::host::{Host, literal};

/// The longest name and the longest label of one, in bytes (RFC 1035 §2.3.4).
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The kind of resolver, which decides about underscores: the system's resolver takes them, our DNS look-up by RFC 3263
/// does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolved {
    /// Looked up here, by SRV, AAAA and A.
    ForSip,
    /// Looked up by the system, or by peers.
    Elsewhere,
}

/// Why a text is neither an address nor a name that could be looked up, with the remedy. IPv6 stands in brackets or
/// without, depending on the place.
pub(super) fn no_host(text: &str, resolved: Resolved) -> Option<String> {
    if literal(text).is_some() {
        return None;
    }
    let Ok(Host::Name(_)) = text.parse::<Host>() else {
        return Some(format!(
            "`{text}` is no host; write a name or an address, as in pbx.example or 192.0.2.1"
        ));
    };
    // A dot at the end marks a fully qualified name.
    let name = text.strip_suffix('.').unwrap_or(text);
    let labels = || name.split('.');
    if labels().next_back().is_some_and(is_number) {
        let mut numbers = labels();
        let all = numbers.all(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        let padded = labels().any(|label| label.len() > 1 && label.starts_with('0'));
        let why = match labels().count() {
            _ if text.ends_with('.') => "it ends with a dot",
            4 if all && padded => "its numbers may not begin with 0",
            4 if all => "its numbers go from 0 to 255",
            _ => "an IPv4 address has four numbers, and no name ends in one",
        };
        return Some(format!(
            "`{text}` looks like an address and is none: {why}; write for example 192.0.2.1"
        ));
    }
    if let Some(rest) = name.strip_prefix("_sip.").or_else(|| name.strip_prefix("_sips.")) {
        let domain = rest.split_once('.').map_or(rest, |(_, domain)| domain);
        return Some(format!(
            "`{text}` names an SRV record; write the domain alone, {domain}: SRV is asked for it"
        ));
    }
    if resolved == Resolved::ForSip && name.contains('_') {
        return Some(format!(
            "`{text}` holds an underscore, which no host's name may in SIP; write its address"
        ));
    }
    let fits = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > LONGEST || !labels().all(fits) {
        return Some(format!(
            "`{text}` is no name: its parts, divided by single dots, have 1 to {LONGEST_LABEL} letters and begin and end with no hyphen"
        ));
    }
    None
}

/// Whether the last label makes a name a mistyped IPv4 address: no top-level domain is a number.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Whether a name means this machine itself, for any resolver (RFC 6761 §6.3).
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether two names are equal, apart from a dot at the end.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.strip_suffix('.').unwrap_or(a).eq_ignore_ascii_case(b.strip_suffix('.').unwrap_or(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_looked_up_is_a_host() {
        let long = format!("{}.example", "a".repeat(63));
        for text in [
            "pbx",
            "pbx.example",
            "pbx.example.",
            "1and1.example",
            "x--y.example",
            "192.0.2.1",
            "[::1]",
            &long,
        ] {
            assert_eq!(no_host(text, Resolved::ForSip), None, "{text}");
        }
        assert_eq!(no_host("my_pbx", Resolved::Elsewhere), None);
        assert!(
            is_localhost("localhost") && is_localhost("A.LocalHost.") && !is_localhost("localhost.example")
        );
        assert!(same("Edge.example.", "edge.example") && !same("edge.example", "edge"));
    }

    #[test]
    fn what_cant_is_told_with_a_remedy() {
        let long = format!("{}.example", "a".repeat(64));
        let longest = format!("{}example", "abcdefgh.".repeat(30));
        for (text, why) in [
            ("127.0.0.266", "its numbers go from 0 to 255; write for example 192.0.2.1"),
            ("127.0.0.01", "may not begin with 0"),
            ("010.0.0.1", "may not begin with 0"),
            ("1.2.3", "has four numbers"),
            ("1.2.3.4.5", "has four numbers"),
            ("127.0.0.0x1", "has four numbers"),
            ("127.0.0.1.", "ends with a dot"),
            ("5060", "has four numbers"),
            ("pbx.example.1", "no name ends in one"),
            ("_sip._udp.carrier.example", "write the domain alone, carrier.example: SRV"),
            ("my_pbx", "holds an underscore"),
            ("a..b", "single dots"),
            (".a", "single dots"),
            ("-a.example", "no hyphen"),
            ("a-.example", "no hyphen"),
            (&long, "1 to 63 letters"),
            (&longest, "is no name"),
            ("", "is no host"),
            ("edge.example:5060", "is no host"),
            ("[::1", "is no host"),
            ("a b", "is no host"),
        ] {
            let told = no_host(text, Resolved::ForSip).unwrap_or_else(|| panic!("{text}"));
            assert!(told.contains(why), "{told}");
        }
    }
}
