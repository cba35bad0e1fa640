//! One TCP connection: messages out of the stream, queued messages into it.

use std::net::SocketAddr;

use bytes::Bytes;
use sidetone_sip::framing::{Frame, Framer};
use sidetone_sip::message::Limits;
use sidetone_sip::{Flow, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::transport::{Inbound, Transports};
use crate::lock;

const PONG: &[u8] = b"\r\n";

/// Runs until the peer closes, the stream makes no sense or the phone goes.
pub(super) async fn serve(
    transports: &Transports,
    stream: TcpStream,
    remote: SocketAddr,
    mut outgoing: mpsc::Receiver<Bytes>,
) {
    let local = stream.local_addr().unwrap_or(transports.local);
    let flow = Flow { transport: Transport::Tcp, local, remote };
    let (mut reader, mut writer) = stream.into_split();
    let mut framer = Framer::new(Limits::default());
    let mut buffer = vec![0; 16 * 1024];
    'connection: loop {
        tokio::select! {
            read = reader.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { break };
                framer.push(buffer.get(..length).unwrap_or_default());
                loop {
                    match framer.next_frame() {
                        Ok(Some(Frame::Message(bytes))) => {
                            if transports.inbound.send(Inbound { flow, bytes }).await.is_err() {
                                break 'connection;
                            }
                        }
                        Ok(Some(Frame::Ping)) => {
                            if writer.write_all(PONG).await.is_err() {
                                break 'connection;
                            }
                        }
                        Ok(None) => break,
                        Err(error) => {
                            tracing::debug!(%error, %remote, "stream given up");
                            break 'connection;
                        }
                    }
                }
            }
            bytes = outgoing.recv() => {
                let Some(bytes) = bytes else { break };
                if writer.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        }
    }
    lock(&transports.connections).remove(&remote);
}
