//! The list of calls, one call, and what its reader adds to it.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use sidetone_events::Timestamp;
use sidetone_pages::{CallLabels, CallList, CallsForm, CallsQuery, NoteFault, NoteForm, Own, SelfNoteForm};
use sidetone_store::{Added, Grouping, Noted, Role};

use super::sources::Screens;
use super::visit::Visit;
use crate::http::kept::Kept;

/// Calls of a part of the list.
const A_PART: usize = 50;

pub(super) fn router() -> Router<Screens> {
    Router::new()
        .route("/calls", get(calls).post(asked_calls))
        .route("/calls/{id}", get(call))
        .route("/calls/{id}/notes", post(note))
        .route("/calls/{id}/self-note", post(self_note))
}

async fn calls(
    State(kept): State<Kept>,
    visit: Visit,
    Query(query): Query<CallsQuery>,
) -> Result<Response, Response> {
    let (filter, fault) = match query.filter() {
        Ok(filter) => (Some(filter), None),
        Err(fault) => (None, Some(fault)),
    };
    let token = visit.person.token.clone();
    let asked = kept.ask(move |store| {
        let mut view = store.seen_by(&token);
        let calls = |filter| view.calls(filter, A_PART, Timestamp::now());
        let rows = filter.as_ref().map_or(Ok(Vec::new()), calls)?;
        let labels = CallLabels {
            queues: store.labels(Grouping::Queue)?,
            teams: store.labels(Grouping::Team)?,
            tiers: store.labels(Grouping::Tier)?,
        };
        Ok((rows, store.trunks()?, labels))
    });
    let (rows, trunks, labels) = visit.answered(asked.await)?;
    let next = rows.last().filter(|_| rows.len() == A_PART).map(sidetone_store::Call::cursor);
    let list =
        CallList { rows: &rows, trunks: &trunks, labels: &labels, query: &query, fault, next: next.as_ref() };
    Ok(visit.frame.ok(sidetone_pages::calls(&visit.frame.shell(), &list)))
}

/// Leads to the list that a form asks for: a number in clear stands in no address.
async fn asked_calls(State(kept): State<Kept>, visit: Visit, Form(form): Form<CallsForm>) -> Response {
    let frame = &visit.frame;
    if form.csrf != visit.person.csrf {
        return frame.problem(StatusCode::FORBIDDEN);
    }
    match form.clone().query(|number| kept.number(number)) {
        Ok(query) => Redirect::to(&format!("/calls{}", query.to_query())).into_response(),
        Err(fault) => {
            let (query, labels) = (CallsQuery::default(), CallLabels::default());
            let list = CallList {
                rows: &[],
                trunks: &[],
                labels: &labels,
                query: &query,
                fault: Some(fault),
                next: None,
            };
            frame.answer(StatusCode::BAD_REQUEST, sidetone_pages::calls(&frame.shell(), &list))
        }
    }
}

async fn call(State(kept): State<Kept>, visit: Visit, Path(id): Path<String>) -> Result<Response, Response> {
    page(&kept, &visit, id, None).await
}

/// A call's page, after a note that could not be kept with the reason.
async fn page(
    kept: &Kept,
    visit: &Visit,
    id: String,
    fault: Option<NoteFault>,
) -> Result<Response, Response> {
    let token = visit.person.token.clone();
    let found = kept.ask(move |store| {
        let mut view = store.seen_by(&token);
        let Some(details) = view.call(&id, Timestamp::now())? else { return Ok(None) };
        let own = if token.role == Role::Agent { view.self_note(&id, Timestamp::now())? } else { None };
        Ok(Some((details, own.flatten())))
    });
    let Some((details, self_note)) = visit.answered(found.await)? else {
        return Ok(visit.frame.problem(StatusCode::NOT_FOUND));
    };
    let own = Own { self_note: self_note.as_ref(), fault };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(visit.frame.answer(status, sidetone_pages::call(&visit.frame.shell(), &details, &own)))
}

/// Keeps a supervisor's note on a call.
async fn note(
    State(kept): State<Kept>,
    visit: Visit,
    Path(id): Path<String>,
    Form(form): Form<NoteForm>,
) -> Result<Response, Response> {
    if form.csrf != visit.person.csrf || visit.person.token.role != Role::Supervisor {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    let Some(new) = form.note() else { return page(&kept, &visit, id, Some(NoteFault::Unfit)).await };
    let (token, of) = (visit.person.token.clone(), id.clone());
    let noted = kept.ask(move |store| store.seen_by(&token).add_note(&of, &new, Timestamp::now()));
    match visit.answered(noted.await)? {
        Noted::Done(_) => Ok(back(&id, "notes")),
        Noted::Wrong(_) => page(&kept, &visit, id, Some(NoteFault::Unfit)).await,
        Noted::Not(Added::Full) => page(&kept, &visit, id, Some(NoteFault::Full)).await,
        Noted::Not(_) => Err(visit.frame.problem(StatusCode::NOT_FOUND)),
    }
}

/// Keeps an agent's note for themselves.
async fn self_note(
    State(kept): State<Kept>,
    visit: Visit,
    Path(id): Path<String>,
    Form(form): Form<SelfNoteForm>,
) -> Result<Response, Response> {
    if form.csrf != visit.person.csrf || visit.person.token.role != Role::Agent {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    let (token, of) = (visit.person.token.clone(), id.clone());
    let kept_note =
        kept.ask(move |store| store.seen_by(&token).write_self_note(&of, &form.text, Timestamp::now()));
    match visit.answered(kept_note.await)? {
        Ok(Added::Done) => Ok(back(&id, "self-note")),
        Ok(_) => Err(visit.frame.problem(StatusCode::NOT_FOUND)),
        Err(_) => page(&kept, &visit, id, Some(NoteFault::Unfit)).await,
    }
}

/// Leads to a part of a call's page. The id is one that a call has, so it is of letters and digits.
fn back(id: &str, part: &str) -> Response {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    Redirect::to(&format!("/calls/{id}#{part}")).into_response()
}
