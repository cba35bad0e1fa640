//! The consent of one call in the book: what its machine asks for, done; what happens, told to it.

use std::time::Duration;

use sidetone_announce::{Hearer, Mode};
use sidetone_call::{CallKey, Leg, Side};
use sidetone_consent::policy::{Decision, Facts, LawfulBasis, Settings};
use sidetone_consent::{
    Action, Failure, Input, Machine, Medium, Moment, Party, Receipt, Recording, Source, State, Telling,
};
use sidetone_events::{Announcement, AnnouncementPhase, ConsentChanged};

use crate::calls::{Calls, Inner};
use crate::entry::Entry;
use crate::words;
use sidetone_hear::Work;
use sidetone_relay::{Job, PlayId, Playing, formats};

/// Most announcements of a call that have been stopped and have yet to be over.
const MOST_LEAVING: usize = 8;

/// How an announcement's name and language are cut for events.
const LONGEST_NAME: usize = 64;
const LONGEST_LANGUAGE: usize = 35;

/// One call's consent.
#[derive(Debug)]
pub(crate) struct Consent {
    pub(crate) machine: Machine,
    pub(crate) facts: Facts,
    decision: Decision,
    /// The call goes to the customer, not from them.
    to_customer: bool,
    playing: Option<Act>,
    /// Stopped to make room for the one that plays, and not yet over.
    leaving: Vec<Act>,
    plays: u64,
    /// Who has it, as the PBX says.
    pub(crate) agent: Option<String>,
    /// Who talks on the PBX's side, as the PBX says.
    pub(crate) party: Option<Party>,
    /// As configured when the call began.
    lawful_basis: Option<LawfulBasis>,
    /// The receipt has been filed.
    filed: bool,
}

/// An announcement under way.
#[derive(Debug)]
struct Act {
    id: PlayId,
    stream: usize,
    found: sidetone_announce::library::Found,
    mode: Mode,
    toward: Vec<Side>,
    /// It is there to tell of the analysis; others are the operator's own.
    discloses: bool,
}

impl Consent {
    pub(crate) fn new(
        settings: &Settings,
        key: CallKey,
        facts: Facts,
        to_customer: bool,
        now: Duration,
    ) -> Self {
        let decision = settings.decide(&facts);
        let machine = Machine::new(settings.terms(&decision, to_customer), now).of_call(key.0);
        Self {
            machine,
            facts,
            decision,
            to_customer,
            playing: None,
            leaving: Vec::new(),
            plays: 0,
            agent: None,
            party: None,
            lawful_basis: settings.lawful_basis,
            filed: false,
        }
    }

    /// Whether anything that may happen could lead to analysis, or to an announcement.
    pub(crate) fn concerns(&self) -> bool {
        self.machine.state() != State::Excluded
    }

    /// Takes a fact that policy may depend on.
    fn tell(&mut self, settings: &Settings, now: Duration, telling: &Telling) {
        if self.facts.tell(telling) {
            self.decision = settings.decide(&self.facts);
            self.machine.retell(now, settings.terms(&self.decision, self.to_customer));
        }
    }

    /// One of the announcements that are under way.
    fn act(&mut self, id: PlayId) -> Option<&mut Act> {
        self.playing.iter_mut().chain(&mut self.leaving).find(|act| act.id == id)
    }

    /// It is over; returns it.
    fn over(&mut self, id: PlayId) -> Option<Act> {
        self.playing.take_if(|act| act.id == id).or_else(|| {
            let place = self.leaving.iter().position(|act| act.id == id)?;
            Some(self.leaving.remove(place))
        })
    }

    /// What is filed when the call is over.
    fn receipt(&self, entry: &Entry, ended: Moment, model: Option<String>) -> Receipt {
        let call = entry.call();
        let hashed =
            |hash: Option<sidetone_events::HashedNumber>| hash.and_then(|hash| hash.to_string().parse().ok());
        let (customer, dialled) =
            if self.to_customer { (call.callee, call.callee) } else { (call.caller, call.callee) };
        Receipt {
            call: call.id.to_string(),
            started: Moment::from_unix_millis(entry.began().unix_millis()),
            ended,
            to_customer: self.to_customer,
            customer: hashed(customer),
            dialled: hashed(dialled),
            trunk: self.facts.trunk.clone(),
            queue: self.facts.queue.clone(),
            tier: self.facts.tier.clone(),
            call_type: self.facts.call_type.clone(),
            reason: self.decision.reason.clone(),
            lawful_basis: self.lawful_basis,
            record: self.machine.record(),
            build: crate::BUILD.to_owned(),
            model,
        }
    }
}

