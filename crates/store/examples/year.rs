//! Fills an SQLite store with a year of made-up calls and times what pages ask: `cargo run --release -p sidetone-store
//! --example year -- 10000` makes 10,000 calls a day. The figures in docs/STORE.md are its output.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::time::Instant;

use rusqlite::{Connection, params};
use sidetone_call::Topic;
use sidetone_events::Timestamp;
use sidetone_spool::{Spool, SpoolConfig};
use sidetone_store::{CallFilter, CallLength, Feed, Feeder, Grouping, Outcome, Role, Store, StoreConfig};

const DAY_MS: u64 = 86_400_000;
const DAYS: u64 = 365;
/// Times each question is asked; the median is told.
const ROUNDS: usize = 9;

fn main() {
    let a_day: u64 = std::env::args().nth(1).map_or(10_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let config =
        StoreConfig { keep_calls_days: 0, keep_timelines_days: 0, ..StoreConfig::in_file(path.clone()) };
    drop(Store::create(&config).unwrap());
    let began = Instant::now();
    fill(&Connection::open(&path).unwrap(), a_day);
    let spool = folder.path().join("spool.db");
    let spooled: SpoolConfig = toml::from_str(&format!("path = {spool:?}")).unwrap();
    let writer = Spool::start(&spooled).unwrap();
    let feeder = Feeder::start(Feed { store: config.clone(), spool, node: None }).unwrap();
    let mut store = Store::open(&config).unwrap();
    while store.days(0, u64::MAX).unwrap().iter().map(|day| day.calls).sum::<u64>() < DAYS * a_day {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    drop(feeder);
    writer.close();
    let status = store.status().unwrap();
    println!(
        "{} calls, {} moments and events, {:.0} MB, filled and summed in {:.0} s",
        status.calls,
        status.events,
        status.bytes as f64 / 1e6,
        began.elapsed().as_secs_f64()
    );
    let last = DAYS * DAY_MS;
    let any = CallFilter::default;
    let questions = [
        ("the newest hundred calls", any()),
        ("calls that are up", CallFilter { up: Some(true), ..any() }),
        ("upset, the newest hundred", CallFilter { outcome: Some(Outcome::Upset), ..any() }),
        ("declined, the newest hundred", CallFilter { outcome: Some(Outcome::Declined), ..any() }),
        (
            "recovered, in one month",
            CallFilter {
                outcome: Some(Outcome::Recovered),
                from: Some(last / 2),
                until: Some(last / 2 + 30 * DAY_MS),
                ..any()
            },
        ),
        ("a trunk that has one call", CallFilter { trunk: Some("rare".to_owned()), ..any() }),
        ("a number", CallFilter { number: Some(number(4_711)), ..any() }),
        ("a number that never called", CallFilter { number: Some("f".repeat(24)), ..any() }),
        ("a queue", CallFilter { queue: Some("queue 3".to_owned()), ..any() }),
        ("an agent", CallFilter { agent: Some("2042".to_owned()), ..any() }),
        ("an agent who left", CallFilter { agent: Some("1".to_owned()), ..any() }),
        (
            "a team's upset calls",
            CallFilter { outcome: Some(Outcome::Upset), team: Some("team 3".to_owned()), ..any() },
        ),
        ("a rare tier", CallFilter { tier: Some("bereavement".to_owned()), ..any() }),
        (
            "a rare tier of a queue",
            CallFilter { tier: Some("bereavement".to_owned()), queue: Some("queue 7".to_owned()), ..any() },
        ),
        ("the middle of the list", CallFilter { until: Some(last / 2), ..any() }),
        ("a topic", CallFilter { topic: Some(Topic::Cancel), ..any() }),
        ("a topic that nobody named", CallFilter { topic: Some(Topic::Legal), ..any() }),
        (
            "a topic of a team's upset calls",
            CallFilter {
                topic: Some(Topic::Cancel),
                team: Some("team 3".to_owned()),
                outcome: Some(Outcome::Upset),
                ..any()
            },
        ),
        (
            "improved, of an agent",
            CallFilter { outcome: Some(Outcome::Improved), agent: Some("2042".to_owned()), ..any() },
        ),
        ("five to fifteen minutes", CallFilter { length: Some(CallLength::ToFifteen), ..any() }),
        (
            "under a minute, of which there are none",
            CallFilter { length: Some(CallLength::UnderOne), ..any() },
        ),
        (
            "five to fifteen minutes, of an agent",
            CallFilter { length: Some(CallLength::ToFifteen), agent: Some("2042".to_owned()), ..any() },
        ),
        ("outgoing, of which there are none", CallFilter { direction: Some("outbound".to_owned()), ..any() }),
        (
            "outgoing of a trunk, of which there are none",
            CallFilter { direction: Some("outbound".to_owned()), trunk: Some("north".to_owned()), ..any() },
        ),
        (
            "outgoing of a queue, of which there are none",
            CallFilter { direction: Some("outbound".to_owned()), queue: Some("queue 3".to_owned()), ..any() },
        ),
        (
            "outgoing and upset, of which there are none",
            CallFilter { direction: Some("outbound".to_owned()), outcome: Some(Outcome::Upset), ..any() },
        ),
    ];
    for (what, filter) in questions {
        tell(what, || store.calls(&filter, 100).unwrap().len());
    }
    let id = store.calls(&any(), 1).unwrap()[0].id.clone();
    tell("one call with its timeline", || store.call(&id).unwrap().unwrap().affect.len());
    for by in Grouping::ALL {
        tell(&format!("the sums of the year by {}", by.name()), || store.days_by(by, 0, DAYS).unwrap().len());
    }
    pages(&mut store, &id);
    let most = MOST.lock().unwrap().clone();
    println!("the longest: {} in {:.1} ms", most.0, most.1);
}

/// What the pages ask beside lists of calls and sums of days.
fn pages(store: &mut Store, id: &str) {
    tell("live: the calls that are up", || store.live(500).unwrap().len());
    for by in Grouping::ALL {
        tell(&format!("the choices of {}", by.name()), || store.labels(by).unwrap().len());
    }
    tell("whether there are topics", || usize::from(store.has_topics().unwrap()));
    tell("the year's cues", || store.told_cues((0, DAYS), DAYS).unwrap().len());
    tell("the year's topics", || store.told_topics((0, DAYS), DAYS).unwrap().len());
    tell("the year's comparison of cues", || store.told_holdout((0, DAYS), DAYS).unwrap().len());
    tell("consent of four weeks", || store.days(DAYS - 28, DAYS).unwrap().len());
    tell("the log of accesses", || store.accesses(50, None).unwrap().len());
    tell("erasures", || store.erasures(20).unwrap().len());
    let now = Timestamp::from_unix_millis(DAYS * DAY_MS);
    let made = store.create_token("supervisor", Role::Supervisor, None, now).unwrap();
    let (secret, supervisor) = (made.secret, made.token);
    tell("who has a token", || usize::from(store.token(&secret, now).unwrap().is_some()));
    let session = store.begin_session(&supervisor, now).unwrap();
    tell("who has a session", || usize::from(store.session(&session, now).unwrap().is_some()));
    tell("kept filters", || store.seen_by(&supervisor).filters().unwrap().len());
    tell("a call as a supervisor sees it", || {
        usize::from(store.seen_by(&supervisor).call(id, now).unwrap().is_some())
    });
    tell("a call's notes", || store.seen_by(&supervisor).notes(id, now).unwrap().unwrap().len());
    let ada = "2042".parse().unwrap();
    let agent = store.create_agent_token("agent", &ada, None, now).unwrap().token;
    tell("an agent's own calls", || {
        store.seen_by(&agent).calls(&CallFilter::default(), 50, now).unwrap().len()
    });
}

/// The question that took longest, by its median.
static MOST: std::sync::Mutex<(String, f64)> = std::sync::Mutex::new((String::new(), 0.0));

fn tell(what: &str, mut ask: impl FnMut() -> usize) {
    let mut rows = 0;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            rows = ask();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[ROUNDS / 2];
    println!("{what:34} {rows:5} rows {median:8.1} ms (most {:.1})", times[ROUNDS - 1]);
    let mut most = MOST.lock().unwrap();
    if median > most.1 {
        *most = (what.to_owned(), median);
    }
}

fn millis(value: u64) -> i64 {
    i64::try_from(value).unwrap()
}

fn number(customer: u64) -> String {
    format!("{customer:024x}")
}

/// Calls spread evenly over each day. One in ten is upset, one in five was shown a cue, one in twenty named a topic,
/// and a tenth of the calls with a cue was drawn not to be shown it; some forty moments each for those of the last day
/// alone, since a timeline is found by its call however many others there are. A thousand looks a day are noted.
fn fill(connection: &Connection, a_day: u64) {
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
    let sql = "INSERT INTO calls (id, sip_call_id, trunk, direction, caller, callee, started, answered, ended, cause,
                   consent, policy, alerts, calmed, alert, valence_start, valence_end, shift, speech_ms, judged_ms, seq,
                   queue, agent, team, tier, topics, worded, withheld)
               VALUES (?1, ?2, ?3, 'inbound', ?4, ?5, ?6, ?7, ?8, 'hangup', 'given', 'notice', ?9, ?10, ?11, ?12, ?13,
                   ?14, 90000, 60000, 120, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
    let mut calls = connection.prepare(sql).unwrap();
    let sql = "INSERT INTO affect (call, seq, at, valence, arousal, distress, confidence) VALUES (?1, ?2, ?3, 0, 0, 0, 0.5)";
    let mut affect = connection.prepare(sql).unwrap();
    let sql = "INSERT INTO cues (call, number, agent, cue, line, at, cleared, adopted, recovered, withheld)
               VALUES (?1, 1, ?2, ?3, 'A line.', 20000, 'expired', 1, 0, ?4)";
    let mut cues = connection.prepare(sql).unwrap();
    let sql =
        "INSERT INTO accesses (time, token, name, action, subject) VALUES (?1, 't', 'n', 'call.read', ?2)";
    let mut accesses = connection.prepare(sql).unwrap();
    for call in 0..DAYS * a_day {
        let started = call * DAY_MS / a_day;
        let id = format!("{call:026}");
        let upset = call % 10 == 3;
        let calmed = call % 20 == 3;
        let shift = (call * 7_919 % 1_000) as f64 / 1_000.0 * 0.4 - 0.19;
        let trunk = if call == 5 { "rare" } else { ["north", "south"][usize::from(call % 2 == 0)] };
        let up = call + 100 >= DAYS * a_day;
        let agent = (2_000 + call * 7_919 % 300).to_string();
        let cued = call % 5 == 2;
        let withheld = cued.then_some(u8::from(call % 50 == 2));
        let topics = match call % 20 {
            11 => Some("cancel"),
            12 => Some("complaint refund"),
            _ => None,
        };
        calls
            .execute(params![
                id,
                format!("{call}@example.org"),
                trunk,
                number(call * 2_654_435_761 % 500_000),
                number(9_000_000 + call % 20),
                millis(started),
                millis(started + 5_000),
                (!up).then_some(millis(started + 300_000)),
                u8::from(upset),
                u8::from(calmed),
                (upset && !calmed).then_some("frustration"),
                0.1,
                0.1 + shift,
                shift,
                format!("queue {}", call % 12),
                agent,
                format!("team {}", call * 7_919 % 300 / 20),
                (call % 1_000 == 7).then_some("bereavement"),
                topics,
                topics.map(|_| 1),
                withheld,
            ])
            .unwrap();
        if cued {
            cues.execute(params![id, agent, format!("cue-{}", call % 20), withheld]).unwrap();
        }
        if call % 10 == 0 {
            accesses.execute(params![millis(started), id]).unwrap();
        }
        if call / a_day == DAYS - 1 {
            for moment in 1..=40 {
                affect.execute(params![id, moment, moment * 2_000]).unwrap();
            }
        }
    }
    for day in 0..DAYS {
        connection.execute("INSERT INTO stale_days (day) VALUES (?1)", [millis(day)]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}
