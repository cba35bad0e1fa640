use std::sync::Mutex;

use serde_json::json;
use sidetone_call::Cause;
use sidetone_consent::{Say, Source};
use sidetone_events::{
    Bus, CallEnded, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Secret, Timestamp,
};

use super::*;
use crate::{CallIdentity, Told};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// A board, and a call for it.
struct Desk {
    board: Board,
    told: Arc<Mutex<Vec<Told>>>,
    tally: Arc<Tally>,
    alive: Arc<Mutex<HashMap<CallId, CallIdentity>>>,
    bus: Bus,
    heard: sidetone_events::Subscription,
    now: Duration,
}

struct Spoken(Narrator);

impl Spoken {
    fn id(&self) -> CallId {
        self.0.call().id
    }
}

impl Desk {
    fn new(kind: LinkKind) -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let alive: Arc<Mutex<HashMap<CallId, CallIdentity>>> = Arc::default();
        let tally = Arc::new(Tally::default());
        let raw: Raw = Arc::new({
            let alive = Arc::clone(&alive);
            move |id| alive.lock().unwrap().get(id).cloned()
        });
        let hear: Hear = Arc::new({
            let told = Arc::clone(&told);
            move |it| told.lock().unwrap().push(it)
        });
        let events = vec![Kind::AffectAlert, Kind::CueShown, Kind::ConsentChanged, Kind::CallEnded];
        let purpose = Purpose { pbx: "office".to_owned(), kind, events, variables: true, messages: None };
        let board = Board::new(purpose, raw, hear, Arc::clone(&tally));
        let bus = Bus::new();
        let heard = bus.subscribe("board", 4_096, &[]);
        Self { board, told, tally, alive, bus, heard, now: S }
    }

    fn call(&mut self, number: u32, pbx: &str) -> Spoken {
        self.call_as(number, &format!("call-{number}@carrier"), pbx)
    }

    fn call_as(&mut self, number: u32, sip: &str, pbx: &str) -> Spoken {
        let id = CallId::new(Timestamp::from_unix_millis(1_772_357_400_125), u128::from(number));
        let hasher = NumberHasher::salted(&Secret::new("a salt for nothing but tests")).unwrap();
        let parties = Parties { caller: "+15550100", callee: "+15550123" };
        let call = CallRef::new(&hasher, id, sip, "carrier", Direction::Inbound, parties);
        self.alive
            .lock()
            .unwrap()
            .insert(id, CallIdentity { sip_call_id: sip.to_owned(), pbx: pbx.to_owned() });
        let mut spoken = Spoken(Narrator::new(call, Timestamp::from_unix_millis(1_772_357_400_125)));
        self.happens(&mut spoken, CallStarted { analysed: true, signalling: None }.into());
        spoken
    }

    fn happens(&mut self, call: &mut Spoken, happening: Happening) {
        self.bus.publish(call.0.tell(self.now, happening));
        while let Some(event) = self.heard.try_recv() {
            self.board.take(self.now, &event);
        }
    }

    fn ends(&mut self, call: &mut Spoken) {
        self.alive.lock().unwrap().remove(&call.id());
        let ended =
            CallEnded { cause: Cause::Hangup, by: None, sip_status: None, summary: None, media: None };
        self.happens(call, ended.into());
    }

    /// All waiting jobs, as text; each ends with `outcome`.
    fn jobs(&mut self, mut outcome: impl FnMut(&Job) -> Outcome) -> Vec<String> {
        let mut jobs = Vec::new();
        while let Some((id, job)) = self.board.next_job(self.now) {
            jobs.push(words(&job));
            let outcome = outcome(&job);
            self.board.done(self.now, id, outcome);
        }
        jobs
    }

    fn up(&mut self) {
        self.board.came_up(self.now);
        assert_eq!(self.jobs(|_| Outcome::Done), ["list"]);
    }

    fn seen(&mut self, id: &str, sip: Option<&str>) {
        self.board.channel_seen(self.now, id, &format!("PJSIP/{id}"), Some("conversation"), sip);
    }

    fn count(&self, counter: fn(&Tally) -> &std::sync::atomic::AtomicU64) -> u64 {
        counter(&self.tally).load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn words(job: &Job) -> String {
    match job {
        Job::List => "list".to_owned(),
        Job::Find { id, .. } => format!("find {id}"),
        Job::Set { id, changes } => {
            let changes: Vec<_> =
                changes.iter().map(|(at, value)| format!("{}={value}", at.name())).collect();
            format!("set {id} {}", changes.join(" "))
        }
        Job::Say { to, text } => format!("say {to}: {text}"),
        Job::Tell(tell) => {
            let channel = tell.channel.as_ref().map_or("nowhere", |(id, _)| id);
            format!("tell {} {channel}", tell.event.event.kind())
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // reads better
fn happening(kind: &str, data: serde_json::Value) -> Happening {
    serde_json::from_value(json!({ "kind": kind, "data": data })).unwrap()
}

fn alert(phase: &str) -> Happening {
    happening(
        "affect.alert",
        json!({
            "leg": "customer", "alert": "frustration", "phase": phase, "score": 0.9, "valence": -0.6, "arousal": 0.7,
            "confidence": 0.9, "lasted_ms": null
        }),
    )
}

fn cue() -> Happening {
    happening(
        "cue.shown",
        json!({
            "cue": "acknowledge-first", "number": 1, "line": "Acknowledge first.", "reason": null, "language": "en",
            "others": {}, "priority": 950, "expires_ms": 25_000, "because": []
        }),
    )
}

fn consent(state: &str, erased: bool) -> Happening {
    happening(
        "consent.changed",
        json!({ "state": state, "policy": "notice", "by": "policy", "erased": erased }),
    )
}

#[test]
fn a_channel_is_found_by_its_call_id_and_set() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    let mut call = desk.call(1, "office");
    desk.seen("a", None);
    desk.seen("b", None);
    let found = |job: &Job| match job {
        Job::Find { id, .. } if &**id == "a" => Outcome::Found(Some("call-1@carrier".to_owned())),
        Job::Find { .. } => Outcome::Found(Some("another".to_owned())),
        _ => Outcome::Done,
    };
    assert_eq!(
        desk.jobs(found),
        ["find a", "find b", "set a SIDETONE_STATE=unknown", "set a SIDETONE_ALERT=none"]
    );
    desk.happens(&mut call, alert("rising"));
    assert_eq!(
        desk.jobs(|_| Outcome::Done),
        [
            "set a SIDETONE_VALENCE=-0.60",
            "set a SIDETONE_AROUSAL=0.70",
            "set a SIDETONE_STATE=frustrated",
            "set a SIDETONE_ALERT=frustration",
            "tell affect.alert a"
        ],
        "who acts on the event finds the variables set"
    );
    assert_eq!(desk.count(|it| &it.sent), 7);
}

#[test]
fn event_socket_sets_all_at_once() {
    let mut desk = Desk::new(LinkKind::Esl);
    desk.up();
    let mut call = desk.call(1, "office");
    desk.seen("a", Some("call-1@carrier"));
    desk.happens(&mut call, consent("given", false));
    assert_eq!(
        desk.jobs(|_| Outcome::Done),
        ["set a SIDETONE_STATE=unknown SIDETONE_ALERT=none SIDETONE_CONSENT=given", "tell consent.changed a"]
    );
}

#[test]
fn calls_of_another_pbx_are_none_of_its_business() {
    let mut desk = Desk::new(LinkKind::Esl);
    desk.up();
    let mut call = desk.call(1, "warehouse");
    desk.seen("a", Some("call-1@carrier"));
    desk.happens(&mut call, alert("rising"));
    desk.ends(&mut call);
    assert_eq!(desk.jobs(|_| Outcome::Done), [""; 0]);
    assert_eq!(desk.count(|it| &it.calls_not_found), 0);
}

#[test]
fn while_the_pbx_is_slow_only_the_newest_value_waits() {
    let mut desk = Desk::new(LinkKind::Esl);
    desk.up();
    let mut call = desk.call(1, "office");
    desk.seen("a", Some("call-1@carrier"));
    let (slow, job) = desk.board.next_job(desk.now).unwrap();
    assert_eq!(words(&job), "set a SIDETONE_STATE=unknown SIDETONE_ALERT=none");
    for _ in 0..100 {
        for state in ["pending", "announcing", "asked", "given"] {
            desk.happens(&mut call, consent(state, false));
        }
    }
    desk.board.events.clear();
    let mut later = Vec::new();
    while let Some((id, job)) = desk.board.next_job(desk.now) {
        later.push(words(&job));
        desk.board.done(desk.now, id, Outcome::Done);
    }
    assert_eq!(later, ["set a SIDETONE_CONSENT=given"], "and what is being set is not set beside it");
    desk.board.done(desk.now, slow, Outcome::Done);
    assert_eq!(desk.jobs(|_| Outcome::Done), [""; 0]);
}

#[test]
fn a_channel_that_has_no_call_id_yet_is_asked_again() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    let _call = desk.call(1, "office");
    desk.seen("a", None);
    let mut asked = 0;
    for _ in 0..40_000 {
        asked += desk.jobs(|_| Outcome::Found(None)).len();
        desk.now += MS;
        desk.board.tick(desk.now).unwrap();
    }
    // Once at once, five times more, and one list of all channels every ten seconds since the call's channel has not
    // been found.
    assert_eq!(asked, 6 + 3, "and not for ever");
    desk.board.channel_renamed(desk.now, "a", "PJSIP/c");
    let found = desk.jobs(|_| Outcome::Found(Some("call-1@carrier".to_owned())));
    assert!(found.contains(&"find a".to_owned()), "a new name, a new chance");
    assert!(found.contains(&"set a SIDETONE_STATE=unknown".to_owned()));
}

#[test]
fn after_a_reconnect_the_state_of_every_live_call_is_said_again() {
    let mut desk = Desk::new(LinkKind::Esl);
    desk.up();
    let (mut one, mut two) = (desk.call(1, "office"), desk.call(2, "office"));
    desk.seen("a", Some("call-1@carrier"));
    desk.jobs(|_| Outcome::Done);
    desk.happens(&mut one, alert("rising"));
    let (_, lost) = desk.board.next_job(desk.now).unwrap();
    assert!(words(&lost).starts_with("set a SIDETONE_VALENCE"));
    let (_, lost) = desk.board.next_job(desk.now).unwrap();
    assert_eq!(words(&lost), "tell affect.alert a");
    desk.board.went_down();
    assert!(desk.board.next_job(desk.now).is_none());
    desk.ends(&mut two);
    desk.happens(&mut one, consent("given", false));
    desk.up_again();
    desk.seen("x", Some("call-1@carrier"));
    desk.seen("y", Some("call-2@carrier"));
    assert_eq!(
        desk.jobs(|_| Outcome::Done),
        [
            "set x SIDETONE_VALENCE=-0.60 SIDETONE_AROUSAL=0.70 SIDETONE_STATE=frustrated SIDETONE_ALERT=frustration \
             SIDETONE_CONSENT=given",
            "tell affect.alert x",
            "tell call.ended y",
            "tell consent.changed x",
        ]
    );
}

impl Desk {
    /// As `up`, but leaving the waiting events in place.
    fn up_again(&mut self) {
        self.board.came_up(self.now);
        let (id, job) = self.board.next_job(self.now).unwrap();
        assert_eq!(words(&job), "list");
        self.board.done(self.now, id, Outcome::Done);
    }
}

#[test]
fn events_are_bounded_in_number_and_in_age() {
    let mut desk = Desk::new(LinkKind::Ami);
    let mut call = desk.call(1, "office");
    for _ in 0..EVENTS + 10 {
        desk.happens(&mut call, alert("rising"));
    }
    assert_eq!((desk.board.events.len(), desk.count(|it| &it.dropped)), (EVENTS, 10));
    desk.now += STALE + S;
    desk.happens(&mut call, alert("calmed"));
    desk.up_again();
    assert_eq!(
        desk.jobs(|_| Outcome::Done),
        ["tell affect.alert nowhere"],
        "nobody acts on an anger long gone"
    );
    assert_eq!(desk.count(|it| &it.dropped), 10 + EVENTS as u64);
}

#[test]
fn what_was_inferred_is_not_told_after_it_has_been_erased() {
    let mut desk = Desk::new(LinkKind::Esl);
    let mut call = desk.call(1, "office");
    desk.happens(&mut call, alert("rising"));
    desk.happens(&mut call, cue());
    desk.happens(&mut call, consent("opted-out", true));
    desk.up_again();
    desk.seen("a", Some("call-1@carrier"));
    assert_eq!(
        desk.jobs(|_| Outcome::Done),
        [
            "set a SIDETONE_VALENCE= SIDETONE_AROUSAL= SIDETONE_STATE= SIDETONE_ALERT= SIDETONE_CONSENT=opted-out SIDETONE_INTENT= SIDETONE_URGENCY=",
            "tell consent.changed a"
        ]
    );
}

#[test]
fn calls_whose_channel_is_never_found_are_counted() {
    let mut desk = Desk::new(LinkKind::Esl);
    let mut before = desk.call(1, "office");
    desk.ends(&mut before);
    assert_eq!(desk.count(|it| &it.calls_not_found), 0, "not the link's fault: it was down");
    desk.up_again();
    let mut call = desk.call(2, "office");
    desk.ends(&mut call);
    assert_eq!(desk.count(|it| &it.calls_not_found), 1);
}

#[test]
fn a_pbx_that_does_not_answer_is_given_up() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.board.came_up(desk.now);
    assert!(desk.board.next_job(desk.now).is_some());
    assert!(desk.board.tick(desk.now + PATIENCE - MS).is_ok());
    assert!(matches!(desk.board.tick(desk.now + PATIENCE), Err(Fault::Silent)));
}

#[test]
fn no_more_than_a_window_of_jobs_is_under_way() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    for id in 0..2 * WINDOW {
        desk.seen(&format!("c{id}"), None);
    }
    let jobs = std::iter::from_fn(|| desk.board.next_job(desk.now)).count();
    assert_eq!(jobs, WINDOW);
}

