//! A call that was answered: media flows, and either end may change or end it.

mod received;
mod shared;

pub use crate::call::received::{EndedBy, Received};
use std::sync::Arc;

use sidetone_sip::{Message, Method};
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep};

use self::shared::Shared;
use crate::media::Session;
use crate::negotiation::{Agreed, MediaState, Negotiation};
use crate::report::MediaReport;
use crate::sdp::Local;
use crate::sip::{Core, Dialog, InDialog, ServerTransaction};
use crate::{Audio, Codec, Hold, PhoneError, lock};

/// Between looks at the packet count.
const LOOK: Duration = Duration::from_millis(2);
/// Looks without a new packet after which an ended call's media is over.
const LAST_LOOKS: u32 = 100;

/// An answered call. Dropping it hangs up.
#[derive(Debug)]
pub struct Call {
    shared: Arc<Shared>,
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
    /// The same as for [`Call::hold`].
    pub async fn resume(&self) -> Result<(), PhoneError> {
        self.shared.reinvite(|local| local.held(None)).await
    }

    /// Offers that codec before all others.
    ///
    /// # Errors
    /// The same as for [`Call::hold`].
    pub async fn change_codec(&self, codec: Codec) -> Result<(), PhoneError> {
        self.shared.reinvite(|local| local.preferring(codec)).await
    }

    /// Moves media to new ports and tells the other end.
    ///
    /// # Errors
    /// The same as for [`Call::hold`], or when no ports can be bound.
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

    /// The outcome of offer and answer; `None` until there is one.
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
