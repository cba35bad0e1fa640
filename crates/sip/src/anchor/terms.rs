//! The terms of a call's media where its protection ends here: what each side has offered and been offered, m-line by
//! m-line, and our keys.
//!
//! Each side sees an offer/answer exchange of its own. An offer that passes is dressed as the policy toward the side
//! that it goes to has it; its answer is dressed as an answer to what the offerer had offered. Our keys go
//! with the party's: a retransmission or a re-INVITE that repeats a key gets the one of ours that it had, so that
//! roll-over counters go on; an offer that forks has one key of ours; a key that is new is answered with a new one.

mod face;

use face::{Credentials, Face, Form, Offer};
use serde::{Deserialize, Serialize};
use sidetone_call::{Protection, Security as Spoken, Side, SrtpKeys};
use zeroize::Zeroizing;

use super::security::{Keying, Policy, Security};
use crate::sdp::crypto::Crypto;
use crate::sdp::{Carriage, Dress, Stream};

/// Whether a description offers or answers (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    Offer,
    /// An answer that may be followed by another one: in an 18x.
    Preview,
    Answer,
}

/// An m-line can't be had on the terms that our policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Insecure;

/// An m-line made ready for the side that it goes to.
#[derive(Debug, Default)]
pub(super) struct Dressed {
    /// What it wears; `None` leaves it as it is.
    pub(super) dress: Option<Dress>,
    /// Our policy doesn't allow it: it is to be rejected.
    pub(super) insecure: bool,
}

/// The terms of all m-lines of a call.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Terms {
    streams: Vec<[Face; 2]>,
}

impl Terms {
    /// Whether keys or passwords of ours, or of a party that we answer to, are held.
    pub(super) fn holds_keys(&self) -> bool {
        self.streams.iter().flatten().any(Face::holds_keys)
    }

    /// Whether a handshake gives keys of any side, or may.
    pub(super) fn shakes_hands(&self) -> bool {
        self.streams.iter().flatten().any(Face::shakes_hands)
    }

    /// Whether there is nothing to be kept of it.
    pub(super) fn is_plain(&self) -> bool {
        self.streams.is_empty()
    }

    fn face(&mut self, stream: usize, side: Side) -> Option<&mut Face> {
        if self.streams.len() <= stream {
            self.streams.resize_with(stream + 1, Default::default);
        }
        self.streams.get_mut(stream)?.get_mut(place(side))
    }

    /// Dresses the m-lines of a description on its way from a party to the other side.
    pub(super) fn dress(
        &mut self,
        security: &Security,
        said: Said,
        (from, to_browser): (Side, bool),
        streams: &[Stream],
    ) -> Vec<Dressed> {
        let mut dressed: Vec<_> = streams
            .iter()
            .enumerate()
            .map(|(i, stream)| match said {
                // What is not RTP can't be protected here. Keys of its author's don't pass even so.
                _ if stream.carriage != Carriage::Rtp || stream.unreadable => {
                    let forbidden = security.requires() && !stream.rejected;
                    if forbidden { Err(Insecure) } else { Ok(Some(Dress::default())) }
                }
                Said::Offer => self.offer(security, (from, to_browser), i, stream).map(Some),
                Said::Preview | Said::Answer => self.answer(security, said, from, i, stream),
            })
            .collect();
        if said == Said::Offer {
            self.choose_alternative(security.toward(from), from, streams, &mut dressed);
        }
        let mut ready = Vec::with_capacity(dressed.len());
        for (i, dressed) in dressed.into_iter().enumerate() {
            ready.push(match dressed {
                Ok(dress) => Dressed { dress, insecure: false },
                // Rejected, it still is of its offer's protocol, and shows no key.
                Err(Insecure) => {
                    let protocol = match said {
                        Said::Offer => None,
                        Said::Preview | Said::Answer => {
                            self.face(i, from.other()).and_then(|face| face.offer.as_ref())
                        }
                    };
                    let protocol = protocol.map(|offer| offer.protocol.clone());
                    Dressed { dress: Some(Dress { protocol, ..Dress::default() }), insecure: true }
                }
            });
        }
        ready
    }

