//! The list of calls, one call, and what its reader adds to it.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use sidetone_call::Label;
use sidetone_events::Timestamp;
use sidetone_pages::{
    CallLabels, CallList, CallsForm, CallsQuery, NoteFault, NoteForm, Own, QueryFault, Refused, SelfNoteForm,
};
use sidetone_store::{Added, CallPart, Grouping, Noted, Role};

use super::frame::Frame;
use super::sources::Screens;
use super::visit::Visit;
use crate::http::kept::Kept;

/// Calls of a part of the list.
const A_PART: usize = 50;

pub(super) fn router() -> Router<Screens> {
    Router::new()
        .route("/calls", get(calls).post(asked_calls))
        .route("/calls/filters", post(keep_filter))
        .route("/calls/filters/forget", post(forget_filter))
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
        let part = filter.as_ref().map_or(Ok(CallPart::default()), calls)?;
        let labels = CallLabels {
            queues: store.labels(Grouping::Queue)?,
            teams: store.labels(Grouping::Team)?,
            tiers: store.labels(Grouping::Tier)?,
            has_topics: store.has_topics()?,
        };
        let mut view = store.seen_by(&token);
        let (filters, noted, moments) =
            (view.filters()?, view.noted(&part.calls)?, view.moments(Timestamp::now())?);
        Ok((part, store.trunks()?, labels, filters, noted, moments))
    });
    let (part, trunks, labels, filters, noted, moments) = visit.answered(asked.await)?;
    let list = CallList {
        noted: &noted,
        moments: &moments,
        rows: &part.calls,
        trunks: &trunks,
        labels: &labels,
        query: &query,
        fault,
        filters: &filters,
        next: part.next.as_ref(),
        looked_back_to: part.looked_back_to,
    };
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
        Err(fault) => refused(frame, fault),
    }
}

/// The list's page without a list: what was asked for can't be had.
fn refused(frame: &Frame, fault: QueryFault) -> Response {
    let (query, labels) = (CallsQuery::default(), CallLabels::default());
    let list = CallList {
        noted: &[],
        moments: &[],
        rows: &[],
        trunks: &[],
        labels: &labels,
        query: &query,
        fault: Some(fault),
        filters: &[],
        next: None,
        looked_back_to: None,
    };
    frame.answer(StatusCode::BAD_REQUEST, sidetone_pages::calls(&frame.shell(), &list))
}

/// A filter to be kept, or forgotten.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FilterForm {
    name: String,
    /// As it stands in the list's address.
    query: String,
    csrf: String,
}

async fn keep_filter(
    State(kept): State<Kept>,
    visit: Visit,
    Form(form): Form<FilterForm>,
) -> Result<Response, Response> {
    if form.csrf != visit.person.csrf {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    // Written anew from what it asks for: nothing else is kept, and so nothing else is ever linked.
    let read = format!("/calls{}", form.query).parse::<Uri>().ok();
    let query = read.and_then(|uri| Query::<CallsQuery>::try_from_uri(&uri).ok());
    let query = query.filter(|Query(query)| query.filter().is_ok()).map(|Query(query)| query.to_query());
    let (Ok(name), Some(query)) = (form.name.trim().parse::<Label>(), query) else {
        return Ok(refused(&visit.frame, QueryFault::Filter));
    };
    let (token, asked) = (visit.person.token.clone(), query.clone());
    let room = kept.ask(move |store| store.seen_by(&token).keep_filter(&name, &asked));
    if visit.answered(room.await)? {
        Ok(Redirect::to(&format!("/calls{query}")).into_response())
    } else {
        Ok(refused(&visit.frame, QueryFault::Filter))
    }
}

async fn forget_filter(
    State(kept): State<Kept>,
    visit: Visit,
    Form(form): Form<FilterForm>,
) -> Result<Response, Response> {
    if form.csrf != visit.person.csrf {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    let token = visit.person.token.clone();
    visit.answered(kept.ask(move |store| store.seen_by(&token).forget_filter(&form.name)).await)?;
    Ok(Redirect::to("/calls").into_response())
}

async fn call(State(kept): State<Kept>, visit: Visit, Path(id): Path<String>) -> Result<Response, Response> {
    page(&kept, &visit, id, None).await
}

/// A call's page, after a note that could not be kept with the reason.
async fn page(
    kept: &Kept,
    visit: &Visit,
    id: String,
    refused: Option<Refused>,
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
    let own = Own { self_note: self_note.as_ref(), refused: refused.as_ref() };
    let status = if refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
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
    let refused = |fault| Some(Refused { fault, sent: form.clone() });
    let Some(new) = form.note() else { return page(&kept, &visit, id, refused(NoteFault::Unfit)).await };
    let (token, of) = (visit.person.token.clone(), id.clone());
    let noted = kept.ask(move |store| store.seen_by(&token).add_note(&of, &new, Timestamp::now()));
    match visit.answered(noted.await)? {
        Noted::Done(_) => Ok(back(&id, "notes")),
        Noted::Wrong(_) => page(&kept, &visit, id, refused(NoteFault::Unfit)).await,
        Noted::Not(Added::Full) => page(&kept, &visit, id, refused(NoteFault::Full)).await,
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
    let (token, of, text) = (visit.person.token.clone(), id.clone(), form.text.clone());
    let kept_note =
        kept.ask(move |store| store.seen_by(&token).write_self_note(&of, &text, Timestamp::now()));
    match visit.answered(kept_note.await)? {
        Ok(Added::Done) => Ok(back(&id, "self-note")),
        Ok(_) => Err(visit.frame.problem(StatusCode::NOT_FOUND)),
        Err(_) => {
            let sent = NoteForm { text: form.text, ..NoteForm::default() };
            page(&kept, &visit, id, Some(Refused { fault: NoteFault::Unfit, sent })).await
        }
    }
}

/// Leads to a part of a call's page. The id is one that a call has, so it is of letters and digits.
fn back(id: &str, part: &str) -> Response {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    Redirect::to(&format!("/calls/{id}#{part}")).into_response()
}
