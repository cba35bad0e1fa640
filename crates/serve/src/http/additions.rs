//! What is added to calls by HTTP, version 1: outcomes and surveys from the operator's own systems, supervisors' notes,
//! and agents' own ones. Every request needs a token of `sidetone token create`; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_events::Timestamp;
use sidetone_store::{
    Added, CallOutcome, Invitation, NewNote, NotAdded, Note, Noted, Role, SelfNote, StoreError, Survey,
    Token, View,
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{self, NotTaken, OfStore, Tagged, Told};
use super::etag::tagged;
use super::history::{allowed, private};
use super::kept::{Kept, unavailable};
use super::limits::{Limits, of_api};
use super::problem::{Detail, detailed};

/// Most bytes of a request: a text of 2,000 characters, each written as two escapes, and some names.
const LONGEST: usize = 32 * 1024;
const NO_CALL: &str = "there is no such call, or it was too old to keep";

/// The paths.
pub(super) fn paths() -> OpenApiRouter<Kept> {
    OpenApiRouter::new()
        .routes(routes!(outcome))
        .routes(routes!(survey))
        .routes(routes!(survey_link))
        .routes(routes!(notes, note))
        .routes(routes!(self_note, write_self_note))
}

pub(super) fn router(kept: Kept, limits: Arc<Limits>) -> Router {
    Router::from(paths())
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

/// Tell what became of the caller's matter
///
/// For integrations: a CRM, a ticket system. An outcome takes the place of an earlier one. Members that are left out or
/// null are not known; at least one is.
#[utoipa::path(
    post,
    path = "/api/v1/calls/{id}/outcome",
    operation_id = "addOutcome",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    request_body = CallOutcome,
    security(("storeToken" = [])),
    responses(
        (status = 204, description = "It is kept."),
        answers::Added, NotTaken, OfStore,
    ),
)]
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

/// Tell what the caller has said of the call afterwards
///
/// For integrations. A survey takes the place of an earlier one. Members that are left out or null were not answered;
/// at least one was.
#[utoipa::path(
    post,
    path = "/api/v1/calls/{id}/survey",
    operation_id = "addSurvey",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    request_body = Survey,
    security(("storeToken" = [])),
    responses(
        (status = 204, description = "It is kept."),
        answers::Added, NotTaken, OfStore,
    ),
)]
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

/// Make a link by which the caller answers
///
/// For integrations, which send it by SMS or mail. It leads to a page of three questions in the caller's language,
/// holds for seven days and for one answer, and needs no sign-in: whoever has it is the caller.
#[utoipa::path(
    post,
    path = "/api/v1/calls/{id}/survey/link",
    operation_id = "makeSurveyLink",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    security(("storeToken" = [])),
    responses(
        (status = 201, description = "It is made.", body = Invitation),
        answers::Added, Told, OfStore,
    ),
)]
async fn survey_link(State(kept): State<Kept>, headers: HeaderMap, id: Id) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, Role::adds_outcomes).await?;
    Ok(match kept.ask(move |store| store.seen_by(&token).invite(&id, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(Err(not)) => added(not),
        Ok(Ok(link)) => (StatusCode::CREATED, private(Json(link))).into_response(),
    })
}

/// Notes of a call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NoteList)]
struct Notes {
    /// The oldest first.
    notes: Vec<Note>,
}

/// The supervisors' notes on a call
///
/// For supervisors, integrations, and the call's agent. Each answer is noted in the log of accesses.
#[utoipa::path(
    get,
    path = "/api/v1/calls/{id}/notes",
    operation_id = "notes",
    params(
        ("id" = String, Path, description = "Sidetone's id of the call."),
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The notes.", body = Notes,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        (status = 404, description = "There is no such call for this token, or it was too old to keep.", body = Detail,
            content_type = "application/problem+json"),
        Told, Tagged, OfStore,
    ),
)]
async fn notes(State(kept): State<Kept>, headers: HeaderMap, id: Id) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, Role::sees_calls).await?;
    Ok(match kept.ask(move |store| store.seen_by(&token).notes(&id, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(None) => detailed(StatusCode::NOT_FOUND, NO_CALL),
        Ok(Some(notes)) => private(Json(Notes { notes })),
    })
}

/// Leave a note for the call's agent
///
/// For supervisors. A moment to learn from and a moment of empathy need their time in the call.
#[utoipa::path(
    post,
    path = "/api/v1/calls/{id}/notes",
    operation_id = "addNote",
    params(("id" = String, Path, description = "Sidetone's id of the call, or its SIP Call-ID, percent-encoded.")),
    request_body = NewNote,
    security(("storeToken" = [])),
    responses(
        (status = 201, description = "It is kept.", body = Note),
        answers::Added, NotTaken, OfStore,
    ),
)]
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

/// An agent's own note.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnNote)]
struct Own {
    /// null if there is none.
    note: Option<SelfNote>,
}

/// An agent's own note on a call
///
/// For the call's agent alone: no other role can read it, here or elsewhere.
#[utoipa::path(
    get,
    path = "/api/v1/calls/{id}/self-note",
    operation_id = "selfNote",
    params(
        ("id" = String, Path, description = "Sidetone's id of the call."),
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The note.", body = Own,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        (status = 404, description = "There is no such call for this token, or it was too old to keep.", body = Detail,
            content_type = "application/problem+json"),
        Told, Tagged, OfStore,
    ),
)]
async fn self_note(State(kept): State<Kept>, headers: HeaderMap, id: Id) -> Result<Response, Response> {
    let (token, id) = asked(&kept, &headers, id, |role| role == Role::Agent).await?;
    Ok(match kept.ask(move |store| store.seen_by(&token).self_note(&id, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(None) => detailed(StatusCode::NOT_FOUND, NO_CALL),
        Ok(Some(note)) => private(Json(Own { note })),
    })
}

/// An agent's own note, to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WrittenNote)]
pub(super) struct Written {
    /// 1 to 2,000 characters.
    #[schema(min_length = 1, max_length = 2_000)]
    text: String,
}

/// Note something for oneself
///
/// For the call's agent. It takes the place of an earlier one.
#[utoipa::path(
    put,
    path = "/api/v1/calls/{id}/self-note",
    operation_id = "writeSelfNote",
    params(("id" = String, Path, description = "Sidetone's id of the call.")),
    request_body = Written,
    security(("storeToken" = [])),
    responses(
        (status = 204, description = "It is kept."),
        answers::Added, NotTaken, OfStore,
    ),
)]
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
