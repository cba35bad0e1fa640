//! What a link has to say and to whom: the live calls, the PBX's channels, and what of the one has yet to reach the
//! other. Pure: told the time, it hands out jobs and takes their outcomes.

mod channels;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sidetone_consent::{Source, Telling};
use sidetone_events::{CallId, Happening, Kind, Published};

use crate::counts::{LinkKind, Tally};
use crate::fault::Fault;
use crate::text::is_id;
use crate::variables::{Mood, Values, Variable};
use crate::{Hear, Raw, Told};
use channels::Channels;

/// Jobs under way at once.
const WINDOW: usize = 32;
/// Longest that a job may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events that wait; beyond it the oldest is dropped.
const EVENTS: usize = 1_024;
/// Age from which nobody should act on an event any more.
const STALE: Duration = Duration::from_secs(30);
/// What the PBX told of channels whose calls are still being looked for.
const HELD: usize = 256;
/// Longest that such a telling waits.
const HELD_FOR: Duration = Duration::from_secs(10);
/// When a channel's Call-ID is asked for: at once, and so long after each time that there was none yet.
const ASK_AFTER: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(800),
    Duration::from_secs(3),
    Duration::from_secs(10),
];
/// A call whose channel is unknown for so long is worth another look at all channels.
const LOST_AFTER: Duration = Duration::from_secs(3);
/// Least time between two such looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often calls are checked for having gone without an event saying so.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Longest Call-ID that is looked for.
const LONGEST_SIP: usize = 512;

/// Something for the PBX to do.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Name all channels: [`Board::channel_seen`] for each.
    List,
    /// Give the Call-ID of a channel.
    Find { id: Arc<str>, name: Arc<str> },
    /// Set variables on a channel.
    Set { id: Arc<str>, changes: Vec<(Variable, Box<str>)> },
    /// Post an event.
    Tell(Box<Tell>),
}

/// An event to post.
#[derive(Debug, Clone)]
pub(crate) struct Tell {
    /// When it was taken in.
    at: Duration,
    pub(crate) event: Arc<Published>,
    pub(crate) sip: Arc<str>,
    /// The call's channel, if it is known.
    pub(crate) channel: Option<(Arc<str>, Arc<str>)>,
    /// What the variables were then.
    pub(crate) values: Values,
}

/// A job's number.
pub(crate) type JobId = u64;

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Done,
    /// The Call-ID, or that there is none yet.
    Found(Option<String>),
    /// There is no such channel.
    Gone,
    /// The PBX won't: why, in its words.
    Refused(String),
}

/// What a link is for.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) pbx: String,
    pub(crate) kind: LinkKind,
    pub(crate) events: Vec<Kind>,
    pub(crate) variables: bool,
}

struct Call {
    sip: Arc<str>,
    mood: Mood,
    /// When it was first heard of, or the link last came up.
    since: Duration,
    /// Whether a channel of it has been seen.
    seen: bool,
}

struct Held {
    until: Duration,
    channel: Arc<str>,
    telling: Telling,
}

/// See the module.
pub(crate) struct Board {
    purpose: Purpose,
    raw: Raw,
    hear: Hear,
    tally: Arc<Tally>,
    calls: HashMap<CallId, Call>,
    by_sip: HashMap<Arc<str>, CallId>,
    channels: Channels,
    asks: BTreeSet<(Duration, Arc<str>)>,
    unset: VecDeque<Arc<str>>,
    events: VecDeque<Tell>,
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

    // === from the bus

    /// Something happened in some call.
    pub(crate) fn take(&mut self, now: Duration, published: &Arc<Published>) {
        let event = &published.event;
        let id = event.call.id;
        let first = !self.calls.contains_key(&id);
        // An answer may come from another PBX than the one that was tried first.
        if first || event.kind() == Kind::CallAnswered {
            match (self.raw)(&id) {
                Some(identity) if identity.pbx == self.purpose.pbx => {
                    if first && identity.sip_call_id.len() <= LONGEST_SIP {
                        let sip: Arc<str> = identity.sip_call_id.into();
                        let seen = !self.channels.of_call(&sip).is_empty();
                        self.by_sip.insert(Arc::clone(&sip), id);
                        self.calls.insert(id, Call { sip, mood: Mood::new(), since: now, seen });
                    }
                }
                Some(_) => self.forget(&id),
                // It has ended meanwhile; what is known of it still holds.
                None => {}
            }
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let changed = call.mood.take(&event.happening) || first;
        let sip = Arc::clone(&call.sip);
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
        if let Some(call) = self.calls.remove(id) {
            self.by_sip.remove(&call.sip);
        }
    }

    // === the connection

    /// Logged in: everything is to be said again.
    pub(crate) fn came_up(&mut self, now: Duration) {
        self.up = true;
        self.list = true;
        for call in self.calls.values_mut() {
            (call.since, call.seen) = (now, false);
        }
    }

    /// Cut off: whatever was under way may or may not have arrived.
    pub(crate) fn went_down(&mut self) {
        self.up = false;
        self.channels.clear();
        self.asks.clear();
        self.unset.clear();
        self.held.clear();
        self.due.clear();
        // Events that were not confirmed go again, in their order; they carry their own ids.
        let mut again: Vec<_> = std::mem::take(&mut self.jobs).into_iter().collect();
        again.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        for (_, job) in again {
            if let Job::Tell(tell) = job {
                self.events.push_front(*tell);
            }
        }
    }

    /// Nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.events.is_empty() && self.unset.is_empty()
    }

