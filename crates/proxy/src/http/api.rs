//! What changes something by HTTP: telling Sidetone of a call, and announcing into it. Every request needs the token.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use sidetone_consent::{Source, Telling};
use sidetone_events::Revealed;

use crate::control::Toward;
use crate::server::Shared;

/// The routes, behind the token.
pub(super) fn router(token: Revealed, shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/calls/{id}/tell", post(tell))
        .route("/api/calls/{id}/announce", post(announce))
        .route_layer(from_fn_with_state(Arc::new(token), authorised))
        .with_state(shared)
}

async fn authorised(State(token): State<Arc<Revealed>>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    if same(given, token.bytes()) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (
        StatusCode::UNAUTHORIZED,
        challenge,
        problem("send `Authorization: Bearer` with the token of http.token"),
    )
        .into_response()
}

/// Takes the same time wherever the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differing == 0
}

/// One thing told: `{"name": "consent", "value": "refused"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tell {
    name: String,
    value: String,
}

async fn tell(State(shared): State<Arc<Shared>>, Path(id): Path<String>, Json(tell): Json<Tell>) -> Response {
    match Telling::parse(&tell.name, &tell.value) {
        Err(unknown) => (StatusCode::BAD_REQUEST, problem(&unknown.to_string())).into_response(),
        Ok(telling) if shared.calls().told(&id, &telling, Source::Api) => {
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(_) => (StatusCode::NOT_FOUND, problem("no such call is up")).into_response(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announce {
    name: String,
    language: Option<String>,
    #[serde(default)]
    to: Toward,
}

async fn announce(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Json(what): Json<Announce>,
) -> Response {
    match shared.calls().play(&id, &what.name, what.language.as_deref(), what.to.faces()) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(error) => (StatusCode::CONFLICT, problem(&error)).into_response(),
    }
}

fn problem(error: &str) -> Json<serde_json::Value> {
    Json(json!({ "error": error }))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_whole_token_is_the_token() {
        assert!(same(b"0123456789abcdef", b"0123456789abcdef"));
        for wrong in [&b""[..], b"0", b"0123456789abcdeF", b"0123456789abcdef0"] {
            assert!(!same(wrong, b"0123456789abcdef"));
        }
    }
}
