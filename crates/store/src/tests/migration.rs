//! Stores of earlier versions, brought forward with what is in them.

use crate::query::{CallFilter, Grouping};
use crate::store::Store;
use crate::testing::{at, on_each};
use crate::{StoreError, schema};

use super::DAY_MS;

/// A store of version 2, with a day of which all calls are kept, and one of which they have gone for their age.
const OF_VERSION_2: &str = "
    INSERT INTO calls (id, sip_call_id, trunk, direction, caller, started, answered, ended, consent, alerts, shift, seq)
    VALUES ('A', 'a@x', 'north', 'inbound', 'c1', 1728000000, 1728001000, 1728009000, 'given', 1, 0.25, 9),
           ('B', 'b@x', 'north', 'inbound', 'c1', 1728010000, NULL, 1728019000, 'given', 0, NULL, 9);
    INSERT INTO affect (call, seq, at, valence, arousal, distress, confidence) VALUES ('A', 4, 1000, 0.5, 0, 0, 1);
    INSERT INTO events (call, seq, at, kind, data) VALUES ('A', 1, 0, 'call.started', '{\"analysed\":true}');
    INSERT INTO days VALUES (20, 'north', 'inbound', 2, 1, 8000, 2, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0.25, 0.0625);
    INSERT INTO days VALUES (10, 'north', 'inbound', 70, 60, 8000, 2, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0.25, 0.0625);
    UPDATE sidetone_store SET kept_from = 950400000;
    INSERT INTO tokens (id, name, role, digest, created) VALUES ('t', 'wall', 'supervisor', 'd', 5);";

#[test]
fn a_store_of_version_2_keeps_its_calls_its_sums_and_its_tokens() {
    on_each(|config, _| {
        if let Some(path) = &config.path {
            crate::database::Sqlite::make(path).unwrap();
        }
        let mut old = Store::attach(config).unwrap();
        old.database.settle().unwrap();
        schema::forward(old.database.as_mut(), "it", 2, &mut |_| {}).unwrap();
        old.database.batch(OF_VERSION_2).unwrap();
        drop(old);
        assert!(matches!(Store::open(config), Err(StoreError::Older { found: 2, .. })));
        let mut told = Vec::new();
        assert_eq!(Store::migrate(config, &mut |it| told.push(it.clone())).unwrap(), (2, schema::VERSION));
        // Whoever waits for it sees how far it is.
        assert!(
            told.iter().any(|it| it.version == 11 && it.what == "CREATE INDEX calls_by_team"),
            "{told:?}"
        );
        let last = told.last().unwrap();
        assert_eq!((last.version, last.statement), (schema::VERSION, last.statements));

        let mut store = Store::open(config).unwrap();
        let calls = store.calls(&CallFilter::default(), 10).unwrap();
        assert_eq!(calls.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["B", "A"]);
        assert_eq!((calls[1].alerts, calls[1].shift, calls[1].queue.as_deref()), (1, Some(0.25), None));
        assert_eq!(store.call("A").unwrap().unwrap().affect.len(), 1);
        assert_eq!(store.tokens().unwrap()[0].name, "wall");
        let before = store.days(0, 100).unwrap();
        assert_eq!(before.iter().map(|day| (day.day, day.calls)).collect::<Vec<_>>(), [(10, 70), (20, 2)]);

        // The sums are made again where the calls are still there.
        store.follow_days(at(40 * DAY_MS)).unwrap();
        store.sum_stale_days().unwrap();
        let after = store.days(0, 100).unwrap();
        assert_eq!((after[0].calls, after[0].followed), (70, 0));
        assert_eq!((after[1].calls, after[1].followed, after[1].repeated), (2, 1, 1));
        let by_queue = store.days_by(Grouping::Queue, 0, 100).unwrap();
        assert_eq!(by_queue.len(), 1, "old days keep their sums by trunk alone");
        assert_eq!((by_queue[0].label.as_str(), by_queue[0].calls), ("", 2));
    });
}

/// An index over millions of calls takes longer than any other answer may.
#[test]
fn a_statement_of_a_migration_may_take_longer_than_an_answer() {
    let server = sidetone_scenarios::postgresql::PostgreSql::start();
    let none = crate::StoreConfig::in_file("none".into());
    let config = crate::StoreConfig { path: None, postgres: Some(server.connection()), ..none };
    let mut store = Store::create(&config).unwrap();
    store.database.upkeep("SELECT pg_sleep(11)").unwrap();
    assert!(matches!(store.database.batch("SELECT pg_sleep(11)"), Err(StoreError::Silent { .. })));
}
