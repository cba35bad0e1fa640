//! The edits that bring the media through us.
//!
//! Touched: the port of an m= line, with the count of ports that may follow, for we have one; the address (and, across
//! families, the addrtype) of every c= line that is its or the session's, for parsers choose differently among several;
//! port and address of a=rtcp. A c= line that can't be read is replaced. A c= or a=rtcp line is added only where the
//! media would go astray without it. Lines that would lead the media around us are taken out: ICE candidates and
//! credentials (RFC 8839), without which endpoints fall back on the c= and m= lines, as RFC 8839 §4.2.5 has it
//! ([`Ice::Pass`] leaves them in); alternative addresses (RFC 6947, RFC 7006, optimal media routing of 3GPP TS 29.079);
//! and an a=rtcp that is no m-line's.
//!
//! Where SRTP ends here ([`Dress`]), the m= line's protocol and its a=crypto lines are those of our own leg.
//!
//! Not touched: everything else. o= names the session, not an address to send to, and endpoints tell a
//! changed description by it, so it stays. Where SRTP passes, a=crypto and a=fingerprint stay.
//! An m-line that is rejected (port 0) or can't be relayed stays, and a c= of 0.0.0.0 (hold) stays a hold.
//! One that can't be read is rejected on its way: nobody could say where its media would go.

use std::net::IpAddr;
use std::ops::Range;

use sidetone_call::{IpFamily, LocalMedia};

use zeroize::Zeroizing;

use super::description::name_of;
use super::{Carriage, Connection, Description, Media, Stream, dtls};

/// The treatment of an m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Left as it is.
    Untouched,
    /// Its address and port become ours.
    Local(LocalMedia),
    /// Its port becomes 0: no port of ours could be had for it.
    Rejected,
}

/// The treatment of ICE attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ice {
    /// Taken out, so that the media can't go around us.
    #[default]
    Strip,
    /// Left in.
    Pass,
}

/// The protection that an m-line states in place of its author's.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dress {
    /// The m= line's protocol, if another one than it has.
    pub protocol: Option<String>,
    /// Our own attribute lines, without line ends.
    pub lines: Vec<Zeroizing<String>>,
    /// Our addresses are told as ICE candidates too, of a lite agent (RFC 8445 §2.5).
    pub candidates: bool,
    /// The m-line's identifier, where its reader has offered it in a BUNDLE group: it is the group's only one.
    pub bundle: Option<String>,
    /// The author's leg is a browser's: what only such a one has does not pass.
    pub from_browser: bool,
}

impl std::fmt::Debug for Dress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The lines hold keys.
        f.debug_struct("Dress").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Bytes of a description and what takes their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Counted from the description's start; empty for an insertion.
    pub at: Range<usize>,
    /// The new bytes.
    pub with: Vec<u8>,
}

