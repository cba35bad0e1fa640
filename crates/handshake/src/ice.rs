//! The lite agent of ICE (RFC 8445): answers checks, and takes the pair that the peer nominates.
//!
//! Sidetone has one host candidate a medium, whose address every party can reach or is told to; so it needs no checks
//! of its own (RFC 8445 §2.5). The peer has to be a full agent, and is the controlling one: one that takes itself for
//! the controlled agent is answered 487 and changes its mind. The peer's candidates are of no use, and names among them
//! (`.local`) are not looked up.
//!
//! # Whose checks count
//!
//! A check counts if its USERNAME is ours with the peer's, and it is signed with our password. Everything else is
//! answered with 400 or 401, at most [`REFUSALS`] times a second and then not at all, and remembered by nobody. No
//! refusal is longer than the check that it answers by more than a few octets, and none allocates.
//!
//! # Nomination
//!
//! The address that last nominated itself is the peer's, as RFC 8445 has it. Peers of RFC 5245 nominate every pair that
//! works and mean the one of the highest priority: so a nomination of a lower priority than the present one's counts
//! only when that one has not been renewed for [`RENEWED`].
//!
//! # Restart
//!
//! After [`IceLite::restart`] both old and new credentials count, until a pair is nominated under the new ones.
//!
//! # Consent
//!
//! The peer's checks are what shows that it still wants media (RFC 7675): a lite agent answers them and sends none.
//! When none has come for [`CONSENT`] from the nominated address, [`Fact::Lapsed`] says so, once.
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ring::hmac;
use zeroize::Zeroizing;

use crate::stun::{self, ANSWER, Message, Refusal, Request};

/// Refusals that are answered in a second.
pub const REFUSALS: u8 = 10;
/// See [nomination](self#nomination).
pub const RENEWED: Duration = Duration::from_secs(2);
/// See [consent](self#consent).
pub const CONSENT: Duration = Duration::from_secs(30);
/// Addresses of a peer that are known to be its own.
const VALID: usize = 8;

/// A user name fragment and a password (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    fragment: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// 48 and 144 bits of what `random` fills in, where 24 and 128 are asked for.
    pub fn generate(random: impl FnOnce(&mut [u8])) -> Self {
        const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut octets = Zeroizing::new([0; 32]);
        random(octets.as_mut_slice());
        let mut text =
            octets.iter().map(|octet| SIGNS.get(usize::from(octet % 64)).copied().map_or('+', char::from));
        Self { fragment: text.by_ref().take(8).collect(), password: Zeroizing::new(text.collect()) }
    }

    /// Those that a description of ours has stated.
    #[must_use]
    pub fn stated(fragment: &str, password: &str) -> Self {
        Self { fragment: fragment.to_owned(), password: Zeroizing::new(password.to_owned()) }
    }

    /// The value of `a=ice-ufrag`.
    #[must_use]
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// The value of `a=ice-pwd`. For the peer's SDP alone.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("fragment", &self.fragment).finish_non_exhaustive()
    }
}

/// What an agent has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The peer's address is this one from now on.
    Nominated(SocketAddr),
    /// The nominated address has not been heard from for [`CONSENT`].
    Lapsed(SocketAddr),
    /// It is heard from again.
    Resumed(SocketAddr),
}

/// What was done with a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// The length of the answer in the buffer, to be sent to where the datagram came from. None if there is no answer.
    pub answer: Option<usize>,
    /// What was learnt.
    pub fact: Option<Fact>,
}

/// Datagrams by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Checks that counted.
    pub checks: u64,
    /// Checks from somebody who does not know the credentials.
    pub strangers: u64,
    /// Strangers' checks that were not answered, because too many had been.
    pub unanswered: u64,
    /// Checks of the peer's that were refused: 420, 487.
    pub refused: u64,
    /// No requests: indications, answers.
    pub silent: u64,
    /// No STUN, too long, or damaged.
    pub malformed: u64,
}

/// Ours, and what is known of the peer's.
struct Generation {
    ours: String,
    key: hmac::Key,
    /// Its user name fragment, once its SDP has told it: a check may be here before.
    theirs: Option<String>,
}

impl Generation {
    fn new(ours: &Credentials, theirs: Option<&str>) -> Self {
        Self {
            ours: ours.fragment.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, ours.password.as_bytes()),
            theirs: theirs.map(str::to_owned),
        }
    }

    fn knows(&self, username: &[u8]) -> bool {
        let Some(theirs) =
            username.strip_prefix(self.ours.as_bytes()).and_then(|rest| rest.strip_prefix(b":"))
        else {
            return false;
        };
        self.theirs.as_ref().is_none_or(|known| known.as_bytes() == theirs)
    }
}

#[derive(Clone, Copy)]
struct Nominee {
    address: SocketAddr,
    priority: u32,
    /// When it was last nominated.
    renewed: Instant,
    /// When it was last heard from.
    heard: Instant,
    lapsed: bool,
}

/// The agent of one medium.
pub struct IceLite {
    current: Generation,
    before: Option<Generation>,
    valid: [Option<SocketAddr>; VALID],
    nominee: Option<Nominee>,
    /// Refusals answered since then.
    refusals: (u8, Option<Instant>),
    counts: Counts,
}

impl fmt::Debug for IceLite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceLite")
            .field("ours", &self.current.ours)
            .field("nominated", &self.nominated())
            .finish_non_exhaustive()
    }
}

