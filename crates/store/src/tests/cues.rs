//! Cues: what is kept of them, for which reader, and what is summed up.

use std::time::Duration;

use sidetone_consent::State;
use sidetone_events::{CueAcknowledged, CueDismissed, Event, Narrator};
use sidetone_insight::cues::{Cause, Cleared, CueCleared, CueJudged, CueShown, CueWithheld};
use sidetone_spool::{Batch, Item};

use super::labels::{labelled, labels};
use super::{DAY_MS, dump};
use crate::cues::{self, CueSum, KeptCue};
use crate::groups;
use crate::query::CallFilter;
use crate::store::Store;
use crate::testing::{BEGAN, append, at, consent, feed, narrator, on_each, spool, whole_call};
use crate::{HoldoutSum, Role, Survey, Table, schema};

const LINE: &str = "A line that no other text has";

fn shown(cue: &str, number: u32) -> CueShown {
    CueShown {
        cue: cue.to_owned(),
        number,
        line: LINE.to_owned(),
        reason: None,
        language: "en".to_owned(),
        others: [].into(),
        priority: 500,
        expires: Duration::from_secs(20),
        because: vec![Cause { condition: "agent_pace > 190".to_owned(), value: Some(201.0) }],
        compared: false,
    }
}

/// A cue of a call from its showing to what followed, in the call's last seconds.
fn a_cue(call: &mut Narrator, number: u32, adopted: Option<bool>, dismissed: bool) -> Vec<Event> {
    let cue = || "slow-down".to_owned();
    let seconds = |second: u32| Duration::from_secs(u64::from(second));
    let mut events = vec![call.tell(seconds(100 + number), shown(&cue(), number))];
    events.push(call.tell(seconds(101 + number), CueAcknowledged { cue: cue(), number, after: seconds(1) }));
    if dismissed {
        events.push(call.tell(seconds(102 + number), CueDismissed { cue: cue(), number, shown: seconds(2) }));
    }
    let why = if dismissed { Cleared::Dismissed } else { Cleared::Passed };
    events.push(call.tell(seconds(103 + number), CueCleared { cue: cue(), number, why, shown: seconds(3) }));
    events.push(call.tell(
        seconds(130 + number),
        CueJudged { cue: cue(), number, adopted, recovered: adopted.map(|adopted| !adopted) },
    ));
    events
}

#[test]
fn what_a_cue_did_is_shown_to_the_calls_own_agent_alone() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, labelled(&mut call, labels("billing", "2001", "north", "")));
        append(&mut spool, a_cue(&mut call, 1, Some(true), true));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let id = store.calls(&CallFilter::default(), 1).unwrap()[0].id.clone();
        let agent = "2001".parse().unwrap();
        let own = store.create_agent_token("Ada", &agent, None, at(0)).unwrap().token;
        let cues = store.seen_by(&own).call(&id, at(0)).unwrap().unwrap().cues;
        let [cue] = cues.as_slice() else { panic!("{cues:?}") };
        let kept = KeptCue {
            number: 1,
            cue: "slow-down".to_owned(),
            line: LINE.to_owned(),
            at_ms: 101_000,
            cleared: Some("dismissed".to_owned()),
            acknowledged: true,
            dismissed: true,
            adopted: Some(true),
            recovered: Some(false),
        };
        assert_eq!(*cue, kept);
        // Whoever takes the call over is shown their own.
        append(&mut spool, [call.tell(Duration::from_secs(140), labels("billing", "2002", "north", ""))]);
        append(&mut spool, a_cue(&mut call, 50, None, false));
        feed(&mut store, &spool);
        let agent = "2002".parse().unwrap();
        let next = store.create_agent_token("Ben", &agent, None, at(0)).unwrap().token;
        let cues = store.seen_by(&next).call(&id, at(0)).unwrap().unwrap().cues;
        assert_eq!(cues.iter().map(|cue| cue.number).collect::<Vec<_>>(), [50]);
        for role in [Role::Supervisor, Role::Integration] {
            let token = store.create_token(role.name(), role, None, at(0)).unwrap().token;
            let seen = store.seen_by(&token).call(&id, at(0)).unwrap().unwrap();
            assert!(seen.cues.is_empty());
            let kinds: Vec<&str> = seen.events.iter().map(|event| event.kind.as_str()).collect();
            assert!(kinds.ends_with(&["cue.shown", "call.labelled", "cue.shown"]), "{kinds:?}");
        }
        let all = dump(&mut store);
        assert!(
            !["acknowledged", "dismissed", "adopted"].iter().any(|word| all.contains(word)),
            "no export has an agent's answers"
        );
    });
}

