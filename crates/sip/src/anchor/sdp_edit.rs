//! SDP in a passing message: found, read, and rewritten to our addresses and ports; what can't be rewritten is told.

use std::net::SocketAddr;
use std::sync::Arc;

use sidetone_call::{CallKey, Exhausted, MediaPlane, Side, Untappable};

use super::call::family;
use super::dialog::Party;
use super::terms::Said;
use super::{Anchor, CallFact};
use crate::message::{Edit, Message, Method};
use crate::proxy::{ForwardContext, Refusal};
use crate::sdp::body::{self, Found, Located};
use crate::sdp::{self, Description, Place, SdpError, Stream};

/// One session description of a message.
struct SessionDescription<'m> {
    located: Located,
    parsed: Description<'m>,
    streams: Vec<Stream>,
}

impl SessionDescription<'_> {
    /// Whether an m-line behind the first `most` asks for media, or there are too many to be remembered. Rejected
    /// m-lines stay in place for the length of a call (RFC 3264 §8) and cost no ports.
    fn is_beyond(&self, most: usize) -> bool {
        self.streams.len() > most.saturating_mul(REJECTED_FACTOR)
            || self.streams.iter().skip(most).any(|stream| !stream.rejected)
    }

    fn is_all_unreadable(&self) -> bool {
        !self.streams.is_empty() && self.streams.iter().all(|stream| stream.unreadable)
    }
}

/// Why an offer is refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum OfferError {
    Malformed,
    TooManyStreams,
    Misaimed,
    /// No m-line can be had on the terms of our policy.
    Insecure,
    NoPorts,
}

/// A description may have this many times [`Settings::max_streams`](super::Settings::max_streams) m-lines, rejected
/// ones included.
const REJECTED_FACTOR: usize = 4;

/// The session descriptions in a body.
struct BodySessions<'m> {
    /// The session's descriptions, the authoritative one first. All are rewritten alike: parsers choose differently
    /// among several.
    session: Vec<SessionDescription<'m>>,
    /// A description of the session can't be read.
    unreadable: bool,
    /// A description of an early session passes as it is.
    early: bool,
    sealed: bool,
    astray: bool,
}

impl<'m> BodySessions<'m> {
    /// `early_apart`: the parties have shown that they tell an early session from the session. Who doesn't takes the
    /// only description there is for the session's, whatever its Content-Disposition.
    fn read(message: &'m Message, early_apart: bool) -> Self {
        let Found { mut session, mut early, sealed, astray } = body::find(message);
        if session.is_empty() && !early_apart {
            session = std::mem::take(&mut early);
        }
        let mut body =
            Self { session: Vec::new(), unreadable: false, early: !early.is_empty(), sealed, astray };
        for located in session {
            let bytes = message.body().get(located.range.clone()).unwrap_or_default();
            match Description::parse(bytes) {
                Ok(parsed) => {
                    let streams = Stream::all(&parsed);
                    body.session.push(SessionDescription { located, parsed, streams });
                }
                Err(SdpError::NoVersion | SdpError::TooManyLines) => body.unreadable = true,
            }
        }
        body
    }

    /// Whether something in it may be taken for a description that nobody here can see to.
    fn is_hidden(&self) -> bool {
        self.sealed || self.early || self.unreadable || self.astray
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.session.iter().flat_map(|description| &description.streams)
    }
}

impl<M: MediaPlane> Anchor<M> {
    /// Edits the SDP of a request that may carry an offer (or, in a PRACK, an answer), or makes ready for one in its
    /// response.
    pub(super) fn offer(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
        said: Said,
    ) -> Result<Option<Arc<Party>>, OfferError> {
        let body = self.body_sessions(key, request);
        // An m-line that can't be read beside others is rejected on its way; where there is no other, nothing is left.
        if body.unreadable || body.session.iter().any(SessionDescription::is_all_unreadable) {
            return Err(OfferError::Malformed);
        }
        if body.session.iter().any(|description| description.is_beyond(self.settings.max_streams)) {
            return Err(OfferError::TooManyStreams);
        }
        if body.streams().any(|stream| self.is_misaimed(key, ctx.from, stream)) {
            return Err(OfferError::Misaimed);
        }
        // What is hidden can't be seen to be protected.
        if self.security.requires() && body.is_hidden() {
            return Err(OfferError::Insecure);
        }
        self.note_bypass(key, &body, said);
        let begins = match request.method() {
            Some(Method::INVITE) => true,
            Some(Method::UPDATE) => !body.session.is_empty() || body.sealed,
            _ => false,
        };
        if let Some(call) = self.calls.get_mut(&key).filter(|_| begins) {
            // A sealed offer's answer must pass as it is too; with the next offer that is over.
            call.sealed = body.sealed && body.session.is_empty();
        }
        if body.session.is_empty() && !body.sealed && request.method() == Some(Method::INVITE) {
            let (mut tools, calls) = self.tools();
            if let Some(call) = calls.get_mut(&key) {
                let from = (ctx.from, family(ctx.source.remote));
                let toward = (ctx.from.other(), family(ctx.toward));
                call.reserve_ahead(&mut tools, from, toward).map_err(|Exhausted| OfferError::NoPorts)?;
            }
        }
        self.anchor_sdp(ctx, key, request, body.session, edit, (said, true))
    }

