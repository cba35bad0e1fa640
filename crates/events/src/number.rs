//! Telephone numbers, hashed before any other use.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;

use crate::hex;
use crate::secret::{Secret, SecretError};

/// Bytes kept of the hash: 96 bits, at which a billion numbers collide with a chance of 1 in 10^11.
const KEPT: usize = 12;
/// The shortest salt: a shorter one could be guessed by trying salts on known hashes.
const LEAST_SALT: usize = 16;
/// User parts that stand for a withheld number (RFC 3261 §8.1.1.3, RFC 3323 §4.1.1.3, and carriers' practice).
const WITHHELD: [&str; 8] =
    ["anonymous", "unavailable", "restricted", "unknown", "private", "withheld", "invalid", "null"];

/// A telephone number as events show it: 24 hexadecimal digits that are the same for the same number and salt, and that
/// can't be led back to the number without the salt.
///
/// It is the first 96 bits of HMAC-SHA-256 over the normalised number, keyed by the operator's salt. As there are only
/// some 10^10 numbers, the salt protects them: its holder can try them all, so it is kept like a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashedNumber([u8; KEPT]);

impl fmt::Display for HashedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for HashedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashedNumber({self})")
    }
}

impl FromStr for HashedNumber {
    type Err = &'static str;

    /// Reads a hash back. No telephone number has 24 digits (E.164 allows 15), so none can pass for one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::decode(text).map(Self).ok_or("not a hashed number: 24 hexadecimal digits")
    }
}

impl Serialize for HashedNumber {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HashedNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Hashes numbers with one salt.
#[derive(Clone)]
pub struct NumberHasher {
    key: Hmac<Sha256>,
}

/// Why numbers can't be hashed.
#[derive(Debug, thiserror::Error)]
pub enum NumberHasherError {
    /// The configured salt can't be used.
    #[error("number_salt: {0}")]
    Salt(SecretError),
    /// The system gives no random numbers.
    #[error("no random salt can be had: {0}")]
    NoRandom(getrandom::Error),
}

impl NumberHasher {
    /// Hashes with the operator's salt, so that a number has the same hash after a restart and on every instance.
    ///
    /// # Errors
    /// When the salt can't be read or has less than 16 bytes.
    pub fn salted(salt: &Secret) -> Result<Self, NumberHasherError> {
        Ok(Self::keyed(salt.reveal(LEAST_SALT).map_err(NumberHasherError::Salt)?.bytes()))
    }

    /// Hashes with a secret salt that is lost with the process: calls of one number can be recognised until the
    /// restart, and never after.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn with_random_salt() -> Result<Self, NumberHasherError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(NumberHasherError::NoRandom)?;
        Ok(Self::keyed(&salt))
    }

    fn keyed(salt: &[u8]) -> Self {
        // HMAC takes keys of any length; only the type says that it might not.
        let key = Hmac::<Sha256>::new_from_slice(salt).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Self { key }
    }

    /// The hash of the number in `user`: the user part of a SIP or tel URI, or the URI. `None` for a number that is
    /// absent or withheld.
    ///
    /// Before hashing: percent escapes are undone, a scheme, parameters and host are cut off, separators (`-`, `.`,
    /// space, brackets, `/`) and the sign or prefix of the international format (`+`, `00`) are dropped. So
    /// `+49 (30) 1234-567`, `0049301234567` and `tel:+49-30-1234567;ext=2` are one number. The national format of the
    /// same number is another: the country that it is dialled in is unknown. A user part that isn't a number (`alice`)
    /// is hashed in lower case and never equals a number's hash.
    #[must_use]
    pub fn hash(&self, user: &str) -> Option<HashedNumber> {
        let (domain, text) = match normalise(user) {
            Party::Withheld => return None,
            Party::Number(digits) => ("sidetone.number.v1", digits),
            Party::Alias(alias) => ("sidetone.alias.v1", alias),
        };
        Some(HashedNumber(self.digest(domain, text.as_bytes())))
    }

    /// A replacement for a word that holds a telephone number, such as a tag, where no number may be shown: the same
    /// for the same word and salt.
    #[must_use]
    pub fn mask(&self, word: &str) -> String {
        format!("x{}", hex::encode(&self.digest("sidetone.word.v1", word.as_bytes())))
    }

    /// A short digest of `text` within `domain`.
    pub(crate) fn digest(&self, domain: &str, text: &[u8]) -> [u8; KEPT] {
        let mut mac = self.key.clone();
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(text);
        let mut kept = [0; KEPT];
        kept.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(kept, byte)| *kept = byte);
        kept
    }
}

