//! Client transactions (RFC 3261 §17.1): retransmission, timeout, the ACK to a failure.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::{Message, Method, message};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::core::Core;
use super::transport::Destination;
use crate::{PhoneError, lock};

/// Enough for every provisional response and fork of a call.
const RESPONSES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Calling,
    Proceeding,
    Completed,
}

/// Branch and method.
pub(super) type ClientKey = (String, String);

/// The transaction as the receiving side sees it.
#[derive(Debug)]
pub(super) struct Client {
    request: Message,
    to: Destination,
    invite: bool,
    phase: watch::Sender<Phase>,
    responses: mpsc::Sender<Message>,
    ack: Option<Bytes>,
}

/// A request that was sent, and the responses to it.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    pub(crate) request: Message,
    pub(crate) to: Destination,
    responses: mpsc::Receiver<Message>,
}

impl ClientTransaction {
    /// The next response: provisional, final or, to an INVITE, a further 2xx. `None` when no more can
    /// come, which before a final one means timeout.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        self.responses.recv().await
    }

    /// The final response.
    pub(crate) async fn outcome(&mut self) -> Result<Message, PhoneError> {
        while let Some(response) = self.next().await {
            if response.status().is_some_and(|status| status >= 200) {
                return Ok(response);
            }
        }
        Err(PhoneError::TimedOut)
    }
}

impl Core {
    /// Sends a request and keeps at it until something answers. Not for ACK.
    pub(crate) fn begin(
        self: &Arc<Self>,
        request: Bytes,
        to: Destination,
    ) -> Result<ClientTransaction, PhoneError> {
        let request = Message::parse(request).map_err(|_| PhoneError::Malformed("request of our own"))?;
        let key = key(&request).ok_or(PhoneError::Malformed("request of our own"))?;
        let (responses, queue) = mpsc::channel(RESPONSES);
        let (phase, phases) = watch::channel(Phase::Calling);
        let invite = request.method() == Some(Method::INVITE);
        let client = Client { request: request.clone(), to, invite, phase, responses, ack: None };
        lock(&self.clients).insert(key.clone(), client);
        self.transports.send(request.bytes(), to);
        tokio::spawn(drive(Arc::downgrade(self), key, request.bytes(), to, invite, phases));
        Ok(ClientTransaction { request, to, responses: queue })
    }

    /// A response came in: to its transaction with it. Whether one was there.
    pub(super) fn respond_to_client(&self, response: Message) -> bool {
        let Some(status) = response.status() else { return false };
        let mut clients = lock(&self.clients);
        let Some(client) = key(&response).and_then(|key| clients.get_mut(&key)) else { return false };
        let before = *client.phase.borrow();
        match status {
            ..200 => {
                client.phase.send_if_modified(|phase| {
                    *phase == Phase::Calling && std::mem::replace(phase, Phase::Proceeding) == Phase::Calling
                });
                if before == Phase::Completed {
                    return true;
                }
            }
            300.. if client.invite => {
                if client.ack.is_none() {
                    client.ack = message::ack_to_failure(&client.request, &response);
                }
                if let Some(ack) = &client.ack {
                    self.transports.send(ack.clone(), client.to);
                }
                client.phase.send_replace(Phase::Completed);
                if before == Phase::Completed {
                    return true;
                }
            }
            _ => {
                client.phase.send_replace(Phase::Completed);
                if before == Phase::Completed && !client.invite {
                    return true;
                }
            }
        }
        if client.responses.try_send(response).is_err() {
            tracing::debug!("a response that nobody takes");
        }
        true
    }
}

/// Retransmits, times out, and removes the transaction in the end.
async fn drive(
    core: Weak<Core>,
    key: ClientKey,
    request: Bytes,
    to: Destination,
    invite: bool,
    mut phases: watch::Receiver<Phase>,
) {
    let Some((t1, t2)) = core.upgrade().map(|core| (core.config.t1, core.config.t2)) else { return };
    let lifetime = t1 * 64;
    let deadline = Instant::now() + lifetime;
    let mut wait = t1;
    let mut again = Instant::now() + wait;
    loop {
        let phase = *phases.borrow_and_update();
        if phase == Phase::Completed {
            // Timers D and K, and for the 2xx of an INVITE timer M of RFC 6026.
            tokio::time::sleep(lifetime).await;
            break;
        }
        let patient = invite && phase == Phase::Proceeding;
        tokio::select! {
            changed = phases.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(again), if !patient && !to.transport.is_reliable() => {
                let Some(core) = core.upgrade() else { return };
                core.transports.send(request.clone(), to);
                wait = next_wait(wait, invite, phase, t2);
                again = Instant::now() + wait;
            }
            () = tokio::time::sleep_until(deadline), if !patient => break,
        }
    }
    if let Some(core) = core.upgrade() {
        lock(&core.clients).remove(&key);
    }
}

/// Timers A and E.
fn next_wait(wait: Duration, invite: bool, phase: Phase, t2: Duration) -> Duration {
    match phase {
        _ if invite => wait * 2,
        Phase::Proceeding => t2,
        _ => (wait * 2).min(t2),
    }
}

fn key(message: &Message) -> Option<ClientKey> {
    let branch = message.top_via()?.branch()?.to_owned();
    Some((branch, message.cseq()?.method.as_str().to_owned()))
}
