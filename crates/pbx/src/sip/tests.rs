use std::sync::Mutex;

use serde_json::{Value, json};
use sidetone_call::Cause;
use sidetone_events::{
    Bus, CallEnded, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Secret, Timestamp,
};

use super::*;
use crate::CallIdentity;

/// Records the notifications.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl InDialog for Notes {
    fn tell(&self, aside: Aside) {
        let body: Value = serde_json::from_slice(&aside.body).unwrap_or_else(|_| json!({ "kind": "xml" }));
        let last = if aside.last { " last" } else { "" };
        let ways = format!("{}{}", if aside.notify { "n" } else { "" }, if aside.info { "i" } else { "" });
        let kind = body["kind"].as_str().unwrap();
        self.write(format!("{ways} {} {kind} {:?}{last}", aside.sip_call_id, aside.nature));
    }
    fn withdraw(&self, _: &Arc<str>, sip_call_id: &str) {
        self.write(format!("withdraw {sip_call_id}"));
    }
    fn end(&self, _: &Arc<str>, sip_call_id: &str) {
        self.write(format!("end {sip_call_id}"));
    }
    fn close(&self, pbx: &Arc<str>) {
        self.write(format!("close {pbx}"));
    }
    fn is_idle(&self) -> bool {
        true
    }
    fn counts(&self, _: &str) -> InDialogCounts {
        InDialogCounts::default()
    }
}

