//! The list of calls, and one call.

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use sidetone_events::Timestamp;
use sidetone_pages::{CallList, CallsForm, CallsQuery};

use super::visit::Visit;
use crate::http::history::found;
use crate::http::kept::Kept;

/// Calls of a part of the list.
const A_PART: usize = 50;

pub(super) fn router() -> Router<Kept> {
    Router::new().route("/calls", get(calls).post(asked_calls)).route("/calls/{id}", get(call))
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
        let rows = filter.as_ref().map_or(Ok(Vec::new()), |filter| found(store, &token, filter, A_PART))?;
        Ok((rows, store.trunks()?))
    });
    let (rows, trunks) = visit.answered(asked.await)?;
    let next = rows.last().filter(|_| rows.len() == A_PART).map(sidetone_store::Call::cursor);
    let list = CallList { rows: &rows, trunks: &trunks, query: &query, fault, next: next.as_ref() };
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
            let query = CallsQuery::default();
            let list = CallList { rows: &[], trunks: &[], query: &query, fault: Some(fault), next: None };
            frame.answer(StatusCode::BAD_REQUEST, sidetone_pages::calls(&frame.shell(), &list))
        }
    }
}

async fn call(State(kept): State<Kept>, visit: Visit, Path(id): Path<String>) -> Result<Response, Response> {
    let token = visit.person.token.clone();
    let found = kept.ask(move |store| {
        let found = store.call(&id)?;
        if let Some(details) = &found {
            store.note_access(&token, "call.read", &details.call.id, Timestamp::now())?;
        }
        Ok(found)
    });
    Ok(match visit.answered(found.await)? {
        None => visit.frame.problem(StatusCode::NOT_FOUND),
        Some(details) => visit.frame.ok(sidetone_pages::call(&visit.frame.shell(), &details)),
    })
}