    // === from the PBX

    /// There is such a channel, whose Call-ID is `sip` if the PBX says so itself.
    pub(crate) fn channel_seen(
        &mut self,
        now: Duration,
        id: &str,
        name: &str,
        linked: Option<&str>,
        sip: Option<&str>,
    ) {
        if !is_id(id) || !is_id(name) {
            return;
        }
        let linked = linked.filter(|linked| is_id(linked));
        let Some(is_new) = self.channels.seen(id, name, linked) else { return };
        match sip.filter(|sip| !sip.is_empty() && sip.len() <= LONGEST_SIP) {
            Some(sip) => self.channel_found(id, sip),
            None if is_new || self.channels.get(id).is_some_and(|it| it.sip.is_none() && !it.asking) => {
                self.ask(now, id);
            }
            None => {}
        }
    }

    /// The channel has another name, and may carry another call.
    pub(crate) fn channel_renamed(&mut self, now: Duration, id: &str, name: &str) {
        if let Some(channel) = self.channels.get_mut(id)
            && is_id(name)
        {
            channel.name = name.into();
            channel.asked = 0;
            if !channel.asking {
                self.ask(now, id);
            }
        }
    }

    /// There is no such channel any more.
    pub(crate) fn channel_gone(&mut self, id: &str) {
        self.channels.gone(id);
    }

    /// The PBX says `name` is `value` of the call that the channel `id` belongs to. Of a channel that is no SIP channel, or
    /// carries no call of Sidetone's, it is said of the one call that is linked with it.
    pub(crate) fn heard(&mut self, now: Duration, id: &str, linked: Option<&str>, name: &str, value: &str) {
        let Some(telling) = self.understand(name, value) else { return };
        let own = self.channels.get(id).and_then(|channel| channel.sip.clone());
        if let Some(sip) = &own
            && self.by_sip.contains_key(sip)
        {
            return self.tell_on(sip, telling);
        }
        let linked = linked.map(Arc::from).or_else(|| self.channels.get(id)?.linked.clone());
        if let Some(sip) = linked.and_then(|linked| self.one_call_of(&linked)) {
            return self.tell_on(&sip, telling);
        }
        match own {
            // The call may be so new that the bus has not yet said so; whoever hears it will know.
            Some(sip) => self.tell_on(&sip, telling),
            None if self.channels.get(id).is_some_and(|channel| channel.asking) => {
                if self.held.len() >= HELD {
                    self.held.pop_front();
                    Tally::add(&self.tally.told_in_vain, 1);
                }
                self.held.push_back(Held { until: now + HELD_FOR, channel: id.into(), telling });
            }
            None => Tally::add(&self.tally.told_in_vain, 1),
        }
    }

    /// The same of a call that is named by its Call-ID.
    pub(crate) fn heard_of_call(&mut self, sip: &str, name: &str, value: &str) {
        if let Some(telling) = self.understand(name, value) {
            self.tell_on(sip, telling);
        }
    }

    /// The id of the channel that the PBX calls so, by name or id.
    pub(crate) fn channel_called(&self, called: &str) -> Option<Arc<str>> {
        self.channels.id(called).or_else(|| self.channels.named(called))
    }

    fn understand(&mut self, name: &str, value: &str) -> Option<Telling> {
        match Telling::parse(name, value) {
            Ok(telling) => Some(telling),
            Err(why) => {
                Tally::add(&self.tally.told_in_vain, 1);
                self.complain(&why.to_string(), "the PBX tells something that means nothing");
                None
            }
        }
    }

    fn tell_on(&self, sip: &str, telling: Telling) {
        Tally::add(&self.tally.told, 1);
        let source = match self.purpose.kind {
            LinkKind::Ami => Source::Ami,
            LinkKind::Ari => Source::Ari,
            LinkKind::Esl => Source::Esl,
        };
        (self.hear)(Told { sip_call_id: sip.to_owned(), source, telling });
    }

