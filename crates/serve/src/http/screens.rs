//! The pages for people, behind a sign-in: who may see which, and what the store is asked for them. What they look like
//! is `sidetone_pages`.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Form, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sidetone_events::Timestamp;
use sidetone_pages::{
    CONTENT_SECURITY_POLICY, CallList, CallsForm, CallsQuery, Figures, FiguresQuery, Language, LiveCall,
    Section, Shell, SignIn, SignInFault, WallView,
};
use sidetone_store::{Role, StoreError, Token};
use tokio::time::Instant;

use super::history::found;
use super::kept::{COOKIE, Kept, Shown, cookie, log_unanswered};

/// The cookie of the chosen language.
const LANGUAGE: &str = "sidetone_language";
/// Calls of a part of the list.
const A_PART: usize = 50;
/// Least time between two messages that the live wall has changed: people can't read faster.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);
/// A comment after such a silence, so that nobody on the way closes the stream.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Most bytes of a form.
const LONGEST: usize = 16 * 1024;
/// Where the live wall's stream is.
const CHANGES: &str = "/live/changes";

/// The pages, and what they load.
pub(super) fn router(kept: Kept) -> Router {
    let inside = Router::new()
        .route("/live", get(live))
        .route("/live/wall", get(wall))
        .route(CHANGES, get(changes))
        .route("/calls", get(calls).post(asked_calls))
        .route("/calls/{id}", get(call))
        .route("/figures", get(figures))
        .route("/figures.csv", get(figures_csv))
        .route("/sign-out", post(sign_out))
        .route_layer(from_fn_with_state(kept.clone(), signed_in));
    Router::new()
        .route("/", get(|| async { Redirect::to("/live") }))
        .route("/sign-in", get(gate).post(sign_in))
        .route("/assets/{file}", get(asset))
        .merge(inside)
        .layer(DefaultBodyLimit::max(LONGEST))
        .layer(from_fn(guarded))
        .with_state(kept)
}

/// Headers that hold for every page: nothing is loaded from elsewhere, nothing frames it, nothing is kept.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
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

/// Somebody who has signed in.
#[derive(Debug, Clone)]
struct Person {
    token: Token,
    session: String,
    /// What their forms carry: another site can't know it.
    csrf: String,
}

impl Person {
    fn new(token: Token, session: String) -> Self {
        let csrf = Sha256::digest(format!("sidetone csrf {session}"));
        let csrf = csrf.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { token, session, csrf }
    }

    fn sections(&self) -> &'static [Section] {
        match self.token.role {
            Role::Supervisor => &[Section::Live, Section::Calls, Section::Figures],
            Role::Director => &[Section::Figures],
            // Their work is done by other means so far: the command line, Prometheus, the API.
            Role::Operator | Role::Integration => &[],
        }
    }
}

/// What a page is told of its reader, in a form that it can borrow from.
struct Frame {
    language: Language,
    here: String,
    person: Option<Person>,
    now: u64,
}

impl Frame {
    fn new(uri: &Uri, headers: &HeaderMap, person: Option<&Person>) -> Self {
        let here = uri.path_and_query().map_or("/", |it| it.as_str()).to_owned();
        Self {
            language: language(uri, headers),
            here,
            person: person.cloned(),
            now: Timestamp::now().unix_millis(),
        }
    }