impl Calls {
    /// Something happened that a call's consent depends on.
    pub(crate) fn consent(&self, inner: &mut Inner, key: CallKey, now: Duration, input: Input) {
        let Some(entry) = inner.calls.get_mut(&key) else { return };
        entry.consent.machine.input(now, input);
        self.drive(inner, key, now);
    }

    /// Does what a call's consent asks for.
    pub(crate) fn drive(&self, inner: &mut Inner, key: CallKey, now: Duration) {
        self.attend_to(inner, key);
        let mut refused = None;
        let Inner { calls, counters, .. } = inner;
        let Some(entry) = calls.get_mut(&key) else { return };
        while let Some(action) = entry.consent.machine.poll() {
            match action {
                Action::Announce => {
                    if let Err(failure) = self.announce(entry, key) {
                        entry.consent.machine.input(now, Input::AnnouncementFailed(failure));
                    }
                }
                Action::StopAnnouncing => {
                    if !self.hush(entry, key) {
                        entry.consent.machine.input(now, Input::AnnouncementEnded { whole: false });
                    }
                }
                Action::BeginAnalysis => {
                    // None, if what follows in the queue has taken it back already.
                    if let Some(permit) = entry.consent.machine.permit() {
                        // Told the time anew: `now` is when a batch of messages began to be read, and the last of them
                        // may have come a little later.
                        self.order(entry, Work::Listen(permit, now.max(self.now())));
                    }
                }
                Action::PauseAnalysis => self.order(entry, Work::Deafen { call: key, erase: false }),
                Action::StopAnalysis { erase } => {
                    self.order(entry, Work::Deafen { call: key, erase });
                    if erase {
                        entry.forget();
                    }
                }
                Action::Changed { state, by, erased } => {
                    counters.consent(state);
                    if state == State::OptedOut {
                        refused = Some(by);
                    }
                    let call = entry.call().id;
                    let sip_call_id = &entry.call().sip_call_id;
                    tracing::info!(%call, %sip_call_id, %state, by = by.name(), "consent changed");
                    let policy = entry.consent.machine.terms().policy;
                    let event = entry.tell(now, ConsentChanged { state, policy, by, erased });
                    self.bus.publish(event);
                }
                Action::Alarm(failure) => {
                    counters.announcement_failures += 1;
                    let call = entry.call().id;
                    let sip_call_id = &entry.call().sip_call_id;
                    tracing::warn!(%call, %sip_call_id, %failure, "the customer could not be told: the call goes on, and is not analysed");
                    let what = entry.consent.decision.clone();
                    let event = entry.tell(
                        now,
                        Announcement {
                            phase: AnnouncementPhase::Failed,
                            toward: Leg::Customer,
                            name: cut(&what.announcement.unwrap_or_default(), LONGEST_NAME),
                            language: cut(&what.language, LONGEST_LANGUAGE),
                            played: Duration::ZERO,
                        },
                    );
                    self.bus.publish(event);
                }
            }
        }
        if let Some(by) = refused {
            self.refusal_spreads(inner, now, key, by);
        }
    }

    /// Plays the announcement of the policy in force.
    fn announce(&self, entry: &mut Entry, key: CallKey) -> Result<(), Failure> {
        let prompter = self.prompter.get().ok_or(Failure::NoMedia)?;
        let name = entry.consent.decision.announcement.clone().ok_or(Failure::NotFound)?;
        let language = entry.consent.decision.language.clone();
        let found = prompter.library().find(&name, Some(&language)).ok_or(Failure::NotFound)?;
        let recording = Recording {
            name: found.name.clone(),
            language: found.language.clone(),
            sha256: found.clip.digest().to_owned(),
        };
        let toward = match prompter.announcements().to {
            Hearer::Customer => vec![Side::Trunk],
            Hearer::Both => vec![Side::Trunk, Side::Pbx],
        };
        self.start_playing(entry, key, found, prompter.announcements().mode, toward, true)?;
        entry.consent.machine.recording(recording);
        Ok(())
    }

