//! The agent's page: their call, live, and its cue.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::StreamExt;
use serde::Deserialize;
use sidetone_events::Timestamp;
use sidetone_insight::cues::Answer;
use sidetone_pages::DeskPaths;
use sidetone_store::CallFilter;

use super::sources::Screens;
use super::visit::Visit;
use crate::http::desk::{Desks, Refused};
use crate::http::kept::{Kept, cookie};

/// A comment after such a silence, so that nobody on the way closes the stream.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
const PATHS: DeskPaths<'_> = DeskPaths { stream: "/desk/stream", part: "/desk/call", answer: "/desk/answer" };

pub(super) fn router(desks: Desks, practice: bool) -> Router<Screens> {
    Router::new()
        .route("/desk", get(desk))
        .route("/agent", get(from_elsewhere))
        .route("/desk/last", get(last))
        .route(PATHS.part, get(part))
        .route(PATHS.stream, get(stream))
        .route(PATHS.answer, post(answer))
        .layer(Extension(desks))
        .layer(Extension(HasPractice(practice)))
}

/// The agent who has signed in.
// The answer is what a handler gives: boxed it would be unboxed at once.
#[allow(clippy::result_large_err)]
pub(super) fn agent(visit: &Visit) -> Result<&str, Response> {
    let agent = visit.person.token.agent.as_deref();
    agent.ok_or_else(|| visit.frame.problem(StatusCode::FORBIDDEN))
}

/// Whether there are recorded calls to practise with.
#[derive(Clone, Copy)]
struct HasPractice(bool);

async fn desk(
    Extension(desks): Extension<Desks>,
    Extension(HasPractice(practice)): Extension<HasPractice>,
    visit: Visit,
) -> Result<Response, Response> {
    let agent = agent(&visit)?;
    let call = desks.call_of(agent).await;
    Ok(visit.frame.ok(sidetone_pages::desk(&visit.frame.shell(), call.as_ref(), agent, PATHS, practice)))
}

/// Calls that are looked through for the last one that is over.
const LATEST: usize = 10;

/// Leads to the agent's last call, or to their list if none is kept.
async fn last(State(kept): State<Kept>, visit: Visit) -> Result<Response, Response> {
    agent(&visit)?;
    let token = visit.person.token.clone();
    let asked =
        kept.ask(move |store| store.seen_by(&token).calls(&CallFilter::default(), LATEST, Timestamp::now()));
    let last = visit.answered(asked.await)?.calls;
    let over = last.iter().find(|call| call.ended.is_some());
    let path = over.map_or_else(|| "/calls".to_owned(), |call| format!("/calls/{}", call.id));
    Ok(Redirect::to(&path).into_response())
}

/// `?ext=2001`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    ext: Option<String>,
}

/// A link in another program, which names the agent: it leads nowhere but to the reader's own desk.
async fn from_elsewhere(visit: Visit, Query(from): Query<From>) -> Result<Response, Response> {
    let agent = agent(&visit)?;
    if from.ext.is_some_and(|ext| ext != agent) {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    Ok(Redirect::to("/desk").into_response())
}

async fn part(Extension(desks): Extension<Desks>, visit: Visit) -> Result<Response, Response> {
    let call = desks.call_of(agent(&visit)?).await;
    Ok(visit.frame.ok(sidetone_pages::desk_fragment(&visit.frame.shell(), call.as_ref(), PATHS)))
}

/// The part of the desk that changes, each time that it does.
async fn stream(
    State(kept): State<Kept>,
    Extension(desks): Extension<Desks>,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let followed = desks.follow(kept, cookie(&headers), agent(&visit)?);
    let events = followed.map(move |call| {
        let shell = visit.frame.again();
        let part = sidetone_pages::desk_fragment(&shell.shell(), call.as_deref(), PATHS);
        Ok::<_, Infallible>(Event::default().data(part))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

/// An answer to a cue.
#[derive(Deserialize)]
struct Answered {
    csrf: String,
    call: String,
    number: u32,
    answer: Answer,
}

async fn answer(
    Extension(desks): Extension<Desks>,
    visit: Visit,
    Form(form): Form<Answered>,
) -> Result<Response, Response> {
    let agent = agent(&visit)?;
    if form.csrf != visit.person.csrf {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    match desks.answer(agent, &form.call, form.number, form.answer) {
        // A cue that has gone meanwhile needs no answer any more.
        Ok(()) | Err(Refused::NotShown) => Ok(Redirect::to("/desk").into_response()),
        Err(Refused::NoCall) => Err(visit.frame.problem(StatusCode::NOT_FOUND)),
    }
}
