//! A call that comes in: from the INVITE to the ACK.

use std::sync::Arc;

use sidetone_sip::message::ResponseBuilder;
use sidetone_sip::{Message, Name};

use crate::call::Call;
use crate::media::Session;
use crate::media_ip::media_ip;
use crate::negotiation::{Agreed, Negotiation};
use crate::sip::{ALLOW, Core, Dialog, Invited};
use crate::{CallOptions, PhoneError};

/// A call for this phone that isn't answered yet. Dropped unanswered, it is declined with 480.
#[derive(Debug)]
pub struct Incoming {
    core: Arc<Core>,
    /// `None` once it is answered or refused.
    invited: Option<Invited>,
    early: Option<Prepared>,
}

/// A media session, and what is said of it: our answer, or to an INVITE without offer our offer.
#[derive(Debug)]
struct Prepared {
    media: Session,
    negotiation: Negotiation,
    sdp: String,
    agreed: Option<Agreed>,
}

impl Prepared {
    fn new(core: &Core, offer: &[u8], options: &CallOptions) -> Result<Self, PhoneError> {
        let media = Session::open(media_ip(core), options, core.number())?;
        let mut negotiation = Negotiation::first(core.number(), media.address(), options);
        if offer.is_empty() {
            let sdp = negotiation.propose(negotiation.next());
            return Ok(Self { media, negotiation, sdp, agreed: None });
        }
        let (sdp, agreed) = negotiation.answer(offer)?;
        Ok(Self { media, negotiation, sdp, agreed: Some(agreed) })
    }
}

impl Incoming {
    pub(crate) const fn new(core: Arc<Core>, invited: Invited) -> Self {
        Self { core, invited: Some(invited), early: None }
    }

    /// The INVITE.
    #[must_use]
    pub fn invite(&self) -> Option<&Message> {
        self.invited.as_ref().map(|invited| &invited.transaction.request)
    }

    /// Says 180 Ringing.
    pub fn ring(&self) {
        if let Some(invited) = &self.invited {
            invited.respond(&self.core, 180, |r| r);
        }
    }

    /// Says 183 Session Progress with an answer to the offer, and starts to send: early media.
    ///
    /// # Errors
    /// When the INVITE has no offer, or none with a codec in common, or the caller has given up.
    pub fn progress(&mut self, options: &CallOptions) -> Result<(), PhoneError> {
        let invited = self.invited.as_ref().ok_or(PhoneError::Ended)?;
        let early = Prepared::new(&self.core, invited.transaction.request.body(), options)?;
        let agreed = early.agreed.as_ref().ok_or(PhoneError::Malformed("offer"))?;
        if !invited.respond(&self.core, 183, |r| r.body("application/sdp", early.sdp.clone())) {
            return Err(PhoneError::Cancelled);
        }
        early.media.negotiated(agreed.outbound, agreed.events.iter().copied());
        self.early = Some(early);
        Ok(())
    }

    /// Waits for the caller to give up.
    pub async fn cancelled(&self) {
        match &self.invited {
            Some(invited) => invited.transaction.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Refuses with that status, 300 to 699, and waits for the ACK.
    ///
    /// # Errors
    /// When the caller has given up, or the ACK doesn't come.
    pub async fn decline(mut self, status: u16) -> Result<(), PhoneError> {
        let invited = self.invited.take().ok_or(PhoneError::Ended)?;
        if !invited.refuse(&self.core, status.clamp(300, 699)) {
            return Err(PhoneError::Cancelled);
        }
        if invited.transaction.acknowledged().await { Ok(()) } else { Err(PhoneError::NoAck) }
    }

    /// Answers with 200, waits for the ACK and starts to talk. After [`Incoming::progress`] the media session
    /// goes on, with its options.
    ///
    /// # Errors
    /// When there is no codec in common (the caller gets 488), the caller has given up, or there is no ACK.
    pub async fn answer(mut self, options: CallOptions) -> Result<Call, PhoneError> {
        let invited = self.invited.take().ok_or(PhoneError::Ended)?;
        let request = &invited.transaction.request;
        let prepared =
            self.early.take().map_or_else(|| Prepared::new(&self.core, request.body(), &options), Ok);
        let number = (1 + self.core.number() % 10_000) as u32;
        let dialog = Dialog::of_request(request, &invited.local_tag, number);
        let (prepared, dialog) = match (prepared, dialog) {
            (Ok(prepared), Some(dialog)) => (prepared, dialog),
            (Ok(_), None) => {
                invited.refuse(&self.core, 400);
                return Err(PhoneError::Malformed("INVITE"));
            }
            (Err(error), _) => {
                invited
                    .refuse(&self.core, if matches!(error, PhoneError::NoCommonCodec) { 488 } else { 500 });
                return Err(error);
            }
        };
        self.talk(invited, prepared, dialog, &options).await
    }

    async fn talk(
        &self,
        invited: Invited,
        prepared: Prepared,
        dialog: Dialog,
        options: &CallOptions,
    ) -> Result<Call, PhoneError> {
        let Prepared { media, negotiation, sdp, agreed } = prepared;
        let sent = invited.respond(&self.core, 200, |r| {
            let r = options.headers.iter().fold(r, |r, (name, value)| r.header(name, value));
            r.header("Allow", ALLOW).body("application/sdp", sdp)
        });
        if !sent {
            self.core.unregister(invited.transaction.request.call_id(), &invited.local_tag);
            return Err(PhoneError::Cancelled);
        }
        let Invited { transaction, requests, .. } = invited;
        let call = Call::answered(Arc::clone(&self.core), dialog, media, negotiation, requests, &transaction);
        tokio::select! {
            acknowledged = transaction.acknowledged() => if !acknowledged {
                call.hangup().await?;
                return Err(PhoneError::NoAck);
            },
            // A caller may hang up without an ACK.
            _ = call.ended() => {}
        }
        if let Some(agreed) = agreed {
            call.apply(&agreed);
        }
        Ok(call)
    }
}

impl Invited {
    /// A response with all that makes a dialog: To tag, Contact, Record-Route (RFC 3261 §12.1.1).
    fn respond(
        &self,
        core: &Core,
        status: u16,
        more: impl FnOnce(ResponseBuilder<'_>) -> ResponseBuilder<'_>,
    ) -> bool {
        let contact = core.contact(self.transaction.flow.transport);
        let request = &self.transaction.request;
        self.transaction.respond(status, |response| {
            let response = request
                .headers_named(Name::RecordRoute)
                .fold(response.to_tag(&self.local_tag), |r, route| r.header("Record-Route", &route.text()));
            more(response.header("Contact", &contact))
        })
    }

    fn refuse(&self, core: &Core, status: u16) -> bool {
        core.unregister(self.transaction.request.call_id(), &self.local_tag);
        self.transaction.respond(status, |r| r.to_tag(&self.local_tag))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(invited) = self.invited.take()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            invited.refuse(&self.core, 480);
        }
    }
}