    fn body_sessions<'m>(&self, key: CallKey, message: &'m Message) -> BodySessions<'m> {
        BodySessions::read(message, self.calls.get(&key).is_some_and(|call| call.early_apart))
    }

    /// Notes the descriptions that pass as they are, so that media may bypass us.
    fn note_bypass(&mut self, key: CallKey, body: &BodySessions<'_>, said: Said) {
        let (mut tools, calls) = self.tools();
        tools.counters.sealed += u64::from(body.sealed);
        tools.counters.early_sessions += u64::from(body.early);
        let Some(call) = calls.get_mut(&key) else { return };
        if body.sealed {
            call.tell_bypass(&mut tools, Untappable::Unreadable);
            // The answer to an offer that was led through here leaves that as it is, whatever it looks like itself.
            call.sealed |= body.session.is_empty() && said == Said::Offer;
        }
        if body.early {
            call.tell_bypass(&mut tools, Untappable::NotRelayed);
            call.early_apart = true;
        }
        if body.astray || body.unreadable {
            call.tell_unreadable(&mut tools, &[]);
        }
    }

    /// Rewrites a body's descriptions to our addresses and ports. Gives the first as its author wrote it.
    fn anchor_sdp(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        message: &Message,
        session: Vec<SessionDescription<'_>>,
        edit: &mut Edit,
        (said, strict): (Said, bool),
    ) -> Result<Option<Arc<Party>>, OfferError> {
        let ice = self.settings.ice;
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key).filter(|call| !call.sealed) else { return Ok(None) };
        let hint = family(ctx.toward);
        let mut party = None;
        for mut description in session {
            let streams = &mut description.streams;
            let (dressed, insecure) = call.dress(&tools, said, ctx.from, streams);
            if insecure && strict {
                return Err(OfferError::Insecure);
            }
            let places = call.places(&mut tools, streams, ctx.from, hint, strict);
            let mut places = places.map_err(|Exhausted| OfferError::NoPorts)?;
            for (place, _) in places.iter_mut().zip(&dressed).filter(|(_, dressed)| dressed.insecure) {
                *place = Place::Rejected;
            }
            let dresses: Vec<_> = dressed.into_iter().map(|dressed| dressed.dress).collect();
            if description.streams.iter().any(|stream| stream.unreadable) {
                call.tell_unreadable(&mut tools, &description.streams);
            }
            let patches = sdp::rewrite(&description.parsed, &description.streams, &places, &dresses, ice);
            write(message, edit, &description.located, patches);
            let signalled_from = ctx.source.remote.ip().to_canonical();
            party.get_or_insert_with(|| {
                Arc::new(Party { streams: description.streams, signalled_from, insecure })
            });
        }
        Ok(party)
    }

    /// The same as [`Self::anchor_sdp`] in a response or ACK, which can't be refused.
    pub(super) fn anchor_sdp_leniently(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        message: &Message,
        edit: &mut Edit,
        said: Said,
    ) -> Option<Arc<Party>> {
        let mut body = self.body_sessions(key, message);
        if self.security.requires() && body.is_hidden() {
            self.counters.sealed += u64::from(body.sealed);
            self.counters.early_sessions += u64::from(body.early);
            edit.set_body(message, "");
            let signalled_from = ctx.source.remote.ip().to_canonical();
            return Some(Arc::new(Party { streams: Vec::new(), signalled_from, insecure: true }));
        }
        self.note_bypass(key, &body, said);
        if let Some(first) = body.session.first_mut() {
            self.clear_forbidden_addresses(key, ctx.from, &mut first.streams);
        }
        self.anchor_sdp(ctx, key, message, body.session, edit, (said, false)).ok().flatten()
    }

    fn is_misaimed(&self, key: CallKey, from: Side, stream: &Stream) -> bool {
        let refused = |at: Option<SocketAddr>| at.is_some_and(|at| !self.media.admits(key, from, at));
        stream.is_relayed() && (stream.forbidden || refused(stream.rtp) || refused(stream.rtcp))
    }

    /// Clears the addresses of streams that aim media where it must not go, in a message that can't be refused.
    fn clear_forbidden_addresses(&mut self, key: CallKey, by: Side, streams: &mut [Stream]) {
        let mut misaimed = 0;
        for stream in streams {
            if self.is_misaimed(key, by, stream) {
                (stream.rtp, stream.rtcp) = (None, None);
                misaimed += 1;
            }
        }
        if misaimed > 0 {
            self.counters.misaimed += misaimed;
            self.tell(CallFact::Misaimed { key, by });
        }
    }

    /// A new call is refused as unavailable when there are no ports; one that has some goes on as it was.
    pub(super) fn refuse(&mut self, error: OfferError, new_call: bool) -> Refusal {
        let (status, reason) = match error {
            OfferError::Malformed => (400, "Malformed SDP"),
            OfferError::TooManyStreams => (488, "Too Many Streams"),
            OfferError::Misaimed => (488, "Media Address Not Acceptable"),
            OfferError::Insecure => (488, "Media Security Not Acceptable"),
            OfferError::NoPorts if new_call => (503, "No Media Port"),
            OfferError::NoPorts => (488, "No Media Port"),
        };
        match error {
            OfferError::NoPorts => self.counters.refused_ports += 1,
            OfferError::Misaimed => self.counters.refused_aims += 1,
            OfferError::Insecure => self.counters.refused_security += 1,
            OfferError::Malformed | OfferError::TooManyStreams => self.counters.refused_sdp += 1,
        }
        Refusal { status, reason: reason.to_owned() }
    }
}

/// Puts the patches into the message's edit, and keeps the length of a MIME part true.
fn write(message: &Message, edit: &mut Edit, located: &Located, patches: Vec<sdp::Patch>) {
    let base = located.range.start;
    let (mut added, mut removed) = (0, 0);
    for patch in patches {
        added += patch.with.len();
        removed += patch.at.len();
        edit.splice_body(message, base + patch.at.start..base + patch.at.end, patch.with);
    }
    if let Some(length) = located.length.clone().filter(|_| added != removed) {
        let now = (located.range.len() + added).saturating_sub(removed);
        edit.splice_body(message, length, now.to_string());
    }
}