    fn start_playing(
        &self,
        entry: &mut Entry,
        key: CallKey,
        found: sidetone_announce::library::Found,
        mode: Mode,
        toward: Vec<Side>,
        discloses: bool,
    ) -> Result<(), Failure> {
        let prompter = self.prompter.get().ok_or(Failure::NoMedia)?;
        let id = PlayId(entry.consent.plays + 1);
        let (stream, plan) = entry.talk().ok_or(Failure::NoMedia)?;
        if plan.tappable.is_err() {
            return Err(Failure::Codec);
        }
        let plan = plan.clone();
        // Only the customer's being told may take the place of what the operator wanted said: two are never heard at once.
        self.hush(entry, key);
        entry.consent.leaving.extend(entry.consent.playing.take());
        if entry.consent.leaving.len() > MOST_LEAVING {
            self.count_off(&entry.consent.leaving.remove(0));
        }
        let mode = match mode {
            Mode::Duck if self.mixing() >= prompter.announcements().most_mixed => Mode::Replace,
            mode => mode,
        };
        for side in &toward {
            let (formats, ptime) = formats(&plan, *side);
            let found = found.clone();
            let (call, toward) = (key, *side);
            prompter.play(Job { call, stream, toward, id, found, formats, ptime, mode, again: false });
        }
        if mode == Mode::Duck {
            self.mix(1);
        }
        entry.consent.plays = id.0;
        entry.consent.playing = Some(Act { id, stream, found, mode, toward, discloses });
        Ok(())
    }

    /// An announcement is mixed no longer.
    fn count_off(&self, act: &Act) {
        if act.mode == Mode::Duck {
            self.mix(-1);
        }
    }

    /// Counts off announcements whose end was never told.
    pub(crate) fn forget_acts(&self, entry: &mut Entry) {
        let Consent { playing, leaving, .. } = &mut entry.consent;
        playing.take().iter().chain(&std::mem::take(leaving)).for_each(|act| self.count_off(act));
    }

    /// Stops the announcement; false if none plays.
    fn hush(&self, entry: &Entry, key: CallKey) -> bool {
        let (Some(act), Some(prompter)) = (&entry.consent.playing, self.prompter.get()) else {
            return false;
        };
        for toward in &act.toward {
            prompter.hush(key, *toward, act.id);
        }
        true
    }

