//! The OpenAPI 3.1 description of the HTTP server, at `/openapi.json`: generated from the handlers and the types that
//! they take and give. `docs/openapi.json` is what it comes to, held by a test.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use sidetone_store::{CallLength, Outcome};
use utoipa::OpenApi;
use utoipa::openapi::schema::{AdditionalProperties, AllOf, Object, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, RefOr};

use super::answers::{self, OfNoStore};
use super::{additions, api, desk, history, problem, text};

/// What no handler tells.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sidetone",
        description = "Metrics, health, live events, calls and figures, and control of a running Sidetone. Served at the address `http.listen` of the configuration. Every answer with a status from 400 on \
            has a JSON body: of the shape `Problem`, and under `/api/v1` a problem detail (RFC 9457). Only what is no \
            HTTP at all is answered without one. A path that isn't described here is answered with status 404. Versions \
            of this document follow the program's.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "http://127.0.0.1:9464", description = "The default of `http.listen`.")),
    paths(events),
    components(schemas(problem::Problem, problem::Detail, CallLength, Outcome)),
)]
struct Frame;

/// Rows that are told: each member of one is always there, if only as null.
const WHOLE: [&str; 27] = [
    "Call",
    "CallAlert",
    "CallDetails",
    "CallEvent",
    "CallList",
    "CallMoment",
    "CueList",
    "CueSum",
    "Day",
    "DayList",
    "Desk",
    "DeskCall",
    "DeskCue",
    "DeskCustomer",
    "HoldoutSum",
    "KeptCue",
    "Note",
    "NoteList",
    "OwnNote",
    "ScoredTexts",
    "SelfNote",
    "Suggestion",
    "SuggestionText",
    "SurveyLink",
    "TextThread",
    "TopicList",
    "TopicSum",
];

/// Events as they happen
///
/// Server-sent events: `id` is the event's id, `event` its kind, `data` the event as one line of JSON (docs/EVENTS.md,
/// crates/events/schema/event.v1.json). A comment comes with each heartbeat. Where a store is kept and the stream has
/// no token, it is for programs of this machine alone: what comes from elsewhere, or by a proxy, is answered by 401.
// The stream is the event bus's own, as a router; this stands for it here.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "events",
    params(
        ("call" = Option<String>, Query, description = "Events of this call only: Sidetone's id."),
        ("kind" = Option<String>, Query, example = "affect.alert,call.ended",
            description = "Events of these kinds only, separated by commas; may be given more than once."),
        ("Last-Event-ID" = Option<String>, Header, description = "Go on after this event, as far as it is still held."),
    ),
    security((), ("streamToken" = [])),
    responses(
        (status = 200, description = "The stream.", body = String, content_type = "text/event-stream"),
        (status = 400, description = "A filter is unknown, or has no such value.", body = problem::Problem),
        (status = 401, response = answers::Unauthorized),
        (status = 503, description = "There are `events.stream.clients` listeners already.", body = problem::Problem,
            headers(("Retry-After" = u64, description = "Seconds."))),
        OfNoStore,
    ),
)]
#[allow(dead_code)]
fn events() {}

/// The whole document, of everything that could be served.
fn whole() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    for part in [
        super::pages().into_openapi(),
        api::paths().into_openapi(),
        history::paths().into_openapi(),
        additions::paths().into_openapi(),
        desk::paths().into_openapi(),
        text::paths().into_openapi(),
    ] {
        document.merge(part);
    }
    let components = document.components.get_or_insert_with(Components::new);
    answers::add(components);
    for (name, about) in [
        ("apiToken", "The token of `http.token`. Without one set, nothing under /api but /api/v1 is served."),
        ("streamToken", "The token of `events.stream.token`, where one is set."),
        (
            "storeToken",
            "A token of `sidetone token create`. Without `[store]` in the configuration nothing under /api/v1 is served.",
        ),
    ] {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        components.security_schemes.insert(name.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    }
    for (name, schema) in &mut components.schemas {
        if WHOLE.contains(&name.as_str()) {
            all_required(schema);
        }
    }
    document
}

fn all_required(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => require(object),
        RefOr::T(Schema::AllOf(AllOf { items, .. })) => items.iter_mut().for_each(all_required),
        _ => {}
    }
}

fn require(object: &mut Object) {
    object.required = object.properties.keys().cloned().collect();
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
}

/// The document as text, made once.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = whole().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
});

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object), OfNoStore),
)]
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde::Serialize;
    use serde_json::Value;
    use sidetone_events::STREAM_PATH;
    use sidetone_store::{Call, CueSum, Day, HoldoutSum, TopicSum};

    use super::DOCUMENT;

    fn document() -> Value {
        serde_json::from_str(&DOCUMENT).unwrap()
    }

    /// `SIDETONE_WRITE_OPENAPI=1` writes it.
    #[test]
    fn the_document_of_the_repository_is_what_the_code_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        if std::env::var_os("SIDETONE_WRITE_OPENAPI").is_some() {
            std::fs::write(&path, DOCUMENT.as_str()).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        let first = kept.lines().zip(DOCUMENT.lines()).position(|(kept, said)| kept != said);
        assert!(
            kept == *DOCUMENT,
            "docs/openapi.json differs from line {first:?} on: run with SIDETONE_WRITE_OPENAPI=1"
        );
    }

    fn keys(of: &Value) -> BTreeSet<String> {
        of.as_object().unwrap().keys().cloned().collect()
    }

    /// A row that is told: each member of it is described, and always there.
    fn described<T: Serialize + Default>(document: &Value, name: &str) {
        let schema = &document["components"]["schemas"][name];
        let told = keys(&serde_json::to_value(T::default()).unwrap());
        assert_eq!(keys(&schema["properties"]), told, "{name}");
        let required: BTreeSet<String> =
            schema["required"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
        assert_eq!(required, told, "{name}");
    }

    #[test]
    fn every_member_of_a_row_that_is_told_is_always_there() {
        let document = document();
        described::<Call>(&document, "Call");
        described::<Day>(&document, "Day");
        described::<CueSum>(&document, "CueSum");
        described::<TopicSum>(&document, "TopicSum");
        described::<HoldoutSum>(&document, "HoldoutSum");
    }

    #[test]
    fn rows_that_are_whole_are_in_the_document_and_every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    into.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|it| references(it, into));
                }
                Value::Array(items) => items.iter().for_each(|it| references(it, into)),
                _ => {}
            }
        }
        let document = document();
        for name in super::WHOLE {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_says_what_it_is() {
        let document = document();
        assert!(document["paths"][STREAM_PATH]["get"].is_object());
        let mut names = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}"));
                assert!(names.insert(name.to_owned()), "{name}");
                assert!(operation["summary"].is_string(), "{method} {path}");
                let open = !path.starts_with("/api/");
                assert!(open || operation["security"].is_array(), "{method} {path}");
            }
        }
        assert!(names.len() > 20, "{names:?}");
    }
}
