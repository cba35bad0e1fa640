//! Two SIP user agents, as plain as can be: one calls, the other answers, a message at a time.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sidetone_call::Keying;
use sidetone_sip::sdp::crypto::Crypto;

/// How long any message may take; on loopback, where nothing is lost, it takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// SDP for G.711 µ-law at an address.
pub(super) fn sdp(media: SocketAddr) -> String {
    let family = if media.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (media.ip(), media.port());
    format!(
        "v=0\r\no=bench 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
    )
}

/// The same with SRTP at that address, and the key of what is sent from there.
pub(super) fn secured(media: SocketAddr, key: &Crypto) -> String {
    sdp(media).replace("RTP/AVP", "RTP/SAVP") + &key.line() + "\r\n"
}

/// The key in SDP, or in a message that ends in it.
pub(super) fn key(sdp: &str) -> Option<Keying> {
    let line = sdp.lines().find_map(|line| line.strip_prefix("a=crypto:"))?;
    Some(Crypto::read(line).ok()?.keying)
}

/// The port of the first audio stream in SDP, or in a message that ends in it.
pub(super) fn audio_port(sdp: &str) -> Option<u16> {
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}

/// A caller and a callee with a proxy between them.
#[derive(Debug)]
pub(super) struct Pair {
    caller: Agent,
    callee: Agent,
    proxy: SocketAddr,
    /// The key of what the caller sends, if it speaks SRTP.
    key: Option<Crypto>,
    calls: u32,
    dialogs: Vec<Dialog>,
}

#[derive(Debug)]
struct Dialog {
    call: u32,
    /// The callee's Contact.
    target: String,
    /// `To` with the callee's tag.
    to: String,
    /// `Route` lines, in the order in which the caller sends them (RFC 3261 §12.1.2: Record-Route reversed).
    routes: String,
}

/// A call that is up: the ports that the two SDPs carried when they arrived.
#[derive(Debug, Clone)]
pub(super) struct Agreed {
    /// The port that the caller was given.
    pub(super) to_caller: u16,
    /// The port that the callee was given.
    pub(super) to_callee: u16,
    /// The key of what the caller is sent, if it asked for SRTP.
    pub(super) key: Option<Keying>,
    /// The answer, as the caller received it.
    pub(super) answer: String,
}

impl Pair {
    /// Sockets for both, on the addresses given; the callee's is what the proxy has to be told.
    pub(super) fn new(caller: IpAddr, callee: IpAddr, proxy: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            caller: Agent::new(caller)?,
            callee: Agent::new(callee)?,
            proxy,
            key: None,
            calls: 0,
            dialogs: Vec::new(),
        })
    }

    /// The caller speaks SRTP, and protects what it sends with this key.
    pub(super) fn secured_by(mut self, key: Crypto) -> Self {
        self.key = Some(key);
        self
    }

    /// Where the callee waits.
    pub(super) fn callee(&self) -> SocketAddr {
        self.callee.at
    }

    /// Sets one call up.
    pub(super) fn call(
        &mut self,
        caller_media: SocketAddr,
        callee_media: SocketAddr,
    ) -> anyhow::Result<Agreed> {
        let offer = self.key.as_ref().map_or_else(|| sdp(caller_media), |key| secured(caller_media, key));
        self.offer(&offer, callee_media)
    }

    /// Sets one call up with an offer of its own.
    pub(super) fn offer(&mut self, offer: &str, callee_media: SocketAddr) -> anyhow::Result<Agreed> {
        self.calls += 1;
        let call = self.calls;
        let to = format!("<sip:100@{}>", self.proxy);
        self.caller.send(
            self.proxy,
            &self.request(call, "INVITE", 1, &format!("sip:100@{}", self.proxy), &to, "", offer),
        )?;
        let (invite, from) = self.callee.receive("INVITE ")?;
        let contact = format!("Contact: <sip:100@{}>\r\n", self.callee.at);
        self.callee.send(from, &response(&invite, &contact, Some(call), &sdp(callee_media)))?;
        let (answer, _) = self.caller.receive("SIP/2.0 200")?;
        let dialog = Dialog {
            call,
            target: bracketed(header(&answer, "Contact").context("no Contact in the answer")?).to_owned(),
            to: header(&answer, "To").context("no To in the answer")?.to_owned(),
            routes: routes(&answer),
        };
        self.in_dialog(&dialog, "ACK", 1)?;
        self.callee.receive("ACK ")?;
        self.dialogs.push(dialog);
        Ok(Agreed {
            to_caller: audio_port(&answer).context("no audio in the answer")?,
            to_callee: audio_port(&invite).context("no audio in the offer")?,
            key: key(&answer),
            answer,
        })
    }

    /// Ends every call.
    pub(super) fn hang_up(&mut self) -> anyhow::Result<()> {
        for dialog in std::mem::take(&mut self.dialogs) {
            self.in_dialog(&dialog, "BYE", 2)?;
            let (bye, from) = self.callee.receive("BYE ")?;
            self.callee.send(from, &response(&bye, "", None, ""))?;
            self.caller.receive("SIP/2.0 200")?;
        }
        Ok(())
    }

    fn in_dialog(&self, dialog: &Dialog, method: &str, cseq: u32) -> anyhow::Result<()> {
        let request = self.request(dialog.call, method, cseq, &dialog.target, &dialog.to, &dialog.routes, "");
        self.caller.send(self.proxy, &request)
    }

    #[allow(clippy::too_many_arguments)] // A request has that many parts.
    fn request(
        &self,
        call: u32,
        method: &str,
        cseq: u32,
        uri: &str,
        to: &str,
        routes: &str,
        body: &str,
    ) -> String {
        let at = self.caller.at;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{call};rport\r\n{routes}\
             Max-Forwards: 70\r\nFrom: <sip:bench@{at}>;tag=caller{call}\r\nTo: {to}\r\n\
             Call-ID: {call}@{at}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bench@{at}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// A 200 with the headers that RFC 3261 §8.2.6 has copied.
fn response(request: &str, more: &str, tag: Option<u32>, body: &str) -> String {
    let mut out = String::from("SIP/2.0 200 OK\r\n");
    for (name, value) in headers(request) {
        let copied = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]
            .iter()
            .any(|n| name.eq_ignore_ascii_case(n));
        if copied {
            let _ = write!(out, "{name}: {value}");
            if let Some(tag) = tag.filter(|_| name.eq_ignore_ascii_case("To")) {
                let _ = write!(out, ";tag=callee{tag}");
            }
            out.push_str("\r\n");
        }
    }
    if !body.is_empty() {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(out, "{more}Content-Length: {}\r\n\r\n{body}", body.len());
    out
}

/// Header fields as lines; neither agent nor any proxy here folds them.
fn headers(message: &str) -> impl Iterator<Item = (&str, &str)> {
    message.lines().skip(1).take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim_end(), value.trim()))
    })
}