#[test]
fn cues_are_summed_up_by_rule_and_team() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for (number, team, agent) in [(1, "north", "2001"), (2, "north", "2002"), (3, "", "2003")] {
            let mut call = narrator(number, 0);
            let of = labels("billing", agent, team, "");
            append(&mut spool, labelled(&mut call, of));
            append(&mut spool, a_cue(&mut call, 1, Some(number == 1), false));
            append(&mut spool, a_cue(&mut call, 2, None, number == 2));
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let day = BEGAN / DAY_MS;
        let sum = |team: &str, shown: u64, dismissed: u64, adopted: u64, agents: u64| CueSum {
            cue: "slow-down".to_owned(),
            team: team.to_owned(),
            shown,
            acknowledged: shown,
            dismissed,
            judged: shown / 2,
            adopted,
            upset: shown / 2,
            recovered: shown / 2 - adopted,
            agents,
        };
        assert_eq!(store.cue_sums(day, day).unwrap(), [sum("north", 4, 1, 1, 2), sum("", 2, 0, 0, 1)]);
        assert_eq!(store.cue_sums(day + 1, day + 9).unwrap(), []);
        // The same events once more change nothing.
        store.rewind("").unwrap();
        feed(&mut store, &spool);
        assert_eq!(store.cue_sums(day, day).unwrap().len(), 2);
        assert_eq!(store.cue_sums(day, day).unwrap()[0].shown, 4);
    });
}

/// A whole call whose first cue was shown or withheld by lot, and then followed or not.
fn compared(number: u128, withheld: bool, followed: bool) -> Vec<Event> {
    let mut call = narrator(number, 0);
    let seconds = Duration::from_secs;
    let mut events = whole_call(&mut call);
    let mut end = events.pop().unwrap();
    events.push(call.tell(
        seconds(62),
        labels("billing", if number.is_multiple_of(2) { "2001" } else { "2002" }, "", ""),
    ));
    // One that is always shown makes nothing comparable, in either.
    let mut always = shown("condolence", 1);
    always.compared = false;
    events.push(call.tell(seconds(63), always));
    events.push(if withheld {
        call.tell(seconds(64), CueWithheld { cue: "slow-down".to_owned(), number: 2, priority: 500 })
    } else {
        call.tell(seconds(64), CueShown { compared: true, ..shown("slow-down", 2) })
    });
    let judged =
        |number, adopted| CueJudged { cue: "slow-down".to_owned(), number, adopted, recovered: None };
    events.push(call.tell(seconds(80), judged(1, Some(!followed))));
    events.push(call.tell(seconds(80), judged(2, Some(followed))));
    end.seq = events.last().unwrap().seq + 1;
    events.push(end);
    events
}

#[test]
fn calls_whose_cues_were_withheld_are_summed_up_beside_those_whose_cues_were_shown() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for number in 0..6 {
            append(&mut spool, compared(number, number < 2, number != 1));
        }
        // No cue came due: the call is of neither kind.
        append(&mut spool, whole_call(&mut narrator(7, 0)));
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        let id = store.calls(&CallFilter::default(), 9).unwrap().into_iter().map(|call| call.id);
        let ids: Vec<String> = id.collect();
        let agent = "2001".parse().unwrap();
        let own = store.create_agent_token("Ada", &agent, None, at(0)).unwrap().token;
        let crm = store.create_token("crm", Role::Integration, None, at(0)).unwrap().token;
        let mut mine = 0;
        for id in &ids {
            let survey = Survey { empathy: Some(4), resolved: None, comment: None };
            store.seen_by(&crm).add_survey(id, &survey, at(0)).unwrap();
            let Some(call) = store.seen_by(&own).call(id, at(0)).unwrap() else { continue };
            mine += 1;
            assert!(call.cues.iter().all(|cue| !cue.line.is_empty()), "what was withheld is shown to nobody");
            assert!(call.events.iter().all(|event| event.kind != "cue.withheld"));
        }
        assert_eq!(mine, 3);
        store.sum_stale_days().unwrap();
        let day = BEGAN / DAY_MS;
        let sums = store.holdout_sums(day, day).unwrap();
        let [shown, withheld] = sums.as_slice() else { panic!("{sums:?}") };
        let counted =
            |sum: &HoldoutSum| (sum.withheld, sum.calls, sum.agents, sum.judged, sum.adopted, sum.upset);
        assert_eq!(counted(shown), (false, 4, 2, 4, 4, 4));
        assert_eq!(counted(withheld), (true, 2, 2, 2, 1, 2));
        assert_eq!((withheld.recovered, withheld.shifts, withheld.handled), (2, 2, 2));
        // Answered after five seconds, over after ninety.
        assert_eq!((withheld.handled_sum, withheld.handled_squares), (170.0, 14_450.0));
        assert_eq!((shown.surveys, shown.empathy_sum, shown.empathy_squares), (4, 16.0, 64.0));
        assert_eq!(store.cue_sums(day, day).unwrap().iter().map(|sum| sum.shown).sum::<u64>(), 10);
        assert!(!dump(&mut store).contains("cue.withheld"));
        assert_eq!(store.holdout_sums(day + 1, day + 9).unwrap(), []);
    });
}

