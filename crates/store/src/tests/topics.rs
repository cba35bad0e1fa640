//! What customers named: in lists, filters, sums and exports, and gone with the words when it must be.

use std::time::Duration;

use sidetone_call::{CustomerOnly, Topic};
use sidetone_consent::State;
use sidetone_events::{Event, Happening, Narrator};
use sidetone_insight::{Alert, WordsTopic};
use sidetone_spool::{Batch, Item};

use super::labels::{labelled, labels};
use super::{DAY_MS, dump};
use crate::config::StoreConfig;
use crate::query::CallFilter;
use crate::store::Store;
use crate::testing::{BEGAN, append, at, consent, feed, narrator, on_each, spool, whole_call};
use crate::topics::TopicSum;
use crate::{Table, schema};

/// Words that no other text has.
pub(super) const PHRASE: &str = "I want out of this contract";

pub(super) fn named(call: &mut Narrator, second: u64, topic: Topic) -> Event {
    let named = WordsTopic {
        leg: CustomerOnly,
        utterance: 1,
        topic,
        probability: 0.9,
        phrase: PHRASE.to_owned(),
        times: 1,
        urgency: 0.5,
        satisfaction: -0.5,
    };
    call.tell(Duration::from_secs(second), Happening::WordsTopic(named))
}

/// An alert that stands on words.
fn alert(call: &mut Narrator, second: u64) -> Event {
    let rose = whole_call(&mut narrator(9, 0)).into_iter().find_map(|event| match event.happening {
        Happening::AffectAlert(alert) => Some(alert),
        _ => None,
    });
    let alert = Alert { phrase: Some(PHRASE.to_owned()), ..rose.unwrap() };
    call.tell(Duration::from_secs(second), Happening::AffectAlert(alert))
}

fn topics(store: &mut Store, filter: &CallFilter) -> Vec<Vec<String>> {
    store.calls(filter, 10).unwrap().into_iter().map(|call| call.topics).collect()
}

fn of(topic: Topic) -> CallFilter {
    CallFilter { topic: Some(topic), ..CallFilter::default() }
}

#[test]
fn calls_are_found_by_what_their_customer_named() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for (number, team, agent) in [(1, "north", "2001"), (2, "north", "2002"), (3, "", "2003")] {
            let mut call = narrator(number, 0);
            append(&mut spool, labelled(&mut call, labels("billing", agent, team, "")));
            // After the call's end: words may be late.
            let mut all = vec![named(&mut call, 92, Topic::RepeatContact)];
            if number < 3 {
                all.push(named(&mut call, 93, Topic::Cancel));
                all.push(named(&mut call, 94, Topic::Cancel));
            }
            append(&mut spool, all);
        }
        append(&mut spool, labelled(&mut narrator(4, 1), labels("billing", "2001", "north", "")));
        let mut store = Store::create(config).unwrap();
        assert!(!store.has_topics().unwrap());
        feed(&mut store, &spool);
        assert!(store.has_topics().unwrap());
        let both = vec!["cancel".to_owned(), "repeat_contact".to_owned()];
        let (one, none) = (vec!["repeat_contact".to_owned()], Vec::new());
        assert_eq!(
            topics(&mut store, &CallFilter::default()),
            [none, one.clone(), both.clone(), both.clone()]
        );
        assert_eq!(topics(&mut store, &of(Topic::Cancel)), [both.clone(), both.clone()]);
        assert_eq!(topics(&mut store, &of(Topic::RepeatContact)), [one, both.clone(), both]);
        assert_eq!(topics(&mut store, &of(Topic::Legal)), Vec::<Vec<String>>::new());

        let day = BEGAN / DAY_MS;
        let sum = |topic: &str, team: &str, calls: u64| TopicSum {
            topic: topic.to_owned(),
            team: team.to_owned(),
            calls,
            upset: calls,
            recovered: calls,
            agents: calls,
        };
        let sums =
            [sum("cancel", "north", 2), sum("repeat_contact", "north", 2), sum("repeat_contact", "", 1)];
        assert_eq!(store.topic_sums(day, day).unwrap(), sums);
        assert_eq!(store.topic_sums(day + 1, day + 9).unwrap(), []);
        let mut csv = Vec::new();
        assert_eq!(store.export(Table::Topics, &mut csv).unwrap(), 3);
        let csv = String::from_utf8(csv).unwrap();
        assert!(csv.contains(&format!("{day},cancel,north,2,2,2,2")), "{csv}");
        let mut csv = Vec::new();
        store.export(Table::Calls, &mut csv).unwrap();
        assert!(String::from_utf8(csv).unwrap().contains(",cancel repeat_contact\n"));
        // The same events once more change nothing.
        store.rewind("").unwrap();
        feed(&mut store, &spool);
        assert_eq!(store.topic_sums(day, day).unwrap(), sums);
    });
}

