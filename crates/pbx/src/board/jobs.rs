//! Output to the PBX: the choice of the next job, and the handling of its outcome.

use std::sync::Arc;
use std::time::Duration;

use super::{Board, Job, JobId, LONGEST_SIP, Outcome, PATIENCE, STALE, WINDOW};
use crate::counts::Tally;
use crate::variables::Variable;

impl Board {
    /// The call's channels may lack a value.
    pub(super) fn set_on_all(&mut self, sip: &str) {
        if !self.purpose.variables || !self.up {
            return;
        }
        let ids = self.channels.of_call(sip).to_vec();
        for id in ids {
            self.see(sip);
            self.queue(&id);
        }
    }

    /// A channel of these calls has been seen.
    pub(super) fn see(&mut self, sip: &str) {
        for id in self.by_sip.get(sip).into_iter().flatten() {
            if let Some(call) = self.calls.get_mut(id) {
                call.seen = true;
            }
        }
    }

    pub(super) fn queue(&mut self, id: &Arc<str>) {
        if let Some(channel) = self.channels.get_mut(id)
            && !std::mem::replace(&mut channel.queued, true)
        {
            self.unset.push_back(Arc::clone(id));
        }
    }

    /// The next job for the PBX, if one more may be under way.
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

    pub(super) fn choose(&mut self, now: Duration) -> Option<Job> {
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
        let (message, late) = self.messages.next(now);
        Tally::add(&self.tally.dropped, late);
        if message.is_some() {
            return message;
        }
        // Alternately, so that neither kind starves the other.
        self.tell_next = !self.tell_next;
        if self.tell_next {
            self.next_event(now).or_else(|| self.next_set())
        } else {
            self.next_set().or_else(|| self.next_event(now))
        }
    }

    /// The oldest event that is still worth sending; before it, the variables that its call's channels lack, so that a
    /// dialplan that acts on the event finds them set.
    pub(super) fn next_event(&mut self, now: Duration) -> Option<Job> {
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

    pub(super) fn drop_stale(&mut self, now: Duration) {
        while self.events.front().is_some_and(|it| now.saturating_sub(it.at) > STALE) {
            self.events.pop_front();
            Tally::add(&self.tally.dropped, 1);
        }
    }

    pub(super) fn next_set(&mut self) -> Option<Job> {
        for _ in 0..self.unset.len() {
            let id = self.unset.pop_front()?;
            if let Some(job) = self.set(&id) {
                // The channel may need more variables; it goes to the back, so that every channel gets its turn.
                if self.channels.get(&id).is_some_and(|channel| channel.queued) {
                    self.unset.push_back(id);
                }
                return Some(job);
            }
        }
        None
    }

    /// The job for variables that the channel lacks and that are not being set yet.
    pub(super) fn set(&mut self, id: &Arc<str>) -> Option<Job> {
        let channel = self.channels.get_mut(id)?;
        // With two calls of one Call-ID it is unknown which one a channel carries: no variable is set rather than the
        // other caller's mood.
        let call = channel.sip.as_ref().and_then(|sip| match self.by_sip.get(sip)?.as_slice() {
            [call] => Some(call),
            _ => None,
        });
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

    /// A job has ended. The outcome of an unknown or forgotten job is ignored.
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
            (Job::Say { .. }, Outcome::Refused(_)) => {
                Tally::add(&self.tally.failed, 1);
                // Its reason may name the phone.
                self.complain("", "the PBX could not send a cue to an agent's phone");
            }
            (Job::Say { .. }, _) => Tally::add(&self.tally.sent, 1),
            (Job::List, Outcome::Refused(why)) => {
                self.complain(&why, "the PBX won't name its channels");
            }
            (Job::List, _) => {}
        }
    }
}
