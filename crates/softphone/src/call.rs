//! A call that was answered: media flows, and either end may change or end it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sidetone_sip::{Message, Method};
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, sleep};

use crate::media::Session;
use crate::negotiation::{Agreed, MediaState, Negotiation};
use crate::outgoing::acknowledge;
use crate::report::MediaReport;
use crate::sdp::Local;
use crate::sip::{ALLOW, Core, Dialog, InDialog, ServerTransaction};
use crate::{Audio, Codec, Hold, PhoneError, lock};

/// Requests of the other end that are kept to be looked at.
const KEPT_REQUESTS: usize = 1000;
/// Between looks at the packet count.
const LOOK: Duration = Duration::from_millis(2);
/// Looks without a new packet after which an ended call's media is over.
const LAST_LOOKS: u32 = 100;

/// An answered call. Dropping it hangs up.
#[derive(Debug)]
pub struct Call {
    shared: Arc<Shared>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// This end.
    Us,
    /// The other end.
    Peer,
}

/// A request that came in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// The whole message, as it came.
    pub message: Bytes,
}

#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    media: Session,
    call_id: String,
    local_tag: String,
    dialog: Mutex<Dialog>,
    negotiation: Mutex<Negotiation>,
    /// Only one INVITE of ours at a time (RFC 3261 §14.1).
    inviting: tokio::sync::Mutex<()>,
    state: watch::Sender<Option<MediaState>>,
    ended: watch::Sender<Option<EndedBy>>,
    received: Mutex<Vec<Received>>,
    /// INVITEs that we answered with a 2xx and that have no ACK yet, by CSeq number.
    unacknowledged: Mutex<HashMap<u32, Arc<ServerTransaction>>>,
}

impl Call {
    /// A call that we made and that was answered.
    pub(crate) fn new(
        core: Arc<Core>,
        dialog: Dialog,
        media: Session,
        negotiation: Negotiation,
        requests: mpsc::Receiver<InDialog>,
    ) -> Self {
        Self::begin(Shared::new(core, dialog, media, negotiation), requests)
    }

    /// A call whose INVITE we answered; the ACK is yet to come.
    pub(crate) fn answered(
        core: Arc<Core>,
        dialog: Dialog,
        media: Session,
        negotiation: Negotiation,
        requests: mpsc::Receiver<InDialog>,
        invite: &Arc<ServerTransaction>,
    ) -> Self {
        let shared = Shared::new(core, dialog, media, negotiation);
        shared.expect_ack(invite);
        Self::begin(shared, requests)
    }

    fn begin(shared: Shared, requests: mpsc::Receiver<InDialog>) -> Self {
        let shared = Arc::new(shared);
        tokio::spawn(Arc::clone(&shared).serve(requests));
        Self { shared }
    }

    pub(crate) fn apply(&self, agreed: &Agreed) {
        self.shared.apply(agreed);
    }

    /// The call's Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.shared.call_id
    }

    /// Hangs up: the last packet is sent, then BYE.
    ///
    /// # Errors
    /// When BYE isn't answered. A call that has ended already is no error.
    pub async fn hangup(&self) -> Result<(), PhoneError> {
        Arc::clone(&self.shared).hangup().await
    }

    /// Waits for the end of the call.
    pub async fn ended(&self) -> EndedBy {
        self.shared.ended().await
    }

    /// Puts the other end on hold.
    ///
    /// # Errors
    /// When the re-INVITE is refused or not answered.
    pub async fn hold(&self, hold: Hold) -> Result<(), PhoneError> {
        self.shared.reinvite(|local| local.held(Some(hold))).await
    }

    /// Ends the hold.
    ///
    /// # Errors
    /// As [`Call::hold`].
    pub async fn resume(&self) -> Result<(), PhoneError> {
        self.shared.reinvite(|local| local.held(None)).await
    }

    /// Offers that codec before all others.
    ///
    /// # Errors
    /// As [`Call::hold`].
    pub async fn change_codec(&self, codec: Codec) -> Result<(), PhoneError> {
        self.shared.reinvite(|local| local.preferring(codec)).await
    }

    /// Moves media to new ports and tells the other end.
    ///
    /// # Errors
    /// As [`Call::hold`], or when no ports can be bound.
    pub async fn change_address(&self) -> Result<(), PhoneError> {
        self.shared.media.move_ports()?;
        let rtp = self.shared.media.address();
        self.shared.reinvite(|local| Local { rtp, ..local }).await
    }

    /// Presses keys, one after the other, as RFC 4733 events in the media; `0`-`9`, `*`, `#`, `A`-`D`.
    pub fn press(&self, keys: &str) {
        self.shared.media.press(keys);
    }

    /// Sends something else from now on.
    pub fn play(&self, audio: Audio) {
        self.shared.media.play(audio);
    }

    /// Goes on as a new RTP source: SSRC, sequence and timestamp start anew.
    pub fn change_source(&self) {
        self.shared.media.new_source();
    }

    /// Waits until the clip has been sent to its end.
    pub async fn played(&self) {
        self.shared.media.played().await;
    }

    /// Waits until that many packets have come in; after the end of the call, until none come any more.
    pub async fn received(&self, packets: usize) {
        let (mut before, mut quiet) = (0, 0);
        loop {
            let count = self.shared.media.counts().1;
            quiet = if count == before { quiet + 1 } else { 0 };
            before = count;
            let over = self.shared.ended.borrow().is_some() && quiet > LAST_LOOKS;
            if count >= packets || over {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Packets sent and received so far.
    #[must_use]
    pub fn packets(&self) -> (usize, usize) {
        self.shared.media.counts()
    }

    /// What offer and answer came to; `None` until they have.
    #[must_use]
    pub fn media(&self) -> Option<MediaState> {
        *self.shared.state.borrow()
    }

    /// Waits until offer and answer have come to something of that kind.
    pub async fn media_is(&self, wanted: impl Fn(&MediaState) -> bool) {
        let mut state = self.shared.state.subscribe();
        let _ = state.wait_for(|state| state.as_ref().is_some_and(&wanted)).await;
    }

    /// Sends any request in the dialog and waits for the final response. Not for INVITE, ACK or BYE.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn request(
        &self,
        method: Method<'_>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Message, PhoneError> {
        self.shared.request(method, headers, body).await
    }

    /// The requests that came in the call, in order; not ACK.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// All packets so far.
    #[must_use]
    pub fn report(&self) -> MediaReport {
        self.shared.media.report()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.shared.ended.borrow().is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(Arc::clone(&self.shared).hangup());
        }
    }
}

impl Shared {
    fn new(core: Arc<Core>, dialog: Dialog, media: Session, negotiation: Negotiation) -> Self {
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

    fn apply(&self, agreed: &Agreed) {
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

    async fn ended(&self) -> EndedBy {
        let mut ended = self.ended.subscribe();
        // An error would mean that the sender, a field of this very object, is gone.
        ended.wait_for(Option::is_some).await.ok().and_then(|by| *by).unwrap_or(EndedBy::Us)
    }

    async fn hangup(self: Arc<Self>) -> Result<(), PhoneError> {
        let ours = self.end(EndedBy::Us);
        self.media.stop().await;
        if !ours {
            return Ok(());
        }
        self.request(Method::BYE, &[], &[]).await.map(drop)
    }

    async fn request(
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

    async fn reinvite(&self, change: impl FnOnce(Local) -> Local) -> Result<(), PhoneError> {
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

    async fn serve(self: Arc<Self>, mut requests: mpsc::Receiver<InDialog>) {
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
    fn expect_ack(&self, transaction: &Arc<ServerTransaction>) {
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
