//! The way to the thread that shakes hands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::{self, Receiver};

use sidetone_call::{CallKey, Side};

use crate::protection::{Begin, Shake};

/// Messages that may wait before datagrams are dropped.
const MOST_WAITING: usize = 1_024;
/// A handshake of one end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Leg {
    pub(crate) call: CallKey,
    pub(crate) stream: usize,
    pub(crate) side: Side,
    /// Which of the call's handshakes.
    pub(crate) number: u64,
}

/// A message to the thread.
#[derive(Debug)]
pub(crate) enum Message {
    /// A handshake is in force on its leg: it begins, unless it has.
    Begin(Leg, Box<Begin>),
    /// A datagram from the leg's party, or from who claims to be it.
    Datagram(Leg, SocketAddr, Vec<u8>),
    /// ICE has found the party there.
    Aim(Leg, SocketAddr),
    /// The handshakes of that end are of no use any more.
    Leave(CallKey, usize, Side),
    /// The call is over: good-byes are said, and then its sockets closed.
    End(CallKey),
    /// The thread ends.
    Stop,
}

/// Totals over all handshakes, for metrics.
#[derive(Debug, Default)]
pub struct HandshakeTotals {
    /// Handshakes begun.
    pub begun: AtomicU64,
    /// Handshakes that gave keys.
    pub done: AtomicU64,
    /// Handshakes that will give none.
    pub failed: AtomicU64,
    /// Attempts that a server of ours broke off, and waits again: another's certificate, or none.
    pub refused: AtomicU64,
    /// Datagrams dropped since the thread was behind.
    pub dropped: AtomicU64,
    /// Handshakes not begun, for there were too many.
    pub turned_away: AtomicU64,
    /// Sessions now.
    pub sessions: AtomicU64,
}

/// The others' end of the thread. Copies are of the same.
#[derive(Debug, Clone)]
pub(crate) struct Handshakes {
    messages: mpsc::Sender<Message>,
    waiting: Arc<AtomicUsize>,
    totals: Arc<HandshakeTotals>,
}

/// The thread's end.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) messages: Receiver<Message>,
    pub(crate) waiting: Arc<AtomicUsize>,
    pub(crate) totals: Arc<HandshakeTotals>,
}

impl Handshakes {
    /// With the other end, for the thread.
    pub(crate) fn new() -> (Self, Mailbox) {
        let (sender, messages) = mpsc::channel();
        let (waiting, totals) = (Arc::<AtomicUsize>::default(), Arc::<HandshakeTotals>::default());
        let mailbox = Mailbox { messages, waiting: Arc::clone(&waiting), totals: Arc::clone(&totals) };
        (Self { messages: sender, waiting, totals }, mailbox)
    }

    /// Sends a message. False if the thread has ended.
    pub(crate) fn tell(&self, message: Message) -> bool {
        self.waiting.fetch_add(1, Relaxed);
        self.messages.send(message).is_ok()
    }

    /// Tells what a plan asks for.
    pub(crate) fn shake(&self, call: CallKey, stream: usize, shake: Shake) {
        self.tell(match shake {
            Shake::Begin(side, begin) => {
                Message::Begin(Leg { call, stream, side, number: begin.number }, begin)
            }
            Shake::Leave(side) => Message::Leave(call, stream, side),
        });
    }

    /// Passes a datagram on, if there is room for it.
    pub(crate) fn pass(&self, leg: Leg, from: SocketAddr, datagram: &[u8]) {
        if self.waiting.load(Relaxed) >= MOST_WAITING {
            self.totals.dropped.fetch_add(1, Relaxed);
        } else {
            self.tell(Message::Datagram(leg, from, datagram.to_vec()));
        }
    }

    /// Counts so far.
    pub(crate) fn totals(&self) -> &Arc<HandshakeTotals> {
        &self.totals
    }
}
