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
        terms.fragment = terms.fragment.or_else(|| session.fragment.clone());
        terms
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::trim).filter(|value| !value.is_empty() && value.len() <= LONGEST);
        let Some(value) = value else { return };
        match name {
            "fingerprint" if self.fingerprints.len() < MOST_FINGERPRINTS => {
                self.fingerprints.push(value.to_owned());
            }
            "setup" => self.setup = self.setup.or_else(|| setup(value)),
            "ice-ufrag" => self.fragment = self.fragment.take().or_else(|| Some(value.to_owned())),
            "mid" => self.mid = self.mid.take().or_else(|| Some(value.to_owned())),
            _ => {}
        }
    }
}

fn setup(value: &str) -> Option<Setup> {
    [("active", Setup::Active), ("passive", Setup::Passive), ("actpass", Setup::ActPass)]
        .into_iter()
        .find(|(name, _)| value.eq_ignore_ascii_case(name))
        .map(|(_, setup)| setup)
}

/// Whether an attribute is about a leg's own protection or its way: not to be passed on where the leg ends here.
pub(super) fn is_of_the_leg(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [b"crypto", b"fingerprint", b"setup", b"tls-id", b"connection"];
    NAMES.iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Whether an attribute is one that a browser's m-line has beyond it: bundles and their identifiers, header extensions
/// and feedback that were agreed with nobody on the other leg.
pub(super) fn is_of_browsers(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 12] = [
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