#[test]
fn a_call_that_vanished_without_a_word_is_forgotten() {
    let mut desk = Desk::new(LinkKind::Ami);
    let call = desk.call(1, "office");
    desk.alive.lock().unwrap().remove(&call.id());
    desk.board.tick(desk.now + SWEEP_EVERY + S).unwrap();
    assert!(desk.board.calls.is_empty() && desk.board.by_sip.is_empty());
}

#[test]
fn what_a_channel_tells_is_of_its_call() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    let _call = desk.call(1, "office");
    desk.seen("a", Some("call-1@carrier"));
    desk.seen("agent", Some("another"));
    desk.board.heard(desk.now, "a", None, "CONSENT", "granted");
    desk.board.heard(desk.now, "agent", None, "agent", "Ada");
    desk.board.heard(desk.now, "local", Some("conversation"), "queue", "billing");
    desk.board.heard(desk.now, "stranger", Some("elsewhere"), "queue", "billing");
    desk.board.heard(desk.now, "a", None, "consent", "perhaps");
    desk.board.heard(desk.now, "a", None, "mood", "grand");
    desk.board.heard_of_call("call-9", "tier", "health");
    let told: Vec<_> = std::mem::take(&mut *desk.told.lock().unwrap());
    let sip = |at: usize| told[at].sip_call_id.as_str();
    assert_eq!(told.len(), 4);
    assert_eq!((sip(0), &told[0].telling), ("call-1@carrier", &Telling::Consent(Say::Granted)));
    assert_eq!((sip(1), &told[1].telling), ("call-1@carrier", &Telling::Agent("Ada".to_owned())));
    assert_eq!((sip(2), &told[2].telling), ("call-1@carrier", &Telling::Queue("billing".to_owned())));
    assert_eq!((sip(3), &told[3].telling), ("call-9", &Telling::Tier("health".to_owned())));
    assert!(told.iter().all(|it| it.source == Source::Ami && it.pbx == "office"));
    assert_eq!((desk.count(|it| &it.told), desk.count(|it| &it.told_in_vain)), (4, 3));
}