    fn offer(
        &mut self,
        security: &Security,
        (from, to_browser): (Side, bool),
        i: usize,
        stream: &Stream,
    ) -> Result<Dress, Insecure> {
        let (form, chosen) = read(security, from, stream)?;
        let toward = from.other();
        let face = self.face(i, from).ok_or(Insecure)?;
        if chosen.as_ref().is_some_and(|line| face.is_ours(&line.keying)) {
            return Err(Insecure);
        }
        let (protocol, dtls, mux) = (stream.protocol.clone(), stream.dtls.clone(), stream.mux);
        face.offer = Some(Offer { form, protocol, chosen, dtls, mux });
        let face = self.face(i, toward).ok_or(Insecure)?;
        let protected = match security.keying_toward(toward) {
            Keying::Sdes if !to_browser => Form::Protected,
            _ => Form::Dtls,
        };
        let to = match security.toward(toward) {
            Policy::Plain => Form::Plain,
            Policy::Require => face.speaks.filter(|spoken| spoken.is_protected()).unwrap_or(protected),
            Policy::Terminate => face.speaks.unwrap_or(match protected {
                Form::Dtls => Form::Dtls,
                _ => Form::Opportunistic,
            }),
            Policy::Pass => form,
        };
        face.offered = Some(to);
        let mut dress = Dress {
            protocol: profile(&stream.protocol, to),
            from_browser: form == Form::Dtls,
            ..Dress::default()
        };
        if stream.rejected {
            return Ok(dress);
        }
        match to {
            Form::Plain => {}
            Form::Opportunistic | Form::Protected => {
                for (tag, suite) in (1..).zip(&security.suites) {
                    let keying = face.key_to_offer(*suite, security.random).ok_or(Insecure)?;
                    dress.lines.push(Crypto { tag, keying }.line());
                }
            }
            Form::Dtls => {
                let print = security.fingerprint.as_deref().ok_or(Insecure)?;
                let own = face.credentials_to_offer(security.random);
                // Roles stand once a handshake is made, and still an offer leaves them open (RFC 8842 §5.3).
                // What the party has called its m-line, and put into a group, stays (RFC 9143 §7).
                let known = face.offer.as_ref().and_then(|offer| offer.dtls.as_deref());
                let mid = known.and_then(|dtls| dtls.mid.clone()).unwrap_or_else(|| i.to_string());
                let bundled = known.is_some_and(|dtls| dtls.bundled);
                put_handshake(&mut dress, print, "actpass", Some(&own), &mid);
                dress.bundle = Some(mid).filter(|_| bundled);
                if form == Form::Dtls || !stream.mux {
                    dress.lines.push(line("a=rtcp-mux"));
                }
            }
        }
        Ok(dress)
    }

    fn answer(
        &mut self,
        security: &Security,
        said: Said,
        from: Side,
        i: usize,
        stream: &Stream,
    ) -> Result<Option<Dress>, Insecure> {
        // What is answered in an 18x may be answered otherwise by another fork, or come to nothing.
        let settles = said == Said::Answer && !stream.rejected;
        let face = self.face(i, from).ok_or(Insecure)?;
        let offered = face.offered.unwrap_or(Form::Plain);
        let echoed = stream.crypto.first().is_some_and(|line| face.is_ours(&line.keying));
        let taken = takes_up(security, offered, stream) && !echoed;
        let needed = offered.is_protected() || security.toward(from) == Policy::Require;
        // An answer with protection that we can't follow would be noise.
        let strange = !taken && (needed || stream.security != Spoken::None);
        if !stream.rejected && strange {
            return Err(Insecure);
        }
        if settles && offered != Form::Plain {
            face.speaks = Some(if taken { offered } else { Form::Plain });
        }
        if let Some(line) = stream.crypto.first().filter(|_| taken) {
            face.answered_with(&line.keying);
        }
        if let Some(dtls) = stream.dtls.as_deref().filter(|_| taken && offered == Form::Dtls) {
            face.begins(dtls);
            if let Some(fragment) = &dtls.fragment {
                face.answered_by(fragment);
            }
        }
        let from_browser = offered == Form::Dtls;
        let face = self.face(i, from.other()).ok_or(Insecure)?;
        let Some(offer) = &face.offer else { return Ok(None) };
        if settles {
            face.speaks = Some(offer.form);
        }
        let mut dress = Dress { protocol: Some(offer.protocol.clone()), from_browser, ..Dress::default() };
        if stream.rejected {
            return Ok(Some(dress));
        }
        match (&offer.chosen, &offer.dtls) {
            (Some(chosen), _) => {
                let chosen = chosen.clone();
                let keying = face.key_to_answer(&chosen.keying, security.random).ok_or(Insecure)?;
                let tag = chosen.tag;
                dress.lines.push(Crypto { tag, keying }.line());
            }
            (None, Some(dtls)) if offer.form == Form::Dtls => {
                let (dtls, mux) = (dtls.clone(), offer.mux);
                let print = security.fingerprint.as_deref().ok_or(Insecure)?;
                let setup = if face.begins(&dtls) { "active" } else { "passive" };
                let random = security.random;
                let own = dtls.fragment.as_deref().map(|theirs| face.credentials_to_answer(theirs, random));
                let mid = dtls.mid.as_deref().unwrap_or_default();
                put_handshake(&mut dress, print, setup, own.as_ref(), mid);
                dress.bundle = dtls.mid.clone().filter(|_| dtls.bundled);
                // What the answerer said of it was said of its own leg.
                if mux && (from_browser || !stream.mux) {
                    dress.lines.push(line("a=rtcp-mux"));
                }
            }
            _ => {}
        }
        Ok(Some(dress))
    }

