//! The check that a message leaves Sidetone as it came, but for the changes of a record-routing proxy with a media
//! relay.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::trace::{Seen, Way, split_lines};

/// Headers that a proxy adds, removes or changes (RFC 3261 §16.6, RFC 3327); all others pass byte for byte.
const PROXYS_OWN: [&str; 6] = ["via", "record-route", "route", "max-forwards", "content-length", "path"];

/// Checks every message that one side sent and the other received.
///
/// `own` are the addresses that Sidetone may write; `count` is how many messages are expected to have passed at the
/// least, so that the check can't pass by finding none.
///
/// # Panics
/// When a message was changed where it must not be, or an SDP lets one party see the other's media address.
pub fn check(a: &[Seen], b: &[Seen], own: &[IpAddr], count: usize) {
    let passed = check_one_way(a, b, own) + check_one_way(b, a, own);
    assert!(passed >= count, "only {passed} messages passed, where {count} were expected");
}

fn check_one_way(senders: &[Seen], receivers: &[Seen], own: &[IpAddr]) -> usize {
    let mut matched = BTreeSet::new();
    let mut passed = 0;
    for received in receivers.iter().filter(|seen| seen.way == Way::Received) {
        let partner = senders.iter().enumerate().position(|(index, sent)| {
            sent.way == Way::Sent && !matched.contains(&index) && same_message(sent, received)
        });
        if hop_by_hop(received, receivers) {
            continue;
        }
        // A message of Sidetone's own making (100, 503, 408 ...) has no partner.
        let Some(partner) = partner else { continue };
        matched.insert(partner);
        unchanged(&senders[partner], received);
        anchored(&senders[partner], received, own);
        passed += 1;
    }
    passed
}

/// CANCEL, and the ACK for a refusal, are not forwarded: each hop makes its own (RFC 3261 §9.1, §17.1.1.3).
fn hop_by_hop(received: &Seen, receivers: &[Seen]) -> bool {
    let is = |method: &str| received.start_line().starts_with(method);
    let number = |seen: &Seen| seen.header("CSeq").and_then(|cseq| cseq.split(' ').next().map(str::to_owned));
    let refused = receivers.iter().any(|seen| {
        seen.way == Way::Sent
            && seen.method() == "INVITE"
            && seen.status().is_some_and(|status| status >= 300)
            && number(seen) == number(received)
    });
    is("CANCEL ") || is("ACK ") && refused
}

fn same_message(sent: &Seen, received: &Seen) -> bool {
    let kind = |seen: &Seen| {
        (
            seen.status(),
            seen.status().is_none().then(|| seen.start_line().split(' ').next().map(str::to_owned)),
        )
    };
    kind(sent) == kind(received)
        && ["Call-ID", "CSeq", "From", "To"].iter().all(|name| sent.header(name) == received.header(name))
        // A 100 is hop by hop: one sent by the callee is not the one that the caller saw.
        && sent.status() != Some(100)
        && sent.headers("RAck") == received.headers("RAck")
}

fn unchanged(sent: &Seen, received: &Seen) {
    if sent.status().is_some() {
        assert_eq!(sent.start_line(), received.start_line(), "the status line passes as it is");
    }
    let kept = |seen: &Seen| -> Vec<String> {
        seen.head_lines()
            .iter()
            .skip(1)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .filter(|line| {
                let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
                !PROXYS_OWN.contains(&name.as_str())
            })
            .collect()
    };
    assert_eq!(kept(sent), kept(received), "headers pass byte for byte, in {:?}", sent.start_line());
    if received.status().is_none() && sent.header("Max-Forwards").is_some() {
        let hops = |seen: &Seen| seen.header("Max-Forwards").and_then(|value| value.parse::<u32>().ok());
        // Kamailio and Sidetone alike: one hop, one less (RFC 3261 §16.6, step 3).
        assert_eq!(hops(received).map(|hops| hops + 1), hops(sent), "Max-Forwards counts down by one");
    }
    if sent.sdp().is_none() {
        assert_eq!(sent.body(), received.body(), "a body that is no SDP passes byte for byte");
    }
    let length = received.header("Content-Length").and_then(|value| value.parse::<usize>().ok());
    assert_eq!(length, Some(received.body().len()), "Content-Length tells the truth");
}

fn anchored(sent: &Seen, received: &Seen, own: &[IpAddr]) {
    let (Some(before), Some(after)) = (sent.sdp(), received.sdp()) else { return };
    assert_eq!(before.streams.len(), after.streams.len(), "the m-lines stay as many as they were");
    for (before, after) in before.streams.iter().zip(&after.streams) {
        assert_eq!(before.kind, after.kind);
        if before.port == 0 {
            assert_eq!(after.port, 0, "a refused stream stays refused");
            continue;
        }
        assert_ne!(after.port, 0, "a stream that is wanted stays wanted");
        let address = after.address.expect("an address");
        if before.address.is_some_and(|address| address.is_unspecified()) {
            assert!(address.is_unspecified() || own.contains(&address), "an old-style hold stays a hold");
        } else {
            assert!(own.contains(&address), "{address} in SDP is not Sidetone's: {own:?}");
        }
        if before.rtcp.is_some() {
            assert!(after.rtcp.is_some(), "a=rtcp stays");
        }
    }
    // All other lines stay as they are, in their order.
    let kept = |seen: &Seen| -> Vec<String> {
        split_lines(seen.body())
            .iter()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .map(|line| match line.strip_prefix("m=") {
                Some(rest) => {
                    let words: Vec<&str> = rest.split(' ').collect();
                    format!("m={} {}", words[0], words[2..].join(" "))
                }
                None => line,
            })
            .filter(|line| !line.starts_with("c=") && !line.starts_with("a=rtcp:"))
            .collect()
    };
    assert_eq!(kept(sent), kept(received), "SDP passes but for addresses and ports");
}