/// The edits that put the m-lines in their places. `streams` are [`Stream::all`] of the description; `places` beyond
/// the m-lines are ignored, missing ones mean [`Place::Untouched`]; likewise `dresses`, where nothing means that an
/// m-line keeps its protection. Patches don't overlap and are in order.
#[must_use]
pub fn rewrite(
    description: &Description<'_>,
    streams: &[Stream],
    places: &[Place],
    dresses: &[Option<Dress>],
    ice: Ice,
) -> Vec<Patch> {
    let mut out = Vec::new();
    let place = |i: usize| places.get(i).copied().unwrap_or(Place::Untouched);
    let locals = || {
        (0..streams.len()).filter_map(|i| match place(i) {
            Place::Local(local) => Some((i, local)),
            _ => None,
        })
    };
    let session = description.connection();
    // The session's c= follows the first stream that has none of its own.
    let first = locals()
        .find(|(i, _)| description.media().nth(*i).is_some_and(|m| relies_on_session(&m)))
        .or_else(|| locals().next())
        .map(|(_, local)| local.rtp.ip());
    if let Some(ip) = first {
        let hold = streams.iter().find(|stream| stream.is_by_candidates()).map_or(Hold::Stays, Hold::of);
        point_session(description, ip, hold, &mut out);
    } else if is_all_rejected(streams, places) {
        let family = session.as_ref().and_then(|connection| connection.family);
        point_session(description, family.unwrap_or(IpFamily::V4).unspecified(), Hold::Stays, &mut out);
    }
    let session_changed = !out.is_empty();
    for ((i, media), stream) in description.media().enumerate().zip(streams) {
        match place(i) {
            Place::Untouched => {
                let kept = session.as_ref().filter(|_| session_changed && !stream.rejected);
                if let Some(connection) = kept.filter(|_| relies_on_session(&media)) {
                    let (family, address) = (connection.family.unwrap_or(IpFamily::V4), connection.address);
                    insert_connection(&media, family, address, &mut out);
                }
            }
            Place::Rejected => reject(&media, first, &mut out),
            Place::Local(local) => {
                point_media(&media, local, session.as_ref(), (first, Hold::of(stream)), &mut out);
                // A browser's a=rtcp is of its own leg, where RTCP has no port of its own.
                let of_browser =
                    dresses.get(i).is_some_and(|dress| dress.as_ref().is_some_and(|d| d.from_browser));
                if !of_browser {
                    rtcp(&media, stream, local, &mut out);
                }
            }
        }
        if let Some(Some(dress)) = dresses.get(i) {
            let local = if let Place::Local(local) = place(i) { Some(local) } else { None };
            dress.put_on(&media, local, &mut out);
        }
    }
    if first.is_some() {
        let ways = description.attribute_lines(|line| offers_bypass(line, ice));
        // RFC 3605 §2.1: it means something to an m-line only. Of the session's own nobody could say whose it is.
        let rtcp = description.session_attribute_lines(|line| name_of(line).eq_ignore_ascii_case(b"rtcp"));
        out.extend(ways.into_iter().chain(rtcp).map(|at| Patch { at, with: Vec::new() }));
    }
    dress_session(description, dresses, &mut out);
    // Several hands may have taken a line out.
    out.sort_by_key(|patch| (patch.at.start, patch.at.end));
    out.dedup_by(|later, first| !first.at.is_empty() && later.at == first.at);
    out
}

impl Dress {
    fn put_on(&self, media: &Media<'_, '_>, local: Option<LocalMedia>, out: &mut Vec<Patch>) {
        if let Some(protocol) = &self.protocol {
            out.push(Patch { at: media.protocol_range(), with: protocol.clone().into_bytes() });
        }
        let theirs = media.attribute_lines(|line| self.drops(name_of(line)));
        let keys = media.key_lines();
        let (at, end) = media.end_place();
        // Where the last line has no end and is taken out, the one before it has one.
        let ended = media.is_terminated(at) || theirs.iter().chain(&keys).any(|line| line.end == at);
        out.extend(theirs.into_iter().chain(keys).map(|at| Patch { at, with: Vec::new() }));
        let mut ended = ended;
        let mut insert = |line: &str| {
            let mut with = Vec::with_capacity(line.len() + 2);
            if !ended {
                with.extend_from_slice(end);
            }
            with.extend_from_slice(line.as_bytes());
            if media.is_terminated(at) {
                with.extend_from_slice(end);
            } else {
                ended = false;
            }
            out.push(Patch { at: at..at, with });
        };
        for line in &self.lines {
            insert(line);
        }
        if let Some(local) = local.filter(|_| self.candidates) {
            let (ip, port) = (local.rtp.ip().to_canonical(), local.rtp.port());
            // One component: RTCP shares the port (RFC 8445 §5.1.2.1 for the priority).
            let line = format!("a=candidate:1 1 UDP 2130706431 {ip} {port} typ host");
            insert(&line);
            insert("a=end-of-candidates");
        }
    }

    fn drops(&self, name: &[u8]) -> bool {
        dtls::is_of_the_leg(name) || (self.from_browser && dtls::is_of_browsers(name))
    }
}

