//! A stateful, record-routing, dialog-transparent proxy core (RFC 3261 §16) without I/O.
//!
//! Messages, decisions and the time go in; [`Output`]s come out of [`Proxy::poll`]. What a request or response
//! needs by the RFC is changed in it (Via, Max-Forwards, Route, Record-Route, Path), what the [`MessageFilter`] asks
//! for is changed too, and the rest leaves as it came.
//!
//! # What it chooses where the RFCs leave a choice
//! - TcpRefusals before routing, answers to OPTIONS and to CANCEL are stateless: a flood of them leaves nothing behind.
//! - 100 Trying is sent once the shell has decided to forward, or 200 ms after the INVITE: strangers get no answer
//!   at all if the decision is [`Decision::Drop`].
//! - Targets are tried one after the other: the next one if the last was silent for
//!   [`Settings::failover_after`], couldn't be reached, or answered 503. Every other final response is forwarded as
//!   it came. If all fail, the best response that was received is forwarded, a 503 too (RFC 3261 §16.7 step 6
//!   would have it turned into a 500, but here its neighbours shall see what they would see without us); if none was
//!   received it is a 503.
//! - A call is not left in silence until timer B: if the last target too was silent for as long, it gets a 503 with
//!   Retry-After. A re-INVITE has all of timer B, and a call that rang until timer C gets a 408.
//! - A silent target that speaks up after all is cancelled; if it accepts at once, its 2xx is forwarded.
//! - Responses to no known transaction are dropped, 2xx included (RFC 6026 §7.3). Until 64 × T1 after the first 2xx
//!   the transaction is known, and each 2xx is forwarded, whatever its To tag.
//! - A CANCEL that meets no INVITE is answered with 481: no INVITE passes here without state.
//! - A non-INVITE request that times out gets no response, and a 408 to one isn't forwarded (RFC 4320). Provisional
//!   responses to them aren't forwarded; a 100 is sent when timer E has reached T2.
//! - Responses go to where the request came from; `maddr` in Via is not obeyed.
//! - A request for a `sips` URI has to come by TLS (else 416), and leaves by TLS or not at all (480 with a Warning,
//!   RFC 5630 §5.3).
//! - A WebSocket client is reached by its own connection only. If that is closed, requests for it get 430 (RFC 5626
//!   §5.3.1).

mod abandon;
mod ack;
mod amplification_limit;
mod attempt;
mod cancel;
mod conclude;
mod contact;
mod counters;
mod destination;
mod dialogs;
mod dropped;
mod failure;
pub mod filter;
mod flows;
mod forward;
mod held;
mod local;
mod neighbours;
mod originate;
mod originated;
mod output;
mod probe;
mod reply;
mod request;
mod response;
mod response_context;
mod route;
mod settings;
mod stamp;
mod table;
mod tcp_refusals;
mod timeout;
mod token;
mod validate;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use counters::{Counters, Requests, Responses};
pub use destination::Destination;
pub use dialogs::{Registered, Standing, Way};
pub use dropped::{DropReason, DroppedMessage};
pub use filter::{ForwardContext, MessageFilter, NoFilter, Refusal, Requester};
pub use flows::Steered;
pub use neighbours::Neighbour;
pub use output::{
    Answer, Decision, MAX_TARGETS, OriginatedKey, Output, ProbeKey, RouteKey, RouteKind, RouteQuery, Target,
};
pub use settings::{Listener, Settings};

use amplification_limit::AmplificationLimit;
use attempt::Attempt;
use contact::ContactFixes;
use dialogs::Dialogs;
use dropped::Drops;
use flows::{FlowToken, Flows};
use held::Held;
pub(crate) use local::Local;
use neighbours::Neighbours;
use originated::Originated;
use response_context::ResponseContext;
use stamp::Stamps;
use table::{Key, Table};
use tcp_refusals::TcpRefusals;
use token::Tokens;

use crate::Flow;
use crate::framing::FrameFlaw;
use crate::message::{Flaw, Message};
use crate::transaction::key::{ByServerKey, Keying};
use crate::transaction::timer_queue::TimerQueue;

/// The proxy core.
///
/// After each call of a method that takes `now`, the shell takes every [`Output`] out with [`poll`](Self::poll), and
/// calls [`timeout`](Self::timeout) when [`next_timeout`](Self::next_timeout) has come.
#[derive(Debug)]
pub struct Proxy<F> {
    settings: Settings,
    local: Local,
    filter: F,
    keying: Keying,
    tokens: Tokens,
    contexts: Table<ResponseContext>,
    by_id: ByServerKey<Key>,
    held: Held,
    attempts: Table<Attempt>,
    timers: TimerQueue,
    tcp_refusals: TcpRefusals,
    neighbours: Neighbours,
    amplification_limit: AmplificationLimit,
    dialogs: Dialogs,
    flows: Flows,
    stamps: Option<Stamps>,
    probes: u64,
    originated: HashMap<OriginatedKey, Originated>,
    last_originated: u64,
    outputs: VecDeque<Output>,
    /// INVITEs that were given up since the process ends.
    abandoned: Vec<Key>,
    drops: Drops,
    contacts: ContactFixes,
    counters: Counters,
}

