//! Recorded calls that an agent plays to practise. Nothing of it is asked of the store or told to it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Form, Path, State as Source};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::{Stream, stream};
use serde::Deserialize;
use sidetone_events::Timestamp;
use sidetone_insight::cues::Answer;
use sidetone_pages::{DeskPaths, PRACTICE, PracticeChoice, Practising};
use tokio::time::sleep;

use super::desk::{HEARTBEAT, agent};
use super::frame::Frame;
use super::sources::Screens;
use super::visit::Visit;
use crate::http::desk::Desks;
use crate::http::kept::{Kept, cookie};
use crate::http::reader::Reader;
use crate::practice::{Practice, State};

/// How often a recorded call is looked at while a desk shows it.
const LOOKED_AT: Duration = Duration::from_millis(200);
const PLAYS: &str = "/desk/practice/call";
const PATHS: DeskPaths<'_> = DeskPaths {
    stream: "/desk/practice/stream",
    part: "/desk/practice/part",
    answer: "/desk/practice/answer",
};

pub(super) fn router(practice: Option<Practice>, desks: Desks) -> Router<Screens> {
    let Some(practice) = practice else { return Router::new() };
    Router::new()
        .route(PRACTICE, get(list).post(begin))
        .route(PLAYS, get(plays))
        .route(PATHS.part, get(part))
        .route(PATHS.stream, get(follow))
        .route(PATHS.answer, post(answer))
        .route("/desk/practice/stop", post(stop))
        // A whole segment: `whole.wav`.
        .route("/desk/practice/{sound}", get(sound))
        .layer(Extension(practice))
        .layer(Extension(desks))
}

async fn list(Extension(practice): Extension<Practice>, visit: Visit) -> Result<Response, Response> {
    agent(&visit)?;
    let choices: Vec<PracticeChoice<'_>> = practice
        .recordings()
        .iter()
        .map(|it| PracticeChoice {
            id: it.id,
            length_ms: u64::try_from(it.length.as_millis()).unwrap_or(u64::MAX),
        })
        .collect();
    Ok(visit.frame.ok(sidetone_pages::practice_list(&visit.frame.shell(), &choices)))
}

#[derive(Deserialize)]
struct Begin {
    csrf: String,
    call: String,
}

async fn begin(
    Extension(practice): Extension<Practice>,
    Extension(desks): Extension<Desks>,
    visit: Visit,
    Form(form): Form<Begin>,
) -> Result<Response, Response> {
    agent(&visit)?;
    own(&visit, &form.csrf)?;
    if practice.begin(&visit.person.token.id, &form.call, desks.cues()) {
        return Ok(Redirect::to(PLAYS).into_response());
    }
    Err(visit.frame.problem(StatusCode::NOT_FOUND))
}

/// A form of this session, and of no other site.
// The answer is what a handler gives: boxed it would be unboxed at once.
#[allow(clippy::result_large_err)]
fn own(visit: &Visit, csrf: &str) -> Result<(), Response> {
    if csrf == visit.person.csrf { Ok(()) } else { Err(visit.frame.problem(StatusCode::FORBIDDEN)) }
}

fn state(practice: &Practice, visit: &Visit) -> Option<State> {
    practice.state(&visit.person.token.id, Timestamp::now().unix_millis())
}

/// The recorded call, if it plays.
fn playing(practice: &Practice, visit: &Visit) -> Option<Practising> {
    match state(practice, visit)? {
        State::Plays(playing) => Some(*playing),
        State::Waits => None,
    }
}

async fn plays(Extension(practice): Extension<Practice>, visit: Visit) -> Result<Response, Response> {
    agent(&visit)?;
    Ok(match state(&practice, &visit) {
        Some(State::Plays(playing)) => {
            visit.frame.ok(sidetone_pages::practice(&visit.frame.shell(), &playing, PATHS))
        }
        // Asked for again each second, with script or without.
        Some(State::Waits) => {
            let page = sidetone_pages::practice_waits(&visit.frame.shell());
            ([(header::REFRESH, "1")], visit.frame.ok(page)).into_response()
        }
        None => Redirect::to(PRACTICE).into_response(),
    })
}

fn fragment(frame: &Frame, playing: &Practising) -> String {
    sidetone_pages::practice_fragment(&frame.shell(), playing, PATHS)
}

