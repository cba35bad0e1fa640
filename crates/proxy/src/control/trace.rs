//! `trace`: the messages of calls and what happened between them, a JSON object a line, in the order of their times.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sidetone_events::{Kind, Published};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Failure, answer};
use crate::calls::{CallView, NotOne};
use crate::server::Shared;
use crate::trace::{Traced, Wanted};

/// Calls that one trace may take up.
pub(super) const MOST_CALLS: usize = 1_000;
/// Messages and events come by two ways; for so long one waits for an earlier one of the other.
const SETTLE: Duration = Duration::from_millis(150);
/// After a call's end, for so long what is still said of it is waited for.
const LINGER: Duration = Duration::from_secs(2);
/// Events that wait for the message that says whose they are.
const MOST_STRAYS: usize = 512;

/// The first line of a trace.
#[derive(Debug, Serialize)]
#[serde(tag = "trace", rename_all = "kebab-case")]
enum Opening {
    /// The call that is traced, as it stands. What came before is not known: nobody looked.
    Call {
        call: usize,
        #[serde(flatten)]
        view: Box<CallView>,
    },
    /// So many calls are waited for.
    Waiting { calls: usize },
}

/// A call of the trace.
struct Lane {
    /// Its Call-ID, as its events show it.
    in_events: String,
    started: bool,
    /// `call.ended` has come.
    ended: bool,
    /// Its signalling is over.
    over: bool,
    last: Instant,
    closed: bool,
}

impl Lane {
    fn new(in_events: String, started: bool) -> Self {
        Self { in_events, started, ended: false, over: false, last: Instant::now(), closed: false }
    }

    fn is_done(&self) -> bool {
        (self.ended || self.over && !self.started) && self.last.elapsed() > LINGER
    }
}

/// Follows what is asked for until it is over, or the client has gone.
pub(super) async fn trace(
    shared: &Shared,
    id: Option<&str>,
    next: usize,
    client: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    // Before the look-up, so that an end in between is not missed.
    let mut events = shared.tail();
    let (wanted, opening, most, mut lanes) = match id {
        Some(id) => {
            let known = shared.calls().find(id).and_then(|view| {
                let raw = shared.calls().raw_id(&view.id).ok_or_else(|| NotOne::Unknown(id.to_owned()))?;
                Ok((raw, view))
            });
            let (raw, view) = match known {
                Ok(known) => known,
                Err(error) => return answer(writer, &Failure { error: error.to_string() }).await,
            };
            let lanes = vec![Lane::new(view.sip_call_id.clone(), true)];
            (Wanted::Call(raw), Opening::Call { call: 1, view: Box::new(view) }, 1, lanes)
        }
        None => (Wanted::Next(next), Opening::Waiting { calls: next }, next, Vec::new()),
    };
    let Some(mut messages) = shared.trace(wanted) else {
        let error = "as many traces as may be are under way; end one of them".to_owned();
        return answer(writer, &Failure { error }).await;
    };
    answer(writer, &opening).await?;
    let mut waiting: Vec<(u64, Instant, String)> = Vec::new();
    let mut strays: VecDeque<(Instant, Arc<Published>)> = VecDeque::new();
    let mut tick = tokio::time::interval(SETTLE / 3);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return Ok(()) };
                note_message(&mut lanes, &message);
                let line = serde_json::to_string(&message)?;
                waiting.push((message.time.unix_millis(), Instant::now(), line));
            }
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                if strays.len() >= MOST_STRAYS {
                    strays.pop_front();
                }
                strays.push_back((Instant::now(), event));
            }
            // Nothing more is asked on this connection: whatever comes is the end, or is passed over.
            read = client.read(&mut rest) => if read? == 0 { return Ok(()) },
            _ = tick.tick() => {}
        }
        strays.retain(|(came, event)| match note_event(&mut lanes, event) {
            Some(line) => {
                waiting.push((event.event.time.unix_millis(), *came, line));
                false
            }
            None => came.elapsed() < SETTLE * 4,
        });
        waiting.sort_by_key(|(time, ..)| *time);
        let ready = waiting.iter().take_while(|(_, came, _)| came.elapsed() >= SETTLE).count();
        for (_, _, line) in waiting.drain(..ready) {
            writer.write_all(line.as_bytes()).await?;
            writer.write_all(b"\n").await?;
        }
        for (index, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| !lane.closed) {
            if lane.is_done() && waiting.is_empty() {
                lane.closed = true;
                let line = format!("{{\"trace\":\"ended\",\"call\":{}}}\n", index + 1);
                writer.write_all(line.as_bytes()).await?;
            }
        }
        if lanes.len() >= most && lanes.iter().all(|lane| lane.closed) {
            return Ok(());
        }
    }
}

fn note_message(lanes: &mut Vec<Lane>, message: &Traced) {
    let index = message.call.saturating_sub(1);
    while lanes.len() <= index {
        lanes.push(Lane::new(message.in_events.clone(), false));
    }
    if let Some(lane) = lanes.get_mut(index) {
        lane.last = Instant::now();
        lane.closed = false;
        if message.begins {
            // Asked for credentials, or sent elsewhere, it is tried again.
            lane.over = false;
        }
        lane.over |= message.ends;
    }
}

/// The line of an event, if it is one of a call that is traced.
fn note_event(lanes: &mut [Lane], event: &Published) -> Option<String> {
    let id = event.event.call.sip_call_id.as_str();
    let (index, lane) = lanes.iter_mut().enumerate().find(|(_, lane)| lane.in_events == id)?;
    lane.last = Instant::now();
    match event.event.kind() {
        Kind::CallStarted => lane.started = true,
        Kind::CallEnded => lane.ended = true,
        _ => {}
    }
    Some(format!("{{\"trace\":\"event\",\"call\":{},\"event\":{}}}", index + 1, event.json))
}
