//! An agent's own call while it is up, and their answers to its cues: for desktops of other makers as JSON, for the
//! agent's page as HTML (`screens::desk`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use sidetone_book::{CallView, Calls, NotAnswered, Phase};
use sidetone_call::{Label, Leg};
use sidetone_events::Timestamp;
use sidetone_insight::cues::{Answer, CueSet};
use sidetone_pages::{DeskCall, DeskCue, DeskCustomer};
use sidetone_store::Role;
use sidetone_watch::Alarm;
use tokio::sync::watch;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{NotTaken, OfStore};
use super::board::{self, Board, weight};
use super::history::{allowed, private};
use super::kept::{Kept, Shown, authorization};
use super::limits::{Limits, of_api};
use super::problem::{Detail, detailed};
use super::reader::{CHECKED_EVERY, Reader};
use super::shapes::CueAnswer;
use crate::Snapshot;

/// A comment after such a silence, so that nobody on the way closes the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Most bytes of an answer.
const LONGEST: usize = 4 * 1024;

/// The calls that are up, and the book that takes answers.
#[derive(Clone)]
pub struct Desks {
    list: Snapshot<Vec<CallView>>,
    calls: Arc<Calls>,
    board: Arc<Board>,
}

/// Why an answer to a cue is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The agent has no such call.
    NoCall,
    /// That cue is not shown, or no longer.
    NotShown,
}

impl Desks {
    /// Desks of these calls. The task that looks at them for open desks is watched by the alarm.
    #[must_use]
    pub fn new(list: Snapshot<Vec<CallView>>, calls: Arc<Calls>, alarm: &Alarm) -> Self {
        let board = Board::start(list.clone(), desk_call, alarm);
        Self { list, calls, board }
    }

    /// The cues that desks show: the installation's own, or those that come along where it shows none.
    pub(super) fn cues(&self) -> Arc<CueSet> {
        self.calls.cues().unwrap_or_else(|| Arc::new(CueSet::shipped().unwrap_or_default()))
    }

    /// The call that an agent has: the one they talk in, else the newest.
    pub(super) async fn call_of(&self, agent: &str) -> Option<DeskCall> {
        let list = self.list.fresh().await?;
        let theirs = list.iter().filter(|call| is_of(call, agent) && call.phase != Phase::Ended);
        theirs.max_by_key(|call| weight(call)).map(|call| desk_call(call, Timestamp::now().unix_millis()))
    }

    /// Takes the answer of an agent to a cue in a call of theirs.
    pub(super) fn answer(&self, agent: &str, id: &str, number: u32, answer: Answer) -> Result<(), Refused> {
        // Another agent's call is as if there were none.
        let call = self.calls.find(id).ok().filter(|call| is_of(call, agent) && call.id == id);
        if call.is_none() {
            return Err(Refused::NoCall);
        }
        self.calls.answer_cue(id, number, answer).map_err(|error| match error {
            NotAnswered::NotOne(_) => Refused::NoCall,
            NotAnswered::NotShown(_) => Refused::NotShown,
        })
    }

    /// An agent's call each time that it is another one than before, and at once; ends when they may read it no longer.
    pub(super) fn follow(
        self,
        kept: Kept,
        who: Option<Shown>,
        agent: &str,
    ) -> impl Stream<Item = Option<Arc<DeskCall>>> + use<> {
        let followed =
            self.board.follow(agent).map(|shown| Followed { reader: Reader::new(kept, who), shown });
        stream::unfold(followed, |followed| async move { followed?.next().await })
    }
}

/// A desk that is open.
struct Followed {
    reader: Reader,
    shown: watch::Receiver<board::Shown>,
}

impl Followed {
    async fn next(mut self) -> Option<(Option<Arc<DeskCall>>, Option<Self>)> {
        loop {
            if !self.reader.still_may().await {
                return None;
            }
            match timeout(CHECKED_EVERY, self.shown.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => continue,
            }
            let shown = self.shown.borrow_and_update().clone();
            if let Some(call) = shown {
                return Some((call, Some(self)));
            }
        }
    }
}

fn is_of(call: &CallView, agent: &str) -> bool {
    call.labels.agent.as_ref().map(Label::as_str) == Some(agent)
}

/// The word that serialises a value which is one.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn desk_call(call: &CallView, now: u64) -> DeskCall {
    // To the second: a desk that is told of its own age again and again would never be the same.
    let since = (now.saturating_sub(call.talking_ms.unwrap_or(call.age_ms)) + 500) / 1_000 * 1_000;
    let agent = call.conduct.as_ref().map(|conduct| &conduct.agent);
    DeskCall {
        id: call.id.clone(),
        since,
        direction: word(&call.direction),
        answered: call.talking_ms.is_some(),
        held: call.phase == Phase::Held,
        queue: call.labels.queue.as_ref().map(ToString::to_string),
        consent: word(&call.consent),
        customer: call.affect.as_ref().map(|affect| DeskCustomer {
            state: affect.state.word().to_owned(),
            trend: word(&affect.trend),
            valence: f64::from(affect.valence),
            confidence: f64::from(affect.confidence),
        }),
        alert: call.alert.as_ref().map(|alert| word(&alert.alert)),
        said: call.words.as_ref().and_then(|words| {
            let so_far = words.so_far.as_ref().map(|so_far| format!("{so_far} \u{2026}"));
            let whole = || words.said.iter().rev().find(|said| said.leg == Leg::Customer);
            so_far.or_else(|| whole().map(|said| said.text.clone()))
        }),
        topics: (call.words.iter().flat_map(|words| &words.topics))
            .map(|topic| topic.topic.name().to_owned())
            .collect(),
        pace: agent.and_then(|agent| agent.pace).map(|pace| f64::from(pace.words_per_minute)),
        share: agent.and_then(|agent| agent.talk_share).map(f64::from),
        cue: call.cue.as_ref().map(|view| DeskCue {
            number: view.cue.number,
            line: view.cue.line.clone(),
            reason: view.cue.reason.clone(),
            language: view.cue.language.clone(),
            acknowledged: view.acknowledged,
            others: (view.cue.others.iter())
                .map(|(tag, text)| (tag.clone(), (text.line.clone(), text.reason.clone())))
                .collect(),
        }),
    }
}

