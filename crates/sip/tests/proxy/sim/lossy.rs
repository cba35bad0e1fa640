//! A network that loses, doubles, delays and reorders datagrams by seed, with phones that keep to the RFCs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::message::Message;
use sidetone_sip::proxy::{Decision, Destination, NoFilter, Output, Proxy, RouteKind, RouteQuery, Target};
use sidetone_sip::{Flow, Transport};

use super::phone::Phone;
use super::{ms, settings, udp};

/// What happens to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Of 100.
    pub lost: u64,
    /// Of 100.
    pub doubled: u64,
    /// Longest delay in ms; different delays reorder.
    pub delay: u64,
}

/// xorshift64*
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides.max(1)
    }
}

/// On its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: Duration,
    number: u64,
    to_proxy: bool,
    tcp: bool,
    /// The phone at the other end.
    phone: SocketAddr,
    bytes: Bytes,
}

pub struct World {
    pub now: Duration,
    pub proxy: Proxy<NoFilter>,
    pub phones: BTreeMap<SocketAddr, Phone>,
    weather: Weather,
    dice: Dice,
    air: BinaryHeap<Reverse<Flight>>,
    number: u64,
}

impl World {
    pub fn new(weather: Weather, seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            proxy: Proxy::new(settings(), NoFilter, seed),
            phones: BTreeMap::new(),
            weather,
            dice: Dice::new(seed),
            air: BinaryHeap::new(),
            number: 0,
        }
    }

    pub fn add(&mut self, phone: Phone) {
        self.phones.insert(phone.addr, phone);
    }

    fn fly(&mut self, to_proxy: bool, tcp: bool, phone: SocketAddr, bytes: &Bytes) {
        let copies = match (tcp, self.dice.roll(100), self.dice.roll(100)) {
            (true, ..) => 1,
            (_, lost, _) if lost < self.weather.lost => 0,
            (_, _, doubled) if doubled < self.weather.doubled => 2,
            _ => 1,
        };
        for _ in 0..copies {
            self.number += 1;
            // A stream keeps its order.
            let delay = if tcp { 1 } else { 1 + self.dice.roll(self.weather.delay) };
            let flight = Flight {
                at: self.now + ms(delay),
                number: self.number,
                to_proxy,
                tcp,
                phone,
                bytes: bytes.clone(),
            };
            self.air.push(Reverse(flight));
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.proxy.poll() {
            match output {
                Output::Send { bytes, to, .. } => {
                    self.fly(false, to.transport == Transport::Tcp, to.remote, &bytes);
                }
                Output::Route(query) => {
                    let decision = self.route(&query);
                    self.proxy.decide(self.now, query.key, decision);
                }
                Output::Probed { .. } | Output::Answered { .. } | Output::Undelivered { .. } => {}
            }
        }
        let mut out = Vec::new();
        for phone in self.phones.values_mut() {
            out.extend(phone.out.drain(..).map(|bytes| (phone.addr, phone.tcp, bytes)));
        }
        for (phone, tcp, bytes) in out {
            self.fly(true, tcp, phone, &bytes);
        }
    }

    /// Phones are dialled by their address; nothing else can be found.
    fn route(&self, query: &RouteQuery) -> Decision {
        let remote = match &query.kind {
            RouteKind::Initial => {
                let uri = query.request_uri.strip_prefix("sip:").unwrap();
                uri.split('@').next().unwrap().replace('_', ":").parse().ok()
            }
            RouteKind::Onward { next_hop } => {
                let uri = next_hop.view();
                uri.host_ip().zip(uri.port()).map(SocketAddr::from)
            }
            RouteKind::Flow { .. } | RouteKind::Service { .. } => None,
        };
        let Some(remote) = remote else { return Decision::Drop };
        let from = if self.phones[&query.source.remote].calls { Side::Trunk } else { Side::Pbx };
        Decision::Forward { from, targets: vec![Target::from(self.destination(remote))] }
    }

    fn destination(&self, remote: SocketAddr) -> Destination {
        let tcp = self.phones.get(&remote).is_some_and(|p| p.tcp);
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        Destination { transport, ..udp(&remote.to_string()) }
    }

    /// Runs until nothing is left to happen; panics if that takes longer than any call may.
    pub fn run(&mut self) {
        self.collect();
        loop {
            let flight = self.air.peek().map(|f| f.0.at);
            let phones = self.phones.values().filter_map(Phone::next_timeout).min();
            let Some(next) = [flight, phones, self.proxy.next_timeout()].into_iter().flatten().min() else {
                return;
            };
            self.now = self.now.max(next);
            assert!(self.now < Duration::from_secs(3600), "something never ends");
            if flight == Some(next) {
                let Reverse(flight) = self.air.pop().unwrap();
                self.land(&flight);
            } else {
                self.proxy.timeout(self.now);
                for phone in self.phones.values_mut() {
                    phone.timeout(self.now);
                }
            }
            self.collect();
        }
    }

    fn land(&mut self, flight: &Flight) {
        let Destination { transport, local, remote } = self.destination(flight.phone);
        if flight.to_proxy {
            self.proxy.receive(self.now, &Flow { transport, local, remote }, flight.bytes.clone());
        } else if let Some(phone) = self.phones.get_mut(&flight.phone) {
            phone.receive(self.now, &Message::parse(flight.bytes.clone()).expect("well formed"));
        }
    }
}
