//! The reading part of the HTTP API, version 1: calls and figures from the store. Every request needs a token of
//! `sidetone token create`; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_call::{Label, Topic};
use sidetone_events::Timestamp;
use sidetone_store::{
    Call, CallDetails, CallFilter, CallLength, CallPart, CueSum, Cursor, Day, Grouping, HoldoutSum, Outcome,
    Role, Store, Token, TopicSum,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{OfStore, Tagged, Told};
use super::etag::tagged;
use super::kept::{Kept, authorization, unavailable};
use super::limits::{Limits, of_api};
use super::problem::{Detail, detailed};
use super::shapes::TopicName;

/// Calls of an answer, if no number is asked for; the most there are is the store's.
const USUAL: usize = 100;
const MOST: usize = 500;
/// Days of an answer, if no first one is asked for, and the most.
const USUAL_DAYS: u64 = 30;
const MOST_DAYS: u64 = 800;

/// The paths.
pub(super) fn paths() -> OpenApiRouter<Kept> {
    OpenApiRouter::new()
        .routes(routes!(calls))
        .routes(routes!(call))
        .routes(routes!(days))
        .routes(routes!(cues))
        .routes(routes!(topics))
}

pub(super) fn router(kept: Kept, limits: Arc<Limits>) -> Router {
    Router::from(paths())
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
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Began at this time or later, in milliseconds since 1970.
    from: Option<u64>,
    /// Began before this time.
    until: Option<u64>,
    /// By this trunk.
    trunk: Option<String>,
    /// In this queue last.
    #[param(value_type = Option<String>)]
    queue: Option<Label>,
    /// This agent's last.
    #[param(value_type = Option<String>)]
    agent: Option<Label>,
    /// This team's last.
    #[param(value_type = Option<String>)]
    team: Option<Label>,
    /// Of this empathy tier.
    #[param(value_type = Option<String>)]
    tier: Option<Label>,
    /// In this direction: inbound, outbound or unknown.
    direction: Option<String>,
    /// With this number on either side, in clear or hashed.
    number: Option<String>,
    /// Whose customer named this.
    #[param(value_type = Option<TopicName>)]
    topic: Option<Topic>,
    /// Whose customer's mood took this way.
    outcome: Option<Outcome>,
    /// So many minutes long, from the answer to the end.
    length: Option<CallLength>,
    /// That are up, or that are over.
    up: Option<bool>,
    /// Behind this place: `next` of the part before.
    #[param(value_type = Option<String>)]
    after: Option<Cursor>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<usize>,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CallList)]
struct Calls {
    /// The newest first.
    calls: Vec<Call>,
    /// For `after`, if there are more.
    next: Option<String>,
    /// Where so few calls fit that a part has fewer than `limit` of them, or none, before its end: all that began at
    /// this time or later were looked at, in milliseconds since 1970. The list goes on by `next`.
    looked_back_to: Option<u64>,
}

/// Calls, the newest first
///
/// For supervisors and integrations; for an agent, those calls that are theirs by the last label. A hundred thousand
/// calls at most are looked at for one answer: a part without a call is not the list's end while it has a `next`.
#[utoipa::path(
    get,
    path = "/api/v1/calls",
    operation_id = "calls",
    params(
        Asked,
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "A part of the list.", body = Calls,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        Told, Tagged, OfStore,
    ),
)]
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
        length: asked.length,
        up: asked.up,
        after: asked.after,
    };
    if !matches!(filter.direction.as_deref(), None | Some("inbound" | "outbound" | "unknown")) {
        return detailed(StatusCode::BAD_REQUEST, "direction is inbound, outbound or unknown");
    }
    match kept.ask(move |store| store.seen_by(&token).calls(&filter, limit, Timestamp::now())).await {
        Err(error) => unavailable(&error),
        Ok(CallPart { calls, next, looked_back_to }) => {
            private(Json(Calls { calls, next: next.map(|next| next.to_string()), looked_back_to }))
        }
    }
}

/// One call with its timeline
///
/// For supervisors, integrations, and the call's agent. Each answer is noted in the log of accesses, and so is an
/// agent's request for another one's call, which is answered as if there were none.
#[utoipa::path(
    get,
    path = "/api/v1/calls/{id}",
    operation_id = "call",
    params(
        ("id" = String, Path, description = "Sidetone's id of the call."),
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The call.", body = CallDetails,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        (status = 404, description = "There is no such call, or it was too old to keep.", body = Detail,
            content_type = "application/problem+json"),
        Told, Tagged, OfStore,
    ),
)]
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
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedDays {
    /// The first day, in days since 1970, UTC; 29 days before the last one if left out.
    first: Option<u64>,
    /// The last day; today if left out.
    last: Option<u64>,
    /// What the calls of a day are grouped by; each grouping has every call once. No grouping is by agent.
    by: Grouping,
}