impl Notes {
    fn write(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

type Alive = Arc<Mutex<HashMap<CallId, CallIdentity>>>;

struct Desk {
    clerk: Clerk,
    notes: Arc<Notes>,
    alive: Alive,
    bus: Bus,
    heard: Subscription,
}

impl Desk {
    fn new(toml: &str) -> Self {
        let (notes, alive): (Arc<Notes>, Alive) = (Arc::default(), Arc::default());
        let raw: Raw = Arc::new({
            let alive = Arc::clone(&alive);
            move |id| alive.lock().unwrap().get(id).cloned()
        });
        let sip: Sip = toml::from_str(toml).unwrap();
        let clerk = Clerk::new("office", &sip, raw, Arc::clone(&notes) as Arc<dyn InDialog>);
        let bus = Bus::new();
        let heard = bus.subscribe("clerk", 64, &[]);
        Self { clerk, notes, alive, bus, heard }
    }

    fn call(&self, number: u32, pbx: &str) -> Narrator {
        let id = CallId::new(Timestamp::from_unix_millis(1_772_357_400_125), u128::from(number));
        let hasher = NumberHasher::salted(&Secret::new("a salt for nothing but tests")).unwrap();
        let sip = format!("call-{number}");
        let parties = Parties { caller: "+15550100", callee: "+15550123" };
        let call = CallRef::new(&hasher, id, &sip, "carrier", Direction::Inbound, parties);
        self.alive.lock().unwrap().insert(id, CallIdentity { sip_call_id: sip, pbx: pbx.to_owned() });
        Narrator::new(call, Timestamp::from_unix_millis(1_772_357_400_125))
    }

    fn happens(&mut self, call: &mut Narrator, happening: impl Into<Happening>) -> Vec<String> {
        self.bus.publish(call.tell(Duration::ZERO, happening));
        while let Some(event) = self.heard.try_recv() {
            self.clerk.take_from(&self.heard, &event);
        }
        self.notes.taken()
    }
}

fn happening(kind: &str, data: &Value) -> Happening {
    serde_json::from_value(json!({ "kind": kind, "data": data })).unwrap()
}

fn alert() -> Happening {
    happening(
        "affect.alert",
        &json!({
            "leg": "customer", "alert": "frustration", "phase": "rising", "score": 0.9, "valence": -0.6,
            "arousal": 0.7, "confidence": 0.9, "lasted_ms": null
        }),
    )
}

fn consent(state: &str, erased: bool) -> Happening {
    let data = json!({ "state": state, "policy": "notice", "by": "policy", "erased": erased });
    happening("consent.changed", &data)
}

fn ended() -> CallEnded {
    CallEnded { cause: Cause::Hangup, by: None, sip_status: None, summary: None, media: None }
}

#[test]
fn what_is_selected_is_told_and_the_last_word_said_to_be_the_last() {
    let mut desk = Desk::new("info = true");
    let mut call = desk.call(1, "office");
    assert!(desk.happens(&mut call, CallStarted { analysed: true, signalling: None }).is_empty());
    assert_eq!(desk.happens(&mut call, alert()), ["ni call-1 affect.alert Affect"]);
    // The call book has forgotten the call by the time its end is sent.
    desk.alive.lock().unwrap().clear();
    assert_eq!(desk.happens(&mut call, ended()), ["ni call-1 call.ended Plain last", "end call-1"]);
    assert!(desk.happens(&mut call, alert()).is_empty());
}

#[test]
fn calls_of_other_pbxs_are_none_of_its_business() {
    let mut desk = Desk::new("");
    let mut call = desk.call(1, "elsewhere");
    assert!(desk.happens(&mut call, alert()).is_empty());
    // The first choice was tried, but another PBX has answered.
    let mut call = desk.call(2, "office");
    assert_eq!(desk.happens(&mut call, alert()), ["n call-2 affect.alert Affect"]);
    desk.call(2, "elsewhere");
    let answered = happening("call.answered", &json!({ "waited_ms": 1 }));
    assert_eq!(desk.happens(&mut call, answered), ["end call-2"]);
    assert!(desk.happens(&mut call, alert()).is_empty());
}

#[test]
fn an_objection_is_passed_on_before_it_is_told() {
    let mut desk = Desk::new("");
    let mut call = desk.call(1, "office");
    desk.happens(&mut call, CallStarted { analysed: true, signalling: None });
    let told = desk.happens(&mut call, consent("opted-out", true));
    assert_eq!(told, ["withdraw call-1", "n call-1 consent.changed Plain"]);
    assert_eq!(desk.happens(&mut call, consent("given", false)), ["n call-1 consent.changed Plain"]);
}

#[test]
fn an_objection_may_be_among_what_was_lost() {
    let mut desk = Desk::new("");
    let (mut call, mut other) = (desk.call(1, "office"), desk.call(2, "office"));
    assert_eq!(desk.happens(&mut call, alert()), ["n call-1 affect.alert Affect"]);
    // The queue holds 64.
    desk.bus.publish(call.tell(Duration::ZERO, consent("opted-out", true)));
    for _ in 0..63 {
        desk.bus.publish(other.tell(Duration::ZERO, CallStarted { analysed: true, signalling: None }));
    }
    let mut told = desk.happens(&mut other, alert());
    assert_eq!(told.pop().unwrap(), "n call-2 affect.alert Affect");
    told.sort();
    assert_eq!(told, ["withdraw call-1", "withdraw call-2"]);
    assert_eq!(desk.happens(&mut other, alert()), ["n call-2 affect.alert Affect"], "once");
}

#[test]
fn emotionml_has_words_for_feelings_only() {
    let mut desk = Desk::new("format = \"emotionml\"");
    let mut call = desk.call(1, "office");
    assert_eq!(desk.happens(&mut call, alert()), ["n call-1 xml Affect"]);
    assert_eq!(desk.happens(&mut call, ended()), ["end call-1"]);
}

#[test]
fn calls_that_vanish_are_ended() {
    let mut desk = Desk::new("");
    let mut call = desk.call(1, "office");
    desk.happens(&mut call, CallStarted { analysed: true, signalling: None });
    desk.clerk.sweep();
    assert!(desk.notes.taken().is_empty());
    desk.alive.lock().unwrap().clear();
    desk.clerk.sweep();
    assert_eq!(desk.notes.taken(), ["end call-1"]);
    // Another PBX has answered, but that event was lost.
    let mut call = desk.call(2, "office");
    desk.happens(&mut call, CallStarted { analysed: true, signalling: None });
    desk.call(2, "elsewhere");
    desk.clerk.sweep();
    assert_eq!(desk.notes.taken(), ["end call-2"]);
}

#[tokio::test]
async fn at_the_end_what_waits_is_told_and_the_pbx_closed() {
    let desk = Desk::new("");
    let mut call = desk.call(1, "office");
    let (stop, stopped) = watch::channel(None);
    let Desk { clerk, notes, bus, heard, .. } = desk;
    bus.publish(call.tell(Duration::ZERO, alert()));
    stop.send_replace(Some(Instant::now() + Duration::from_secs(60)));
    run(clerk, heard, stopped).await;
    assert_eq!(notes.taken(), ["n call-1 affect.alert Affect", "close office"]);
}