impl<F: MessageFilter> Proxy<F> {
    /// A proxy that has seen nothing yet. Its branches and tags follow from `seed`, which must not be guessable by
    /// others, nor be used twice.
    #[must_use]
    pub fn new(settings: Settings, filter: F, seed: u64) -> Self {
        let mut state = seed;
        let mut key = || (split_mix(&mut state), split_mix(&mut state));
        Self {
            local: Local::new(&settings),
            filter,
            keying: Keying::new(key()),
            tokens: Tokens::new(key()),
            neighbours: Neighbours::default(),
            amplification_limit: AmplificationLimit::default(),
            dialogs: Dialogs::new(key(), settings.max_dialogs, settings.timers.long()),
            #[allow(clippy::cast_possible_truncation)] // half of the bits is enough
            stamps: settings.dialog_key.map(|secret| Stamps::new(secret, key().0 as u32)),
            flows: Flows::default(),
            settings,
            contexts: Table::default(),
            by_id: ByServerKey::default(),
            held: Held::default(),
            attempts: Table::default(),
            timers: TimerQueue::default(),
            tcp_refusals: TcpRefusals::default(),
            probes: 0,
            originated: HashMap::new(),
            last_originated: 0,
            outputs: VecDeque::new(),
            abandoned: Vec::new(),
            drops: Drops::default(),
            contacts: ContactFixes::default(),
            counters: Counters::default(),
        }
    }

    /// Takes in a datagram, or one message of a stream.
    pub fn receive(&mut self, now: Duration, flow: &Flow, message: Bytes) {
        match Message::parse(message) {
            Ok(message) if message.is_request() => self.on_request(now, flow, message),
            Ok(message) => self.on_response(now, flow, message),
            Err(error) if error.flaw == Flaw::Empty => self.counters.keep_alives += 1,
            Err(error) => self.on_malformed(now, flow, &error),
        }
    }

    /// Takes in the head of a message in a stream that can't be followed any further. Its sender gets a 400 or 513, to
    /// be sent before the connection is closed.
    pub fn receive_broken(&mut self, now: Duration, flow: &Flow, head: Bytes, flaw: FrameFlaw) {
        self.on_broken(now, flow, head, flaw);
    }

    /// Says which peer an address belongs to: dialogs run between peers. Until then nobody is one, and no dialog is
    /// known.
    pub fn name_peers(&mut self, naming: impl Fn(SocketAddr) -> Option<Neighbour> + Send + Sync + 'static) {
        self.neighbours = Neighbours::new(naming);
    }

    /// Whether a dialog that only a mark proves leads to that peer.
    #[must_use]
    pub fn leads_to(&self, way: &Way, peer: Neighbour) -> bool {
        let Some(stamps) = &self.stamps else { return false };
        way.mark.is_some_and(|mark| mark == stamps.peer(peer))
    }

    /// Requests that are held with the dialogs that they have made, or may still make.
    #[must_use]
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Takes out the next action for the shell.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A client has made a connection: what it registers is reached by that. The shell tells its end too.
    pub fn flow_opened(&mut self, flow: Flow) {
        let token = FlowToken::new(self.tokens.nonce());
        self.flows.opened(flow, token);
    }

    /// A client's connection is closed.
    pub fn flow_closed(&mut self, flow: &Flow) {
        self.flows.closed(flow);
    }

    /// Counts and tells a message of a peer that never came whole, as one that can't be read.
    pub fn note_dropped(&mut self, flow: &Flow, why: DropReason) {
        self.counters.malformed_dropped += 1;
        self.drops.note(flow, why);
    }

    /// Takes out the next dropped message, for the log; the counters have it too.
    pub fn poll_dropped(&mut self) -> Option<DroppedMessage> {
        self.drops.take()
    }

    /// From now on host and port in the Contact of a neighbour that `of` names are replaced by the source of its
    /// message: for neighbours whose own can't be reached.
    pub fn fix_contacts(&mut self, of: Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>) {
        self.contacts = ContactFixes::of(of);
    }

    /// When [`timeout`](Self::timeout) is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The filter that sees each message that is forwarded.
    pub fn filter(&mut self) -> &mut F {
        &mut self.filter
    }

    /// The same, to look at only.
    #[must_use]
    pub const fn filter_ref(&self) -> &F {
        &self.filter
    }

    /// Counts since the proxy was built.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Requests being worked on, and targets being tried for them and for probes. Zero when all is quiet.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.contexts.len() + self.attempts.len()
    }

    /// The settings that the proxy was built with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn send(&mut self, bytes: Bytes, to: Destination, connect: bool) {
        self.outputs.push_back(Output::Send { bytes, to, connect });
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads one seed over several keys.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
