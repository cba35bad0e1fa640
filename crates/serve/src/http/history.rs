//! The reading part of the HTTP API, version 1: calls and figures from the store. Every request needs a token of
//! `sidetone token create`; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_call::{Label, Topic};
use sidetone_events::Timestamp;
use sidetone_store::{
    Call, CallFilter, CueSum, Cursor, Day, Grouping, HoldoutSum, Outcome, Role, Token, TopicSum,
};

use super::etag::tagged;
use super::kept::{Kept, authorization, unavailable};
use super::limits::{Limits, of_api};
use super::problem::detailed;
use super::route::Route;

/// Calls of an answer, if no number is asked for; the most there are is the store's.
const USUAL: usize = 100;
const MOST: usize = 500;
/// Days of an answer, if no first one is asked for, and the most.
const USUAL_DAYS: u64 = 30;
const MOST_DAYS: u64 = 800;

/// The paths.
pub(super) fn routes() -> [Route<Kept>; 5] {
    [
        ("/api/v1/calls", get(calls)),
        ("/api/v1/calls/{id}", get(call)),
        ("/api/v1/days", get(days)),
        ("/api/v1/cues", get(cues)),
        ("/api/v1/topics", get(topics)),
    ]
}

pub(super) fn router(kept: Kept, limits: Arc<Limits>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, route)| router.route(path, route))
        .route_layer(from_fn(tagged))
        .route_layer(from_fn_with_state(limits, of_api))
        .with_state(kept)
}

/// The token of a request that may see what it asks for, or the answer that it gets instead.
pub(super) async fn allowed(
    kept: &Kept,
    headers: &HeaderMap,
    sees: impl Fn(Role) -> bool,
) -> Result<Token, Response> {
    match kept.token(authorization(headers)).await {
        Err(error) => Err(unavailable(&error)),
        Ok(Some(token)) if sees(token.role) => Ok(token),
        Ok(Some(token)) => {
            let said = format!("the role {} may not do this", token.role.name());
            Err(detailed(StatusCode::FORBIDDEN, said))
        }
        Ok(None) => {
            let said = "send `Authorization: Bearer` with a token of `sidetone token create`";
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            Err((challenge, detailed(StatusCode::UNAUTHORIZED, said)).into_response())
        }
    }
}

/// Which calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<u64>,
    until: Option<u64>,
    trunk: Option<String>,
    queue: Option<Label>,
    agent: Option<Label>,
    team: Option<Label>,
    tier: Option<Label>,
    direction: Option<String>,
    number: Option<String>,
    topic: Option<Topic>,
    outcome: Option<Outcome>,
    up: Option<bool>,
    after: Option<Cursor>,
    limit: Option<usize>,
}

/// A part of a list.
#[derive(Debug, Serialize)]
struct Calls {
    calls: Vec<Call>,
    /// For `after`, if there are more.
    next: Option<String>,
}

async fn calls(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let token = match allowed(&kept, &headers, Role::sees_calls).await {
        Err(refused) => return refused,
        Ok(token) => token,
    };
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => return detailed(StatusCode::BAD_REQUEST, error.body_text()),
    };
    let number = match asked.number.as_deref().map(|number| kept.number(number)) {
        Some(None) => return detailed(StatusCode::BAD_REQUEST, "number is none; write it as +4930123456"),
        Some(number) => number,
        None => None,
    };
    let limit = asked.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return detailed(StatusCode::BAD_REQUEST, format!("limit goes from 1 to {MOST}"));
    }
    let text = |label: Option<&Label>| label.map(ToString::to_string);
    let filter = CallFilter {
        from: asked.from,
        until: asked.until,
        trunk: asked.trunk,
        queue: text(asked.queue.as_ref()),
        agent: text(asked.agent.as_ref()),
        team: text(asked.team.as_ref()),
        tier: text(asked.tier.as_ref()),
        direction: asked.direction,
        number,
        topic: asked.topic,
        outcome: asked.outcome,
        up: asked.up,
        after: asked.after,
    };
    if !matches!(filter.direction.as_deref(), None | Some("inbound" | "outbound" | "unknown")) {
        return detailed(StatusCode::BAD_REQUEST, "direction is inbound, outbound or unknown");
    }
    match kept.ask(move |store| store.seen_by(&token).calls(&filter, limit, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(calls) => {
            let full = calls.len() == limit;
            let next = calls.last().filter(|_| full).map(|call| call.cursor().to_string());
            private(Json(Calls { calls, next }))
        }
    }
}

