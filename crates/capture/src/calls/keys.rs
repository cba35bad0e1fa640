//! What descriptions and handshakes say of the protection of audio, gathered from a whole capture before its audio is
//! looked at: a party may send before its answer, with its key, has passed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{Keying, Security, Side, Untappable};
use sidetone_sip::Message;
use sidetone_sip::sdp::crypto::Crypto;
use sidetone_sip::sdp::{Description, Stream, body};

use super::addresses::Route;
use super::callers::Callers;
use super::handshakes::Handshakes;
use super::messages::Messages;
use crate::calls::options::MOST_CALLS;
use crate::datagrams::{Datagram, Transport};
use crate::dtls::{KeyLog, hello};

/// Statements kept in all; of more, those that come later are not known.
const MOST_STATEMENTS: usize = MOST_CALLS * 16;
/// Statements kept of a party, and of an address; beyond, the oldest gives way.
const MOST_OF_ONE: usize = 16;
/// Most m-lines of a description that are looked at.
const MOST_LINES: usize = 16;
/// Most keys that a party's packets are tried with.
pub(super) const MOST_TRIED: usize = 32;

/// The m-line of a party in a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Party {
    pub(super) call_id: Arc<str>,
    pub(super) stream: usize,
    pub(super) side: Side,
}

impl Party {
    fn other(&self) -> Self {
        Self { side: self.side.other(), ..self.clone() }
    }
}

/// What a description says of an m-line's protection.
#[derive(Debug)]
struct Statement {
    at: Duration,
    promise: Promise,
    security: Security,
    lines: Vec<Crypto>,
    /// The number of the line that the other party has taken.
    agreed: Option<u32>,
}

/// How far a description promises that packets are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Plain,
    /// If the other party takes it up (RFC 8643).
    Offered,
    /// Nothing else.
    Protected,
}

/// What to expect of the packets that go one way.
#[derive(Debug)]
pub(super) struct Expected {
    /// The keys that they may be protected with, the likeliest first.
    pub(super) keys: Vec<Keying>,
    /// Why they can't be heard if none of these opens them; `None` if they are plain then.
    pub(super) sealed: Option<Untappable>,
    /// Until then nothing new is said of any packets.
    pub(super) until: Duration,
}

/// The statements and handshakes of a capture.
#[derive(Debug, Default)]
pub(super) struct Keys {
    statements: Vec<Statement>,
    /// Indices of statements, in order of time.
    of_party: HashMap<Party, Vec<usize>>,
    of_address: HashMap<SocketAddr, Vec<usize>>,
    handshakes: Handshakes,
    /// When anything was said, in order of time.
    times: Vec<Duration>,
    /// Whether any audio may be protected.
    any: bool,
}

impl Keys {
    /// Gathers from datagrams in order of time; `began` is the time of the first.
    pub(super) fn gather(datagrams: &[Datagram], began: Duration, log: Option<&KeyLog>) -> Self {
        let mut keys = Self::default();
        let (mut messages, mut callers) = (Messages::default(), Callers::default());
        for datagram in datagrams {
            let at = datagram.at.saturating_sub(began);
            if datagram.transport == Transport::Udp && hello::is_handshake(&datagram.payload) {
                keys.handshakes.observe(at, datagram, log);
                continue;
            }
            for message in messages.read(at, datagram) {
                if let Ok(message) = Message::parse(message) {
                    let side = callers.sender(&message);
                    keys.message(at, side, &message);
                }
            }
        }
        keys.times.extend(keys.handshakes.times());
        keys.times.sort_unstable();
        keys.any |= keys.handshakes.times().next().is_some();
        keys
    }

