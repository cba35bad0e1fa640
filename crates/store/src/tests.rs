//! What a store promises, with both databases.

mod additions;
mod cues;
mod identities;
mod labels;
mod migration;
mod parquet;
mod tls;
mod topics;

use sidetone_consent::State;
use sidetone_events::{CallId, Happening};
use sidetone_spool::{Batch, Item};

use crate::config::StoreConfig;
use crate::database::{Database, Sqlite};
use crate::error::StoreError;
use crate::query::{CallFilter, Outcome};
use crate::store::Store;
use crate::testing::{
    BEGAN, alert, append, at, consent, feed, hasher, narrator, on_each, spool, update, whole_call,
};
use crate::{Readers, Role, Table, schema};

const DAY_MS: u64 = 86_400_000;

fn dump(store: &mut Store) -> String {
    let mut all = Vec::new();
    for table in Table::ALL {
        store.export(table, &mut all).unwrap();
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_call_can_be_asked_about() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        append(&mut spool, whole_call(&mut narrator(1, 0)));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let calls = store.calls(&CallFilter::default(), 10).unwrap();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!(
            (call.started, call.answered, call.ended),
            (BEGAN, Some(BEGAN + 5_000), Some(BEGAN + 90_000))
        );
        assert_eq!((call.trunk.as_str(), call.direction.as_str()), ("carrier", "inbound"));
        assert_eq!((call.consent.as_deref(), call.cause.as_deref()), (Some("given"), Some("hangup")));
        assert_eq!((call.alerts, call.calmed, call.alert.as_deref()), (1, 1, None));
        assert_eq!((call.shift, call.valence), (Some(0.217), Some(0.2)));
        assert_eq!((call.judged_ms, call.overlap_ms), (Some(30_000), Some(1_234)));
        let details = store.call(&call.id).unwrap().unwrap();
        assert_eq!(
            details.affect.iter().map(|it| (it.at_ms, it.valence)).collect::<Vec<_>>(),
            [(20_000, 0.1), (40_000, -0.517), (61_000, 0.2)]
        );
        let [alert] = details.alerts.as_slice() else { panic!("{details:?}") };
        assert_eq!((alert.from_ms, alert.to_ms, alert.score), (40_000, Some(60_000), Some(0.7181)));
        assert_eq!(details.events.first().unwrap().kind, "call.started");
        assert!(store.call("nobody").unwrap().is_none());
        let days = store.days(0, u64::MAX).unwrap();
        let [day] = days.as_slice() else { panic!("{days:?}") };
        assert_eq!((day.day, day.calls, day.answered, day.handled_ms), (BEGAN / DAY_MS, 1, 1, 85_000));
        // In seconds: 85 of the call, 40 of speech, 30 of it judged.
        let squares = [day.handled_squares, day.speech_squares, day.judged_squares, day.speech_by_judged];
        assert_eq!(squares, [7_225.0, 1_600.0, 900.0, 1_200.0]);
        assert_eq!((day.upset, day.recovered, day.improved, day.declined), (1, 1, 1, 0));
        assert_eq!((day.shifts, day.shift_sum), (1, 0.217));
    });
}

/// A crash between the store's commit and the spool's acknowledgement, or a spool that begins again, brings events
/// twice.
#[test]
fn what_comes_twice_counts_once() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        append(&mut spool, whole_call(&mut narrator(1, 0)));
        append(&mut spool, whole_call(&mut narrator(2, 100_000)));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let once = dump(&mut store);
        store.rewind("").unwrap();
        feed(&mut store, &spool);
        assert_eq!(dump(&mut store), once);
        assert_eq!(store.status().unwrap().calls, 2);
    });
}

