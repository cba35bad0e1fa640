//! A store is fed while calls go on, with a PostgreSQL that goes away and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::time::Duration;

use sidetone_events::{CallId, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Timestamp};
use sidetone_scenarios::postgresql::PostgreSql;
use sidetone_scenarios::until;
use sidetone_spool::{Spool, SpoolConfig};
use sidetone_store::{CallFilter, Feed, Feeder, Store, StoreConfig};

fn spool(folder: &Path) -> (Spool, SpoolConfig) {
    let text = format!("path = \"{}\"", folder.join("spool.db").display());
    let config: SpoolConfig = toml::from_str(&text).unwrap();
    (Spool::start(&config).unwrap(), config)
}

/// The first event of a call.
fn begun(call: u128) -> sidetone_events::Event {
    begun_on(None, call)
}

/// The same, on a node.
fn begun_on(node: Option<&str>, call: u128) -> sidetone_events::Event {
    let now = Timestamp::now();
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    let hasher = NumberHasher::with_random_salt().unwrap();
    let id = CallId::new(now, call);
    let reference = CallRef::new(&hasher, id, "x@y", "carrier", Direction::Inbound, parties);
    let reference = reference.on(node.map(|name| name.parse().unwrap()));
    Narrator::new(reference, now).tell(Duration::ZERO, CallStarted { analysed: false, signalling: None })
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
    let feeder =
        Feeder::start(Feed { store: config.clone(), spool: spooled.path.clone(), node: None }).unwrap();
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
        let feeder =
            Feeder::start(Feed { store: config.clone(), spool: spooled.path.clone(), node: None }).unwrap();
        (0..100).for_each(|call| spool.append(begun(round * 100 + call)));
        spool.close();
        drop(feeder);
        assert_eq!(calls(&config), (round as usize + 1) * 100);
    }
    let status = Store::open(&config).unwrap().status().unwrap();
    assert_eq!((status.calls, status.feeds[0].lost), (300, 0));
}

/// A spool that is begun anew while nobody reads is another one, whether its positions are lower or higher.
#[test]
fn another_spool_is_read_from_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    for (round, number) in [(0, 100), (1, 10), (2, 40)] {
        let (spool, spooled) = spool(folder.path());
        (0..number).for_each(|call| spool.append(begun(round * 100 + call)));
        spool.close();
        let feed = Feed { store: config.clone(), spool: spooled.path.clone(), node: None };
        let feeder = Feeder::start(feed).unwrap();
        until("its events", || (feeder.counters().written == u64::try_from(number).unwrap()).then_some(()));
        drop(feeder);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", spooled.path.display()));
        }
    }
    assert_eq!(calls(&config), 150);
}

/// A process that was killed has not said how its calls ended. The next one ends them, and lets those of others be.
#[test]
fn calls_of_a_process_that_was_killed_are_not_up_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    let up = || {
        let filter = CallFilter { up: Some(true), ..CallFilter::default() };
        Store::open(&config).and_then(|mut store| store.calls(&filter, 10)).map_or(0, |calls| calls.len())
    };
    let feed = |node: Option<&str>| {
        let (spool, spooled) = spool(folder.path());
        let node = node.map(|name| name.parse().unwrap());
        (spool, Feeder::start(Feed { store: config.clone(), spool: spooled.path, node }).unwrap())
    };
    let (before, feeder) = feed(None);
    before.append(begun(1));
    before.close();
    drop(feeder);
    assert_eq!(up(), 1, "for all that the store can know");
    let (other, feeder) = feed(Some("elsewhere"));
    other.append(begun_on(Some("elsewhere"), 2));
    until("its own call", || (up() == 2).then_some(()));
    other.close();
    drop(feeder);
    assert_eq!(up(), 2, "the first one may be another node's");
    let (after, feeder) = feed(None);
    // The clock tells a call of this process from those before by milliseconds.
    std::thread::sleep(Duration::from_millis(5));
    after.append(begun(3));
    until("the first one to have ended", || (up() == 2 && calls(&config) == 3).then_some(()));
    after.close();
    drop(feeder);
    let ended = Store::open(&config).unwrap().calls(&CallFilter::default(), 10).unwrap();
    let ended: Vec<_> =
        ended.iter().filter_map(|call| Some((call.ended? - call.started, call.cause.clone()))).collect();
    assert_eq!(ended, [(0, None)], "at its last known moment; nobody knows why");
}