    fn shell(&self) -> Shell<'_> {
        let person = self.person.as_ref();
        Shell {
            language: self.language,
            here: &self.here,
            base: "",
            name: person.map(|it| it.token.name.as_str()),
            role: person.map(|it| match it.token.role {
                Role::Supervisor => sidetone_pages::Role::Supervisor,
                Role::Director => sidetone_pages::Role::Director,
                Role::Operator => sidetone_pages::Role::Operator,
                Role::Integration => sidetone_pages::Role::Integration,
            }),
            sections: person.map_or(&[], Person::sections),
            csrf: person.map_or("", |it| &it.csrf),
            now: self.now,
        }
    }

    /// The page, and the language for the next one if it was chosen on this one.
    fn answer(&self, status: StatusCode, page: String) -> Response {
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

    fn ok(&self, page: String) -> Response {
        self.answer(StatusCode::OK, page)
    }

    fn problem(&self, status: StatusCode) -> Response {
        self.answer(status, sidetone_pages::problem(&self.shell(), status.as_u16(), None))
    }

    /// The page for a question without an answer. What is wrong is in the log, for the operator.
    fn unavailable(&self, error: &StoreError) -> Response {
        log_unanswered(error);
        self.problem(StatusCode::SERVICE_UNAVAILABLE)
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

/// Lets those pass who have signed in and may see this part; sends others to the sign-in.
async fn signed_in(State(kept): State<Kept>, mut request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let shown = cookie(&headers);
    let session = shown.clone().map(|(Shown::Session(session) | Shown::Token(session))| session);
    let person = match (kept.token(shown).await, session) {
        (Ok(Some(token)), Some(session)) => Person::new(token, session),
        (Err(error), _) => return Frame::new(&uri, &headers, None).unavailable(&error),
        _ => {
            // A page's own script asks for parts of it: it gets an answer that it can tell from a page.
            if headers.contains_key("sec-fetch-mode") && headers.get("sec-fetch-mode") != Some(&NAVIGATES) {
                return Frame::new(&uri, &headers, None).problem(StatusCode::UNAUTHORIZED);
            }
            let next = if request.method() == axum::http::Method::GET { uri.path() } else { "/" };
            let ended =
                if headers.get(header::COOKIE).is_some_and(|it| it.as_bytes().starts_with(COOKIE.as_bytes()))
                {
                    "&ended=1"
                } else {
                    ""
                };
            return Redirect::to(&format!("/sign-in?next={next}{ended}")).into_response();
        }
    };
    let part = match uri.path() {
        path if path.starts_with("/live") => Some(Section::Live),
        path if path.starts_with("/calls") => Some(Section::Calls),
        path if path.starts_with("/figures") => Some(Section::Figures),
        _ => None,
    };
    if part.is_some_and(|part| !person.sections().contains(&part)) {
        // Whoever asks for the usual first page is led to their own.
        return match person.sections().first() {
            Some(own) if uri.path() == "/live" => Redirect::to(own.path()).into_response(),
            _ => Frame::new(&uri, &headers, Some(&person)).problem(StatusCode::FORBIDDEN),
        };
    }
    request.extensions_mut().insert(person);
    next.run(request).await
}

const NAVIGATES: HeaderValue = HeaderValue::from_static("navigate");

/// `?next=/calls&ended=1`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gate {
    next: String,
    ended: Option<String>,
}

async fn gate(uri: Uri, headers: HeaderMap, Query(gate): Query<Gate>) -> Response {
    let frame = Frame::new(&uri, &headers, None);
    let fault = gate.ended.map(|_| SignInFault::Ended);
    let page = SignIn { fault, token: true, next: own_path(&gate.next), ..SignIn::default() };
    frame.ok(sidetone_pages::sign_in(&frame.shell(), &page))
}

/// A path of this server's, whatever was asked for.
fn own_path(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let own = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    if own { next } else { "/" }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Credentials {
    token: String,
    next: String,
}

async fn sign_in(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Response {
    let frame = Frame::new(&uri, &headers, None);
    let next = own_path(&credentials.next).to_owned();
    let refuse = |status, fault| {
        let page = SignIn { fault: Some(fault), token: true, next: &next, ..SignIn::default() };
        frame.answer(status, sidetone_pages::sign_in(&frame.shell(), &page))
    };
    if !is_from_here(&headers) {
        return refuse(StatusCode::FORBIDDEN, SignInFault::Stale);
    }
    let secret = credentials.token.trim().to_owned();
    let begun = kept.ask(move |store| {
        let now = Timestamp::now();
        // A program's token is none for people: a session of it would be a way around what it is for.
        match store.token(&secret, now)? {
            Some(token) if !matches!(token.role, Role::Integration | Role::Operator) => {
                store.sign_in(&secret, now)
            }
            _ => Ok(None),
        }
    });
    match begun.await {
        Err(error) => frame.unavailable(&error),
        Ok(None) => refuse(StatusCode::UNAUTHORIZED, SignInFault::Wrong),
        Ok(Some((session, _))) => {
            let secure = match headers.get("x-forwarded-proto") {
                Some(proto) if proto == "https" => "; Secure",
                _ => "",
            };
            let cookie = format!("{COOKIE}={session}; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax{secure}");
            ([(header::SET_COOKIE, cookie)], Redirect::to(&next)).into_response()
        }
    }
}

/// Whether a form was sent by a page of this server: browsers say where it comes from.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, from)| from == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Csrf {
    csrf: String,
}

async fn sign_out(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Form(sent): Form<Csrf>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    if sent.csrf != person.csrf {
        return frame.problem(StatusCode::FORBIDDEN);
    }
    match kept.ask(move |store| store.sign_out(&person.session)).await {
        Err(error) => frame.unavailable(&error),
        Ok(()) => {
            let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
            ([(header::SET_COOKIE, gone)], Redirect::to("/sign-in")).into_response()
        }
    }
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

/// `?view=list`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct View {
    view: Option<String>,
}

async fn live(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Query(view): Query<View>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    match kept.live().await {
        Err(error) => frame.unavailable(&error),
        Ok(up) => {
            let calls: Vec<LiveCall<'_>> =
                up.iter().map(|(call, points)| LiveCall { call, points }).collect();
            let view = WallView::parse(view.view.as_deref());
            frame.ok(sidetone_pages::wall(&frame.shell(), &calls, view, Some(CHANGES)))
        }
    }
}

async fn wall(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Query(view): Query<View>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    match kept.live().await {
        Err(error) => frame.unavailable(&error),
        Ok(up) => {
            let calls: Vec<LiveCall<'_>> =
                up.iter().map(|(call, points)| LiveCall { call, points }).collect();
            frame.ok(sidetone_pages::wall_fragment(
                &frame.shell(),
                &calls,
                WallView::parse(view.view.as_deref()),
            ))
        }
    }
}

/// A message each time that the store has changed, so that the wall asks for its part anew.
async fn changes(State(kept): State<Kept>) -> Response {
    let started = Instant::now().checked_sub(AT_MOST_EVERY).unwrap_or_else(Instant::now);
    let stream = stream::unfold((kept.changes(), started), |(mut changes, told)| async move {
        // Ends with the server. The first change is told at once, those close behind it together.
        changes.changed().await.ok()?;
        tokio::time::sleep_until(told + AT_MOST_EVERY).await;
        changes.mark_unchanged();
        Some((Ok::<_, Infallible>(Event::default().data("changed")), (changes, Instant::now())))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response()
}

async fn calls(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Query(query): Query<CallsQuery>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    let (filter, fault) = match query.filter() {
        Ok(filter) => (Some(filter), None),
        Err(fault) => (None, Some(fault)),
    };
    let asked = kept.ask(move |store| {
        let rows =
            filter.as_ref().map_or(Ok(Vec::new()), |filter| found(store, &person.token, filter, A_PART))?;
        Ok((rows, store.trunks()?))
    });
    match asked.await {
        Err(error) => frame.unavailable(&error),
        Ok((rows, trunks)) => {
            let next = rows.last().filter(|_| rows.len() == A_PART).map(sidetone_store::Call::cursor);
            let list = CallList { rows: &rows, trunks: &trunks, query: &query, fault, next: next.as_ref() };
            frame.ok(sidetone_pages::calls(&frame.shell(), &list))
        }
    }
}

/// Leads to the list that a form asks for: a number in clear stands in no address.
async fn asked_calls(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Form(form): Form<CallsForm>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    if form.csrf != person.csrf {
        return frame.problem(StatusCode::FORBIDDEN);
    }
    match form.clone().query(|number| kept.number(number)) {
        Ok(query) => Redirect::to(&format!("/calls{}", query.to_query())).into_response(),
        Err(fault) => {
            let query = CallsQuery::default();
            let list = CallList { rows: &[], trunks: &[], query: &query, fault: Some(fault), next: None };
            frame.answer(StatusCode::BAD_REQUEST, sidetone_pages::calls(&frame.shell(), &list))
        }
    }
}

async fn call(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Path(id): Path<String>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    let found = kept.ask(move |store| {
        let found = store.call(&id)?;
        if let Some(details) = &found {
            store.note_access(&person.token, "call.read", &details.call.id, Timestamp::now())?;
        }
        Ok(found)
    });
    match found.await {
        Err(error) => frame.unavailable(&error),
        Ok(None) => frame.problem(StatusCode::NOT_FOUND),
        Ok(Some(details)) => frame.ok(sidetone_pages::call(&frame.shell(), &details)),
    }
}

/// The figures that a query asks for; the usual ones if it asks for none that there could be.
async fn figures_of(kept: &Kept, query: FiguresQuery, now: u64) -> Result<Figures, StoreError> {
    let range = query.range(now).unwrap_or_else(|_| sidetone_pages::Range::usual(now));
    let (first, last) = (range.before_first, range.last);
    let days = kept.ask(move |store| store.days(first, last)).await?;
    Ok(Figures::of(&days, &query, now))
}

async fn figures(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Query(query): Query<FiguresQuery>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    match figures_of(&kept, query, frame.now).await {
        Err(error) => frame.unavailable(&error),
        Ok(figures) => frame.ok(sidetone_pages::figures(&frame.shell(), &figures)),
    }
}

async fn figures_csv(
    State(kept): State<Kept>,
    uri: Uri,
    headers: HeaderMap,
    Extension(person): Extension<Person>,
    Query(query): Query<FiguresQuery>,
) -> Response {
    let frame = Frame::new(&uri, &headers, Some(&person));
    match figures_of(&kept, query, frame.now).await {
        Err(error) => frame.unavailable(&error),
        Ok(figures) => {
            let named = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"sidetone-figures.csv\""),
            ];
            (named, sidetone_pages::figures_csv(&frame.shell(), &figures)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for own in ["/", "/calls", "/calls/01KJMBQDHX04HMASW9NF6YY093"] {
            assert_eq!(own_path(own), own);
        }
        for other in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a?b",
            "/\r\nSet-Cookie: a=b",
            "calls",
        ] {
            assert_eq!(own_path(other), "/", "{other}");
        }
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_from_here(&pairs.collect())
        };
        assert!(from(&[("origin", "http://a:9464"), ("host", "a:9464"), ("sec-fetch-site", "same-origin")]));
        assert!(from(&[("host", "a:9464")]), "no browser");
        assert!(!from(&[("origin", "http://b"), ("host", "a:9464")]));
        assert!(!from(&[("origin", "null"), ("host", "a:9464")]));
        assert!(!from(&[("sec-fetch-site", "cross-site"), ("host", "a:9464")]));
    }

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
