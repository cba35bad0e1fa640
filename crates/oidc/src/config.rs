//! `[http.oidc]` in the configuration file.

use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use serde::{Deserialize, Serialize};
use sidetone_events::Secret;
use sidetone_store::Role;

/// The path that the provider sends people back to.
pub(crate) const CALLBACK: &str = "/sign-in/callback";

/// `[http.oidc]`: people sign in by an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider's issuer, as it stands in its ID tokens; its description is at
    /// `ISSUER/.well-known/openid-configuration`.
    pub issuer: String,
    /// Sidetone's id at the provider.
    pub client_id: String,
    /// Its secret there: text, `{ file = "…" }` or `{ env = "…" }`; none for a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Where the provider sends people back to: the address of these pages, with the path `/sign-in/callback`.
    pub redirect: String,
    /// What the provider is called on the sign-in page; its host, without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is asked of the provider beside `openid`, such as the scope that brings groups.
    #[serde(default = "OidcConfig::default_scopes")]
    pub scopes: Vec<String>,
    /// The claim of the ID token that roles are read from; a path of claims with dots, as `realm_access.roles`.
    #[serde(default = "OidcConfig::default_role_claim")]
    pub role_claim: String,
    /// The claim's values that give each role.
    pub roles: Roles,
    /// The claim that holds an agent's label, as the PBX has it.
    #[serde(default = "OidcConfig::default_agent_claim")]
    pub agent_claim: String,
    /// Domains of e-mail addresses that may sign in; empty for all. The provider has to have verified the address.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Certificates in PEM that the provider's must lead to; without a file, those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// The values of the role claim that give each role; where several fit, the first in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// Supervisors.
    pub supervisor: Vec<String>,
    /// Directors.
    pub director: Vec<String>,
    /// Operators.
    pub operator: Vec<String>,
    /// Agents.
    pub agent: Vec<String>,
}

impl Roles {
    /// The roles that people may have, each with its values, in their order.
    pub(crate) fn each(&self) -> [(Role, &[String]); 4] {
        [
            (Role::Supervisor, &self.supervisor),
            (Role::Director, &self.director),
            (Role::Operator, &self.operator),
            (Role::Agent, &self.agent),
        ]
    }
}

impl OidcConfig {
    fn default_scopes() -> Vec<String> {
        ["profile", "email"].map(str::to_owned).to_vec()
    }

    fn default_role_claim() -> String {
        "groups".to_owned()
    }

    fn default_agent_claim() -> String {
        "preferred_username".to_owned()
    }

    /// What the provider is called.
    pub(crate) fn shown_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| host(&self.issuer).unwrap_or_else(|| self.issuer.clone()))
    }

    /// Whether browsers come by TLS, so that a cookie may be kept to it.
    pub(crate) fn is_secure(&self) -> bool {
        self.redirect.starts_with("https://")
    }

    /// An unusable value, as the key within `[http.oidc]` and the remedy.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if !is_protected(&self.issuer) {
            let why = "is no https:// address; write the issuer as the provider names it, as in https://login.example.org";
            return Some(("issuer", why.to_owned()));
        }
        if self.client_id.trim().is_empty() {
            return Some(("client_id", "is empty; write Sidetone's id at the provider".to_owned()));
        }
        let path =
            self.redirect.parse::<Uri>().ok().map(|uri| (uri.path() == CALLBACK, uri.query().is_none()));
        if !is_protected(&self.redirect) || path != Some((true, true)) {
            let why = format!(
                "is not where people come back to; write the address of these pages with {CALLBACK}, as in https://sidetone.example.org{CALLBACK}"
            );
            return Some(("redirect", why));
        }
        if self.roles.each().iter().all(|(_, values)| values.is_empty()) {
            let why =
                "give nobody a role; write the groups that have one, as in supervisor = [\"team-leads\"]";
            return Some(("roles", why.to_owned()));
        }
        if self.scopes.iter().any(|scope| scope.is_empty() || !scope.bytes().all(is_scope)) {
            return Some(("scopes", "hold something that is no scope; write each as a word".to_owned()));
        }
        let is_domain = |domain: &String| {
            !domain.is_empty()
                && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        if !self.email_domains.iter().all(is_domain) {
            let why = "hold something that is no domain; write each as in example.org, without @";
            return Some(("email_domains", why.to_owned()));
        }
        None
    }
}

/// RFC 6749, section 3.3.
fn is_scope(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

fn host(address: &str) -> Option<String> {
    Some(address.parse::<Uri>().ok()?.host()?.to_owned())
}

/// Whether an address is one by TLS, or of this very machine.
pub(crate) fn is_protected(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here =
        bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    !has_user && (uri.scheme_str() == Some("https") || uri.scheme_str() == Some("http") && here)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "issuer = \"https://login.example.org/realms/a\"\nclient_id = \"sidetone\"
        redirect = \"https://sidetone.example.org/sign-in/callback\"\nroles = { supervisor = [\"leads\"] }";

    #[test]
    fn four_lines_are_enough() {
        let config: OidcConfig = toml::from_str(GOOD).unwrap();
        assert_eq!((config.fault(), config.shown_name().as_str()), (None, "login.example.org"));
        assert_eq!((config.role_claim.as_str(), config.scopes.len()), ("groups", 2));
        assert!(config.is_secure());
    }

    #[test]
    fn what_cant_be_meant_is_refused() {
        for (from, to, key) in [
            ("https://login.example.org/realms/a", "http://login.example.org", "issuer"),
            ("https://login.example.org/realms/a", "login.example.org", "issuer"),
            ("https://login.example.org/realms/a", "https://a:b@login.example.org", "issuer"),
            ("\"sidetone\"", "\" \"", "client_id"),
            ("/sign-in/callback", "/", "redirect"),
            ("/sign-in/callback", "/sign-in/callback?a=b", "redirect"),
            ("https://sidetone", "http://sidetone", "redirect"),
            ("[\"leads\"]", "[]", "roles"),
            ("roles =", "scopes = [\"a b\"]\nroles =", "scopes"),
            ("roles =", "email_domains = [\"@example.org\"]\nroles =", "email_domains"),
        ] {
            let config: OidcConfig = toml::from_str(&GOOD.replace(from, to)).unwrap();
            assert_eq!(config.fault().map(|(key, _)| key), Some(key), "{to}");
        }
        assert!(is_protected("http://127.0.0.1:3000/x") && is_protected("http://[::1]/"));
    }
}