/// Sums of days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DayList)]
struct Days {
    /// In order.
    days: Vec<Day>,
}

/// Which days, as days since 1970, UTC.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AskedSums {
    /// The first day, as days since 1970, UTC; by default 29 before the last.
    first: Option<u64>,
    /// The last day; by default today.
    last: Option<u64>,
}

/// Sums of cues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CueList)]
struct Cues {
    /// Those shown most first.
    cues: Vec<CueSum>,
    /// Calls in which a cue came due: those whose cues were shown and those whose cues were withheld by lot
    /// (cues.holdout). Left out with fewer than 30 calls, or one or two agents.
    holdout: Vec<HoldoutSum>,
}

/// What cues did, by rule and team
///
/// For supervisors, directors and integrations. What a cue did for an agent is the agent's own: days count whose cues
/// of that rule and team are ten or more, of three agents or more, and the rest of each week that makes such a group.
/// Today does not count yet.
#[utoipa::path(
    get,
    path = "/api/v1/cues",
    operation_id = "cues",
    params(
        AskedSums,
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The sums.", body = Cues,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        Told, Tagged, OfStore,
    ),
)]
async fn cues(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<AskedSums>, QueryRejection>,
) -> Result<Response, Response> {
    allowed(&kept, &headers, Role::sees_figures).await?;
    let Query(asked) = asked.map_err(|error| detailed(StatusCode::BAD_REQUEST, error.body_text()))?;
    let (first, last) = range(asked.first, asked.last)?;
    let (range, today) = ((first, last), today());
    let asked =
        move |store: &mut Store| Ok((store.told_cues(range, today)?, store.told_holdout(range, today)?));
    match kept.ask(asked).await {
        Err(error) => Err(unavailable(&error)),
        Ok((mut cues, mut holdout)) => {
            cues.retain(sidetone_pages::is_group_of_cues);
            holdout.retain(sidetone_pages::is_group_of_calls);
            Ok(private(Json(Cues { cues, holdout })))
        }
    }
}

/// Sums of topics.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TopicList)]
struct Topics {
    /// Those of most calls first.
    topics: Vec<TopicSum>,
}

/// What customers named, by topic and team
///
/// For supervisors, directors and integrations. Days count whose calls of that topic and team are ten or more, of three
/// agents or more, and the rest of each week that makes such a group. Today does not count yet. Empty where words are
/// not recognised, or not kept.
#[utoipa::path(
    get,
    path = "/api/v1/topics",
    operation_id = "topics",
    params(
        AskedSums,
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The sums.", body = Topics,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        Told, Tagged, OfStore,
    ),
)]
async fn topics(
    State(kept): State<Kept>,
    headers: HeaderMap,
    asked: Result<Query<AskedSums>, QueryRejection>,
) -> Result<Response, Response> {
    allowed(&kept, &headers, Role::sees_figures).await?;
    let Query(asked) = asked.map_err(|error| detailed(StatusCode::BAD_REQUEST, error.body_text()))?;
    let (first, last) = range(asked.first, asked.last)?;
    let today = today();
    match kept.ask(move |store| store.told_topics((first, last), today)).await {
        Err(error) => Err(unavailable(&error)),
        Ok(mut topics) => {
            topics.retain(sidetone_pages::is_group_of_topics);
            Ok(private(Json(Topics { topics })))
        }
    }
}

/// Sums of days
///
/// For supervisors, directors and integrations. Directors get no group of fewer than ten calls a day, by queue, team or
/// tier none of one or two agents, none beside which such a one would be the rest of its day, and no day that is not
/// over.
#[utoipa::path(
    get,
    path = "/api/v1/days",
    operation_id = "days",
    params(
        AskedDays,
        ("If-None-Match" = Option<String>, Header,
            description = "An ETag of an earlier answer: 304 if the answer would be the same."),
    ),
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "The days, in order.", body = Days,
            headers(("ETag" = String, description = "Names the content, weakly."))),
        Told, Tagged, OfStore,
    ),
)]
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
                days = sidetone_pages::for_directors(days, today());
            }
            private(Json(Days { days }))
        }
    }
}

/// The day that is not over, since 1970, UTC.
fn today() -> u64 {
    Timestamp::now().unix_seconds() / 86_400
}

/// The first and the last day of a range, the usual ones where none is asked for.
// The answer is what a handler gives: boxed it would be unboxed at once.
#[allow(clippy::result_large_err)]
fn range(first: Option<u64>, last: Option<u64>) -> Result<(u64, u64), Response> {
    let last = last.unwrap_or_else(today);
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
