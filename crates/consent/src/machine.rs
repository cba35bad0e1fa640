//! The consent of one call, as a state machine without I/O.
//!
//! Its inputs are `input` and `timeout`, its output is `poll`. It holds three promises, in whatever order the inputs
//! come:
//!
//! - analysis begins only when the policy in force has been met;
//! - a refusal or an exclusion ends it at once, and for good;
//! - there is at most one announcement at a time.
//!
//! Every failure leads to no analysis, an alarm, and a call that goes on.

mod record;
mod retell;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use record::{Announcement, Change, Record, Recording, Span};

use crate::{ListeningPermit, Medium, Policy, Say, Source, State};

/// How long a requested announcement may take to begin.
pub const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// How long an announcement may take, holds included.
pub const ENDS_WITHIN: Duration = Duration::from_secs(300);
/// How long a stopped announcement may take to end.
pub const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// The terms of a call's consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How the customer is told, and the meaning of silence.
    pub policy: Policy,
    /// Under [`Policy::Never`]: whether a rule or a tier forbids analysis, which no later fact undoes; otherwise only
    /// nothing has allowed it yet.
    pub binding: bool,
    /// The key that refuses.
    pub opt_out_digit: char,
    /// The key that agrees.
    pub opt_in_digit: char,
    /// How long to wait for the agreeing key after the announcement.
    pub patience: Duration,
    /// Whether to announce in early media. On calls towards the customer, early media reaches the agent only, so leave
    /// this off there.
    pub early: bool,
    /// Whether the agreeing key still counts after `patience`.
    pub late_opt_in: bool,
}

/// An input of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Media flows before the answer.
    EarlyMedia,
    /// The call was answered.
    Answered,
    /// The announcement asked for by [`Action::Announce`] has begun.
    AnnouncementBegan,
    /// The announcement is over.
    AnnouncementEnded {
        /// Whether the customer's side got every sample of it.
        whole: bool,
    },
    /// The announcement can't be played.
    AnnouncementFailed(Failure),
    /// A key was pressed on the customer's leg.
    Digit {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// The way in which the key was received.
        medium: Medium,
    },
    /// A source makes a statement on the customer's consent.
    Told {
        /// The statement.
        say: Say,
        /// The source.
        source: Source,
    },
    /// A source turns analysis on or off.
    Analysis {
        /// On, as far as consent allows; or off.
        on: bool,
        /// The source.
        source: Source,
    },
    /// The customer's number is on the do-not-analyse list.
    Listed,
    /// The media can't be listened to (encrypted, no audio, no known codec).
    Untappable,
    /// The call's analysis has broken down for good.
    AnalysisLost,
    /// The call is over. Of later inputs only refusals count: they still erase. If a call ends while an announcement
    /// plays, give this input first: hanging up is no failure of the announcement.
    Ended,
}

/// An action for the caller of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Play the announcement of the policy in force, then report its progress. Call [`Machine::recording`] with the
    /// recording that is played.
    Announce,
    /// Stop the announcement, whether or not it has begun; [`Input::AnnouncementEnded`] confirms.
    StopAnnouncing,
    /// Listen to the customer from now on.
    BeginAnalysis,
    /// Stop listening; inferences stay.
    PauseAnalysis,
    /// Stop listening for good, or until the next [`Action::BeginAnalysis`] if the machine gives one.
    StopAnalysis {
        /// Whether to erase the inferences about this call.
        erase: bool,
    },
    /// The state has changed.
    Changed {
        /// The new state.
        state: State,
        /// The source of the decision.
        by: Source,
        /// Whether this erases any inference.
        erased: bool,
    },
    /// The customer could not be told; an operator should know.
    Alarm(Failure),
}

/// Why an announcement failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// No announcement has that name and language.
    #[error("there is no announcement of that name and language")]
    NotFound,
    /// The announcement can't be encoded in a format that the leg has negotiated.
    #[error("it can't be encoded in the leg's codec")]
    Codec,
    /// The call had no stream for it.
    #[error("there was no stream to play it into")]
    NoMedia,
    /// The announcement did not begin in time.
    #[error("it did not begin in time")]
    NotStarted,
    /// The announcement was cut off.
    #[error("it was cut off")]
    Interrupted,
    /// The announcement did not end in time.
    #[error("it did not come to an end")]
    Stalled,
}

/// The progress of the announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Idle,
    /// Requested, under this policy.
    Requested(Policy),
    /// Playing, as requested under this policy.
    Playing(Policy),
    /// Stopped, and not over yet.
    Stopping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Progress {
    Nothing,
    Early,
    Answered,
}

/// The consent of one call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    terms: Terms,
    state: State,
    /// The exclusion is final: later terms don't undo it.
    excluded_for_good: bool,
    stage: Stage,
    progress: Progress,
    ended: bool,
    /// An announcement in early media failed: the next attempt waits for the answer.
    early_failed: bool,
    /// A complete announcement has been heard.
    heard: bool,
    /// The PBX says that it has played its announcement.
    announced: Option<Source>,
    /// The customer agreed, in words or by the key.
    agreed: Option<Source>,
    paused: bool,
    /// The carrier wants no analysis; no other source can undo that.
    paused_by_trunk: bool,
    untappable: bool,
    /// The analysis has broken down.
    lost: bool,
    running: bool,
    /// There may be inferences that are not erased.
    inferred: bool,
    deadline: Option<Duration>,
    #[serde(skip)]
    actions: VecDeque<Action>,
    record: Record,
    /// Spans of the record in which another process has listened.
    heard_before: usize,
    start: Duration,
    call: Option<u64>,
}

