//! SIP over WebSocket (RFC 7118): the opening handshake, then one SIP message a WebSocket message, text or binary.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sidetone_sip::Flow;
use sidetone_sip::message::Limits;
use sidetone_sip::proxy::DropReason;
use sidetone_sip::websocket::{LONGEST_HEAD, Opening, Origins, Refusal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::Signalling;
use super::streams::{
    Connection, HANDSHAKE_PATIENCE, IDLE, LAST_WORDS, MESSAGE_PATIENCE, Name, PONG, WRITE_PATIENCE, Waiting,
    discard,
};

/// How often a client is pinged: often enough for whatever stands between it and us to keep the connection.
const PING: Duration = Duration::from_secs(25);
/// How often a message that is coming in is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The bytes of a control frame, and of the header of what may come behind it (RFC 6455 §5.5).
const LONGEST_CONTROL: u64 = 160;

type Socket<S> = WebSocketStream<Metered<S>>;

/// A stream that counts what is read, so that a message that drips in is seen.
#[derive(Debug)]
struct Metered<S> {
    stream: S,
    read: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = pin!(&mut self.stream).poll_read(cx, buffer);
        self.read.fetch_add((buffer.filled().len() - before) as u64, Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

/// Why a WebSocket is no longer read.
enum Ended {
    /// The client or the network ended it, or it was idle for too long.
    Closed,
    /// A message began and was not complete in time.
    Slow,
    /// A message or frame was too large.
    TooLarge,
    /// The frames break the protocol.
    Broken,
    /// The client has sent what it may not send, or does not read the answers.
    Unwanted,
}

impl Signalling {
    /// Serves a client by WebSocket on a connection that is ready for its opening handshake. Ends with the connection.
    pub(super) async fn serve_websocket<S: AsyncRead + AsyncWrite + Unpin + Send>(
        self: &Arc<Self>,
        stream: S,
        (name, flow): (Name, &Flow),
        connection: Connection,
        queue: &mut Receiver<Waiting>,
        ready: impl FnOnce(),
    ) {
        let origins = self.core().config().sip.websocket.origins.clone();
        let origins = Origins::new(origins.iter().map(String::as_str));
        let (mut socket, read) = match timeout(HANDSHAKE_PATIENCE, open(stream, &origins)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(refusal)) => {
                tracing::debug!(peer = %flow.remote, ?refusal, "a WebSocket was not opened");
                self.handshakes.opening(Err(refusal));
                return self.left(name, &connection);
            }
            Err(_) => {
                self.handshakes.opening(Err(None));
                return self.left(name, &connection);
            }
        };
        self.handshakes.opening(Ok(()));
        ready();
        let (mut sink, mut source) = (&mut socket).split();
        let ended = {
            let mut writing = pin!(write(&mut sink, queue));
            tokio::select! {
                ended = self.read_messages(&mut source, &read, flow, &connection) => Some(ended),
                () = &mut writing => None,
                () = connection.closed.notified() => None,
            }
        };
        self.left(name, &connection);
        drop(connection);
        // What is queued may say why the connection is closed.
        let _ = timeout(LAST_WORDS, write(&mut sink, queue)).await;
        let code = match ended {
            Some(Ended::Closed) => return,
            Some(Ended::TooLarge) => CloseCode::Size,
            Some(Ended::Broken) => CloseCode::Protocol,
            Some(Ended::Slow | Ended::Unwanted) => CloseCode::Policy,
            None => CloseCode::Away,
        };
        let frame = CloseFrame { code, reason: Utf8Bytes::default() };
        let _ = timeout(LAST_WORDS, sink.send(Message::Close(Some(frame)))).await;
        // Bytes that are left unread would reset the connection, and the code with it.
        drop((sink, source));
        let stream = socket.get_mut();
        let _ = timeout(LAST_WORDS, stream.shutdown()).await;
        let _ = timeout(LAST_WORDS, discard(stream)).await;
    }

    async fn read_messages<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        source: &mut SplitStream<&mut Socket<S>>,
        read: &AtomicU64,
        flow: &Flow,
        own: &Connection,
    ) -> Ended {
        let mut underway = Underway::default();
        loop {
            let message = match next(source, read, &mut underway).await {
                Ok(Message::Text(text)) => Bytes::from(text),
                Ok(Message::Binary(bytes)) => bytes,
                Ok(_) => {
                    underway.interrupted(read.load(Relaxed));
                    continue;
                }
                Err(ended) => {
                    let lost = match ended {
                        Ended::Slow => Some(DropReason::Unfinished),
                        Ended::TooLarge => {
                            Some(DropReason::Unframed(sidetone_sip::framing::FrameFlaw::TooLarge))
                        }
                        _ => None,
                    };
                    if let Some(why) = lost {
                        self.with(|core, _| core.lost(flow, why));
                    }
                    return ended;
                }
            };
            underway = Underway { start: read.load(Relaxed), begun: None };
            // A keep-alive of RFC 5626 §3.5.1, as some libraries send it here too.
            if message.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                if message.len() >= 4 && !own.push(PONG) {
                    return Ended::Unwanted;
                }
                continue;
            }
            self.with(|core, now| self.received(core, now, flow, message));
        }
    }
}