/// The session's own lines about the protection of its m-lines, where that is ours.
fn dress_session(description: &Description<'_>, dresses: &[Option<Dress>], out: &mut Vec<Patch>) {
    let worn = || dresses.iter().flatten();
    let lines = description.session_attribute_lines(|line| worn().any(|dress| dress.drops(name_of(line))));
    let keys = if worn().next().is_some() { description.session_key_lines() } else { Vec::new() };
    out.extend(lines.into_iter().chain(keys).map(|at| Patch { at, with: Vec::new() }));
    if worn().any(|dress| dress.candidates)
        && let Some(at) = description.session_end()
    {
        out.push(Patch { at: at..at, with: b"a=ice-lite\r\n".to_vec() });
    }
    // Each m-line has a port of its own here, so a group has one of them. A reader by the policy `max-bundle` takes no
    // answer without a group (RFC 8829 §4.1.1).
    if let Some(mid) = worn().find_map(|dress| dress.bundle.as_ref())
        && let Some(at) = description.session_end()
    {
        out.push(Patch { at: at..at, with: format!("a=group:BUNDLE {mid}\r\n").into_bytes() });
    }
}

/// Whether an m-line has no c= of its own, so that the session's holds for it.
fn relies_on_session(media: &Media<'_, '_>) -> bool {
    media.connections().next().is_none()
}

/// Points every c= of the session at `ip`.
fn point_session(description: &Description<'_>, ip: IpAddr, hold: Hold, out: &mut Vec<Patch>) {
    description.session_connections().for_each(|connection| point(&connection, ip, hold, out));
    description.unreadable_session_connections().for_each(|value| restate(value, ip, out));
}

/// Sets an m-line's port to 0. No media is sent there, and still the other side is not to know its address: it becomes
/// that of the `first` stream, or none.
fn reject(media: &Media<'_, '_>, first: Option<IpAddr>, out: &mut Vec<Patch>) {
    let at = media.ports_range();
    if !at.is_empty() {
        out.push(Patch { at, with: b"0".to_vec() });
    }
    for connection in media.connections() {
        let nowhere = connection.family.unwrap_or(IpFamily::V4).unspecified();
        point(&connection, first.unwrap_or(nowhere), Hold::Stays, out);
    }
    for value in media.unreadable_connections() {
        restate(value, first.unwrap_or(IpFamily::V4.unspecified()), out);
    }
}

/// Points an m-line at our address and port. `first` is the address that the session's c= now has; where that is
/// another one, or there is none, the m-line gets a c= of its own.
fn point_media(
    media: &Media<'_, '_>,
    local: LocalMedia,
    session: Option<&Connection<'_>>,
    (first, hold): (Option<IpAddr>, Hold),
    out: &mut Vec<Patch>,
) {
    let ip = local.rtp.ip();
    out.push(Patch { at: media.ports_range(), with: local.rtp.port().to_string().into_bytes() });
    let mut own = false;
    for connection in media.connections() {
        point(&connection, ip, hold, out);
        own = true;
    }
    for value in media.unreadable_connections() {
        restate(value, ip, out);
        own = true;
    }
    let astray = session.is_none_or(|session| !session.is_nowhere() && first != Some(ip));
    if !own && astray {
        insert_connection(media, IpFamily::of(ip), &ip.to_canonical().to_string(), out);
    }
}

/// Whether a description is left without a stream since its m-lines can't be read, or are not allowed.
fn is_all_rejected(streams: &[Stream], places: &[Place]) -> bool {
    let by_us = streams.iter().any(|stream| stream.unreadable) || places.contains(&Place::Rejected);
    by_us && streams.iter().all(|stream| stream.rejected)
}

