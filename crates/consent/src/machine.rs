//! The consent of one call, as a state machine without I/O.
//!
//! It is told what happens (`input`, `timeout`), and says what to do (`poll`). It holds three promises, whatever the
//! order in which things happen:
//!
//! - analysis begins only when the policy in force has been met;
//! - a refusal or an exclusion ends it at once, and for good;
//! - there is at most one announcement at a time.
//!
//! What fails, fails towards silence: no analysis, an alarm, and a call that goes on.

mod record;
mod retell;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use record::{Announcement, Change, Record, Recording, Span};

use crate::{ListeningPermit, Medium, Policy, Say, Source, State};

/// How long an announcement that was asked for may take to begin.
pub const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// How long an announcement may take, holds included.
pub const ENDS_WITHIN: Duration = Duration::from_secs(300);
/// How long an announcement that was stopped may take to be over.
pub const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// What a call's consent goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How the customer is told, and what silence means.
    pub policy: Policy,
    /// Under [`Policy::Never`]: whether a rule or a tier said so, which no later fact undoes; or whether merely
    /// nothing has allowed it yet.
    pub binding: bool,
    /// The key that refuses.
    pub opt_out_digit: char,
    /// The key that agrees.
    pub opt_in_digit: char,
    /// How long the agreeing key is waited for after the announcement.
    pub patience: Duration,
    /// Whether to announce in early media. On calls towards the customer early media reaches the agent only, so
    /// leave it off there.
    pub early: bool,
    /// Whether the agreeing key still counts after `patience`.
    pub late_opt_in: bool,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Media flows before the answer.
    EarlyMedia,
    /// The call was answered.
    Answered,
    /// The announcement asked for by [`Action::Announce`] has begun.
    AnnouncementBegan,
    /// It is over.
    AnnouncementEnded {
        /// Whether the customer's side got every sample of it.
        whole: bool,
    },
    /// It can't be played.
    AnnouncementFailed(Failure),
    /// A key was pressed on the customer's leg.
    Digit {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How it was heard.
        medium: Medium,
    },
    /// Somebody spoke of the customer's consent.
    Told {
        /// What.
        say: Say,
        /// Who.
        source: Source,
    },
    /// Somebody wants analysis on or off.
    Analysis {
        /// On, as far as consent allows; or off.
        on: bool,
        /// Who.
        source: Source,
    },
    /// The customer's number is on the list of those never analysed.
    Listed,
    /// The media can't be listened to (encrypted, no audio, no known codec).
    Untappable,
    /// Whoever listened has broken down, and listens no more.
    AnalysisLost,
    /// The call is over. Of what comes after it only refusals count: they still erase. Where a call ends while an
    /// announcement plays, tell this first: an announcement cut off by hanging up has not failed.
    Ended,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Play the announcement of the policy in force, then tell how it went. Call [`Machine::recording`] with what is
    /// played.
    Announce,
    /// Stop it, whether or not it has begun; [`Input::AnnouncementEnded`] confirms.
    StopAnnouncing,
    /// Listen to the customer from now on.
    BeginAnalysis,
    /// Stop listening; what was inferred stays.
    PauseAnalysis,
    /// Stop listening for good, or until the next [`Action::BeginAnalysis`] if the machine gives one.
    StopAnalysis {
        /// Whether to erase what was inferred for this call.
        erase: bool,
    },
    /// The call stands elsewhere now.
    Changed {
        /// Where.
        state: State,
        /// Who decided it.
        by: Source,
        /// Whether something had been inferred that is erased by this.
        erased: bool,
    },
    /// The customer could not be told; somebody should know.
    Alarm(Failure),
}

/// Why an announcement came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// There is none of that name and language.
    #[error("there is no announcement of that name and language")]
    NotFound,
    /// It can't be encoded in what the leg has negotiated.
    #[error("it can't be encoded in the leg's codec")]
    Codec,
    /// There was no stream to play it into.
    #[error("there was no stream to play it into")]
    NoMedia,
    /// It did not begin in time.
    #[error("it did not begin in time")]
    NotStarted,
    /// It was cut off.
    #[error("it was cut off")]
    Interrupted,
    /// It did not come to an end.
    #[error("it did not come to an end")]
    Stalled,
}

