//! The edit itself: a message's SDP is found, read, and led through our ports; what can't be led is told.

use std::net::SocketAddr;
use std::sync::Arc;

use super::call::family;
use super::dialog::Party;
use super::{Anchor, CallFact};
use crate::message::{Edit, Message, Method};
use crate::proxy::{Passing, Refusal};
use crate::sdp::body::{self, Found, Located};
use crate::sdp::{self, Description, SdpError, Stream};
use sidetone_call::{CallKey, Exhausted, MediaPlane, Side, Untappable};

/// A description that passes.
struct Passed<'m> {
    located: Located,
    description: Description<'m>,
    streams: Vec<Stream>,
}

impl Passed<'_> {
    /// Whether an m-line behind the first `most` asks for media, or there are too many to be kept in mind. Such as are
    /// turned down stay where they are for the length of a call (RFC 3264 §8) and cost nothing.
    fn is_beyond(&self, most: usize) -> bool {
        self.streams.len() > most.saturating_mul(TURNED_DOWN)
            || self.streams.iter().skip(most).any(|stream| !stream.rejected)
    }

    fn is_all_unreadable(&self) -> bool {
        !self.streams.is_empty() && self.streams.iter().all(|stream| stream.unreadable)
    }
}

/// Why an offer can't pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Obstacle {
    Malformed,
    TooManyStreams,
    Misaimed,
    NoPorts,
}

/// So many times the most m-lines that ask for media may stand in a description, those that are turned down included.
const TURNED_DOWN: usize = 4;

/// What a body holds.
struct Carried<'m> {
    /// The session's descriptions, the one that counts first. All are led alike: parsers choose differently among
    /// several.
    session: Vec<Passed<'m>>,
    /// One that should be the session's can't be read.
    unreadable: bool,
    /// An early session's passes as it is.
    early: bool,
    sealed: bool,
    astray: bool,
}

impl<'m> Carried<'m> {
    /// `early_apart`: the parties have shown that they tell an early session from the session. Who doesn't takes the
    /// only description there is for the session's, whatever its Content-Disposition.
    fn read(message: &'m Message, early_apart: bool) -> Self {
        let Found { mut session, mut early, sealed, astray } = body::find(message);
        if session.is_empty() && !early_apart {
            session = std::mem::take(&mut early);
        }
        let mut carried =
            Self { session: Vec::new(), unreadable: false, early: !early.is_empty(), sealed, astray };
        for located in session {
            let bytes = message.body().get(located.range.clone()).unwrap_or_default();
            match Description::parse(bytes) {
                Ok(description) => {
                    let streams = Stream::all(&description);
                    carried.session.push(Passed { located, description, streams });
                }
                Err(SdpError::NoVersion | SdpError::TooManyLines) => carried.unreadable = true,
            }
        }
        carried
    }

    fn streams(&self) -> impl Iterator<Item = &Stream> {
        self.session.iter().flat_map(|passed| &passed.streams)
    }
}

