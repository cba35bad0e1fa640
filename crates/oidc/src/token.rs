//! ID tokens (OpenID Connect Core 1.0, section 3.1.3.7): JWTs (RFC 7519) that the provider has signed (RFC 7515).

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, Keys};

/// The longest token, in bytes.
const LONGEST: usize = 64 * 1024;
/// How far the provider's clock may differ from ours, in seconds.
const LEEWAY: u64 = 60;
/// The longest `sub`, in bytes (OpenID Connect Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// The one that this attempt was begun with.
    pub(crate) nonce: &'a str,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

/// Why a token is none that somebody signs in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is no signed JWT.
    #[error("it is no signed JWT")]
    Malformed,
    /// It is signed by an algorithm that is not taken: `none`, one of a shared secret, or an unknown one.
    #[error("it is signed by an algorithm that is not taken")]
    Algorithm,
    /// The provider publishes no key of that id.
    #[error("it is signed by a key that the provider does not publish")]
    Key,
    /// No key of the provider's has signed it.
    #[error("its signature is not the provider's")]
    Signature,
    /// Another provider's.
    #[error("its issuer is another one")]
    Issuer,
    /// It is for another client.
    #[error("it is for another client")]
    Audience,
    /// It has expired, or does not say when it does.
    #[error("it has expired")]
    Expired,
    /// It is of a time that has not come: one of the clocks is wrong.
    #[error("it is of a time to come")]
    Early,
    /// It answers another attempt.
    #[error("its nonce is that of another attempt")]
    Nonce,
    /// It names nobody.
    #[error("it names nobody")]
    Subject,
}

/// What a verified token says of somebody.
pub(crate) type Claims = Map<String, Value>;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that have to be understood: none is.
    crit: Option<Value>,
}

/// A token's parts, none of them verified.
struct Parts<'a> {
    header: Header,
    /// What is signed.
    message: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, TokenFault> {
        let read = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenFault::Malformed);
        if token.len() > LONGEST {
            return Err(TokenFault::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(TokenFault::Malformed)?;
        let (header, claims, signature) = (read(header)?, read(claims)?, read(signature)?);
        let header: Header = serde_json::from_slice(&header).map_err(|_| TokenFault::Malformed)?;
        if header.crit.is_some() {
            return Err(TokenFault::Malformed);
        }
        Ok(Self { header, message, claims, signature })
    }
}

/// Whether a token names a key that is not among these: then the provider may have new ones.
pub(crate) fn needs_other_keys(token: &str, keys: &Keys) -> bool {
    Parts::of(token).is_ok_and(|parts| !keys.has(parts.header.kid.as_deref()))
}

/// What a token says, if the provider has said it to us, of this attempt, and it still holds.
pub(crate) fn verify(token: &str, keys: &Keys, expected: Expected<'_>) -> Result<Claims, TokenFault> {
    let parts = Parts::of(token)?;
    let algorithm = Algorithm::parse(&parts.header.alg).ok_or(TokenFault::Algorithm)?;
    let id = parts.header.kid.as_deref();
    if !keys.has(id) {
        return Err(TokenFault::Key);
    }
    if !keys.verify(id, algorithm, parts.message.as_bytes(), &parts.signature) {
        return Err(TokenFault::Signature);
    }
    let claims: Claims = serde_json::from_slice(&parts.claims).map_err(|_| TokenFault::Malformed)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(TokenFault::Issuer);
    }
    if !is_for(&claims, expected.client_id) {
        return Err(TokenFault::Audience);
    }
    // Some providers write times with decimals.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as u64);
    if time("exp").is_none_or(|expires| expires.saturating_add(LEEWAY) <= expected.now) {
        return Err(TokenFault::Expired);
    }
    if ["iat", "nbf"].iter().any(|name| time(name).is_some_and(|time| time > expected.now + LEEWAY)) {
        return Err(TokenFault::Early);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(TokenFault::Nonce);
    }
    if text("sub").is_none_or(|subject| subject.is_empty() || subject.len() > LONGEST_SUBJECT) {
        return Err(TokenFault::Subject);
    }
    Ok(claims)
}

