//! The state that a call's tasks share, and the answers to the requests that come in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sidetone_sip::{Message, Method};
use tokio::sync::{mpsc, watch};

use crate::acknowledging::acknowledge;
use crate::call::received::{EndedBy, Received};
use crate::media::Session;
use crate::negotiation::{Agreed, MediaState, Negotiation};
use crate::sdp::Local;
use crate::sip::{ALLOW, Core, Dialog, InDialog, ServerTransaction};
use crate::{PhoneError, lock};

/// Requests of the other end that are kept to be looked at.
const KEPT_REQUESTS: usize = 1000;

/// Shared by the handle of a call and the task that serves it.
#[derive(Debug)]
pub(super) struct Shared {
    core: Arc<Core>,
    pub(super) media: Session,
    pub(super) call_id: String,
    local_tag: String,
    dialog: Mutex<Dialog>,
    negotiation: Mutex<Negotiation>,
    /// Only one INVITE of ours at a time (RFC 3261 §14.1).
    inviting: tokio::sync::Mutex<()>,
    pub(super) state: watch::Sender<Option<MediaState>>,
    pub(super) ended: watch::Sender<Option<EndedBy>>,
    pub(super) received: Mutex<Vec<Received>>,
    /// INVITEs that we answered with a 2xx and that have no ACK yet, by CSeq number.
    unacknowledged: Mutex<HashMap<u32, Arc<ServerTransaction>>>,
}

impl Shared {
    pub(super) fn new(core: Arc<Core>, dialog: Dialog, media: Session, negotiation: Negotiation) -> Self {
        Self {
            core,
            media,
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            dialog: Mutex::new(dialog),
            negotiation: Mutex::new(negotiation),
            inviting: tokio::sync::Mutex::default(),
            state: watch::channel(None).0,
            ended: watch::channel(None).0,
            received: Mutex::default(),
            unacknowledged: Mutex::default(),
        }
    }

    pub(super) fn apply(&self, agreed: &Agreed) {
        self.media.negotiated(agreed.outbound, agreed.events.iter().copied());
        self.state.send_replace(Some(agreed.state));
    }

