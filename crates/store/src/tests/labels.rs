//! What calls are labelled with, and sums by label.

use std::time::Duration;

use sidetone_call::Labels;
use sidetone_events::{Event, Narrator};

use crate::query::{CallFilter, CallLength, Grouping, REST};
use crate::store::Store;
use crate::testing::{append, at, feed, narrator, on_each, spool, unheard_call, whole_call};

use super::DAY_MS;

pub(super) fn labels(queue: &str, agent: &str, team: &str, tier: &str) -> Labels {
    let label = |text: &str| text.parse().ok();
    Labels {
        queue: label(queue),
        agent: label(agent),
        team: label(team),
        tier: label(tier),
        ..Labels::default()
    }
}

/// A whole call with these labels.
pub(super) fn labelled(call: &mut Narrator, labels: Labels) -> Vec<Event> {
    let mut events = whole_call(call);
    events.push(call.tell(Duration::from_secs(91), labels));
    events
}

#[test]
fn a_calls_labels_are_the_last_that_were_told() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, labelled(&mut call, labels("sales", "2001", "", "vip")));
        let mut all = labels("billing", "2002", "north", "");
        all.call_type = "refund".parse().ok();
        all.language = "de".parse().ok();
        append(&mut spool, [call.tell(Duration::from_secs(92), all)]);
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let [call] = store.calls(&CallFilter::default(), 2).unwrap().try_into().unwrap();
        let told = [&call.queue, &call.agent, &call.team, &call.tier, &call.call_type, &call.language];
        let told: Vec<_> = told.into_iter().map(Option::as_deref).collect();
        let refund = Some("refund");
        assert_eq!(told, [Some("billing"), Some("2002"), Some("north"), None, refund, Some("de")]);
        assert_eq!(store.call(&call.id).unwrap().unwrap().events.last().unwrap().kind, "call.labelled");
    });
}

#[test]
fn calls_are_found_by_their_labels() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for (number, of) in (1..).zip([
            labels("billing", "2001", "north", "vip"),
            labels("billing", "2002", "north", ""),
            labels("sales", "2001", "south", ""),
            Labels::default(),
        ]) {
            append(&mut spool, labelled(&mut narrator(number, 0), of));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let mut found = |filter: CallFilter| store.calls(&filter, 100).unwrap().len();
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(found(CallFilter { queue: of("billing"), ..CallFilter::default() }), 2);
        assert_eq!(found(CallFilter { agent: of("2001"), ..CallFilter::default() }), 2);
        assert_eq!(found(CallFilter { team: of("south"), ..CallFilter::default() }), 1);
        assert_eq!(found(CallFilter { tier: of("vip"), ..CallFilter::default() }), 1);
        let both = CallFilter { queue: of("billing"), agent: of("2001"), ..CallFilter::default() };
        assert_eq!(found(both), 1);
        for nobody in ["", "Billing", "billing' OR '1' = '1", "%"] {
            assert_eq!(found(CallFilter { queue: of(nobody), ..CallFilter::default() }), 0, "{nobody}");
        }
        assert_eq!(store.labels(Grouping::Queue).unwrap(), ["billing", "sales"]);
    });
}

#[test]
fn each_grouping_has_every_call_once() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for number in 0..60_u32 {
            // Sixty queues: two calls of the first one, and one without.
            let queue = match number {
                0 | 1 => "often".to_owned(),
                2 => String::new(),
                number => format!("queue {number:02}"),
            };
            let of = labels(&queue, "2001", "north", if number < 20 { "vip" } else { "" });
            append(&mut spool, labelled(&mut narrator(u128::from(number), u64::from(number)), of));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        for by in Grouping::ALL {
            let days = store.days_by(by, 0, u64::MAX).unwrap();
            assert_eq!(days.iter().map(|day| day.calls).sum::<u64>(), 60, "{by:?}");
            assert_eq!(days.iter().map(|day| day.upset).sum::<u64>(), 60, "{by:?}");
        }
        let queues = store.days_by(Grouping::Queue, 0, u64::MAX).unwrap();
        let calls = |label: &str| queues.iter().find(|day| day.label == label).map(|day| day.calls);
        assert_eq!(queues.len(), 51, "fifty labels, and the rest");
        assert_eq!((calls("often"), calls(""), calls(REST)), (Some(2), Some(1), Some(9)));
        let tiers = store.days_by(Grouping::Tier, 0, u64::MAX).unwrap();
        let tiers: Vec<_> = tiers.iter().map(|day| (day.label.as_str(), day.calls)).collect();
        assert_eq!(tiers, [("", 40), ("vip", 20)]);
    });
}

#[test]
fn callers_who_call_again_within_seven_days_were_not_helped() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        // All from one number: the second six days after the first, the third eight days after the second.
        for (number, day) in [(1, 0), (2, 6), (3, 14)] {
            let of = labels(&format!("queue {number}"), "", "", "");
            append(&mut spool, labelled(&mut narrator(number, day * DAY_MS), of));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let told = |store: &mut Store, day: u64| -> Vec<_> {
            store.follow_days(at(day * DAY_MS)).unwrap();
            store.sum_stale_days().unwrap();
            let days = store.days_by(Grouping::Queue, 0, u64::MAX).unwrap();
            days.iter().map(|day| (day.followed, day.repeated, day.settled, day.resolved)).collect()
        };
        let unknown = (0, 0, 0, 0);
        assert_eq!(told(&mut store, 7), [unknown, unknown, unknown], "the seven days are not over");
        assert_eq!(told(&mut store, 8), [(1, 1, 1, 0), unknown, unknown]);
        assert_eq!(told(&mut store, 30), [(1, 1, 1, 0), (1, 0, 1, 1), (1, 0, 1, 1)]);
    });
}

#[test]
fn calls_are_found_by_their_length() {
    // An index is found by its very words.
    assert!(crate::schema::STEPS.iter().any(|step| step.contains(crate::query::LENGTH)));
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for (number, seconds) in [(1, 59), (2, 60), (3, 299), (4, 300), (5, 900), (6, 9_000)] {
            let mut narrator = narrator(number, 0);
            append(&mut spool, unheard_call(&mut narrator, Duration::from_secs(seconds)));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let counts = CallLength::ALL.map(|length| {
            let filter = CallFilter { length: Some(length), ..CallFilter::default() };
            store.calls(&filter, 10).unwrap().len()
        });
        assert_eq!(counts, [1, 2, 1, 2]);
    });
}
