//! Calls to tell of, and links to tell them by.
#![allow(dead_code)] // each test program uses some of it

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidetone_call::Cause;
use sidetone_events::{
    Bus, CallEnded, CallId, CallRef, CallStarted, Direction, Happening, Narrator, NumberHasher, Parties,
    Secret, Timestamp,
};
use sidetone_pbx::{Aside, CallIdentity, Hear, InDialog, InDialogCounts, LinkCounts, PbxLinks, Raw, Told};

/// The name of the PBX in all tests.
pub(crate) const PBX: &str = "office";
const BEGAN: u64 = 1_772_357_400_125;
/// A guard against hanging, nothing else.
const GUARD: Duration = Duration::from_secs(30);

/// Nobody who could tell anything by SIP.
struct NoSip;

impl InDialog for NoSip {
    fn tell(&self, _: Aside) {}
    fn withdraw(&self, _: &Arc<str>, _: &str) {}
    fn end(&self, _: &Arc<str>, _: &str) {}
    fn close(&self, _: &Arc<str>) {}
    fn is_idle(&self) -> bool {
        true
    }
    fn counts(&self, _: &str) -> InDialogCounts {
        InDialogCounts::default()
    }
}

/// Sidetone as its links see it.
pub(crate) struct Sidetone {
    pub(crate) bus: Bus,
    pub(crate) links: PbxLinks,
    told: Arc<Mutex<Vec<Told>>>,
    alive: Arc<Mutex<HashMap<CallId, CallIdentity>>>,
}

impl Sidetone {
    /// With the links that stand in a piece of configuration. To be called in a runtime.
    pub(crate) fn start(toml: &str) -> Self {
        let _ = tracing_subscriber::fmt().with_test_writer().try_init();
        let (bus, told): (Bus, Arc<Mutex<Vec<Told>>>) = (Bus::new(), Arc::default());
        let alive: Arc<Mutex<HashMap<CallId, CallIdentity>>> = Arc::default();
        let raw: Raw = Arc::new({
            let alive = Arc::clone(&alive);
            move |id| alive.lock().unwrap().get(id).cloned()
        });
        let hear: Hear = Arc::new({
            let told = Arc::clone(&told);
            move |it| told.lock().unwrap().push(it)
        });
        let pbxs = vec![(PBX.to_owned(), toml::from_str(toml).unwrap())];
        let links = PbxLinks::start(pbxs, &bus, raw, hear, Arc::new(NoSip)).unwrap();
        Self { bus, links, told, alive }
    }

    /// A call begins that the PBX knows by this Call-ID.
    pub(crate) fn call(&self, sip: &str) -> Call {
        self.call_of(sip, Direction::Inbound)
    }

    /// One that was up before Sidetone was is made known by a request within it.
    pub(crate) fn resumed(&self, sip: &str) -> Call {
        self.call_of(sip, Direction::Unknown)
    }

    fn call_of(&self, sip: &str, direction: Direction) -> Call {
        let mut alive = self.alive.lock().unwrap();
        let id = CallId::new(Timestamp::from_unix_millis(BEGAN), alive.len() as u128 + 1);
        let hasher = NumberHasher::salted(&Secret::new("a salt for nothing but tests")).unwrap();
        let parties = Parties { caller: "+15550100", callee: "+15550123" };
        let call = CallRef::new(&hasher, id, sip, "carrier", direction, parties);
        alive.insert(id, CallIdentity { sip_call_id: sip.to_owned(), pbx: PBX.to_owned() });
        drop(alive);
        let narrator = Narrator::new(call, Timestamp::from_unix_millis(BEGAN));
        let mut call = Call { narrator, bus: self.bus.clone(), alive: Arc::clone(&self.alive) };
        call.happens(CallStarted { analysed: true, signalling: None });
        call
    }

    pub(crate) fn counts(&self) -> LinkCounts {
        self.links.counts().remove(0)
    }

    /// What has been told, as `kind value` of a Call-ID.
    pub(crate) fn told(&self) -> Vec<(String, Value)> {
        let told = self.told.lock().unwrap();
        told.iter().map(|it| (it.sip_call_id.clone(), serde_json::to_value(&it.telling).unwrap())).collect()
    }
}

/// A call that is told of.
pub(crate) struct Call {
    narrator: Narrator,
    bus: Bus,
    alive: Arc<Mutex<HashMap<CallId, CallIdentity>>>,
}

impl Call {
    pub(crate) fn id(&self) -> String {
        self.narrator.call().id.to_string()
    }

    pub(crate) fn happens(&mut self, what: impl Into<Happening>) {
        self.bus.publish(self.narrator.tell(Duration::from_secs(1), what));
    }

    fn tell(&mut self, kind: &str, data: &Value) {
        let what: Happening = serde_json::from_value(json!({ "kind": kind, "data": data })).unwrap();
        self.happens(what);
    }

    pub(crate) fn alert(&mut self, alert: &str, phase: &str) {
        self.tell(
            "affect.alert",
            &json!({
                "leg": "customer", "alert": alert, "phase": phase, "score": 0.9, "valence": -0.6, "arousal": 0.7,
                "confidence": 0.9, "lasted_ms": null
            }),
        );
    }

    pub(crate) fn update(&mut self, valence: f32, state: &str) {
        self.tell(
            "affect.update",
            &json!({
                "leg": "customer", "valence": valence, "arousal": 0.25, "distress": 0.1, "confidence": 0.8,
                "state": state, "trend": "steady", "relative": null, "classes": {}, "speech_ms": 4000,
                "estimates": 4, "abstained": 0
            }),
        );
    }

    /// The PBX has told whose call it is.
    pub(crate) fn agent(&mut self, agent: &str) {
        let none = serde_json::Value::Null;
        let labels = json!({
            "queue": none, "agent": agent, "team": none, "tier": none, "call_type": none, "language": none
        });
        self.tell("call.labelled", &labels);
    }

    pub(crate) fn cue(&mut self, number: u32, line: &str) {
        self.tell(
            "cue.shown",
            &json!({
                "cue": "slow-down", "number": number, "line": line, "reason": null, "language": "en", "others": {},
                "priority": 500, "expires_ms": 20000, "because": [], "compared": false
            }),
        );
    }

    pub(crate) fn consent(&mut self, state: &str, erased: bool) {
        let data = json!({ "state": state, "policy": "notice", "by": "policy", "erased": erased });
        self.tell("consent.changed", &data);
    }

    pub(crate) fn ends(mut self) {
        self.alive.lock().unwrap().remove(&self.narrator.call().id);
        self.happens(CallEnded {
            cause: Cause::Hangup,
            by: None,
            sip_status: None,
            summary: None,
            media: None,
        });
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < GUARD, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs a test on two threads, as Sidetone runs its links.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test);
    runtime.shutdown_timeout(Duration::from_secs(1));
}
