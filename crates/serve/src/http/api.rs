//! The changing part of the HTTP API: telling Sidetone of a call, and announcing into it. Every request needs the
//! token.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Deserialize;
use sidetone_consent::{Source, Telling};
use sidetone_events::Revealed;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers;
use super::problem::{Problem, problem};
use crate::control::Toward;
use sidetone_book::{Calls, NotOne, NotTaken};

/// Most bytes of a request: a name and a value are some hundred.
const LONGEST: usize = 16 * 1024;

/// The API's paths.
pub(super) fn paths() -> OpenApiRouter<Arc<Calls>> {
    OpenApiRouter::new().routes(routes!(tell)).routes(routes!(announce))
}

/// The routes, behind the token.
pub(super) fn router(token: Revealed, calls: Arc<Calls>) -> Router {
    Router::from(paths())
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
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tell {
    /// consent, analysis, queue, agent, team, call-type, tier, language, party or customer.
    name: String,
    /// consent: announced, granted, refused. analysis: start, stop. party: human, bot. customer: yes, no. language: a
    /// tag of RFC 5646. The others: text.
    value: String,
}

/// Tell Sidetone something of a call
///
/// As a PBX does (docs/PBX.md, "What the PBX may tell").
#[utoipa::path(
    post,
    path = "/api/calls/{id}/tell",
    operation_id = "tell",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    request_body(content = Tell, description = "At most 16 KiB.", example = json!({ "name": "consent", "value": "refused" })),
    security(("apiToken" = [])),
    responses(
        (status = 204, description = "Taken."),
        (status = 404, description = "No such call is up; or no `http.token` is set, and nothing can be changed by HTTP.",
            body = Problem),
        (status = 409, body = Problem, description = "More than one call has that SIP Call-ID; the error lists Sidetone's \
            own ids of those calls. Or it would allow what the customer has refused for good, or what is over: nothing \
            follows from it."),
        answers::Api,
    ),
)]
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

/// What is announced, and to whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announce {
    /// Which announcement.
    name: String,
    /// A tag of RFC 5646; else the configured language.
    language: Option<String>,
    /// Who hears it: the customer, unless another is named.
    #[serde(default)]
    to: Toward,
}

/// Play an announcement into a call
///
/// One of those that come with Sidetone, or of `[announcement.files]`.
#[utoipa::path(
    post,
    path = "/api/calls/{id}/announce",
    operation_id = "announce",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    request_body(content = Announce, description = "At most 16 KiB.",
        example = json!({ "name": "notice", "language": "de", "to": "both" })),
    security(("apiToken" = [])),
    responses(
        (status = 202, description = "It begins in a moment; the event `announcement` tells how it goes on."),
        (status = 404, description = "No such call is up; or no `http.token` is set, and nothing can be changed by HTTP.",
            body = Problem),
        (status = 409, body = Problem,
            description = "It can't be played: no such announcement, one that plays already, a call that isn't answered."),
        answers::Api,
    ),
)]
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