/// How far the announcement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// Asked for, under this policy.
    Requested(Policy),
    /// Playing, as asked for under this policy.
    Playing(Policy),
    /// Stopped, and not yet over.
    Stopping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Nothing,
    Early,
    Answered,
}

/// The consent of one call.
#[derive(Debug, Clone)]
pub struct Machine {
    terms: Terms,
    state: State,
    /// No terms told later undo an exclusion.
    excluded_for_good: bool,
    stage: Stage,
    progress: Progress,
    ended: bool,
    /// An announcement in early media came to nothing: the next attempt waits for the answer.
    early_failed: bool,
    /// A whole announcement has been heard.
    heard: bool,
    /// The PBX says that it has announced.
    announced: Option<Source>,
    /// The customer agreed in so many words, or by the key.
    agreed: Option<Source>,
    paused: bool,
    /// The carrier wants no analysis; nobody else can undo it.
    paused_by_trunk: bool,
    untappable: bool,
    /// Whoever listened has broken down.
    lost: bool,
    running: bool,
    /// Something may have been inferred that is not erased.
    inferred: bool,
    deadline: Option<Duration>,
    actions: VecDeque<Action>,
    record: Record,
    start: Duration,
    call: Option<u64>,
}

impl Machine {
    /// A call that begins `now`.
    #[must_use]
    pub fn new(terms: Terms, now: Duration) -> Self {
        let mut machine = Self {
            record: Record::new(terms.policy),
            state: State::Pending,
            excluded_for_good: false,
            stage: Stage::Idle,
            progress: Progress::Nothing,
            ended: false,
            early_failed: false,
            heard: false,
            announced: None,
            agreed: None,
            paused: false,
            paused_by_trunk: false,
            untappable: false,
            lost: false,
            running: false,
            inferred: false,
            deadline: None,
            actions: VecDeque::new(),
            start: now,
            call: None,
            terms,
        };
        if machine.terms.policy == Policy::Never {
            machine.excluded_for_good = machine.terms.binding;
            machine.change(now, State::Excluded, Source::Policy, false);
        }
        machine
    }

    /// Takes what happened at `now`.
    pub fn input(&mut self, now: Duration, input: Input) {
        match input {
            // These count even after the call: what was inferred is still there to be erased.
            Input::Told { say: Say::Refused, source } => self.refuse(now, source),
            Input::Digit { digit, medium } if same_key(digit, self.terms.opt_out_digit) => {
                self.refuse(now, Source::Digit(medium));
            }
            Input::Listed => self.exclude(now, Source::List, true),
            _ if self.ended => {}
            Input::Ended => self.end(now),
            Input::EarlyMedia => self.reach(now, Progress::Early),
            Input::Answered => self.reach(now, Progress::Answered),
            Input::AnnouncementBegan => self.announcement_began(now),
            Input::AnnouncementEnded { whole } => self.announcement_ended(now, whole),
            Input::AnnouncementFailed(failure) => self.announcement_failed(now, failure),
            Input::Digit { digit, medium } => {
                if same_key(digit, self.terms.opt_in_digit) {
                    self.agreed_by_key(now, medium);
                }
            }
            Input::Told { say, source } => self.told(now, say, source),
            Input::Analysis { on, source } => self.want(on, source),
            Input::Untappable => self.lose_media(now),
            Input::AnalysisLost => self.lost = true,
        }
        self.reconcile(now);
    }