#[test]
fn an_objection_leaves_no_inference() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, whole_call(&mut call));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let inferred = ["-0.517", "0.718", "0.217", "1234"];
        let before = dump(&mut store);
        assert!(inferred.iter().all(|it| before.contains(it)), "{before}");
        let events = whole_call(&mut narrator(1, 0));
        let opted_out = call.tell(std::time::Duration::from_secs(95), consent(State::OptedOut));
        let erasure = Item::Erasure(CallId::new(at(0), 1), opted_out.seq);
        spool
            .write(&Batch { lost: 0, items: vec![erasure, Item::Event(Box::new(opted_out))] }, at(0))
            .unwrap();
        feed(&mut store, &spool);
        if let Some(path) = &config.path {
            // While the store is open: the write-ahead log is there.
            for suffix in ["", "-wal"] {
                let bytes = std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
                assert!(!bytes.windows(6).any(|it| it == b"0.7181"), "{suffix}");
            }
        }
        let after = dump(&mut store);
        assert!(inferred.iter().all(|it| !after.contains(it)), "{after}");
        let calls = store.calls(&CallFilter::default(), 10).unwrap();
        assert!(calls[0].erased && calls[0].consent.as_deref() == Some("opted-out"));
        assert_eq!(store.days(0, u64::MAX).unwrap()[0].upset, 0);
        // The same events once more, as from a copy of the spool that was not erased.
        let other = tempfile::tempdir().unwrap();
        let mut copy = crate::testing::spool(other.path());
        append(&mut copy, events);
        store.rewind("").unwrap();
        feed(&mut store, &copy);
        let again = dump(&mut store);
        assert!(inferred.iter().all(|it| !again.contains(it)), "{again}");
        if let Some(path) = &config.path {
            drop(store);
            for suffix in ["", "-wal"] {
                let bytes = std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
                assert!(!bytes.windows(6).any(|it| it == b"0.7181"), "{suffix}");
            }
        }
    });
}

#[test]
fn a_caller_is_erased_on_request() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        append(&mut spool, whole_call(&mut narrator(1, 0)));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let stranger = hasher().hash("+4930999");
        assert_eq!(store.erase_number(&stranger.unwrap(), at(0)).unwrap().calls, 0);
        let caller = hasher().hash("+49 30 123456789").unwrap();
        assert_eq!(store.erase_number(&caller, at(0)).unwrap().calls, 1);
        let noted: Vec<u64> = store.erasures(9).unwrap().iter().map(|erasure| erasure.calls).collect();
        assert_eq!((noted.len(), noted.iter().sum::<u64>()), (2, 1), "each that was asked for");
        store.sum_stale_days().unwrap();
        let left = dump(&mut store);
        assert_eq!(left.lines().count(), Table::ALL.len(), "headers alone: {left}");
        // The call was up, or its events waited: what still comes of it does not bring it back.
        store.rewind("").unwrap();
        feed(&mut store, &spool);
        assert_eq!(dump(&mut store).lines().count(), Table::ALL.len());
    });
}

#[test]
fn what_is_too_old_goes() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for call in 0..3 {
            append(&mut spool, whole_call(&mut narrator(u128::from(call), call * DAY_MS)));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let config = StoreConfig { keep_calls_days: 3, keep_timelines_days: 2, ..config.clone() };
        let later = |days: u64| at(days * DAY_MS + 1);
        assert_eq!(store.expire(&config, later(2)).unwrap(), 0);
        let calls = store.calls(&CallFilter::default(), 10).unwrap();
        let timelines = calls.iter().map(|call| store.call(&call.id).unwrap().unwrap().affect.len());
        assert_eq!(timelines.collect::<Vec<_>>(), [3, 3, 0], "the newest first");
        assert_eq!(store.expire(&config, later(3)).unwrap(), 1);
        assert_eq!(store.calls(&CallFilter::default(), 10).unwrap().len(), 2);
        assert_eq!(store.days(0, u64::MAX).unwrap().len(), 3, "sums tell of nobody and stay");
    });
}