impl<M: MediaPlane> Anchor<M> {
    /// Edits the SDP of a request that may carry an offer, or makes ready for one in its response.
    pub(super) fn offer(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<Option<Arc<Party>>, Obstacle> {
        let carried = self.carried(key, request);
        // An m-line that can't be read beside others is rejected on its way; where there is no other, nothing is left.
        if carried.unreadable || carried.session.iter().any(Passed::is_all_unreadable) {
            return Err(Obstacle::Malformed);
        }
        if carried.session.iter().any(|passed| passed.is_beyond(self.settings.max_streams)) {
            return Err(Obstacle::TooManyStreams);
        }
        if carried.streams().any(|stream| self.is_misaimed(key, ctx.from, stream)) {
            return Err(Obstacle::Misaimed);
        }
        self.note_around(key, &carried);
        let begins = match request.method() {
            Some(Method::INVITE) => true,
            Some(Method::UPDATE) => !carried.session.is_empty() || carried.sealed,
            _ => false,
        };
        if let Some(call) = self.calls.get_mut(&key).filter(|_| begins) {
            // A sealed offer's answer must pass as it is too; with the next offer that is over.
            call.sealed = carried.sealed && carried.session.is_empty();
        }
        if carried.session.is_empty() && !carried.sealed && request.method() == Some(Method::INVITE) {
            let (mut tools, calls) = self.tools();
            if let Some(call) = calls.get_mut(&key) {
                let from = (ctx.from, family(ctx.source.remote));
                let toward = (ctx.from.other(), family(ctx.toward));
                call.reserve_ahead(&mut tools, from, toward).map_err(|Exhausted| Obstacle::NoPorts)?;
            }
        }
        self.lead(ctx, key, request, carried.session, edit, true).map_err(|Exhausted| Obstacle::NoPorts)
    }

    fn carried<'m>(&self, key: CallKey, message: &'m Message) -> Carried<'m> {
        Carried::read(message, self.calls.get(&key).is_some_and(|call| call.early_apart))
    }

    /// Takes in what passes as it is, so that media may go around us.
    fn note_around(&mut self, key: CallKey, carried: &Carried<'_>) {
        let (mut tools, calls) = self.tools();
        tools.counters.sealed += u64::from(carried.sealed);
        tools.counters.early_sessions += u64::from(carried.early);
        let Some(call) = calls.get_mut(&key) else { return };
        if carried.sealed {
            call.tell_around(&mut tools, Untappable::Unreadable);
            call.sealed |= carried.session.is_empty();
        }
        if carried.early {
            call.tell_around(&mut tools, Untappable::NotRelayed);
            call.early_apart = true;
        }
        if carried.astray || carried.unreadable {
            call.tell_unreadable(&mut tools, &[]);
        }
    }

    /// Leads a body's descriptions through us. Gives what their author said of it: in the first.
    fn lead(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        session: Vec<Passed<'_>>,
        edit: &mut Edit,
        strict: bool,
    ) -> Result<Option<Arc<Party>>, Exhausted> {
        let ice = self.settings.ice;
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key).filter(|call| !call.sealed) else { return Ok(None) };
        let hint = family(ctx.toward);
        let mut party = None;
        for mut passed in session {
            let places = call.places(&mut tools, &mut passed.streams, ctx.from, hint, strict)?;
            if passed.streams.iter().any(|stream| stream.unreadable) {
                call.tell_unreadable(&mut tools, &passed.streams);
            }
            let patches = sdp::rewrite(&passed.description, &passed.streams, &places, ice);
            write(message, edit, &passed.located, patches);
            let signalled_from = ctx.source.remote.ip().to_canonical();
            party.get_or_insert_with(|| Arc::new(Party { streams: passed.streams, signalled_from }));
        }
        Ok(party)
    }

    /// As [`Self::lead`], where nothing can be refused.
    pub(super) fn lead_leniently(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        edit: &mut Edit,
    ) -> Option<Arc<Party>> {
        let mut carried = self.carried(key, message);
        self.note_around(key, &carried);
        if let Some(first) = carried.session.first_mut() {
            self.take_aim(key, ctx.from, &mut first.streams);
        }
        self.lead(ctx, key, message, carried.session, edit, false).ok().flatten()
    }

    fn is_misaimed(&self, key: CallKey, from: Side, stream: &Stream) -> bool {
        let refused = |at: Option<SocketAddr>| at.is_some_and(|at| !self.media.admits(key, from, at));
        stream.is_relayed() && (stream.forbidden || refused(stream.rtp) || refused(stream.rtcp))
    }

    /// Takes the aim away from streams that have a wrong one, where nothing can be refused.
    fn take_aim(&mut self, key: CallKey, by: Side, streams: &mut [Stream]) {
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
    pub(super) fn refuse(&mut self, obstacle: Obstacle, new_call: bool) -> Refusal {
        let (status, reason) = match obstacle {
            Obstacle::Malformed => (400, "Malformed SDP"),
            Obstacle::TooManyStreams => (488, "Too Many Streams"),
            Obstacle::Misaimed => (488, "Media Address Not Acceptable"),
            Obstacle::NoPorts if new_call => (503, "No Media Port"),
            Obstacle::NoPorts => (488, "No Media Port"),
        };
        match obstacle {
            Obstacle::NoPorts => self.counters.refused_ports += 1,
            Obstacle::Misaimed => self.counters.refused_aims += 1,
            Obstacle::Malformed | Obstacle::TooManyStreams => self.counters.refused_sdp += 1,
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
