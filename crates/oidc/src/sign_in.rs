//! The way to the provider and back.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use sidetone_events::{Revealed, SecretError};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::attempt::{Attempt, LASTS, NoRandom, Sealer};
use crate::client::{Answered, Client};
use crate::config::OidcConfig;
use crate::keys::Keys;
use crate::mapping::{Mapped, Refusal, name};
use crate::provider::{Provider, encoded, query};
use crate::token::{self, Claims, Expected, TokenFault};

/// How long the provider's description and keys are used before they are asked for again.
const FRESH: Duration = Duration::from_secs(3_600);
/// How long nobody asks a provider again that could not be asked: those who wait would wait one after another.
const GIVEN_UP: Duration = Duration::from_secs(2);

/// Sign-in by one provider.
pub struct Oidc {
    config: OidcConfig,
    secret: Option<Revealed>,
    client: Client,
    sealer: Sealer,
    known: Mutex<Option<Known>>,
    failed: Mutex<Option<(Instant, String)>>,
}

/// What is known of the provider.
#[derive(Debug, Clone)]
struct Known {
    provider: Arc<Provider>,
    keys: Arc<Keys>,
    since: Instant,
}

/// A browser on its way to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Where it is sent.
    pub location: String,
    /// What it brings back, as the value of a cookie.
    pub cookie: String,
    /// How long the cookie is good for, in seconds.
    pub lasts: u64,
}

/// What a browser brings from the provider (RFC 6749, sections 4.1.2 and 4.1.2.1; RFC 9207).
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The code that the token is given for.
    pub code: Option<String>,
    /// The attempt's.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who sends it.
    pub iss: Option<String>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Somebody whom the provider has named, and who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The provider's issuer.
    pub issuer: String,
    /// Who it is.
    pub person: Mapped,
    /// The path that was asked for.
    pub next: String,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider can't be asked, or answers what can't be used.
    #[error("the provider can't be used: {0}")]
    Provider(String),
    /// The browser has not begun this attempt, or too long ago.
    #[error("this browser has not begun this attempt, or too long ago")]
    Stale,
    /// The provider has let nobody in, and says so.
    #[error("the provider says {0}")]
    Denied(String),
    /// The provider does not take the code: it was used before, or is too old.
    #[error("the provider does not take the code: {0}")]
    Code(String),
    /// The token is none.
    #[error("the ID token is not taken: {0}")]
    Token(#[from] TokenFault),
    /// Somebody who has no place here, by their name.
    #[error("{1}")]
    Refused(String, Refusal),
    /// Sidetone can't be made ready for it.
    #[error("{0}")]
    Unready(String),
}

impl From<NoRandom> for OidcError {
    fn from(why: NoRandom) -> Self {
        Self::Unready(why.to_string())
    }
}

impl From<SecretError> for OidcError {
    fn from(why: SecretError) -> Self {
        Self::Unready(format!("{why}; {}", why.remedy()))
    }
}

/// A code of RFC 6749 as the provider writes it: nothing that could forge a line of a log.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect()
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NoTokens {
    error: String,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.config.issuer).finish_non_exhaustive()
    }
}

impl Oidc {
    /// Makes everything ready; the provider is not asked before somebody wants to sign in.
    ///
    /// # Errors
    /// [`OidcError::Unready`]: the secret or the certificates can't be read.
    pub fn new(config: OidcConfig) -> Result<Self, OidcError> {
        let secret = config.client_secret.as_ref().map(|secret| secret.reveal(1)).transpose()?;
        let client = Client::new(config.ca_file.as_deref()).map_err(OidcError::Unready)?;
        Ok(Self {
            config,
            secret,
            client,
            sealer: Sealer::new()?,
            known: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// What the provider is called.
    #[must_use]
    pub fn name(&self) -> String {
        self.config.shown_name()
    }

    /// Whether cookies belong to TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.config.is_secure()
    }

    /// Begins an attempt at a time in seconds since 1970, for somebody who has asked for a path of ours.
    ///
    /// # Errors
    /// [`OidcError::Provider`], [`OidcError::Unready`].
    pub async fn begin(&self, next: &str, now: u64) -> Result<Begun, OidcError> {
        let known = self.known().await?;
        let attempt = Attempt::begin(next, now)?;
        let location = known.provider.authorization(&self.config, &attempt);
        Ok(Begun { location, cookie: self.sealer.seal(&attempt)?, lasts: LASTS })
    }

    /// Ends an attempt with what the browser brings: its query, and the cookie that it was given.
    ///
    /// # Errors
    /// [`OidcError`]: nobody is signed in.
    pub async fn finish(
        &self,
        answer: Answer,
        cookie: Option<&str>,
        now: u64,
    ) -> Result<Finished, OidcError> {
        let attempt = cookie.and_then(|cookie| self.sealer.open(cookie, now));
        let attempt = attempt.filter(|attempt| answer.state.as_deref() == Some(attempt.state.as_str()));
        let attempt = attempt.ok_or(OidcError::Stale)?;
        let known = self.known().await?;
        let (issuer, named) = (self.config.issuer.as_str(), answer.iss.as_deref());
        if named.is_some_and(|named| named != issuer)
            || named.is_none() && known.provider.authorization_response_iss_parameter_supported
        {
            // Another provider's code would be sent to this one, or the other way round (RFC 9207).
            return Err(OidcError::Token(TokenFault::Issuer));
        }
        if let Some(error) = &answer.error {
            return Err(OidcError::Denied(word(error)));
        }
        let code = answer.code.ok_or(OidcError::Stale)?;
        let token = self.exchange(&known.provider, &code, &attempt).await?;
        let claims = self.verified(&known, &token, &attempt, now).await?;
        let person = Mapped::of(&claims, &self.config);
        let person = person.map_err(|why| OidcError::Refused(name(&claims), why))?;
        Ok(Finished { issuer: issuer.to_owned(), person, next: attempt.next })
    }

    /// Where somebody can sign out at the provider too, if it is known and has such a place.
    pub async fn sign_out(&self) -> Option<String> {
        let known = self.known.lock().await.clone()?;
        known.provider.sign_out(&self.config)
    }

    /// The provider, asked anew now and then; as it was, while it can't be asked.
    async fn known(&self) -> Result<Known, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < FRESH) {
            return Ok(known.clone());
        }
        let mut failed = self.failed.lock().await;
        let asked = match failed.as_ref().filter(|(at, _)| at.elapsed() < GIVEN_UP) {
            Some((_, why)) => Err(why.clone()),
            None => self.ask().await.inspect_err(|why| *failed = Some((Instant::now(), why.clone()))),
        };
        match (asked, known.as_ref()) {
            (Ok(fresh), _) => {
                *known = Some(fresh.clone());
                Ok(fresh)
            }
            (Err(why), Some(earlier)) => {
                tracing::warn!(%why, "the identity provider's description is used as it was");
                Ok(earlier.clone())
            }
            (Err(why), None) => Err(OidcError::Provider(why)),
        }
    }