/// Moments are written many at once, and a call's state once a page.
#[test]
fn it_is_the_same_whatever_pages_events_come_in() {
    on_each(|config, folder| {
        let mut store = Store::create(config).unwrap();
        let mut told = Vec::new();
        for (feed, (number, most)) in [("a", (1, 1)), ("b", (2, 7)), ("c", (3, 1_000))] {
            let folder = folder.join(feed);
            std::fs::create_dir(&folder).unwrap();
            let mut spool = spool(&folder);
            let seconds = std::time::Duration::from_secs;
            let mut call = narrator(number, 0);
            let whole = whole_call(&mut call);
            let (before, last) = whole.split_at(8);
            let rose = || Happening::AffectAlert(alert(sidetone_insight::Phase::Rising));
            let mut events = before.to_vec();
            for moment in 0..73 {
                let valence = moment as f32 / 100.0 - 0.3;
                events.push(
                    call.tell(seconds(62 + moment), Happening::AffectUpdate(update(valence, 0.1, 0.2))),
                );
                if moment == 40 {
                    events.push(call.tell(seconds(62 + moment), rose()));
                }
            }
            let mut end = last[0].clone();
            end.seq = events.last().unwrap().seq + 1;
            events.push(end);
            let count = events.len() as u64;
            append(&mut spool, events);
            let write = |store: &mut Store| {
                let mut written = 0;
                loop {
                    let page = spool.read(store.position(feed).unwrap(), most).unwrap();
                    if page.entries.is_empty() {
                        return written;
                    }
                    written += store.write(feed, &page).unwrap().events;
                }
            };
            assert_eq!(write(&mut store), count, "{feed}");
            let row = |store: &mut Store| {
                let id = CallId::new(at(0), number).to_string();
                let mut details = store.call(&id).unwrap().unwrap();
                details.call.id.clear();
                details
            };
            let first = row(&mut store);
            // The spool is read once more: nothing is new, and nothing changes.
            store.rewind(feed).unwrap();
            assert_eq!(write(&mut store), 0, "{feed}");
            assert_eq!(row(&mut store), first, "{feed}");
            told.push(first);
        }
        assert_eq!(told[0].affect.len(), 76);
        assert_eq!((told[0].call.valence, told[0].call.alerts, told[0].call.calmed), (Some(0.42), 2, 1));
        assert!(told.iter().all(|it| *it == told[0]), "{told:?}");
    });
}

#[test]
fn calls_are_found_by_what_is_asked() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for call in 0..7 {
            // Two that begin in the same millisecond.
            append(&mut spool, whole_call(&mut narrator(u128::from(call), call / 2 * 1_000)));
        }
        let mut up = narrator(9, 9_000);
        append(&mut spool, whole_call(&mut up).into_iter().take(6));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let mut found = |filter: CallFilter| store.calls(&filter, 100).unwrap().len();
        assert_eq!(found(CallFilter::default()), 8);
        assert_eq!(found(CallFilter { up: Some(true), ..CallFilter::default() }), 1);
        assert_eq!(found(CallFilter { trunk: Some("other".to_owned()), ..CallFilter::default() }), 0);
        assert_eq!(
            found(CallFilter {
                from: Some(BEGAN + 1_000),
                until: Some(BEGAN + 3_000),
                ..CallFilter::default()
            }),
            4
        );
        assert_eq!(found(CallFilter { outcome: Some(Outcome::Recovered), ..CallFilter::default() }), 7);
        assert_eq!(found(CallFilter { outcome: Some(Outcome::Upset), ..CallFilter::default() }), 8);
        assert_eq!(found(CallFilter { outcome: Some(Outcome::Declined), ..CallFilter::default() }), 0);
        // Page by page, every call comes once.
        let mut filter = CallFilter::default();
        let mut seen = Vec::new();
        loop {
            let page = store.calls(&filter, 3).unwrap();
            let Some(last) = page.last() else { break };
            filter.after = Some(last.cursor().to_string().parse().unwrap());
            seen.extend(page.into_iter().map(|call| call.id));
        }
        assert_eq!(seen.len(), 8);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 8);
    });
}

#[test]
fn hostile_text_is_text() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let evil = "'; DROP TABLE calls; --\0\u{202e}";
        let filter = CallFilter {
            trunk: Some(evil.to_owned()),
            number: Some(evil.to_owned()),
            ..CallFilter::default()
        };
        assert!(store.calls(&filter, 10).unwrap().is_empty());
        assert!(store.call(evil).unwrap().is_none());
        assert_eq!(store.status().unwrap().calls, 0);
    });
    for text in ["", "5", "-", "5-", "x-1", "5-'", "99999999999999999999-A"] {
        assert!(text.parse::<crate::Cursor>().is_err(), "{text}");
    }
}

#[test]
fn a_newer_store_is_left_alone_and_an_older_one_brought_forward() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        store.database.batch("UPDATE sidetone_store SET version = 99").unwrap();
        drop(store);
        for error in [Store::create(config).unwrap_err(), Store::open(config).unwrap_err()] {
            assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
        }
        assert!(Store::examine(config).is_err());
    });
    on_each(|config, _| {
        Store::examine(config).unwrap();
        assert_eq!(Store::migrate(config, &mut |_| {}).unwrap(), (0, schema::VERSION));
        assert_eq!(Store::migrate(config, &mut |_| {}).unwrap(), (schema::VERSION, schema::VERSION));
        Store::open(config).unwrap();
    });
}

