//! What leads to the keys of a handshake, in the relay thread: ICE's agent, answered in place, and the way to the
//! thread that shakes hands.

use std::net::SocketAddr;
use std::time::Instant;

use sidetone_handshake::stun::ANSWER;
use sidetone_handshake::{Credentials, Fact, IceLite};
use sidetone_rtp::{PacketKind, classify};

/// One end of a stream whose keys a handshake gives.
#[derive(Debug)]
pub(super) struct Link {
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
    pub(super) fn new(agent: Option<Box<IceLite>>) -> Self {
        Self { agent, answer: [0; ANSWER] }
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