async fn call(
    State(kept): State<Kept>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let token = match allowed(&kept, &headers, Role::sees_calls).await {
        Err(refused) => return refused,
        Ok(token) => token,
    };
    let id = match id {
        Ok(Path(id)) => id,
        Err(error) => return detailed(StatusCode::BAD_REQUEST, error.body_text()),
    };
    let found = kept.ask(move |store| store.seen_by(&token).call(&id, Timestamp::now()));
    match found.await {
        Err(error) => unavailable(&error),
        Ok(None) => detailed(StatusCode::NOT_FOUND, "there is no such call, or it was too old to keep"),
        Ok(Some(details)) => private(Json(details)),
    }
}

/// Which days, as days since 1970, UTC, and what their calls are grouped by.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AskedDays {
    first: Option<u64>,
    last: Option<u64>,
    by: Grouping,
}

#[derive(Debug, Serialize)]
struct Days {
    days: Vec<Day>,
}

/// Which days, as days since 1970, UTC.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AskedSums {
    first: Option<u64>,
    last: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Cues {
    cues: Vec<CueSum>,
    /// Calls whose cues were withheld by lot, and those that they are compared with.
    holdout: Vec<HoldoutSum>,
}

/// Sums of cues by rule and team. Nobody sees those of a small group: what a cue did for an agent is the agent's own.
async fn cues(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<AskedSums>, QueryRejection>,
) -> Result<Response, Response> {
    allowed(&kept, &headers, Role::sees_figures).await?;
    let Query(asked) = asked.map_err(|error| detailed(StatusCode::BAD_REQUEST, error.body_text()))?;
    let (first, last) = range(asked.first, asked.last)?;
    match kept.ask(move |store| Ok((store.cue_sums(first, last)?, store.holdout_sums(first, last)?))).await {
        Err(error) => Err(unavailable(&error)),
        Ok((mut cues, mut holdout)) => {
            cues.retain(sidetone_pages::is_group_of_cues);
            holdout.retain(sidetone_pages::is_group_of_calls);
            Ok(private(Json(Cues { cues, holdout })))
        }
    }
}

#[derive(Debug, Serialize)]
struct Topics {
    topics: Vec<TopicSum>,
}

/// Sums of what customers named, by topic and team; of no small group.
async fn topics(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<AskedSums>, QueryRejection>,
) -> Result<Response, Response> {
    allowed(&kept, &headers, Role::sees_figures).await?;
    let Query(asked) = asked.map_err(|error| detailed(StatusCode::BAD_REQUEST, error.body_text()))?;
    let (first, last) = range(asked.first, asked.last)?;
    match kept.ask(move |store| store.topic_sums(first, last)).await {
        Err(error) => Err(unavailable(&error)),
        Ok(mut topics) => {
            topics.retain(sidetone_pages::is_group_of_topics);
            Ok(private(Json(Topics { topics })))
        }
    }
}

async fn days(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<AskedDays>, QueryRejection>,
) -> Response {
    let token = match allowed(&kept, &headers, Role::sees_figures).await {
        Err(refused) => return refused,
        Ok(token) => token,
    };
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(error) => return detailed(StatusCode::BAD_REQUEST, error.body_text()),
    };
    let (first, last) = match range(asked.first, asked.last) {
        Err(refused) => return refused,
        Ok(range) => range,
    };
    match kept.ask(move |store| store.days_by(asked.by, first, last)).await {
        Err(error) => unavailable(&error),
        Ok(mut days) => {
            if token.role == Role::Director {
                // A group of one is a person, and so is a team of one.
                days.retain(sidetone_pages::is_group);
            }
            private(Json(Days { days }))
        }
    }
}

/// The first and the last day of a range, the usual ones where none is asked for.
// The answer is what a handler gives: boxed it would be unboxed at once.
#[allow(clippy::result_large_err)]
fn range(first: Option<u64>, last: Option<u64>) -> Result<(u64, u64), Response> {
    let last = last.unwrap_or_else(|| Timestamp::now().unix_seconds() / 86_400);
    let first = first.unwrap_or_else(|| last.saturating_sub(USUAL_DAYS - 1));
    if last < first || last - first >= MOST_DAYS {
        return Err(detailed(
            StatusCode::BAD_REQUEST,
            format!("first to last must be 1 to {MOST_DAYS} days"),
        ));
    }
    Ok((first, last))
}

/// An answer that no cache may keep.
pub(super) fn private(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}
