//! Server transactions (RFC 3261 §17.2): the response, again for every retransmission of the request,
//! and to an INVITE again until the ACK.

use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use sidetone_sip::message::ResponseBuilder;
use sidetone_sip::{Flow, Message, Method};
use tokio::sync::watch;
use tokio::time::Instant;

use super::core::Core;
use super::transport::{Destination, Transports};
use crate::lock;

/// Branch, sent-by and method; an ACK has its INVITE's.
pub(super) type ServerKey = (String, String, String);

/// A request that was received.
#[derive(Debug)]
pub(crate) struct ServerTransaction {
    pub(crate) request: Message,
    pub(crate) flow: Flow,
    core: Weak<Core>,
    key: ServerKey,
    answered: Mutex<Answered>,
    acknowledged: watch::Sender<bool>,
    cancelled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Answered {
    last: Option<Bytes>,
    status: u16,
}

impl ServerTransaction {
    pub(super) fn new(core: Weak<Core>, request: Message, flow: Flow, key: ServerKey) -> Self {
        Self {
            request,
            flow,
            core,
            key,
            answered: Mutex::default(),
            acknowledged: watch::channel(false).0,
            cancelled: watch::channel(false).0,
        }
    }

    /// Sends a response; false if a final one was sent before. A final one to an INVITE is sent again
    /// until [`ServerTransaction::acknowledge`].
    pub(crate) fn respond(
        self: &Arc<Self>,
        status: u16,
        more: impl FnOnce(ResponseBuilder<'_>) -> ResponseBuilder<'_>,
    ) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let response = more(ResponseBuilder::new(&self.request, status).source(self.flow.remote)).build();
        {
            let mut answered = lock(&self.answered);
            if answered.status >= 200 {
                return false;
            }
            *answered = Answered { last: Some(response.clone()), status };
        }
        let to = self.destination();
        core.transports.send(response.clone(), to);
        if status >= 200 {
            let invite = self.request.method() == Some(Method::INVITE);
            tokio::spawn(Arc::clone(self).conclude(response, to, invite));
        }
        true
    }

    /// RFC 3261 §18.2.2 and RFC 3581 §4.
    fn destination(&self) -> Destination {
        let Flow { transport, remote, .. } = self.flow;
        let via = self.request.top_via().filter(|via| !transport.is_reliable() && !via.wants_rport());
        match via {
            Some(via) => {
                let port = via.port.unwrap_or(5060);
                Destination { transport, remote: (remote.ip(), port).into() }
            }
            None => Destination { transport, remote },
        }
    }

    /// The request came again.
    pub(super) fn repeat(&self, transports: &Transports) {
        if let Some(last) = &lock(&self.answered).last {
            transports.send(last.clone(), self.destination());
        }
    }

    pub(crate) fn acknowledge(&self) {
        self.acknowledged.send_replace(true);
    }

    pub(super) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Waits for a CANCEL; for ever if none comes.
    pub(crate) async fn cancelled(&self) {
        let mut cancelled = self.cancelled.subscribe();
        if cancelled.wait_for(|&c| c).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the ACK to the final response: false when none came in time.
    pub(crate) async fn acknowledged(&self) -> bool {
        let Some(lifetime) = self.core.upgrade().map(|core| core.config.t1 * 64) else { return false };
        let mut acknowledged = self.acknowledged.subscribe();
        tokio::time::timeout(lifetime, acknowledged.wait_for(|&a| a)).await.is_ok_and(|a| a.is_ok())
    }

    /// Timers G and H for an INVITE (a 2xx goes on over TCP too, RFC 3261 §13.3.1.4), then J or I.
    async fn conclude(self: Arc<Self>, response: Bytes, to: Destination, invite: bool) {
        let Some((t1, t2)) = self.core.upgrade().map(|core| (core.config.t1, core.config.t2)) else { return };
        let deadline = Instant::now() + t1 * 64;
        let success = lock(&self.answered).status < 300;
        if invite && (success || !to.transport.is_reliable()) {
            let mut acknowledged = self.acknowledged.subscribe();
            let mut wait = t1;
            loop {
                tokio::select! {
                    _ = acknowledged.wait_for(|&a| a) => break,
                    () = tokio::time::sleep_until(deadline) => break,
                    () = tokio::time::sleep(wait) => {
                        let Some(core) = self.core.upgrade() else { return };
                        core.transports.send(response.clone(), to);
                        wait = (wait * 2).min(t2);
                    }
                }
            }
        }
        tokio::time::sleep_until(deadline).await;
        if let Some(core) = self.core.upgrade() {
            lock(&core.servers).remove(&self.key);
        }
    }
}

/// The transaction that a request belongs to (RFC 3261 §17.2.3).
pub(super) fn key(request: &Message, method: &str) -> Option<ServerKey> {
    let via = request.top_via()?;
    let sent_by = format!("{}:{}", via.host, via.port.unwrap_or(5060));
    Some((via.branch()?.to_owned(), sent_by, method.to_owned()))
}
