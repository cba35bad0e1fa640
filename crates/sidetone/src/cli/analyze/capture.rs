//! The calls of a packet capture.

use std::io::Read;
use std::time::Duration;

use anyhow::bail;
use sidetone_capture::calls::{Calls, Customer, Happening, Options, Origin, Recording};
use sidetone_capture::datagrams::Datagrams;
use sidetone_events::{CallHeld, CallResumed, CallUntappable, Parties, Timestamp};
use sidetone_proxy::analysis::leg;
use sidetone_proxy::words;
use sidetone_sip::Face;

use super::replay::{End, Heard, Replay};
use super::{Bench, Party};

pub(super) fn analyse(input: impl Read, bench: &Bench) -> anyhow::Result<Vec<Heard>> {
    let customer = match bench.customer {
        Party::Caller => Customer::Caller,
        Party::Callee => Customer::Callee,
    };
    let mut calls = Calls::new(Options { customer, formats: bench.formats.clone(), ..Options::default() });
    let mut datagrams = Datagrams::new(input)?;
    for datagram in &mut datagrams {
        calls.observe(&datagram);
    }
    if let Some(damage) = datagrams.damage() {
        eprintln!("sidetone: the capture is damaged ({damage}); what stands before that is heard");
    }
    let (recordings, counters) = calls.finish();
    if counters.dropped > 0 {
        eprintln!(
            "sidetone: {} packets were left out: the capture holds more audio than fits",
            counters.dropped
        );
    }
    if recordings.is_empty() && counters.messages > 0 {
        bail!("holds {} SIP messages, but no call", counters.messages);
    }
    Ok(recordings.iter().map(|recording| hear(recording, bench)).collect())
}

fn hear(recording: &Recording, bench: &Bench) -> Heard {
    let unix = u64::try_from(recording.began().as_millis()).unwrap_or(0);
    let began = Timestamp::from_unix_millis(unix);
    let (name, from, to) = match recording.origin() {
        Origin::Sip { call_id, from, to } => (call_id.clone(), from.as_str(), to.as_str()),
        Origin::Rtp { caller, callee } => (format!("{caller}-{callee}"), "", ""),
    };
    let mut replay = Replay::of(&name, "capture", Parties { caller: from, callee: to }, began, bench);
    let mut held: [Option<Duration>; 2] = [None; 2];
    let mut end = End::UNTOLD;
    let mut last = Duration::ZERO;
    for (at, happening) in recording.replay() {
        replay.advance(at);
        last = last.max(at);
        match happening {
            Happening::Plan { stream, plan } => replay.analysis.plan(stream, plan),
            Happening::Ringing => {}
            Happening::Answered => replay.answered(at),
            Happening::Held(by) => {
                replay.analysis.held(by, at);
                if let Some(since) = held.get_mut(usize::from(by == Face::Pbx)) {
                    *since = Some(at);
                }
                replay.happened(at, CallHeld { by: leg(by) });
            }
            Happening::Resumed(by) => {
                replay.analysis.resumed(by, at);
                let since = held.get_mut(usize::from(by == Face::Pbx)).and_then(Option::take);
                let held = since.map_or(Duration::ZERO, |since| at.saturating_sub(since));
                replay.happened(at, CallResumed { by: leg(by), held });
            }
            Happening::Untappable { stream, reason } => {
                let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                replay.happened(at, CallUntappable { stream, reason: words::untappable(reason) });
            }
            Happening::Packet { stream, face, rtp } => replay.analysis.packet(at, stream, face, rtp),
            Happening::Ended { by, status, cause } => {
                end = End { cause: words::cause(cause), by: by.map(leg), sip_status: status };
            }
        }
    }
    replay.finish(last, end)
}
