//! The calls of a packet capture.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use sidetone_call::{Side, Untappable};
use sidetone_capture::calls::{
    Calls, Counters, Doubt, Happening, Known, Options, Origin, Protected, Recording,
};
use sidetone_capture::datagrams::{self, Datagrams};
use sidetone_codec::Codec;
use sidetone_events::{CallHeld, CallResumed, CallUntappable, MediaState, Parties, Timestamp};
use sidetone_rtp::RtpView;

use super::pauses::Pauses;
use super::replay::{End, Heard, Protection, Replay, Roles, Told};
use crate::cli::analyze::bench::Bench;
use crate::cli::model::weights;

/// The result of reading a capture.
pub(super) struct Found {
    pub(super) calls: Vec<Heard>,
    /// Remarks on the capture as a whole.
    pub(super) notes: Vec<String>,
    /// Whether the capture is damaged, or cut off.
    pub(super) damaged: bool,
}

pub(super) fn analyse(input: impl Read, bench: &Bench) -> anyhow::Result<Found> {
    let options = Options {
        customer: bench.customer,
        formats: bench.formats.clone(),
        key_log: bench.key_log.clone(),
        ..Options::default()
    };
    let mut calls = Calls::new(options);
    let mut datagrams = Datagrams::new(input)?;
    for datagram in &mut datagrams {
        calls.observe(datagram);
    }
    let mut notes = Vec::new();
    if let Some(damage) = datagrams.damage() {
        notes.push(format!("is damaged ({damage}); what stands before that is heard"));
    } else if datagrams.truncated() {
        notes.push("ends in the middle of a frame; what stands before that is heard".to_owned());
    }
    let damaged = !notes.is_empty();
    let frames = datagrams.counters();
    let (mut recordings, counters) = calls.finish();
    if frames.untimed > 0 && frames.untimed == frames.frames {
        // With all packets at one instant, both parties would be heard at once and in no time.
        notes.push(format!(
            "carries no times ({} simple packets of pcapng): who spoke when can't be told; capture again, with dumpcap or tcpdump",
            frames.untimed
        ));
        recordings.clear();
    }
    notes.extend(of_frames(&frames));
    let unread = datagrams.unread().into_iter().filter(|(unread, _)| !unread.is_ordinary());
    notes.extend(unread.map(|(unread, count)| format!("not read: {unread}, {count} frames")));
    notes.extend(of_calls(&counters));
    if recordings.is_empty() && counters.messages > 0 && frames.untimed == 0 {
        notes.push(format!("holds {} SIP messages, but no call", counters.messages));
    }
    let bar = weights::bar("hearing calls");
    bar.set_length(recordings.len() as u64);
    let calls = recordings
        .iter()
        .map(|recording| {
            let heard = hear(recording, bench);
            bar.inc(1);
            heard
        })
        .collect();
    bar.finish_and_clear();
    Ok(Found { calls, notes, damaged })
}

/// Remarks on lost frames.
fn of_frames(counters: &datagrams::Counters) -> Vec<String> {
    let datagrams::Counters { frames, cut, snap_length, untimed, fragments_lost, stream_gaps, .. } =
        *counters;
    let mut notes = Vec::new();
    if cut > 0 || snap_length > 0 {
        notes.push(format!(
            "{cut} of {frames} packets were cut off by the capture's snap length ({snap_length} bytes) and are lost: capture with `tcpdump -s 0`",
        ));
    }
    if untimed > 0 && untimed < frames {
        notes.push(format!("{untimed} of {frames} frames carry no time (simple packets): they are taken to come right behind the one before"));
    }
    if fragments_lost > 0 {
        notes.push(format!("fragmented packets that are not there whole, and lost: {fragments_lost}"));
    }
    if stream_gaps > 0 {
        notes.push(format!("gaps in TCP streams: {stream_gaps}"));
    }
    notes
}

/// Remarks on corrections and omissions.
fn of_calls(counters: &Counters) -> Vec<String> {
    let Counters {
        dropped, copies, out_of_order, farthest_out_of_order, clock_set_back, other_views, ..
    } = *counters;
    let mut notes = Vec::new();
    if copies > 0 {
        notes.push(format!("{copies} packets were captured more than once; their copies are dropped"));
    }
    if out_of_order > 0 {
        notes.push(format!(
            "{out_of_order} packets stand out of time order, by up to {:.1} s; they are sorted",
            farthest_out_of_order.as_secs_f64()
        ));
    }
    if clock_set_back > 0 {
        notes.push(format!(
            "the clock was set back while audio went on ({clock_set_back} ×); times behind that are moved"
        ));
    }
    if other_views > 0 {
        notes.push(format!(
            "left out, as another view of a call that is told: {other_views} (captured on its other side too)"
        ));
    }
    if dropped > 0 {
        notes.push(format!("{dropped} packets were left out: the capture holds more audio than fits"));
    }
    notes
}

