//! The edit itself: a message's SDP is found, read, and led through our ports.

use std::net::SocketAddr;
use std::sync::Arc;

use super::call::family;
use super::dialog::Party;
use super::ports::{Exhausted, MediaPlane};
use super::{Anchor, CallFact, CallKey};
use crate::Face;
use crate::message::{Edit, Message, Method};
use crate::proxy::{Passing, Refusal};
use crate::sdp::body::{self, Found, Located};
use crate::sdp::{self, Description, SdpError, Stream};

/// A description that passes.
struct Passed<'m> {
    located: Located,
    description: Description<'m>,
    streams: Vec<Stream>,
}

impl Passed<'_> {
    /// Whether an m-line behind the first `most` asks for media, or there are too many to be kept in mind. Such as are turned
    /// down stay where they are for the length of a call (RFC 3264 §8) and cost nothing.
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
enum Carried<'m> {
    Nothing,
    Sealed,
    Sdp(Passed<'m>),
}

impl<'m> Carried<'m> {
    fn read(message: &'m Message) -> Result<Self, SdpError> {
        match body::find(message) {
            Found::Nothing => Ok(Self::Nothing),
            Found::Sealed => Ok(Self::Sealed),
            Found::Sdp(located) => {
                let bytes = message.body().get(located.range.clone()).unwrap_or_default();
                let description = Description::parse(bytes)?;
                let streams = Stream::all(&description);
                Ok(Self::Sdp(Passed { located, description, streams }))
            }
        }
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
        match Carried::read(request).map_err(|_| Obstacle::Malformed)? {
            Carried::Sdp(passed) if passed.is_beyond(self.settings.max_streams) => {
                Err(Obstacle::TooManyStreams)
            }
            // One that can't be read beside others is rejected on its way; where there is no other, nothing is left.
            Carried::Sdp(passed) if passed.is_all_unreadable() => Err(Obstacle::Malformed),
            Carried::Sdp(passed) if passed.streams.iter().any(|s| self.is_misaimed(key, ctx.from, s)) => {
                Err(Obstacle::Misaimed)
            }
            Carried::Sdp(passed) => {
                self.lead(ctx, key, request, passed, edit, true).map_err(|Exhausted| Obstacle::NoPorts)
            }
            Carried::Sealed => {
                self.seal(key);
                Ok(None)
            }
            Carried::Nothing => {
                let (mut tools, calls) = self.tools();
                let invite = request.method() == Some(Method::INVITE);
                if let Some(call) = calls.get_mut(&key).filter(|_| invite) {
                    let from = (ctx.from, family(ctx.source.remote));
                    let toward = (ctx.from.other(), family(ctx.toward));
                    call.reserve_ahead(&mut tools, from, toward).map_err(|Exhausted| Obstacle::NoPorts)?;
                }
                Ok(None)
            }
        }
    }

    /// Leads a description's media through us. Gives what its author said of it.
    fn lead(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        mut passed: Passed<'_>,
        edit: &mut Edit,
        strict: bool,
    ) -> Result<Option<Arc<Party>>, Exhausted> {
        let ice = self.settings.ice;
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key).filter(|call| !call.sealed) else { return Ok(None) };
        let hint = family(ctx.toward);
        let places = call.places(&mut tools, &mut passed.streams, ctx.from, hint, strict)?;
        if passed.streams.iter().any(|stream| stream.unreadable) {
            call.tell_unreadable(&mut tools, &passed.streams);
        }
        let patches = sdp::rewrite(&passed.description, &passed.streams, &places, ice);
        write(message, edit, &passed.located, patches);
        let signalled_from = ctx.source.remote.ip().to_canonical();
        Ok(Some(Arc::new(Party { streams: passed.streams, signalled_from })))
    }

    /// As [`Self::lead`], where nothing can be refused.
    pub(super) fn lead_leniently(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        edit: &mut Edit,
    ) -> Option<Arc<Party>> {
        match Carried::read(message) {
            Ok(Carried::Sdp(mut passed)) => {
                self.take_aim(key, ctx.from, &mut passed.streams);
                self.lead(ctx, key, message, passed, edit, false).ok().flatten()
            }
            Ok(Carried::Sealed) => {
                self.seal(key);
                None
            }
            Ok(Carried::Nothing) => None,
            Err(_) => {
                let (mut tools, calls) = self.tools();
                if let Some(call) = calls.get_mut(&key) {
                    call.tell_unreadable(&mut tools, &[]);
                }
                None
            }
        }
    }

    fn is_misaimed(&self, key: CallKey, from: Face, stream: &Stream) -> bool {
        let refused = |at: Option<SocketAddr>| at.is_some_and(|at| !self.media.admits(key, from, at));
        stream.is_relayed() && (stream.forbidden || refused(stream.rtp) || refused(stream.rtcp))
    }

    /// Takes the aim away from streams that have a wrong one, where nothing can be refused.
    fn take_aim(&mut self, key: CallKey, by: Face, streams: &mut [Stream]) {
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

    fn seal(&mut self, key: CallKey) {
        self.counters.sealed += 1;
        if let Some(call) = self.calls.get_mut(&key) {
            call.sealed = true;
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