/// Whether an attribute offers the media another way than the c= and m= lines, past us.
fn offers_bypass(attribute: &[u8], ice: Ice) -> bool {
    let name = name_of(attribute).to_ascii_lowercase();
    match name.as_slice() {
        b"candidate" | b"remote-candidates" | b"end-of-candidates" => ice == Ice::Strip,
        [b'i', b'c', b'e', b'-', ..] => ice == Ice::Strip,
        // Alternative addresses (RFC 6947; `alt` is its forerunner), connection capabilities (RFC 7006), optimal media
        // routing.
        b"altc" | b"alt" | b"ccap" | b"visited-realm" | b"secondary-realm" => true,
        // An attribute that holds if the answer takes up the configuration (RFC 5939 §3.3.1): `acap:1 candidate:…`.
        b"acap" => {
            let inner = attribute.splitn(2, |&byte| byte == b':').nth(1).unwrap_or_default();
            let number = inner.iter().take_while(|byte| byte.is_ascii_digit() || byte.is_ascii_whitespace());
            let inner = inner.get(number.count()..).unwrap_or_default();
            let nested = name_of(inner);
            nested.eq_ignore_ascii_case(b"rtcp")
                || (!nested.eq_ignore_ascii_case(b"acap") && offers_bypass(inner, ice))
        }
        _ => false,
    }
}

/// States a c= anew whose value can't be read.
fn restate(value: Range<usize>, ip: IpAddr, out: &mut Vec<Patch>) {
    let with = format!("IN {} {}", IpFamily::of(ip).addrtype(), ip.to_canonical());
    out.push(Patch { at: value, with: with.into_bytes() });
}

/// What a c= of 0.0.0.0 means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// A hold, and it stays one.
    Stays,
    /// Nothing yet: ICE candidates tell the address (RFC 8839 §4.3.1).
    IsNone,
}

impl Hold {
    fn of(stream: &Stream) -> Self {
        if stream.is_by_candidates() { Self::IsNone } else { Self::Stays }
    }
}

/// Points a c= (or the end of an a=rtcp) at us.
fn point(connection: &Connection<'_>, ip: IpAddr, hold: Hold, out: &mut Vec<Patch>) {
    let family = IpFamily::of(ip);
    let same = connection.family == Some(family);
    let ip = if connection.is_nowhere() && hold == Hold::Stays {
        if same {
            return;
        }
        family.unspecified()
    } else {
        ip.to_canonical()
    };
    if !same {
        out.push(Patch { at: connection.addrtype_range.clone(), with: family.addrtype().into() });
    }
    out.push(Patch { at: connection.address_range.clone(), with: ip.to_string().into_bytes() });
}

fn insert_connection(media: &Media<'_, '_>, family: IpFamily, address: &str, out: &mut Vec<Patch>) {
    let (at, end) = media.connection_place();
    insert(media, at, end, &format!("c=IN {} {address}", family.addrtype()), out);
}

fn insert(media: &Media<'_, '_>, at: usize, end: &[u8], line: &str, out: &mut Vec<Patch>) {
    let mut with = Vec::with_capacity(line.len() + 4);
    if media.is_terminated(at) {
        with.extend_from_slice(line.as_bytes());
        with.extend_from_slice(end);
    } else {
        with.extend_from_slice(end);
        with.extend_from_slice(line.as_bytes());
    }
    out.push(Patch { at: at..at, with });
}

fn rtcp(media: &Media<'_, '_>, stream: &Stream, local: LocalMedia, out: &mut Vec<Patch>) {
    let mut stated = false;
    for line in media.rtcp_lines() {
        let line = match line {
            Ok(line) => line,
            Err(at) => {
                out.push(Patch { at, with: Vec::new() });
                continue;
            }
        };
        stated = true;
        // With rtcp-mux, the same port as RTP's says that RTCP has no other to fall back on (RFC 5761 §5.1.3).
        let port = if stream.mux && line.port == media.port() { local.rtp } else { local.rtcp }.port();
        if line.port != 0 {
            out.push(Patch { at: line.port_range, with: port.to_string().into_bytes() });
        }
        if let Some(connection) = line.connection {
            point(&connection, local.rtcp.ip(), Hold::of(stream), out);
        } else if !line.unreadable.is_empty() {
            out.push(Patch { at: line.unreadable, with: Vec::new() });
        }
    }
    let apart = local.rtp.port().checked_add(1) != Some(local.rtcp.port());
    if !stated && stream.carriage == Carriage::Rtp && apart {
        let (at, end) = media.end_place();
        insert(media, at, end, &format!("a=rtcp:{}", local.rtcp.port()), out);
    }
}
