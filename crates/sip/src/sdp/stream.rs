//! The media of an m-line, lifted out of the description.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

use sidetone_call::{Direction, Format, IpFamily, MediaKind, Security};

use super::crypto::{self, Crypto};
use super::dtls::Dtls;
use super::{Description, Media};

/// Most formats of an m-line that are remembered; the rest is relayed all the same.
const MAX_FORMATS: usize = 32;

/// The transport of a stream, as far as relaying goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Carriage {
    /// RTP, with RTCP beside it.
    Rtp,
    /// Another protocol in datagrams: UDPTL, DTLS, plain UDP.
    Datagrams,
    /// TCP or something unknown, which a datagram relay can't carry.
    Unrelayable,
}

/// The direction that an attribute's name states, if it states one.
fn direction(attribute: &str) -> Option<Direction> {
    match attribute {
        "sendrecv" => Some(Direction::SendRecv),
        "sendonly" => Some(Direction::SendOnly),
        "recvonly" => Some(Direction::RecvOnly),
        "inactive" => Some(Direction::Inactive),
        _ => None,
    }
}

/// One m-line of a party's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The kind of its media.
    pub kind: MediaKind,
    /// Its transport.
    pub carriage: Carriage,
    /// How it is protected.
    pub security: Security,
    /// Its transport as written: `RTP/AVP`.
    pub protocol: String,
    /// The a=crypto lines that we can work with, in order. They hold keys: where they are written down, it is sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crypto: Vec<Crypto>,
    /// What it says of DTLS and ICE, where it is protected by DTLS.
    #[serde(skip)]
    pub dtls: Option<Box<Dtls>>,
    /// Port 0: rejected, removed, or not wanted.
    pub rejected: bool,
    /// The m= line can't be read; then it counts as rejected.
    pub unreadable: bool,
    /// `0.0.0.0` or `::`: nothing is to be sent there.
    pub nowhere: bool,
    /// Its address, or that of its RTCP, is one that media must not be sent to on a stranger's word: multicast,
    /// broadcast, "this network" other than nowhere.
    pub forbidden: bool,
    /// Where the party wants its media; `None` when rejected, nowhere, forbidden, or only a name is given.
    pub rtp: Option<SocketAddr>,
    /// The port at which it wants its media, where the description names no address: a host name in c=, or no c= at
    /// all.
    pub port_alone: Option<u16>,
    /// Where the party wants its RTCP.
    pub rtcp: Option<SocketAddr>,
    /// Family of the c= line, unless it is nowhere.
    pub family: Option<IpFamily>,
    /// a=rtcp-mux is stated.
    pub mux: bool,
    /// The direction as the m-line states it, or the session, or sendrecv.
    pub direction: Direction,
    /// a=ptime in milliseconds.
    pub ptime_ms: Option<u16>,
    /// Payload formats, in the order of preference.
    pub formats: Vec<Format>,
}

impl Stream {
    /// The streams of a description, m-line by m-line.
    #[must_use]
    pub fn all(description: &Description<'_>) -> Vec<Self> {
        let session = Session {
            direction: description.attributes().find_map(|(name, _)| direction(name)),
            fingerprint: description.attributes().any(|(name, _)| name == "fingerprint"),
            dtls: Dtls::of_session(description.attributes()),
        };
        description.media().map(|media| session.stream(&media)).collect()
    }

    /// Whether the relay carries it.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        self.carriage != Carriage::Unrelayable && !self.rejected
    }

    /// Whether its author does ICE and has not told an address by other means.
    #[must_use]
    pub fn is_by_candidates(&self) -> bool {
        !self.nowhere && self.rtp.is_none() && self.dtls.as_ref().is_some_and(|dtls| dtls.fragment.is_some())
    }

    /// Whether its transport is a protected one, as of RTP/SAVP: it doesn't fall back on RTP.
    #[must_use]
    pub fn is_protected_only(&self) -> bool {
        self.protocol.to_ascii_uppercase().contains("SAVP")
    }

    /// Whether the party wants to be sent media.
    #[must_use]
    pub const fn receives(&self) -> bool {
        self.direction.receives() && !self.nowhere
    }
}

