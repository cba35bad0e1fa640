//! How fast events come into a store: `cargo run --release -p sidetone-store --example pace -- 2000` spools the events
//! of 2,000 made-up calls, 200 up at once, and times until an SQLite store has them. A folder behind the number is one
//! whose `store.db` they are written into (a year's: see `year`), a connection string a PostgreSQL. The figures in
//! docs/STORE.md are its output.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use sidetone_call::{Cause, CustomerOnly, Label, Labels, Modality};
use sidetone_consent::{Policy, Source, State};
use sidetone_events::{
    CallAnswered, CallEnded, CallId, CallRef, CallStarted, ConsentChanged, Direction, Event, Happening,
    Narrator, NumberHasher, Parties, Timestamp,
};
use sidetone_insight::{AffectUpdate, Conduct, State as Feeling, Trend};
use sidetone_spool::{Batch, Item, SpoolFile};
use sidetone_store::{Feed, Feeder, Store, StoreConfig};

/// Calls that are up at once.
const AT_ONCE: u64 = 200;
/// A call lasts so long.
const LASTS: u64 = 120;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let calls: u64 = arguments.next().map_or(2_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = match arguments.next() {
        Some(connection) if connection.contains('=') => {
            let config = StoreConfig::in_file(folder.path().join("none"));
            StoreConfig { path: None, postgres: Some(connection), ..config }
        }
        Some(other) => StoreConfig::in_file(std::path::Path::new(&other).join("store.db")),
        None => StoreConfig::in_file(folder.path().join("store.db")),
    };
    // Nothing is deleted meanwhile.
    let config = StoreConfig { keep_calls_days: 0, keep_timelines_days: 0, keep_words_days: 0, ..config };
    drop(Store::create(&config).unwrap());
    let spool = folder.path().join("spool.db");
    let spooled = spool_calls(&spool, calls);
    let began = Instant::now();
    let node = Some("pace".parse().unwrap());
    let feeder = Feeder::start(Feed { store: config.clone(), spool, node }).unwrap();
    while feeder.counters().written < spooled {
        std::thread::sleep(Duration::from_millis(5));
    }
    let took = began.elapsed().as_secs_f64();
    println!("{spooled} events of {calls} calls in {took:.2} s: {:.0} a second", spooled as f64 / took);
    drop(feeder);
    println!("with the sums of their day: {:.2} s", began.elapsed().as_secs_f64());
}

/// Spools the events of calls in the order of time, 200 at once; how many there are.
fn spool_calls(path: &std::path::Path, calls: u64) -> u64 {
    let mut spool = SpoolFile::create(path).unwrap();
    let hasher = NumberHasher::with_random_salt().unwrap();
    let now = Timestamp::now();
    let mut spooled = 0;
    for batch in 0..calls.div_ceil(AT_ONCE) {
        let numbers = batch * AT_ONCE..((batch + 1) * AT_ONCE).min(calls);
        let mut up: Vec<(u64, Narrator)> =
            numbers.map(|number| (number, narrator(&hasher, now, number))).collect();
        for second in 0..=LASTS {
            let events = up.iter_mut().flat_map(|(number, call)| events(call, *number, second));
            let items: Vec<Item> = events.map(|event| Item::Event(Box::new(event))).collect();
            spooled += items.len() as u64;
            spool.write(&Batch { lost: 0, items }, now).unwrap();
        }
    }
    spooled
}

fn narrator(hasher: &NumberHasher, now: Timestamp, number: u64) -> Narrator {
    let caller = format!("+4930{:07}", number % 5_000);
    let parties = Parties { caller: &caller, callee: "+49800555000" };
    let id = CallId::new(now, u128::from(number));
    let call = CallRef::new(hasher, id, &format!("{number}@x"), "carrier", Direction::Inbound, parties);
    Narrator::new(call.on(Some("pace".parse().unwrap())), now)
}

/// What is told of a call in one second: half of its speech is the customer's, and how both talk comes every five.
fn events(call: &mut Narrator, number: u64, second: u64) -> Vec<Event> {
    let at = Duration::from_secs(second);
    let label = |text: String| -> Option<Label> { Some(text.parse().unwrap()) };
    let happened: Vec<Happening> = match second {
        0 => vec![CallStarted { analysed: false, signalling: None }.into()],
        1 => {
            let agent = number % 300;
            let (agent, team) = (label((2_000 + agent).to_string()), label(format!("team {}", agent / 20)));
            let queue = label(format!("queue {}", number % 12));
            vec![Labels { queue, agent, team, ..Labels::default() }.into()]
        }
        4 => vec![CallAnswered { waited: at, signalling: None }.into()],
        5 => {
            let (state, policy, by) = (State::Given, Policy::Notice, Source::Policy);
            vec![ConsentChanged { state, policy, by, erased: false }.into()]
        }
        LASTS => {
            let (cause, by, sip_status) = (Cause::Hangup, None, None);
            vec![CallEnded { cause, by, sip_status, summary: None, media: None }.into()]
        }
        _ => {
            let update = AffectUpdate {
                leg: CustomerOnly,
                modality: Modality::Voice,
                valence: 0.1,
                arousal: 0.2,
                distress: 0.3,
                confidence: 0.8,
                state: Feeling::Neutral,
                trend: Trend::Steady,
                relative: None,
                classes: [].into(),
                speech: at,
                estimates: 2,
                abstained: 0,
            };
            let moment = Happening::AffectUpdate(update);
            let conduct = || Happening::Conduct(Conduct { overlap: at, ..Conduct::default() });
            let told = if second.is_multiple_of(5) { vec![moment, conduct()] } else { vec![moment] };
            if second % 2 == number % 2 { told } else { told.into_iter().skip(1).collect() }
        }
    };
    happened.into_iter().map(|happening| call.tell(at, happening)).collect()
}
