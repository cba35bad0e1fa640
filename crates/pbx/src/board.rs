//! A link's work: the live calls, the PBX's channels, and the values and events that the PBX has not received yet.
//! Without I/O: takes the time, hands out jobs and takes their outcomes.

mod channels;
mod hearing;
mod jobs;
mod messages;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::Label;
use sidetone_consent::Telling;
use sidetone_events::{CallId, Direction, Happening, Kind, Published};

use crate::counts::{LinkKind, Tally};
use crate::fault::Fault;
use crate::variables::{Mood, Values, Variable};
use crate::{Hear, Raw};
use channels::Channels;
use messages::Messages;

/// Most jobs under way at once.
const WINDOW: usize = 32;
/// Longest duration of a job.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most events that wait; beyond it the oldest is dropped.
const EVENTS: usize = 1_024;
/// Age at which an event is too old to act on.
const STALE: Duration = Duration::from_secs(30);
/// Most statements of the PBX that wait for their channel's call to be found.
const HELD: usize = 256;
/// Longest that such a statement waits.
const HELD_FOR: Duration = Duration::from_secs(10);
/// A call whose channel is unknown for this long triggers another list of all channels.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Least time between two such lists.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Interval of the check for calls that ended without an event.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Longest Call-ID that is searched for.
const LONGEST_SIP: usize = 512;

/// A job for the PBX.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Name all channels: [`Board::channel_seen`] for each.
    List,
    /// Report the Call-ID of a channel.
    Find { id: Arc<str>, name: Arc<str> },
    /// Set variables on a channel.
    Set { id: Arc<str>, changes: Vec<(Variable, Box<str>)> },
    /// Post an event.
    Tell(Box<Tell>),
    /// Send a text to a phone.
    Say { to: Box<str>, text: Box<str> },
}

/// An event to post.
#[derive(Debug, Clone)]
pub(crate) struct Tell {
    /// When the event was taken in.
    at: Duration,
    pub(crate) event: Arc<Published>,
    pub(crate) sip: Arc<str>,
    /// The call's channel, if it is known.
    pub(crate) channel: Option<(Arc<str>, Arc<str>)>,
    /// The variables' values at that time.
    pub(crate) values: Values,
}

/// A job's number.
pub(crate) type JobId = u64;

/// The result of a job.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Success.
    Done,
    /// The Call-ID, or `None` if there is none yet.
    Found(Option<String>),
    /// The channel does not exist.
    Gone,
    /// The PBX refuses, with its reason.
    Refused(String),
}

/// The tasks of a link.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) pbx: String,
    pub(crate) kind: LinkKind,
    pub(crate) events: Vec<Kind>,
    pub(crate) variables: bool,
    /// Where an agent's cues are sent as text, with `{agent}` for their label; `None` if they are not.
    pub(crate) messages: Option<String>,
}

struct Call {
    sip: Arc<str>,
    mood: Mood,
    /// When the call was first reported, or the link last came up.
    since: Duration,
    /// Whether one of its channels has been seen.
    seen: bool,
    /// The agent's label.
    agent: Option<Label>,
}

struct Held {
    until: Duration,
    channel: Arc<str>,
    telling: Telling,
}

/// The state of a link's work, as described above.
pub(crate) struct Board {
    purpose: Purpose,
    raw: Raw,
    hear: Hear,
    tally: Arc<Tally>,
    calls: HashMap<CallId, Call>,
    /// The calls of a Call-ID: one, except for calls that pass this PBX twice.
    by_sip: HashMap<Arc<str>, Vec<CallId>>,
    channels: Channels,
    asks: BTreeSet<(Duration, Arc<str>)>,
    unset: VecDeque<Arc<str>>,
    events: VecDeque<Tell>,
    messages: Messages,
    held: VecDeque<Held>,
    jobs: HashMap<JobId, Job>,
    due: VecDeque<(Duration, JobId)>,
    last_job: JobId,
    up: bool,
    list: bool,
    listed: Duration,
    swept: Duration,
    tell_next: bool,
    /// Whether several variables go in one job.
    together: bool,
    complained: HashSet<String>,
}

impl Board {
    pub(crate) fn new(purpose: Purpose, raw: Raw, hear: Hear, tally: Arc<Tally>) -> Self {
        Self {
            together: purpose.kind == LinkKind::Esl,
            purpose,
            raw,
            hear,
            tally,
            calls: HashMap::new(),
            by_sip: HashMap::new(),
            channels: Channels::default(),
            asks: BTreeSet::new(),
            unset: VecDeque::new(),
            events: VecDeque::new(),
            messages: Messages::default(),
            held: VecDeque::new(),
            jobs: HashMap::new(),
            due: VecDeque::new(),
            last_job: 0,
            up: false,
            list: false,
            listed: Duration::ZERO,
            swept: Duration::ZERO,
            tell_next: false,
            complained: HashSet::new(),
        }
    }

