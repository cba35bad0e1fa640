//! Claims of an INVITE about the party on the trunk's side, beside From and To.

use sidetone_call::Side;

use crate::message::{Message, Name};
use crate::uri::unescape;

/// The most numbers that are taken.
const MOST: usize = 8;
/// The longest of them, in characters.
const LONGEST: usize = 64;
/// The most bytes of a header that are looked at.
const MOST_BYTES: usize = 4_096;

/// Claims of an INVITE about the party on the trunk's side, beside From and To. None is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// User parts of the URIs that name that party: of a call from the trunk P-Asserted-Identity (RFC 3325) and
    /// Remote-Party-ID; of a call to the trunk the Request-URI.
    pub users: Vec<String>,
    /// The call was diverted before it came here, so whom it reaches is not whom its caller dialled: Diversion
    /// (RFC 5806), History-Info with more than one target or with a cause (RFC 7044, RFC 4458), or Referred-By
    /// (RFC 3892).
    pub diverted: bool,
}

impl Claims {
    pub(super) fn of(invite: &Message, from: Side) -> Self {
        let mut users: Vec<String> = Vec::new();
        let mut take = |user: String| {
            if !user.is_empty() && users.len() < MOST && !users.contains(&user) {
                users.push(user);
            }
        };
        match from {
            Side::Trunk => {
                for header in invite.headers() {
                    let asserted = header.name == Name::PAssertedIdentity
                        || header.name_text.eq_ignore_ascii_case("Remote-Party-ID");
                    if asserted {
                        uris(&head(&header.text())).for_each(|uri| take(user(uri)));
                    }
                }
            }
            Side::Pbx => {
                if let Some(uri) = invite.request_uri() {
                    take(user(uri));
                }
            }
        }
        Self { users, diverted: is_diverted(invite) }
    }
}

fn is_diverted(invite: &Message) -> bool {
    let mut targets: Vec<String> = Vec::new();
    for header in invite.headers() {
        let name = header.name_text;
        if ["Diversion", "Referred-By"].iter().any(|it| name.eq_ignore_ascii_case(it)) {
            return true;
        }
        // The compact form of Referred-By.
        if name.eq_ignore_ascii_case("b") {
            return true;
        }
        if name.eq_ignore_ascii_case("History-Info") {
            let text = head(&header.text()).to_ascii_lowercase();
            // A cause stands as a parameter of the URI, or within its Reason, where `=` is escaped.
            if text.contains("cause=") || text.contains("cause%3d") {
                return true;
            }
            targets.extend(uris(&text).map(user));
        }
    }
    targets.iter().any(|target| targets.first() != Some(target))
}

/// The beginning of a value, as much as is looked at.
fn head(text: &str) -> String {
    let end = (0..=text.len().min(MOST_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// The URIs of a list of name-addrs, with or without angle brackets.
fn uris(text: &str) -> impl Iterator<Item = &str> {
    let bracketed = text.contains('<');
    text.split(if bracketed { '<' } else { ',' })
        .skip(usize::from(bracketed))
        .map(|rest| rest.split('>').next().unwrap_or_default().trim())
}

/// The user part of a SIP URI, or the number of a tel URI.
fn user(uri: &str) -> String {
    let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
    let user = match rest.split_once('@') {
        Some((userinfo, _)) => userinfo.split(':').next(),
        // A SIP URI without a user has a host there, which is no number: none is listed under it.
        None => rest.split(';').next(),
    };
    unescape(user.unwrap_or_default()).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(from: Side, headers: &str) -> Claims {
        let text = format!(
            "INVITE sip:+15550142@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: <sip:anonymous@anonymous.invalid>;tag=1\r\nTo: <sip:+15550123@example.com>\r\nCall-ID: a\r\n\
             CSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{headers}Content-Length: 0\r\n\r\n"
        );
        Claims::of(&Message::parse(text.into_bytes().into()).unwrap(), from)
    }

    #[test]
    fn the_caller_s_number_stands_in_more_places_than_from() {
        let headers = "P-Asserted-Identity: \"A, B\" <sip:+15550100@c.example;user=phone>, <tel:+15550101;ext=1>\r\n\
                       Remote-Party-ID: <sip:%2B15550102@c.example>;party=calling\r\n";
        assert_eq!(claims(Side::Trunk, headers).users, ["+15550100", "+15550101", "+15550102"]);
        assert_eq!(claims(Side::Trunk, "").users, Vec::<String>::new());
        assert_eq!(claims(Side::Pbx, headers).users, ["+15550142"], "who is called is in the Request-URI");
    }

    #[test]
    fn a_call_that_was_sent_on_says_so() {
        for header in [
            "Diversion: <sip:101@pbx.example>;reason=no-answer\r\n",
            "diversion: <sip:101@pbx.example>\r\n",
            "Referred-By: <sip:101@pbx.example>\r\n",
            "b: <sip:101@pbx.example>\r\n",
            "History-Info: <sip:101@pbx.example>;index=1, <sip:+15550142@c.example;cause=302>;index=1.1\r\n",
            "History-Info: <sip:101@pbx.example?Reason=SIP%3Bcause%3D486>;index=1\r\n",
            "History-Info: <sip:101@pbx.example>;index=1\r\nHistory-Info: <sip:102@pbx.example>;index=1.1\r\n",
        ] {
            assert!(claims(Side::Pbx, header).diverted, "{header}");
        }
        for header in ["", "History-Info: <sip:101@a.example>;index=1, <sip:101@b.example>;index=1.1\r\n"] {
            assert!(!claims(Side::Pbx, header).diverted, "{header}");
        }
    }

    #[test]
    fn oddities_are_taken_as_they_are() {
        for header in
            ["P-Asserted-Identity: <\r\n", "P-Asserted-Identity: >,<,:@\r\n", "Remote-Party-ID: %\r\n"]
        {
            let _ = claims(Side::Trunk, header);
        }
        let many = "P-Asserted-Identity: <sip:1@a>,<sip:2@a>,<sip:3@a>,<sip:4@a>,<sip:5@a>,<sip:6@a>,<sip:7@a>,<sip:8@a>,\
                    <sip:9@a>\r\n";
        assert_eq!(claims(Side::Trunk, many).users.len(), MOST);
    }
}