/// A message that has begun to arrive, as far as can be told from without.
#[derive(Debug, Default)]
struct Underway {
    /// Bytes read when the last one was whole.
    start: u64,
    /// Since when there are more.
    begun: Option<Instant>,
}

impl Underway {
    /// A control frame has come. Within a message it gives that no more time; alone it was what there was to read.
    fn interrupted(&mut self, read: u64) {
        if read.saturating_sub(self.start) <= LONGEST_CONTROL {
            *self = Self { start: read, begun: None };
        }
    }
}

/// The next WebSocket message.
async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    source: &mut SplitStream<&mut Socket<S>>,
    read: &AtomicU64,
    underway: &mut Underway,
) -> Result<Message, Ended> {
    let since = Instant::now();
    let mut looks = interval_at(since + LOOK, LOOK);
    loop {
        tokio::select! {
            message = source.next() => return match message {
                Some(Ok(Message::Close(_))) | None => Err(Ended::Closed),
                Some(Ok(message)) => Ok(message),
                Some(Err(Error::Capacity(_))) => Err(Ended::TooLarge),
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => Err(Ended::Broken),
                Some(Err(_)) => Err(Ended::Closed),
            },
            _ = looks.tick() => {
                if read.load(Relaxed) > underway.start {
                    underway.begun.get_or_insert_with(Instant::now);
                }
                if underway.begun.is_some_and(|begun| begun.elapsed() >= MESSAGE_PATIENCE) {
                    return Err(Ended::Slow);
                }
                if underway.begun.is_none() && since.elapsed() >= IDLE {
                    return Err(Ended::Closed);
                }
            }
        }
    }
}

/// Writes queued messages until no sender is left, and pings in between. Ends early if the client is gone, or has read
/// nothing for too long.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    sink: &mut SplitSink<&mut Socket<S>, Message>,
    queue: &mut Receiver<Waiting>,
) {
    loop {
        let message = tokio::select! {
            waiting = queue.recv() => match waiting {
                Some(waiting) => framed(waiting.bytes.clone()),
                None => return,
            },
            () = sleep(PING) => Message::Ping(Bytes::new()),
        };
        if !matches!(timeout(WRITE_PATIENCE, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Text where it is text: that is what pages in browsers expect.
fn framed(bytes: Bytes) -> Message {
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

/// The opening handshake. A client that may not open a WebSocket is told why.
async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    origins: &Origins,
) -> Result<(Socket<S>, Arc<AtomicU64>), Option<Refusal>> {
    let mut head = Vec::new();
    let mut buffer = vec![0; 2_048];
    let opening = loop {
        match Opening::read(&head, origins) {
            Ok(Some(opening)) => break opening,
            Ok(None) => {}
            Err(refusal) => {
                if stream.write_all(refusal.response().as_bytes()).await.is_ok()
                    && stream.shutdown().await.is_ok()
                {
                    // Bytes that are left unread would reset the connection, and the answer with it.
                    let _ = timeout(LAST_WORDS, discard(stream)).await;
                }
                return Err(Some(refusal));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) if head.len() <= LONGEST_HEAD => {
                head.extend_from_slice(buffer.get(..length).unwrap_or_default());
            }
            _ => return Err(None),
        }
    };
    let accept = derive_accept_key(opening.key.as_bytes());
    let answer = Opening::response(&accept);
    stream.write_all(answer.as_bytes()).await.map_err(|_| None)?;
    stream.flush().await.map_err(|_| None)?;
    let most = Limits::default().message;
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1_024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * most)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let rest = head.get(opening.length..).unwrap_or_default().to_vec();
    let read = Arc::new(AtomicU64::new(0));
    let stream = Metered { stream, read: Arc::clone(&read) };
    Ok((WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config)).await, read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_frame_gives_a_message_no_more_time() {
        let begun = Some(Instant::now());
        let mut within = Underway { start: 10, begun };
        within.interrupted(60_000);
        assert_eq!((within.start, within.begun), (10, begun));
        let mut alone = Underway { start: 10, begun };
        alone.interrupted(16);
        assert_eq!((alone.start, alone.begun), (16, None));
    }
}
