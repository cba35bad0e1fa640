//! An attempt to sign in, from the way to the provider to the way back. It travels in a cookie, encrypted by a key that
//! this process alone has: a table of attempts could be filled by anybody, and the cookie ties the way back to the
//! browser that began (RFC 6749, section 10.12).

use data_encoding::BASE64URL_NOPAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// How long somebody may take at the provider, in seconds.
pub(crate) const LASTS: u64 = 600;
/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 4_096;

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) state: String,
    pub(crate) nonce: String,
    /// PKCE's secret (RFC 7636).
    verifier: String,
    /// The path that was asked for.
    pub(crate) next: String,
    /// Seconds since 1970.
    until: u64,
}

/// Random bytes are not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandom;

/// 256 random bits, as base64url.
fn random() -> Result<String, NoRandom> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

impl Attempt {
    pub(crate) fn begin(next: &str, now: u64) -> Result<Self, NoRandom> {
        let (state, nonce, verifier) = (random()?, random()?, random()?);
        Ok(Self { state, nonce, verifier, next: next.to_owned(), until: now.saturating_add(LASTS) })
    }

    /// What the provider is told of the secret (S256).
    pub(crate) fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(digest(&SHA256, self.verifier.as_bytes()).as_ref())
    }

    pub(crate) fn verifier(&self) -> &str {
        &self.verifier
    }
}

/// Makes cookies of attempts, and reads those that it has made.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new() -> Result<Self, NoRandom> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| NoRandom)?;
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| NoRandom)?)))
    }

    pub(crate) fn seal(&self, attempt: &Attempt) -> Result<String, NoRandom> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| NoRandom)?;
        let mut sealed = serde_json::to_vec(attempt).unwrap_or_default();
        let by = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(by, Aad::empty(), &mut sealed).map_err(|_| NoRandom)?;
        Ok(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat()))
    }

    /// The attempt of a cookie, if it was made here and has time left.
    pub(crate) fn open(&self, cookie: &str, now: u64) -> Option<Attempt> {
        if cookie.len() > LONGEST {
            return None;
        }
        let mut bytes = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let by = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.open_in_place(by, Aad::empty(), sealed).ok()?;
        let attempt: Attempt = serde_json::from_slice(opened).ok()?;
        (now < attempt.until).then_some(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_by_its_maker_while_it_lasts() {
        let sealer = Sealer::new().unwrap();
        let attempt = Attempt::begin("/calls", 100).unwrap();
        let cookie = sealer.seal(&attempt).unwrap();
        assert!(cookie.len() < 1_000 && !cookie.contains(&attempt.state));
        assert_eq!(sealer.open(&cookie, 699).unwrap(), attempt);
        assert!(sealer.open(&cookie, 700).is_none(), "too late");
        assert!(Sealer::new().unwrap().open(&cookie, 100).is_none(), "another process");
        assert_ne!(sealer.seal(&attempt).unwrap(), cookie);
        let mut bytes = cookie.clone().into_bytes();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(sealer.open(std::str::from_utf8(&bytes).unwrap(), 100).is_none(), "{at}");
            bytes[at] ^= 1;
        }
        for garbage in ["", "AAAA", &"A".repeat(5_000), "ä"] {
            assert!(sealer.open(garbage, 100).is_none());
        }
    }

    #[test]
    fn no_two_attempts_are_alike() {
        let (one, other) = (Attempt::begin("/", 0).unwrap(), Attempt::begin("/", 0).unwrap());
        assert!(one.state != other.state && one.nonce != other.nonce && one.challenge() != other.challenge());
        // RFC 7636, appendix B.
        let known = Attempt { verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(), ..one };
        assert_eq!(known.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
