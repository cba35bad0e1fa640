//! The protection of a leg's media by us (SRTP): suites, keys, and what an operator may be shown of them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An SRTP crypto suite, by its name in SDP (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Suite {
    /// AES-128 in counter mode, SHA-1 tags of 80 bits: what everyone speaks.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    AesCm128Sha1_80,
    /// The same with tags of 32 bits on RTP.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    AesCm128Sha1_32,
    /// AES-192 in counter mode, SHA-1 tags of 80 bits.
    #[serde(rename = "AES_192_CM_HMAC_SHA1_80")]
    AesCm192Sha1_80,
    /// The same with tags of 32 bits on RTP.
    #[serde(rename = "AES_192_CM_HMAC_SHA1_32")]
    AesCm192Sha1_32,
    /// AES-256 in counter mode, SHA-1 tags of 80 bits.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_80")]
    AesCm256Sha1_80,
    /// The same with tags of 32 bits on RTP.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_32")]
    AesCm256Sha1_32,
    /// AES-128 in Galois/counter mode.
    #[serde(rename = "AEAD_AES_128_GCM")]
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode.
    #[serde(rename = "AEAD_AES_256_GCM")]
    AeadAes256Gcm,
}

impl Suite {
    /// All suites: the strongest first, of equals the one that costs the least.
    pub const ALL: [Self; 8] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm256Sha1_80,
        Self::AesCm192Sha1_80,
        Self::AesCm128Sha1_80,
        Self::AesCm256Sha1_32,
        Self::AesCm192Sha1_32,
        Self::AesCm128Sha1_32,
    ];

    /// The suite's name in SDP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AesCm128Sha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128Sha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm192Sha1_80 => "AES_192_CM_HMAC_SHA1_80",
            Self::AesCm192Sha1_32 => "AES_192_CM_HMAC_SHA1_32",
            Self::AesCm256Sha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256Sha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of that name. RFC 4568 writes names in capitals; small letters are taken too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.as_str().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::AesCm128Sha1_80 | Self::AesCm128Sha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm192Sha1_80 | Self::AesCm192Sha1_32 => 24,
            Self::AesCm256Sha1_80 | Self::AesCm256Sha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub const fn salt_length(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            _ => 14,
        }
    }

    /// Bytes of an RTP packet's authentication tag.
    #[must_use]
    pub const fn tag_length(self) -> usize {
        match self {
            Self::AesCm128Sha1_32 | Self::AesCm192Sha1_32 | Self::AesCm256Sha1_32 => 4,
            Self::AesCm128Sha1_80 | Self::AesCm192Sha1_80 | Self::AesCm256Sha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A suite with its master key and salt for one direction. The secret is wiped when the last copy is dropped, and no
/// format of it shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Keying {
    suite: Suite,
    /// Master key, then master salt.
    secret: Arc<Zeroizing<Vec<u8>>>,
    /// The master key identifier that stands in each packet before the tag; empty if none does.
    mki: Arc<[u8]>,
}

impl Keying {
    /// Longest master key identifier that is taken, in bytes. RFC 4568 §6.1 allows 128; nobody uses more than four.
    pub const MOST_MKI: usize = 16;

    /// A key with its salt behind it; `None` if they have not the suite's length.
    #[must_use]
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let right = key_and_salt.len() == suite.key_length() + suite.salt_length();
        right.then(|| Self {
            suite,
            secret: Arc::new(Zeroizing::new(key_and_salt.to_vec())),
            mki: Arc::from([]),
        })
    }

    /// The same with a master key identifier; `None` if that is too long.
    #[must_use]
    pub fn with_mki(self, mki: &[u8]) -> Option<Self> {
        (mki.len() <= Self::MOST_MKI).then(|| Self { mki: Arc::from(mki), ..self })
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The master key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.secret.get(..self.suite.key_length()).unwrap_or_default()
    }

    /// The master salt.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        self.secret.get(self.suite.key_length()..).unwrap_or_default()
    }

    /// Master key and salt, as `inline:` states them.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        &self.secret
    }

    /// The master key identifier; empty if packets bear none.
    #[must_use]
    pub fn mki(&self) -> &[u8] {
        &self.mki
    }
}

