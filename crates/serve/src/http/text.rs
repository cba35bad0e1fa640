//! What customers' written texts tell: `POST /api/v1/text`, for chat, mail and survey comments. Nothing of them is
//! kept. Needs a token of an integration, a supervisor or an agent; errors are problem details (RFC 9457).

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sidetone_call::{Told, Topic};
use sidetone_insight::cues::{CueSet, Suggestion};
use sidetone_language::text::{Reading, Scorer, Thread, Tongue};
use sidetone_language::written;
use sidetone_store::Role;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{NotTaken, OfStore};
use super::desk::Desks;
use super::history::{allowed, private};
use super::kept::Kept;
use super::limits::{Limits, of_api};
use super::problem::detailed;
use super::shapes::{SuggestionShape, TextLanguage, TextThread, TextTold};

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
pub(super) fn paths() -> OpenApiRouter<AtText> {
    OpenApiRouter::new().routes(routes!(score))
}

pub(super) fn router(kept: Kept, desks: Desks, limits: Arc<Limits>) -> Router {
    Router::from(paths())
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
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Texts)]
pub(super) struct Asked {
    /// One person's messages, oldest first.
    #[schema(min_items = 1, max_items = 200)]
    messages: Vec<Message>,
    /// Whether quotes and signatures of mails are read too.
    #[serde(default)]
    whole: bool,
}

/// A message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TextMessage)]
struct Message {
    /// What was written.
    text: String,
    /// The asker's own name for it, given back.
    id: Option<String>,
}

/// What texts tell.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScoredTexts)]
struct Answer {
    /// What each tells, in order.
    messages: Vec<Scored>,
    /// All of them together.
    #[schema(value_type = TextThread)]
    thread: Thread,
    /// The cue that may help whoever answers; null where none is called for.
    #[schema(value_type = Option<SuggestionShape>)]
    suggestion: Option<Suggestion>,
}

/// What one text tells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScoredText)]
struct Scored {
    /// The asker's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The language that it seems to be in.
    #[schema(value_type = TextLanguage)]
    language: Tongue,
    /// Whether the text was longer than is read.
    cut: bool,
    #[serde(flatten)]
    #[schema(value_type = TextTold)]
    told: Told,
}

/// What a customer's written words tell
///
/// For integrations, supervisors and agents: chat messages, mails, survey comments of one person, oldest first. Quotes
/// and signatures of mails are left out, numbers and names redacted before anything is read, and nothing is kept. Not
/// for what employees write.
#[utoipa::path(
    post,
    path = "/api/v1/text",
    operation_id = "scoreText",
    request_body = Asked,
    security(("storeToken" = [])),
    responses(
        (status = 200, description = "What each tells, and all together.", body = Answer),
        NotTaken, OfStore,
    ),
)]
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
