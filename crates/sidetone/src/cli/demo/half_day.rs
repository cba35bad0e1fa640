//! Calls before the demo's own, so that the pages have something to show: half of a day five weeks ago, which the
//! figures are compared with, half of yesterday, whose sums are told, and the last hours.
//!
//! Their sound is the demo's own speech, cut at several places, with silence put in at some, and it passes through the
//! very pipeline of a live call. Who called when, in which queue, and what became of it is made up.

use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{Cause, Label, Labels, Leg};
use sidetone_consent::{Medium, Policy, Source, State};
use sidetone_events::{
    CallAnswered, CallEnded, CallHeld, CallId, CallRef, CallResumed, CallStarted, ConsentChanged, Direction,
    Event, Narrator, NumberHasher, Parties, Timestamp,
};
use sidetone_hear::Language;
use sidetone_insight::cues::CueSet;
use sidetone_spool::Spool;
use sidetone_store::{CallOutcome, NewNote, NoteKind, Store, StoreConfig, Survey, Token};

use crate::cli::analyze;
use crate::rehearsal::{Heard, LOOKED_UP, Rehearsal, SILENT_AGAIN, Stretch};

/// How many calls there are: of yesterday, of the last hours, and of the day before the usual four weeks.
pub(super) const CALLS: u64 = YESTERDAY + LATELY + EARLIER;
const YESTERDAY: u64 = 240;
const LATELY: u64 = 60;
const EARLIER: u64 = 120;
/// Numbers that call.
const CALLERS: u64 = 90;
pub(super) const NUMBERS: &str = "+49 30 0000000 to +49 30 0000089";
const HALF_A_DAY_MS: u64 = 12 * 3_600_000;
const LAST_HOURS_MS: u64 = 4 * 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// Between the usual four weeks and the same before them, by whole weeks.
const EARLIER_DAYS: u64 = 35;
/// How long the store may take to have the calls.
const PATIENCE: Duration = Duration::from_secs(60);
/// One caller in so many hangs up before the answer,
const ANSWERED_OF: u64 = 16;
/// after so long.
const GAVE_UP: Duration = Duration::from_secs(35);
/// Ringing.
const WAITED: Duration = Duration::from_secs(4);

/// The stretches of the demo's speech that are calls of their own, and how often they come: the caller is upset from
/// the half minute on, and most callers of a day are not. Silence and holds are what cues on the agent's own talk are
/// about.
const STRETCHES: [(Stretch, usize); 13] = [
    (Stretch::new(0, 120), 2),
    (Stretch::new(0, 22), 6),
    (Stretch::new(0, 18), 6),
    (Stretch::new(2, 20), 5),
    (Stretch::new(0, 45).then_held(), 1),
    (Stretch::new(24, 46), 1),
    (Stretch::new(24, 120), 2),
    (Stretch::new(34, 120), 1),
    (Stretch::new(8, 30).then_held(), 1),
    (Stretch::new(12, 120), 2),
    (Stretch::new(0, 22).with_pauses(LOOKED_UP), 3),
    (Stretch::new(0, 120).with_pauses(LOOKED_UP), 2),
    (Stretch::new(0, 45).with_pauses(SILENT_AGAIN), 2),
];
const QUEUES: [&str; 3] = ["billing", "orders", "service"];
const TEAMS: [(&str, [&str; 4]); 2] =
    [("north", ["2001", "2002", "2003", "2004"]), ("south", ["2101", "2102", "2103", "2104"])];

/// Numbers that look random and are the same each time (Knuth's MMIX generator).
struct Lot(u64);

impl Lot {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(usize::try_from(self.draw(all.len() as u64)).unwrap_or(0))
    }
}

/// Makes the calls and puts their events into the spool, from where the store has them.
pub(super) fn play(
    spool: &Spool,
    now: Timestamp,
    hasher: &NumberHasher,
    language: &Language,
) -> anyhow::Result<()> {
    let heard = hear(language)?;
    let mut lot = Lot(7);
    for number in 0..CALLS {
        let Some(mut call) = lot.of(&heard) else { continue };
        // It was a worse day: of two calls that might have come, the one with more alerts did.
        if number >= YESTERDAY + LATELY
            && let Some(other) = lot.of(&heard)
        {
            call = std::cmp::max_by_key(call, other, |heard| heard.summary.alerts.spans.len());
        }
        let began = began(number, now.unix_millis(), &mut lot);
        for event in events(call, hasher, began, number, &mut lot)? {
            spool.append(event);
        }
    }
    Ok(())
}

