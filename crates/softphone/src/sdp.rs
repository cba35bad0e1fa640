//! Offers and answers of one audio stream (RFC 3264, RFC 4566).
//!
//! Deliberately not built on the proxy's own SDP code: what checks it should not share its mistakes.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use sidetone_call::Direction;

use crate::Codec;

const DIRECTIONS: [Direction; 4] =
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

/// The attribute that states a direction (RFC 4566 §6).
const fn direction_attribute(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

/// The direction of an answer to `offered` by a party that wants `ours` (RFC 3264 §6.1).
pub(crate) const fn answered_direction(offered: Direction, ours: Direction) -> Direction {
    match (offered.receives() && ours.sends(), offered.sends() && ours.receives()) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// A codec, or telephone-event, under a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Voice { payload_type: u8, codec: Codec },
    Event { payload_type: u8, clock_rate: u32 },
}

impl Format {
    const fn payload_type(self) -> u8 {
        match self {
            Self::Voice { payload_type, .. } | Self::Event { payload_type, .. } => payload_type,
        }
    }
}

/// One party's description of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// Where it wants RTP.
    pub(crate) rtp: SocketAddr,
    /// Where it wants RTCP.
    pub(crate) rtcp: SocketAddr,
    pub(crate) direction: Direction,
    pub(crate) formats: Vec<Format>,
    pub(crate) ptime_ms: Option<u32>,
    pub(crate) mux: bool,
    /// All m-lines in order, and which of them is the audio described here.
    lines: Vec<String>,
    audio: usize,
}

impl Description {
    /// The first codec of `ours` order that both know, with the payload type this party wants it under.
    pub(crate) fn common(&self, ours: &[Codec]) -> Option<(u8, Codec)> {
        self.formats.iter().find_map(|format| match *format {
            Format::Voice { payload_type, codec } if ours.contains(&codec) => Some((payload_type, codec)),
            _ => None,
        })
    }

    /// The payload type of telephone-event at that clock rate.
    pub(crate) fn event(&self, rate: u32) -> Option<u8> {
        self.formats.iter().find_map(|format| match *format {
            Format::Event { payload_type, clock_rate } if clock_rate == rate => Some(payload_type),
            _ => None,
        })
    }

    /// All payload types that mean telephone-event here.
    pub(crate) fn events(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|format| match *format {
            Format::Event { payload_type, .. } => Some(payload_type),
            Format::Voice { .. } => None,
        })
    }

    /// Whether media can be sent there at all: hold in the style of RFC 2543 gives the address 0.0.0.0.
    pub(crate) const fn takes_media(&self) -> bool {
        self.direction.receives() && !self.rtp.ip().is_unspecified()
    }
}

/// This end's own description.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) session: u64,
    pub(crate) version: u64,
    pub(crate) rtp: SocketAddr,
    /// `c=0.0.0.0`, the hold of RFC 2543.
    pub(crate) blackhole: bool,
    pub(crate) direction: Direction,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) ptime_ms: u32,
    pub(crate) mux: bool,
}

impl Local {
    fn address(&self) -> String {
        match self.rtp.ip() {
            IpAddr::V4(_) if self.blackhole => "IP4 0.0.0.0".to_owned(),
            IpAddr::V6(_) if self.blackhole => "IP6 ::".to_owned(),
            IpAddr::V4(ip) => format!("IP4 {ip}"),
            IpAddr::V6(ip) => format!("IP6 {ip}"),
        }
    }