#[test]
fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    Sqlite::make(&path).unwrap();
    Sqlite::open(&path).unwrap().batch("CREATE TABLE theirs (a BIGINT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let config = StoreConfig::in_file(path.clone());
    for error in [Store::create(&config).unwrap_err(), Store::examine(&config).unwrap_err()] {
        assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before, "not even its journal mode is changed");
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    Store::examine(&StoreConfig::in_file(empty.clone())).unwrap();
    assert_eq!(std::fs::metadata(&empty).unwrap().len(), 0);
    std::fs::write(&path, "no database at all, but a text of some length").unwrap();
    assert!(matches!(Store::create(&config), Err(StoreError::Sqlite(_))));
    assert!(matches!(
        Store::open(&StoreConfig::in_file(folder.path().join("none"))),
        Err(StoreError::Open { .. })
    ));
}

/// Positions that stand for lost events are told.
#[test]
fn lost_events_are_counted() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut events = whole_call(&mut narrator(1, 0)).into_iter();
        append(&mut spool, events.by_ref().take(2));
        let items = vec![Item::Event(Box::new(events.next_back().unwrap()))];
        spool.write(&Batch { lost: 6, items }, at(0)).unwrap();
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let status = store.status().unwrap();
        let [feed] = status.feeds.as_slice() else { panic!("{status:?}") };
        assert_eq!((feed.lost, status.events, feed.position.0), (6, 3, 9));
    });
}

#[test]
fn consent_that_was_given_again_brings_new_inferences() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, whole_call(&mut call).into_iter().take(6));
        let out = call.tell(std::time::Duration::from_secs(95), consent(State::OptedOut));
        let erasure = Item::Erasure(CallId::new(at(0), 1), out.seq);
        spool.write(&Batch { lost: 0, items: vec![erasure, Item::Event(Box::new(out))] }, at(0)).unwrap();
        let again = call.tell(std::time::Duration::from_secs(99), consent(State::Given));
        let Happening::AffectUpdate(update) = whole_call(&mut narrator(2, 0))[3].happening.clone() else {
            panic!()
        };
        let update = call.tell(std::time::Duration::from_secs(100), Happening::AffectUpdate(update));
        append(&mut spool, [again, update]);
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let calls = store.calls(&CallFilter::default(), 1).unwrap();
        assert_eq!((calls[0].valence, calls[0].alerts), (Some(0.1), 0));
        assert_eq!(store.call(&calls[0].id).unwrap().unwrap().affect.len(), 1);
    });
}

#[test]
fn tokens_open_what_their_role_allows_until_they_end() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let made = store.create_token(" wall screen ", Role::Supervisor, None, at(0)).unwrap();
        let brief = store.create_token("visitor", Role::Director, Some(at(1_000)), at(0)).unwrap();
        assert!(made.token.name == "wall screen" && made.secret.len() > 64);
        assert_eq!(store.token(&made.secret, at(1)).unwrap().unwrap(), made.token);
        assert!(store.token(&brief.secret, at(999)).unwrap().is_some());
        assert!(store.token(&brief.secret, at(1_000)).unwrap().is_none(), "expired");
        for wrong in ["", "sidetone_", &made.secret[1..], &made.token.id, "' OR 1=1 --"] {
            assert!(store.token(wrong, at(1)).unwrap().is_none(), "{wrong}");
        }
        let kept = store.database.query("SELECT digest FROM tokens", &[]).unwrap();
        assert!(kept.iter().all(|row| row.text(0).unwrap() != made.secret), "only a digest is kept");
        assert!(store.revoke_token(&made.token.id, at(2)).unwrap());
        assert!(
            !store.revoke_token(&made.token.id, at(3)).unwrap()
                && !store.revoke_token("nobody", at(3)).unwrap()
        );
        assert!(store.token(&made.secret, at(3)).unwrap().is_none());
        for name in ["", "  ", "a\nb", "a\u{202e}b", &"a".repeat(65)] {
            assert!(store.create_token(name, Role::Operator, None, at(0)).is_err(), "{name:?}");
        }
    });
}