/// Keys in text, where a type asks for it by name (`#[serde(with = "sidetone_call::spelt_out")]`): so that none is
/// written by accident. What is written so must be sealed before it leaves the process.
pub mod spelt_out {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use zeroize::Zeroizing;

    use super::{Keying, Suite};

    #[derive(Serialize)]
    struct Written<'a> {
        suite: &'a str,
        secret: &'a [u8],
        mki: &'a [u8],
    }

    #[derive(Deserialize)]
    struct Read {
        suite: String,
        secret: Vec<u8>,
        mki: Vec<u8>,
    }

    /// Writes a key.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(keying: &Keying, to: S) -> Result<S::Ok, S::Error> {
        let suite = keying.suite().as_str();
        Written { suite, secret: keying.key_and_salt(), mki: keying.mki() }.serialize(to)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// What stands there is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Keying, D::Error> {
        let Read { suite, secret, mki } = Read::deserialize(from)?;
        let secret = Zeroizing::new(secret);
        let keying = Suite::named(&suite).and_then(|suite| Keying::new(suite, &secret)?.with_mki(&mki));
        keying.ok_or_else(|| de::Error::custom("no key"))
    }
}

/// A key that is written down in text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpeltOut(#[serde(with = "spelt_out")] pub Keying);

impl fmt::Debug for Keying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keying").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The keys of a leg that we protect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// What the party protects its packets with.
    pub theirs: Keying,
    /// What it has offered to protect them with from now on. Some change at once, some when they are answered.
    pub coming: Option<Keying>,
    /// What we protect packets to the party with.
    pub ours: Keying,
}

/// What the relay does with the packets of a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Nothing: they are plain, or protected from party to party.
    #[default]
    None,
    /// SRTP is to end here, and its keys are not known yet: the party's packets can't be read.
    Awaited,
    /// SRTP ends here, with keys from the signalling (RFC 4568).
    Sdes(SrtpKeys),
    /// SRTP ends here, with keys of a handshake on the media's own path (RFC 5763).
    Dtls(Box<DtlsPlan>),
}

/// What the two descriptions of a leg say of its DTLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsPlan {
    /// We send the ClientHello: we are `active`, the party is `passive` (RFC 4145 §4).
    pub active: bool,
    /// The values of the party's `a=fingerprint` lines.
    pub fingerprints: Vec<String>,
    /// Its checks are answered, and it is found by them; none if it does no ICE.
    pub ice: Option<IcePlan>,
}

/// The credentials of both ends of a leg (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IcePlan {
    /// Ours: `a=ice-ufrag`.
    pub our_fragment: String,
    /// Ours: `a=ice-pwd`.
    pub our_password: Arc<Zeroizing<String>>,
    /// The party's `a=ice-ufrag`.
    pub their_fragment: String,
}

impl fmt::Debug for IcePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IcePlan").field("our_fragment", &self.our_fragment).finish_non_exhaustive()
    }
}

impl Protection {
    /// Whether SRTP ends here.
    #[must_use]
    pub const fn ends_here(&self) -> bool {
        !matches!(self, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sdp() {
        for suite in Suite::ALL {
            assert_eq!(Suite::named(suite.as_str()), Some(suite));
            assert_eq!(serde_json::to_value(suite).unwrap(), suite.as_str());
        }
        assert_eq!(Suite::named("aes_cm_128_hmac_sha1_80"), Some(Suite::AesCm128Sha1_80));
        assert_eq!(Suite::named("F8_128_HMAC_SHA1_80"), None);
    }

    #[test]
    fn a_key_has_its_suites_length_and_is_never_shown() {
        let keying = Keying::new(Suite::AesCm128Sha1_80, &[0xab; 30]).unwrap();
        assert_eq!((keying.key().len(), keying.salt().len()), (16, 14));
        let shown = format!("{keying:?}").to_lowercase();
        assert!(!shown.contains("ab, ") && !shown.contains("171"), "{shown}");
        assert_eq!(Keying::new(Suite::AesCm128Sha1_80, &[0; 29]), None);
        assert_eq!(Keying::new(Suite::AeadAes128Gcm, &[0; 30]), None);
        assert_eq!(keying.with_mki(&[0; 17]), None);
    }
}
