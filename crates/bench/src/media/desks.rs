//! Agents' pages: what it costs that each of many calls is followed on a desk, by the page's own stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::generator::{self, Leg, PERIOD, Plan};
use super::sidetone::{Disclosure, Sidetone};
use super::{Relay, Speech, periods};
use crate::cpu::Busy;
use crate::program::Stage;
use crate::settings::Settings;

/// How long the store may take to know all calls.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the streams.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) calls: usize,
    pub(crate) desks: usize,
    /// CPU ms a second: of the whole program, and of what neither relays nor hears.
    pub(crate) whole_ms: f64,
    pub(crate) rest_ms: f64,
    /// Messages a second that each desk was sent, and bytes.
    pub(crate) messages: f64,
    pub(crate) bytes: f64,
    /// Packets lost on the way through.
    pub(crate) lost: u64,
}

/// The same calls without a desk, and with one for each.
pub(crate) fn measure(settings: &Settings, stage: &Stage) -> anyhow::Result<[Run; 2]> {
    let speech = Speech::load(&settings.speech)?;
    Ok([one(settings, stage, &speech, 0)?, one(settings, stage, &speech, settings.desks)?])
}

fn one(settings: &Settings, stage: &Stage, speech: &Speech, desks: usize) -> anyhow::Result<Run> {
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let (spool, store) = (dir.path().join("spool.db"), dir.path().join("store.db"));
    let more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
    let mut sidetone = Sidetone::start_with(
        &settings.sidetone,
        Disclosure::GivenUpstream,
        "off",
        None,
        stage,
        dir.path(),
        &more,
    )?;
    let calls = settings.desks;
    let mut legs = Vec::with_capacity(calls * 2);
    for call in 0..calls {
        let (mut trunk, mut pbx) = (Leg::open(crate::place::TRUNK)?, Leg::open(crate::place::PBX)?);
        let doors =
            sidetone.connect(trunk.address()?, pbx.address()?).with_context(|| format!("call {call}"))?;
        trunk.aim(doors.trunk, Arc::clone(&speech.customer), call * 37);
        pbx.aim(doors.pbx, Arc::clone(&speech.agent), call * 37);
        legs.extend([trunk, pbx]);
    }
    let http = sidetone.http();
    let ids = ids(settings, &store, http, calls)?;
    let socket = dir.path().join("control.sock");
    for (number, id) in ids.iter().enumerate() {
        run(settings, &["tell", id, "agent", &name(number), "--socket", &socket.to_string_lossy()])?;
    }
    let mut streams = Vec::with_capacity(desks);
    for number in 0..desks {
        streams.push(open(settings, &store, http, number)?);
    }
    let (stop, messages, bytes) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let plan = Plan { warm_up: periods(settings.warm_up), window: periods(settings.window) };
    let (pid, mut edges) = (sidetone.id(), Vec::new());
    let travelled = std::thread::scope(|scope| {
        scope.spawn(|| read(&mut streams, &stop, &messages, &bytes));
        let driver = scope.spawn(|| {
            stage.enter_as_driver()?;
            generator::drive(&mut legs, plan, || {
                edges.push((Busy::of(pid)?, messages.load(Relaxed), bytes.load(Relaxed)));
                Ok(())
            })
        });
        let travelled = driver.join().map_err(|_| anyhow::anyhow!("the generator panicked"));
        stop.store(true, Relaxed);
        travelled?
    })?;
    sidetone.hang_up()?;
    let [begin, end] = edges.as_slice() else { anyhow::bail!("the window was not measured") };
    let spent = end.0.since(&begin.0);
    let seconds = (PERIOD * plan.window).as_secs_f64();
    let rest = spent.total().saturating_sub(sidetone.relaying(&spent) + sidetone.hearing(&spent));
    let each = |count: u64| count as f64 / seconds / desks.max(1) as f64;
    Ok(Run {
        calls,
        desks,
        whole_ms: spent.total().as_secs_f64() * 1e3 / seconds,
        rest_ms: rest.as_secs_f64() * 1e3 / seconds,
        messages: each(end.1 - begin.1),
        bytes: each(end.2 - begin.2),
        lost: travelled.lost,
    })
}

fn name(number: usize) -> String {
    format!("a{number}")
}

/// Runs the binary's command line; what it printed.
fn run(settings: &Settings, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(&settings.sidetone).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The ids of all calls that are up, once the store knows them.
fn ids(settings: &Settings, store: &Path, http: SocketAddr, calls: usize) -> anyhow::Result<Vec<String>> {
    let file = store.to_string_lossy();
    let token = run(settings, &["token", "create", "bench", "--role", "integration", "--store", &file])?;
    let begun = Instant::now();
    loop {
        let head =
            format!("GET /api/v1/calls?up=true&limit=500 HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
        let (_, body) = exchange(http, &head, "")?;
        let list: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let listed = list.get("calls").and_then(|it| it.as_array()).cloned().unwrap_or_default();
        if listed.len() >= calls {
            let id = |call: &serde_json::Value| call.get("id").and_then(|it| it.as_str()).map(str::to_owned);
            return Ok(listed.iter().filter_map(id).collect());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the store has {} of {calls} calls", listed.len());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// An agent signs in and opens the stream of their desk. Each comes from an address of its own, as behind a proxy.
fn open(settings: &Settings, store: &Path, http: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let (label, file) = (name(number), store.to_string_lossy());
    let arguments = ["token", "create", &label, "--role", "agent", "--agent", &label, "--store", &file];
    let token = run(settings, &arguments)?;
    let from = format!("X-Forwarded-For: 198.51.{}.{}\r\n", 100 + number / 250, number % 250 + 1);
    let form = format!("token={token}&next=/desk");
    let head = format!(
        "POST /sign-in HTTP/1.1\r\n{from}Origin: http://sidetone\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
        form.len()
    );
    let (head, _) = exchange(http, &head, &form)?;
    let cookie = head
        .lines()
        .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")))
        .and_then(|(_, value)| value.split(';').next())
        .with_context(|| format!("the sign-in of {label} was answered: {head}"))?;
    let mut stream = TcpStream::connect(http)?;
    write!(stream, "GET /desk/stream HTTP/1.1\r\nHost: sidetone\r\n{from}Cookie: {cookie}\r\n\r\n")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut first = [0; 12];
    stream.read_exact(&mut first).with_context(|| format!("desk {number} was not answered"))?;
    anyhow::ensure!(first == *b"HTTP/1.1 200", "desk {number}: {}", String::from_utf8_lossy(&first));
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Head and body of an answer that is not a stream.
fn exchange(http: SocketAddr, head: &str, body: &str) -> anyhow::Result<(String, String)> {
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "{head}Host: sidetone\r\nConnection: close\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok((head.to_owned(), body.to_owned()))
}

/// Takes what the streams bring until it is told to stop.
fn read(streams: &mut [TcpStream], stop: &AtomicBool, messages: &AtomicU64, bytes: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Relaxed) {
        for stream in streams.iter_mut() {
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => {
                        let part = buffer.get(..length).unwrap_or_default();
                        // A message ends with an empty line; axum writes each in one piece.
                        let ends = part.windows(2).filter(|pair| *pair == b"\n\n").count();
                        messages.fetch_add(ends as u64, Relaxed);
                        bytes.fetch_add(length as u64, Relaxed);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
