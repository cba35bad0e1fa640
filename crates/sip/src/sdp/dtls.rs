//! What an m-line says of DTLS-SRTP (RFC 5763, RFC 8842) and of ICE (RFC 8839), as far as who ends both needs it.

use super::Media;

/// Most fingerprints of an m-line that are read.
const MOST_FINGERPRINTS: usize = 8;
/// Longest value that is kept, in bytes: RFC 8839 gives 256 to a fragment, and no fingerprint is longer.
const LONGEST: usize = 256;

/// Who begins the handshake, as the description's author has it (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Its author does.
    Active,
    /// The other party is to.
    Passive,
    /// Either may.
    ActPass,
}

/// The terms of an m-line's handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dtls {
    /// The values of its a=fingerprint lines, or of the session's if it has none.
    pub fingerprints: Vec<String>,
    /// Its a=setup, or the session's.
    pub setup: Option<Setup>,
    /// Its a=ice-ufrag, or the session's: its author does ICE.
    pub fragment: Option<String>,
    /// Its a=mid.
    pub mid: Option<String>,
    /// Whether its a=mid is in the session's first BUNDLE group (RFC 9143).
    pub bundled: bool,
    /// The identifiers of that group, of a session's terms.
    bundle: Vec<String>,
    /// The session's a=ice-lite: it waits to be checked. We do too, so that nobody would ever check: it is met where
    /// its description says it is, as one without ICE.
    lite: bool,
}

impl Dtls {
    /// The terms that hold for all m-lines of a session.
    pub(super) fn of_session<'a>(attributes: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut terms = Self::default();
        attributes.for_each(|(name, value)| terms.take(name, value));
        terms
    }

    /// An m-line's own terms, and for what it does not say, those of the session.
    pub(super) fn of(media: &Media<'_, '_>, session: &Self) -> Self {
        let mut terms = Self::default();
        media.attributes().for_each(|(name, value)| terms.take(name, value));
        if terms.fingerprints.is_empty() {
            terms.fingerprints.clone_from(&session.fingerprints);
        }
        terms.setup = terms.setup.or(session.setup);
        terms.fragment = terms.fragment.or_else(|| session.fragment.clone()).filter(|_| !session.lite);
        terms.bundle.clear();
        terms.bundled = terms.mid.as_ref().is_some_and(|mid| session.bundle.contains(mid));
        terms
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        // It has no value.
        self.lite |= name == "ice-lite";
        let value = value.map(str::trim).filter(|value| !value.is_empty() && value.len() <= LONGEST);
        let Some(value) = value else { return };
        match name {
            // One by an older hash function vouches for nothing (RFC 8122 §5): it counts as not there.
            "fingerprint" if self.fingerprints.len() < MOST_FINGERPRINTS && is_sound(value) => {
                self.fingerprints.push(value.to_owned());
            }
            "setup" => self.setup = self.setup.or_else(|| setup(value)),
            "ice-ufrag" => self.fragment = self.fragment.take().or_else(|| Some(value.to_owned())),
            "group" if self.bundle.is_empty() => {
                let mut words = value.split_ascii_whitespace();
                if words.next().is_some_and(|semantics| semantics == "BUNDLE") {
                    self.bundle = words.map(str::to_owned).collect();
                }
            }
            "mid" => self.mid = self.mid.take().or_else(|| Some(value.to_owned())),
            _ => {}
        }
    }
}

/// Whether a fingerprint is by a hash function that is trusted.
fn is_sound(value: &str) -> bool {
    let function = value.split_ascii_whitespace().next().unwrap_or_default();
    ["sha-256", "sha-384", "sha-512"].iter().any(|sound| function.eq_ignore_ascii_case(sound))
}

fn setup(value: &str) -> Option<Setup> {
    [("active", Setup::Active), ("passive", Setup::Passive), ("actpass", Setup::ActPass)]
        .into_iter()
        .find(|(name, _)| value.eq_ignore_ascii_case(name))
        .map(|(_, setup)| setup)
}

/// Whether an attribute is about a leg's own protection or its way: not to be passed on where the leg ends here. Keys
/// stand in MIKEY's (RFC 4567) too, a fingerprint in a=identity (RFC 8827), and either in capabilities (RFC 5939),
/// which would have the other party take up what was offered to us.
pub(super) fn is_of_the_leg(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 15] = [
        b"crypto",
        b"fingerprint",
        b"setup",
        b"tls-id",
        b"connection",
        b"key-mgmt",
        b"identity",
        b"acap",
        b"tcap",
        b"pcfg",
        b"acfg",
        b"candidate",
        b"remote-candidates",
        b"end-of-candidates",
        b"zrtp-hash",
    ];
    let of_ice = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"ice-"));
    of_ice || NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether an attribute is one that a browser's m-line has beyond it: bundles and their identifiers, header extensions
/// and feedback that were agreed with nobody on the other leg.
pub(super) fn is_of_browsers(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 13] = [
        b"rtcp",
        b"group",
        b"mid",
        b"msid",
        b"msid-semantic",
        b"ssrc",
        b"ssrc-group",
        b"extmap",
        b"extmap-allow-mixed",
        b"rtcp-fb",
        b"rtcp-rsize",
        b"rtcp-mux",
        b"bundle-only",
    ];
    NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
}
