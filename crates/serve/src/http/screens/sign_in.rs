//! Signing in and out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sidetone_events::Timestamp;
use sidetone_pages::{Section, SignIn, SignInFault};
use sidetone_store::{Password, Store, StoreError};
use tokio::time::Instant;

use super::frame::Frame;
use super::sources::Screens;
use super::visit::Visit;
use crate::http::kept::{COOKIE, Kept};
use crate::http::limits::{Asker, seconds};

/// When to come again if too many passwords wait to be checked.
const QUEUE_FULL: Duration = Duration::from_secs(2);

/// `?next=/calls&ended=1`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Gate {
    pub(super) next: String,
    ended: Option<String>,
    /// Somebody has just signed out.
    out: Option<String>,
    /// Why the provider's word was not enough, as `provider::finish` says it.
    fault: String,
}

pub(super) async fn gate(State(screens): State<Screens>, frame: Frame, Query(gate): Query<Gate>) -> Response {
    let (status, refused) = match gate.fault.as_str() {
        "role" => (StatusCode::FORBIDDEN, Some(SignInFault::NoRole)),
        "domain" => (StatusCode::FORBIDDEN, Some(SignInFault::Domain)),
        "agent" => (StatusCode::FORBIDDEN, Some(SignInFault::NoAgent)),
        "revoked" => (StatusCode::FORBIDDEN, Some(SignInFault::Revoked)),
        "denied" => (StatusCode::FORBIDDEN, Some(SignInFault::Denied)),
        "token" => (StatusCode::FORBIDDEN, Some(SignInFault::NotTaken)),
        "attempt" => (StatusCode::BAD_REQUEST, Some(SignInFault::Attempt)),
        "provider" => (StatusCode::SERVICE_UNAVAILABLE, Some(SignInFault::Provider)),
        _ => (StatusCode::OK, None),
    };
    let fault = refused.or(gate.ended.map(|_| SignInFault::Ended));
    let password = screens.kept.ask(Store::has_people).await.unwrap_or(false);
    let provider = provider(&screens);
    let out = match (&screens.oidc, gate.out) {
        (Some(oidc), Some(_)) => oidc.sign_out().await,
        _ => None,
    };
    let next = own_path(&gate.next);
    let page = SignIn {
        fault,
        password,
        next,
        provider: provider.as_deref(),
        out: out.as_deref(),
        ..SignIn::default()
    };
    frame.answer(status, sidetone_pages::sign_in(&frame.shell(), &page))
}

/// What the identity provider is called, if there is one.
fn provider(screens: &Screens) -> Option<String> {
    screens.oidc.as_ref().map(|oidc| oidc.name())
}

/// The cookie of a session. To TLS alone, where the browser has come by it.
pub(super) fn session_cookie(session: &str, headers: &HeaderMap, is_secure: bool) -> String {
    let secure = match headers.get("x-forwarded-proto") {
        Some(proto) if proto == "https" => "; Secure",
        _ if is_secure => "; Secure",
        _ => "",
    };
    format!("{COOKIE}={session}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax{secure}")
}

/// A path of this server's, whatever was asked for.
pub(super) fn own_path(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let own = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    if own { next } else { "/" }
}

/// Either form of the sign-in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Credentials {
    name: Option<String>,
    password: String,
    token: String,
    next: String,
}