/// When a call began: evenly over yesterday or the earlier day from eight to eight (UTC), or over the last hours, the
/// last one some minutes ago.
fn began(number: u64, now: u64, lot: &mut Lot) -> Timestamp {
    let mut of_day = |ago: u64, number: u64, calls: u64| {
        let midnight = (now / DAY_MS * DAY_MS).saturating_sub(ago * DAY_MS);
        midnight + 8 * 3_600_000 + HALF_A_DAY_MS * number / calls + lot.draw(240_000)
    };
    let millis = match number.checked_sub(YESTERDAY) {
        None => of_day(1, number, YESTERDAY),
        Some(number) if number >= LATELY => of_day(EARLIER_DAYS, number - LATELY, EARLIER),
        Some(number) => {
            let ago = LAST_HOURS_MS * (LATELY - number) / LATELY;
            now.saturating_sub(ago.saturating_sub(lot.draw(240_000)).max(300_000))
        }
    };
    Timestamp::from_unix_millis(millis)
}

/// Hears each stretch once; its words too, where they are recognised. Each stands there as often as it comes.
fn hear(language: &Language) -> anyhow::Result<Vec<Arc<Heard>>> {
    let scribe =
        if language.enabled { Some(analyze::scribe(&language.model, &language.language)?) } else { None };
    let rehearsal = Rehearsal::new(scribe)?;
    let cues = Arc::new(CueSet::shipped()?);
    let heard = STRETCHES
        .into_iter()
        .flat_map(|(stretch, times)| std::iter::repeat_n(Arc::new(rehearsal.hear(&stretch, &cues)), times));
    Ok(heard.collect())
}

/// The events of one call.
fn events(
    heard: &Heard,
    hasher: &NumberHasher,
    began: Timestamp,
    number: u64,
    lot: &mut Lot,
) -> anyhow::Result<Vec<Event>> {
    let trunk = lot.of(&["carrier-a", "carrier-b"]).copied().unwrap_or("carrier-a");
    // Some call twice.
    let caller = format!("+4930{:07}", lot.draw(CALLERS));
    let parties = Parties { caller: &caller, callee: "+49800555000" };
    let id = CallId::new(began, (u128::from(number) << 64) | u128::from(lot.draw(u64::MAX)));
    let sip_call_id = format!("demo-{number}@example.invalid");
    let call = CallRef::new(hasher, id, &sip_call_id, trunk, Direction::Inbound, parties);
    let mut narrator = Narrator::new(call, began);
    let mut told = vec![narrator.tell(Duration::ZERO, CallStarted { analysed: false, signalling: None })];
    let (team, agents) = lot.of(&TEAMS).copied().unwrap_or(("north", ["2001"; 4]));
    let label = |text: &str| -> anyhow::Result<Option<Label>> { Ok(Some(text.parse()?)) };
    let labels = Labels {
        queue: label(lot.of(&QUEUES).copied().unwrap_or("service"))?,
        agent: label(lot.of(&agents).copied().unwrap_or("2001"))?,
        team: label(team)?,
        tier: label(if lot.draw(5) == 0 { "gold" } else { "standard" })?,
        call_type: None,
        language: label("en")?,
    };
    if lot.draw(ANSWERED_OF) == 0 {
        // Nobody was free.
        told.push(narrator.tell(Duration::from_secs(1), Labels { agent: None, team: None, ..labels }));
        let (cause, by) = (Cause::Cancelled, Some(Leg::Customer));
        let ended = CallEnded { cause, by, sip_status: None, summary: None, media: None };
        told.push(narrator.tell(GAVE_UP, ended));
        return Ok(told);
    }
    told.push(narrator.tell(Duration::from_secs(1), labels));
    told.push(narrator.tell(WAITED, CallAnswered { waited: WAITED, signalling: None }));
    // One in twelve objects, and one is never told of anything.
    let state = match lot.draw(12) {
        0 => State::OptedOut,
        1 => State::Declined,
        _ => State::Given,
    };
    let by = if state == State::Given { Source::Policy } else { Source::Digit(Medium::TelephoneEvent) };
    let consent = ConsentChanged { state, policy: Policy::Notice, by, erased: state == State::OptedOut };
    told.push(narrator.tell(WAITED, consent));
    if state == State::Given {
        let mut held = heard.held;
        for (at, insight) in &heard.insights {
            if let Some((since, until)) = held.take_if(|(since, _)| *since <= *at) {
                told.push(narrator.tell(WAITED + since, CallHeld { by: Leg::Agent }));
                let held = until.saturating_sub(since);
                // In order of time: the hold is over before what is told after it.
                let after: Vec<_> = heard.insights.iter().filter(|(at, _)| *at >= since).cloned().collect();
                let (during, after): (Vec<_>, Vec<_>) = after.into_iter().partition(|(at, _)| *at < until);
                told.extend(during.into_iter().map(|(at, insight)| narrator.tell(WAITED + at, insight)));
                told.push(narrator.tell(WAITED + until, CallResumed { by: Leg::Agent, held }));
                told.extend(after.into_iter().map(|(at, insight)| narrator.tell(WAITED + at, insight)));
                break;
            }
            told.push(narrator.tell(WAITED + *at, insight.clone()));
        }
    }
    let summary = (state == State::Given).then(|| heard.summary.clone());
    let by = Some(if lot.draw(3) == 0 { Leg::Agent } else { Leg::Customer });
    let ended = CallEnded { cause: Cause::Hangup, by, sip_status: None, summary, media: None };
    told.push(narrator.tell(WAITED + heard.length, ended));
    Ok(told)
}

