//! Bodies for fuzzers: each takes any bytes and asserts what must hold for all of them.
//!
//! They run as property tests of this crate and under cargo-fuzz.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc)] // a failed assertion is the finding

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::stun::ANSWER;
use crate::{
    Credentials, Dtls, Fingerprint, Fingerprints, Handshake, IceLite, Identity, Output, Role, Settings, Trust,
};

static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(|| {
    let identity = Identity::generate().expect("the system has random bytes");
    Arc::new(Settings::new(identity, true).expect("the engine takes its settings"))
});

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn session(role: Role, trust: Trust) -> Dtls {
    Dtls::new(Arc::clone(&SETTINGS), role, trust, Fingerprints::from(SETTINGS.identity().fingerprint()))
}

/// Cuts the data into pieces: a length in two octets, then as much.
fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length) % 2049).min(rest.len());
        let (piece, rest) = rest.split_at_checked(length)?;
        data = rest;
        Some(piece)
    })
}

/// STUN from a stranger.
pub fn stun(data: &[u8]) {
    let mut agent = IceLite::new(&Credentials::generate(|octets| octets.fill(7)), None);
    let now = Instant::now();
    for piece in pieces(data) {
        let mut out = [0; ANSWER];
        let checked = agent.receive(now, address(1), piece, &mut out);
        assert_eq!(checked.fact, None, "nobody here knows the password");
        if let Some(answer) = checked.answer {
            assert!(out.get(..answer).is_some_and(|answer| crate::stun::read(answer).is_some()));
        }
    }
    assert!(!agent.is_valid(address(1)));
}

/// A peer that sends anything, to a session that no one else talks to: no panic, no keys.
pub fn peer(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let trust = if choice & 2 == 0 { Trust::Cookie } else { Trust::Ice };
    let mut session = session(role, trust);
    let mut now = Instant::now();
    if role == Role::Client || trust == Trust::Ice {
        session.aim(now, address(1));
    }
    for piece in pieces(data) {
        session.receive(now, address(1), piece);
        take(&mut session);
        now += Duration::from_millis(100);
        session.tick(now);
        take(&mut session);
    }
}

fn take(session: &mut Dtls) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while let Some(output) = session.poll() {
        match output {
            Output::Datagram { bytes, .. } => {
                assert!(bytes.len() <= crate::dtls::MTU);
                datagrams.push(bytes);
            }
            Output::Keys(_) => panic!("keys without a peer"),
            Output::Refused(_) | Output::Failed(_) | Output::Closed => {}
        }
    }
    assert!(datagrams.len() <= 32);
    datagrams
}

/// Two sessions of ours between which datagrams are lost, doubled, kept back and changed: never a panic, never keys
/// that differ, and keys once nothing more happens to them.
pub fn between(data: &[u8]) {
    let mut what = data.iter().copied();
    let mut now = Instant::now();
    let (mut client, mut server) = (session(Role::Client, Trust::Ice), session(Role::Server, Trust::Ice));
    server.aim(now, address(1));
    client.aim(now, address(2));
    let mut keys = [None, None];
    let mut kept: Vec<(bool, Vec<u8>)> = Vec::new();
    for _ in 0..200 {
        for (index, session) in [&mut client, &mut server].into_iter().enumerate() {
            while let Some(output) = session.poll() {
                match output {
                    Output::Datagram { bytes, .. } => kept.push((index == 0, bytes)),
                    Output::Keys(these) => {
                        assert!(keys.get_mut(index).and_then(|keys| keys.replace(these)).is_none());
                    }
                    Output::Refused(_) | Output::Failed(_) | Output::Closed => {}
                }
            }
        }
        if let [Some(one), Some(other)] = &keys {
            assert!(one.ours == other.theirs && one.theirs == other.ours && one.profile == other.profile);
            return;
        }
        if kept.is_empty() {
            now += Duration::from_millis(300);
            client.tick(now);
            server.tick(now);
            continue;
        }
        let fate = what.next().unwrap_or_default();
        let (to_server, mut bytes) = kept.remove(usize::from(fate >> 3) % kept.len());
        match fate & 7 {
            1 => continue,
            2 => kept.push((to_server, bytes.clone())),
            3 => {
                let at = usize::from(what.next().unwrap_or_default()) * 5;
                if let Some(octet) = bytes.get_mut(at) {
                    *octet ^= what.next().unwrap_or(1);
                }
            }
            4 => bytes.truncate(usize::from(what.next().unwrap_or_default()) * 5),
            _ => {}
        }
        let (session, from) = if to_server { (&mut server, address(1)) } else { (&mut client, address(2)) };
        session.receive(now, from, &bytes);
    }
}

/// Certificates, and what SDP says of them.
pub fn certificate(data: &[u8]) {
    let _ = crate::x509::public_key(data);
    if let Ok(line) = std::str::from_utf8(data)
        && let Ok(fingerprint) = line.parse::<Fingerprint>()
    {
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint), "what is written is read");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bodies_hold(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for body in [super::stun, super::peer, super::between, super::certificate] {
                body(&data);
            }
        }
    }
}