/// Replaces the address of a party that was not heard.
pub(super) const NOBODY: &str = "nobody heard";

/// The parties' addresses, as far as audio has come from them.
fn ends(recording: &Recording) -> [String; 2] {
    let address = |side| recording.address(side).map(|address| address.to_string());
    let planned = match recording.origin() {
        Origin::Rtp { caller, callee } => [Some(caller.to_string()), Some(callee.to_string())],
        Origin::Sip { .. } => [None, None],
    };
    let [trunk, pbx] = [address(Side::Trunk), address(Side::Pbx)];
    let [one, other] = planned;
    let (one, other) = if recording.customer_was_called() { (other, one) } else { (one, other) };
    [trunk.or(one), pbx.or(other)].map(|address| address.unwrap_or_else(|| NOBODY.to_owned()))
}

/// The party that is the customer, and the evidence for that.
fn roles(recording: &Recording) -> Roles {
    let [one, other] = ends(recording);
    let customer = match (recording.customer(), recording.origin()) {
        (Known::No, _) => return Roles::Unknown { one, other, doubt: recording.doubt() },
        (Known::Signalled, _) => {
            "the one who placed the call (if that was the agent: --customer callee)".to_owned()
        }
        (Known::Named, _) if recording.doubt() == Some(Doubt::LegsContradict) => {
            format!("{one}, as --customer has it")
        }
        (Known::Named, Origin::Sip { .. }) if recording.customer_was_called() => {
            "the one who was called".to_owned()
        }
        (Known::Named, Origin::Sip { .. }) => "the one who placed the call".to_owned(),
        (Known::Named, Origin::Rtp { .. }) => format!("{one}, as --customer has it"),
    };
    Roles::Known(customer)
}