    fn session_lines(&self) -> String {
        let family = if self.rtp.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=- {} {} IN {family} {}\r\ns=-\r\nc=IN {}\r\nt=0 0\r\n",
            self.session,
            self.version,
            self.rtp.ip(),
            self.address()
        )
    }

    fn media_lines(&self, formats: &[Format], direction: Direction, mux: bool) -> String {
        let mut out = format!("m=audio {} RTP/AVP", self.rtp.port());
        for format in formats {
            let _ = write!(out, " {}", format.payload_type());
        }
        out.push_str("\r\n");
        for format in formats {
            let pt = format.payload_type();
            let _ = match format {
                Format::Voice { codec, .. } => write!(out, "a=rtpmap:{pt} {}\r\n", codec.rtpmap()),
                Format::Event { clock_rate, .. } => {
                    write!(out, "a=rtpmap:{pt} telephone-event/{clock_rate}\r\na=fmtp:{pt} 0-15\r\n")
                }
            };
            if let Format::Voice { codec, .. } = format
                && let Some(fmtp) = codec.fmtp()
            {
                let _ = write!(out, "a=fmtp:{pt} {fmtp}\r\n");
            }
        }
        let _ = write!(out, "a=ptime:{}\r\na={}\r\n", self.ptime_ms, direction_attribute(direction));
        if mux {
            out.push_str("a=rtcp-mux\r\n");
        }
        out
    }

    /// telephone-event once for each clock rate among the codecs: payload type and rate.
    fn events(&self) -> impl Iterator<Item = (u8, u32)> + use<> {
        let mut rates: Vec<u32> = self.codecs.iter().map(|codec| codec.clock_rate()).collect();
        rates.sort_unstable();
        rates.dedup();
        (101..).zip(rates)
    }

    /// The payload types that its offers have for telephone-event.
    pub(crate) fn event_types(&self) -> Vec<u8> {
        self.events().map(|(payload_type, _)| payload_type).collect()
    }

    /// An offer of all its codecs, and of telephone-event at each of their clock rates.
    pub(crate) fn offer(&self) -> String {
        let mut formats: Vec<Format> = self
            .codecs
            .iter()
            .map(|&codec| Format::Voice { payload_type: codec.payload_type(), codec })
            .collect();
        formats.extend(
            self.events().map(|(payload_type, clock_rate)| Format::Event { payload_type, clock_rate }),
        );
        self.session_lines() + &self.media_lines(&formats, self.direction, self.mux)
    }

    /// An answer that takes one codec of the offer; `None` without a common one.
    pub(crate) fn answer(&self, offer: &Description) -> Option<String> {
        let (payload_type, codec) = offer.common(&self.codecs)?;
        let mut formats = vec![Format::Voice { payload_type, codec }];
        let clock_rate = codec.clock_rate();
        formats
            .extend(offer.event(clock_rate).map(|payload_type| Format::Event { payload_type, clock_rate }));
        let mut out = self.session_lines();
        for (at, line) in offer.lines.iter().enumerate() {
            if at == offer.audio {
                let direction = answered_direction(offer.direction, self.direction);
                out += &self.media_lines(&formats, direction, offer.mux && self.mux);
            } else {
                let _ = write!(out, "{}\r\n", refused(line));
            }
        }
        Some(out)
    }
}

/// An m-line with port zero.
fn refused(line: &str) -> String {
    let mut words = line.split_ascii_whitespace();
    let media = words.next().unwrap_or("m=audio");
    let _port = words.next();
    let rest: Vec<&str> = words.collect();
    format!("{media} 0 {}", rest.join(" "))
}

/// There is no audio in an SDP that this phone can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no plain RTP audio stream in the session description")]
pub(crate) struct NoAudio;

#[derive(Default)]
struct Section<'a> {
    connection: Option<IpAddr>,
    direction: Option<Direction>,
    attributes: Vec<&'a str>,
}

impl<'a> Section<'a> {
    fn take(&mut self, line: &'a str) {
        if let Some(value) = line.strip_prefix("c=") {
            self.connection = value
                .split_ascii_whitespace()
                .nth(2)
                .and_then(|a| a.split('/').next())
                .and_then(|a| a.parse().ok());
        } else if let Some(attribute) = line.strip_prefix("a=") {
            match DIRECTIONS.into_iter().find(|d| direction_attribute(*d) == attribute) {
                Some(direction) => self.direction = Some(direction),
                None => self.attributes.push(attribute),
            }
        }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find_map(|a| a.strip_prefix(name)?.strip_prefix(':'))
    }

    fn rtpmap(&self, payload_type: u8) -> Option<&'a str> {
        self.attributes.iter().find_map(|a| {
            let (number, map) = a.strip_prefix("rtpmap:")?.split_once(' ')?;
            (number.trim().parse() == Ok(payload_type)).then_some(map.trim())
        })
    }
}