    /// An announcement of the operator's own: into any call that is up, unless one plays there.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub fn play(
        &self,
        id: &str,
        name: &str,
        language: Option<&str>,
        toward: Vec<Side>,
    ) -> Result<(), String> {
        let mut guard = self.lock();
        let key = guard.locate(id).map_err(|error| error.to_string())?;
        let entry = guard.calls.get_mut(&key).ok_or("the call has just ended")?;
        let prompter = self.prompter.get().ok_or("Sidetone is still starting; try again")?;
        let found = prompter.library().find(name, language).ok_or_else(|| {
            let names: std::collections::BTreeSet<&str> =
                prompter.library().names().map(|(name, _)| name).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            format!("no announcement is called {name}; there are: {names}")
        })?;
        if let Some(language) = language.filter(|asked| !is_in(&found.language, asked)) {
            let known = prompter.library().names().filter(|(known, _)| *known == name);
            let known = known.map(|(_, language)| language).collect::<Vec<_>>().join(", ");
            return Err(format!("{name} is not there in `{language}`; it is in {known}"));
        }
        if entry.consent.playing.is_some() {
            return Err("an announcement plays in this call already; two are never heard at once".to_owned());
        }
        self.start_playing(entry, key, found, prompter.announcements().mode, toward, false)
            .map_err(|failure| format!("it can't be played: {failure}"))
    }

    /// What the relay says of an announcement.
    pub(crate) fn playing(
        &self,
        inner: &mut Inner,
        now: Duration,
        key: CallKey,
        toward: Side,
        id: PlayId,
        how: Playing,
    ) {
        let Some(entry) = inner.calls.get_mut(&key) else { return };
        let Some(act) = entry.consent.act(id) else { return };
        let (name, language) = (act.found.name.clone(), act.found.language.clone());
        let discloses = act.discloses;
        let (phase, played) = match how {
            Playing::Began => (AnnouncementPhase::Started, Duration::ZERO),
            Playing::Ended { whole: true, played } => (AnnouncementPhase::Finished, played),
            Playing::Ended { whole: false, played } => (AnnouncementPhase::Interrupted, played),
        };
        if let Playing::Ended { .. } = how {
            act.toward.retain(|side| *side != toward);
            if act.toward.is_empty()
                && let Some(act) = entry.consent.over(id)
            {
                self.count_off(&act);
            }
        }
        if phase == AnnouncementPhase::Started {
            inner.counters.announcements += 1;
        }
        let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
        let (hearer, played_ms) = (toward.leg().as_str(), played.as_millis());
        tracing::info!(%call, %sip_call_id, phase = words::word(&phase), name, language, toward = hearer, played_ms, "announcement");
        let announcement = Announcement {
            phase,
            toward: toward.leg(),
            name: cut(&name, LONGEST_NAME),
            language: cut(&language, LONGEST_LANGUAGE),
            played,
        };
        self.bus.publish(entry.tell(now, announcement));
        // What the agent hears changes nothing about what the customer knows.
        if discloses && toward == Side::Trunk {
            let input = match how {
                Playing::Began => Input::AnnouncementBegan,
                Playing::Ended { whole, .. } => Input::AnnouncementEnded { whole },
            };
            self.consent(inner, key, now, input);
        }
    }

    /// An announcement could not be made ready.
    pub fn announcement_failed(&self, key: CallKey, id: PlayId, failure: Failure) {
        let now = self.now();
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(entry) = inner.calls.get_mut(&key) else { return };
        let Some(act) = entry.consent.over(id) else { return };
        self.count_off(&act);
        if act.discloses {
            self.consent(inner, key, now, Input::AnnouncementFailed(failure));
        }
    }

    /// SDP has changed: an announcement that plays goes on in what is agreed now.
    pub(crate) fn revoice(&self, entry: &Entry, key: CallKey) {
        let (Some(act), Some(prompter)) = (&entry.consent.playing, self.prompter.get()) else { return };
        let Some(plan) = entry.stream_plan(act.stream) else { return };
        for toward in &act.toward {
            let (formats, ptime) = formats(plan, *toward);
            if !formats.is_empty() {
                prompter.play(Job {
                    call: key,
                    stream: act.stream,
                    toward: *toward,
                    id: act.id,
                    found: act.found.clone(),
                    formats,
                    ptime,
                    mode: act.mode,
                    again: true,
                });
            }
        }
    }

    /// Somebody says something of a call.
    pub(crate) fn hear(
        &self,
        inner: &mut Inner,
        key: CallKey,
        now: Duration,
        telling: &Telling,
        source: Source,
    ) {
        let Inner { calls, settings, .. } = inner;
        let Some(entry) = calls.get_mut(&key) else { return };
        match telling {
            Telling::Consent(say) => entry.consent.machine.input(now, Input::Told { say: *say, source }),
            Telling::Analysis(on) => entry.consent.machine.input(now, Input::Analysis { on: *on, source }),
            // The carrier's side may restrict, as with consent.
            Telling::Customer(false) => entry.consent.tell(settings, now, telling),
            // Only the PBX knows who sits where; the carrier's word on it is not asked for.
            _ if source == Source::TrunkHeader => return,
            Telling::Agent(agent) => entry.consent.agent = Some(agent.clone()),
            Telling::Party(party) => entry.consent.party = Some(*party),
            Telling::Queue(_)
            | Telling::CallType(_)
            | Telling::Tier(_)
            | Telling::Language(_)
            | Telling::Customer(true) => {
                entry.consent.tell(settings, now, telling);
            }
        }
        self.drive(inner, key, now);
    }

    /// The customer has pressed a key.
    pub(crate) fn key_pressed(&self, inner: &mut Inner, key: CallKey, digit: char, medium: Medium) {
        self.consent(inner, key, self.now(), Input::Digit { digit, medium });
    }

    /// Lets time pass for those whose consent waits for something.
    pub fn consent_timeouts(&self, now: Duration) {
        let mut guard = self.lock();
        let due: Vec<CallKey> = guard
            .calls
            .values()
            .filter(|entry| entry.consent.machine.next_timeout().is_some_and(|at| at <= now))
            .map(Entry::key)
            .collect();
        for key in due {
            if let Some(entry) = guard.calls.get_mut(&key) {
                entry.consent.machine.timeout(now);
            }
            self.drive(&mut guard, key, now);
        }
    }

    /// Files the receipts of calls whose last word nobody waits for any more.
    pub fn file_all(&self) {
        let mut guard = self.lock();
        let over: Vec<CallKey> =
            guard.calls.values().filter(|entry| entry.is_over()).map(Entry::key).collect();
        over.into_iter().for_each(|key| self.file(&mut guard, key));
    }

    /// Files the receipt of a call that is over.
    pub(crate) fn file(&self, inner: &mut Inner, key: CallKey) {
        let Inner { calls, counters, .. } = inner;
        let (Some(entry), Some(receipts)) = (calls.get_mut(&key), self.receipts.get()) else { return };
        if std::mem::replace(&mut entry.consent.filed, true) {
            return;
        }
        let ended = entry.ended_at().unwrap_or_else(|| self.now());
        let ended = Moment::from_unix_millis(self.epoch_wall.after(ended).unix_millis());
        let receipt = entry.consent.receipt(entry, ended, receipts.model.clone());
        if !receipts.file(receipt) {
            counters.receipts_lost += 1;
            tracing::error!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, "a consent receipt could not be filed: too many wait for the disk");
        }
    }
}

/// Whether a recording in one language is what was asked for: in it, or in it without its region.
fn is_in(language: &str, asked: &str) -> bool {
    language == asked || asked.split('-').next() == Some(language)
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}
