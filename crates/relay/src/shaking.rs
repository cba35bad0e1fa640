//! The thread that shakes hands: DTLS sessions of all calls, between the relay threads' sockets and their keys.
//!
//! A signature takes a tenth of a millisecond, in which a relay thread forwards a hundred packets; so handshakes have a
//! thread of their own, and their datagrams come and go as messages and orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use sidetone_call::{CallKey, Keying, Side, Suite};
use sidetone_handshake::{Dtls, Handshake as _, Keys, Output, Profile, Role, Settings};
use sidetone_srtp::{Inbound, Outbound};
use sidetone_watch::{Alarm, Heartbeat};

use crate::handshakes::{Handshakes, Leg, Mailbox, Message};
use crate::protection::{Begin, Change, MOST_ASSOCIATIONS};
use crate::thread::{Command, Orders};

/// Sessions at once. Each takes 12 kB once it has its keys.
const MOST_SESSIONS: usize = 50_000;
/// How often the thread shows that it is alive.
const BEAT: Duration = Duration::from_secs(1);

/// The thread.
pub(crate) struct HandshakeThread {
    settings: Arc<Settings>,
    mailbox: Mailbox,
    /// The relay threads; `relay_of` says which is a call's.
    relays: Vec<Arc<Orders>>,
    relay_of: fn(CallKey, usize) -> usize,
    /// In order, so that those of a call stand together.
    sessions: BTreeMap<Leg, Session>,
    /// When each session is to be woken, the next first.
    due: BTreeSet<(Instant, Leg)>,
}

struct Session {
    dtls: Dtls,
    due: Option<Instant>,
    /// What it has given, for when its leg comes back to it.
    keys: Option<Keys>,
}

impl HandshakeThread {
    pub(crate) fn new(
        settings: Arc<Settings>,
        relays: Vec<Arc<Orders>>,
        relay_of: fn(CallKey, usize) -> usize,
    ) -> (Self, Handshakes) {
        let (handshakes, mailbox) = Handshakes::new();
        let (sessions, due) = (BTreeMap::new(), BTreeSet::new());
        (Self { settings, mailbox, relays, relay_of, sessions, due }, handshakes)
    }