/// Whether the token is for this client: among its audience, and the party that it was given to.
fn is_for(claims: &Claims, client: &str) -> bool {
    let party = claims.get("azp").map(|party| party.as_str() == Some(client));
    match claims.get("aud") {
        Some(Value::String(only)) => only == client && party != Some(false),
        Some(Value::Array(all)) => {
            all.iter().any(|one| one.as_str() == Some(client))
                && (party == Some(true) || all.len() == 1 && party.is_none())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_772_357_400;
    const EXPECTED: Expected<'static> =
        Expected { issuer: "https://login.example.org", client_id: "sidetone", nonce: "n-1", now: NOW };

    fn base64(bytes: &[u8]) -> String {
        BASE64URL_NOPAD.encode(bytes)
    }

    /// A provider with a key of each of two kinds.
    struct Provider {
        ec: EcdsaKeyPair,
        ed: Ed25519KeyPair,
        random: SystemRandom,
    }

    impl Provider {
        fn new() -> Self {
            let random = SystemRandom::new();
            let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let ec =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref(), &random).unwrap();
            let ed = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref());
            Self { ec, ed: ed.unwrap(), random }
        }

        fn keys(&self) -> Keys {
            let point = self.ec.public_key().as_ref();
            let set = json!({ "keys": [
                { "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "alg": "ES256",
                  "x": base64(&point[1..33]), "y": base64(&point[33..65]) },
                { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64(self.ed.public_key().as_ref()) },
                { "kty": "oct", "kid": "secret", "k": base64(b"a secret that is no key of ours") },
                { "kty": "EC", "crv": "P-256", "kid": "short", "x": "AA", "y": "AA" },
                { "kty": "unheard of" },
                7,
            ] });
            Keys::parse(set.to_string().as_bytes()).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let message = format!(
                "{}.{}",
                base64(header.to_string().as_bytes()),
                base64(claims.to_string().as_bytes())
            );
            let signature = if header["kid"] == "ed" {
                base64(self.ed.sign(message.as_bytes()).as_ref())
            } else {
                base64(self.ec.sign(&self.random, message.as_bytes()).unwrap().as_ref())
            };
            format!("{message}.{signature}")
        }
    }

    fn claims() -> Value {
        json!({ "iss": EXPECTED.issuer, "sub": "u1", "aud": "sidetone", "exp": NOW + 300, "iat": NOW, "nonce": "n-1" })
    }

    #[test]
    fn a_token_is_taken_if_it_is_the_providers_for_us_now_and_of_this_attempt() {
        let provider = Provider::new();
        let keys = provider.keys();
        let taken = |header: Value, claims: Value| verify(&provider.sign(&header, &claims), &keys, EXPECTED);
        for header in
            [json!({ "alg": "ES256", "kid": "ec" }), json!({ "alg": "EdDSA", "kid": "ed", "typ": "JWT" })]
        {
            assert_eq!(taken(header, claims()).unwrap()["sub"], "u1");
        }
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims();
            change(&mut claims);
            taken(json!({ "alg": "ES256", "kid": "ec" }), claims).map(|_| ())
        };
        let set = |name: &'static str, value: Value| with(&move |claims| claims[name] = value.clone());
        let without =
            |name: &'static str| with(&move |claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(set("iss", json!("https://login.example.org/")), Err(TokenFault::Issuer));
        assert_eq!(set("aud", json!("another")), Err(TokenFault::Audience));
        assert_eq!(set("aud", json!(["another", "sidetone"])), Err(TokenFault::Audience), "no azp");
        assert_eq!(set("azp", json!("another")), Err(TokenFault::Audience));
        assert_eq!(set("aud", json!(["sidetone"])), Ok(()));
        let both = json!(["another", "sidetone"]);
        assert_eq!(with(&|it| (it["aud"], it["azp"]) = (both.clone(), json!("sidetone"))), Ok(()));
        assert_eq!(set("exp", json!(NOW - 60)), Err(TokenFault::Expired));
        assert_eq!(set("exp", json!(NOW - 59)), Ok(()), "clocks differ a little");
        assert_eq!(set("exp", json!("tomorrow")), Err(TokenFault::Expired));
        assert_eq!(set("iat", json!(NOW + 61)), Err(TokenFault::Early));
        assert_eq!(set("nbf", json!(NOW + 61)), Err(TokenFault::Early));
        assert_eq!(set("nonce", json!("n-2")), Err(TokenFault::Nonce));
        assert_eq!(set("sub", json!("")), Err(TokenFault::Subject));
        assert_eq!(set("sub", json!("x".repeat(256))), Err(TokenFault::Subject));
        for (name, fault) in [
            ("iss", TokenFault::Issuer),
            ("aud", TokenFault::Audience),
            ("exp", TokenFault::Expired),
            ("nonce", TokenFault::Nonce),
            ("sub", TokenFault::Subject),
        ] {
            assert_eq!(without(name), Err(fault));
        }
    }

    #[test]
    fn an_algorithm_that_a_token_chooses_for_itself_is_not_taken() {
        let provider = Provider::new();
        let keys = provider.keys();
        let fault = |header: Value| verify(&provider.sign(&header, &claims()), &keys, EXPECTED).unwrap_err();
        for alg in ["none", "None", "HS256", "HS384", "RS1", "ES256K", ""] {
            assert_eq!(fault(json!({ "alg": alg, "kid": "ec" })), TokenFault::Algorithm, "{alg}");
        }
        // One that is taken, and not the key's.
        for alg in ["RS256", "PS256", "ES384", "EdDSA"] {
            assert_eq!(fault(json!({ "alg": alg, "kid": "ec" })), TokenFault::Signature, "{alg}");
        }
        assert_eq!(fault(json!({ "alg": "ES256", "kid": "ec", "crit": ["exp"] })), TokenFault::Malformed);
        assert_eq!(fault(json!({ "alg": "ES256", "kid": "secret" })), TokenFault::Key);
        assert_eq!(fault(json!({ "alg": "ES256", "kid": "gone" })), TokenFault::Key);
        let unsigned = provider.sign(&json!({ "alg": "none" }), &claims());
        let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
        assert_eq!(verify(&unsigned, &keys, EXPECTED).unwrap_err(), TokenFault::Algorithm);
    }

    #[test]
    fn a_token_that_was_touched_is_not_taken() {
        let provider = Provider::new();
        let keys = provider.keys();
        let token = provider.sign(&json!({ "alg": "ES256", "kid": "ec" }), &claims());
        let parts: Vec<&str> = token.split('.').collect();
        let mut other = claims();
        other["sub"] = json!("u2");
        let swapped = format!("{}.{}.{}", parts[0], base64(other.to_string().as_bytes()), parts[2]);
        assert_eq!(verify(&swapped, &keys, EXPECTED).unwrap_err(), TokenFault::Signature);
        let strangers = Provider::new().sign(&json!({ "alg": "ES256", "kid": "ec" }), &claims());
        assert_eq!(verify(&strangers, &keys, EXPECTED).unwrap_err(), TokenFault::Signature);
        assert!(needs_other_keys(&provider.sign(&json!({ "alg": "ES256", "kid": "new" }), &claims()), &keys));
        assert!(!needs_other_keys(&token, &keys));
        for garbage in ["", ".", "..", "a.b.c", "....", &"x".repeat(70_000), &format!("{token}=")] {
            assert!(verify(garbage, &keys, EXPECTED).is_err(), "{}", garbage.len());
        }
        for cut in 0..token.len() {
            assert!(verify(&token[..cut], &keys, EXPECTED).is_err());
        }
    }
}