#[test]
fn what_is_told_before_the_channel_is_known_waits_for_it() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    let _call = desk.call(1, "office");
    desk.seen("a", None);
    desk.seen("b", None);
    desk.board.heard(desk.now, "a", None, "consent", "granted");
    desk.board.heard(desk.now, "b", None, "queue", "billing");
    assert!(desk.told.lock().unwrap().is_empty());
    desk.jobs(|job| match job {
        Job::Find { id, .. } if &**id == "a" => Outcome::Found(Some("call-1@carrier".to_owned())),
        Job::Find { .. } => Outcome::Gone,
        _ => Outcome::Done,
    });
    assert_eq!(desk.told.lock().unwrap().len(), 1);
    assert_eq!((desk.count(|it| &it.told), desk.count(|it| &it.told_in_vain)), (1, 1));
}

#[test]
fn two_calls_in_one_conversation_are_not_mixed_up() {
    let mut desk = Desk::new(LinkKind::Ami);
    desk.up();
    let (_one, _two) = (desk.call(1, "office"), desk.call(2, "office"));
    desk.seen("a", Some("call-1@carrier"));
    desk.seen("b", Some("call-2@carrier"));
    desk.board.heard(desk.now, "local", Some("conversation"), "consent", "granted");
    assert!(desk.told.lock().unwrap().is_empty(), "whose consent that is can't be known");
}

#[test]
fn of_two_calls_with_one_call_id_neither_is_shown_the_others_values() {
    let mut desk = Desk::new(LinkKind::Esl);
    desk.up();
    let _one = desk.call(1, "office");
    let mut two = desk.call_as(2, "call-1@carrier", "office");
    desk.seen("a", Some("call-1@carrier"));
    let jobs = desk.jobs(|_| Outcome::Done);
    assert!(jobs.is_empty(), "{jobs:?}");
    // When one call is gone the channel can only be the other's.
    desk.ends(&mut two);
    let jobs = desk.jobs(|_| Outcome::Done);
    assert!(jobs.iter().any(|job| job.starts_with("set a ")), "{jobs:?}");
}
