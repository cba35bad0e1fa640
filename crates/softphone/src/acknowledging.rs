//! The ACK of an answered INVITE, and of every repetition of the answer.

use std::sync::Arc;
use std::sync::Weak;

use bytes::Bytes;
use sidetone_sip::Message;
use sidetone_sip::Method;

use crate::PhoneError;
use crate::sip::ClientTransaction;
use crate::sip::Core;
use crate::sip::Destination;
use crate::sip::Dialog;

/// Sends the ACK for a 2xx, and again whenever the 2xx comes again. A 2xx of another fork is
/// acknowledged and its dialog ended (RFC 3261 §13.2.2.4).
pub(crate) async fn acknowledge(
    core: &Arc<Core>,
    dialog: &Dialog,
    transaction: ClientTransaction,
    answer: Option<&str>,
) -> Result<(), PhoneError> {
    let number = transaction.request.cseq().map_or(0, |cseq| cseq.number);
    let (ack, to) = ack(core, dialog, number, answer).await?;
    core.send(ack.clone(), to);
    tokio::spawn(acknowledge_again(Arc::downgrade(core), transaction, dialog.remote_tag.clone(), ack, to));
    Ok(())
}

pub(crate) async fn acknowledge_again(
    core: Weak<Core>,
    mut transaction: ClientTransaction,
    tag: String,
    ack: Bytes,
    to: Destination,
) {
    while let Some(response) = transaction.next().await {
        if !matches!(response.status(), Some(200..300)) {
            continue;
        }
        let Some(core) = core.upgrade() else { return };
        if response.to_tag() == Some(tag.as_str()) {
            core.send(ack.clone(), to);
        } else if let Some(fork) = Dialog::of_response(&transaction.request, &response)
            && let Err(error) = refuse(&core, fork, &transaction.request).await
        {
            tracing::debug!(%error, "fork not ended");
        }
    }
}

pub(crate) async fn ack(
    core: &Core,
    dialog: &Dialog,
    number: u32,
    answer: Option<&str>,
) -> Result<(Bytes, Destination), PhoneError> {
    let way = dialog.way().ok_or(PhoneError::Malformed("Contact"))?;
    let to = core.resolve(&way.hop).await?;
    let ack = dialog.ack(number, &core.via(to.transport), &way);
    let ack = match answer {
        Some(answer) => ack.header("Content-Type", "application/sdp").body(answer.as_bytes()),
        None => ack.build(),
    };
    Ok((ack, to))
}

/// Acknowledges a 2xx that isn't wanted, and hangs up.
pub(crate) async fn refuse(core: &Arc<Core>, mut dialog: Dialog, invite: &Message) -> Result<(), PhoneError> {
    let (ack, to) = ack(core, &dialog, invite.cseq().map_or(0, |cseq| cseq.number), None).await?;
    core.send(ack, to);
    let way = dialog.way().ok_or(PhoneError::Malformed("Contact"))?;
    core.begin(dialog.request(Method::BYE, &core.via(to.transport), &way).build(), to)?;
    Ok(())
}