/// The session-level lines that hold for all m-lines.
struct Session {
    direction: Option<Direction>,
    fingerprint: bool,
    dtls: Dtls,
}

/// An m-line's own attributes, gathered in one pass.
#[derive(Default)]
struct Attributes {
    direction: Option<Direction>,
    ptime_ms: Option<u16>,
    mux: bool,
    crypto: bool,
    lines: Vec<Crypto>,
    fingerprint: bool,
}

impl Attributes {
    /// Gathers, and completes the formats with their a=rtpmap and a=fmtp.
    fn read(media: &Media<'_, '_>, formats: &mut [Format]) -> Self {
        let mut found = Self::default();
        for (name, value) in media.attributes() {
            match name {
                "rtpmap" | "fmtp" => describe(formats, name, value.unwrap_or_default()),
                "rtcp-mux" | "rtcp-mux-only" => found.mux = true,
                "ptime" => found.ptime_ms = found.ptime_ms.or(value.and_then(ptime)),
                "crypto" => {
                    found.crypto = true;
                    if found.lines.len() < crypto::MOST_LINES {
                        found.lines.extend(value.and_then(|value| Crypto::read(value).ok()));
                    }
                }
                "fingerprint" => found.fingerprint = true,
                _ => found.direction = found.direction.or_else(|| direction(name)),
            }
        }
        found
    }
}

impl Session {
    fn stream(&self, media: &Media<'_, '_>) -> Stream {
        let connection = media.connection();
        let nowhere = connection.as_ref().is_some_and(super::Connection::is_nowhere);
        let stated = connection.as_ref().and_then(|c| c.ip);
        let ip = stated.and_then(unicast);
        let rejected = media.port() == 0;
        let rtp = ip.filter(|_| !rejected).map(|ip| SocketAddr::new(ip, media.port()));
        let carriage = carriage(media.protocol());
        let rtcp_at = media.rtcp().and_then(|rtcp| rtcp.connection);
        let mut formats = if carriage == Carriage::Rtp { formats(media) } else { Vec::new() };
        let own = Attributes::read(media, &mut formats);
        let security = self.security(media.protocol(), &own);
        let dtls = (security == Security::Dtls).then(|| Box::new(Dtls::of(media, &self.dtls)));
        // With ICE the candidates tell where media goes; who has none yet states this (RFC 8839 §4.3.1).
        let by_ice = dtls.as_ref().is_some_and(|dtls| dtls.fragment.is_some());
        let nowhere = nowhere && !(by_ice && media.port() == 9);
        Stream {
            kind: kind(media.kind()),
            carriage,
            security,
            dtls,
            protocol: media.protocol().to_owned(),
            crypto: own.lines,
            rejected,
            unreadable: !media.is_readable(),
            nowhere,
            forbidden: !rejected && (is_forbidden(connection.as_ref()) || is_forbidden(rtcp_at.as_ref())),
            rtp,
            port_alone: (stated.is_none() && !rejected).then(|| media.port()),
            rtcp: rtp.filter(|_| carriage == Carriage::Rtp).and_then(|rtp| rtcp(media, rtp)),
            family: connection.filter(|_| !nowhere).and_then(|c| c.ip.map(IpFamily::of).or(c.family)),
            mux: own.mux,
            direction: own.direction.or(self.direction).unwrap_or_default(),
            ptime_ms: own.ptime_ms,
            formats,
        }
    }

    fn security(&self, protocol: &str, own: &Attributes) -> Security {
        let protocol = protocol.to_ascii_uppercase();
        if protocol.contains("TLS") {
            Security::Dtls
        } else if own.crypto {
            Security::Sdes
        } else if own.fingerprint || (self.fingerprint && protocol.starts_with("RTP/")) {
            Security::Dtls
        } else if protocol.contains("SAVP") {
            Security::Sdes
        } else {
            Security::None
        }
    }
}

