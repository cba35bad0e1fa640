//! Signing in by an identity provider: the way there, and the way back.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use sidetone_events::Timestamp;
use sidetone_oidc::{Answer, Finished, Oidc, OidcError, Refusal};
use sidetone_pages::Section;
use sidetone_store::{Identity, StoreError};
use tokio::time::Instant;

use super::frame::Frame;
use super::sign_in::{Gate, own_path, session_cookie};
use super::sources::Screens;
use crate::http::kept::cookie_named;
use crate::http::limits::Asker;

/// The cookie of an attempt.
const COOKIE: &str = "sidetone_attempt";
/// An address that is not this server's own is led to by a plain redirect: browsers remember no permanent one.
const SIGN_IN: &str = "/sign-in";

/// Leads to the provider.
pub(super) async fn begin(
    State(screens): State<Screens>,
    frame: Frame,
    asker: Asker,
    Query(gate): Query<Gate>,
) -> Response {
    let Some(oidc) = &screens.oidc else { return Redirect::to(SIGN_IN).into_response() };
    if let Err(wait) = screens.limits.came(asker, Instant::now()) {
        return frame.later(wait);
    }
    match oidc.begin(own_path(&gate.next), Timestamp::now().unix_seconds()).await {
        Ok(begun) => {
            let cookie = attempt_cookie(oidc, &begun.cookie, begun.lasts);
            ([(header::SET_COOKIE, cookie)], Redirect::to(&begun.location)).into_response()
        }
        Err(error) => turned_away(&error),
    }
}

/// Takes what the provider has sent somebody back with, and begins their session.
pub(super) async fn finish(
    State(screens): State<Screens>,
    frame: Frame,
    asker: Asker,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let Some(oidc) = screens.oidc.as_ref().map(Arc::clone) else {
        return Redirect::to(SIGN_IN).into_response();
    };
    if let Err(wait) = screens.limits.came(asker, Instant::now()) {
        return frame.later(wait);
    }
    let cookie = cookie_named(&headers, COOKIE);
    let finished = oidc.finish(answer, cookie.as_deref(), Timestamp::now().unix_seconds()).await;
    // One attempt is good for one answer.
    let gone = attempt_cookie(&oidc, "", 0);
    let response = match finished {
        Err(OidcError::Refused(name, why)) => {
            let reason = why.to_string();
            let noted = screens.kept.ask(move |store| store.note_refused(&name, &reason, Timestamp::now()));
            match noted.await {
                Err(error) => frame.unavailable(&error),
                Ok(()) => to_sign_in(word_of(why)),
            }
        }
        Err(error) => turned_away(&error),
        Ok(finished) => match begun(&screens, &finished).await {
            Err(error) => frame.unavailable(&error),
            Ok(None) => to_sign_in("revoked"),
            Ok(Some(session)) => {
                let cookie = session_cookie(&session, &headers, oidc.is_secure());
                ([(header::SET_COOKIE, cookie)], Redirect::to(own_path(&finished.next))).into_response()
            }
        },
    };
    let mut response = response;
    if let Ok(gone) = gone.parse() {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    response
}

/// Begins the session of somebody whom the provider has named; `None` if their token was revoked here.
async fn begun(screens: &Screens, finished: &Finished) -> Result<Option<String>, StoreError> {
    let person = &finished.person;
    if Section::of(person.role).is_empty() {
        return Ok(None);
    }
    let identity = Identity {
        issuer: finished.issuer.clone(),
        subject: person.subject.clone(),
        name: person.name.clone(),
        role: person.role,
        agent: person.agent.clone(),
    };
    let begun = screens.kept.ask(move |store| store.sign_in_identity(&identity, Timestamp::now()));
    Ok(begun.await?.map(|(session, _)| session))
}

fn attempt_cookie(oidc: &Oidc, value: &str, lasts: u64) -> String {
    let secure = if oidc.is_secure() { "; Secure" } else { "" };
    // Lax: it has to come back with the provider's redirect.
    format!("{COOKIE}={value}; Path=/sign-in; Max-Age={lasts}; HttpOnly; SameSite=Lax{secure}")
}

/// What the sign-in page is told of a refusal.
fn word_of(why: Refusal) -> &'static str {
    match why {
        Refusal::NoRole => "role",
        Refusal::Domain => "domain",
        Refusal::NoAgent => "agent",
    }
}

/// Leads back to the sign-in, which says why: an address with a code in it is for nobody to keep.
fn turned_away(error: &OidcError) -> Response {
    match error {
        OidcError::Provider(_) | OidcError::Unready(_) => {
            tracing::warn!(%error, "nobody can sign in by the identity provider");
            to_sign_in("provider")
        }
        OidcError::Token(_) => {
            tracing::warn!(%error, "somebody was not signed in");
            to_sign_in("token")
        }
        OidcError::Stale | OidcError::Code(_) | OidcError::Denied(_) | OidcError::Refused(..) => {
            tracing::info!(%error, "somebody was not signed in");
            to_sign_in(if matches!(error, OidcError::Denied(_)) { "denied" } else { "attempt" })
        }
    }
}

fn to_sign_in(fault: &str) -> Response {
    Redirect::to(&format!("{SIGN_IN}?fault={fault}")).into_response()
}
