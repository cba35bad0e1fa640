//! A store is fed while calls go on, with a PostgreSQL that goes away and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::time::Duration;

use sidetone_events::{CallId, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Timestamp};
use sidetone_scenarios::postgresql::PostgreSql;
use sidetone_scenarios::until;
use sidetone_spool::{Spool, SpoolConfig};
use sidetone_store::{CallFilter, Feeder, Store, StoreConfig};

fn spool(folder: &Path) -> (Spool, SpoolConfig) {
    let text = format!("path = \"{}\"", folder.join("spool.db").display());
    let config: SpoolConfig = toml::from_str(&text).unwrap();
    (Spool::start(&config).unwrap(), config)
}

/// The first event of a call.
fn begun(call: u128) -> sidetone_events::Event {
    let now = Timestamp::now();
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    let hasher = NumberHasher::with_random_salt().unwrap();
    let id = CallId::new(now, call);
    let reference = CallRef::new(&hasher, id, "x@y", "carrier", Direction::Inbound, parties);
    Narrator::new(reference, now).tell(Duration::ZERO, CallStarted { analysed: false })
}

fn calls(config: &StoreConfig) -> usize {
    Store::open(config)
        .and_then(|mut store| store.calls(&CallFilter::default(), 500))
        .map_or(0, |calls| calls.len())
}

#[test]
fn an_outage_of_postgresql_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = PostgreSql::start();
    let (spool, spooled) = spool(folder.path());
    let config: StoreConfig = toml::from_str(&format!("postgres = \"{}\"", server.connection())).unwrap();
    let feeder = Feeder::start(config.clone(), spooled.path.clone()).unwrap();
    (0..50).for_each(|call| spool.append(begun(call)));
    until("the first calls", || (calls(&config) == 50).then_some(()));
    until("it to say so", || feeder.counters().up.then_some(()));
    server.stop();
    (50..100).for_each(|call| spool.append(begun(call)));
    let trouble = until("the outage to be told", || feeder.counters().trouble);
    assert!(trouble.contains("PostgreSQL"), "{trouble}");
    assert!(!feeder.counters().up && feeder.counters().failures > 0);
    server.resume();
    until("the calls of the outage", || (calls(&config) == 100).then_some(()));
    let counters = until("the recovery to be told", || Some(feeder.counters()).filter(|it| it.up));
    assert_eq!((counters.trouble, counters.lost, counters.written), (None, 0, 100));
}

/// What comes just before the end is in the store afterwards, and nothing is asked for twice.
#[test]
fn a_stop_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    for round in 0..3 {
        let (spool, spooled) = spool(folder.path());
        let feeder = Feeder::start(config.clone(), spooled.path.clone()).unwrap();
        (0..100).for_each(|call| spool.append(begun(round * 100 + call)));
        spool.close();
        drop(feeder);
        assert_eq!(calls(&config), (round as usize + 1) * 100);
    }
    let status = Store::open(&config).unwrap().status().unwrap();
    assert_eq!((status.calls, status.lost), (300, 0));
}

/// A spool that is begun anew while nobody writes has lower positions; its events come all the same.
#[test]
fn another_spool_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    for (round, number) in [(0, 100), (1, 10)] {
        let (spool, spooled) = spool(folder.path());
        let feeder = Feeder::start(config.clone(), spooled.path.clone()).unwrap();
        (0..number).for_each(|call| spool.append(begun(round * 100 + call)));
        spool.close();
        drop(feeder);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", spooled.path.display()));
        }
    }
    assert_eq!(calls(&config), 110);
}
