//! What customers' written texts tell: `POST /api/v1/text`, for chat, mail and survey comments. Nothing of them is
//! kept. Needs a token of an integration or a supervisor; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_call::Told;
use sidetone_language::text::{Scorer, Thread, Tongue};
use sidetone_language::written;
use sidetone_store::Role;

use super::history::{allowed, private};
use super::kept::Kept;
use super::limits::{Limits, of_api};
use super::problem::detailed;
use super::route::Route;

/// Most bytes of a request.
const LARGEST: usize = 512 * 1024;
/// Most messages of a request: some tenth of a second of work.
const MOST: usize = 200;

/// The paths.
pub(super) fn routes() -> [Route<Kept>; 1] {
    [("/api/v1/text", post(score))]
}

pub(super) fn router(kept: Kept, limits: Arc<Limits>) -> Router {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, route)| router.route(path, route))
        .layer(DefaultBodyLimit::max(LARGEST))
        .route_layer(from_fn_with_state(limits, of_api))
        .with_state(kept)
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
    State(kept): State<Kept>,
    headers: HeaderMap,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Response> {
    allowed(&kept, &headers, |role| matches!(role, Role::Integration | Role::Supervisor)).await?;
    let Json(asked) = body.map_err(|error| detailed(error.status(), error.body_text()))?;
    if asked.messages.is_empty() || asked.messages.len() > MOST {
        let why = format!("`messages` has to hold 1 to {MOST} of them");
        return Err(detailed(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    // The async threads serve SIP too.
    let answer = tokio::task::spawn_blocking(move || answer(asked)).await.ok().flatten();
    let fault = || detailed(StatusCode::INTERNAL_SERVER_ERROR, "the weights for texts can't be read");
    Ok(private(Json(answer.ok_or_else(fault)?)))
}

fn answer(asked: Asked) -> Option<Answer> {
    let scorer = Scorer::embedded().ok()?;
    let mut thread = Thread::default();
    let read = |message: Message| {
        let reading = written::read(&scorer, &message.text, asked.whole);
        thread.push(&reading.told);
        Scored { id: message.id, language: reading.tongue, cut: reading.cut, told: reading.told }
    };
    let messages = asked.messages.into_iter().map(read).collect();
    Some(Answer { messages, thread })
}