    async fn ask(&self) -> Result<Known, String> {
        let issuer = &self.config.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let provider = Provider::parse(&self.fetch(&address).await?, issuer)?;
        let keys = self.keys(&provider).await?;
        Ok(Known { provider: Arc::new(provider), keys: Arc::new(keys), since: Instant::now() })
    }

    async fn keys(&self, provider: &Provider) -> Result<Keys, String> {
        Keys::parse(&self.fetch(&provider.jwks_uri).await?).map_err(|why| format!("its keys: {why}"))
    }

    async fn fetch(&self, address: &str) -> Result<bytes::Bytes, String> {
        let Answered { status, body } = self.client.get(address).await?;
        if status == StatusCode::OK { Ok(body) } else { Err(format!("it answers {status}")) }
    }

    /// Exchanges the code for the ID token (RFC 6749, section 4.1.3).
    async fn exchange(
        &self,
        provider: &Provider,
        code: &str,
        attempt: &Attempt,
    ) -> Result<String, OidcError> {
        let client_id = self.config.client_id.as_str();
        let secret = self.secret.as_ref().map(|secret| String::from_utf8_lossy(secret.bytes()).into_owned());
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.config.redirect),
            ("code_verifier", attempt.verifier()),
        ];
        let (name, password) = (encoded(client_id), secret.as_deref().map(encoded));
        let in_form = secret.is_none() || provider.wants_secret_in_form();
        if in_form {
            form.push(("client_id", client_id));
            form.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
        }
        let basic = password.as_deref().filter(|_| !in_form).map(|password| (name.as_str(), password));
        let answered = self.client.post(&provider.token_endpoint, query(&form), basic).await;
        let Answered { status, body } = answered.map_err(OidcError::Provider)?;
        if status != StatusCode::OK {
            let NoTokens { error } = serde_json::from_slice(&body).unwrap_or_default();
            return Err(match error.as_str() {
                "invalid_grant" => OidcError::Code(word(&error)),
                _ => OidcError::Provider(format!("it answers {status} {}", word(&error))),
            });
        }
        let tokens: Tokens = serde_json::from_slice(&body)
            .map_err(|_| OidcError::Provider("it gives no ID token".to_owned()))?;
        Ok(tokens.id_token)
    }

    /// The claims of a token, by the keys that are known, or by those that the provider has now.
    async fn verified(
        &self,
        known: &Known,
        token: &str,
        attempt: &Attempt,
        now: u64,
    ) -> Result<Claims, OidcError> {
        let (issuer, client_id) = (self.config.issuer.as_str(), self.config.client_id.as_str());
        let expected = Expected { issuer, client_id, nonce: &attempt.nonce, now };
        if !token::needs_other_keys(token, &known.keys) {
            return Ok(token::verify(token, &known.keys, expected)?);
        }
        // Asked at most once a code, and codes are the provider's to give.
        let keys = Arc::new(self.keys(&known.provider).await.map_err(OidcError::Provider)?);
        let claims = token::verify(token, &keys, expected)?;
        if let Some(known) = self.known.lock().await.as_mut() {
            known.keys = keys;
        }
        Ok(claims)
    }
}