#[test]
fn sessions_end_by_time_by_rest_by_hand_and_with_their_token() {
    const HOUR: u64 = 3_600_000;
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let made = store.create_token("a", Role::Supervisor, None, at(0)).unwrap();
        let begin = |store: &mut Store| store.sign_in(&made.secret, at(0)).unwrap().unwrap().0;
        assert!(store.sign_in("wrong", at(0)).unwrap().is_none());
        let (used, idle, out, last) =
            (begin(&mut store), begin(&mut store), begin(&mut store), begin(&mut store));
        for hour in 1..12 {
            assert!(store.session(&used, at(hour * HOUR)).unwrap().is_some(), "{hour}");
        }
        assert!(store.session(&used, at(12 * HOUR)).unwrap().is_none(), "a working day");
        assert!(store.session(&idle, at(2 * HOUR)).unwrap().is_none(), "nobody was there");
        store.sign_out(&out, at(0)).unwrap();
        assert!(store.session(&out, at(1)).unwrap().is_none());
        assert!(store.session(&made.secret, at(1)).unwrap().is_none(), "a token is no session");
        assert!(store.token(&last, at(1)).unwrap().is_none(), "nor a session a token");
        store.revoke_token(&made.token.id, at(1)).unwrap();
        assert!(store.session(&last, at(1)).unwrap().is_none());
    });
}

#[test]
fn whoever_has_looked_is_noted() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let made = store.create_token("a", Role::Supervisor, None, at(0)).unwrap();
        store.note_access(&made.token, "call.read", "01ABC", at(5)).unwrap();
        let [noted] = store.accesses(10, None).unwrap().try_into().unwrap();
        assert_eq!((noted.time, noted.name.as_str(), noted.subject.as_str()), (BEGAN + 5, "a", "01ABC"));
    });
}

#[test]
fn the_log_of_accesses_is_read_in_parts_none_twice_and_none_left_out() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        let made = store.create_token("a", Role::Supervisor, None, at(0)).unwrap();
        // Many at one moment, as a program makes them.
        for number in 0..23_u64 {
            store.note_access(&made.token, "call.read", &format!("{number:02}"), at(number / 8)).unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let part = store.accesses(3, after).unwrap();
            seen.extend(part.iter().map(|access| access.subject.clone()));
            after = crate::AccessCursor::behind(&part, after);
            let Some(cursor) = after else { break };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        assert!(seen[0].as_str() >= "16" && seen.len() == 23, "{seen:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 23);
        for wrong in ["", "1", "-", "a-1", "1-a", "1--1"] {
            assert!(wrong.parse::<crate::AccessCursor>().is_err(), "{wrong}");
        }
    });
}

#[test]
fn people_are_known_by_name_whatever_its_capitals_and_have_sessions_like_others() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        assert!(!store.has_people().unwrap());
        let password = crate::Password::hash("four words are enough").unwrap();
        let made = store.add_person(" Maria ", Role::Supervisor, None, &password, at(0)).unwrap();
        assert_eq!((made.name.as_str(), store.has_people().unwrap()), ("Maria", true));
        let again = store.add_person("maria", Role::Director, None, &password, at(0));
        assert!(matches!(again, Err(StoreError::Taken)));
        let nobody = store.add_person("otto", Role::Agent, None, &password, at(0));
        assert!(matches!(nobody, Err(StoreError::Agent)));
        assert!(store.add_person("", Role::Director, None, &password, at(0)).is_err());
        assert_eq!(store.tokens().unwrap(), [], "theirs are not among the tokens");
        assert_eq!(store.people().unwrap().len(), 1);
        assert!(store.person("nobody", at(1)).unwrap().is_none());
        let (token, kept) = store.person("MARIA", at(1)).unwrap().unwrap();
        assert_eq!((&token, &kept), (&made, &password));
        let session = store.begin_session(&token, at(1)).unwrap();
        assert_eq!(store.session(&session, at(2)).unwrap(), Some(made));
        let other = crate::Password::hash("five words are better still").unwrap();
        assert!(store.set_password("maria", &other, at(2)).unwrap());
        assert!(!store.set_password("nobody", &other, at(2)).unwrap());
        assert_eq!(store.session(&session, at(2)).unwrap(), None);
        let session = store.begin_session(&token, at(3)).unwrap();
        assert!(
            store.disable_person("maria", at(4)).unwrap() && !store.disable_person("maria", at(4)).unwrap()
        );
        assert!(store.person("maria", at(5)).unwrap().is_none());
        assert_eq!(store.session(&session, at(5)).unwrap(), None);
        assert!(store.enable_person("Maria").unwrap() && !store.enable_person("maria").unwrap());
        assert!(store.person("maria", at(6)).unwrap().is_some());
        assert_eq!(store.session(&session, at(6)).unwrap(), None, "what has ended stays so");
    });
}