    /// Marks the call as ended; false if it was.
    fn end(&self, by: EndedBy) -> bool {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            ended.get_or_insert(by);
            first
        })
    }

    pub(super) async fn ended(&self) -> EndedBy {
        let mut ended = self.ended.subscribe();
        // An error would mean that the sender, a field of this very object, is gone.
        ended.wait_for(Option::is_some).await.ok().and_then(|by| *by).unwrap_or(EndedBy::Us)
    }

    pub(super) async fn hangup(self: Arc<Self>) -> Result<(), PhoneError> {
        let ours = self.end(EndedBy::Us);
        self.media.stop().await;
        if !ours {
            return Ok(());
        }
        self.request(Method::BYE, &[], &[]).await.map(drop)
    }

    pub(super) async fn request(
        &self,
        method: Method<'_>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Message, PhoneError> {
        let way = lock(&self.dialog).way().ok_or(PhoneError::Malformed("Contact"))?;
        let to = self.core.resolve(&way.hop).await?;
        let via = self.core.via(to.transport);
        let mut request = lock(&self.dialog)
            .request(method, &via, &way)
            .header("Contact", &self.core.contact(to.transport))
            .header("User-Agent", "sidetone-softphone");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.core.begin(request.body(body), to)?.outcome().await
    }

    pub(super) async fn reinvite(&self, change: impl FnOnce(Local) -> Local) -> Result<(), PhoneError> {
        let _alone = self.inviting.try_lock().map_err(|_| PhoneError::Glare)?;
        let offer = {
            let mut negotiation = lock(&self.negotiation);
            let next = change(negotiation.next());
            negotiation.propose(next)
        };
        let outcome = self.offer(&offer).await;
        if outcome.is_err() {
            lock(&self.negotiation).withdraw();
        }
        outcome
    }

    async fn offer(&self, offer: &str) -> Result<(), PhoneError> {
        let way = lock(&self.dialog).way().ok_or(PhoneError::Malformed("Contact"))?;
        let to = self.core.resolve(&way.hop).await?;
        let via = self.core.via(to.transport);
        let invite = lock(&self.dialog)
            .request(Method::INVITE, &via, &way)
            .header("Contact", &self.core.contact(to.transport))
            .header("Allow", ALLOW)
            .header("Content-Type", "application/sdp")
            .body(offer.as_bytes());
        let mut transaction = self.core.begin(invite, to)?;
        let response = transaction.outcome().await?;
        let status = response.status().unwrap_or_default();
        if status >= 300 {
            return Err(PhoneError::Rejected {
                status,
                reason: sidetone_sip::message::reason_phrase(status).into(),
            });
        }
        let dialog = {
            let mut dialog = lock(&self.dialog);
            dialog.refresh(&response);
            dialog.clone()
        };
        acknowledge(&self.core, &dialog, transaction, None).await?;
        let agreed = lock(&self.negotiation).answered(response.body())?;
        self.apply(&agreed);
        Ok(())
    }

    pub(super) async fn serve(self: Arc<Self>, mut requests: mpsc::Receiver<InDialog>) {
        loop {
            tokio::select! {
                _ = self.ended() => break,
                request = requests.recv() => match request {
                    Some(InDialog::Request(transaction)) => self.answer(&transaction).await,
                    Some(InDialog::Ack(ack)) => self.acknowledged(&ack),
                    None => break,
                }
            }
        }
        self.core.unregister(&self.call_id, &self.local_tag);
    }

    /// Answers a request in the dialog. One whose CSeq number has been seen is refused with 500, as RFC 3261 §12.2.2
    /// asks: a proxy that renumbers wrongly is found out by it.
    async fn answer(&self, transaction: &Arc<ServerTransaction>) {
        let request = &transaction.request;
        let method = request.method().map_or("", Method::as_str);
        {
            let mut received = lock(&self.received);
            if received.len() < KEPT_REQUESTS {
                received.push(Received { method: method.to_owned(), message: request.bytes() });
            }
        }
        let newer = {
            let mut dialog = lock(&self.dialog);
            if request.from_tag() != Some(dialog.remote_tag.as_str()) {
                transaction.respond(481, |r| r);
                return;
            }
            request.cseq().is_some_and(|cseq| dialog.accepts(cseq.number))
        };
        match method {
            _ if !newer => {
                transaction.respond(500, |r| r);
            }
            "BYE" => {
                transaction.respond(200, |r| r);
                if self.end(EndedBy::Peer) {
                    self.media.stop().await;
                }
            }
            "INVITE" => self.answer_invite(transaction),
            "UPDATE" => self.answer_update(transaction),
            "REFER" => {
                transaction.respond(202, |r| r);
            }
            "INFO" | "MESSAGE" | "NOTIFY" | "OPTIONS" | "PRACK" => {
                transaction.respond(200, |r| r.header("Allow", ALLOW));
            }
            _ => {
                transaction.respond(405, |r| r.header("Allow", ALLOW));
            }
        }
    }

    fn answer_invite(&self, transaction: &Arc<ServerTransaction>) {
        if self.inviting.try_lock().is_err() {
            transaction.respond(491, |r| r);
            return;
        }
        let offer = transaction.request.body();
        let (sdp, agreed) = if offer.is_empty() {
            let mut negotiation = lock(&self.negotiation);
            let next = negotiation.next();
            (negotiation.propose(next), None)
        } else {
            match lock(&self.negotiation).answer(offer) {
                Ok((answer, agreed)) => (answer, Some(agreed)),
                Err(_) => {
                    transaction.respond(488, |r| r);
                    return;
                }
            }
        };
        lock(&self.dialog).refresh(&transaction.request);
        self.expect_ack(transaction);
        let contact = self.core.contact(transaction.flow.transport);
        transaction.respond(200, |r| {
            r.header("Contact", &contact).header("Allow", ALLOW).body("application/sdp", sdp)
        });
        if let Some(agreed) = agreed {
            self.apply(&agreed);
        }
    }

    fn answer_update(&self, transaction: &Arc<ServerTransaction>) {
        let contact = self.core.contact(transaction.flow.transport);
        lock(&self.dialog).refresh(&transaction.request);
        let offer = transaction.request.body();
        if offer.is_empty() {
            transaction.respond(200, |r| r.header("Contact", &contact));
            return;
        }
        let answered = lock(&self.negotiation).answer(offer);
        match answered {
            Ok((answer, agreed)) => {
                transaction.respond(200, |r| r.header("Contact", &contact).body("application/sdp", answer));
                self.apply(&agreed);
            }
            Err(_) => {
                transaction.respond(488, |r| r);
            }
        }
    }

    /// A 2xx to that INVITE is about to be sent.
    pub(super) fn expect_ack(&self, transaction: &Arc<ServerTransaction>) {
        if let Some(cseq) = transaction.request.cseq() {
            let mut waiting = lock(&self.unacknowledged);
            // Earlier ones that were never acknowledged are over by now, or the call is.
            if waiting.len() >= 16 {
                waiting.clear();
            }
            waiting.insert(cseq.number, Arc::clone(transaction));
        }
    }

    fn acknowledged(&self, ack: &Message) {
        let invite = ack.cseq().and_then(|cseq| lock(&self.unacknowledged).remove(&cseq.number));
        let Some(invite) = invite else { return };
        if invite.request.body().is_empty() {
            let agreed = lock(&self.negotiation).answered(ack.body());
            match agreed {
                Ok(agreed) => self.apply(&agreed),
                Err(error) => tracing::debug!(%error, "no usable answer in the ACK"),
            }
        }
        invite.acknowledge();
    }
}
