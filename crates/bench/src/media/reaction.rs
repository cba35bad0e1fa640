//! Reaction: how long after the end of what it rests on an estimate reaches whoever reads events.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::generator::{self, Leg, Plan};
use super::sidetone::{Disclosure, Sidetone};
use super::{Relay, Speech, periods};
use crate::program::Stage;
use crate::settings::Settings;

/// How long the calls are spoken in.
const SPOKEN: Duration = Duration::from_secs(20);
/// How long the reader waits for a line before it looks whether the calls are over.
const PATIENCE: Duration = Duration::from_millis(200);

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) calls: usize,
    /// `affect.update` events that came.
    pub(crate) events: usize,
    /// From the arrival of the newest packet that an estimate rests on to the event at its reader, in ms: median and
    /// percentiles.
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) most_ms: f64,
    pub(crate) lost: u64,
}

/// What is read of an event.
#[derive(Debug, Deserialize)]
struct Event {
    /// When it happened: the end of the sound that the estimate rests on, by its packets' arrival.
    time: String,
}

/// Sets calls up that are listened to, has their parties speak, and reads the stream of events meanwhile.
pub(crate) fn measure(settings: &Settings, stage: &Stage) -> anyhow::Result<Run> {
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let speech = Speech::load(&settings.speech)?;
    let mut sidetone =
        Sidetone::start(&settings.sidetone, Disclosure::GivenUpstream, "off", None, stage, dir.path())?;
    let calls = settings.reacting_calls;
    let mut legs = Vec::with_capacity(calls * 2);
    for call in 0..calls {
        let (mut trunk, mut pbx) = (Leg::open(crate::place::TRUNK)?, Leg::open(crate::place::PBX)?);
        let doors =
            sidetone.connect(trunk.address()?, pbx.address()?).with_context(|| format!("call {call}"))?;
        trunk.aim(doors.trunk, Arc::clone(&speech.customer), call * 37);
        pbx.aim(doors.pbx, Arc::clone(&speech.agent), call * 37);
        legs.push(trunk);
        legs.push(pbx);
    }
    let plan = Plan { warm_up: periods(settings.warm_up), window: periods(SPOKEN) };
    let at = sidetone.http();
    let over = AtomicBool::new(false);
    let (travelled, mut delays) = std::thread::scope(|scope| {
        let driver = scope.spawn(|| {
            let driven = stage.enter_as_driver().and_then(|()| generator::drive(&mut legs, plan, || Ok(())));
            over.store(true, Relaxed);
            driven
        });
        let reader = scope.spawn(|| {
            stage.enter_as_driver()?;
            read(at, &over)
        });
        let delays = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        let travelled = driver.join().map_err(|_| anyhow::anyhow!("the generator panicked"))??;
        anyhow::Ok((travelled, delays))
    })?;
    sidetone.hang_up()?;
    anyhow::ensure!(!delays.is_empty(), "no event came");
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = ((delays.len() as f64 * share) as usize).min(delays.len() - 1);
        delays.get(place).copied().unwrap_or_default()
    };
    Ok(Run {
        calls,
        events: delays.len(),
        p50_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        most_ms: at(1.0),
        lost: travelled.lost,
    })
}

/// Reads events until the calls are over, and gives for each how old it was, in ms.
fn read(at: SocketAddr, over: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET /events?kind=affect.update HTTP/1.1\r\nHost: sidetone\r\nAccept: text/event-stream\r\n\r\n"
    )?;
    let (mut lines, mut line, mut delays) = (BufReader::new(stream), String::new(), Vec::new());
    while !over.load(Relaxed) {
        match lines.read_line(&mut line) {
            Ok(0) => anyhow::bail!("the stream of events has ended"),
            Ok(_) => {}
            // What has come of the line stays in it.
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(error) => return Err(error).context("the stream of events"),
        }
        if let Some(json) = line.strip_prefix("data:") {
            let now = generator::wall_clock()? as f64 / 1e6;
            let event: Event = serde_json::from_str(json.trim())?;
            let then = milliseconds(&event.time).with_context(|| format!("no time: {}", event.time))?;
            delays.push(now - then as f64);
        }
        line.clear();
    }
    Ok(delays)
}

/// Milliseconds since 1970 of `2026-03-01T09:31:11.125Z`. Days by Howard Hinnant's count, in which years begin in
/// March.
fn milliseconds(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let millis = number(20..23)?;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(milliseconds("1970-01-01T00:00:00.000Z"), Some(0));
        assert_eq!(milliseconds("2000-02-29T23:59:59.999Z"), Some(951_868_799_999));
        assert_eq!(milliseconds("2026-03-01T09:31:11.125Z"), Some(1_772_357_471_125));
        assert_eq!(milliseconds("soon"), None);
    }
}
