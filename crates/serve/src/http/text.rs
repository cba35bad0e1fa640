//! What customers' written texts tell: `POST /api/v1/text`, for chat, mail and survey comments. Nothing of them is
//! kept. Needs a token of an integration, a supervisor or an agent; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_call::{Told, Topic};
use sidetone_insight::cues::{CueSet, Suggestion};
use sidetone_language::text::{Reading, Scorer, Thread, Tongue};
use sidetone_language::written;
use sidetone_store::Role;

use super::desk::Desks;
use super::history::{allowed, private};
use super::kept::Kept;
use super::limits::{Limits, of_api};
use super::problem::detailed;
use super::route::Route;

/// Most bytes of a request.
const LARGEST: usize = 512 * 1024;
/// Most messages of a request: some tenth of a second of work.
const MOST: usize = 200;

/// What the routes stand on.
#[derive(Clone)]
pub(super) struct AtText {
    kept: Kept,
    desks: Desks,
}

/// The paths.
pub(super) fn routes() -> [Route<AtText>; 1] {
    [("/api/v1/text", post(score))]
}

pub(super) fn router(kept: Kept, desks: Desks, limits: Arc<Limits>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, route)| router.route(path, route))
        .layer(DefaultBodyLimit::max(LARGEST))
        .route_layer(from_fn_with_state(limits, of_api))
        .with_state(AtText { kept, desks })
}

/// What messages of one person tell.
pub(super) struct Read {
    /// Each, in order.
    pub(super) messages: Vec<Reading>,
    /// All of them together.
    pub(super) thread: Thread,
}

/// Reads messages of one person, oldest first; unless they are read `whole`, without quotes and signatures of mails.
/// `None` if the weights can't be read. Takes a millisecond a message or so, on a thread that may block.
pub(super) fn read(messages: &[String], whole: bool) -> Option<Read> {
    let scorer = Scorer::embedded().ok()?;
    let mut thread = Thread::default();
    let messages = messages.iter().map(|text| {
        let reading = written::read(&scorer, text, whole);
        thread.push(&reading.told);
        reading
    });
    let messages = messages.collect();
    Some(Read { messages, thread })
}

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// One person's messages, oldest first.
    messages: Vec<Message>,
    /// Whether quotes and signatures of mails are read too.
    #[serde(default)]
    whole: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    text: String,
    /// The asker's own name for it, given back.
    id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    messages: Vec<Scored>,
    /// All of them together.
    thread: Thread,
    /// The cue that may help whoever answers, if one does.
    suggestion: Option<Suggestion>,
}

#[derive(Debug, Serialize)]
struct Scored {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    language: Tongue,
    /// Whether the text was longer than is read.
    cut: bool,
    #[serde(flatten)]
    told: Told,
}

async fn score(
    State(AtText { kept, desks }): State<AtText>,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Response> {
    let may = |role| matches!(role, Role::Integration | Role::Supervisor | Role::Agent);
    allowed(&kept, &headers, may).await?;
    let Json(asked) = body.map_err(|error| detailed(error.status(), error.body_text()))?;
    if asked.messages.is_empty() || asked.messages.len() > MOST {
        let why = format!("`messages` has to hold 1 to {MOST} of them");
        return Err(detailed(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    // The async threads serve SIP too.
    let answer = tokio::task::spawn_blocking(move || answer(asked, &desks.cues())).await.ok().flatten();
    let fault = || detailed(StatusCode::INTERNAL_SERVER_ERROR, "the weights for texts can't be read");
    Ok(private(Json(answer.ok_or_else(fault)?)))
}

fn answer(asked: Asked, cues: &CueSet) -> Option<Answer> {
    let (ids, texts): (Vec<_>, Vec<_>) = asked.messages.into_iter().map(|it| (it.id, it.text)).unzip();
    let Read { messages, thread } = read(&texts, asked.whole)?;
    let scored = ids.into_iter().zip(messages).map(|(id, reading)| Scored {
        id,
        language: reading.tongue,
        cut: reading.cut,
        told: reading.told,
    });
    let topics: Vec<Topic> = thread.topics.iter().map(|mention| mention.topic).collect();
    let suggestion = cues.suggest(&topics, thread.urgency, thread.satisfaction);
    Some(Answer { messages: scored.collect(), thread, suggestion })
}
