//! One side of an m-line: what it has offered and been offered, and our keys and credentials toward it.

use std::sync::Arc;

use data_encoding::BASE64_NOPAD;
use serde::{Deserialize, Serialize};
use sidetone_call::{DtlsPlan, IcePlan, Keying, SpeltOut, Suite};
use zeroize::Zeroizing;

use crate::sdp::crypto::Crypto;
use crate::sdp::dtls::{Dtls, Setup};

/// A key that nobody has.
fn fresh(suite: Suite, random: fn(&mut [u8])) -> Option<Keying> {
    let mut secret = Zeroizing::new(vec![0; suite.key_length() + suite.salt_length()]);
    random(&mut secret);
    Keying::new(suite, &secret)
}

/// How an m-line stands toward one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    /// RTP.
    Plain,
    /// SRTP if the answerer takes it up, else RTP: a=crypto beside RTP/AVP (RFC 8643).
    Opportunistic,
    /// SRTP with keys in the signalling: RTP/SAVP.
    Protected,
    /// SRTP with keys of a handshake: UDP/TLS/RTP/SAVPF.
    Dtls,
}

impl Form {
    /// Whether the m-line doesn't fall back on RTP.
    pub(super) const fn is_protected(self) -> bool {
        matches!(self, Self::Protected | Self::Dtls)
    }
}

/// What a party has offered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) form: Form,
    pub(super) protocol: String,
    /// The a=crypto line that we take.
    pub(super) chosen: Option<Crypto>,
    /// Its terms of a handshake.
    #[serde(skip)]
    pub(super) dtls: Option<Box<Dtls>>,
    /// It shares RTP's port with RTCP.
    pub(super) mux: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct Face {
    /// What it was offered last.
    pub(super) offered: Option<Form>,
    /// What it has offered last.
    pub(super) offer: Option<Offer>,
    /// A form that it has agreed to speak: what it is offered later on is of that form.
    pub(super) speaks: Option<Form>,
    /// Our keys by those of the party that they go with; the newest last.
    paired: Vec<(Keying, Keying)>,
    /// Those of our offers, one a suite.
    offering_keys: Vec<Keying>,
    /// Our ICE credentials by the party's fragment; the newest last.
    bound: Vec<(String, Credentials)>,
    /// Those of our offers, before a fragment was known.
    offering: Option<Credentials>,
    /// Who begins the handshake with the party that has these fingerprints.
    role: Option<(Vec<String>, bool)>,
}

/// A face as it is written down, keys included: to be sealed. What belongs to handshakes is not among it.
#[derive(Serialize, Deserialize)]
struct Written {
    offered: Option<Form>,
    offer: Option<Offer>,
    speaks: Option<Form>,
    paired: Vec<(SpeltOut, SpeltOut)>,
    offering_keys: Vec<SpeltOut>,
}

impl From<Face> for Written {
    fn from(face: Face) -> Self {
        let paired = face.paired.into_iter().map(|(theirs, ours)| (SpeltOut(theirs), SpeltOut(ours)));
        Self {
            offered: face.offered,
            offer: face.offer,
            speaks: face.speaks,
            paired: paired.collect(),
            offering_keys: face.offering_keys.into_iter().map(SpeltOut).collect(),
        }
    }
}

impl From<Written> for Face {
    fn from(written: Written) -> Self {
        let paired = written.paired.into_iter().map(|(theirs, ours)| (theirs.0, ours.0));
        Self {
            offered: written.offered,
            offer: written.offer,
            speaks: written.speaks,
            paired: paired.collect(),
            offering_keys: written.offering_keys.into_iter().map(|key| key.0).collect(),
            ..Self::default()
        }
    }
}

/// Our ICE credentials (RFC 8839 §5.4).
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) fragment: String,
    pub(super) password: Arc<Zeroizing<String>>,
}

impl Credentials {
    fn new(random: fn(&mut [u8])) -> Self {
        let text = |bytes: usize| {
            let mut secret = Zeroizing::new(vec![0; bytes]);
            random(&mut secret);
            Zeroizing::new(BASE64_NOPAD.encode(&secret))
        };
        // 6 and 18 bytes are 8 and 24 characters; at least 4 and 22 are asked for.
        Self { fragment: text(6).to_string(), password: Arc::new(text(18)) }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("fragment", &self.fragment).finish_non_exhaustive()
    }
}

/// Fragments of a party that are kept: those in use, of a restart under way, and of forks.
const MOST_CREDENTIALS: usize = 16;

impl Face {
    pub(super) fn holds_keys(&self) -> bool {
        let offered = self.offer.as_ref().is_some_and(|offer| offer.chosen.is_some());
        offered
            || !(self.paired.is_empty() && self.offering_keys.is_empty() && self.bound.is_empty())
            || self.offering.is_some()
            || self.role.is_some()
    }

    pub(super) fn shakes_hands(&self) -> bool {
        let offered = self.offer.as_ref().is_some_and(|offer| offer.dtls.is_some());
        offered || !self.bound.is_empty() || self.offering.is_some() || self.role.is_some()
    }