    pub(crate) fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Takes an event of a call.
    pub(crate) fn take(&mut self, now: Duration, published: &Arc<Published>) {
        let event = &published.event;
        let id = event.call.id;
        let first = !self.calls.contains_key(&id);
        // The answer may come from another PBX than the first choice.
        if first || event.kind() == Kind::CallAnswered {
            match (self.raw)(&id) {
                Some(identity) if identity.pbx != self.purpose.pbx => self.forget(&id),
                Some(identity) if first && identity.sip_call_id.len() <= LONGEST_SIP => {
                    let sip: Arc<str> = identity.sip_call_id.into();
                    let seen = !self.channels.of_call(&sip).is_empty();
                    self.by_sip.entry(Arc::clone(&sip)).or_default().push(id);
                    let resumed = event.call.direction == Direction::Unknown;
                    let mood = if resumed { Mood::resumed() } else { Mood::new() };
                    self.calls.insert(id, Call { sip, mood, since: now, seen, agent: None });
                }
                // The call is known already; or it has ended meanwhile, and the known state still holds.
                Some(_) | None => {}
            }
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let changed = call.mood.take(&event.happening) || first;
        let sip = Arc::clone(&call.sip);
        if let Happening::CallLabelled(labels) = &event.happening {
            call.agent.clone_from(&labels.agent);
        }
        if let Some(to) = &self.purpose.messages {
            let dropped = self.messages.take(now, id, call.agent.as_ref(), to, &event.happening);
            Tally::add(&self.tally.dropped, dropped);
        }
        if let Happening::ConsentChanged(change) = &event.happening
            && change.erased
        {
            self.events.retain(|it| it.event.event.call.id != id || !is_affect(it.event.event.kind()));
        }
        if self.purpose.events.contains(&event.kind()) {
            let values = call.mood.values().clone();
            if self.events.len() >= EVENTS {
                self.events.pop_front();
                Tally::add(&self.tally.dropped, 1);
            }
            let event = Arc::clone(published);
            self.events.push_back(Tell { at: now, event, sip: Arc::clone(&sip), channel: None, values });
        }
        if changed {
            self.set_on_all(&sip);
        }
        if event.kind() == Kind::CallEnded {
            let lost = self.up && self.calls.get(&id).is_some_and(|call| !call.seen);
            Tally::add(&self.tally.calls_not_found, usize::from(lost));
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &CallId) {
        let Some(call) = self.calls.remove(id) else { return };
        let Some(calls) = self.by_sip.get_mut(&call.sip) else { return };
        calls.retain(|other| other != id);
        if calls.is_empty() {
            self.by_sip.remove(&call.sip);
        } else {
            // The remaining call's channels are unambiguous again.
            self.set_on_all(&call.sip);
        }
    }

    /// The link is logged in: the whole state has to be sent again.
    pub(crate) fn came_up(&mut self, now: Duration) {
        self.up = true;
        self.list = true;
        for call in self.calls.values_mut() {
            (call.since, call.seen) = (now, false);
        }
    }

    /// The link is cut off: jobs under way may or may not have arrived.
    pub(crate) fn went_down(&mut self) {
        self.up = false;
        self.channels.clear();
        self.asks.clear();
        self.unset.clear();
        self.held.clear();
        self.due.clear();
        self.messages.clear();
        // Unconfirmed events are sent again, in order; receivers recognise them by their ids.
        let mut again: Vec<_> = std::mem::take(&mut self.jobs).into_iter().collect();
        again.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        for (_, job) in again {
            if let Job::Tell(tell) = job {
                self.events.push_front(*tell);
            }
        }
    }

    /// Whether no job waits and none is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.events.is_empty() && self.unset.is_empty() && self.messages.is_empty()
    }

    /// Advances to `now`.
    ///
    /// # Errors
    /// [`Fault::Silent`] when a job has taken too long.
    pub(crate) fn tick(&mut self, now: Duration) -> Result<(), Fault> {
        while let Some((at, job)) = self.due.front() {
            if !self.jobs.contains_key(job) {
                self.due.pop_front();
            } else if *at <= now {
                return Err(Fault::Silent);
            } else {
                break;
            }
        }
        self.drop_stale(now);
        while self.held.front().is_some_and(|held| held.until <= now) {
            self.held.pop_front();
            Tally::add(&self.tally.told_in_vain, 1);
        }
        if self.up && now.saturating_sub(self.listed) >= LOOK_EVERY {
            let lost = |call: &Call| !call.seen && now.saturating_sub(call.since) >= LOST_AFTER;
            self.list = self.calls.values().any(lost);
        }
        if now.saturating_sub(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            let raw = Arc::clone(&self.raw);
            self.calls.retain(|id, _| raw(id).is_some());
            let calls = &self.calls;
            self.by_sip.retain(|_, ids| {
                ids.retain(|id| calls.contains_key(id));
                !ids.is_empty()
            });
        }
        Ok(())
    }

    /// The latest time of the next `tick`.
    pub(crate) fn next_tick(&self, now: Duration) -> Duration {
        let ask = self.asks.first().map_or(Duration::MAX, |(at, _)| *at);
        ask.max(now + Duration::from_millis(1)).min(now + Duration::from_secs(1))
    }

    /// Logs `what` once for each `why`.
    fn complain(&mut self, why: &str, what: &str) {
        let why = crate::text::shown(why);
        if self.complained.len() < 32 && self.complained.insert(format!("{what}{why}")) {
            let Purpose { pbx, kind, .. } = &self.purpose;
            tracing::warn!(%pbx, link = %kind, why, "{what}; this is said once");
        }
    }
}

/// Whether events of this kind tell how a person seems to feel. A cue tells what called for it.
fn is_affect(kind: Kind) -> bool {
    // Conduct says how both talk, and stays with an objection.
    kind.infers() && kind != Kind::Conduct
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut board = f.debug_struct("Board");
        board.field("calls", &self.calls.len()).field("channels", &self.channels.len());
        board.field("events", &self.events.len()).field("jobs", &self.jobs.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
