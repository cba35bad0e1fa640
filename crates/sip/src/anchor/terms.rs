//! The terms of a call's media where its protection ends here: what each side has offered and been offered, m-line by
//! m-line, and our keys.
//!
//! Each side sees an offer/answer exchange of its own. An offer that passes is dressed as the policy toward the side that
//! it goes to has it; its answer is dressed as an answer to what the offerer had offered. Our keys are made once for each
//! side, m-line and suite, and kept for the call's life: a retransmission comes out as it did before, an offer that forks
//! has one key of ours, and roll-over counters need not begin anew at a re-INVITE.

use sidetone_call::{Keying, Protection, Security as Spoken, Side, SrtpKeys, Suite};
use zeroize::Zeroizing;

use super::security::{Policy, Security};
use crate::sdp::crypto::Crypto;
use crate::sdp::{Carriage, Dress, Stream};

/// Whether a description offers or answers (RFC 3264).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Offer,
    Answer,
}

/// How an m-line stands toward one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// RTP.
    Plain,
    /// SRTP if the answerer takes it up, else RTP: a=crypto beside RTP/AVP (RFC 8643).
    Opportunistic,
    /// SRTP: RTP/SAVP.
    Protected,
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
#[derive(Debug, Default)]
pub(super) struct Terms {
    streams: Vec<[Face; 2]>,
}

/// One side of an m-line.
#[derive(Debug, Default)]
struct Face {
    /// What it was offered last.
    offered: Option<Form>,
    /// What it has offered last.
    offer: Option<Offer>,
    /// A form that it has shown it speaks: what it is offered later on is of that form.
    speaks: Option<Form>,
    /// Our keys, one a suite.
    ours: Vec<Keying>,
}

/// What a party has offered.
#[derive(Debug)]
struct Offer {
    form: Form,
    protocol: String,
    /// The line that we take.
    chosen: Option<Crypto>,
}

impl Face {
    fn ours(&mut self, suite: Suite, random: fn(&mut [u8])) -> Option<Keying> {
        if let Some(keying) = self.ours.iter().find(|keying| keying.suite() == suite) {
            return Some(keying.clone());
        }
        let mut secret = Zeroizing::new(vec![0; suite.key_length() + suite.salt_length()]);
        random(&mut secret);
        let keying = Keying::new(suite, &secret)?;
        self.ours.push(keying.clone());
        Some(keying)
    }
}

