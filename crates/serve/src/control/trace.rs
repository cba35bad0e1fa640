//! `trace`: the messages of calls with the events in between, a JSON object a line, in order of time.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sidetone_events::{Kind, Published};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Failure, Served, answer};
use sidetone_book::{CallView, NotOne};
use sidetone_proxy::trace::{Traced, Wanted};

/// Most calls that one trace may take up.
pub(super) const MOST_CALLS: usize = 1_000;
/// Messages and events come by two paths: how long one waits for an earlier one of the other.
const SETTLE: Duration = Duration::from_millis(150);
/// How long late messages and events are waited for after a call's end.
const LINGER: Duration = Duration::from_secs(2);
/// The most by which an event's time may lie before its cause's message, in microseconds.
const CUT_OFF: u64 = 1_999;
/// Most events that wait for the message that identifies their call.
const MOST_STRAYS: usize = 512;

/// The first line of a trace.
#[derive(Debug, Serialize)]
#[serde(tag = "trace", rename_all = "kebab-case")]
enum Opening {
    /// The traced call in its present state. Earlier messages are unknown: they were not traced.
    Call {
        call: usize,
        #[serde(flatten)]
        view: Box<CallView>,
    },
    /// Waiting for this many calls.
    Waiting { calls: usize },
}

/// A line that waits for earlier ones.
struct Waiting {
    /// In microseconds since 1970.
    at: u64,
    came: Instant,
    said: Said,
}

enum Said {
    Message(String),
    /// The event's call.
    Event(usize, Arc<Published>),
}

impl Waiting {
    /// The line's position. An event's time is its call's beginning plus its time in the call, each cut to the
    /// millisecond, so it is early by up to two; and the event follows the message that caused it.
    fn place(&self) -> (u64, bool) {
        match self.said {
            Said::Message(_) => (self.at, false),
            Said::Event(..) => (self.at.saturating_add(CUT_OFF), true),
        }
    }

    /// The line; an event's has the time that the ladder's clock shows.
    fn line(&self, clock: u64) -> String {
        match &self.said {
            Said::Message(line) => format!("{line}\n"),
            Said::Event(call, event) => {
                let event = event.json();
                format!("{{\"trace\":\"event\",\"call\":{call},\"unix_us\":{clock},\"event\":{event}}}\n")
            }
        }
    }
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

/// Follows the requested calls until they are over, or the client has gone.
pub(super) async fn trace(
    served: &Served,
    id: Option<&str>,
    next: usize,
    client: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    // Long: a trace from its opening to its end.
    // Subscribed before the look-up, so that an end in between is not missed.
    let mut events = served.tail();
    let (wanted, opening, most, mut lanes) = match id {
        Some(id) => {
            let known = served.calls.find(id).and_then(|view| {
                let raw = served.calls.raw_id(&view.id).ok_or_else(|| NotOne::Unknown(id.to_owned()))?;
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
    let Some(mut messages) = served.signalling.tracer().open(wanted) else {
        let error = "as many traces as may be are under way; end one of them".to_owned();
        return answer(writer, &Failure { error }).await;
    };
    answer(writer, &opening).await?;
    let mut waiting: Vec<Waiting> = Vec::new();
    let mut clock = 0;
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
                waiting.push(Waiting { at: message.unix_us, came: Instant::now(), said: Said::Message(line) });
            }
            event = events.recv() => {
                let Some(event) = event else { return Ok(()) };
                if strays.len() >= MOST_STRAYS {
                    strays.pop_front();
                }
                strays.push_back((Instant::now(), event));
            }
            // No further request follows on this connection: input means the end, or is ignored.
            read = client.read(&mut rest) => if read? == 0 { return Ok(()) },
            _ = tick.tick() => {}
        }
        strays.retain(|(came, event)| match note_event(&mut lanes, event) {
            Some(call) => {
                let at = event.event.time.unix_millis().saturating_mul(1_000);
                waiting.push(Waiting { at, came: *came, said: Said::Event(call, Arc::clone(event)) });
                false
            }
            None => came.elapsed() < SETTLE * 4,
        });
        waiting.sort_by_key(Waiting::place);
        let ready = waiting.iter().take_while(|it| it.came.elapsed() >= SETTLE).count();
        for waiting in waiting.drain(..ready) {
            // A late line stands below the earlier ones, and takes the clock on.
            clock = waiting.at.max(clock);
            writer.write_all(waiting.line(clock).as_bytes()).await?;
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
            // A call that is challenged or redirected is tried again.
            lane.over = false;
        }
        lane.over |= message.ends;
    }
}

/// The number, from 1, of the traced call that an event belongs to, if there is one.
fn note_event(lanes: &mut [Lane], event: &Published) -> Option<usize> {
    let id = event.event.call.sip_call_id.as_str();
    let (index, lane) = lanes.iter_mut().enumerate().find(|(_, lane)| lane.in_events == id)?;
    lane.last = Instant::now();
    match event.event.kind() {
        Kind::CallStarted => lane.started = true,
        Kind::CallEnded => lane.ended = true,
        _ => {}
    }
    Some(index + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sidetone_events::{
        Bus, CallId, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Timestamp,
    };

    use super::*;

    /// 200.9 ms after a beginning at 1000.9 ms, which events write as 1000 and 200: the message that caused the event
    /// was at 1201.8 ms.
    #[test]
    fn an_event_stands_below_the_message_that_it_comes_of() {
        let hasher = NumberHasher::with_random_salt().unwrap();
        let began = Timestamp::from_unix_millis(1_000);
        let parties = Parties { caller: "4420", callee: "4930" };
        let call =
            CallRef::new(&hasher, CallId::new(began, 1), "x@y", "carrier", Direction::Inbound, parties);
        let bus = Bus::new();
        let mut heard = bus.subscribe("test", 4, &[]);
        let event = Narrator::new(call, began)
            .tell(Duration::from_micros(200_900), CallStarted { analysed: true, signalling: None });
        bus.publish(event);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let event = runtime.block_on(heard.recv()).unwrap();
        let at = event.event.time.unix_millis() * 1_000;
        assert_eq!(at, 1_200_000);
        let came = Instant::now();
        let message = |at| Waiting { at, came, said: Said::Message(format!("{at}")) };
        let mut waiting =
            [Waiting { at, came, said: Said::Event(1, event) }, message(1_201_800), message(1_250_000)];
        waiting.sort_by_key(Waiting::place);
        let mut clock = 0;
        let lines: Vec<String> = waiting
            .iter()
            .map(|waiting| {
                clock = waiting.at.max(clock);
                waiting.line(clock)
            })
            .collect();
        assert_eq!((lines[0].as_str(), lines[2].as_str()), ("1201800\n", "1250000\n"));
        assert!(
            lines[1].starts_with("{\"trace\":\"event\",\"call\":1,\"unix_us\":1201800,\"event\":{"),
            "{}",
            lines[1]
        );
    }
}
