//! A SIP peer of the tests' own, for what SIPp can't or won't send.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::GUARD;
use crate::trace::{Seen, Way};

/// An answer to a request, as in `486 Busy Here`; `more` are further header lines with their ends.
///
/// # Panics
/// When the request lacks what an answer repeats.
#[must_use]
pub fn answer(request: &Seen, status: &str, more: &str) -> String {
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| request.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let to = request.header("To").unwrap();
    let tag = if to.contains(";tag=") { "" } else { ";tag=raw" };
    format!("SIP/2.0 {status}\r\n{kept}To: {to}{tag}\r\n{more}Content-Length: 0\r\n\r\n")
}

/// A UDP socket that speaks whatever it is told to.
#[derive(Debug)]
pub struct Raw {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Raw {
    /// Binds a socket that sends to `to`.
    ///
    /// # Panics
    /// When the port is taken.
    #[must_use]
    pub fn bind(at: SocketAddr, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind(at).unwrap_or_else(|error| panic!("{at}: {error}"));
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        Self { socket, to }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When the system does not know.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Sends a datagram.
    ///
    /// # Panics
    /// When the system refuses it.
    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.to).unwrap();
    }

    /// The next datagram, if one comes within `patience`.
    #[must_use]
    pub fn receive_within(&self, patience: Duration) -> Option<Seen> {
        let start = Instant::now();
        let mut buffer = vec![0; 65_536];
        loop {
            if let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
                return Some(Seen { way: Way::Received, bytes: buffer[..length].to_vec() });
            }
            if start.elapsed() > patience {
                return None;
            }
        }
    }

    /// The next response other than 100.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn response(&self) -> Seen {
        loop {
            let seen = self.receive_within(GUARD).expect("a response");
            if seen.status().is_some_and(|status| status != 100) {
                return seen;
            }
        }
    }

    /// Answers a request, as in `486 Busy Here`.
    ///
    /// # Panics
    /// When the request lacks what an answer repeats.
    pub fn answer(&self, request: &Seen, status: &str) {
        self.send(answer(request, status, "").as_bytes());
    }

    /// The next request, if one comes within `patience`.
    #[must_use]
    pub fn request_within(&self, patience: Duration) -> Option<Seen> {
        let start = Instant::now();
        loop {
            let left = patience.checked_sub(start.elapsed())?;
            if let Some(seen) = self.receive_within(left).filter(|seen| seen.status().is_none()) {
                return Some(seen);
            }
        }
    }

    /// A well-formed request from this socket, outside any dialog; `more` are further header lines with their ends.
    #[must_use]
    pub fn request(&self, method: &str, uri: &str, id: &str, more: &str) -> String {
        let at = self.at();
        let forwards = if more.contains("Max-Forwards:") { "" } else { "Max-Forwards: 70\r\n" };
        let length = if more.contains("Content-Length:") { "" } else { "Content-Length: 0\r\n" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{id}\r\nFrom: <sip:raw@{at}>;tag={id}\r\n\
             To: <{uri}>\r\nCall-ID: {id}@raw\r\nCSeq: 1 {method}\r\nContact: <sip:raw@{at}>\r\n{forwards}{more}{length}\r\n"
        )
    }
}
