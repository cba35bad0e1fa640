//! What leads to the keys of a handshake, in the relay thread: ICE's agent, answered in place, and the way to the
//! thread that shakes hands.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sidetone_handshake::stun::ANSWER;
use sidetone_handshake::{Credentials, Fact, IceLite};
use sidetone_rtp::{PacketKind, classify};

/// DTLS datagrams of one leg that are passed on in a second. A handshake has some twenty, retransmissions included.
const MOST_PASSED: u16 = 100;

/// One end of a stream whose keys a handshake gives.
#[derive(Debug)]
pub(super) struct Link {
    /// Which of the call's handshakes it leads to.
    number: u64,
    /// DTLS datagrams passed on since then.
    passed: (u16, Option<Instant>),
    agent: Option<Box<IceLite>>,
    answer: [u8; ANSWER],
}

/// What is to be done with a packet that is no media.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task<'a> {
    /// To send this back to where it came from, if it is not empty; and what it has taught.
    Answer(&'a [u8], Option<Fact>),
    /// To pass it on to the handshake. `Err` if its source has not been checked by ICE, and so has to be one that the
    /// latch permits.
    Shake(Result<(), Unchecked>),
    /// To drop it.
    Drop,
}

/// The source of a datagram was not checked by ICE.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unchecked;

impl Link {
    pub(super) fn new(number: u64, agent: Option<Box<IceLite>>) -> Self {
        Self { number, passed: (0, None), agent, answer: [0; ANSWER] }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether another datagram may be passed on: the thread that shakes hands is everybody's.
    pub(super) fn may_pass(&mut self, now: Instant) -> bool {
        let (passed, since) = &mut self.passed;
        if since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1)) {
            (*passed, *since) = (0, Some(now));
        }
        *passed = passed.saturating_add(1);
        *passed <= MOST_PASSED
    }

    pub(super) fn does_ice(&self) -> bool {
        self.agent.is_some()
    }

    pub(super) fn nominated(&self) -> Option<SocketAddr> {
        self.agent.as_ref().and_then(|agent| agent.nominated())
    }

    pub(super) fn restart(&mut self, ours: &Credentials, theirs: &str) {
        if let Some(agent) = &mut self.agent {
            agent.restart(ours, Some(theirs));
        }
    }

    /// Judges a packet. Allocates nothing.
    pub(super) fn receive(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) -> Task<'_> {
        match (classify(packet), &mut self.agent) {
            (PacketKind::Stun, Some(agent)) => {
                let checked = agent.receive(now, from, packet, &mut self.answer);
                let answer = self.answer.get(..checked.answer.unwrap_or_default());
                Task::Answer(answer.unwrap_or_default(), checked.fact)
            }
            (PacketKind::Dtls, Some(agent)) if agent.is_valid(from) => Task::Shake(Ok(())),
            (PacketKind::Dtls, None) => Task::Shake(Err(Unchecked)),
            _ => Task::Drop,
        }
    }

    /// Whether the party's consent has lapsed (RFC 7675).
    pub(super) fn tick(&mut self, now: Instant) -> Option<Fact> {
        self.agent.as_mut()?.tick(now)
    }
}