/// What the routes stand on.
#[derive(Clone)]
pub(super) struct AtDesk {
    kept: Kept,
    desks: Desks,
}

/// The paths.
pub(super) fn paths() -> OpenApiRouter<AtDesk> {
    OpenApiRouter::new().routes(routes!(desk)).routes(routes!(events)).routes(routes!(answer))
}

pub(super) fn router(kept: Kept, desks: Desks, limits: Arc<Limits>) -> Router {
    Router::from(paths())
        .layer(DefaultBodyLimit::max(LONGEST))
        .route_layer(from_fn_with_state(limits, of_api))
        .with_state(AtDesk { kept, desks })
}

/// The agent whose token it is.
async fn agent(kept: &Kept, headers: &HeaderMap) -> Result<String, Response> {
    let token = allowed(kept, headers, |role| role == Role::Agent).await?;
    token.agent.ok_or_else(|| detailed(StatusCode::FORBIDDEN, "the token is bound to no agent"))
}

/// The agent's call, or none.
#[derive(Debug, Serialize, ToSchema)]
struct Desk {
    /// null while the agent has none.
    call: Option<DeskCall>,
}

/// The agent's call
///
/// For agents: the call that they talk in, else their newest one that is up. What is said of the customer is an
/// estimate.
#[utoipa::path(
    get,
    path = "/api/v1/desk",
    operation_id = "desk",
    security(("storeToken" = [])),
    responses((status = 200, description = "The call, or none.", body = Desk), OfStore),
)]
async fn desk(State(at): State<AtDesk>, headers: HeaderMap) -> Result<Response, Response> {
    let agent = agent(&at.kept, &headers).await?;
    Ok(private(Json(Desk { call: at.desks.call_of(&agent).await })))
}

/// The agent's call each time that it changes
///
/// For agents, at once and then within a quarter of a second of each change. Ends when the token does.
#[utoipa::path(
    get,
    path = "/api/v1/desk/events",
    operation_id = "deskEvents",
    security(("storeToken" = [])),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "Server-sent events: `event` is \
            `desk`, `data` what /api/v1/desk answers, as one line of JSON. A comment comes with each heartbeat."),
        OfStore,
    ),
)]
async fn events(State(at): State<AtDesk>, headers: HeaderMap) -> Result<Response, Response> {
    let agent = agent(&at.kept, &headers).await?;
    let followed = at.desks.follow(at.kept, authorization(&headers), &agent);
    let events = futures_util::StreamExt::map(followed, |call| {
        let data = serde_json::to_string(&Desk { call: call.map(Arc::unwrap_or_clone) }).unwrap_or_default();
        Ok::<_, Infallible>(Event::default().event("desk").data(data))
    });
    let answer = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    Ok(([(header::CACHE_CONTROL, "no-store")], answer).into_response())
}

/// `{"answer": "acknowledged"}`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnsweredCue)]
pub(super) struct Answered {
    /// What the agent answers.
    #[schema(value_type = CueAnswer)]
    answer: Answer,
}

/// Acknowledge or dismiss the cue that is shown
///
/// For the call's agent. To dismiss one counts against nobody.
#[utoipa::path(
    post,
    path = "/api/v1/calls/{id}/cues/{number}",
    operation_id = "answerCue",
    params(
        ("id" = String, Path, description = "Sidetone's id of the call."),
        ("number" = u32, Path, minimum = 1, description = "The cue's number in its call."),
    ),
    request_body = Answered,
    security(("storeToken" = [])),
    responses(
        (status = 204, description = "Taken."),
        (status = 404, description = "The agent has no such call that is up.", body = Detail,
            content_type = "application/problem+json"),
        (status = 409, description = "That cue is not shown, or no longer.", body = Detail,
            content_type = "application/problem+json"),
        NotTaken, OfStore,
    ),
)]
async fn answer(
    State(at): State<AtDesk>,
    headers: HeaderMap,
    of: Result<Path<(String, u32)>, PathRejection>,
    body: Result<Json<Answered>, JsonRejection>,
) -> Result<Response, Response> {
    let agent = agent(&at.kept, &headers).await?;
    let Path((id, number)) = of.map_err(|error| detailed(StatusCode::BAD_REQUEST, error.body_text()))?;
    let Json(Answered { answer }) = body.map_err(|error| detailed(error.status(), error.body_text()))?;
    match at.desks.answer(&agent, &id, number, answer) {
        Ok(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(Refused::NoCall) => Err(detailed(StatusCode::NOT_FOUND, "no such call of yours is up")),
        Err(Refused::NotShown) => Err(detailed(StatusCode::CONFLICT, "that cue is not shown, or no longer")),
    }
}