#[test]
fn an_objection_takes_a_call_out_of_the_comparison() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut events = compared(1, true, true);
        let end = events.pop().unwrap();
        let mut refused = end.clone();
        refused.happening = consent(State::OptedOut);
        let (of, before) = (refused.call.id, refused.seq);
        events.push(refused);
        append(&mut spool, events);
        spool.write(&Batch { lost: 0, items: vec![Item::Erasure(of, before)] }, at(0)).unwrap();
        append(&mut spool, [Event { seq: before + 1, ..end }]);
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        assert_eq!(store.holdout_sums(0, u64::MAX >> 1).unwrap(), []);
    });
}

#[test]
fn an_objection_erases_cues_too() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        let mut call = narrator(1, 0);
        append(&mut spool, labelled(&mut call, labels("billing", "2001", "north", "")));
        append(&mut spool, a_cue(&mut call, 1, Some(true), false));
        let refused = call.tell(Duration::from_secs(140), consent(State::OptedOut));
        let (of, before) = (refused.call.id, refused.seq);
        append(&mut spool, [refused]);
        spool.write(&Batch { lost: 0, items: vec![Item::Erasure(of, before)] }, at(0)).unwrap();
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        assert!(!dump(&mut store).contains(LINE));
        assert_eq!(store.cues_of(&of.to_string(), "2001").unwrap(), []);
        assert_eq!(store.cue_sums(0, u64::MAX >> 1).unwrap(), []);
        let mut events = Vec::new();
        store.export(Table::Events, &mut events).unwrap();
        assert!(!String::from_utf8(events).unwrap().contains("cue."));
    });
}

/// Days of a table of sums, written by hand: the day, the rule, the team, how many, and agents.
fn days(store: &mut Store, rows: &[(u64, &str, &str, u64, u64)]) {
    insert_days(store, rows);
    for (day, ..) in rows {
        cues::sum_week(store.database.as_mut(), i64::try_from(*day).unwrap()).unwrap();
    }
}

fn insert_days(store: &mut Store, rows: &[(u64, &str, &str, u64, u64)]) {
    for (day, cue, team, shown, agents) in rows {
        let sql = "INSERT INTO cue_days (day, cue, team, shown, acknowledged, dismissed, judged, adopted, upset, recovered,
                       agents) VALUES ($1, $2, $3, $4, 0, 0, $4, $4, 0, 0, $5)";
        let values = [(*day).into(), (*cue).into(), (*team).into(), (*shown).into(), (*agents).into()];
        store.database.execute(sql, &values).unwrap();
    }
}

/// Five weeks and a half of two teams: days that are groups, days whose week is one without them, and others.
fn five_weeks() -> Vec<(u64, &'static str, &'static str, u64, u64)> {
    let teams = || (0..).zip(["north", "south"]);
    let days = (365..404).flat_map(|day| teams().map(move |(number, team)| (day, number, team)));
    days.map(|(day, number, team): (u64, u64, &str)| {
        let mixed = (day * 31 + number * 17) % 23;
        (day, "slow-down", team, 1 + mixed % 13, mixed % 5)
    })
    .collect()
}

