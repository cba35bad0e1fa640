//! The DTLS handshakes between the parties of a capture, and the keys that follow from them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::{Keying, Suite};

use super::addresses::Route;
use crate::calls::options::MOST_CALLS;
use crate::datagrams::Datagram;
use crate::dtls::KeyLog;
use crate::dtls::exporter::{Agreed, Hash};
use crate::dtls::hello::{Hello, Hellos, Version};
use crate::dtls::key_log::Random;

/// Ways whose hellos are followed: RTP and RTCP of a few streams for each call.
const MOST_WAYS: usize = MOST_CALLS * 8;
/// Handshakes remembered on a way; beyond, the oldest is forgotten.
const MOST_ON_A_WAY: usize = 8;
/// ClientHellos of a way that may still be answered.
const MOST_CLIENTS: usize = 4;

/// The handshakes of a capture, by their ways.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    /// By client and server.
    ways: HashMap<Route, Way>,
    /// The other ends that an address has shaken hands with, as a client and as a server.
    known: HashMap<SocketAddr, Vec<Route>>,
}

/// The handshakes from one client to one server.
#[derive(Debug, Default)]
struct Way {
    from_client: Hellos,
    from_server: Hellos,
    /// The newest last.
    clients: VecDeque<Client>,
    done: VecDeque<Handshake>,
}

#[derive(Debug, PartialEq, Eq)]
struct Client {
    random: Random,
    profiles: Vec<Suite>,
}

/// A handshake that a server has answered.
#[derive(Debug, Clone)]
struct Handshake {
    at: Duration,
    server_random: Random,
    /// Keys of client and server, for each profile that they may have agreed on; none without a secret of the log.
    keys: Vec<[Keying; 2]>,
}

impl Handshakes {
    /// Takes a datagram of a handshake, with its time since the capture's beginning.
    pub(super) fn observe(&mut self, at: Duration, datagram: &Datagram, log: Option<&KeyLog>) {
        let (src, dst) = (datagram.src, datagram.dst);
        // A server's datagrams go the other way.
        for (way, from_client) in [((src, dst), true), ((dst, src), false)] {
            if !from_client && !self.ways.contains_key(&way) {
                continue;
            }
            let mut hellos = if self.ways.contains_key(&way) {
                std::mem::take(
                    self.ways.get_mut(&way).map_or(&mut Hellos::default(), |way| way.sender(from_client)),
                )
            } else {
                Hellos::default()
            };
            let read = hellos.read(&datagram.payload);
            let is_clients = read.iter().any(|hello| matches!(hello, Hello::Client { .. }));
            let is_known = self.ways.contains_key(&way);
            if !is_known && !(from_client && (is_clients || hellos.is_amid_client())) {
                continue;
            }
            if !is_known {
                if self.ways.len() == MOST_WAYS {
                    return;
                }
                for end in [src, dst] {
                    let routes = self.known.entry(end).or_default();
                    if routes.len() < MOST_ON_A_WAY {
                        routes.push(way);
                    }
                }
            }
            let of_way = self.ways.entry(way).or_default();
            *of_way.sender(from_client) = hellos;
            for hello in read {
                of_way.take(at, from_client, hello, log);
            }
        }
    }

    /// The keys of what goes that way, those of the newest handshake first. Handshakes of the same addresses come
    /// first; then those that one of them had with others, as where ICE has moved the stream.
    pub(super) fn keys(&self, (src, dst): Route) -> Vec<Keying> {
        let mut keys = Vec::new();
        let mut add = |route: Route, is_client: bool| {
            let done = self.ways.get(&route).map(|way| way.done.iter().rev()).into_iter().flatten();
            for [client, server] in done.flat_map(|handshake| &handshake.keys) {
                keys.push(if is_client { client } else { server }.clone());
            }
        };
        add((src, dst), true);
        add((dst, src), false);
        for route in self.known.get(&src).into_iter().flatten() {
            add(*route, route.0 == src);
        }
        for route in self.known.get(&dst).into_iter().flatten() {
            add(*route, route.1 == dst);
        }
        keys
    }

    /// Whether the two ends of a way have shaken hands with each other, so that its audio is protected.
    pub(super) fn protect(&self, (src, dst): Route) -> bool {
        [(src, dst), (dst, src)].iter().any(|way| self.ways.get(way).is_some_and(|way| !way.done.is_empty()))
    }

    /// When handshakes were made, in no order.
    pub(super) fn times(&self) -> impl Iterator<Item = Duration> {
        self.ways.values().flat_map(|way| &way.done).map(|handshake| handshake.at)
    }
}

impl Way {
    fn sender(&mut self, is_client: bool) -> &mut Hellos {
        if is_client { &mut self.from_client } else { &mut self.from_server }
    }

    fn take(&mut self, at: Duration, from_client: bool, hello: Hello, log: Option<&KeyLog>) {
        match hello {
            Hello::Client { random, profiles } if from_client => {
                let client = Client { random, profiles };
                if self.clients.contains(&client) {
                    return;
                }
                if self.clients.len() == MOST_CLIENTS {
                    self.clients.pop_front();
                }
                self.clients.push_back(client);
            }
            Hello::Server { random, version, cipher_suite, profile, mki } if !from_client => {
                let is_known = self.done.iter().any(|handshake| handshake.server_random == random);
                let offers_srtp = self.clients.iter().any(|client| !client.profiles.is_empty());
                // Without use_srtp it is a handshake for something else.
                if is_known || !offers_srtp || (version != Version::Dtls13 && profile.is_none()) {
                    return;
                }
                let keys = self.clients.iter().rev().flat_map(|client| {
                    let hash = Hash::of(cipher_suite);
                    derive(client, &random, version, hash, profile, &mki, log)
                });
                let handshake = Handshake { at, server_random: random, keys: keys.collect() };
                if self.done.len() == MOST_ON_A_WAY {
                    self.done.pop_front();
                }
                self.done.push_back(handshake);
            }
            Hello::Client { .. } | Hello::Server { .. } => {}
        }
    }
}

/// The keys of client and server. With DTLS 1.3 the profile that was taken stands under a key, so each that was offered
/// may be it.
fn derive(
    client: &Client,
    server: &Random,
    version: Version,
    hash: Hash,
    profile: Option<Suite>,
    mki: &[u8],
    log: Option<&KeyLog>,
) -> Vec<[Keying; 2]> {
    let Some(log) = log else { return Vec::new() };
    let agreed = |suite| Agreed { hash, suite, mki };
    match version {
        Version::Dtls12 => log
            .master(&client.random)
            .zip(profile)
            .and_then(|(master, suite)| agreed(suite).keys_of_1_2(master, &client.random, server))
            .into_iter()
            .collect(),
        Version::Dtls13 => {
            let secret = log.exporter(&client.random).into_iter();
            let keys = secret.flat_map(|secret| {
                client.profiles.iter().filter_map(|suite| agreed(*suite).keys_of_1_3(secret))
            });
            keys.collect()
        }
        Version::Other => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
