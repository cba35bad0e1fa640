//! What is added to calls by HTTP, version 1: outcomes and surveys from the operator's own systems, supervisors' notes,
//! and agents' own ones. Every request needs a token of `sidetone token create`; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_events::Timestamp;
use sidetone_store::{
    Added, CallOutcome, NewNote, NotAdded, Note, Noted, Role, SelfNote, StoreError, Survey, Token, View,
};

use super::etag::tagged;
use super::history::{allowed, private};
use super::kept::{Kept, unavailable};
use super::limits::{Limits, of_api};
use super::problem::detailed;
use super::route::Route;

/// Most bytes of a request: a text of 2,000 characters, each written as two escapes, and some names.
const LONGEST: usize = 32 * 1024;
const NO_CALL: &str = "there is no such call, or it was too old to keep";

/// The paths.
pub(super) fn routes() -> [Route<Kept>; 4] {
    [
        ("/api/v1/calls/{id}/outcome", post(outcome)),
        ("/api/v1/calls/{id}/survey", post(survey)),
        ("/api/v1/calls/{id}/notes", get(notes).post(note)),
        ("/api/v1/calls/{id}/self-note", get(self_note).put(write_self_note)),
    ]
}

pub(super) fn router(kept: Kept, limits: Arc<Limits>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, route)| router.route(path, route))
        .layer(DefaultBodyLimit::max(LONGEST))
        .route_layer(from_fn(tagged))
        .route_layer(from_fn_with_state(limits, of_api))
        .with_state(kept)
}

type Id = Result<Path<String>, PathRejection>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// Who asks, and of which call; or the answer that they get instead.
async fn asked(
    kept: &Kept,
    headers: &HeaderMap,
    id: Id,
    may: impl Fn(Role) -> bool,
) -> Result<(Token, String), Response> {
    let token = allowed(kept, headers, may).await?;
    match id {
        Ok(Path(id)) => Ok((token, id)),
        Err(error) => Err(detailed(StatusCode::BAD_REQUEST, error.body_text())),
    }
}

fn unread(error: &JsonRejection) -> Response {
    detailed(error.status(), error.body_text())
}

fn unfit(error: NotAdded) -> Response {
    detailed(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
}

/// Adds what a request brings to its call: who asks, of which call, what, and then where it is kept.
async fn add<T: Send + 'static>(
    kept: &Kept,
    headers: &HeaderMap,
    id: Id,
    body: Body<T>,
    may: impl Fn(Role) -> bool,
    keep: impl Fn(&mut View<'_>, &str, &T, Timestamp) -> Result<Result<Added, NotAdded>, StoreError>
    + Send
    + 'static,
) -> Result<Response, Response> {
    let (token, id) = asked(kept, headers, id, may).await?;
    let Json(sent) = body.map_err(|error| unread(&error))?;
    match kept.ask(move |store| keep(&mut store.seen_by(&token), &id, &sent, Timestamp::now())).await {
        Ok(Err(wrong)) => Err(unfit(wrong)),
        Ok(Ok(done)) => Ok(added(done)),
        Err(error) => Err(unavailable(&error)),
    }
}

/// The answer where something has been added, or has found no place.
fn added(added: Added) -> Response {
    match added {
        Added::Done => StatusCode::NO_CONTENT.into_response(),
        Added::NoCall => detailed(StatusCode::NOT_FOUND, NO_CALL),
        Added::Several => detailed(
            StatusCode::CONFLICT,
            "more than one call has that SIP Call-ID; give Sidetone's id of the call",
        ),
        Added::Full => detailed(StatusCode::CONFLICT, "the call has as many notes as a call may have"),
    }
}

async fn outcome(
    State(kept): State<Kept>,
    headers: HeaderMap,
    id: Id,
    body: Body<CallOutcome>,
) -> Result<Response, Response> {
    add(&kept, &headers, id, body, Role::adds_outcomes, |view, id, outcome, now| {
        if let Err(wrong) = outcome.check() {
            return Ok(Err(wrong));
        }
        view.add_outcome(id, outcome, now).map(Ok)
    })
    .await
}

async fn survey(
    State(kept): State<Kept>,
    headers: HeaderMap,
    id: Id,
    body: Body<Survey>,
) -> Result<Response, Response> {
    add(&kept, &headers, id, body, Role::adds_outcomes, |view, id, survey, now| {
        if let Err(wrong) = survey.check() {
            return Ok(Err(wrong));
        }
        view.add_survey(id, survey, now).map(Ok)
    })
    .await
}

#[derive(Debug, Serialize)]
struct Notes {
    notes: Vec<Note>,
}

async fn notes(State(kept): State<Kept>, headers: HeaderMap, id: Id) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, Role::sees_calls).await?;
    Ok(match kept.ask(move |store| store.seen_by(&token).notes(&id, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(None) => detailed(StatusCode::NOT_FOUND, NO_CALL),
        Ok(Some(notes)) => private(Json(Notes { notes })),
    })
}

async fn note(
    State(kept): State<Kept>,
    headers: HeaderMap,
    id: Id,
    body: Body<NewNote>,
) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, |role| role == Role::Supervisor).await?;
    let Json(new) = body.map_err(|error| unread(&error))?;
    new.check().map_err(unfit)?;
    Ok(match kept.ask(move |store| store.seen_by(&token).add_note(&id, &new, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(Noted::Not(not)) => added(not),
        Ok(Noted::Wrong(wrong)) => unfit(wrong),
        Ok(Noted::Done(note)) => (StatusCode::CREATED, private(Json(note))).into_response(),
    })
}

#[derive(Debug, Serialize)]
struct Own {
    note: Option<SelfNote>,
}

async fn self_note(State(kept): State<Kept>, headers: HeaderMap, id: Id) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, |role| role == Role::Agent).await?;
    Ok(match kept.ask(move |store| store.seen_by(&token).self_note(&id, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(None) => detailed(StatusCode::NOT_FOUND, NO_CALL),
        Ok(Some(note)) => private(Json(Own { note })),
    })
}

/// An agent's own note.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    text: String,
}

async fn write_self_note(
    State(kept): State<Kept>,
    headers: HeaderMap,
    id: Id,
    body: Body<Written>,
) -> Result<Response, Response> {
    add(
        &kept,
        &headers,
        id,
        body,
        |role| role == Role::Agent,
        |view, id, Written { text }, now| view.write_self_note(id, text, now),
    )
    .await
}