#[test]
fn weeks_of_a_store_without_them_are_summed_up_as_it_is_brought_forward() {
    on_each(|config, _| {
        if let Some(path) = &config.path {
            crate::database::Sqlite::make(path).unwrap();
        }
        let mut old = Store::attach(config).unwrap();
        old.database.settle().unwrap();
        schema::forward(old.database.as_mut(), "it", 10, &mut |_| {}).unwrap();
        insert_days(&mut old, &five_weeks());
        drop(old);
        Store::migrate(config, &mut |_| {}).unwrap();
        let mut store = Store::open(config).unwrap();
        let mut weeks = || -> Vec<Vec<String>> {
            let sql = "SELECT CAST(week AS TEXT), team, CAST(shown AS TEXT), CAST(judged AS TEXT), CAST(agents AS TEXT)
                       FROM cue_weeks ORDER BY week, team";
            let rows = store.database.query(sql, &[]).unwrap();
            let weeks =
                rows.iter().map(|row| (0..5).map(|column| row.text(column).unwrap()).collect()).collect();
            for day in 365..404 {
                cues::sum_week(store.database.as_mut(), day).unwrap();
            }
            weeks
        };
        let brought = weeks();
        assert!(brought.len() > 8, "{brought:?}");
        assert_eq!(brought, weeks());
    });
}

#[test]
fn weeks_that_are_summed_up_tell_what_their_days_tell() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        days(&mut store, &five_weeks());
        let day_by_day = format!(
            "{} SELECT team, CAST(SUM(shown) AS BIGINT), CAST(MAX(agents_of_day) AS BIGINT) FROM told
             GROUP BY team ORDER BY 2 DESC, team",
            groups::told("cue_days", "cue, team", "shown")
        );
        let mut telling = 0;
        for (first, last, today) in (363..402)
            .flat_map(|first| (first..402).flat_map(move |last| [(first, last, 390), (first, last, 500)]))
        {
            let expected = store.database.query(&day_by_day, &groups::days(first, last, today)).unwrap();
            let expected: Vec<(String, i64, i64)> = expected
                .iter()
                .map(|row| (row.text(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap()))
                .collect();
            let told = store.told_cues((first, last), today).unwrap();
            let signed = |value: u64| i64::try_from(value).unwrap();
            let told: Vec<(String, i64, i64)> =
                told.into_iter().map(|sum| (sum.team, signed(sum.shown), signed(sum.agents))).collect();
            assert_eq!(told, expected, "{first} to {last}, before {today}");
            telling += told.len();
        }
        assert!(telling > 1_000);
    });
}

#[test]
fn no_two_ranges_of_cues_differ_by_less_than_a_group() {
    on_each(|config, _| {
        let mut store = Store::create(config).unwrap();
        // 4 January 1971 was a Monday.
        const MONDAY: u64 = 368;
        days(
            &mut store,
            &[
                (MONDAY, "slow-down", "north", 8, 3),
                (MONDAY, "slow-down", "south", 8, 3),
                (MONDAY + 1, "slow-down", "north", 12, 4),
                // The rest of the week: a cue a day, and together a group.
                (MONDAY + 2, "slow-down", "north", 4, 3),
                (MONDAY + 3, "slow-down", "north", 5, 3),
                (MONDAY + 4, "slow-down", "north", 3, 3),
                // A week that has too few, one of two agents, and today.
                (MONDAY + 7, "slow-down", "north", 9, 5),
                (MONDAY + 14, "slow-down", "north", 40, 2),
                (MONDAY + 21, "slow-down", "north", 40, 5),
            ],
        );
        let today = MONDAY + 21;
        let mut told = |first, last| -> Vec<(String, u64)> {
            let sums = store.told_cues((first, last), today).unwrap();
            sums.into_iter().map(|sum| (sum.team, sum.shown)).collect()
        };
        let north = |shown| vec![("north".to_owned(), shown)];
        // Not even both teams together: less the sum of one that is told, it would be the other's.
        assert_eq!(told(MONDAY, MONDAY), []);
        assert_eq!(told(MONDAY, MONDAY + 1), north(12));
        // One day more or less of the rest tells nothing: the whole week does.
        for last in 2..6 {
            assert_eq!(told(MONDAY, MONDAY + last), north(12), "{last}");
        }
        assert_eq!(told(MONDAY, MONDAY + 6), north(32));
        assert_eq!(told(MONDAY + 1, MONDAY + 6), north(12));
        assert_eq!(told(MONDAY, today + 5), north(32), "today grows cue by cue");
        assert_eq!(told(0, u64::MAX), north(32));
    });
}
