//! a=crypto lines (RFC 4568): an SRTP suite with its master key, in the clear.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde::{Deserialize, Serialize};
use sidetone_call::{Keying, Suite};
use zeroize::Zeroizing;

/// Most a=crypto lines of an m-line that are read.
pub const MOST_LINES: usize = 16;

/// A line that we can work with.
///
/// Written down (by serde) it holds its key, and is to be sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypto {
    /// The line's number within its m-line; the answer names the line that it takes by it.
    pub tag: u32,
    /// Suite and key of the packets that the line's author sends.
    #[serde(with = "sidetone_call::spelt_out")]
    pub keying: Keying,
}

/// Why a line can't be taken. A line that isn't taken counts as not there (RFC 4568 §5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// Not of the grammar of RFC 4568 §9.
    #[error("malformed a=crypto")]
    Malformed,
    /// A suite that we don't speak.
    #[error("unknown suite")]
    Suite,
    /// Key and salt are not of the suite's length, or several keys take turns.
    #[error("unusable key")]
    Key,
    /// A session parameter that weakens the protection (`UNENCRYPTED_SRTP` and its like), or that we can't follow.
    #[error("unusable session parameter")]
    Parameter,
}

impl Crypto {
    /// Reads the value of an a=crypto attribute: `1 AES_CM_128_HMAC_SHA1_80 inline:…|2^31|1:4 WSH=128`.
    ///
    /// # Errors
    /// When the line can't be taken.
    pub fn read(value: &str) -> Result<Self, CryptoError> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9).ok_or(CryptoError::Malformed)?;
        let tag = tag.parse().map_err(|_| CryptoError::Malformed)?;
        let suite = Suite::named(words.next().ok_or(CryptoError::Malformed)?).ok_or(CryptoError::Suite)?;
        let keying = keying(suite, words.next().ok_or(CryptoError::Malformed)?)?;
        if words.all(is_harmless) { Ok(Self { tag, keying }) } else { Err(CryptoError::Parameter) }
    }

    /// The line that states it, without line end.
    #[must_use]
    pub fn line(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(BASE64.encode(self.keying.key_and_salt()));
        Zeroizing::new(format!("a=crypto:{} {} inline:{}", self.tag, self.keying.suite(), *key))
    }
}

/// `inline:<key and salt>["|" lifetime]["|" MKI ":" length]`. The lifetime is not looked at: no call sends 2^48
/// packets, and who asks for less re-keys by itself.
fn keying(suite: Suite, text: &str) -> Result<Keying, CryptoError> {
    let (method, info) = text.split_once(':').ok_or(CryptoError::Malformed)?;
    if !method.eq_ignore_ascii_case("inline") {
        return Err(CryptoError::Key);
    }
    if info.contains(';') {
        return Err(CryptoError::Key);
    }
    let mut parts = info.split('|');
    let key = parts.next().unwrap_or_default();
    // Some leave the padding out.
    let unpadded = key.trim_end_matches('=').as_bytes();
    let secret = Zeroizing::new(BASE64_NOPAD.decode(unpadded).map_err(|_| CryptoError::Key)?);
    let mut keying = Keying::new(suite, &secret).ok_or(CryptoError::Key)?;
    for part in parts {
        if let Some((value, length)) = part.split_once(':') {
            keying = keying.with_mki(&mki(value, length)?).ok_or(CryptoError::Key)?;
        }
    }
    Ok(keying)
}

/// A master key identifier: a decimal number, in so many bytes.
fn mki(value: &str, length: &str) -> Result<Vec<u8>, CryptoError> {
    let value: u128 = value.parse().map_err(|_| CryptoError::Malformed)?;
    let length: usize = length.parse().map_err(|_| CryptoError::Malformed)?;
    let bytes = value.to_be_bytes();
    let start = bytes.len().checked_sub(length).ok_or(CryptoError::Key)?;
    let (over, rest) = bytes.split_at(start);
    if length == 0 || over.iter().any(|byte| *byte != 0) {
        return Err(CryptoError::Malformed);
    }
    Ok(rest.to_vec())
}

/// Session parameters that change nothing for us: the size of the replay window, a key derivation rate of none, and
/// those whose author says that they may be ignored (RFC 4568 §6.3.7).
fn is_harmless(parameter: &str) -> bool {
    let upper = parameter.to_ascii_uppercase();
    upper.starts_with("WSH=") || upper == "KDR=0" || upper.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    fn read(text: &str) -> Result<Crypto, CryptoError> {
        Crypto::read(&text.replace("KEY", KEY))
    }

    #[test]
    fn a_line_is_read_and_written() {
        let line = read("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4").unwrap();
        assert_eq!((line.tag, line.keying.suite()), (1, Suite::AesCm128Sha1_80));
        assert_eq!(line.keying.mki(), [0, 0, 0, 1]);
        let plain = read("22 aes_cm_128_hmac_sha1_32 INLINE:KEY WSH=64 -SOMETHING").unwrap();
        assert_eq!(*plain.line(), format!("a=crypto:22 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"));
        assert_eq!(Crypto::read(plain.line().trim_start_matches("a=crypto:")), Ok(plain));
    }

    #[test]
    fn padding_may_be_there_or_not() {
        for suite in Suite::ALL {
            let length = suite.key_length() + suite.salt_length();
            let padded = BASE64.encode(&vec![9; length]);
            for key in [padded.as_str(), padded.trim_end_matches('=')] {
                assert!(Crypto::read(&format!("1 {suite} inline:{key}")).is_ok(), "{suite} {key}");
            }
        }
    }

    #[test]
    fn what_weakens_or_confuses_is_not_taken() {
        use CryptoError as E;
        for (text, error) in [
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTP", E::Parameter),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNENCRYPTED_SRTCP", E::Parameter),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY UNAUTHENTICATED_SRTP", E::Parameter),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY KDR=4", E::Parameter),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY FEC_ORDER=FEC_SRTP", E::Parameter),
            ("1 F8_128_HMAC_SHA1_80 inline:KEY", E::Suite),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|1:4;inline:KEY|2^20|2:4", E::Key),
            ("1 AES_256_CM_HMAC_SHA1_80 inline:KEY", E::Key),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY!", E::Key),
            ("1 AES_CM_128_HMAC_SHA1_80 clear:KEY", E::Key),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:99", E::Key),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:KEY|300:1", E::Malformed),
            ("1 AES_CM_128_HMAC_SHA1_80", E::Malformed),
            ("one AES_CM_128_HMAC_SHA1_80 inline:KEY", E::Malformed),
            ("12345678901 AES_CM_128_HMAC_SHA1_80 inline:KEY", E::Malformed),
            ("", E::Malformed),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_error_or_a_line_shows_no_key() {
        let line = read("1 AES_CM_128_HMAC_SHA1_80 inline:KEY").unwrap();
        assert!(!format!("{line:?}").contains(KEY));
    }
}
