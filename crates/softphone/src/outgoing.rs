//! A call being made: from the INVITE to its final response.

use std::sync::Arc;
use std::time::Duration;

use sidetone_sip::uri::Uri;
use sidetone_sip::{Message, Method, StartLine, Transport, message};
use tokio::sync::mpsc;

use crate::acknowledging::{acknowledge, refuse};
use crate::call::Call;
use crate::media::Session;
use crate::media_ip::media_ip;
use crate::negotiation::Negotiation;
use crate::sip::{ALLOW, ClientTransaction, Core, Dialog, InDialog, Outgoing};
use crate::{CallOptions, PhoneError};

/// A call that is being made. Dropped before it is answered, it is cancelled.
#[derive(Debug)]
pub struct Dialing {
    core: Arc<Core>,
    call_id: String,
    local_tag: String,
    ring_timeout: Duration,
    provisional: Vec<u16>,
    /// A final response that was seen and not acted on yet.
    last: Option<Message>,
    pending: Option<Pending>,
}

/// The parts of a call that is being placed: they become the call, or are dropped with it.
#[derive(Debug)]
struct Pending {
    late_offer: bool,
    media: Session,
    negotiation: Negotiation,
    transaction: ClientTransaction,
    requests: mpsc::Receiver<InDialog>,
}

/// Places a call: binds its media ports, which the offer names; registers its dialog, since requests in it may come at
/// once; and sends the INVITE.
pub(crate) async fn dial(core: &Arc<Core>, uri: &str, options: CallOptions) -> Result<Dialing, PhoneError> {
    let (uri, hop) = first_hop(core, uri)?;
    let to = core.resolve(&hop).await?;
    let media = Session::open(media_ip(core), &options, core.number())?;
    let mut negotiation = Negotiation::first(core.number(), media.address(), &options);

    let (call_id, local_tag) = (core.token(), core.token());
    let way = Outgoing { uri: uri.clone(), routes: Vec::new(), hop };
    let mut invite = way
        .request(Method::INVITE, &core.via(to.transport))
        .header("From", &format!("<sip:{}@{}>;tag={local_tag}", core.config.user, core.local()))
        .header("To", &format!("<{uri}>"))
        .header("Call-ID", &call_id)
        .header("CSeq", &format!("{} INVITE", 1 + core.number() % 10_000))
        .header("Contact", &core.contact(to.transport))
        .header("Allow", ALLOW)
        .header("User-Agent", "sidetone-softphone");
    for (name, value) in &options.headers {
        invite = invite.header(name, value);
    }
    let invite = if options.late_offer {
        invite.build()
    } else {
        let offer = negotiation.propose(negotiation.next());
        invite.header("Content-Type", "application/sdp").body(offer.as_bytes())
    };
    let requests = core.register(&call_id, &local_tag).ok_or(PhoneError::Busy)?;
    let transaction = core.begin(invite, to)?;
    let late_offer = options.late_offer;
    Ok(Dialing {
        core: Arc::clone(core),
        call_id,
        local_tag,
        ring_timeout: options.ring_timeout,
        provisional: Vec::new(),
        last: None,
        pending: Some(Pending { late_offer, media, negotiation, transaction, requests }),
    })
}

/// The Request-URI, and the URI that the INVITE is sent to.
fn first_hop(core: &Core, uri: &str) -> Result<(String, Uri), PhoneError> {
    let parse = |text: &str| text.parse::<Uri>().map_err(|_| PhoneError::Uri(text.to_owned()));
    let target = parse(uri)?;
    if let Some(outbound) = &core.config.outbound {
        return Ok((uri.to_owned(), parse(outbound)?));
    }
    if core.config.transport == Transport::Tcp && target.view().transport_param().is_none() {
        let uri = format!("{uri};transport=tcp");
        let hop = parse(&uri)?;
        return Ok((uri, hop));
    }
    Ok((uri.to_owned(), target))
}

impl Dialing {
    /// The call's Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The provisional statuses so far, in order.
    #[must_use]
    pub fn provisional(&self) -> &[u16] {
        &self.provisional
    }

    /// Packets sent and received so far: early media comes before the answer.
    #[must_use]
    pub fn packets(&self) -> (usize, usize) {
        self.pending.as_ref().map_or((0, 0), |pending| pending.media.counts())
    }

    /// Waits for a provisional response above 100.
    ///
    /// # Errors
    /// When a final response comes first, or none at all.
    pub async fn ringing(&mut self) -> Result<u16, PhoneError> {
        loop {
            let response = self.next().await?;
            match response.status().unwrap_or_default() {
                100 => {}
                status @ ..200 => return Ok(status),
                status => {
                    self.last = Some(response);
                    return Err(PhoneError::NotRinging(status));
                }
            }
        }
    }