impl IceLite {
    /// With our credentials, and the peer's user name fragment if its SDP is here.
    #[must_use]
    pub fn new(ours: &Credentials, theirs: Option<&str>) -> Self {
        Self {
            current: Generation::new(ours, theirs),
            before: None,
            valid: [None; VALID],
            nominee: None,
            refusals: (0, None),
            counts: Counts::default(),
        }
    }

    /// The peer's SDP is here.
    pub fn answered(&mut self, theirs: &str) {
        self.current.theirs = Some(theirs.to_owned());
    }

    /// Begins anew with other credentials of both (RFC 8445 §9). The nominated address stays until another is.
    pub fn restart(&mut self, ours: &Credentials, theirs: Option<&str>) {
        self.before = Some(std::mem::replace(&mut self.current, Generation::new(ours, theirs)));
    }

    /// The peer's address.
    #[must_use]
    pub fn nominated(&self) -> Option<SocketAddr> {
        self.nominee.map(|nominee| nominee.address)
    }

    /// Whether a check that counted has come from there: an address that may send DTLS and media.
    #[must_use]
    pub fn is_valid(&self, address: SocketAddr) -> bool {
        self.valid.contains(&Some(address))
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes a datagram that `classify` takes for STUN. The answer is written into `out`.
    pub fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut [u8; ANSWER],
    ) -> Checked {
        let request = match stun::read(datagram) {
            Some(Message::Request(request)) => request,
            Some(Message::Silent) => {
                self.counts.silent += 1;
                return Checked::default();
            }
            None => {
                self.counts.malformed += 1;
                return Checked::default();
            }
        };
        // In the order of RFC 8489 §9.1.3 and §6.3.1, then RFC 8445 §7.3.1.1.
        let (Some(username), true) = (request.username, request.is_signed()) else {
            return self.stranger(now, &request, Refusal::BadRequest, out);
        };
        let is_current = self.current.knows(username) && request.is_signed_with(&self.current.key);
        let old = self
            .before
            .as_ref()
            .filter(|old| !is_current && old.knows(username) && request.is_signed_with(&old.key));
        let key = match (is_current, old) {
            (true, _) => &self.current.key,
            (false, Some(old)) => &old.key,
            (false, None) => return self.stranger(now, &request, Refusal::Unauthenticated, out),
        };
        let refusal = if request.unknown().next().is_some() {
            Some(Refusal::UnknownAttribute)
        } else if request.controlled {
            Some(Refusal::RoleConflict)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let length = stun::refuse(&request, refusal, Some(key), out);
            self.counts.refused += 1;
            return Checked { answer: Some(length), fact: None };
        }
        let length = stun::accept(&request, from, key, out);
        self.counts.checks += 1;
        self.validate(from);
        Checked { answer: Some(length), fact: self.heard(now, from, &request, is_current) }
    }

    /// Somebody who knows no credentials: answered by the rule, and forgotten.
    fn stranger(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        refusal: Refusal,
        out: &mut [u8; ANSWER],
    ) -> Checked {
        self.counts.strangers += 1;
        let (answered, since) = &mut self.refusals;
        if since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1)) {
            (*answered, *since) = (0, Some(now));
        }
        if *answered >= REFUSALS {
            self.counts.unanswered += 1;
            return Checked::default();
        }
        *answered += 1;
        Checked { answer: Some(stun::refuse(request, refusal, None, out)), fact: None }
    }

    /// Remembers an address; the longest known one makes room, but never the nominated one.
    fn validate(&mut self, from: SocketAddr) {
        if self.is_valid(from) {
            return;
        }
        let nominated = self.nominated();
        self.valid.rotate_right(1);
        // What was last has come first: it is overwritten, or the one that is last now.
        let [newest, .., last] = &mut self.valid;
        if newest.is_some() && *newest == nominated {
            *last = nominated;
        }
        *newest = Some(from);
    }

    fn heard(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &Request<'_>,
        is_current: bool,
    ) -> Option<Fact> {
        let mut fact = None;
        if let Some(nominee) = self.nominee.as_mut().filter(|nominee| nominee.address == from) {
            nominee.heard = now;
            if std::mem::take(&mut nominee.lapsed) {
                fact = Some(Fact::Resumed(from));
            }
        }
        if !request.use_candidate {
            return fact;
        }
        if is_current && self.before.take().is_some() {
            // The first nomination after a restart counts, whatever was nominated before.
            if let Some(nominee) = self.nominee.as_mut().filter(|nominee| nominee.address != from) {
                nominee.priority = 0;
            }
        }
        let priority = request.priority;
        match self.nominee.as_mut() {
            Some(nominee) if nominee.address == from => {
                nominee.renewed = now;
                nominee.priority = priority;
                fact
            }
            Some(nominee)
                if priority < nominee.priority
                    && now.saturating_duration_since(nominee.renewed) < RENEWED =>
            {
                fact
            }
            _ => {
                self.nominee =
                    Some(Nominee { address: from, priority, renewed: now, heard: now, lapsed: false });
                Some(Fact::Nominated(from))
            }
        }
    }

    /// When [`IceLite::tick`] is to be called.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.nominee.filter(|nominee| !nominee.lapsed).map(|nominee| nominee.heard + CONSENT)
    }

    /// Whether the peer's consent has lapsed.
    pub fn tick(&mut self, now: Instant) -> Option<Fact> {
        let nominee = self.nominee.as_mut()?;
        if nominee.lapsed || now.saturating_duration_since(nominee.heard) < CONSENT {
            return None;
        }
        nominee.lapsed = true;
        Some(Fact::Lapsed(nominee.address))
    }
}

#[cfg(test)]
mod tests;