    /// Runs until it is stopped. A message or a timer whose handling panics costs that leg its session.
    pub(crate) fn run(mut self, epoch: Instant, beat: &Heartbeat, alarm: &Alarm) {
        loop {
            beat.beat(epoch.elapsed());
            let next = self.due.first().map(|(at, _)| at.saturating_duration_since(Instant::now()));
            match self.mailbox.messages.recv_timeout(next.unwrap_or(BEAT).min(BEAT)) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => {
                    self.mailbox.waiting.fetch_sub(1, Relaxed);
                    alarm.contain(beat, || self.take(Instant::now(), message));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            alarm.contain(beat, || self.wake(Instant::now()));
            self.mailbox.totals.sessions.store(self.sessions.len() as u64, Relaxed);
        }
    }

    fn take(&mut self, now: Instant, message: Message) {
        match message {
            Message::Begin(leg, begin) => self.begin(now, leg, *begin),
            Message::Datagram(leg, from, bytes) => {
                self.with(leg, |dtls| dtls.receive(now, from, &bytes));
            }
            Message::Aim(leg, to) => self.with(leg, |dtls| dtls.aim(now, to)),
            Message::Leave(call, stream, side) => {
                for leg in self.legs(call, |leg| (leg.stream, leg.side) == (stream, side)) {
                    self.forget(leg);
                }
            }
            Message::End(call) => {
                for leg in self.legs(call, |_| true) {
                    self.with(leg, |dtls| dtls.close(now));
                    self.forget(leg);
                }
                self.order(call, Command::Close { call });
            }
            Message::Stop => {}
        }
    }

    /// The legs of a call that have sessions.
    fn legs(&self, call: CallKey, wanted: impl Fn(&Leg) -> bool) -> Vec<Leg> {
        let first = Leg { call, stream: 0, side: Side::Trunk, number: 0 };
        let of_call = self.sessions.range(first..).map(|(leg, _)| *leg).take_while(|leg| leg.call == call);
        of_call.filter(wanted).collect()
    }

    /// A handshake is in force. One that has ended, or failed, begins anew: its party may have mended it.
    fn begin(&mut self, now: Instant, leg: Leg, begin: Begin) {
        if let Some(session) = self.sessions.get(&leg) {
            if let Some(change) = session.keys.as_ref().and_then(|keys| change(keys, false)) {
                self.order(leg.call, Command::Keyed { leg, change });
            }
            return;
        }
        // Of forks that nobody has come back to, the oldest go.
        let mut others = self.legs(leg.call, |other| (other.stream, other.side) == (leg.stream, leg.side));
        others.sort_by_key(|other| other.number);
        for other in others.iter().take((others.len() + 1).saturating_sub(MOST_ASSOCIATIONS)) {
            self.forget(*other);
        }
        if self.sessions.len() >= MOST_SESSIONS {
            self.mailbox.totals.turned_away.fetch_add(1, Relaxed);
            return;
        }
        self.mailbox.totals.begun.fetch_add(1, Relaxed);
        let dtls = Dtls::new(Arc::clone(&self.settings), begin.role, begin.trust, begin.fingerprints);
        self.sessions.insert(leg, Session { dtls, due: None, keys: None });
        if let Some(remote) = begin.remote {
            // A client shows by its cookie where it is.
            if begin.role == Role::Client {
                self.with(leg, |dtls| dtls.aim(now, remote));
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some((at, leg)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, leg));
            self.with(leg, |dtls| dtls.tick(now));
        }
    }

    /// Calls a leg's session, and carries out what comes of it. The session is out of its place meanwhile, so that one
    /// whose engine panics is gone.
    fn with(&mut self, leg: Leg, call: impl FnOnce(&mut Dtls)) {
        let Some(mut session) = self.sessions.remove(&leg) else { return };
        if let Some(due) = session.due.take() {
            self.due.remove(&(due, leg));
        }
        call(&mut session.dtls);
        while let Some(output) = session.dtls.poll() {
            match output {
                Output::Datagram { to, bytes } => {
                    self.order(leg.call, Command::Send { leg, to, bytes });
                }
                Output::Keys(keys) => {
                    tracing::debug!(call = leg.call.0, side = ?leg.side, profile = keys.profile.name(), "DTLS is up");
                    match change(&keys, true) {
                        Some(change) => self.order(leg.call, Command::Keyed { leg, change }),
                        None => tracing::error!(call = leg.call.0, "keys of a handshake have a wrong length"),
                    }
                    session.keys = Some(keys);
                    self.mailbox.totals.done.fetch_add(1, Relaxed);
                }
                Output::Refused(failure) => {
                    self.mailbox.totals.refused.fetch_add(1, Relaxed);
                    tracing::debug!(call = leg.call.0, side = ?leg.side, %failure, "a DTLS handshake was broken off");
                }
                Output::Failed(failure) => {
                    self.mailbox.totals.failed.fetch_add(1, Relaxed);
                    tracing::warn!(call = leg.call.0, side = ?leg.side, %failure, "no DTLS with this party");
                    // What was agreed on before is not what its description says now.
                    self.order(leg.call, Command::Keyed { leg, change: Box::new(Change::Awaited) });
                    return;
                }
                Output::Closed => {
                    self.order(leg.call, Command::Keyed { leg, change: Box::new(Change::Awaited) });
                    return;
                }
            }
        }
        session.due = session.dtls.next_timeout();
        if let Some(due) = session.due {
            self.due.insert((due, leg));
        }
        self.sessions.insert(leg, session);
    }

    fn forget(&mut self, leg: Leg) {
        if let Some(due) = self.sessions.remove(&leg).and_then(|session| session.due) {
            self.due.remove(&(due, leg));
        }
    }

    fn order(&self, call: CallKey, command: Command) {
        if let Some(orders) = self.relays.get((self.relay_of)(call, self.relays.len())) {
            orders.give(command);
        }
    }
}

/// The contexts of a leg's SRTP. The one for what is sent is made once for each key, as `new`: made again, it would use
/// key streams twice.
fn change(keys: &Keys, new: bool) -> Option<Box<Change>> {
    let suite = match keys.profile {
        Profile::Aes128CmSha1_80 => Suite::AesCm128Sha1_80,
        Profile::AeadAes128Gcm => Suite::AeadAes128Gcm,
        Profile::AeadAes256Gcm => Suite::AeadAes256Gcm,
    };
    let keying = |master: &sidetone_handshake::Master| {
        let mut secret = master.key.clone();
        secret.extend_from_slice(&master.salt);
        Keying::new(suite, &secret)
    };
    let (theirs, ours) = (keying(&keys.theirs)?, keying(&keys.ours)?);
    Some(Box::new(Change::Keys {
        theirs: vec![Inbound::new(theirs.clone()).ok()?],
        accepted: vec![theirs],
        new: if new { Some(Box::new(Outbound::new(ours.clone()).ok()?)) } else { None },
        ours,
    }))
}
