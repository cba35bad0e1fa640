//! Sign-in by an OpenID Connect provider (OpenID Connect Core 1.0): the authorization code flow with PKCE (RFC 7636).
//!
//! [`Oidc`] leads a browser to the provider ([`Oidc::begin`]) and takes what it comes back with ([`Oidc::finish`]):
//! the code is exchanged for an ID token, the token is verified (`token`), and its claims are mapped to a role
//! ([`Mapped`]). What has to be remembered in between travels in a cookie that only this process can read
//! (`attempt`), so that nobody fills a table with attempts.
//!
//! Keys and the provider's description are fetched when they are needed and kept for an hour; a token of an unknown key
//! has the keys fetched anew.

#![forbid(unsafe_code)]

mod attempt;
mod client;
mod config;
mod keys;
mod mapping;
mod provider;
mod sign_in;
mod token;

pub use config::{OidcConfig, Roles};
pub use mapping::{Mapped, Refusal};
pub use sign_in::{Answer, Begun, Finished, Oidc, OidcError};
pub use token::TokenFault;
