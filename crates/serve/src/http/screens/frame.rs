//! What every page is told of its reader and of the request, and the answers that every page may give.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sidetone_events::Timestamp;
use sidetone_pages::{Language, Shell};
use sidetone_store::StoreError;

use super::person::Person;
use crate::http::kept::log_unanswered;
use crate::http::limits::seconds;

/// The cookie of the chosen language.
const LANGUAGE: &str = "sidetone_language";

/// Seconds after which a page asks again whose question had no answer.
const ASKS_AGAIN: HeaderValue = HeaderValue::from_static("10");

/// What a page is told of its reader, in a form that it can borrow from.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) language: Language,
    here: String,
    person: Option<Arc<Person>>,
    /// Whether the page was asked for, and nothing sent with it.
    is_read: bool,
    /// The time of the request, in milliseconds since 1970.
    pub(super) now: u64,
}

impl<S: Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let person = parts.extensions.get::<Arc<Person>>().cloned();
        Ok(Self::of(&parts.method, &parts.uri, &parts.headers, person))
    }
}

impl Frame {
    /// The frame of a request that reads.
    pub(super) fn new(uri: &Uri, headers: &HeaderMap, person: Option<Arc<Person>>) -> Self {
        Self::of(&Method::GET, uri, headers, person)
    }

    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, person: Option<Arc<Person>>) -> Self {
        let here = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        Self { language: language(uri, headers), here, person, is_read, now: Timestamp::now().unix_millis() }
    }

    /// The same for a part that is sent later.
    pub(super) fn again(&self) -> Self {
        let (here, person) = (self.here.clone(), self.person.clone());
        Self { here, person, now: Timestamp::now().unix_millis(), ..*self }
    }

    pub(super) fn shell(&self) -> Shell<'_> {
        let person = self.person.as_deref();
        Shell {
            language: self.language,
            here: &self.here,
            base: "",
            name: person.map(|it| it.token.name.as_str()),
            role: person.map(|it| it.token.role),
            sections: person.map_or(&[], Person::sections),
            csrf: person.map_or("", |it| &it.csrf),
            now: self.now,
        }
    }

    /// The page, and the language for the next one if it was chosen on this one.
    pub(super) fn answer(&self, status: StatusCode, page: String) -> Response {
        let mut response =
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        if self.here.contains("lang=") {
            let cookie =
                format!("{LANGUAGE}={}; Path=/; Max-Age=31536000; SameSite=Lax", self.language.code());
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }

    pub(super) fn ok(&self, page: String) -> Response {
        self.answer(StatusCode::OK, page)
    }

    pub(super) fn problem(&self, status: StatusCode) -> Response {
        self.answer(status, sidetone_pages::problem(&self.shell(), status.as_u16(), None))
    }

    /// The page for too many requests: when to come again.
    pub(super) fn later(&self, wait: Duration) -> Response {
        ([(header::RETRY_AFTER, seconds(wait))], self.problem(StatusCode::TOO_MANY_REQUESTS)).into_response()
    }

    /// The page for a question without an answer, which asks again by itself. What is wrong is in the log, for the
    /// operator.
    pub(super) fn unavailable(&self, error: &StoreError) -> Response {
        log_unanswered(error);
        let mut response = self.problem(StatusCode::SERVICE_UNAVAILABLE);
        // What was written into a form stays a step back, for as long as its writer likes.
        if self.is_read {
            response.headers_mut().insert(header::REFRESH, ASKS_AGAIN);
        }
        response
    }
}

/// The language asked for now, chosen before, or preferred by the browser.
fn language(uri: &Uri, headers: &HeaderMap) -> Language {
    let pairs = uri.query().unwrap_or_default().split('&');
    let asked = pairs.rev().find_map(|pair| pair.strip_prefix("lang=")).and_then(Language::parse);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let chosen = || {
        let pairs = text(header::COOKIE).split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == LANGUAGE).find_map(|(_, code)| Language::parse(code))
    };
    asked.or_else(chosen).unwrap_or_else(|| Language::from_accept_language(text(header::ACCEPT_LANGUAGE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_asked_for_chosen_or_preferred() {
        let of = |uri: &str, cookie: &'static str, accepted: &'static str| {
            let headers = [(header::COOKIE, cookie), (header::ACCEPT_LANGUAGE, accepted)];
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            language(&uri.parse().unwrap(), &headers.into_iter().collect()).code()
        };
        assert_eq!(of("/live?lang=de", "sidetone_language=en", "en"), "de");
        assert_eq!(of("/live", "a=b; sidetone_language=de", "en"), "de");
        assert_eq!(of("/live?lang=xx", "", "de-AT,en;q=0.5"), "de");
        assert_eq!(of("/live", "", ""), "en");
    }
}