    /// The call of Sidetone's in a conversation, if there is exactly one.
    fn one_call_of(&self, linked: &str) -> Option<Arc<str>> {
        let mut calls = self.channels.calls_linked(linked).filter(|sip| self.by_sip.contains_key(*sip));
        let first = calls.next()?;
        calls.all(|other| other == first).then(|| Arc::clone(first))
    }

    // === channels and calls

    fn ask(&mut self, now: Duration, id: &str) {
        let Some(id) = self.channels.id(id) else { return };
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let wait = match channel.asked.checked_sub(1) {
            None => Duration::ZERO,
            Some(times) => match ASK_AFTER.get(times) {
                Some(wait) => *wait,
                // A channel without a Call-ID, or one that keeps it to itself.
                None => return self.nobody_knows(&id),
            },
        };
        channel.asked += 1;
        channel.asking = true;
        self.asks.insert((now + wait, id));
    }

    fn channel_found(&mut self, id: &str, sip: &str) {
        self.channels.found(id, sip);
        if let Some(channel) = self.channels.get_mut(id) {
            channel.asking = false;
        }
        let sip: Arc<str> = sip.into();
        if let Some(call) = self.by_sip.get(&sip).and_then(|call| self.calls.get_mut(call)) {
            call.seen = true;
            self.set_on_all(&sip);
        }
        for held in self.held_of(id) {
            // Through the front door, since the channel may be linked to a call of Sidetone's without carrying one.
            let linked = self.channels.get(id).and_then(|channel| channel.linked.clone());
            let call = if self.by_sip.contains_key(&sip) {
                Some(Arc::clone(&sip))
            } else {
                linked.and_then(|linked| self.one_call_of(&linked))
            };
            self.tell_on(&call.unwrap_or_else(|| Arc::clone(&sip)), held.telling);
        }
    }

