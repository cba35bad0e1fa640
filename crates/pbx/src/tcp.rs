//! The connection of a line protocol: reads, writes, pings, and gives up.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::board::Board;
use crate::desk::Desk;
use crate::fault::Fault;

/// Most unwritten bytes; beyond it no new job is begun.
pub(crate) const FULL: usize = 64 * 1024;
/// Longest duration of connecting, and of logging in.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);
/// Silence after which the PBX is pinged.
const ASK: Duration = Duration::from_secs(15);
/// Silence after which the connection counts as dead.
const DEAD: Duration = Duration::from_secs(25);

/// A protocol core: bytes in, bytes out.
pub(crate) trait Session {
    /// Writes the opening bytes.
    fn open(&mut self, out: &mut Vec<u8>);
    /// Takes received bytes.
    fn receive(&mut self, now: Duration, bytes: &[u8], board: &mut Board) -> Result<(), Fault>;
    /// Writes jobs, as long as there is room for them.
    fn fill(&mut self, now: Duration, board: &mut Board, out: &mut Vec<u8>);
    /// Whether the login has succeeded.
    fn is_up(&self) -> bool;
    /// Writes a ping, which has to be answered.
    fn ping(&mut self, out: &mut Vec<u8>);
    /// Writes the closing bytes.
    fn close(&mut self, out: &mut Vec<u8>);
}

/// Connects and runs the session until it ends.
pub(crate) async fn run(desk: &mut Desk, address: &str, mut session: impl Session) -> Fault {
    let connect = tokio::time::timeout(CONNECT, TcpStream::connect(address));
    let stream = match desk.meanwhile(connect).await {
        None => return Fault::Stopped,
        Some(Err(_)) => return Fault::Silent,
        Some(Ok(Err(error))) => return error.into(),
        Some(Ok(Ok(stream))) => stream,
    };
    // Small messages, one after the other: waiting to fill a segment would delay each.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    talk(desk, &mut session, read, write).await.err().unwrap_or(Fault::Stopped)
}

async fn talk(
    desk: &mut Desk,
    session: &mut impl Session,
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
) -> Result<(), Fault> {
    let mut input = BytesMut::with_capacity(16 * 1024);
    let mut said = Vec::new();
    let mut output = BytesMut::new();
    session.open(&mut said);
    let began = desk.now();
    let (mut heard, mut asked, mut up) = (began, false, false);
    loop {
        let now = desk.now();
        if output.len() < FULL {
            session.fill(now, desk.board(), &mut said);
        }
        output.extend_from_slice(&said);
        said.clear();
        if desk.may_stop() && output.is_empty() {
            session.close(&mut said);
            // A polite close; its failure does not matter.
            let _ = tokio::time::timeout(Duration::from_millis(200), write.write_all(&said)).await;
            return Ok(());
        }
        let next = desk.board().next_tick(now);
        let moment = desk.moment(next);
        tokio::select! {
            () = desk.happens() => {}
            length = read.read_buf(&mut input) => {
                if length? == 0 {
                    return Err(Fault::Closed(if session.is_up() { "" } else { " before the login" }));
                }
                let now = desk.now();
                (heard, asked) = (now, false);
                session.receive(now, &input, desk.board())?;
                input.clear();
                if session.is_up() && !up {
                    up = true;
                    desk.came_up();
                }
            }
            length = write.write_buf(&mut output), if !output.is_empty() => {
                length?;
            }
            () = tokio::time::sleep_until(moment) => {
                let now = desk.now();
                desk.board().tick(now)?;
                let silence = now.saturating_sub(heard);
                if silence >= DEAD || (!up && now.saturating_sub(began) >= CONNECT) {
                    return Err(Fault::Silent);
                }
                if up && silence >= ASK && !asked {
                    asked = true;
                    session.ping(&mut said);
                }
            }
        }
    }
}