#[test]
fn an_objection_erases_topics_too() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, labelled(&mut call, labels("billing", "2001", "north", "")));
        append(&mut spool, [named(&mut call, 92, Topic::Cancel)]);
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        assert_eq!(store.topic_sums(0, u64::MAX >> 1).unwrap().len(), 1);
        let refused = call.tell(Duration::from_secs(140), consent(State::OptedOut));
        let erasure = Item::Erasure(refused.call.id, refused.seq);
        append(&mut spool, [refused]);
        spool.write(&Batch { lost: 0, items: vec![erasure] }, at(0)).unwrap();
        feed(&mut store, &spool);
        assert!(!store.has_topics().unwrap());
        assert_eq!(store.topic_sums(0, u64::MAX >> 1).unwrap(), []);
        let left = dump(&mut store);
        assert!(!left.contains(PHRASE) && !left.contains("cancel"), "{left}");
    });
}

/// Words go before the call's course does; that it was named, in a word of a list of ten, stays with the call.
#[test]
fn words_have_a_time_of_their_own() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for number in 0..2 {
            let mut call = narrator(u128::from(number), number * DAY_MS);
            append(&mut spool, labelled(&mut call, labels("billing", "2001", "north", "")));
            append(&mut spool, [named(&mut call, 92, Topic::Cancel), alert(&mut call, 93)]);
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let kept = |days: u32| StoreConfig { keep_words_days: days, ..config.clone() };
        let told = |store: &mut Store| dump(store).matches(PHRASE).count();
        let alerts = dump(&mut store).matches("\"\"phase\"\"").count();
        // The phrase of a topic and that of an alert in each call.
        assert_eq!(told(&mut store), 4);
        store.expire(&kept(0), at(30 * DAY_MS)).unwrap();
        assert_eq!(told(&mut store), 4, "0 keeps them as long as the rest");
        store.expire(&kept(2), at(2 * DAY_MS + 1)).unwrap();
        assert_eq!(told(&mut store), 2, "the older call's are gone");
        store.expire(&kept(2), at(3 * DAY_MS + 1)).unwrap();
        assert_eq!(told(&mut store), 0);
        assert_eq!(topics(&mut store, &of(Topic::Cancel)).len(), 2);
        assert_eq!(dump(&mut store).matches("\"\"phase\"\"").count(), alerts, "alerts stay");
        let id = store.calls(&CallFilter::default(), 1).unwrap()[0].id.clone();
        assert_eq!(store.call(&id).unwrap().unwrap().affect.len(), 3);
        if let Some(path) = &config.path {
            for suffix in ["", "-wal"] {
                let bytes = std::fs::read(format!("{}{suffix}", path.display())).unwrap_or_default();
                assert!(!bytes.windows(PHRASE.len()).any(|it| it == PHRASE.as_bytes()), "{suffix}");
            }
        }
    });
}

#[test]
fn a_store_of_version_6_gets_the_topics_of_its_events() {
    on_each(|config, _| {
        if let Some(path) = &config.path {
            crate::database::Sqlite::make(path).unwrap();
        }
        let mut old = Store::attach(config).unwrap();
        old.database.settle().unwrap();
        schema::forward(old.database.as_mut(), "it", 6, &mut |_| {}).unwrap();
        let sql = r#"INSERT INTO calls (id, sip_call_id, trunk, direction, started, seq)
                     VALUES ('A', 'a', 'north', 'inbound', 1728000000, 9), ('B', 'b', 'north', 'inbound', 5, 9);
                     INSERT INTO events (call, seq, at, kind, data) VALUES
                     ('A', 1, 0, 'words.topic', '{"topic":"thanks","phrase":"x"}'),
                     ('A', 2, 0, 'words.topic', '{"topic":"cancel","phrase":"x"}'),
                     ('A', 3, 0, 'words.topic', '{"topic":"cancel","phrase":"x"}'),
                     ('B', 1, 0, 'call.started', '{}');"#;
        old.database.batch(sql).unwrap();
        drop(old);
        assert_eq!(Store::migrate(config, &mut |_| {}).unwrap(), (6, schema::VERSION));
        let mut store = Store::open(config).unwrap();
        let calls = topics(&mut store, &CallFilter::default());
        assert_eq!(calls, [vec!["cancel".to_owned(), "thanks".to_owned()], Vec::new()]);
        store.sum_stale_days().unwrap();
        assert_eq!(store.topic_sums(0, 100).unwrap().len(), 2);
    });
}