    /// Two m-lines of one kind, one RTP/AVP and one RTP/SAVP, are alternatives: the answerer was to choose. Here both
    /// may be the same to the other side, so one is chosen for it: the protected one, unless policy forbids it.
    fn choose_alternative(
        &mut self,
        policy: Policy,
        from: Side,
        streams: &[Stream],
        dressed: &mut [Result<Option<Dress>, Insecure>],
    ) {
        let form = |terms: &Self, i: usize| {
            let face = terms.streams.get(i).and_then(|faces| faces.get(place(from)))?;
            face.offer.as_ref().map(|offer| offer.form)
        };
        for i in 0..streams.len() {
            let Some(stream) = streams.get(i).filter(|stream| !stream.rejected) else { continue };
            let taken = |at: usize, other: Form| {
                let same = streams.get(at).is_some_and(|s| !s.rejected && s.kind == stream.kind);
                same && dressed.get(at).is_some_and(|d| matches!(d, Ok(Some(_))))
                    && form(self, at) == Some(other)
            };
            let better = |at: usize| taken(at, Form::Protected) || taken(at, Form::Dtls);
            let others = || (0..streams.len()).filter(|at| *at != i);
            let worse = match policy {
                Policy::Plain => better(i) && others().any(|at| taken(at, Form::Plain)),
                _ => taken(i, Form::Plain) && others().any(better),
            };
            if worse && let Some(place) = dressed.get_mut(i) {
                *place = Err(Insecure);
            }
        }
    }

    /// What the relay is to do with the packets of the party on `side`, whose description in force is `stream`; `None`
    /// where it has not described itself yet. `offered` is what it has offered since, and has no answer to.
    pub(super) fn protection(
        &self,
        security: &Security,
        side: Side,
        i: usize,
        stream: Option<&Stream>,
        offered: Option<&Stream>,
    ) -> Protection {
        let policy = security.toward(side);
        let face = self.streams.get(i).and_then(|faces| faces.get(place(side)));
        // Where protection is required nothing passes without it.
        let bare = if policy == Policy::Require { Protection::Awaited } else { Protection::None };
        let Some(face) = face.filter(|_| policy != Policy::Plain) else { return bare };
        let Some(stream) = stream else {
            let awaited = face.offered.is_some_and(|form| form != Form::Plain);
            return if awaited { Protection::Awaited } else { bare };
        };
        let dtls = stream.dtls.as_deref().filter(|dtls| !dtls.fingerprints.is_empty());
        if let Some(dtls) = dtls.filter(|_| stream.security == Spoken::Dtls) {
            // Before our answer has passed there are no credentials of ours, and the party has none to expect.
            let plan = face.handshake(dtls);
            return plan.map_or(Protection::Awaited, |plan| Protection::Dtls(Box::new(plan)));
        }
        let Some(line) = stream.crypto.first() else {
            let needed = stream.security != Spoken::None && stream.is_protected_only();
            return if needed { Protection::Awaited } else { bare };
        };
        let theirs = line.keying.clone();
        let coming = offered.and_then(|offered| offered.crypto.first()).map(|line| line.keying.clone());
        let coming = coming.filter(|coming| *coming != theirs);
        // Likewise of our key.
        let Some(ours) = face.known_key(&theirs).cloned() else { return Protection::Awaited };
        Protection::Sdes(SrtpKeys { theirs, coming, ours })
    }