pub(super) async fn sign_in(
    State(screens): State<Screens>,
    frame: Frame,
    asker: Asker,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Response {
    let kept = &screens.kept;
    let next = own_path(&credentials.next).to_owned();
    let password = kept.ask(Store::has_people).await.unwrap_or(false);
    let name = credentials.name.as_deref().filter(|_| password);
    let provider = provider(&screens);
    let refuse = |status, fault| {
        let (name, provider) = (name.unwrap_or_default(), provider.as_deref());
        let page = SignIn { fault: Some(fault), password, name, next: &next, provider, out: None };
        frame.answer(status, sidetone_pages::sign_in(&frame.shell(), &page))
    };
    if !is_from_here(&headers) {
        return refuse(StatusCode::FORBIDDEN, SignInFault::Stale);
    }
    let later = |wait| {
        let refused = refuse(StatusCode::TOO_MANY_REQUESTS, SignInFault::TooMany);
        ([(header::RETRY_AFTER, seconds(wait))], refused).into_response()
    };
    // Held from before the waiting on, so that those who wait are bounded too.
    let _queued = match name {
        None => match screens.limits.came(asker, Instant::now()) {
            Ok(()) => None,
            Err(wait) => return later(wait),
        },
        Some(name) => {
            let Ok(queued) = Arc::clone(&screens.queue).try_acquire_owned() else { return later(QUEUE_FULL) };
            match screens.limits.tried(asker, name, Instant::now()) {
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(wait) => return later(wait),
            }
            Some(queued)
        }
    };
    let (begun, fault) = match name {
        Some(name) => (by_password(&screens, name, credentials.password).await, SignInFault::Password),
        None => (by_token(kept, credentials.token).await, SignInFault::Token),
    };
    match begun {
        Err(error) => frame.unavailable(&error),
        Ok(None) => refuse(StatusCode::UNAUTHORIZED, fault),
        Ok(Some(session)) => {
            if let Some(name) = name {
                screens.limits.let_in(asker, name);
            }
            let cookie = session_cookie(&session, &headers, false);
            ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
        }
    }
}

/// Begins a session of whoever has a token.
async fn by_token(kept: &Kept, secret: String) -> Result<Option<String>, StoreError> {
    kept.ask(move |store| {
        let (secret, now) = (secret.trim(), Timestamp::now());
        // A program's token is none for people: a session of it would be a way around what it is for.
        match store.token(secret, now)? {
            Some(token) if !Section::of(token.role).is_empty() => store.begin_session(&token, now).map(Some),
            _ => Ok(None),
        }
    })
    .await
}

/// Begins a session of a person. For a name that nobody has, as much work is done.
async fn by_password(screens: &Screens, name: &str, password: String) -> Result<Option<String>, StoreError> {
    let name = name.to_owned();
    let found = screens.kept.ask(move |store| store.person(&name, Timestamp::now())).await?;
    let (token, known) = found.unzip();
    // The semaphore is never closed; those that wait for a place are bounded by the queue.
    let place = Arc::clone(&screens.checks).acquire_owned().await;
    let check = move || {
        let _place = place;
        Password::is(known.as_ref(), &password)
    };
    let checked = tokio::task::spawn_blocking(check).await;
    let is_theirs = checked.map_err(|_| StoreError::Thread(std::io::Error::other("it panicked")))?;
    match token.filter(|token| is_theirs && !Section::of(token.role).is_empty()) {
        None => Ok(None),
        Some(token) => {
            screens.kept.ask(move |store| store.begin_session(&token, Timestamp::now())).await.map(Some)
        }
    }
}

/// Whether a form was sent by a page of this server: browsers say where it comes from.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Csrf {
    csrf: String,
}

pub(super) async fn sign_out(
    State(kept): State<Kept>,
    visit: Visit,
    Form(sent): Form<Csrf>,
) -> Result<Response, Response> {
    if sent.csrf != visit.person.csrf {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    let session = visit.person.session.clone();
    visit.answered(kept.ask(move |store| store.sign_out(&session, Timestamp::now())).await)?;
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, gone)], Redirect::to("/sign-in?out=1")).into_response())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/calls", "/calls/01KJMBQDHX04HMASW9NF6YY093"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a?b",
            "/\r\nSet-Cookie: a=b",
            "calls",
        ] {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_from_here(&pairs.collect())
        };
        assert!(from(&[("origin", "http://a:9464"), ("host", "a:9464"), ("sec-fetch-site", "same-origin")]));
        assert!(from(&[("host", "a:9464")]), "no browser");
        assert!(!from(&[("origin", "http://b"), ("host", "a:9464")]));
        assert!(!from(&[("origin", "null"), ("host", "a:9464")]));
        assert!(!from(&[("sec-fetch-site", "cross-site"), ("host", "a:9464")]));
    }
}