/// A server that is frozen answers nobody and ends no connection. Neither the thread nor the end may wait for it.
#[test]
fn a_frozen_postgresql_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = PostgreSql::start();
    let (spool, spooled) = spool(folder.path());
    let config: StoreConfig = toml::from_str(&format!("postgres = \"{}\"", server.connection())).unwrap();
    let feeder =
        Feeder::start(Feed { store: config.clone(), spool: spooled.path.clone(), node: None }).unwrap();
    spool.append(begun(1));
    until("the first call", || (calls(&config) == 1).then_some(()));
    server.freeze();
    spool.append(begun(2));
    let trouble = until("the silence to be told", || feeder.counters().trouble);
    assert!(trouble.contains("not answered"), "{trouble}");
    assert!(Store::examine(&config).is_err() && Store::open(&config).is_err());
    drop(feeder);
    server.thaw();
    let feeder = Feeder::start(Feed { store: config.clone(), spool: spooled.path, node: None }).unwrap();
    until("the call of the silence", || (calls(&config) == 2).then_some(()));
    drop(feeder);
}

/// What is written into a file that nobody can find any more is not kept.
#[test]
fn a_store_that_is_deleted_or_moved_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    let path = config.path.clone().unwrap();
    let (spool, spooled) = spool(folder.path());
    let feeder = Feeder::start(Feed { store: config.clone(), spool: spooled.path, node: None }).unwrap();
    spool.append(begun(1));
    until("the first call", || (calls(&config) == 1).then_some(()));
    for (round, gone) in [(2, None), (3, Some(folder.path().join("elsewhere.db")))] {
        match gone {
            None => std::fs::remove_file(&path).unwrap(),
            Some(elsewhere) => std::fs::rename(&path, elsewhere).unwrap(),
        }
        spool.append(begun(round));
        until("the call in a new file", || (calls(&config) >= 1).then_some(()));
        assert!(feeder.counters().failures > 0, "it was noticed");
    }
    drop(feeder);
    assert!(calls(&config) >= 1);
}

#[test]
fn a_damaged_store_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_file(folder.path().join("store.db"));
    std::fs::write(config.path.as_ref().unwrap(), "this was a store once, and is one no more; ".repeat(100))
        .unwrap();
    let (spool, spooled) = spool(folder.path());
    let feeder = Feeder::start(Feed { store: config.clone(), spool: spooled.path, node: None }).unwrap();
    spool.append(begun(1));
    until("the call in a new file", || (calls(&config) == 1).then_some(()));
    drop(feeder);
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("store.db.damaged-")).count(), 1);
}

/// Two nodes may share a database; each has its own position in its own spool. Two of one name may not.
#[test]
fn nodes_share_a_database_and_one_node_is_fed_once() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = PostgreSql::start();
    let config: StoreConfig = toml::from_str(&format!("postgres = \"{}\"", server.connection())).unwrap();
    let start = |folder: &Path, node: &str| {
        let (spool, spooled) = spool(folder);
        let node = Some(node.parse().unwrap());
        let feed = Feed { store: config.clone(), spool: spooled.path, node };
        (spool, Feeder::start(feed.clone()).unwrap(), feed)
    };
    let (one, first, feed) = start(here.path(), "a");
    let (two, second, _) = start(there.path(), "b");
    for call in 0..100 {
        one.append(begun_on(Some("a"), call));
        two.append(begun_on(Some("b"), 1_000 + call));
    }
    until("all calls of both", || (calls(&config) == 200).then_some(()));
    let again = Feeder::start(feed).unwrap();
    let trouble = until("the second one to be refused", || again.counters().trouble);
    assert!(trouble.contains("another Sidetone feeds this store for node a"), "{trouble}");
    drop((again, first, second));
    let feeds = Store::open(&config).unwrap().status().unwrap().feeds;
    assert_eq!(
        feeds.iter().map(|feed| (feed.node.as_str(), feed.lost)).collect::<Vec<_>>(),
        [("a", 0), ("b", 0)]
    );
}