impl Machine {
    /// A call that begins `now`.
    #[must_use]
    pub fn new(terms: Terms, now: Duration) -> Self {
        let mut machine = Self {
            record: Record::new(terms.policy),
            heard_before: 0,
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

    /// Takes an input at `now`.
    pub fn input(&mut self, now: Duration, input: Input) {
        match input {
            // These count even after the call: there are still inferences to erase.
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

    /// Advances to `now`.
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
                // An announcer that doesn't stop must not be given another announcement.
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

    /// The time at which [`Machine::timeout`] should be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// The next action.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The state of the consent.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the customer may be listened to at this moment.
    #[must_use]
    pub fn may_analyse(&self) -> bool {
        self.state == State::Given && !self.held_back() && !self.ended
    }

    /// Names the machine's call: without it the machine gives no permits.
    #[must_use]
    pub fn of_call(self, call: u64) -> Self {
        Self { call: Some(call), ..self }
    }

    /// The permission to listen to the customer, while it stands.
    #[must_use]
    pub fn permit(&self) -> Option<ListeningPermit> {
        self.call.filter(|_| self.running && self.may_analyse()).map(ListeningPermit::new)
    }

    /// The terms in force.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// States which recording the last requested announcement uses.
    pub fn recording(&mut self, recording: Recording) {
        self.record.recording(recording);
    }

    /// The record for the receipt. Times are since [`Machine::new`].
    #[must_use]
    pub fn record(&self) -> Record {
        self.record.clone()
    }

    /// States when the customer's voice was really listened to, each stretch from the first packet to the last, in
    /// times since [`Machine::new`]. The record then keeps only those periods of consent in which there was sound to
    /// hear. Called once the call is over; without this call the record keeps all periods.
    pub fn heard(&mut self, heard: &[(Duration, Duration)]) {
        self.record.heard(heard, self.heard_before);
    }

    /// Nobody goes on with the call: the process that listened has ended, and was last known to be alive at `since`.
    pub fn cease(&mut self, since: Duration) {
        if std::mem::take(&mut self.running) {
            self.record.analysis_stopped(self.since_start(since));
        }
        self.lost = true;
    }

    /// Goes on in another process; `since` is when the last one was last known to be alive. Nobody listens yet, and
    /// nothing plays: an announcement that was under way has been cut off, which is a failure like any other, so that
    /// it is not played twice and nobody is taken for told who was not.
    pub fn resume(&mut self, since: Duration, now: Duration) {
        if std::mem::take(&mut self.running) {
            self.record.analysis_stopped(self.since_start(since));
        }
        self.heard_before = self.record.spans();
        match self.stage {
            Stage::Requested(_) | Stage::Playing(_) => self.announcement_failed(now, Failure::Interrupted),
            Stage::Stopping => self.announcer_is_free(now),
            Stage::Idle => {}
        }
        self.reconcile(now);
    }

    fn announces(&self) -> bool {
        matches!(self.terms.policy, Policy::Notice | Policy::OptIn)
    }

    fn held_back(&self) -> bool {
        self.paused || self.paused_by_trunk || self.untappable || self.lost
    }

    /// Whether no further input can lead to analysis.
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

    // === the customer's wishes ===

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
            // A caller who knows the question may answer it before its end, but the announcement is played to its end
            // all the same.
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

    // === statements of others ===

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

    // === the course of the call ===

    fn reach(&mut self, now: Duration, progress: Progress) {
        if progress > self.progress {
            self.progress = progress;
            self.advance(now);
        }
    }

    /// Takes the policy's next step.
    fn advance(&mut self, now: Duration) {
        let undecided = matches!(
            self.state,
            State::Pending | State::Announcing | State::Asked | State::Declined | State::Failed
        );
        if self.ended || !undecided || self.terms.policy == Policy::Never {
            return;
        }
        // A key pressed during the question counts once the question is complete; words count at once.
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
            // A customer who can't be analysed is not told that they are.
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
            // Hanging up answers a question as silence does. Sinks that keep events have to be told of it.
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
            // The terms became stricter while the notice played: now the question is asked.
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
        // A key that answered an incomplete question does not count.
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

    /// Brings the running analysis in line with the permission.
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

    /// Ends everything, analysis first; returns whether there was an inference to erase.
    fn stop_for_good(&mut self, now: Duration) -> bool {
        self.stop_analysis(now, true);
        self.stop_announcing(now);
        self.record.was_analysed()
    }

    /// Erases inferences made under terms that have since become stricter, and were not met.
    fn stop_unagreed(&mut self, now: Duration) -> bool {
        let analysed = self.record.was_analysed();
        if analysed {
            self.stop_analysis(now, true);
        }
        analysed
    }
}

/// Whether `source` may allow analysis. The carrier's side is not in the operator's hands, and lists and keys have
/// inputs of their own.
fn may_permit(source: Source) -> bool {
    match source {
        Source::PbxHeader | Source::Ami | Source::Ari | Source::Esl | Source::Api | Source::Cli => true,
        Source::TrunkHeader | Source::Policy | Source::List | Source::Digit(_) => false,
    }
}

fn same_key(one: char, other: char) -> bool {
    one.eq_ignore_ascii_case(&other)
}
