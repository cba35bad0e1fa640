//! Stores and events for the tests.

use std::time::Duration;

use sidetone_call::{Cause, CustomerOnly, Modality};
use sidetone_consent::{Policy, Source, State};
use sidetone_events::{
    CallAnswered, CallEnded, CallId, CallRef, CallStarted, ConsentChanged, Direction, Event, Happening,
    Narrator, NumberHasher, Parties, Secret, Timestamp,
};
use sidetone_insight::{
    AffectUpdate, Alert, AlertKind, Alerts, Analysis, Conduct, Moment, Phase, Sentiment, State as Feeling,
    Summary, Trend,
};
use sidetone_scenarios::postgresql::PostgreSql;
use sidetone_spool::{Batch, Item, SpoolFile};

use crate::config::StoreConfig;
use crate::store::Store;

/// 2026-03-01T09:30:00.125Z
pub(crate) const BEGAN: u64 = 1_772_357_400_125;

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(BEGAN + millis)
}

/// Hashes numbers as all tests of this crate do.
pub(crate) fn hasher() -> NumberHasher {
    let salt: Secret = serde_json::from_str("\"a salt that all tests of this crate share\"").unwrap();
    NumberHasher::salted(&salt).unwrap()
}

/// A call that begins so many milliseconds after [`BEGAN`].
pub(crate) fn narrator(call: u128, began: u64) -> Narrator {
    let id = CallId::new(at(began), call);
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    Narrator::new(CallRef::new(&hasher(), id, "x@y", "carrier", Direction::Inbound, parties), at(began))
}

pub(crate) fn update(valence: f32, arousal: f32, distress: f32) -> AffectUpdate {
    AffectUpdate {
        leg: CustomerOnly,
        modality: Modality::Voice,
        valence,
        arousal,
        distress,
        confidence: 0.8,
        state: Feeling::Neutral,
        trend: Trend::Steady,
        relative: None,
        classes: [].into(),
        speech: Duration::from_secs(4),
        estimates: 2,
        abstained: 0,
    }
}

pub(crate) fn alert(phase: Phase) -> Alert {
    Alert {
        leg: CustomerOnly,
        modality: Modality::Voice,
        stands_on: vec![sidetone_insight::Basis::Voice],
        phrase: None,
        alert: AlertKind::Frustration,
        phase,
        // A value that no other event has: it must be gone once it is erased.
        score: 0.7181,
        valence: -0.52,
        arousal: 0.47,
        confidence: 0.83,
        lasted: None,
    }
}

pub(crate) fn consent(state: State) -> Happening {
    Happening::ConsentChanged(ConsentChanged {
        state,
        policy: Policy::Notice,
        by: Source::Api,
        erased: state == State::OptedOut,
    })
}

/// A whole call of ninety seconds: answered after five, agreed, upset at forty, calm again at sixty.
pub(crate) fn whole_call(call: &mut Narrator) -> Vec<Event> {
    let seconds = Duration::from_secs;
    vec![
        call.tell(seconds(0), CallStarted { analysed: false, signalling: None }),
        call.tell(seconds(5), CallAnswered { waited: seconds(5), signalling: None }),
        call.tell(seconds(8), consent(State::Given)),
        call.tell(seconds(20), Happening::AffectUpdate(update(0.1, -0.2, 0.1))),
        call.tell(seconds(40), Happening::AffectUpdate(update(-0.5172, 0.5, 0.7))),
        call.tell(seconds(40), Happening::AffectAlert(alert(Phase::Rising))),
        call.tell(seconds(60), Happening::AffectAlert(alert(Phase::Calmed))),
        call.tell(seconds(61), Happening::AffectUpdate(update(0.2, -0.1, 0.1))),
        call.tell(
            seconds(90),
            CallEnded {
                cause: Cause::Hangup,
                by: None,
                sip_status: None,
                summary: Some(summary()),
                media: None,
            },
        ),
    ]
}

/// A call of this length, from its answer to its end, of which nothing was heard.
pub(crate) fn unheard_call(call: &mut Narrator, length: Duration) -> Vec<Event> {
    let waited = Duration::from_secs(5);
    let ended = CallEnded { cause: Cause::Hangup, by: None, sip_status: None, summary: None, media: None };
    vec![
        call.tell(Duration::ZERO, CallStarted { analysed: false, signalling: None }),
        call.tell(waited, CallAnswered { waited, signalling: None }),
        call.tell(waited + length, ended),
    ]
}

fn summary() -> Summary {
    let moment = |at, valence| Moment { at: Duration::from_secs(at), valence };
    Summary {
        duration: Duration::from_secs(90),
        sentiment: Some(Sentiment {
            start: 0.1,
            end: 0.3172,
            shift: 0.2172,
            lowest: moment(40, -0.5172),
            highest: moment(61, 0.3172),
        }),
        alerts: Alerts { frustration: 1, distress: 0, spans: Vec::new() },
        conduct: Conduct { is_final: true, overlap: Duration::from_millis(1_234), ..Conduct::default() },
        analysis: Analysis {
            speech: Duration::from_secs(40),
            judged: Duration::from_secs(30),
            estimates: 60,
            abstained: 4,
            abstained_share: Some(0.0625),
            reasons: [].into(),
            erased: false,
        },
        words: None,
    }
}

/// A spool in a folder.
pub(crate) fn spool(folder: &std::path::Path) -> SpoolFile {
    SpoolFile::create(&folder.join("spool.db")).unwrap()
}

pub(crate) fn append(spool: &mut SpoolFile, events: impl IntoIterator<Item = Event>) {
    let items = events.into_iter().map(|event| Item::Event(Box::new(event))).collect();
    spool.write(&Batch { lost: 0, items }, at(0)).unwrap();
}

/// Brings everything that the spool has into the store.
pub(crate) fn feed(store: &mut Store, spool: &SpoolFile) {
    loop {
        let page = spool.read(store.position("").unwrap(), 100).unwrap();
        if page.until == store.position("").unwrap() {
            break;
        }
        store.write("", &page).unwrap();
    }
    store.sum_stale_days().unwrap();
}

/// Runs a test with an SQLite file, and with a database of its own in a real PostgreSQL.
pub(crate) fn on_each(test: impl Fn(&StoreConfig, &std::path::Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&StoreConfig::in_file(folder.path().join("store.db")), folder.path());
    let folder = tempfile::tempdir().unwrap();
    let server = PostgreSql::start();
    let config = StoreConfig {
        path: None,
        postgres: Some(server.connection()),
        ..StoreConfig::in_file(folder.path().join("none"))
    };
    test(&config, folder.path());
}
