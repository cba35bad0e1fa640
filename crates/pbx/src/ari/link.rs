//! The two connections of a session: events come by one, requests go by the other.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::client::{AriError, Client, Socket, broken};
use super::session::AriSession;
use crate::config::{self, Ari};
use crate::desk::Desk;
use crate::fault::Fault;
use crate::tcp::CONNECT;

/// Most requests under way at once.
const AT_ONCE: usize = 8;
/// Silence after which Asterisk is pinged.
const ASK: Duration = Duration::from_secs(15);
/// Silence after which the connection counts as dead.
const DEAD: Duration = Duration::from_secs(25);

/// The two connections, as described above.
pub(crate) struct AriLink {
    client: Client,
    application: String,
    notify: Vec<String>,
}

impl AriLink {
    pub(crate) fn new(config: &Ari) -> Result<Self, AriError> {
        let password = config::secret(config.password.as_ref(), config.password_file.as_ref())?;
        Ok(Self {
            client: Client::new(config, password.bytes())?,
            application: config.application.clone(),
            notify: config.notify.clone(),
        })
    }

    /// Connects and runs the session until it ends.
    pub(crate) async fn run(&mut self, desk: &mut Desk) -> Fault {
        let listen = tokio::time::timeout(CONNECT, self.client.listen(&self.application));
        let socket = match desk.meanwhile(listen).await {
            None => return Fault::Stopped,
            Some(Err(_)) => return Fault::Silent,
            Some(Ok(Err(fault))) => return fault,
            Some(Ok(Ok(socket))) => socket,
        };
        self.talk(desk, socket).await.err().unwrap_or(Fault::Stopped)
    }

    async fn talk(&self, desk: &mut Desk, mut socket: Socket) -> Result<(), Fault> {
        let mut session = AriSession::new(&self.application, &self.notify);
        let mut requests = FuturesUnordered::new();
        let began = desk.now();
        let (mut heard, mut asked, mut up) = (began, false, false);
        loop {
            let now = desk.now();
            while requests.len() < AT_ONCE
                && let Some(request) = session.next_request(now, desk.board())
            {
                requests.push(self.client.request(request));
            }
            if desk.may_stop() {
                // A polite close; its failure does not matter.
                let _ = tokio::time::timeout(Duration::from_millis(200), socket.close(None)).await;
                return Ok(());
            }
            let next = desk.board().next_tick(now);
            let moment = desk.moment(next);
            tokio::select! {
                () = desk.happens() => {}
                Some(answer) = requests.next(), if !requests.is_empty() => {
                    let (id, status, body) = answer?;
                    let now = desk.now();
                    session.answer(now, id, status, &body, desk.board())?;
                    if session.is_up() && !up {
                        up = true;
                        desk.came_up();
                    }
                }
                message = socket.next() => {
                    let now = desk.now();
                    (heard, asked) = (now, false);
                    match message {
                        None | Some(Ok(Message::Close(_))) => return Err(Fault::Closed("")),
                        Some(Err(why)) => return Err(broken(why)),
                        Some(Ok(Message::Text(text))) => session.event(now, &text, desk.board())?,
                        // Pings are answered by the library with the next write or read.
                        Some(Ok(_)) => {}
                    }
                }
                () = tokio::time::sleep_until(moment) => {
                    let now = desk.now();
                    desk.board().tick(now)?;
                    let silence = now.saturating_sub(heard);
                    if silence >= DEAD || (!up && now.saturating_sub(began) >= CONNECT) {
                        return Err(Fault::Silent);
                    }
                    if silence >= ASK && !asked {
                        asked = true;
                        let ping = socket.send(Message::Ping(bytes::Bytes::new()));
                        let sent = tokio::time::timeout(Duration::from_secs(5), ping).await;
                        sent.map_err(|_| Fault::Silent)?.map_err(broken)?;
                    }
                }
            }
        }
    }
}