impl Terms {
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
        from: Side,
        streams: &[Stream],
    ) -> Vec<Dressed> {
        let mut dressed: Vec<_> = streams
            .iter()
            .enumerate()
            .map(|(i, stream)| match said {
                _ if stream.carriage != Carriage::Rtp => Ok(None),
                Said::Offer => self.offer(security, from, i, stream).map(Some),
                Said::Answer => self.answer(security, from, i, stream),
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
                        Said::Answer => self.face(i, from.other()).and_then(|face| face.offer.as_ref()),
                    };
                    let protocol = protocol.map(|offer| offer.protocol.clone());
                    Dressed { dress: Some(Dress { protocol, lines: Vec::new() }), insecure: true }
                }
            });
        }
        ready
    }

    fn offer(
        &mut self,
        security: &Security,
        from: Side,
        i: usize,
        stream: &Stream,
    ) -> Result<Dress, Insecure> {
        let chosen = stream.crypto.first().cloned();
        let form = match stream.security {
            // DTLS can't be ended yet.
            Spoken::Dtls => return Err(Insecure),
            Spoken::Sdes if stream.is_protected_only() => Form::Protected,
            Spoken::Sdes if chosen.is_some() => Form::Opportunistic,
            Spoken::Sdes | Spoken::None => Form::Plain,
        };
        let acceptable = stream.rejected
            || match (security.toward(from), form) {
                (Policy::Plain, Form::Protected) | (Policy::Require, Form::Plain) => false,
                (_, Form::Protected) => chosen.is_some(),
                _ => true,
            };
        if !acceptable {
            return Err(Insecure);
        }
        // A side that is to speak RTP alone is not taken up on what it offers beside it.
        let (form, chosen) =
            if security.toward(from) == Policy::Plain { (Form::Plain, None) } else { (form, chosen) };
        let toward = from.other();
        if let Some(face) = self.face(i, from) {
            face.offer = Some(Offer { form, protocol: stream.protocol.clone(), chosen });
            face.speaks = Some(form);
        }
        let policy = security.toward(toward);
        let face = self.face(i, toward).ok_or(Insecure)?;
        let to = match policy {
            Policy::Plain => Form::Plain,
            Policy::Require => Form::Protected,
            Policy::Terminate => face.speaks.unwrap_or(Form::Opportunistic),
            Policy::Pass => form,
        };
        face.offered = Some(to);
        let mut lines = Vec::new();
        if to != Form::Plain && !stream.rejected {
            for (tag, suite) in (1..).zip(&security.suites) {
                let keying = face.ours(*suite, security.random).ok_or(Insecure)?;
                lines.push(Crypto { tag, keying }.line());
            }
        }
        Ok(Dress { protocol: profile(&stream.protocol, to), lines })
    }

    fn answer(
        &mut self,
        security: &Security,
        from: Side,
        i: usize,
        stream: &Stream,
    ) -> Result<Option<Dress>, Insecure> {
        let policy = security.toward(from);
        let face = self.face(i, from).ok_or(Insecure)?;
        let offered = face.offered.unwrap_or(Form::Plain);
        // The answer names one of our lines; another suite under its tag is none that we offered.
        let ours = |crypto: &&Crypto| {
            let at = usize::try_from(crypto.tag).ok().and_then(|tag| tag.checked_sub(1));
            at.and_then(|at| security.suites.get(at)) == Some(&crypto.keying.suite())
        };
        let taken = stream.crypto.first().filter(ours).filter(|_| offered != Form::Plain).is_some();
        let protected = offered == Form::Protected || policy == Policy::Require;
        // An answer with a line that we can't follow would be noise.
        let strange = !taken && (protected || !stream.crypto.is_empty() || stream.security == Spoken::Dtls);
        if !stream.rejected && strange {
            return Err(Insecure);
        }
        if !stream.rejected && offered != Form::Plain {
            face.speaks = Some(if taken { offered } else { Form::Plain });
        }
        let toward = from.other();
        let random = security.random;
        let face = self.face(i, toward).ok_or(Insecure)?;
        let Some(offer) = &face.offer else { return Ok(None) };
        let protocol = offer.protocol.clone();
        let chosen = offer.chosen.as_ref().filter(|_| !stream.rejected);
        let chosen = chosen.map(|chosen| (chosen.tag, chosen.keying.suite()));
        let mut lines = Vec::new();
        if let Some((tag, suite)) = chosen {
            let keying = face.ours(suite, random).ok_or(Insecure)?;
            lines.push(Crypto { tag, keying }.line());
        }
        Ok(Some(Dress { protocol: Some(protocol), lines }))
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
            let worse = if policy == Policy::Plain { Form::Protected } else { Form::Plain };
            let better = if policy == Policy::Plain { Form::Plain } else { Form::Protected };
            if taken(i, worse) && (0..streams.len()).any(|at| at != i && taken(at, better)) {
                if let Some(place) = dressed.get_mut(i) {
                    *place = Err(Insecure);
                }
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
        let Some(face) = face.filter(|_| policy != Policy::Plain) else { return Protection::None };
        let Some(stream) = stream else {
            let awaited = face.offered.is_some_and(|form| form != Form::Plain);
            return if awaited { Protection::Awaited } else { Protection::None };
        };
        let Some(line) = stream.crypto.first() else {
            let needed = stream.security != Spoken::None && stream.is_protected_only();
            return if needed { Protection::Awaited } else { Protection::None };
        };
        let ours = face.ours.iter().find(|keying| keying.suite() == line.keying.suite());
        let theirs = line.keying.clone();
        let coming = offered.and_then(|offered| offered.crypto.first()).map(|line| line.keying.clone());
        let coming = coming.filter(|coming| *coming != theirs);
        // Before our answer has passed there is no key of ours yet, and the party has none to expect.
        ours.map_or(Protection::Awaited, |ours| {
            Protection::Sdes(SrtpKeys { theirs, coming, ours: ours.clone() })
        })
    }
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
    let (plain, with_feedback) = match to {
        Form::Plain | Form::Opportunistic => ("RTP/AVP", "RTP/AVPF"),
        Form::Protected => ("RTP/SAVP", "RTP/SAVPF"),
    };
    let stays = protocol.eq_ignore_ascii_case(plain) || protocol.eq_ignore_ascii_case(with_feedback);
    (!stays).then(|| plain.to_owned())
}
