//! The provider's description of itself (OpenID Connect Discovery 1.0).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::attempt::Attempt;
use crate::config::{OidcConfig, is_protected};

/// RFC 3986, section 2.3: unreserved characters stand for themselves.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is used of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Provider {
    issuer: String,
    authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) jwks_uri: String,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207: whether the way back names the issuer.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// Names and values as a query or a form has them.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let written =
        pairs.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, RESERVED)));
    written.collect::<Vec<_>>().join("&")
}

/// A text in an Authorization header of a client (RFC 6749, section 2.3.1).
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl Provider {
    /// Reads a description; the reason why it is none that can be used.
    pub(crate) fn parse(json: &[u8], issuer: &str) -> Result<Self, String> {
        let provider: Self = serde_json::from_slice(json).map_err(|why| format!("its description: {why}"))?;
        if provider.issuer != issuer {
            return Err(
                "its description is of another issuer; write the issuer exactly as it does".to_owned()
            );
        }
        let addresses = [
            Some(&provider.authorization_endpoint),
            Some(&provider.token_endpoint),
            Some(&provider.jwks_uri),
            provider.end_session_endpoint.as_ref(),
        ];
        if !addresses.into_iter().flatten().all(|address| is_protected(address)) {
            return Err("its description has an address without TLS".to_owned());
        }
        Ok(provider)
    }

    /// Where a browser is sent for an attempt.
    pub(crate) fn authorization(&self, config: &OidcConfig, attempt: &Attempt) -> String {
        let mut scopes = vec!["openid"];
        scopes.extend(config.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        with_query(
            &self.authorization_endpoint,
            &[
                ("response_type", "code"),
                ("client_id", &config.client_id),
                ("redirect_uri", &config.redirect),
                ("scope", &scopes.join(" ")),
                ("state", &attempt.state),
                ("nonce", &attempt.nonce),
                ("code_challenge", &attempt.challenge()),
                ("code_challenge_method", "S256"),
            ],
        )
    }

    /// Where a browser is sent to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0).
    pub(crate) fn sign_out(&self, config: &OidcConfig) -> Option<String> {
        let at = self.end_session_endpoint.as_ref()?;
        Some(with_query(at, &[("client_id", &config.client_id)]))
    }

    /// Whether a client's secret goes into the form, since the provider takes no header.
    pub(crate) fn wants_secret_in_form(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_some_and(|methods| !methods.iter().any(|method| method == "client_secret_basic"))
    }
}

fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let between = if address.contains('?') { '&' } else { '?' };
    format!("{address}{between}{}", query(pairs))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_of_another_issuer_or_without_tls_is_not_used() {
        let described = |issuer: &str, token: &str| {
            let json = json!({
                "issuer": issuer, "authorization_endpoint": "https://a/auth?tenant=x", "token_endpoint": token,
                "jwks_uri": "https://a/keys",
            });
            Provider::parse(json.to_string().as_bytes(), "https://a")
        };
        let provider = described("https://a", "https://a/token").unwrap();
        assert!(!provider.wants_secret_in_form());
        assert!(described("https://b", "https://a/token").unwrap_err().contains("another issuer"));
        assert!(described("https://a", "http://a/token").unwrap_err().contains("without TLS"));
        assert!(Provider::parse(b"<html>", "https://a").is_err());
        let text = "issuer = \"https://a\"\nclient_id = \"a b&c\"\nredirect = \"https://c/sign-in/callback\"\nroles = {}";
        let config: OidcConfig = toml::from_str(text).unwrap();
        let attempt = Attempt::begin("/", 0).unwrap();
        let address = provider.authorization(&config, &attempt);
        assert!(
            address.starts_with("https://a/auth?tenant=x&response_type=code&client_id=a%20b%26c&"),
            "{address}"
        );
        assert!(address.contains("scope=openid%20profile%20email&") && address.contains(&attempt.state));
    }
}