    /// Our key of a suite in an offer: the one in use, so that a re-INVITE begins no counter anew.
    pub(super) fn key_to_offer(&mut self, suite: Suite, random: fn(&mut [u8])) -> Option<Keying> {
        let used = self.paired.iter().rev().map(|(_, own)| own).find(|own| own.suite() == suite).cloned();
        let offering = || self.offering_keys.iter().find(|own| own.suite() == suite).cloned();
        let own = used.or_else(offering).or_else(|| fresh(suite, random))?;
        self.offering_keys.retain(|known| known.suite() != suite);
        self.offering_keys.push(own.clone());
        Some(own)
    }

    /// Our key in the answer to an offer with that key. One that was not seen before may be of another endpoint (a
    /// transfer by re-INVITE), which can't know how often our counters have rolled over (RFC 3711 §3.3.1): it gets a
    /// key of ours that is new too.
    pub(super) fn key_to_answer(&mut self, theirs: &Keying, random: fn(&mut [u8])) -> Option<Keying> {
        if let Some(own) = self.known_key(theirs) {
            return Some(own.clone());
        }
        let own = fresh(theirs.suite(), random)?;
        self.pair(theirs, own.clone());
        Some(own)
    }

    /// The party has answered our offer with that key.
    pub(super) fn answered_with(&mut self, theirs: &Keying) {
        let own = self.offering_keys.iter().find(|own| own.suite() == theirs.suite()).cloned();
        if let Some(own) = own.filter(|_| self.known_key(theirs).is_none()) {
            self.pair(theirs, own);
        }
    }

    /// Whether a key is one of ours that the party has been shown. As the party's it would be the same key for both
    /// directions, and our own packets, sent back by anybody, would open.
    pub(super) fn is_ours(&self, keying: &Keying) -> bool {
        self.paired.iter().map(|(_, own)| own).chain(&self.offering_keys).any(|own| own == keying)
    }

    /// Our key beside that one of the party's.
    pub(super) fn known_key(&self, theirs: &Keying) -> Option<&Keying> {
        self.paired.iter().find(|(known, _)| known == theirs).map(|(_, own)| own)
    }

    fn pair(&mut self, theirs: &Keying, own: Keying) {
        if self.paired.len() >= MOST_CREDENTIALS {
            self.paired.remove(0);
        }
        self.paired.push((theirs.clone(), own));
    }

    /// The party that was offered this is forgotten: another one is asked.
    pub(super) fn forget(&mut self) {
        (self.offered, self.speaks) = (None, None);
    }

    /// Our credentials in an offer: those in use, so that it restarts nothing.
    pub(super) fn credentials_to_offer(&mut self, random: fn(&mut [u8])) -> Credentials {
        let used = self.bound.last().map(|(_, own)| own.clone());
        let own = used.or_else(|| self.offering.clone()).unwrap_or_else(|| Credentials::new(random));
        self.offering = Some(own.clone());
        own
    }

    /// Our credentials in the answer to an offer with that fragment. One that was not seen before begins a restart (RFC
    /// 8445 §9), which new ones answer.
    pub(super) fn credentials_to_answer(&mut self, theirs: &str, random: fn(&mut [u8])) -> Credentials {
        if let Some((_, own)) = self.bound.iter().find(|(fragment, _)| fragment == theirs) {
            return own.clone();
        }
        let own = Credentials::new(random);
        self.bind(theirs, own.clone());
        own
    }

    /// The party has answered our offer with that fragment. If the offer forked, several do.
    pub(super) fn answered_by(&mut self, theirs: &str) {
        if let Some(own) = self.offering.clone()
            && !self.bound.iter().any(|(fragment, _)| fragment == theirs)
        {
            self.bind(theirs, own);
        }
    }

    fn bind(&mut self, theirs: &str, own: Credentials) {
        if self.bound.len() >= MOST_CREDENTIALS {
            self.bound.remove(0);
        }
        self.bound.push((theirs.to_owned(), own));
    }

    /// Whether we begin the handshake. Who has begun it with this party's certificate goes on being its client,
    /// whatever a later description leaves open (RFC 8842 §5.3). Left open, the party begins: as a lite agent we don't
    /// know its address before it has shown itself.
    pub(super) fn begins(&mut self, dtls: &Dtls) -> bool {
        let known =
            self.role.as_ref().filter(|(prints, _)| *prints == dtls.fingerprints).map(|(_, begins)| *begins);
        let begins = match (dtls.setup, known) {
            (Some(Setup::Active), _) => false,
            (Some(Setup::Passive), _) => true,
            (Some(Setup::ActPass) | None, Some(known)) => known,
            (Some(Setup::ActPass) | None, None) => false,
        };
        self.role = Some((dtls.fingerprints.clone(), begins));
        begins
    }

    /// The plan of a handshake with a party of that description.
    pub(super) fn handshake(&self, dtls: &Dtls) -> Option<DtlsPlan> {
        let (prints, begins) = self.role.as_ref()?;
        let active = match dtls.setup {
            Some(Setup::Active) => false,
            Some(Setup::Passive) => true,
            _ => *begins && *prints == dtls.fingerprints,
        };
        let ice = match &dtls.fragment {
            None => None,
            Some(theirs) => {
                let (_, ours) = self.bound.iter().find(|(fragment, _)| fragment == theirs)?;
                Some(IcePlan {
                    our_fragment: ours.fragment.clone(),
                    our_password: Arc::clone(&ours.password),
                    their_fragment: theirs.clone(),
                })
            }
        };
        Some(DtlsPlan { active, fingerprints: dtls.fingerprints.clone(), ice })
    }
}
