//! The pages for people, behind a sign-in: which person may see which page, and what the store is asked for it. The
//! HTML is made by `sidetone_pages`.

mod calls;
mod compliance;
mod desk;
mod figures;
mod frame;
mod live;
mod operations;
mod person;
mod practice;
mod provider;
mod sign_in;
mod sources;
mod survey;
mod visit;
mod written;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use sidetone_pages::{CONTENT_SECURITY_POLICY, Section};

use super::desk::Desks;
use crate::config::FrameAncestor;
use crate::practice::Practice;
pub(super) use sources::Screens;
pub use sources::{Facts, GatherFacts};

/// Most bytes of a form: a note of 2,000 characters, each written as twelve bytes, and its other fields.
const LONGEST: usize = 32 * 1024;

/// The pages, and what they load.
pub(super) fn router(
    screens: Screens,
    desks: Desks,
    practice: Option<Practice>,
    embedded_by: &[FrameAncestor],
) -> Router {
    let origins: Vec<String> = embedded_by.iter().map(ToString::to_string).collect();
    let embeddable = HeaderValue::from_str(&sidetone_pages::embeddable(&origins)).ok();
    let embeddable = embeddable.filter(|_| !origins.is_empty());
    let inside = Router::new()
        .merge(visit::of(Section::Desk, desk::router(desks.clone(), practice.is_some())))
        .merge(visit::of(Section::Desk, written::router(desks.clone())))
        .merge(visit::of(Section::Desk, practice::router(practice, desks.clone())))
        .merge(visit::of(Section::Live, live::router()))
        .merge(visit::of(Section::Calls, calls::router()))
        .merge(visit::of(Section::Figures, figures::router(desks)))
        .merge(visit::of(Section::Operations, operations::router()))
        .merge(visit::of(Section::Compliance, compliance::router()))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(screens.kept.clone(), visit::signed_in))
        .route_layer(from_fn_with_state(screens.clone(), visit::limited));
    let callers = survey::router().route_layer(from_fn_with_state(screens.clone(), visit::limited));
    Router::new()
        .route("/", get(|| async { Redirect::to(Section::Live.path()) }))
        .route("/sign-in", get(sign_in::gate).post(sign_in::sign_in))
        .route("/sign-in/start", get(provider::begin))
        .route("/sign-in/callback", get(provider::finish))
        .route("/assets/{file}", get(asset))
        .merge(inside)
        .merge(callers)
        .layer(DefaultBodyLimit::max(LONGEST))
        .layer(from_fn(guarded))
        .layer(from_fn_with_state(embeddable, embedded))
        .with_state(screens)
}

/// Lets the agent's page, and the sign-in that stands before it, be embedded where configuration says so.
async fn embedded(State(policy): State<Option<HeaderValue>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_desk = matches!(path, "/agent" | "/sign-in") || path == "/desk" || path.starts_with("/desk/");
    let mut response = next.run(request).await;
    if let Some(policy) = policy.filter(|_| is_desk) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response.headers_mut().remove(header::X_FRAME_OPTIONS);
    }
    response
}

/// Headers that hold for every page: nothing is loaded from elsewhere, nothing frames it, nothing is kept.
async fn guarded(request: Request, next: Next) -> Response {
    guard(next.run(request).await)
}

fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}

/// The page for an address that there is not, whoever asks.
pub(super) fn no_such_page(uri: &Uri, headers: &HeaderMap) -> Response {
    guard(frame::Frame::new(uri, headers, None).problem(StatusCode::NOT_FOUND))
}

async fn asset(Path(file): Path<String>) -> Response {
    let found = sidetone_pages::assets().iter().find(|it| it.path.strip_prefix("/assets/") == Some(&file));
    match found {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(asset) => {
            let kept = "public, max-age=31536000, immutable";
            ([(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, kept)], asset.bytes)
                .into_response()
        }
    }
}
