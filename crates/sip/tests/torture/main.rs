//! The torture tests of RFC 4475 and, for IPv6, of RFC 5118, sent through the proxy.
//!
//! The messages lie beside this file byte by byte, each named as in its RFC. The lengths that RFC 5118 states for the
//! bodies of `ipv6-in-sdp`, `mult-ip-in-sdp` and `ipv4-mapped-ipv6` are not those of the bodies that it prints; here
//! they are right.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod invalid;
#[path = "../proxy/sim/mod.rs"]
mod sim;
mod valid;

use std::path::Path;

use sidetone_call::Side;
use sidetone_sip::message::Message;
use sidetone_sip::proxy::{Decision, Target};

use sim::{Net, PBX, describe, udp};

/// Sends the torture messages.
const SENDER: &str = "198.51.100.99:5060";

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(format!("{name}.dat"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What became of a message.
#[derive(Debug)]
enum Fate {
    Forwarded(Message),
    Answered(u16, String),
    Dropped,
}

/// Puts the message into a proxy that sends everything to the PBX.
fn fate_of(bytes: Vec<u8>) -> Fate {
    let mut net = Net::new();
    net.hold_routes = true;
    net.send(SENDER, bytes);
    if let Some(query) = net.asked.pop() {
        let targets = vec![Target::from(udp(PBX))];
        net.decide(&query, Decision::Forward { from: Side::Trunk, targets });
    }
    let fate = if let Some(arrived) = net.arrived(PBX) {
        Fate::Forwarded(arrived.message)
    } else {
        // Responses may go to another port than the message came from: to that in Via.
        let answer = net.anywhere().map(|a| a.message).find(|m| m.status().is_some_and(|s| s >= 200));
        match answer {
            Some(message) => {
                let reason = match message.start() {
                    sidetone_sip::StartLine::Response { reason, .. } => {
                        String::from_utf8_lossy(reason).into()
                    }
                    sidetone_sip::StartLine::Request { .. } => describe(&message),
                };
                Fate::Answered(message.status().unwrap(), reason)
            }
            None => Fate::Dropped,
        }
    };
    net.finish();
    fate
}

/// The message without those lines, folds included.
fn without(message: &[u8], names: &[&str]) -> Vec<u8> {
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 2;
    let mut kept = Vec::new();
    let mut dropping = false;
    for line in message[..end].split_inclusive(|&b| b == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            let name = line.split(|&b| b == b':').next().unwrap().trim_ascii();
            dropping = names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name));
        }
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(&message[end..]);
    kept
}

#[test]
fn every_fixture_is_used() {
    let mut used: Vec<&str> =
        valid::NAMES.iter().chain(valid::APART).chain(invalid::NAMES).copied().collect();
    used.sort_unstable();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".dat").map(str::to_owned))
        .collect();
    there.sort_unstable();
    assert_eq!(used, there);
    assert_eq!(there.len(), 61);
}