async fn part(Extension(practice): Extension<Practice>, visit: Visit) -> Result<Response, Response> {
    agent(&visit)?;
    match playing(&practice, &visit) {
        Some(playing) => Ok(visit.frame.ok(fragment(&visit.frame, &playing))),
        None => Err(visit.frame.problem(StatusCode::NOT_FOUND)),
    }
}

/// The part of the page that changes, each time that it does; ends with the recorded call.
async fn follow(
    Source(kept): Source<Kept>,
    Extension(practice): Extension<Practice>,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Response> {
    agent(&visit)?;
    let events = parts(practice, visit, Reader::new(kept, cookie(&headers)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

fn parts(practice: Practice, visit: Visit, reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((practice, visit, reader, None), |(practice, visit, mut reader, last)| async move {
        loop {
            if !reader.still_may().await {
                return None;
            }
            // Stopped, or begun so long ago that it is forgotten.
            let playing = playing(&practice, &visit)?;
            // How much was played is told once: the page counts on by itself.
            let seen = Practising { elapsed_ms: 0, ..playing };
            if last.as_ref() != Some(&seen) {
                let part = fragment(&visit.frame.again(), &seen);
                return Some((Ok(Event::default().data(part)), (practice, visit, reader, Some(seen))));
            }
            sleep(LOOKED_AT).await;
        }
    })
}

#[derive(Deserialize)]
struct Answered {
    csrf: String,
    number: u32,
    answer: Answer,
}

async fn answer(
    Extension(practice): Extension<Practice>,
    visit: Visit,
    Form(form): Form<Answered>,
) -> Result<Response, Response> {
    agent(&visit)?;
    own(&visit, &form.csrf)?;
    practice.answer(&visit.person.token.id, form.number, form.answer);
    Ok(Redirect::to(PLAYS).into_response())
}

#[derive(Deserialize)]
struct Stop {
    csrf: String,
}

async fn stop(
    Extension(practice): Extension<Practice>,
    visit: Visit,
    Form(form): Form<Stop>,
) -> Result<Response, Response> {
    agent(&visit)?;
    own(&visit, &form.csrf)?;
    practice.stop(&visit.person.token.id);
    Ok(Redirect::to(PRACTICE).into_response())
}

/// The sound of a recording, whole or in part: a browser that begins in its middle asks for that.
async fn sound(
    Extension(practice): Extension<Practice>,
    Extension(desks): Extension<Desks>,
    visit: Visit,
    headers: HeaderMap,
    Path(file): Path<String>,
) -> Result<Response, Response> {
    agent(&visit)?;
    let not_there = || visit.frame.problem(StatusCode::NOT_FOUND);
    let id = file.strip_suffix(".wav").ok_or_else(not_there)?;
    let script = practice.script(id, &desks.cues()).await.ok_or_else(not_there)?;
    let whole = script.sound.len();
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let own = [
        (header::CONTENT_TYPE, HeaderValue::from_static("audio/wav")),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    let Some((from, to)) = asked.and_then(|asked| range(asked, whole)) else {
        return Ok((own, script.sound.clone()).into_response());
    };
    let part = script.sound.get(from..to).unwrap_or_default().to_vec();
    let place = HeaderValue::from_str(&format!("bytes {from}-{}/{whole}", to - 1));
    let place = [(header::CONTENT_RANGE, place.map_err(|_| not_there())?)];
    Ok((StatusCode::PARTIAL_CONTENT, own, place, part).into_response())
}

/// The first byte and the one behind the last of a range of one part (RFC 9110 §14.1.2). What is no such range, or lies
/// outside, is answered with the whole, as a server may.
fn range(asked: &str, whole: usize) -> Option<(usize, usize)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first, last) {
        ("", last) => (whole.saturating_sub(last.parse().ok()?), whole),
        (first, "") => (first.parse().ok()?, whole),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.checked_add(1)?.min(whole)),
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_browser_gets_the_part_that_it_asks_for_and_else_the_whole() {
        assert_eq!(range("bytes=0-", 100), Some((0, 100)));
        assert_eq!(range("bytes=10-19", 100), Some((10, 20)));
        assert_eq!(range("bytes=90-500", 100), Some((90, 100)));
        assert_eq!(range("bytes=-10", 100), Some((90, 100)));
        for whole in [
            "bytes=100-",
            "bytes=5-4",
            "bytes=0-1,5-6",
            "bytes=x-",
            "items=0-1",
            "bytes=-",
            "bytes=0-18446744073709551615",
        ] {
            assert_eq!(range(whole, 100), None, "{whole}");
        }
    }
}