/// Some write `20.0`.
fn ptime(value: &str) -> Option<u16> {
    let ms = value.trim().parse::<f32>().ok()?;
    (1.0..=1000.0).contains(&ms).then_some(ms as u16)
}

fn kind(word: &str) -> MediaKind {
    match word {
        _ if word.eq_ignore_ascii_case("audio") => MediaKind::Audio,
        _ if word.eq_ignore_ascii_case("video") => MediaKind::Video,
        _ if word.eq_ignore_ascii_case("image") => MediaKind::Image,
        _ => MediaKind::Other,
    }
}

fn carriage(protocol: &str) -> Carriage {
    let protocol = protocol.to_ascii_uppercase();
    if protocol.starts_with("RTP/") || protocol.starts_with("UDP/TLS/RTP/") {
        Carriage::Rtp
    } else if protocol == "UDP"
        || protocol == "UDPTL"
        || protocol.starts_with("UDP/")
        || protocol == "DTLS/SCTP"
    {
        Carriage::Datagrams
    } else {
        Carriage::Unrelayable
    }
}

/// An address that media may be sent to on a stranger's word: no multicast, no broadcast, not nowhere. Of 0.0.0.0/8 the
/// rest is "this host on this network" (RFC 1122 §3.2.1.3), never a destination.
fn unicast(ip: IpAddr) -> Option<IpAddr> {
    let ip = match ip.to_canonical() {
        // IPv4-compatible addresses are deprecated (RFC 4291 §2.5.5.1), and some systems still read the IPv4 in them.
        IpAddr::V6(v6) if !v6.is_loopback() => v6.to_ipv4().map_or(IpAddr::V6(v6), IpAddr::V4),
        ip => ip,
    };
    let never = match ip {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    (!never && !ip.is_multicast()).then_some(ip)
}

fn is_forbidden(connection: Option<&super::Connection<'_>>) -> bool {
    connection.is_some_and(|at| !at.is_nowhere() && at.ip.is_some_and(|ip| unicast(ip).is_none()))
}

fn rtcp(media: &Media<'_, '_>, rtp: SocketAddr) -> Option<SocketAddr> {
    let Some(stated) = media.rtcp() else {
        return Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
    };
    let ip = match stated.connection {
        Some(connection) => connection.ip.and_then(unicast)?,
        None => rtp.ip(),
    };
    (stated.port != 0).then(|| SocketAddr::new(ip, stated.port))
}

fn formats(media: &Media<'_, '_>) -> Vec<Format> {
    media
        .formats()
        .filter_map(|token| token.parse::<u8>().ok().filter(|pt| *pt < 128))
        .take(MAX_FORMATS)
        .map(static_format)
        .collect()
}

/// Adds what a=rtpmap or a=fmtp says of a format.
fn describe(formats: &mut [Format], attribute: &str, value: &str) {
    let Some((payload_type, rest)) = value.trim().split_once([' ', '\t']) else { return };
    let Ok(payload_type) = payload_type.parse::<u8>() else { return };
    let Some(format) = formats.iter_mut().find(|f| f.payload_type == payload_type) else { return };
    match attribute {
        "rtpmap" => map(format, rest.trim()),
        _ => rest.trim().clone_into(&mut format.fmtp),
    }
}

/// `encoding/clock[/channels]`
fn map(format: &mut Format, text: &str) {
    let mut parts = text.split('/');
    let encoding = parts.next().unwrap_or_default().trim();
    let Some(clock_rate) = parts.next().and_then(|rate| rate.trim().parse().ok()) else { return };
    encoding.clone_into(&mut format.encoding);
    format.clock_rate = clock_rate;
    format.channels = parts.next().and_then(|n| n.trim().parse().ok()).unwrap_or(1).max(1);
}

/// RFC 3551 tables 4 and 5: what a payload type means without an a=rtpmap.
fn static_format(payload_type: u8) -> Format {
    let (encoding, clock_rate, channels) = match payload_type {
        0 => ("PCMU", 8000, 1),
        3 => ("GSM", 8000, 1),
        4 => ("G723", 8000, 1),
        5 => ("DVI4", 8000, 1),
        6 => ("DVI4", 16000, 1),
        7 => ("LPC", 8000, 1),
        8 => ("PCMA", 8000, 1),
        9 => ("G722", 8000, 1),
        10 => ("L16", 44100, 2),
        11 => ("L16", 44100, 1),
        12 => ("QCELP", 8000, 1),
        13 => ("CN", 8000, 1),
        14 => ("MPA", 90000, 1),
        15 => ("G728", 8000, 1),
        16 => ("DVI4", 11025, 1),
        17 => ("DVI4", 22050, 1),
        18 => ("G729", 8000, 1),
        25 => ("CelB", 90000, 1),
        26 => ("JPEG", 90000, 1),
        28 => ("nv", 90000, 1),
        31 => ("H261", 90000, 1),
        32 => ("MPV", 90000, 1),
        33 => ("MP2T", 90000, 1),
        34 => ("H263", 90000, 1),
        _ => ("", 0, 1),
    };
    Format { payload_type, encoding: encoding.to_owned(), clock_rate, channels, fmtp: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(text: &str) -> Vec<Stream> {
        Stream::all(&Description::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn formats_and_parameters() {
        let all = streams(
            "v=0\r\nc=IN IP4 192.0.2.1\r\na=sendonly\r\nm=audio 4000 RTP/AVP 111 9 0 101 200\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1; x=y\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=ptime:20\r\na=rtcp-mux\r\n",
        );
        let [audio] = &all[..] else { panic!() };
        assert_eq!(audio.rtp, Some("192.0.2.1:4000".parse().unwrap()));
        assert_eq!(audio.rtcp, Some("192.0.2.1:4001".parse().unwrap()));
        assert_eq!((audio.direction, audio.ptime_ms, audio.mux), (Direction::SendOnly, Some(20), true));
        let names: Vec<_> =
            audio.formats.iter().map(|f| (f.encoding.as_str(), f.clock_rate, f.channels)).collect();
        assert_eq!(
            names,
            [("opus", 48000, 2), ("G722", 8000, 1), ("PCMU", 8000, 1), ("telephone-event", 8000, 1)]
        );
        assert_eq!(audio.formats[0].fmtp, "useinbandfec=1; x=y");
    }

    #[test]
    fn carriage_and_security() {
        let all = streams(
            "v=0\nc=IN IP6 2001:db8::1\nm=audio 1 RTP/SAVP 0\na=crypto:1 x\nm=video 3 UDP/TLS/RTP/SAVPF 96\n\
             m=image 5 udptl t38\nm=message 7 TCP/MSRP *\nm=audio 9 RTP/AVP 0\na=fingerprint:sha-256 x\n\
             m=application 11 UDP/BFCP *\n",
        );
        let seen: Vec<_> = all.iter().map(|s| (s.kind, s.carriage, s.security)).collect();
        use {Carriage as C, MediaKind as K, Security as S};
        assert_eq!(
            seen,
            [
                (K::Audio, C::Rtp, S::Sdes),
                (K::Video, C::Rtp, S::Dtls),
                (K::Image, C::Datagrams, S::None),
                (K::Other, C::Unrelayable, S::None),
                (K::Audio, C::Rtp, S::Dtls),
                (K::Other, C::Datagrams, S::None),
            ]
        );
        assert_eq!(all[0].family, Some(IpFamily::V6));
    }

    #[test]
    fn a_port_without_an_address() {
        let all = streams(
            "v=0\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\nc=IN IP4 sbc.example\n\
             m=audio 4004 RTP/AVP 0\nc=IN IP4 0.0.0.0\nm=audio 4006 RTP/AVP 0\nc=IN IP4 192.0.2.1\n\
             m=audio 0 RTP/AVP 0\n",
        );
        let alone: Vec<_> = all.iter().map(|stream| stream.port_alone).collect();
        assert_eq!(alone, [Some(4000), Some(4002), None, None, None]);
        assert_eq!(all[1].family, Some(IpFamily::V4), "the name is said to be one of IPv4");
    }

    #[test]
    fn an_unreadable_line_keeps_its_place() {
        let all = streams("c=IN IP4 192.0.2.1\nm=video - RTP/AVP 96\nm=x\nm=audio 4000 RTP/AVP 0\nm=\n");
        let seen: Vec<_> = all.iter().map(|s| (s.kind, s.unreadable, s.rejected)).collect();
        use MediaKind as K;
        assert_eq!(
            seen,
            [
                (K::Video, true, true),
                (K::Other, true, true),
                (K::Audio, false, false),
                (K::Other, true, true)
            ]
        );
        assert_eq!(all[2].rtp, Some("192.0.2.1:4000".parse().unwrap()));
    }

    #[test]
    fn rtcp_elsewhere_and_nowhere() {
        let all = streams(
            "v=0\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.1\na=rtcp:53020 IN IP4 126.16.64.4\n\
             m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\nc=IN IP4 224.2.1.1/127\n\
             m=audio 65535 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 0\nc=IN IP4 192.0.2.1\n",
        );
        assert_eq!(all[0].rtcp, Some("126.16.64.4:53020".parse().unwrap()));
        assert!(all[1].nowhere && all[1].rtp.is_none() && !all[1].receives() && all[1].family.is_none());
        assert!(!all[2].nowhere && all[2].rtp.is_none());
        assert!(all[3].rtp.is_some() && all[3].rtcp.is_none());
        assert!(all[4].rejected && all[4].rtp.is_none());
        assert_eq!(all.iter().map(|s| s.forbidden).collect::<Vec<_>>(), [false, false, true, false, false]);
    }

    #[test]
    fn addresses_that_are_nobodys() {
        for (address, forbidden) in [
            ("IN IP4 0.0.0.0", false),
            ("IN IP4 0.1.2.3", true),
            ("IN IP4 255.255.255.255", true),
            ("IN IP4 239.1.1.1/32", true),
            ("IN IP6 ::", false),
            ("IN IP6 ff02::1", true),
            ("IN IP6 ::ffff:224.0.0.1", true),
            ("IN IP6 ::224.0.0.1", true),
            ("IN IP4 media.example.com", false),
            ("IN IP4 192.0.2.255", false),
        ] {
            let [stream] = &streams(&format!("v=0\nc={address}\nm=audio 4000 RTP/AVP 0\n"))[..] else {
                panic!()
            };
            assert_eq!(stream.forbidden, forbidden, "{address}");
            let rtcp = format!("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:53020 {address}\n");
            assert_eq!(streams(&rtcp)[0].forbidden, forbidden, "RTCP at {address}");
        }
        let mapped = streams("v=0\nc=IN IP6 ::127.0.0.1\nm=audio 4000 RTP/AVP 0\n");
        assert_eq!(mapped[0].rtp, Some("127.0.0.1:4000".parse().unwrap()), "judged as what it is");
    }

    #[test]
    fn a_number_that_no_port_has() {
        let all = streams(
            "v=0\nc=IN IP4 192.0.2.1\nm=audio 70000 RTP/AVP 0\nm=audio 99999999999999999999 RTP/AVP 0\nm=audio 6000/65535 RTP/AVP 0\n",
        );
        let seen: Vec<_> =
            all.iter().map(|s| (s.unreadable, s.rejected, s.rtp.map(|rtp| rtp.port()))).collect();
        assert_eq!(seen, [(true, true, None), (true, true, None), (false, false, Some(6_000))]);
    }
}
