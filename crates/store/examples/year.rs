//! Fills an SQLite store with a year of made-up calls and times what pages ask: `cargo run --release -p sidetone-store
//! --example year -- 10000` makes 10,000 calls a day. A folder behind the number keeps the store: a year that lies
//! there is brought forward and asked, and not made anew. A connection string behind the folder has the year copied
//! into that PostgreSQL, if it is empty, and asked there. The figures in docs/STORE.md are its output.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::path::Path;
use std::time::Instant;

use futures_util::SinkExt;
use rusqlite::types::ValueRef;
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
    let mut arguments = std::env::args().skip(1);
    let a_day: u64 = arguments.next().map_or(10_000, |text| text.parse().unwrap());
    let passing = tempfile::tempdir().unwrap();
    let folder = arguments.next().map_or_else(|| passing.path().to_owned(), std::path::PathBuf::from);
    let path = folder.join("store.db");
    let config =
        StoreConfig { keep_calls_days: 0, keep_timelines_days: 0, ..StoreConfig::in_file(path.clone()) };
    let began = Instant::now();
    if path.exists() {
        Store::migrate(&config, &mut |making| {
            println!("{:6.1} s: schema {}, {}", began.elapsed().as_secs_f64(), making.version, making.what);
        })
        .unwrap();
    } else {
        make(&config, &folder, a_day);
    }
    let config = arguments.next().map_or(config, |connection| copy(&path, &connection));
    let mut store = Store::open(&config).unwrap();
    let status = store.status().unwrap();
    println!(
        "{} calls, {} moments and events, {:.0} MB, made in {:.0} s",
        status.calls,
        status.events,
        status.bytes as f64 / 1e6,
        began.elapsed().as_secs_f64()
    );
    let year = Year::of(&mut store);
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
                from: Some(year.middle()),
                until: Some(year.middle() + 30 * DAY_MS),
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
        ("the middle of the list", CallFilter { until: Some(year.middle()), ..any() }),
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
        (
            "upset, of a queue without such",
            CallFilter { outcome: Some(Outcome::Upset), queue: Some("queue 9".to_owned()), ..any() },
        ),
        (
            "declined, of a team without such",
            CallFilter { outcome: Some(Outcome::Declined), team: Some("team 7".to_owned()), ..any() },
        ),
        (
            "a team in a queue where it has none",
            CallFilter { team: Some("team 3".to_owned()), queue: Some("queue x".to_owned()), ..any() },
        ),
        (
            "from fifteen minutes, of a queue without such",
            CallFilter { length: Some(CallLength::FromFifteen), queue: Some("queue 9".to_owned()), ..any() },
        ),
        (
            "from fifteen minutes, outgoing",
            CallFilter {
                length: Some(CallLength::FromFifteen),
                direction: Some("outbound".to_owned()),
                ..any()
            },
        ),
        (
            "one to five minutes, outgoing",
            CallFilter { length: Some(CallLength::ToFive), direction: Some("outbound".to_owned()), ..any() },
        ),
        ("five to fifteen minutes", CallFilter { length: Some(CallLength::ToFifteen), ..any() }),
        ("under a minute", CallFilter { length: Some(CallLength::UnderOne), ..any() }),
        (
            "one to five minutes, of a trunk without such",
            CallFilter { length: Some(CallLength::ToFive), trunk: Some("none".to_owned()), ..any() },
        ),
        (
            "improved, of a trunk without such",
            CallFilter { outcome: Some(Outcome::Improved), trunk: Some("rare".to_owned()), ..any() },
        ),
        (
            "improved, outgoing of a trunk",
            CallFilter {
                outcome: Some(Outcome::Improved),
                trunk: Some("north".to_owned()),
                direction: Some("outbound".to_owned()),
                ..any()
            },
        ),
        ("the service's own number", CallFilter { number: Some(number(9_000_003)), ..any() }),
        (
            "outgoing ones of the service's own number",
            CallFilter { number: Some(number(9_000_003)), direction: Some("outbound".to_owned()), ..any() },
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
    let now = Timestamp::now();
    let supervisor = store.create_token("asking", Role::Supervisor, None, now).unwrap().token;
    for (what, filter) in questions {
        let mut looked_back_to = None;
        tell(what, || {
            let part = store.seen_by(&supervisor).calls(&filter, 100, now).unwrap();
            looked_back_to = part.looked_back_to;
            part.calls.len()
        });
        if let Some(back) = looked_back_to {
            let days = (year.0 + DAYS * DAY_MS).saturating_sub(back) / DAY_MS;
            println!("{:34}  looked back {days} days: to be gone on from there", "");
        }
    }
    let id = store.calls(&any(), 1).unwrap()[0].id.clone();
    tell("one call with its timeline", || store.call(&id).unwrap().unwrap().affect.len());
    for by in Grouping::ALL {
        tell(&format!("the sums of the year by {}", by.name()), || {
            store.days_by(by, year.first(), year.last()).unwrap().len()
        });
    }
    pages(&mut store, &id, year);
    let most = MOST.lock().unwrap().clone();
    println!("the longest: {} in {:.1} ms", most.0, most.1);
}