    /// The channel's Call-ID can't be had.
    fn nobody_knows(&mut self, id: &str) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.asking = false;
        }
        let held = self.held_of(id).len();
        Tally::add(&self.tally.told_in_vain, held);
    }

    fn held_of(&mut self, id: &str) -> Vec<Held> {
        let (of, others) = std::mem::take(&mut self.held).into_iter().partition(|held| &*held.channel == id);
        self.held = others;
        let of: VecDeque<Held> = of;
        of.into()
    }

    /// The call's channels may lack a value.
    fn set_on_all(&mut self, sip: &str) {
        if !self.purpose.variables || !self.up {
            return;
        }
        let ids = self.channels.of_call(sip).to_vec();
        for id in ids {
            if let Some(call) = self.by_sip.get(sip).and_then(|call| self.calls.get_mut(call)) {
                call.seen = true;
            }
            self.queue(&id);
        }
    }

    fn queue(&mut self, id: &Arc<str>) {
        if let Some(channel) = self.channels.get_mut(id)
            && !std::mem::replace(&mut channel.queued, true)
        {
            self.unset.push_back(Arc::clone(id));
        }
    }

    // === jobs

    /// The next thing for the PBX to do, if it may have one more at a time.
    pub(crate) fn next_job(&mut self, now: Duration) -> Option<(JobId, Job)> {
        if !self.up || self.jobs.len() >= WINDOW {
            return None;
        }
        let job = self.choose(now)?;
        self.last_job += 1;
        self.jobs.insert(self.last_job, job.clone());
        self.due.push_back((now + PATIENCE, self.last_job));
        Some((self.last_job, job))
    }

    fn choose(&mut self, now: Duration) -> Option<Job> {
        if std::mem::take(&mut self.list) {
            self.listed = now;
            return Some(Job::List);
        }
        while self.asks.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, id)) = self.asks.pop_first() else { break };
            if let Some(channel) = self.channels.get(&id) {
                return Some(Job::Find { name: Arc::clone(&channel.name), id });
            }
        }
        // In turn, so that neither keeps the other from being sent.
        self.tell_next = !self.tell_next;
        if self.tell_next {
            self.next_event(now).or_else(|| self.next_set())
        } else {
            self.next_set().or_else(|| self.next_event(now))
        }
    }

    /// The oldest event that is worth telling; before it, what its call's channels lack, so that whoever acts on the event
    /// finds the variables set.
    fn next_event(&mut self, now: Duration) -> Option<Job> {
        self.drop_stale(now);
        let front = self.events.front()?;
        let ids: Vec<Arc<str>> = self.channels.of_call(&front.sip).to_vec();
        for id in &ids {
            if self.channels.get(id).is_some_and(|channel| channel.queued)
                && let Some(job) = self.set(id)
            {
                return Some(job);
            }
        }
        let mut tell = self.events.pop_front()?;
        tell.channel = ids.first().and_then(|id| {
            let channel = self.channels.get(id)?;
            Some((Arc::clone(id), Arc::clone(&channel.name)))
        });
        Some(Job::Tell(Box::new(tell)))
    }

    fn drop_stale(&mut self, now: Duration) {
        while self.events.front().is_some_and(|it| now.saturating_sub(it.at) > STALE) {
            self.events.pop_front();
            Tally::add(&self.tally.dropped, 1);
        }
    }

    fn next_set(&mut self) -> Option<Job> {
        for _ in 0..self.unset.len() {
            let id = self.unset.pop_front()?;
            if let Some(job) = self.set(&id) {
                // There may be more; it goes to the back, so that every channel gets its turn.
                if self.channels.get(&id).is_some_and(|channel| channel.queued) {
                    self.unset.push_back(id);
                }
                return Some(job);
            }
        }
        None
    }

    /// What the channel lacks and is not being set already.
    fn set(&mut self, id: &Arc<str>) -> Option<Job> {
        let channel = self.channels.get_mut(id)?;
        let call = channel.sip.as_ref().and_then(|sip| self.by_sip.get(sip));
        let Some(call) = call.and_then(|call| self.calls.get(call)) else {
            channel.queued = false;
            return None;
        };
        let values = call.mood.values();
        let mut lacking: Vec<(Variable, Box<str>)> = values
            .since(&channel.sent)
            .filter(|(variable, _)| !channel.busy.contains(variable))
            .map(|(variable, value)| (variable, value.into()))
            .collect();
        if !self.together {
            lacking.truncate(1);
        }
        if lacking.is_empty() {
            channel.queued = false;
            return None;
        }
        for (variable, value) in &lacking {
            channel.sent.set(*variable, value);
            channel.busy.push(*variable);
        }
        channel.queued = values.since(&channel.sent).any(|(variable, _)| !channel.busy.contains(&variable));
        Some(Job::Set { id: Arc::clone(id), changes: lacking })
    }

    /// A job has ended. One that is not known, or not any more, is nobody's business.
    pub(crate) fn done(&mut self, now: Duration, job: JobId, outcome: Outcome) {
        let Some(job) = self.jobs.remove(&job) else { return };
        match (job, outcome) {
            (Job::Find { id, .. }, Outcome::Found(Some(sip)))
                if !sip.is_empty() && sip.len() <= LONGEST_SIP =>
            {
                self.channel_found(&id, &sip);
            }
            (Job::Find { id, .. }, Outcome::Refused(why)) => {
                self.complain(&why, "the PBX won't say which call a channel carries");
                self.nobody_knows(&id);
            }
            (Job::Find { id, .. }, Outcome::Gone) => {
                self.nobody_knows(&id);
                self.channels.gone(&id);
            }
            (Job::Find { id, .. }, _) => self.ask(now, &id),
            (Job::Set { id, changes }, outcome) => {
                match outcome {
                    Outcome::Gone => self.channels.gone(&id),
                    Outcome::Refused(why) => {
                        Tally::add(&self.tally.failed, changes.len());
                        self.complain(&why, "the PBX refuses to set a variable");
                    }
                    Outcome::Done | Outcome::Found(_) => Tally::add(&self.tally.sent, changes.len()),
                }
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.busy.retain(|busy| !changes.iter().any(|(variable, _)| variable == busy));
                    self.queue(&id);
                }
            }
            (Job::Tell(_), Outcome::Refused(why)) => {
                Tally::add(&self.tally.failed, 1);
                self.complain(&why, "the PBX refuses an event");
            }
            (Job::Tell(_), _) => Tally::add(&self.tally.sent, 1),
            (Job::List, Outcome::Refused(why)) => {
                self.complain(&why, "the PBX won't name its channels");
            }
            (Job::List, _) => {}
        }
    }

    /// Time has passed.
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
            self.by_sip.retain(|_, id| calls.contains_key(id));
        }
        Ok(())
    }

    /// When there is something to do at the latest.
    pub(crate) fn next_tick(&self, now: Duration) -> Duration {
        let ask = self.asks.first().map_or(Duration::MAX, |(at, _)| *at);
        ask.max(now + Duration::from_millis(1)).min(now + Duration::from_secs(1))
    }

    /// Says `what` once for each `why`.
    fn complain(&mut self, why: &str, what: &str) {
        let why = crate::text::shown(why);
        if self.complained.len() < 32 && self.complained.insert(format!("{what}{why}")) {
            let Purpose { pbx, kind, .. } = &self.purpose;
            tracing::warn!(%pbx, link = %kind, why, "{what}; this is said once");
        }
    }
}

/// Whether such events tell how a person seems to feel.
fn is_affect(kind: Kind) -> bool {
    matches!(kind, Kind::AffectUpdate | Kind::AffectAlert)
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
