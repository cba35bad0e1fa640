//! A request of somebody who has signed in and may see what it asks for.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use sidetone_pages::Section;
use sidetone_store::StoreError;

use super::frame::Frame;
use super::person::Person;
use super::sources::Screens;
use crate::http::kept::{COOKIE, Kept, Shown, cookie};
use crate::http::limits::counted;

/// A request of somebody who has signed in.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) frame: Frame,
    pub(super) person: Arc<Person>,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let person = parts.extensions.get::<Arc<Person>>().cloned();
        let frame = Frame::of(&parts.method, &parts.uri, &parts.headers, person.clone());
        match person {
            Some(person) => Ok(Self { frame, person }),
            None => Err(frame.problem(StatusCode::UNAUTHORIZED)),
        }
    }
}

impl Visit {
    /// What the store has answered, or the page that says that it has not.
    // The answer is what a handler gives: boxed it would be unboxed at once.
    #[allow(clippy::result_large_err)]
    pub(super) fn answered<T>(&self, answer: Result<T, StoreError>) -> Result<T, Response> {
        answer.map_err(|error| self.frame.unavailable(&error))
    }
}

/// Lets a request pass, unless there were too many of its session or from its address.
pub(super) async fn limited(State(screens): State<Screens>, request: Request, next: Next) -> Response {
    match counted(&screens.limits, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => Frame::new(request.uri(), request.headers(), None).later(wait),
    }
}

/// Lets those pass who have signed in; leads others to the sign-in.
pub(super) async fn signed_in(State(kept): State<Kept>, mut request: Request, next: Next) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let shown = cookie(&headers);
    let session = shown.clone().map(|(Shown::Session(session) | Shown::Token(session))| session);
    let person = match (kept.token(shown).await, session) {
        (Ok(Some(token)), Some(session)) => Person::new(token, session),
        (Err(error), _) => return Frame::of(&method, &uri, &headers, None).unavailable(&error),
        _ => {
            // A page's own script asks for parts of it: it gets an answer that it can tell from a page.
            if headers.contains_key("sec-fetch-mode") && headers.get("sec-fetch-mode") != Some(&NAVIGATES) {
                return Frame::new(&uri, &headers, None).problem(StatusCode::UNAUTHORIZED);
            }
            let next = if method == Method::GET { uri.path() } else { "/" };
            let had =
                headers.get(header::COOKIE).is_some_and(|it| it.as_bytes().starts_with(COOKIE.as_bytes()));
            let ended = if had { "&ended=1" } else { "" };
            return Redirect::to(&format!("/sign-in?next={next}{ended}")).into_response();
        }
    };
    request.extensions_mut().insert(Arc::new(person));
    next.run(request).await
}

const NAVIGATES: HeaderValue = HeaderValue::from_static("navigate");

/// These paths for those who may see the section that they belong to. The layer of [`signed_in`] stands around it.
pub(super) fn of(section: Section, paths: Router<Screens>) -> Router<Screens> {
    paths.route_layer(from_fn(move |visit: Visit, request: Request, next: Next| async move {
        let own = visit.person.sections();
        if own.contains(&section) {
            return next.run(request).await;
        }
        // Whoever asks for the usual first page is led to their own.
        match own.first() {
            Some(own) if request.uri().path() == Section::Live.path() => {
                Redirect::to(own.path()).into_response()
            }
            _ => visit.frame.problem(StatusCode::FORBIDDEN),
        }
    }))
}
