//! SIP peers of the tests' own on connections: by TCP, TLS and WebSocket.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

use crate::GUARD;
use crate::trace::{Seen, Way};

/// How long one look for bytes takes.
const LOOK: Duration = Duration::from_millis(20);

/// A stream that may be encrypted.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS, as its client.
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// TLS, as its server.
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Connects from one address to another.
    ///
    /// # Errors
    /// As the system says.
    pub fn connect(from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
        socket.connect(&to.into())?;
        Ok(Self::Plain(socket.into()))
    }

    /// Begins TLS, as the client, and completes the handshake.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn secure(self, config: &Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        let Self::Plain(mut tcp) = self else { return Err(io::ErrorKind::InvalidInput.into()) };
        tcp.set_read_timeout(Some(GUARD))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        Ok(Self::Client(Box::new(StreamOwned::new(session, tcp))))
    }

    /// Takes the next connection of a listener, and completes the handshake of TLS.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let (mut tcp, _) = listener.accept()?;
        tcp.set_read_timeout(Some(GUARD))?;
        let mut session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        Ok(Self::Server(Box::new(StreamOwned::new(session, tcp))))
    }

    /// The TCP connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Client(tls) => &tls.sock,
            Self::Server(tls) => &tls.sock,
        }
    }

    /// The version and whether the session was resumed, where it is a client's.
    #[must_use]
    pub fn session(&self) -> Option<(rustls::ProtocolVersion, bool)> {
        let Self::Client(tls) = self else { return None };
        let resumed = tls.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        Some((tls.conn.protocol_version()?, resumed))
    }

    /// Whether the far end has closed it, without another byte, within the guard.
    pub fn is_closed(&mut self) -> bool {
        let _ = self.tcp().set_read_timeout(Some(GUARD));
        match self.read(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Client(tls) => tls.read(buffer),
            Self::Server(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Client(tls) => tls.write(bytes),
            Self::Server(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Client(tls) => tls.flush(),
            Self::Server(tls) => tls.flush(),
        }
    }
}

/// A SIP peer on a connection, or on a WebSocket.
#[derive(Debug)]
pub struct Line {
    by: By,
    buffered: Vec<u8>,
}

#[derive(Debug)]
enum By {
    Stream(Stream),
    WebSocket(Box<WebSocket<Stream>>),
}

impl Line {
    /// SIP on a stream.
    #[must_use]
    pub const fn on(stream: Stream) -> Self {
        Self { by: By::Stream(stream), buffered: Vec::new() }
    }

    /// Opens a WebSocket on a stream, for SIP, from a page of that origin.
    ///
    /// # Errors
    /// The server's answer, or why there is none.
    pub fn websocket(stream: Stream, host: &str, origin: Option<&str>) -> Result<Self, tungstenite::Error> {
        let mut request = format!("wss://{host}/").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", "sip".parse()?);
        if let Some(origin) = origin {
            headers.insert("Origin", origin.parse()?);
        }
        let _ = stream.tcp().set_read_timeout(Some(GUARD));
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { by: By::WebSocket(Box::new(socket)), buffered: Vec::new() }),
            Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
            Err(tungstenite::HandshakeError::Interrupted(_)) => {
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
        }
    }

    /// The WebSocket.
    ///
    /// # Panics
    /// When it is none.
    pub fn socket(&mut self) -> &mut WebSocket<Stream> {
        match &mut self.by {
            By::WebSocket(socket) => {
                let _ = socket.get_ref().tcp().set_read_timeout(Some(GUARD));
                socket
            }
            By::Stream(_) => panic!("a stream"),
        }
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        match &self.by {
            By::Stream(stream) => stream,
            By::WebSocket(socket) => socket.get_ref(),
        }
    }

    /// Its own address.
    ///
    /// # Panics
    /// When the system does not know.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.stream().tcp().local_addr().unwrap()
    }

    /// Sends one message.
    ///
    /// # Panics
    /// When the system refuses it.
    pub fn send(&mut self, message: &str) {
        match &mut self.by {
            By::Stream(stream) => {
                stream.write_all(message.as_bytes()).unwrap();
                stream.flush().unwrap();
            }
            By::WebSocket(socket) => socket.send(Message::text(message)).unwrap(),
        }
    }

    /// The next message, if one comes within `patience`.
    pub fn receive_within(&mut self, patience: Duration) -> Option<Seen> {
        let start = Instant::now();
        loop {
            if let Some(bytes) = self.buffered_message() {
                return Some(Seen { way: Way::Received, bytes });
            }
            self.stream().tcp().set_read_timeout(Some(LOOK)).unwrap();
            let read = match &mut self.by {
                By::Stream(stream) => {
                    let mut buffer = [0; 8_192];
                    stream.read(&mut buffer).map(|length| buffer[..length].to_vec())
                }
                By::WebSocket(socket) => match socket.read() {
                    Ok(Message::Text(text)) => Ok(text.as_bytes().to_vec()),
                    Ok(Message::Binary(bytes)) => Ok(bytes.to_vec()),
                    Ok(_) => continue,
                    Err(tungstenite::Error::Io(error)) => Err(error),
                    Err(_) => return None,
                },
            };
            match read {
                Ok(bytes) if bytes.is_empty() => return None,
                Ok(bytes) => self.buffered.extend(bytes),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(_) => return None,
            }
            if start.elapsed() > patience {
                return None;
            }
        }
    }

    /// The first whole message among the bytes that have come; keep-alives are skipped.
    fn buffered_message(&mut self) -> Option<Vec<u8>> {
        let blank = self.buffered.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.buffered.drain(..blank);
        let head = self.buffered.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let seen = Seen { way: Way::Received, bytes: self.buffered[..head].to_vec() };
        let body = seen.header("Content-Length").map_or(0, |length| length.trim().parse::<usize>().unwrap());
        (self.buffered.len() >= head + body).then(|| self.buffered.drain(..head + body).collect())
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes.
    pub fn request(&mut self) -> Seen {
        loop {
            let seen = self.receive_within(GUARD).expect("a request");
            if seen.status().is_none() {
                return seen;
            }
        }
    }

    /// The next response other than 100.
    ///
    /// # Panics
    /// When none comes.
    pub fn response(&mut self) -> Seen {
        loop {
            let seen = self.receive_within(GUARD).expect("a response");
            if seen.status().is_some_and(|status| status > 100) {
                return seen;
            }
        }
    }
}
