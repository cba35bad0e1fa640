//! The timer for announcement packets, exact to the microsecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use sidetone_call::Side;

/// Packets due within this are sent together: fewer wake-ups, for a jitter that no listener notices.
const TOGETHER: Duration = Duration::from_micros(200);

/// The queue of due times. epoll counts in milliseconds, which is too coarse for a steady pace: a timer descriptor
/// wakes it.
pub(super) struct Timer {
    descriptor: TimerFd,
    due: BinaryHeap<Reverse<(Duration, usize, bool)>>,
    /// The time that the descriptor is set to.
    set: Option<Duration>,
}

impl Timer {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let descriptor =
            TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        registry.register(&mut SourceFd(&descriptor.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { descriptor, due: BinaryHeap::new(), set: None })
    }

    /// Notes when a packet toward one side of a stream is due. Earlier notes for it stay: their reader asks the stream
    /// whether they still hold.
    pub(super) fn note(&mut self, at: Duration, stream: usize, side: Side) {
        self.due.push(Reverse((at, stream, side == Side::Pbx)));
    }

    /// Takes one due entry.
    pub(super) fn take(&mut self, now: Duration) -> Option<(Duration, usize, Side)> {
        let Reverse((at, stream, pbx)) = *self.due.peek()?;
        if at > now + TOGETHER {
            return None;
        }
        self.due.pop();
        Some((at, stream, if pbx { Side::Pbx } else { Side::Trunk }))
    }

    /// The next due time.
    pub(super) fn next(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, ..))| *at)
    }

    /// Sets the descriptor to the next due time.
    pub(super) fn set(&mut self, now: Duration) {
        let next = self.next();
        if next == self.set {
            return;
        }
        self.set = next;
        let Some(next) = next else { return };
        // Zero would disarm it.
        let wait = next.saturating_sub(now).max(Duration::from_micros(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        if self.descriptor.set(expiration, TimerSetTimeFlags::empty()).is_err() {
            self.set = None;
        }
    }

    /// The descriptor has fired; it is set again to the next due time.
    pub(super) fn rang(&mut self) {
        self.set = None;
    }
}
