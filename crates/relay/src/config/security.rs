//! `[media.security]`: SRTP that ends here.

use serde::{Deserialize, Serialize};
use sidetone_call::{Side, Suite};

/// `[media.security]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MediaSecurity {
    /// What is spoken with carriers.
    #[serde(default)]
    pub trunk: SidePolicy,
    /// What is spoken with PBXs.
    #[serde(default)]
    pub pbx: SidePolicy,
    /// How carriers are offered SRTP.
    #[serde(default)]
    pub keying_trunk: Keying,
    /// How PBXs are offered SRTP.
    #[serde(default)]
    pub keying_pbx: Keying,
    /// The suites that are offered, the one preferred first. All that Sidetone speaks are taken.
    #[serde(default = "MediaSecurity::default_suites")]
    pub suites: Vec<Suite>,
}

/// What may be spoken with the parties on one side; docs/SECURE-MEDIA.md has the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SidePolicy {
    /// What the other side speaks.
    #[default]
    Pass,
    /// SRTP or RTP, whichever the party speaks; both end here.
    Terminate,
    /// SRTP that ends here, and nothing else.
    Require,
    /// RTP, and nothing else.
    Plain,
}

/// Where keys come from in what is offered. Either is taken where it is offered to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Keying {
    /// The signalling (RFC 4568).
    #[default]
    Sdes,
    /// A DTLS handshake, with ICE (RFC 5763): what browsers speak.
    Dtls,
}

impl Default for MediaSecurity {
    fn default() -> Self {
        Self {
            trunk: SidePolicy::Pass,
            pbx: SidePolicy::Pass,
            keying_trunk: Keying::Sdes,
            keying_pbx: Keying::Sdes,
            suites: Self::default_suites(),
        }
    }
}

impl MediaSecurity {
    /// Three lines: what everyone speaks, and what is better. More would make an INVITE too long for one datagram.
    fn default_suites() -> Vec<Suite> {
        vec![Suite::AeadAes256Gcm, Suite::AeadAes128Gcm, Suite::AesCm128Sha1_80]
    }

    /// The policy toward a side.
    #[must_use]
    pub const fn toward(&self, side: Side) -> SidePolicy {
        match side {
            Side::Trunk => self.trunk,
            Side::Pbx => self.pbx,
        }
    }

    /// Whether keys of calls are held here.
    #[must_use]
    pub fn ends_here(&self) -> bool {
        self.trunk != SidePolicy::Pass || self.pbx != SidePolicy::Pass
    }

    /// Values that can't be intended: each key within `[media]`, and the remedy.
    pub(super) fn faults(&self) -> Option<(&'static str, &'static str)> {
        let twice = self
            .suites
            .iter()
            .enumerate()
            .any(|(i, suite)| self.suites.iter().skip(i + 1).any(|s| s == suite));
        let wrong = self.suites.is_empty() || twice;
        wrong.then_some((
            "security.suites",
            "must name one suite or more, each once; leave the key out for the default",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_named_once_each() {
        let read = |text: &str| toml::from_str::<MediaSecurity>(text).unwrap();
        assert_eq!(read(""), MediaSecurity::default());
        assert!(read("").faults().is_none() && !read("").ends_here());
        assert!(read("suites = []").faults().is_some());
        let one = "suites = [\"AEAD_AES_128_GCM\"]\ntrunk = \"require\"";
        assert!(read(one).faults().is_none() && read(one).ends_here());
        assert!(read("suites = [\"AEAD_AES_128_GCM\", \"AEAD_AES_128_GCM\"]").faults().is_some());
        assert!(toml::from_str::<MediaSecurity>("trunk = \"srtp\"").is_err());
    }
}