/// A year by its first millisecond, which is a midnight.
#[derive(Clone, Copy)]
struct Year(u64);

impl Year {
    /// The one whose last day was yesterday.
    fn up_to_yesterday() -> Self {
        Self((Timestamp::now().unix_millis() / DAY_MS - DAYS) * DAY_MS)
    }

    /// The one of a store that was filled before.
    fn of(store: &mut Store) -> Self {
        let newest = store.calls(&CallFilter::default(), 1).unwrap()[0].started;
        Self((newest / DAY_MS + 1 - DAYS) * DAY_MS)
    }

    fn first(self) -> u64 {
        self.0 / DAY_MS
    }

    fn last(self) -> u64 {
        self.first() + DAYS - 1
    }

    fn middle(self) -> u64 {
        self.0 + DAYS * DAY_MS / 2
    }
}

/// Fills a store, and has its days summed up as the running program does.
fn make(config: &StoreConfig, folder: &Path, a_day: u64) {
    drop(Store::create(config).unwrap());
    fill(&Connection::open(config.path.as_ref().unwrap()).unwrap(), a_day, Year::up_to_yesterday());
    let spool = folder.join("spool.db");
    let spooled: SpoolConfig = toml::from_str(&format!("path = {spool:?}")).unwrap();
    let writer = Spool::start(&spooled).unwrap();
    let feeder = Feeder::start(Feed { store: config.clone(), spool, node: None }).unwrap();
    let mut store = Store::open(config).unwrap();
    while store.days(0, u64::MAX).unwrap().iter().map(|day| day.calls).sum::<u64>() < DAYS * a_day {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    drop(feeder);
    writer.close();
}

/// What the pages ask beside lists of calls and sums of days.
fn pages(store: &mut Store, id: &str, year: Year) {
    let (days, today) = ((year.first(), year.last()), year.last() + 1);
    tell("live: the calls that are up", || store.live(500).unwrap().len());
    for by in Grouping::ALL {
        tell(&format!("the choices of {}", by.name()), || store.labels(by).unwrap().len());
    }
    tell("whether there are topics", || usize::from(store.has_topics().unwrap()));
    tell("the year's cues", || store.told_cues(days, today).unwrap().len());
    tell("the year's topics", || store.told_topics(days, today).unwrap().len());
    tell("the year's comparison of cues", || store.told_holdout(days, today).unwrap().len());
    tell("consent of four weeks", || store.days(year.last() - 27, year.last()).unwrap().len());
    tell("the log of accesses", || store.accesses(50, None).unwrap().len());
    tell("erasures", || store.erasures(20).unwrap().len());
    let now = Timestamp::now();
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
        store.seen_by(&agent).calls(&CallFilter::default(), 50, now).unwrap().calls.len()
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

/// Numbers that look random and are the same each time: labels, topics and cues must not go by each other.
fn lot(call: u64, of: u64) -> u64 {
    let mixed = (call ^ (of << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

/// Calls spread evenly over each day. One in ten is upset, but none of queue 9; one in five was shown a cue,
/// one in ten named a topic; one in twenty lasts fifteen minutes or more, but none of queue 9; none of team 7 declines;
/// and a tenth of the calls with a cue was drawn not to be shown it; some forty moments each for those of the last day
/// alone, since a timeline is found by its call however many others there are. A thousand looks a day are noted.
fn fill(connection: &Connection, a_day: u64, year: Year) {
    // Indexes that are made once all rows are there take a fifth of the time.
    let sql =
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'calls' AND sql IS NOT NULL";
    let indexes: Vec<(String, String)> = {
        let mut asked = connection.prepare(sql).unwrap();
        asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}")).unwrap();
    }
    let sql = "INSERT INTO calls (id, sip_call_id, trunk, direction, caller, callee, started, answered, ended, cause,
                   consent, policy, alerts, calmed, alert, valence_start, valence_end, shift, speech_ms, judged_ms, seq,
                   queue, agent, team, tier, topics, worded, withheld, node)
               VALUES (?1, ?2, ?3, 'inbound', ?4, ?5, ?6, ?7, ?8, 'hangup', 'given', 'notice', ?9, ?10, ?11, ?12, ?13,
                   ?14, 90000, 60000, 120, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
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
        let started = year.0 + call * DAY_MS / a_day;
        let id = format!("{call:026}");
        let queue = call % 12;
        let worker = lot(call, 1) % 300;
        let upset = lot(call, 2) % 10 == 3 && queue != 9;
        let calmed = upset && lot(call, 3).is_multiple_of(2);
        let lowest = if worker / 20 == 7 { 0.0 } else { -0.19 };
        let shift = (lot(call, 4) % 1_000) as f64 / 1_000.0 * (0.21 - lowest) + lowest;
        let lasted = match lot(call, 5) % 20 {
            0 if queue != 9 => 1_000_000,
            1..=4 => 500_000,
            5..=6 => 40_000,
            _ => 250_000,
        };
        let trunk = if call == 5 { "rare" } else { ["north", "south"][usize::from(call % 2 == 0)] };
        let up = call + 100 >= DAYS * a_day;
        let agent = (2_000 + worker).to_string();
        let cued = call % 5 == 2;
        let withheld = cued.then_some(u8::from(call % 50 == 2));
        let topics = match lot(call, 6) % 20 {
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
                (!up).then_some(millis(started + 5_000 + lasted)),
                u8::from(upset),
                u8::from(calmed),
                (upset && !calmed).then_some("frustration"),
                0.1,
                0.1 + shift,
                shift,
                format!("queue {queue}"),
                agent,
                format!("team {}", worker / 20),
                (call % 1_000 == 7).then_some("bereavement"),
                topics,
                topics.map(|_| 1),
                withheld,
                // Of another node than the one that feeds, which ends what it finds up at its start.
                up.then_some("B"),
            ])
            .unwrap();
        if cued {
            cues.execute(params![id, agent, format!("cue-{}", lot(call, 7) % 20), withheld]).unwrap();
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
        connection
            .execute("INSERT INTO stale_days (day) VALUES (?1)", [millis(year.0 / DAY_MS + day)])
            .unwrap();
    }
    for (_, sql) in &indexes {
        connection.execute_batch(sql).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// The tables of a year, those that others refer to first.
const TABLES: [&str; 9] =
    ["calls", "cues", "affect", "accesses", "days", "topic_days", "cue_days", "cue_weeks", "holdout_days"];

/// Copies a year into an empty PostgreSQL; the configuration that names it.
fn copy(from: &Path, to: &str) -> StoreConfig {
    let config = StoreConfig {
        path: None,
        postgres: Some(to.to_owned()),
        keep_calls_days: 0,
        keep_timelines_days: 0,
        ..StoreConfig::in_file(from.to_owned())
    };
    let mut store = Store::create(&config).unwrap();
    if store.calls(&CallFilter::default(), 1).unwrap().is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let began = Instant::now();
        runtime.block_on(copy_all(&Connection::open(from).unwrap(), to));
        println!("copied into PostgreSQL in {:.0} s", began.elapsed().as_secs_f64());
    }
    config
}

async fn copy_all(from: &Connection, to: &str) {
    let (client, connection) = tokio_postgres::connect(to, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // As with SQLite, indexes are made once all rows are there.
    let sql = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'calls' AND indexname <> 'calls_pkey'";
    let indexes = client.query(sql, &[]).await.unwrap();
    for index in &indexes {
        client.batch_execute(&format!("DROP INDEX {}", index.get::<_, &str>(0))).await.unwrap();
    }
    for table in TABLES {
        let mut asked = from.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let (columns, width) = (asked.column_names().collect::<Vec<_>>().join(", "), asked.column_count());
        let sql = format!("COPY {table} ({columns}) FROM STDIN");
        let sink = client.copy_in::<_, std::io::Cursor<Vec<u8>>>(&sql).await.unwrap();
        let mut sink = std::pin::pin!(sink);
        let mut rows = asked.query([]).unwrap();
        let mut text = String::new();
        while let Some(row) = rows.next().unwrap() {
            // Nothing that is made up here has a character that COPY reads otherwise.
            let values = (0..width).map(|column| match row.get_ref(column).unwrap() {
                ValueRef::Null => "\\N".to_owned(),
                ValueRef::Integer(value) => value.to_string(),
                ValueRef::Real(value) => value.to_string(),
                other => other.as_str().unwrap().to_owned(),
            });
            text.push_str(&values.collect::<Vec<_>>().join("\t"));
            text.push('\n');
            if text.len() > 1 << 20 {
                sink.send(std::io::Cursor::new(std::mem::take(&mut text).into_bytes())).await.unwrap();
            }
        }
        sink.send(std::io::Cursor::new(text.into_bytes())).await.unwrap();
        sink.finish().await.unwrap();
    }
    for index in &indexes {
        client.batch_execute(index.get::<_, &str>(1)).await.unwrap();
    }
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
}