/// Why arriving audio was not heard.
fn unheard(recording: &Recording) -> (Vec<String>, bool) {
    let mut formats: BTreeMap<u8, (String, bool)> = BTreeMap::new();
    let mut met: BTreeMap<u8, u64> = BTreeMap::new();
    for (_, happening) in recording.replay() {
        match happening {
            Happening::Plan { plan, .. } => {
                for format in
                    plan.trunk.formats.iter().chain(&plan.pbx.formats).filter(|f| !f.encoding.is_empty())
                {
                    let codec = Codec::from_rtpmap(
                        &format.encoding,
                        format.clock_rate,
                        format.channels,
                        &format.fmtp,
                    );
                    formats.insert(format.payload_type, (format.encoding.clone(), codec.is_some()));
                }
            }
            Happening::Packet { rtp, .. } => {
                if let Ok(rtp) = RtpView::parse(rtp) {
                    *met.entry(rtp.payload_type()).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    let mut notes = Vec::new();
    let mut decodable = 0;
    for (payload_type, packets) in &met {
        match formats.get(payload_type) {
            Some((_, true)) => decodable += packets,
            Some((encoding, false)) => notes.push(format!("{packets} packets of {encoding}, which is not decoded here")),
            None => notes.push(format!(
                "{packets} packets of payload type {payload_type}, which nothing explains: name it, as in --codec {payload_type}=opus/48000/2"
            )),
        }
    }
    let mut stands = false;
    for (side, who) in [(Side::Trunk, 0), (Side::Pbx, 1)] {
        let voice = recording.voice(side);
        if voice.standing > voice.packets / 2 {
            stands = true;
            let address = ends(recording).get(who).cloned().unwrap_or_default();
            notes.push(format!("the RTP of {address} doesn't count its packets ({} of {} repeat a sequence number): it is not heard", voice.standing, voice.packets));
        }
    }
    // A call is half analysed if a party that should have been heard was not.
    (notes, decodable > 0 && !stands)
}

/// What became of protected packets, party by party.
fn protection(recording: &Recording, has_log: bool) -> Vec<Protection> {
    let mut notes = Vec::new();
    let ends = ends(recording);
    let is_dtls = recording
        .replay()
        .any(|(_, happening)| matches!(happening, Happening::Untappable { reason: Untappable::Dtls, .. }));
    for (side, address) in [Side::Trunk, Side::Pbx].into_iter().zip(&ends) {
        let Protected { opened, sealed } = recording.protected(side);
        let mut tell = |note| {
            notes.push(Protection { address: address.clone(), opened, sealed, note });
        };
        let packets = |count: u64| if count == 1 { "packet" } else { "packets" };
        match (opened, sealed) {
            (0, 0) => {}
            (opened, 0) => tell(format!("{opened} protected {} of {address} opened", packets(opened))),
            (0, sealed) => {
                let remedy = match (is_dtls, has_log) {
                    (true, false) => ": give the secrets of its handshake with --dtls-keylog",
                    (true, true) => {
                        " or the key log: log the secrets of this very handshake, and capture its beginning"
                    }
                    (false, _) => ": capture the signalling with its a=crypto lines too",
                };
                tell(format!(
                    "{sealed} {} of {address} not heard: protected, and the capture has no key for it{remedy}",
                    packets(sealed)
                ));
            }
            (opened, sealed) => tell(format!(
                "{opened} protected packets of {address} opened; {sealed} did not open with any key of the capture, and are left out",
            )),
        }
    }
    notes
}

fn hear(recording: &Recording, bench: &Bench) -> Heard {
    // Long: what is told of a recording, and then its packets in order of time.
    let unix = u64::try_from(recording.began().as_millis()).unwrap_or(0);
    let began = Timestamp::from_unix_millis(unix);
    let (name, from, to) = match recording.origin() {
        Origin::Sip { call_id, from, to } => (call_id.clone(), from.as_str(), to.as_str()),
        Origin::Rtp { caller, callee } => (format!("{caller}-{callee}"), "", ""),
    };
    let is_signalled = matches!(recording.origin(), Origin::Sip { .. });
    let silent = |side| recording.voice(side).packets == 0;
    let told = Told {
        name: &name,
        source: "capture",
        parties: Parties { caller: from, callee: to },
        began,
        outbound: recording.customer_was_called(),
        roles: roles(recording),
        alone: match (silent(Side::Trunk), silent(Side::Pbx)) {
            (true, false) => Some(Side::Pbx),
            (false, true) => Some(Side::Trunk),
            _ => None,
        },
    };
    let is_judged = matches!(told.roles, Roles::Known(_));
    let mut replay = Replay::of(told, bench);
    let mut held: [Option<Duration>; 2] = [None; 2];
    let mut end = End::UNTOLD;
    let mut last = Duration::ZERO;
    let mut pauses = Pauses::default();
    for (at, happening) in recording.replay() {
        let at = pauses.time(at);
        replay.advance(at);
        last = last.max(at);
        match happening {
            Happening::Plan { stream, plan } => replay.analysis.plan(stream, plan),
            Happening::Ringing => {}
            Happening::Answered => replay.answered(at),
            Happening::Held(by) => {
                replay.analysis.held(by, at);
                if let Some(since) = held.get_mut(usize::from(by == Side::Pbx)) {
                    *since = Some(at);
                }
                replay.happened(at, CallHeld { by: by.leg() });
            }
            Happening::Resumed(by) => {
                replay.analysis.resumed(by, at);
                let since = held.get_mut(usize::from(by == Side::Pbx)).and_then(Option::take);
                let held = since.map_or(Duration::ZERO, |since| at.saturating_sub(since));
                replay.happened(at, CallResumed { by: by.leg(), held });
            }
            Happening::Untappable { stream, side, reason } => {
                let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                let leg = side.filter(|_| is_judged).map(Side::leg);
                replay.happened(at, CallUntappable { stream, reason, leg, state: MediaState::Lost });
            }
            Happening::Packet { stream, side, rtp } => replay.analysis.packet(at, stream, side, rtp),
            Happening::Ended { by, status, cause } => {
                end = End { cause, by: by.map(Side::leg), sip_status: status };
            }
        }
    }
    let (mut notes, has_audio) = unheard(recording);
    let protection = protection(recording, bench.key_log.is_some());
    if recording.packets() == 0 && protection.is_empty() {
        notes.push("no audio of this call is in the capture".to_owned());
    }
    notes.extend(protection.iter().map(|party| party.note.clone()));
    notes.extend(pauses.note());
    let [one, other] = ends(recording);
    Heard { is_signalled, ends: Some((one, other)), notes, has_audio, protection, ..replay.finish(last, end) }
}
