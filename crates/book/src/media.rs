//! The relay's reports on a call's media, and its parties' answers when the media has fallen silent.

use std::time::Duration;

use sidetone_call::{CallKey, Side, Suite};
use sidetone_events::{CallMedia, MediaProblem, MediaState};
use sidetone_relay::{Notice, StreamReport};

use crate::book::Book;
use crate::quality::Change;

/// The parties' answer about a silent call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Both parties still have the call, as far as they could be asked.
    Alive,
    /// Neither party could be asked.
    Unknown,
    /// One party has the call no longer: its answer has this status, or it does not answer and its host is silent.
    Gone {
        /// The side of that party.
        side: Side,
        /// The status: 481 or 408.
        status: Option<u16>,
    },
}

impl Book {
    /// Takes a notice of the media plane. Returns the calls that have fallen silent: the caller asks their parties
    /// whether the calls are still up, and reports with [`Self::judged`].
    pub(crate) fn notice(&mut self, now: Duration, notice: Notice) -> Vec<CallKey> {
        let mut fallen_silent = Vec::new();
        match notice {
            Notice::Reports(reports) => {
                for (key, report) in reports {
                    self.secured(now, key, &report);
                    let Some(entry) = self.calls.get_mut(&key) else { continue };
                    let Some(change) = entry.media(now, report, self.media_timeout) else { continue };
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    match change {
                        Change::OneWay { silent, .. } => {
                            self.counters.one_way += 1;
                            tracing::warn!(%call, %sip_call_id, leg = silent.leg().as_str(), "one-way audio: nothing comes from this side");
                        }
                        Change::Restored { silent, .. } => {
                            tracing::info!(%call, %sip_call_id, leg = silent.leg().as_str(), "audio comes from this side again");
                        }
                        Change::Rejected { side, from, .. } => {
                            self.counters.one_way += 1;
                            let source = from.map(|ip| ip.to_string()).unwrap_or_default();
                            tracing::warn!(
                                %call, %sip_call_id, leg = side.leg().as_str(), source,
                                "one-way audio: all that comes from this side is rejected, since neither its SDP nor its signalling names this source; see `media.latching`"
                            );
                        }
                        Change::Admitted { side, .. } => {
                            tracing::info!(%call, %sip_call_id, leg = side.leg().as_str(), "what comes from this side is let in again");
                        }
                        Change::TimedOut { for_, again } => {
                            fallen_silent.push(key);
                            if again {
                                continue;
                            }
                            self.counters.silences += 1;
                            let silent_s = for_.as_secs();
                            tracing::warn!(%call, %sip_call_id, silent_s, "no media from either side: both are asked whether the call is still up");
                        }
                        Change::Flows { .. } => {
                            tracing::info!(%call, %sip_call_id, "media flow again after a silence");
                        }
                    }
                    self.effects.publish(entry.tell(now, media_event(change)));
                }
            }
            Notice::Playing(key, toward, id, how) => self.playing(now, key, toward, id, how),
            // Written down by whoever has the journal.
            Notice::Kept(_) => {}
            Notice::Closed(key, reports) => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    entry.media_closed(reports);
                }
                self.close_if_done(now, key);
            }
        }
        fallen_silent
    }

    /// Tells what a report shows of the protection of a call's legs.
    pub(crate) fn secured(&mut self, now: Duration, key: CallKey, report: &StreamReport) {
        let Some(entry) = self.calls.get_mut(&key) else { return };
        for news in entry.secured_by(report) {
            if let Some(suite) = news.suite {
                self.counters.secured.add(suite);
            }
            let (call, leg, suite) = (entry.call().id, news.leg.as_str(), news.suite.map(Suite::as_str));
            tracing::info!(%call, leg, suite = suite.unwrap_or("none"), "the protection of a leg's media is known");
            self.effects.publish(entry.tell(now, news));
        }
    }

    /// The parties of a silent call have been asked. Returns whether the call is to be ended: one party has no such
    /// call any more, and no packet has come since.
    pub(crate) fn judged(&mut self, now: Duration, key: CallKey, judged: Judged) -> bool {
        let Some(entry) = self.calls.get_mut(&key) else { return false };
        let Some(since) = entry.quiet() else { return false };
        let (call, silent_s) = (entry.call().id, now.saturating_sub(since).as_secs());
        let sip_call_id = &entry.call().sip_call_id;
        match judged {
            Judged::Gone { side, status } => {
                let (leg, status) = (side.leg().as_str(), status.unwrap_or_default());
                tracing::warn!(%call, %sip_call_id, silent_s, leg, status, "no media, and this side has no such call any more (status 0: it is silent): both sides are sent BYE, the ports are released");
                return true;
            }
            Judged::Alive => {
                tracing::info!(%call, %sip_call_id, silent_s, "no media, but both sides still have the call: it goes on");
            }
            Judged::Unknown => {
                tracing::warn!(%call, %sip_call_id, silent_s, "no media, and neither side could be asked: the call goes on");
            }
        }
        self.counters.silences_kept += 1;
        self.effects.publish(entry.tell(now, silence(MediaState::Kept, now.saturating_sub(since))));
        false
    }
}

const fn silence(state: MediaState, silent: Duration) -> CallMedia {
    CallMedia { problem: MediaProblem::Timeout, state, leg: None, silent }
}

fn media_event(change: Change) -> CallMedia {
    match change {
        Change::OneWay { silent, for_ } => CallMedia {
            problem: MediaProblem::OneWay,
            state: MediaState::Lost,
            leg: Some(silent.leg()),
            silent: for_,
        },
        Change::Restored { silent, for_ } => CallMedia {
            problem: MediaProblem::OneWay,
            state: MediaState::Restored,
            leg: Some(silent.leg()),
            silent: for_,
        },
        Change::TimedOut { for_, .. } => silence(MediaState::Lost, for_),
        Change::Flows { for_ } => silence(MediaState::Restored, for_),
        Change::Rejected { side, for_, .. } => CallMedia {
            problem: MediaProblem::Rejected,
            state: MediaState::Lost,
            leg: Some(side.leg()),
            silent: for_,
        },
        Change::Admitted { side, for_ } => CallMedia {
            problem: MediaProblem::Rejected,
            state: MediaState::Restored,
            leg: Some(side.leg()),
            silent: for_,
        },
    }
}