/// A database that is started anew has forgotten its connections.
#[test]
fn readers_replace_what_has_gone_stale() {
    let mut server = sidetone_scenarios::postgresql::PostgreSql::start();
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        path: None,
        postgres: Some(server.connection()),
        ..StoreConfig::in_file(folder.path().join("none"))
    };
    let readers = Readers::new(config.clone());
    assert!(readers.ask(Store::tokens).is_err(), "there is no store yet");
    drop(Store::create(&config).unwrap());
    readers.ask(Store::tokens).unwrap();
    server.stop();
    // Its children end when they notice that it has gone.
    sidetone_scenarios::until("the connections to end", || readers.ask(Store::tokens).err());
    server.resume();
    readers.ask(Store::tokens).unwrap();
}

/// A spreadsheet would take such a text for a formula, and a carrier may write what it likes into a Call-ID.
#[test]
fn an_export_holds_no_formula() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let parties = sidetone_events::Parties { caller: "1", callee: "2" };
        let id = CallId::new(at(0), 1);
        let direction = sidetone_events::Direction::Inbound;
        let reference =
            sidetone_events::CallRef::new(&hasher(), id, "=cmd|'/C calc'!A0", "carrier", direction, parties);
        append(&mut spool, whole_call(&mut sidetone_events::Narrator::new(reference, at(0))));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let mut table = Vec::new();
        store.export(Table::Calls, &mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert!(table.contains(",'=cmd") && !table.contains(",=cmd"), "{table}");
    });
}

#[test]
fn two_alerts_and_two_holds_are_told_apart() {
    use sidetone_call::Leg;
    use sidetone_events::{CallHeld, CallResumed};
    use sidetone_insight::{Alert, AlertKind, Phase};
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, whole_call(&mut call).into_iter().take(5));
        let Happening::AffectAlert(alert) = whole_call(&mut narrator(2, 0))[5].happening.clone() else {
            panic!()
        };
        let mut store = Store::create(config).unwrap();
        let mut seconds = 50;
        let mut tell = |store: &mut Store, happening: Happening| {
            seconds += 1;
            append(&mut spool, [call.tell(std::time::Duration::from_secs(seconds), happening)]);
            feed(store, &spool);
            let call = store.calls(&CallFilter::default(), 1).unwrap().remove(0);
            (call.alert, call.held_by)
        };
        let turn = |kind, phase| Happening::AffectAlert(Alert { alert: kind, phase, ..alert.clone() });
        let (frustration, distress) = (AlertKind::Frustration, AlertKind::Distress);
        tell(&mut store, turn(frustration, Phase::Rising));
        tell(&mut store, turn(distress, Phase::Rising));
        let (up, _) = tell(&mut store, turn(distress, Phase::Calmed));
        assert_eq!(up.as_deref(), Some("frustration"), "the other one is up still");
        assert_eq!(tell(&mut store, turn(frustration, Phase::Calmed)).0, None);
        let hold = |by| Happening::CallHeld(CallHeld { by });
        let resume = |by| Happening::CallResumed(CallResumed { by, held: std::time::Duration::from_secs(1) });
        tell(&mut store, hold(Leg::Agent));
        assert_eq!(tell(&mut store, hold(Leg::Customer)).1.as_deref(), Some("both"));
        assert_eq!(tell(&mut store, resume(Leg::Agent)).1.as_deref(), Some("customer"));
        assert_eq!(tell(&mut store, resume(Leg::Customer)).1, None);
    });
}

/// A day of which calls are gone for their age keeps its sums, whatever happens to those that are left.
#[test]
fn sums_outlive_their_calls() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        append(&mut spool, whole_call(&mut narrator(1, 0)));
        append(&mut spool, whole_call(&mut narrator(2, 3_600_000)));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let config = StoreConfig { keep_calls_days: 1, keep_timelines_days: 1, ..config.clone() };
        assert_eq!(store.expire(&config, at(DAY_MS + 1)).unwrap(), 1);
        store.erase_number(&hasher().hash("+4930123456789").unwrap(), at(DAY_MS)).unwrap();
        store.sum_stale_days().unwrap();
        assert_eq!(store.days(0, u64::MAX).unwrap()[0].calls, 2);
    });
}

/// The server's last users of a store end on its asynchronous threads.
#[test]
fn a_store_may_be_let_go_on_any_thread() {
    on_each(|config, _| {
        let store = Store::create(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move { drop(store) });
    });
}