    /// Gives up: sends CANCEL as soon as there has been a provisional response (RFC 3261 §9.1), and waits
    /// for the final response. A 2xx that crossed the CANCEL is acknowledged and the call hung up.
    ///
    /// # Errors
    /// When no final response comes.
    pub async fn cancel(mut self) -> Result<u16, PhoneError> {
        while self.provisional.is_empty() && self.last.is_none() {
            let response = self.next().await?;
            if response.status().is_some_and(|status| status >= 200) {
                self.last = Some(response);
            }
        }
        if self.last.is_none()
            && let Some(pending) = &self.pending
        {
            send_cancel(&self.core, &pending.transaction);
        }
        match self.finish().await {
            Ok(call) => call.hangup().await.map(|()| 200),
            Err(PhoneError::Rejected { status, .. }) => Ok(status),
            Err(error) => Err(error),
        }
    }

    /// Waits for the answer, acknowledges it and starts to talk.
    ///
    /// # Errors
    /// When it is refused, rings too long, or the answer can't be used.
    pub async fn answered(mut self) -> Result<Call, PhoneError> {
        let limit = self.ring_timeout;
        // Out of time: dropping `self` cancels.
        tokio::time::timeout(limit, self.finish()).await.unwrap_or(Err(PhoneError::TimedOut))
    }

    async fn next(&mut self) -> Result<Message, PhoneError> {
        let pending = self.pending.as_mut().ok_or(PhoneError::Ended)?;
        let response = pending.transaction.next().await.ok_or(PhoneError::TimedOut)?;
        if let Some(status @ ..200) = response.status() {
            self.provisional.push(status);
        }
        Ok(response)
    }

    async fn finish(&mut self) -> Result<Call, PhoneError> {
        loop {
            let response = match self.last.take() {
                Some(response) => response,
                None => self.next().await?,
            };
            if let StartLine::Response { status, reason } = response.start() {
                match status {
                    ..200 => {}
                    200..300 => return self.established(&response).await,
                    _ => {
                        self.pending = None;
                        self.core.unregister(&self.call_id, &self.local_tag);
                        let reason = String::from_utf8_lossy(reason).into_owned();
                        return Err(PhoneError::Rejected { status, reason });
                    }
                }
            }
        }
    }

    async fn established(&mut self, response: &Message) -> Result<Call, PhoneError> {
        let Pending { late_offer, media, mut negotiation, transaction, requests } =
            self.pending.take().ok_or(PhoneError::Ended)?;
        let dialog =
            Dialog::of_response(&transaction.request, response).ok_or(PhoneError::Malformed("2xx"))?;
        let (answer, agreed) = if late_offer {
            match negotiation.answer(response.body()) {
                Ok((answer, agreed)) => (Some(answer), Ok(agreed)),
                Err(error) => (None, Err(error)),
            }
        } else {
            (None, negotiation.answered(response.body()))
        };
        acknowledge(&self.core, &dialog, transaction, answer.as_deref()).await?;
        let call = Call::new(Arc::clone(&self.core), dialog, media, negotiation, requests);
        match agreed {
            Ok(agreed) => {
                call.apply(&agreed);
                Ok(call)
            }
            Err(error) => {
                call.hangup().await?;
                Err(error)
            }
        }
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        self.core.unregister(&self.call_id, &self.local_tag);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let rings = !self.provisional.is_empty();
            runtime.spawn(give_up(Arc::clone(&self.core), pending.transaction, rings, self.last.take()));
        }
    }
}

/// Cancels once that may be done, and ends the call if it is answered all the same.
async fn give_up(
    core: Arc<Core>,
    mut transaction: ClientTransaction,
    rings: bool,
    mut last: Option<Message>,
) {
    let mut cancelled = rings && last.is_none();
    if cancelled {
        send_cancel(&core, &transaction);
    }
    loop {
        let response = match last.take() {
            Some(response) => response,
            None => match transaction.next().await {
                Some(response) => response,
                None => return,
            },
        };
        match response.status() {
            Some(..200) if !cancelled => {
                cancelled = true;
                send_cancel(&core, &transaction);
            }
            Some(200..300) => {
                if let Some(dialog) = Dialog::of_response(&transaction.request, &response)
                    && let Err(error) = refuse(&core, dialog, &transaction.request).await
                {
                    tracing::debug!(%error, "call not ended");
                }
            }
            Some(300..) => return,
            _ => {}
        }
    }
}

fn send_cancel(core: &Arc<Core>, transaction: &ClientTransaction) {
    if let Some(cancel) = message::cancel(&transaction.request)
        && let Err(error) = core.begin(cancel, transaction.to)
    {
        tracing::debug!(%error, "CANCEL not sent");
    }
}
