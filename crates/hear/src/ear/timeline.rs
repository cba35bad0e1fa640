//! The position of a leg's audio within the call.

use std::collections::VecDeque;
use std::time::Duration;

/// Sample rate of all audio that is listened to.
pub(super) const RATE: u64 = 8_000;
/// A leg that sends nothing for this long is silent; the ear does not wait for its next packet to assume so.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// The part left open when silence is assumed, for packets still on their way.
const SILENT_UNTIL: Duration = Duration::from_millis(200);
/// The longest silence written at once; a longer one is a leap.
pub(super) const LONGEST_FILL: Duration = Duration::from_secs(30);
/// Audio whose end is this long after its own arrival was sent earlier than the timeline says. More than the quarter of
/// a second by which the reorder buffer lets a gap run ahead of arrivals.
const TOO_EARLY: Duration = Duration::from_millis(300);
/// Audio whose end is steadily this long before its arrival comes from a clock that runs slower than ours, or stood
/// still.
const TOO_LATE: Duration = Duration::from_millis(500);
/// How long that is watched before it is believed: delayed packets have come by then.
const STEADY: Duration = Duration::from_secs(2);
/// When packets come again after an assumed silence and none of it is contradicted for this long, it was real.
const BORNE_OUT: Duration = Duration::from_secs(1);
/// Most pieces kept. Only audio from within the last seconds is still looked up.
const PIECES: usize = 16;

/// Maps samples to call time. Both advance alike, except where arrivals prove the count of samples wrong: there a new
/// piece begins, and earlier audio keeps its place.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// In order of samples.
    pieces: VecDeque<Piece>,
    pushed: u64,
    /// Assumed silence that the stream has not confirmed yet, in samples.
    ahead: u64,
    /// The sample and time at which packets came again after that.
    resumed: Option<(u64, Duration)>,
    /// When the newest audio came.
    heard: Option<Duration>,
    behind: Option<Behind>,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    from: u64,
    at: Duration,
}

/// The least delay of audio since a moment.
#[derive(Debug, Clone, Copy)]
struct Behind {
    since: Duration,
    least: Duration,
}

impl Timeline {
    /// Audio without packets begins with the call.
    pub(super) fn begin_with_call(&mut self) {
        if self.pieces.is_empty() {
            self.piece(self.pushed, Duration::ZERO);
        }
    }

    /// The samples pushed so far.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// This many samples were pushed.
    pub(super) fn push(&mut self, count: u64) {
        self.pushed += count;
    }

    /// The call time that has been written to; none before the first audio.
    fn written(&self) -> Option<Duration> {
        (!self.pieces.is_empty()).then(|| self.at(self.pushed))
    }

    fn at(&self, sample: u64) -> Duration {
        let piece = self.pieces.iter().rev().find(|piece| piece.from <= sample).or(self.pieces.front());
        match piece {
            Some(piece) if piece.from <= sample => piece.at + samples(sample - piece.from),
            Some(piece) => piece.at.saturating_sub(samples(piece.from - sample)),
            None => samples(sample),
        }
    }

    /// Converts media time to call time.
    pub(super) fn call_time(&self, media: Duration) -> Duration {
        self.at(count(media))
    }

    /// Audio that came at call time `at` is about to be pushed.
    pub(super) fn arrived(&mut self, at: Duration) {
        self.heard = self.heard.max(Some(at));
        let Some(written) = self.written() else { return self.piece(self.pushed, at) };
        if self.ahead > 0 {
            let (_, since) = *self.resumed.get_or_insert((self.pushed, at));
            if at.saturating_sub(since) > BORNE_OUT {
                self.settle();
            }
        }
        let early = written.saturating_sub(at);
        if early > TOO_EARLY {
            // The stream had been delayed: the assumed silence was these packets on their way.
            let from = self.resumed.map_or(self.pushed, |(sample, _)| sample);
            let back = early.max(samples(self.ahead));
            self.piece(from, self.at(from).saturating_sub(back));
            self.settle();
        }
        self.watch(at, at.saturating_sub(written));
    }

    fn watch(&mut self, at: Duration, late: Duration) {
        let behind = self.behind.get_or_insert(Behind { since: at, least: late });
        behind.least = behind.least.min(late);
        let Behind { since, least } = *behind;
        if at.saturating_sub(since) > STEADY {
            if least > TOO_LATE {
                self.piece(self.pushed, self.at(self.pushed) + least);
            }
            self.behind = None;
        }
    }

    /// Samples of silence to assume at `now`.
    pub(super) fn due(&self, now: Duration) -> u64 {
        let Some(written) = self.written() else { return 0 };
        let quiet = now.saturating_sub(written.max(self.heard.unwrap_or_default()));
        if quiet <= SILENT_AFTER {
            return 0;
        }
        count(now.saturating_sub(written).saturating_sub(SILENT_UNTIL).min(LONGEST_FILL))
    }

    /// This much silence is assumed.
    pub(super) fn assume(&mut self, count: u64) {
        self.ahead += count;
        self.resumed = None;
        self.behind = None;
    }

    /// The stream reports a gap; returns how much of it was assumed before.
    pub(super) fn redeem(&mut self, gap: u64) -> u64 {
        let told = gap.min(self.ahead);
        self.ahead -= told;
        if self.ahead == 0 {
            self.settle();
        }
        told
    }

    /// Samples of silence that lead up to `at`, where the stream begins anew after a break without a measured length in
    /// ticks. [`landed`](Self::landed) when they are pushed.
    pub(super) fn leap(&mut self, at: Duration) -> u64 {
        self.settle();
        self.behind = None;
        self.written().map_or(0, |written| count(at.saturating_sub(written).min(LONGEST_FILL)))
    }

    /// Skips the part of a leap that was too long to be written.
    pub(super) fn landed(&mut self, at: Duration) {
        if self.written().is_some_and(|written| at.saturating_sub(written) > samples(1)) {
            self.piece(self.pushed, at);
        }
    }

    fn settle(&mut self) {
        self.ahead = 0;
        self.resumed = None;
    }

    fn piece(&mut self, from: u64, at: Duration) {
        if self.pieces.len() == PIECES {
            self.pieces.pop_front();
        }
        self.pieces.push_back(Piece { from, at });
    }
}

pub(super) fn samples(count: u64) -> Duration {
    Duration::from_micros(count * (1_000_000 / RATE))
}

fn count(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(0) * RATE / 1_000_000
}