/// What a supervisor has noted on some of the upset calls, half a minute into them.
const NOTES: [(NoteKind, &str); 2] = [
    (NoteKind::Empathy, "You said what you would do, and when. That calmed them."),
    (
        NoteKind::Coaching,
        "They had said twice that they had called before. Naming that first might have helped.",
    ),
];

/// Waits until the store has the calls, and adds what a CRM, callers and a supervisor would have told of them.
pub(super) fn add_outcomes(config: &StoreConfig, token: &Token, supervisor: &Token) -> anyhow::Result<()> {
    let mut store = Store::open(config)?;
    let began = std::time::Instant::now();
    let filter = sidetone_store::CallFilter::default();
    let calls = loop {
        let calls = store.calls(&filter, usize::try_from(CALLS).unwrap_or(usize::MAX))?;
        if calls.len() as u64 >= CALLS && calls.iter().all(|call| call.ended.is_some()) {
            break calls;
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "the store does not have the half day of calls");
        std::thread::sleep(Duration::from_millis(200));
    };
    let mut lot = Lot(11);
    let now = Timestamp::now();
    for call in calls.into_iter().filter(|call| call.answered.is_some()) {
        let upset = call.alerts > call.calmed;
        if lot.draw(3) > 0 {
            let resolved = Some(lot.draw(10) >= if upset { 5 } else { 2 });
            let escalated = Some(lot.draw(10) < if upset { 4 } else { 1 });
            let outcome = CallOutcome { resolved, escalated, reason: None };
            store.seen_by(token).add_outcome(&call.id, &outcome, now)?;
        }
        let is_long = call.ended.is_some_and(|ended| ended.saturating_sub(call.started) > 40_000);
        if call.alerts > 0
            && is_long
            && lot.draw(3) == 0
            && let Some((kind, text)) = lot.of(&NOTES).copied()
        {
            let note = NewNote { kind, at_ms: Some(30_000), text: text.to_owned() };
            store.seen_by(supervisor).add_note(&call.id, &note, now)?;
        }
        if lot.draw(4) == 0 {
            let empathy = u8::try_from(3 + lot.draw(3)).ok();
            let survey = Survey { empathy, resolved: None, comment: None };
            store.seen_by(token).add_survey(&call.id, &survey, now)?;
        }
    }
    Ok(())
}
