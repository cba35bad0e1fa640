//! The live wall.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use serde::Deserialize;
use sidetone_call::Label;
use sidetone_pages::{LiveCall, WallQuery, WallView};
use sidetone_store::{Call, Point};
use tokio::time::{Instant, sleep_until, timeout};

use super::sources::Screens;
use super::visit::Visit;
use crate::http::kept::{Kept, cookie};
use crate::http::reader::{CHECKED_EVERY, Reader};

/// Least time between two messages that the live wall has changed: people can't read faster.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);
/// A comment after such a silence, so that nobody on the way closes the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Where the live wall's stream is.
const CHANGES: &str = "/live/changes";

pub(super) fn router() -> Router<Screens> {
    Router::new().route("/live", get(live)).route("/live/wall", get(wall)).route(CHANGES, get(changes))
}

/// `?view=list&queue=billing&tier=gold`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    view: Option<String>,
    queue: String,
    tier: String,
}

impl View {
    fn of_wall(self) -> WallQuery {
        let label =
            |asked: String| if asked.chars().count() <= Label::LONGEST { asked } else { String::new() };
        WallQuery {
            view: WallView::parse(self.view.as_deref()),
            queue: label(self.queue),
            tier: label(self.tier),
        }
    }
}

fn shown(up: &[(Call, Vec<Point>)]) -> Vec<LiveCall<'_>> {
    up.iter().map(|(call, points)| LiveCall { call, points }).collect()
}

async fn live(
    State(kept): State<Kept>,
    visit: Visit,
    Query(view): Query<View>,
) -> Result<Response, Response> {
    let up = visit.answered(kept.live().await)?;
    let page = sidetone_pages::wall(&visit.frame.shell(), &shown(&up), &view.of_wall(), Some(CHANGES));
    Ok(visit.frame.ok(page))
}

async fn wall(
    State(kept): State<Kept>,
    visit: Visit,
    Query(view): Query<View>,
) -> Result<Response, Response> {
    let up = visit.answered(kept.live().await)?;
    Ok(visit.frame.ok(sidetone_pages::wall_fragment(&visit.frame.shell(), &shown(&up), &view.of_wall())))
}

/// A message each time that the store has changed, so that the wall asks for its part anew.
async fn changes(State(kept): State<Kept>, headers: HeaderMap) -> Response {
    let started = Instant::now().checked_sub(AT_MOST_EVERY).unwrap_or_else(Instant::now);
    let begun = (kept.changes(), Reader::new(kept, cookie(&headers)), started);
    let stream = stream::unfold(begun, |(mut changes, mut reader, told)| async move {
        loop {
            if !reader.still_may().await {
                return None;
            }
            match timeout(CHECKED_EVERY, changes.changed()).await {
                Ok(Ok(())) => break,
                // Ends with the server.
                Ok(Err(_)) => return None,
                Err(_) => {}
            }
        }
        // The first change is told at once, those close behind it together.
        sleep_until(told + AT_MOST_EVERY).await;
        changes.mark_unchanged();
        Some((Ok::<_, Infallible>(Event::default().data("changed")), (changes, reader, Instant::now())))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}