fn header<'a>(message: &'a str, wanted: &str) -> Option<&'a str> {
    headers(message).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}

fn routes(response: &str) -> String {
    let recorded: Vec<&str> = headers(response)
        .filter(|(name, _)| name.eq_ignore_ascii_case("Record-Route"))
        .flat_map(|(_, value)| value.split(',').map(str::trim))
        .collect();
    recorded.iter().rev().fold(String::new(), |mut routes, route| {
        let _ = write!(routes, "Route: {route}\r\n");
        routes
    })
}

fn bracketed(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

#[derive(Debug)]
struct Agent {
    socket: UdpSocket,
    at: SocketAddr,
}

impl Agent {
    fn new(ip: IpAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let at = socket.local_addr()?;
        Ok(Self { socket, at })
    }

    fn send(&self, to: SocketAddr, message: &str) -> anyhow::Result<()> {
        self.socket.send_to(message.as_bytes(), to)?;
        Ok(())
    }

    /// The next message that begins so. Provisional responses and late retransmissions are passed over; a failure
    /// ends the benchmark.
    fn receive(&self, beginning: &str) -> anyhow::Result<(String, SocketAddr)> {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 65_536];
        while Instant::now() < deadline {
            let (length, from) =
                self.socket.recv_from(&mut buffer).with_context(|| format!("waiting for {beginning:?}"))?;
            let message = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            if message.starts_with(beginning) {
                return Ok((message, from));
            }
            if let Some(status) = message.strip_prefix("SIP/2.0 ")
                && status.starts_with(['3', '4', '5', '6'])
            {
                bail!("waiting for {beginning:?}, got {}", message.lines().next().unwrap_or_default());
            }
        }
        bail!("no {beginning:?} within {PATIENCE:?}")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// With nobody between them, the callee stands where the proxy would.
    #[test]
    fn a_call_is_set_up_and_ended() {
        let mut pair = Pair::new(HERE, HERE, "127.0.0.1:1".parse().unwrap()).unwrap();
        pair.proxy = pair.callee();
        let agreed = pair.call("127.0.0.1:4000".parse().unwrap(), "127.0.0.1:6000".parse().unwrap()).unwrap();
        assert_eq!((agreed.to_caller, agreed.to_callee), (6_000, 4_000));
        pair.hang_up().unwrap();
        assert!(pair.dialogs.is_empty());
    }

    #[test]
    fn routes_are_recorded_routes_reversed() {
        let response =
            "SIP/2.0 200 OK\r\nRecord-Route: <sip:b;lr>, <sip:a;lr>\r\nrecord-route: <sip:z;lr>\r\n\r\n";
        assert_eq!(routes(response), "Route: <sip:z;lr>\r\nRoute: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\n");
    }

    #[test]
    fn a_response_has_what_has_to_be_copied() {
        let request =
            "INVITE sip:a SIP/2.0\r\nVia: one\r\nVia: two\r\nMax-Forwards: 70\r\nTo: <sip:a>\r\n\r\nTo: body";
        let made = response(request, "Contact: <sip:c>\r\n", Some(7), "v=0\r\n");
        assert_eq!(
            made,
            "SIP/2.0 200 OK\r\nVia: one\r\nVia: two\r\nTo: <sip:a>;tag=callee7\r\n\
             Content-Type: application/sdp\r\nContact: <sip:c>\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        );
    }
}
