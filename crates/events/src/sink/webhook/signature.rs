//! The `Sidetone-Signature` header: proves the sender, the unchanged content and the time.
//!
//! `t=UNIX_SECONDS,v1=HEX[,v1=HEX]`, where `HEX` is HMAC-SHA-256 over `UNIX_SECONDS.BODY`, keyed by the shared secret.
//! There are two `v1` while two secrets are configured; a receiver accepts either. This is the scheme of Stripe's
//! webhooks, for which code exists in every language.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex;
use crate::secret::Revealed;
use crate::time::Timestamp;

/// The name of the header.
pub const HEADER: &str = "sidetone-signature";

/// Most signatures looked at in one header.
const MOST: usize = 8;

/// Why a request is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header doesn't read `t=…,v1=…`.
    #[error("the signature header can't be read")]
    Malformed,
    /// The time is too old, or too far ahead: perhaps a replayed request.
    #[error("the signature is too old or too new")]
    Stale,
    /// No signature in the header matches the body and the secret.
    #[error("the signature doesn't fit")]
    Mismatch,
}

fn mac(secret: &[u8], seconds: u64, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length; only the type says that it might not.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()));
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// The header's value for `body`, sent at `now`, under each of `secrets`.
pub(crate) fn sign<'a>(secrets: impl Iterator<Item = &'a Revealed>, now: Timestamp, body: &[u8]) -> String {
    let seconds = now.unix_seconds();
    let mut header = format!("t={seconds}");
    for secret in secrets {
        header.push_str(",v1=");
        header.push_str(&hex::encode(&mac(secret.bytes(), seconds, body).finalize().into_bytes()));
    }
    header
}

/// Checks a received request, for a receiver written in Rust.
///
/// # Errors
/// When the request is not authentic.
pub fn verify(
    secret: &[u8],
    header: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: std::time::Duration,
) -> Result<(), SignatureError> {
    let mut seconds = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", text)) if seconds.is_none() => {
                let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
                seconds = Some(text.parse::<u64>().ok().filter(|_| digits).ok_or(SignatureError::Malformed)?);
            }
            Some(("v1", text)) if signatures.len() < MOST => {
                signatures.push(hex::decode::<32>(text).ok_or(SignatureError::Malformed)?);
            }
            // A later version of the scheme may stand beside this one.
            Some((name, _)) if name != "t" && name != "v1" => {}
            _ => return Err(SignatureError::Malformed),
        }
    }
    let seconds = seconds.ok_or(SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    if now.unix_seconds().abs_diff(seconds) > tolerance.as_secs() {
        return Err(SignatureError::Stale);
    }
    let fits = |signature: &[u8; 32]| mac(secret, seconds, body).verify_slice(signature).is_ok();
    if signatures.iter().any(fits) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::time::Duration;

    const BODY: &[u8] = br#"[{"kind":"call.started"}]"#;
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn signed(secrets: &[&str]) -> String {
        let secrets: Vec<_> = secrets.iter().map(|text| Secret::new(*text).reveal(1).unwrap()).collect();
        sign(secrets.iter(), at(1_772_357_400), BODY)
    }

    #[test]
    fn the_header_is_what_the_documentation_says() {
        // printf '1772357400.[{"kind":"call.started"}]' | openssl dgst -sha256 -hmac 'a shared secret'
        let hex = "e1967a62c411be6398049b01b5ac062e82797ac849a21e6f80a7b8838062ed5b";
        assert_eq!(signed(&["a shared secret"]), format!("t=1772357400,v1={hex}"));
    }

    #[test]
    fn either_of_two_secrets_verifies() {
        let header = signed(&["new secret", "old secret"]);
        let verify = |secret: &str, body| verify(secret.as_bytes(), &header, body, at(1_772_357_420), MINUTE);
        assert_eq!(verify("new secret", BODY), Ok(()));
        assert_eq!(verify("old secret", BODY), Ok(()));
        assert_eq!(verify("older secret", BODY), Err(SignatureError::Mismatch));
        assert_eq!(verify("new secret", b"[]"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn an_old_request_sent_again_is_refused() {
        let header = signed(&["secret"]);
        let verify = |seconds| verify(b"secret", &header, BODY, at(seconds), MINUTE);
        assert_eq!(verify(1_772_357_460), Ok(()));
        assert_eq!(verify(1_772_357_461), Err(SignatureError::Stale));
        assert_eq!(verify(1_772_357_339), Err(SignatureError::Stale));
        let postdated = header.replace("t=1772357400", "t=1772357461");
        assert_eq!(
            super::verify(b"secret", &postdated, BODY, at(1_772_357_461), MINUTE),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=", "t=+1,v1=00", "t=1,t=2,v1=00", "nonsense"] {
            assert_eq!(
                verify(b"secret", wrong, BODY, at(1), MINUTE),
                Err(SignatureError::Malformed),
                "{wrong}"
            );
        }
        let later = format!("{},v2=xyz", signed(&["secret"]));
        assert_eq!(verify(b"secret", &later, BODY, at(1_772_357_400), MINUTE), Ok(()));
    }
}