    /// The party on that side gives way to another one: what was agreed with it says nothing of the next.
    pub(super) fn forget(&mut self, side: Side) {
        for faces in &mut self.streams {
            if let Some(face) = faces.get_mut(place(side)) {
                face.forget();
            }
        }
    }

    /// Whether RTP and RTCP share a port toward that side by an agreement of this leg's own; `None` where the parties
    /// agree on it with each other.
    pub(super) fn shares_port(&self, side: Side, i: usize) -> Option<bool> {
        let faces = self.streams.get(i)?;
        let is_dtls = |face: &Face| {
            face.offered == Some(Form::Dtls)
                || face.offer.as_ref().is_some_and(|offer| offer.form == Form::Dtls)
        };
        let own = faces.get(place(side)).is_some_and(is_dtls);
        faces.iter().any(is_dtls).then_some(own)
    }
}

/// What a party offers of an m-line, and the a=crypto line that we take, if our policy toward it allows that.
fn read(security: &Security, from: Side, stream: &Stream) -> Result<(Form, Option<Crypto>), Insecure> {
    let chosen = stream.crypto.first().filter(|_| stream.security == Spoken::Sdes).cloned();
    let prints = stream.dtls.as_ref().is_some_and(|dtls| !dtls.fingerprints.is_empty());
    let form = match stream.security {
        Spoken::Dtls => Form::Dtls,
        Spoken::Sdes if stream.is_protected_only() => Form::Protected,
        Spoken::Sdes if chosen.is_some() => Form::Opportunistic,
        Spoken::Sdes | Spoken::None => Form::Plain,
    };
    let usable = match form {
        Form::Plain | Form::Opportunistic => true,
        Form::Protected => chosen.is_some(),
        Form::Dtls => prints && security.fingerprint.is_some(),
    };
    let allowed = match security.toward(from) {
        // What is offered beside RTP is not taken up.
        Policy::Plain => !stream.is_protected_only(),
        Policy::Require => usable && form != Form::Plain,
        Policy::Terminate | Policy::Pass => usable || !stream.is_protected_only(),
    };
    if !allowed && !stream.rejected {
        return Err(Insecure);
    }
    let plain = security.toward(from) == Policy::Plain || !usable;
    Ok(if plain { (Form::Plain, None) } else { (form, chosen) })
}

/// Whether an answer takes up the protection that its author was offered: it names one of our lines with that line's
/// suite, or shows a certificate.
fn takes_up(security: &Security, offered: Form, stream: &Stream) -> bool {
    match offered {
        Form::Plain => false,
        Form::Opportunistic | Form::Protected => stream.crypto.first().is_some_and(|crypto| {
            let at = usize::try_from(crypto.tag).ok().and_then(|tag| tag.checked_sub(1));
            at.and_then(|at| security.suites.get(at)) == Some(&crypto.keying.suite())
        }),
        Form::Dtls => {
            let dtls = stream.dtls.as_ref().filter(|_| stream.security == Spoken::Dtls);
            dtls.is_some_and(|dtls| !dtls.fingerprints.is_empty())
        }
    }
}

/// Our terms of a handshake.
fn put_handshake(dress: &mut Dress, print: &str, setup: &str, own: Option<&Credentials>, mid: &str) {
    dress.lines.push(line(&format!("a=fingerprint:{print}")));
    dress.lines.push(line(&format!("a=setup:{setup}")));
    if !mid.is_empty() {
        dress.lines.push(line(&format!("a=mid:{mid}")));
    }
    if let Some(own) = own {
        dress.lines.push(line(&format!("a=ice-ufrag:{}", own.fragment)));
        dress.lines.push(Zeroizing::new(format!("a=ice-pwd:{}", **own.password)));
        dress.candidates = true;
    }
}

fn line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

const fn place(side: Side) -> usize {
    match side {
        Side::Trunk => 0,
        Side::Pbx => 1,
    }
}

/// The protocol of an m-line that becomes of another form; `None` if it stays. The feedback of AVPF (RFC 4585) is not
/// offered to who may not know it.
fn profile(protocol: &str, to: Form) -> Option<String> {
    let names: &[&str] = match to {
        Form::Plain | Form::Opportunistic => &["RTP/AVP", "RTP/AVPF"],
        Form::Protected => &["RTP/SAVP", "RTP/SAVPF"],
        Form::Dtls => &["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"],
    };
    let stays = names.iter().any(|name| protocol.eq_ignore_ascii_case(name));
    names.first().filter(|_| !stays).map(|name| (*name).to_owned())
}
