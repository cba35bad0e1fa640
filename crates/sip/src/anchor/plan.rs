//! The plan of a stream that the media plane is told.

use std::net::{IpAddr, SocketAddr};

use sidetone_call::{EndPlan, Format, MediaKind, Protection, Security, Side, StreamPlan, Untappable};

use super::dialog::{Party, Role, View};
use super::security;
use super::terms::Terms;
use crate::sdp::{Carriage, Stream};

/// The plan for m-line `index`, as far as it is known; `None` when neither party has such an m-line.
pub(super) fn plan(
    view: &View,
    index: usize,
    caller_side: Side,
    answered: bool,
    (terms, security): (&Terms, &security::Security),
) -> Option<StreamPlan> {
    let caller = stream(view.caller.as_deref(), index);
    let callee = stream(view.callee.as_deref(), index);
    let either = caller.or(callee)?.0;
    // An answer that leaves an m-line out has not taken it (RFC 3264 §6 forbids it, and it is done).
    let left_out = view.caller.is_some() && view.callee.is_some() && (caller.is_none() || callee.is_none());
    let closed = left_out || [caller, callee].iter().flatten().any(|(s, _)| s.rejected);
    let mux = [caller, callee].iter().all(|end| end.is_some_and(|(s, _)| s.mux));
    let ends_here = security.ends_here();
    let end = |role, party: Option<(&Stream, IpAddr)>| {
        let side = if role == Role::Caller { caller_side } else { caller_side.other() };
        // Where a leg's handshake ends here, whether RTCP shares its port is that leg's own matter.
        let own = if ends_here { terms.shares_port(side, index) } else { None };
        let mux = own.map_or(mux, |own| own && party.is_some_and(|(stream, _)| stream.mux));
        end(party, closed, mux, view.holds(role, index))
    };
    let (caller_end, callee_end) = (end(Role::Caller, caller), end(Role::Callee, callee));
    let (mut trunk, mut pbx) = match caller_side {
        Side::Trunk => (caller_end, callee_end),
        Side::Pbx => (callee_end, caller_end),
    };
    if ends_here {
        let protection = |side| {
            let (role, party) =
                if side == caller_side { (Role::Caller, caller) } else { (Role::Callee, callee) };
            let offered = view.offered(role).and_then(|party| party.streams.get(index));
            match terms.protection(security, side, index, party.map(|(stream, _)| stream), offered) {
                // Nobody is to be looked for who has no stream.
                Protection::Dtls(_) if closed => Protection::Awaited,
                other => other,
            }
        };
        (trunk.protection, pbx.protection) = (protection(Side::Trunk), protection(Side::Pbx));
    }
    // A stream that one party has rejected carries nothing to be heard, however it was offered.
    let tappable =
        if closed { Ok(()) } else { tappable(caller.map(|(s, _)| s), callee.map(|(s, _)| s), ends_here) };
    Some(StreamPlan { kind: either.kind, trunk, pbx, tappable, answered })
}

fn stream(party: Option<&Party>, index: usize) -> Option<(&Stream, IpAddr)> {
    party.and_then(|party| Some((party.streams.get(index)?, party.signalled_from)))
}

fn end(party: Option<(&Stream, IpAddr)>, closed: bool, mux: bool, held: bool) -> EndPlan {
    let Some((stream, signalled_from)) = party else { return EndPlan::default() };
    // Without an address in the description, media is sent where the party's signalling comes from, until its own media
    // has shown the way: a name is not looked up for the length of a call's setup, and usually names that very host.
    let guess = |add| {
        let port: u16 = stream.port_alone?.checked_add(add)?;
        Some(SocketAddr::new(signalled_from, port))
    };
    let remote_rtp = stream.rtp.or_else(|| guess(0)).filter(|_| !closed);
    let remote_rtcp = stream.rtcp.or_else(|| guess(1)).filter(|_| !closed);
    EndPlan {
        remote_rtp,
        remote_rtcp: if mux { remote_rtp } else { remote_rtcp },
        signalled_from: Some(signalled_from),
        mux,
        formats: stream.formats.clone(),
        security: stream.security,
        protection: Protection::None,
        direction: stream.direction,
        ptime_ms: stream.ptime_ms,
        held,
    }
}

/// Judged by both descriptions once there are two, else by the one there is.
fn tappable(caller: Option<&Stream>, callee: Option<&Stream>, ends_here: bool) -> Result<(), Untappable> {
    let ends = || [caller, callee].into_iter().flatten();
    let Some(first) = ends().next() else { return Ok(()) };
    if ends().any(|s| s.carriage == Carriage::Unrelayable) {
        return Err(Untappable::NotRelayed);
    }
    match first.kind {
        MediaKind::Audio => {}
        MediaKind::Image => return Err(Untappable::Fax),
        MediaKind::Video | MediaKind::Other => return Err(Untappable::NotAudio),
    }
    if first.carriage != Carriage::Rtp {
        return Err(Untappable::NotAudio);
    }
    // A party that merely offers protection beside plain RTP gets it only if the other takes it up.
    if !ends_here && ends().all(|s| s.security != Security::None) {
        return Err(if first.security == Security::Dtls { Untappable::Dtls } else { Untappable::Srtp });
    }
    let common = |format: &Format| ends().all(|s| s.formats.iter().any(|f| same(f, format)));
    let readable = ends().any(|s| s.formats.iter().any(|f| is_readable(f) && common(f)));
    if readable { Ok(()) } else { Err(Untappable::UnknownCodec) }
}

fn same(a: &Format, b: &Format) -> bool {
    a.clock_rate == b.clock_rate && a.encoding.eq_ignore_ascii_case(&b.encoding)
}

/// Speech that the codec crate decodes.
fn is_readable(format: &Format) -> bool {
    const READABLE: [&str; 5] = ["PCMU", "PCMA", "G722", "opus", "L16"];
    READABLE.iter().any(|name| name.eq_ignore_ascii_case(&format.encoding))
}
