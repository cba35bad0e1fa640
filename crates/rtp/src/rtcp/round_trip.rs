//! Round-trip time as a box in the middle sees it.

use std::time::Duration;

use super::report::{ReportBlock, SenderInfo};

/// Measures the round trip between here and one end (RFC 3550 §6.4.1).
///
/// Sidetone makes no sender reports of its own while it relays. But it sees each one pass on its way
/// to an end, and sees that end's report block which answers it: the time between, less the time
/// that the end says it has waited, is the round trip from here to that end and back.
#[derive(Debug, Clone, Default)]
pub struct RoundTrip {
    /// Source, reference and time of the newest reports that passed.
    passed: [Option<(u32, u32, Duration)>; Self::REMEMBERED],
    next: usize,
}

impl RoundTrip {
    /// Sender reports remembered; an answer refers to the newest, or one before.
    const REMEMBERED: usize = 4;

    /// Beyond this an answer is to something else.
    const LONGEST: Duration = Duration::from_secs(30);

    /// No reports have passed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sender report of `ssrc` was forwarded to the end at `now`.
    pub fn forwarded(&mut self, now: Duration, ssrc: u32, info: &SenderInfo) {
        if let Some(slot) = self.passed.get_mut(self.next) {
            *slot = Some((ssrc, info.reference(), now));
        }
        self.next = (self.next + 1) % Self::REMEMBERED;
    }

    /// A report block came from the end at `now`: the round trip, if it answers a report that
    /// passed here and is plausible.
    #[must_use]
    pub fn answered(&self, now: Duration, block: &ReportBlock) -> Option<Duration> {
        if block.last_sender_report == 0 {
            return None;
        }
        let &(_, _, at) = self
            .passed
            .iter()
            .flatten()
            .find(|(ssrc, reference, _)| (*ssrc, *reference) == (block.ssrc, block.last_sender_report))?;
        let waited = Duration::from_secs(1) * block.delay_since / 65_536;
        now.checked_sub(at)?.checked_sub(waited).filter(|&trip| trip < Self::LONGEST)
    }
}
