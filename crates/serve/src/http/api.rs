//! The changing part of the HTTP API: telling Sidetone of a call, and announcing into it. Every request needs the
//! token.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use sidetone_consent::{Source, Telling};
use sidetone_events::Revealed;

use super::problem::problem;
use super::route::Route;
use crate::control::Toward;
use sidetone_book::{Calls, NotOne, NotTaken};

/// Most bytes of a request: a name and a value are some hundred.
const LONGEST: usize = 16 * 1024;

/// The API's paths.
pub(super) fn routes() -> [Route<Arc<Calls>>; 2] {
    [("/api/calls/{id}/tell", post(tell)), ("/api/calls/{id}/announce", post(announce))]
}

/// The routes, behind the token.
pub(super) fn router(token: Revealed, calls: Arc<Calls>) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route));
    router
        .layer(DefaultBodyLimit::max(LONGEST))
        .route_layer(from_fn_with_state(Arc::new(token), authorised))
        .with_state(calls)
}

async fn authorised(State(token): State<Arc<Revealed>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    if same(given.unwrap_or_default(), token.bytes()) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    let said = "send `Authorization: Bearer` with the token of http.token";
    (challenge, problem(StatusCode::UNAUTHORIZED, said)).into_response()
}

/// The token in a value of Authorization. The scheme's name is case-insensitive, with any number of spaces behind it
/// (RFC 9110 §11.1, §11.4).
pub(super) fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    let spaced = scheme.eq_ignore_ascii_case(SCHEME) && token.first() == Some(&b' ');
    spaced.then(|| token.trim_ascii())
}

/// Compares in constant time.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differing == 0
}

/// One statement: `{"name": "consent", "value": "refused"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tell {
    name: String,
    value: String,
}

async fn tell(State(calls): State<Arc<Calls>>, Path(id): Path<String>, Json(tell): Json<Tell>) -> Response {
    match Telling::parse(&tell.name, &tell.value) {
        Err(unknown) => problem(StatusCode::BAD_REQUEST, unknown.to_string()),
        Ok(telling) => match calls.told(&id, &telling, Source::Api) {
            Ok(_) => StatusCode::NO_CONTENT.into_response(),
            Err(NotTaken::NotOne(error)) => no_one_call(&error),
            Err(error @ (NotTaken::Final(_) | NotTaken::Over)) => {
                problem(StatusCode::CONFLICT, error.to_string())
            }
            Err(error) => problem(StatusCode::BAD_REQUEST, error.to_string()),
        },
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announce {
    name: String,
    language: Option<String>,
    #[serde(default)]
    to: Toward,
}

async fn announce(
    State(calls): State<Arc<Calls>>,
    Path(id): Path<String>,
    Json(what): Json<Announce>,
) -> Response {
    if let Err(error) = calls.find(&id) {
        return no_one_call(&error);
    }
    match calls.play(&id, &what.name, what.language.as_deref(), what.to.sides()) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => problem(StatusCode::CONFLICT, error.to_string()),
    }
}

fn no_one_call(error: &NotOne) -> Response {
    match error {
        NotOne::Unknown(_) => problem(StatusCode::NOT_FOUND, "no such call is up"),
        NotOne::Several { .. } => problem(StatusCode::CONFLICT, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{bearer, same};

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(bearer(value.as_bytes()), Some(&b"abc"[..]), "{value}");
        }
        for value in ["", "Bearer", "Bearerabc", "Basic abc", "abc"] {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(same(b"0123456789abcdef", b"0123456789abcdef"));
        for wrong in [&b""[..], b"0", b"0123456789abcdeF", b"0123456789abcdef0"] {
            assert!(!same(wrong, b"0123456789abcdef"));
        }
    }
}