    /// Whether any audio may be protected.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    fn message(&mut self, at: Duration, side: Side, message: &Message) {
        if message.body().is_empty() {
            return;
        }
        let call_id: Arc<str> = message.call_id().into();
        let found = body::find(message);
        for located in found.session.into_iter().chain(found.early) {
            let Some(bytes) = message.body().get(located.range) else { continue };
            let Ok(description) = Description::parse(bytes) else { continue };
            for (stream, described) in Stream::all(&description).into_iter().enumerate().take(MOST_LINES) {
                if !described.rejected {
                    let party = Party { call_id: call_id.clone(), stream, side };
                    self.state(at, party, described);
                }
            }
        }
    }

    fn state(&mut self, at: Duration, party: Party, described: Stream) {
        if self.statements.len() == MOST_STATEMENTS {
            return;
        }
        let promise = match described.security {
            Security::None => Promise::Plain,
            Security::Sdes | Security::Dtls if described.is_protected_only() => Promise::Protected,
            Security::Sdes | Security::Dtls => Promise::Offered,
        };
        // An answer has one line, which bears the number of the offer's line that it takes.
        if let [taken] = &described.crypto[..]
            && let Some(offered) = self.of_party.get(&party.other()).and_then(|all| all.last())
            && let Some(offer) = self.statements.get_mut(*offered)
            && offer.lines.iter().any(|line| line.tag == taken.tag)
        {
            offer.agreed = Some(taken.tag);
        }
        self.any |= promise != Promise::Plain;
        let index = self.statements.len();
        let statement =
            Statement { at, promise, security: described.security, lines: described.crypto, agreed: None };
        // Messages are repeated, and descriptions stay the same at most re-INVITEs.
        let repeats = |list: Option<&Vec<usize>>, statements: &[Statement]| {
            let last = list.and_then(|list| list.last()).and_then(|last| statements.get(*last));
            last.is_some_and(|last| {
                (last.promise, last.security, &last.lines) == (promise, statement.security, &statement.lines)
            })
        };
        let is_known = repeats(self.of_party.get(&party), &self.statements);
        let is_known_there =
            described.rtp.is_none_or(|address| repeats(self.of_address.get(&address), &self.statements));
        if is_known && is_known_there {
            return;
        }
        self.statements.push(statement);
        self.times.push(at);
        if !is_known {
            keep(self.of_party.entry(party).or_default(), index);
        }
        if let Some(address) = described.rtp {
            keep(self.of_address.entry(address).or_default(), index);
        }
    }

    /// What to expect at `now` of packets that go that way, sent by that party if it is known.
    pub(super) fn expected(&self, now: Duration, party: Option<&Party>, (src, dst): Route) -> Expected {
        let by_address = self.of_address.get(&src).map(Vec::as_slice).unwrap_or_default();
        let by_party =
            party.and_then(|party| self.of_party.get(party)).map(Vec::as_slice).unwrap_or_default();
        let mut keys: Vec<Keying> = Vec::new();
        let mut add = |key: Keying| {
            if keys.len() < MOST_TRIED && !keys.contains(&key) {
                keys.push(key);
            }
        };
        let handshakes = self.handshakes.keys((src, dst));
        let is_by_handshake = self.handshakes.protect((src, dst));
        if is_by_handshake {
            handshakes.iter().cloned().for_each(&mut add);
        }
        for statements in [by_address, by_party] {
            self.in_order(statements, now).flat_map(Statement::keys).for_each(&mut add);
        }
        handshakes.into_iter().for_each(&mut add);
        let until = self.times.get(self.times.partition_point(|at| *at <= now)).copied();
        let sealed = self.sealed(now, party, (src, dst)).filter(|_| !is_by_handshake);
        Expected {
            keys,
            sealed: sealed.or_else(|| is_by_handshake.then_some(Untappable::Dtls)),
            until: until.unwrap_or(Duration::MAX),
        }
    }

    /// Whether the packets that go that way are protected, by the descriptions of both ends that are in force: those
    /// that name their addresses or, where none does, those of the parties.
    fn sealed(&self, now: Duration, party: Option<&Party>, (src, dst): Route) -> Option<Untappable> {
        let of_party =
            |party: Party| self.of_party.get(&party).and_then(|all| self.in_order(all, now).next());
        let end = |address: SocketAddr, party: Option<Party>| {
            let there = self.of_address.get(&address).and_then(|all| self.in_order(all, now).next());
            there.map(|statement| (statement, true)).or_else(|| Some((party.and_then(of_party)?, false)))
        };
        let ends = [end(src, party.cloned()), end(dst, party.map(Party::other))];
        let reason = |statement: &Statement| {
            if statement.security == Security::Dtls { Untappable::Dtls } else { Untappable::Srtp }
        };
        let exact = || ends.iter().flatten().filter(|(_, exact)| *exact).map(|(statement, _)| *statement);
        let all = || ends.iter().flatten().map(|(statement, _)| *statement);
        let protected = |statement: &&Statement| statement.promise == Promise::Protected;
        let plain = |statement: &Statement| statement.promise == Promise::Plain;
        // Of two legs under one Call-ID, only addresses tell which one it is.
        if let Some(statement) = exact().find(protected) {
            return Some(reason(statement));
        }
        if exact().any(plain) {
            return None;
        }
        if let Some(statement) = all().find(protected) {
            return Some(reason(statement));
        }
        if all().any(plain) {
            return None;
        }
        all().next().map(reason)
    }

    /// Statements as they are likely to hold at a time: those before it, the newest first; then those after it.
    fn in_order<'a>(&'a self, indices: &'a [usize], now: Duration) -> impl Iterator<Item = &'a Statement> {
        let all = move || indices.iter().filter_map(|index| self.statements.get(*index));
        let before = indices.iter().rev().filter_map(|index| self.statements.get(*index));
        before.filter(move |statement| statement.at <= now).chain(all().filter(move |it| it.at > now))
    }
}

impl Statement {
    /// Its keys, the one that was agreed on first.
    fn keys(&self) -> impl Iterator<Item = Keying> {
        let is_agreed = |line: &&Crypto| Some(line.tag) == self.agreed;
        let agreed = self.lines.iter().filter(is_agreed);
        let others = self.lines.iter().filter(move |line| !is_agreed(line));
        agreed.chain(others).map(|line| line.keying.clone())
    }
}

fn keep(list: &mut Vec<usize>, index: usize) {
    if list.len() == MOST_OF_ONE {
        list.remove(0);
    }
    list.push(index);
}
