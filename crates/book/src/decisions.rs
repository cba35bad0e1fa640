//! Logs the decisions on a call's media, at `debug`.

use sidetone_call::{EndPlan, Side, StreamPlan};
use sidetone_events::CallRef;

/// Logs what SDP has agreed on for a stream: each side's media address and encodings, and whether the stream can be
/// heard.
pub(crate) fn agreed(call: &CallRef, stream: usize, plan: &StreamPlan) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let (customer, agent) = (end(plan.end(Side::Trunk)), end(plan.end(Side::Pbx)));
    let heard = plan.tappable.map_or_else(|reason| format!("no: {reason}"), |()| "yes".to_owned());
    tracing::debug!(
        call = %call.id,
        sip_call_id = %call.sip_call_id,
        stream,
        kind = format!("{:?}", plan.kind).to_lowercase(),
        customer,
        agent,
        can_be_heard = heard,
        answered = plan.answered,
        "media agreed"
    );
}

/// One side: address, encodings, packet time, direction, and deviations from the usual.
fn end(end: &EndPlan) -> String {
    if !end.is_there() {
        return "wants none".to_owned();
    }
    let to = end.remote_rtp.map_or_else(|| "by ICE".to_owned(), |to| to.to_string());
    let formats: Vec<String> = end
        .formats
        .iter()
        .map(|format| format!("{}/{}", shown(&format.encoding), format.clock_rate))
        .collect();
    let mut text = format!("{to} {}", formats.join(" "));
    if let Some(ptime) = end.ptime_ms {
        text.push_str(&format!(" ptime {ptime} ms"));
    }
    text.push_str(&format!(" {:?}", end.direction).to_lowercase());
    if end.mux {
        text.push_str(" rtcp-mux");
    }
    if end.held {
        text.push_str(", holds");
    }
    if let Some(from) = end.signalled_from.filter(|from| end.remote_rtp.is_some_and(|to| *from != to.ip())) {
        text.push_str(&format!(", signalled from {from}"));
    }
    text
}

/// An encoding's name if it is a known one: a peer may write anything there.
fn shown(encoding: &str) -> &str {
    const LONGEST: usize = 32;
    let digits = encoding.bytes().filter(u8::is_ascii_digit).count();
    let plain = encoding.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if encoding.len() <= LONGEST && plain && digits < 5 { encoding } else { "?" }
}