impl fmt::Debug for NumberHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberHasher(…)")
    }
}

/// The party that a user part stands for.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Party {
    Withheld,
    Number(String),
    Alias(String),
}

pub(crate) fn normalise(user: &str) -> Party {
    let user = unescape(user);
    let user = user.trim();
    let user = ["sip:", "sips:", "tel:"]
        .iter()
        .find(|scheme| user.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map_or(user, |scheme| user.get(scheme.len()..).unwrap_or_default());
    let user = user.split(['@', ';', '?']).next().unwrap_or_default().trim();
    let alias = user.to_lowercase();
    if alias.is_empty() || WITHHELD.contains(&alias.as_str()) {
        return Party::Withheld;
    }
    let mut digits: String =
        user.chars().filter(|c| !matches!(c, '-' | '.' | ' ' | '\u{a0}' | '(' | ')' | '/')).collect();
    if let Some(international) = digits.strip_prefix('+') {
        digits = international.to_owned();
    } else if digits.len() >= 9
        && let Some(international) = digits.strip_prefix("00")
    {
        digits = international.to_owned();
    }
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Party::Alias(alias);
    }
    Party::Number(digits)
}

/// Undoes percent escapes (RFC 3986 §2.1); other text stays.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, beyond @ ..]) => {
                let value = |digit: &u8| char::from(*digit).to_digit(16);
                value(high).zip(value(low)).map(|(high, low)| ((high * 16 + low) as u8, beyond))
            }
            _ => None,
        };
        let (byte, beyond) = escaped.unwrap_or((first, after));
        bytes.push(byte);
        rest = beyond;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> NumberHasher {
        NumberHasher::salted(&Secret::new("sixteen bytes and more")).unwrap()
    }

    #[test]
    fn one_number_has_one_hash() {
        let hasher = hasher();
        let one = hasher.hash("+49301234567").unwrap();
        for same in [
            "+49 (30) 1234-567",
            "0049301234567",
            "49301234567",
            "%2B49301234567",
            "tel:+49-30-1234567;ext=2",
            "sip:+49301234567@carrier.example;user=phone",
            "SIP:%2B49301234567@carrier.example",
            " +49.30.1234567 ",
        ] {
            assert_eq!(hasher.hash(same), Some(one), "{same}");
        }
        for other in ["0301234567", "+493012345670", "+4930123456", "alice", "49301234567a"] {
            assert_ne!(hasher.hash(other), Some(one), "{other}");
        }
    }

    #[test]
    fn short_numbers_keep_their_zeros() {
        assert_eq!(normalise("0012"), Party::Number("0012".into()));
        assert_eq!(normalise("1001"), Party::Number("1001".into()));
        assert_eq!(normalise("*98"), Party::Alias("*98".into()));
    }

    #[test]
    fn a_withheld_number_has_no_hash() {
        for withheld in ["", "  ", "anonymous", "Anonymous", "sip:anonymous@anonymous.invalid", "tel:"] {
            assert_eq!(hasher().hash(withheld), None, "{withheld}");
        }
    }

    #[test]
    fn another_salt_gives_another_hash() {
        let other = NumberHasher::salted(&Secret::new("sixteen other bytes")).unwrap();
        assert_ne!(hasher().hash("+49301234567"), other.hash("+49301234567"));
        let (a, b) = (NumberHasher::with_random_salt().unwrap(), NumberHasher::with_random_salt().unwrap());
        assert_ne!(a.hash("+49301234567"), b.hash("+49301234567"));
    }

    #[test]
    fn an_alias_never_equals_a_number() {
        assert_ne!(
            hasher().digest("sidetone.number.v1", b"1001"),
            hasher().digest("sidetone.alias.v1", b"1001")
        );
    }

    #[test]
    fn a_short_salt_is_refused_and_never_shown() {
        let refused = NumberHasher::salted(&Secret::new("fifteen bytes!!")).unwrap_err();
        assert_eq!(refused.to_string(), "number_salt: a secret holds at least 16 bytes");
        let salt = Secret::new("sixteen bytes and more");
        assert!(!format!("{salt:?} {:?}", hasher()).contains("sixteen"));
        assert_eq!(serde_json::to_string(&salt).unwrap(), "\"(secret)\"");
    }

    #[test]
    fn a_hash_reads_back_and_a_number_does_not() {
        let hash = hasher().hash("+49301234567").unwrap();
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("+49301234567".parse::<HashedNumber>().is_err());
        assert!("49301234567".parse::<HashedNumber>().is_err());
    }
}