/// Reads the other party's description.
pub(crate) fn read(body: &[u8]) -> Result<Description, NoAudio> {
    let text = std::str::from_utf8(body).map_err(|_| NoAudio)?;
    let mut session = Section::default();
    let mut media: Vec<(&str, Section<'_>)> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if line.starts_with("m=") {
            media.push((line, Section::default()));
        } else {
            media.last_mut().map_or(&mut session, |(_, section)| section).take(line);
        }
    }
    let lines = media.iter().map(|(line, _)| (*line).to_owned()).collect();
    let (audio, (port, numbers), section) = media
        .iter()
        .enumerate()
        .find_map(|(at, (line, section))| Some((at, plain_audio(line)?, section)))
        .ok_or(NoAudio)?;
    let ip = section.connection.or(session.connection).ok_or(NoAudio)?;

    let formats = numbers
        .iter()
        .filter_map(|&payload_type| {
            let map = section.rtpmap(payload_type);
            let event =
                map.and_then(|m| m.to_ascii_lowercase().strip_prefix("telephone-event/")?.parse().ok());
            match event {
                Some(clock_rate) => Some(Format::Event { payload_type, clock_rate }),
                None => Codec::from_sdp(payload_type, map).map(|codec| Format::Voice { payload_type, codec }),
            }
        })
        .collect();
    let mux = section.attributes.contains(&"rtcp-mux");
    let rtp = SocketAddr::new(ip, port);
    let stated = section.value("rtcp").and_then(|value| {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        let at = words.nth(2).and_then(|a| a.parse().ok()).unwrap_or(ip);
        Some(SocketAddr::new(at, port))
    });
    let rtcp = if mux { rtp } else { stated.unwrap_or(SocketAddr::new(ip, port.saturating_add(1))) };
    Ok(Description {
        rtp,
        rtcp,
        direction: section.direction.or(session.direction).unwrap_or_default(),
        formats,
        ptime_ms: section.value("ptime").and_then(|p| p.trim().parse().ok()),
        mux,
        lines,
        audio,
    })
}

/// Port and payload types of an `m=audio` line over RTP/AVP that isn't refused.
fn plain_audio(line: &str) -> Option<(u16, Vec<u8>)> {
    let mut words = line.strip_prefix("m=audio ")?.split_ascii_whitespace();
    let port = words.next()?.split('/').next()?.parse().ok().filter(|&port| port != 0)?;
    matches!(words.next()?, "RTP/AVP" | "RTP/AVPF").then_some(())?;
    Some((port, words.filter_map(|number| number.parse().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(codecs: &[Codec]) -> Local {
        Local {
            session: 1,
            version: 1,
            rtp: "192.0.2.1:4000".parse().unwrap(),
            blackhole: false,
            direction: Direction::SendRecv,
            codecs: codecs.to_vec(),
            ptime_ms: 20,
            mux: false,
        }
    }

    #[test]
    fn an_offer_reads_back() {
        let codecs = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::L16 { rate: 16_000 }];
        let offer = read(local(&codecs).offer().as_bytes()).unwrap();
        assert_eq!(offer.rtp, "192.0.2.1:4000".parse().unwrap());
        assert_eq!(offer.rtcp, "192.0.2.1:4001".parse().unwrap());
        assert_eq!(offer.common(&[Codec::Pcma, Codec::G722]), Some((9, Codec::G722)));
        assert_eq!(offer.event(8_000), Some(101));
        assert_eq!(offer.event(48_000), Some(103));
    }

    #[test]
    fn an_answer_keeps_the_offer_s_lines_and_numbers() {
        let offer = read(
            b"v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\na=sendonly\r\n\
              m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n\
              m=audio 6000 RTP/AVP 96 8 100\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:100 telephone-event/8000\r\n\
              a=rtcp:7001 IN IP4 198.51.100.2\r\nm=image 0 udptl t38\r\n",
        )
        .unwrap();
        assert_eq!(offer.rtcp, "198.51.100.2:7001".parse().unwrap());
        let answer = local(&[Codec::Pcma]).answer(&offer).unwrap();
        let media: Vec<&str> = answer.lines().filter(|l| l.starts_with("m=")).collect();
        assert_eq!(media, ["m=video 0 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 100", "m=image 0 udptl t38"]);
        assert!(answer.contains("a=recvonly"));
        assert_eq!(local(&[Codec::Pcmu]).answer(&offer), None);
    }

    #[test]
    fn both_styles_of_hold() {
        let mut held = local(&[Codec::Pcmu]);
        held.blackhole = true;
        assert!(!read(held.offer().as_bytes()).unwrap().takes_media());
        for (offered, answered) in [
            (Direction::SendRecv, Direction::SendRecv),
            (Direction::SendOnly, Direction::RecvOnly),
            (Direction::RecvOnly, Direction::SendOnly),
            (Direction::Inactive, Direction::Inactive),
        ] {
            assert_eq!(answered_direction(offered, Direction::SendRecv), answered);
            assert!(!answered_direction(offered, Direction::Inactive).sends());
        }
    }
}