    /// Lets time pass.
    pub fn timeout(&mut self, now: Duration) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        match self.stage {
            Stage::Requested(_) => {
                self.stop_announcing(now);
                self.fail(now, Failure::NotStarted);
            }
            Stage::Playing(_) => {
                self.stop_announcing(now);
                self.fail(now, Failure::Stalled);
            }
            Stage::Stopping if self.state == State::Pending && self.announces() => {
                // An announcer that doesn't stop can't be trusted with another one.
                self.actions.push_back(Action::Alarm(Failure::Stalled));
                self.change(now, State::Failed, Source::Policy, false);
            }
            Stage::Stopping => {}
            Stage::Idle => {
                if self.state == State::Asked {
                    let erased = self.stop_unagreed(now);
                    self.change(now, State::Declined, Source::Policy, erased);
                }
            }
        }
        self.reconcile(now);
    }

    /// When [`Machine::timeout`] wants to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Where the call stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the customer may be listened to at this moment.
    #[must_use]
    pub fn may_analyse(&self) -> bool {
        self.state == State::Given && !self.held_back() && !self.ended
    }

    /// Says which call it is the machine of: one that does not know gives no permits.
    #[must_use]
    pub fn of_call(self, call: u64) -> Self {
        Self { call: Some(call), ..self }
    }

    /// The permission to listen to the customer, while it stands.
    #[must_use]
    pub fn permit(&self) -> Option<ListeningPermit> {
        self.call.filter(|_| self.running && self.may_analyse()).map(ListeningPermit::new)
    }

    /// What the call goes by.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// States what the announcement last asked for consists of.
    pub fn recording(&mut self, recording: Recording) {
        self.record.recording(recording);
    }

    /// Everything for the receipt. Times are since [`Machine::new`].
    #[must_use]
    pub fn record(&self) -> Record {
        self.record.clone()
    }

    /// States when the customer's voice was really listened to, times since [`Machine::new`], each from the first
    /// packet to the last. Of the times for which there was consent the record then keeps those in which there was
    /// something to hear. Told once the call is over; of a call of which it is never told the record keeps all.
    pub fn heard(&mut self, heard: &[(Duration, Duration)]) {
        self.record.heard(heard);
    }

    fn announces(&self) -> bool {
        matches!(self.terms.policy, Policy::Notice | Policy::OptIn)
    }

    fn held_back(&self) -> bool {
        self.paused || self.paused_by_trunk || self.untappable || self.lost
    }

    /// Whether nothing that may still happen makes this a call to be analysed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self.state {
            State::OptedOut => true,
            State::Excluded => self.excluded_for_good,
            _ => false,
        }
    }

    fn change(&mut self, now: Duration, state: State, by: Source, erased: bool) {
        self.state = state;
        self.record.change(self.since_start(now), state, by, erased);
        self.actions.push_back(Action::Changed { state, by, erased });
    }

    fn since_start(&self, now: Duration) -> u64 {
        u64::try_from(now.saturating_sub(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    // === what the customer wants ===

    fn refuse(&mut self, now: Duration, by: Source) {
        if self.is_final() {
            return;
        }
        let erased = self.stop_for_good(now);
        self.change(now, State::OptedOut, by, erased);
    }

    fn exclude(&mut self, now: Duration, by: Source, for_good: bool) {
        if self.is_final() {
            return;
        }
        let was_analysed = self.record.was_analysed();
        let erased = self.stop_for_good(now);
        self.excluded_for_good = for_good || was_analysed;
        self.change(now, State::Excluded, by, erased);
    }

    fn agreed_by_key(&mut self, now: Duration, medium: Medium) {
        let by = Source::Digit(medium);
        match self.state {
            // Who knows the question may answer it before its end, but is heard out all the same.
            State::Announcing if self.stage == Stage::Playing(Policy::OptIn) => self.agreed = Some(by),
            State::Asked => self.agree(now, by),
            State::Declined if self.terms.late_opt_in => self.agree(now, by),
            _ => {}
        }
    }

    fn agree(&mut self, now: Duration, by: Source) {
        self.agreed = Some(by);
        self.give(now, by);
    }

    fn give(&mut self, now: Duration, by: Source) {
        self.deadline = self.deadline.filter(|_| self.stage != Stage::Idle);
        self.change(now, State::Given, by, false);
    }

    // === what others say ===

    fn told(&mut self, now: Duration, say: Say, by: Source) {
        if !may_permit(by) || self.is_final() {
            return;
        }
        match say {
            Say::Refused => {} // taken before
            Say::Announced => self.announced = self.announced.or(Some(by)),
            Say::Granted => self.agreed = self.agreed.or(Some(by)),
        }
        self.advance(now);
    }

    fn want(&mut self, on: bool, by: Source) {
        match by {
            Source::TrunkHeader => self.paused_by_trunk |= !on,
            _ if may_permit(by) => self.paused = !on,
            _ => self.paused |= !on,
        }
    }

    // === how the call goes ===

    fn reach(&mut self, now: Duration, progress: Progress) {
        if progress > self.progress {
            self.progress = progress;
            self.advance(now);
        }
    }

    /// Does what the policy calls for next.
    fn advance(&mut self, now: Duration) {
        let undecided = matches!(
            self.state,
            State::Pending | State::Announcing | State::Asked | State::Declined | State::Failed
        );
        if self.ended || !undecided || self.terms.policy == Policy::Never {
            return;
        }
        // A key pressed while the question is being put counts when it has been put; words count at once.
        if let Some(by) = self.agreed.filter(|by| !matches!(by, Source::Digit(_)))
            && !(self.untappable && self.announces())
        {
            self.stop_announcing(now);
            return self.give(now, by);
        }
        if self.state != State::Pending {
            return;
        }
        match self.terms.policy {
            Policy::Never => {}
            Policy::GivenUpstream => {
                if self.progress > Progress::Nothing {
                    self.give(now, Source::Policy);
                }
            }
            Policy::AnnounceElsewhere => {
                if let Some(by) = self.announced {
                    self.give(now, by);
                }
            }
            Policy::Notice | Policy::OptIn if self.untappable => {
                let erased = self.stop_unagreed(now);
                self.change(now, State::Failed, Source::Policy, erased);
            }
            Policy::Notice | Policy::OptIn => {
                let early = self.progress == Progress::Early && self.terms.early && !self.early_failed;
                if self.stage == Stage::Idle && (early || self.progress == Progress::Answered) {
                    self.request(now);
                }
            }
        }
    }

    fn lose_media(&mut self, now: Duration) {
        self.untappable = true;
        self.record.untappable = true;
        let telling =
            matches!(self.state, State::Pending | State::Announcing | State::Asked | State::Declined);
        if telling && self.announces() {
            // Nobody is told that they are analysed who can't be.
            self.stop_announcing(now);
            let erased = self.stop_unagreed(now);
            self.change(now, State::Failed, Source::Policy, erased);
        }
    }

    fn end(&mut self, now: Duration) {
        self.stop_announcing(now);
        if self.running {
            self.stop_analysis(now, false);
        } else if self.state != State::Given {
            // Hanging up answers a question as silence does. Whoever keeps events has to be told of it.
            let inferred = self.inferred;
            if self.stop_unagreed(now) && inferred {
                self.change(now, self.state, Source::Policy, true);
            }
        }
        self.ended = true;
        self.deadline = None;
    }

    // === the announcement ===

    fn request(&mut self, now: Duration) {
        self.stage = Stage::Requested(self.terms.policy);
        self.deadline = Some(now + BEGINS_WITHIN);
        self.record.announcement_requested(self.since_start(now));
        self.actions.push_back(Action::Announce);
    }

    fn stop_announcing(&mut self, now: Duration) {
        if matches!(self.stage, Stage::Requested(_) | Stage::Playing(_)) {
            self.stage = Stage::Stopping;
            self.deadline = Some(now + STOPS_WITHIN);
            self.record.announcement_ended(self.since_start(now), false);
            self.actions.push_back(Action::StopAnnouncing);
        } else if self.stage == Stage::Idle {
            self.deadline = None;
        }
    }

    fn announcement_began(&mut self, now: Duration) {
        let Stage::Requested(policy) = self.stage else { return };
        self.stage = Stage::Playing(policy);
        self.deadline = Some(now + ENDS_WITHIN);
        self.record.announcement_began(self.since_start(now));
        self.change(now, State::Announcing, Source::Policy, false);
    }

    fn announcement_ended(&mut self, now: Duration, whole: bool) {
        match self.stage {
            Stage::Idle => {}
            Stage::Stopping => self.announcer_is_free(now),
            Stage::Playing(policy) if whole => {
                self.stage = Stage::Idle;
                self.deadline = None;
                self.heard = true;
                self.record.announcement_ended(self.since_start(now), true);
                self.announcement_heard(now, policy);
            }
            Stage::Requested(_) | Stage::Playing(_) => self.announcement_failed(now, Failure::Interrupted),
        }
    }

    fn announcement_heard(&mut self, now: Duration, policy: Policy) {
        if self.terms.policy == Policy::OptIn && policy != Policy::OptIn {
            // The terms became stricter while the notice played: now the question.
            self.change(now, State::Pending, Source::Policy, false);
            return self.advance(now);
        }
        if policy == Policy::OptIn {
            match self.agreed {
                Some(by) => self.give(now, by),
                None => {
                    self.change(now, State::Asked, Source::Policy, false);
                    self.deadline = Some(now + self.terms.patience);
                }
            }
        } else {
            self.give(now, Source::Policy);
        }
    }

    fn announcement_failed(&mut self, now: Duration, failure: Failure) {
        match self.stage {
            Stage::Idle => {}
            Stage::Stopping => self.announcer_is_free(now),
            Stage::Requested(_) | Stage::Playing(_) => {
                self.stage = Stage::Idle;
                self.deadline = None;
                self.fail(now, failure);
            }
        }
    }

    fn announcer_is_free(&mut self, now: Duration) {
        self.stage = Stage::Idle;
        self.deadline = None;
        self.advance(now);
    }

    fn fail(&mut self, now: Duration, failure: Failure) {
        self.record.announcement_failed(self.since_start(now), failure);
        self.actions.push_back(Action::Alarm(failure));
        // A key that answered a question cut short answered nothing.
        self.agreed = self.agreed.filter(|by| !matches!(by, Source::Digit(_)));
        if self.progress == Progress::Answered {
            let erased = self.stop_unagreed(now);
            self.change(now, State::Failed, Source::Policy, erased);
        } else {
            self.early_failed = true;
            if self.state != State::Pending {
                self.change(now, State::Pending, Source::Policy, false);
            }
        }
    }

    // === analysis ===

    /// Makes what runs agree with what may.
    fn reconcile(&mut self, now: Duration) {
        let may = self.may_analyse();
        if may == self.running {
            return;
        }
        self.running = may;
        if may {
            self.inferred = true;
            self.record.analysis_began(self.since_start(now));
            self.actions.push_back(Action::BeginAnalysis);
        } else {
            self.record.analysis_stopped(self.since_start(now));
            self.actions.push_back(Action::PauseAnalysis);
        }
    }

    fn stop_analysis(&mut self, now: Duration, erase: bool) {
        if self.running {
            self.record.analysis_stopped(self.since_start(now));
        }
        self.running = false;
        self.inferred &= !erase;
        self.actions.push_back(Action::StopAnalysis { erase });
    }

    /// Ends everything, analysis first; whether there was something to erase.
    fn stop_for_good(&mut self, now: Duration) -> bool {
        self.stop_analysis(now, true);
        self.stop_announcing(now);
        self.record.was_analysed()
    }

    /// Erases what was inferred under terms that have since become stricter, and were not met.
    fn stop_unagreed(&mut self, now: Duration) -> bool {
        let analysed = self.record.was_analysed();
        if analysed {
            self.stop_analysis(now, true);
        }
        analysed
    }
}

/// Whether `source` may allow something. The carrier's side is not in the operator's hands, and lists and keys have
/// ways of their own.
fn may_permit(source: Source) -> bool {
    match source {
        Source::PbxHeader | Source::Ami | Source::Ari | Source::Esl | Source::Api | Source::Cli => true,
        Source::TrunkHeader | Source::Policy | Source::List | Source::Digit(_) => false,
    }
}

fn same_key(one: char, other: char) -> bool {
    one.eq_ignore_ascii_case(&other)
}
