//! The effects that follow from the book's inputs, in the order in which they are to happen.

use std::collections::VecDeque;

use sidetone_call::{CallKey, Side};
use sidetone_consent::Receipt;
use sidetone_events::{CallId, Event};
use sidetone_hear::Work;
use sidetone_relay::{Job, PlayId};

/// One effect.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Publish an event to all sinks.
    Publish(Box<Event>),
    /// Erase all that was inferred of a call that is over, wherever events are kept.
    Erase(CallId),
    /// Give a worker something to do.
    Hear(usize, Work),
    /// Copy the call's packets to that worker from now on.
    Tap(CallKey, usize),
    /// Have an announcement played.
    Play(Box<Job>),
    /// Stop an announcement.
    Hush(CallKey, Side, PlayId),
    /// Write down what was inferred of a call, for another process to go on with; `None` erases it.
    Keep(CallKey, Option<Vec<u8>>),
    /// File the receipt of a call's disclosure and consent.
    File(CallId, Box<Receipt>),
}

/// The effect queue, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Effects(VecDeque<Effect>);

impl Effects {
    pub(crate) fn pop(&mut self) -> Option<Effect> {
        self.0.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn publish(&mut self, event: Event) {
        self.0.push_back(Effect::Publish(Box::new(event)));
    }

    pub(crate) fn erase(&mut self, call: CallId) {
        self.0.push_back(Effect::Erase(call));
    }

    /// Queues work for a call's worker, if one listens to the call.
    pub(crate) fn hear(&mut self, worker: Option<usize>, work: Work) {
        self.0.extend(worker.map(|worker| Effect::Hear(worker, work)));
    }

    pub(crate) fn tap(&mut self, call: CallKey, worker: Option<usize>) {
        self.0.extend(worker.map(|worker| Effect::Tap(call, worker)));
    }

    pub(crate) fn play(&mut self, job: Job) {
        self.0.push_back(Effect::Play(Box::new(job)));
    }

    pub(crate) fn hush(&mut self, call: CallKey, toward: Side, id: PlayId) {
        self.0.push_back(Effect::Hush(call, toward, id));
    }

    pub(crate) fn keep(&mut self, call: CallKey, inferred: Option<Vec<u8>>) {
        self.0.push_back(Effect::Keep(call, inferred));
    }

    pub(crate) fn file(&mut self, call: CallId, receipt: Receipt) {
        self.0.push_back(Effect::File(call, Box::new(receipt)));
    }
}
