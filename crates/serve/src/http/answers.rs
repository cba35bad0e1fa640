//! Answers that several paths give.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
};

/// A type of the media of an error, and the schema of its body.
const PROBLEM: (&str, &str) = ("application/json", "Problem");
const DETAIL: (&str, &str) = ("application/problem+json", "ProblemDetail");

/// Answers by their names among the components.
fn named<const N: usize>(answers: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    answers.map(|(status, name)| (status.to_owned(), RefOr::Ref(Ref::from_response_name(name)))).into()
}

/// Of every path: the wrong method.
pub(super) struct OfNoStore;

impl IntoResponses for OfNoStore {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("405", "MethodNotAllowed")])
    }
}

/// Of paths behind the one token of `http.token` that take a body.
pub(super) struct Api;

impl IntoResponses for Api {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([
            ("400", "Unreadable"),
            ("401", "Unauthorized"),
            ("405", "MethodNotAllowed"),
            ("413", "TooLong"),
            ("415", "NotJson"),
            ("422", "Unfit"),
        ])
    }
}

/// Of paths behind a token of the store.
pub(super) struct OfStore;

impl IntoResponses for OfStore {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([
            ("401", "NoToken"),
            ("403", "Forbidden"),
            ("405", "MethodNotAllowed"),
            ("429", "TooManyRequests"),
            ("503", "NoStore"),
        ])
    }
}

/// Of those that a query goes with, or an id.
pub(super) struct Told;

impl IntoResponses for Told {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("400", "NotUnderstood")])
    }
}

/// Of those whose answers have a tag.
pub(super) struct Tagged;

impl IntoResponses for Tagged {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("304", "NotModified")])
    }
}

/// Of those that take a body.
pub(super) struct NotTaken;

impl IntoResponses for NotTaken {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([
            ("400", "NotUnderstood"),
            ("413", "BodyTooLong"),
            ("415", "BodyNotJson"),
            ("422", "BodyUnfit"),
        ])
    }
}

/// Of those that add something to a call.
pub(super) struct Added;

impl IntoResponses for Added {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        named([("404", "NoCall"), ("409", "NotOneCall")])
    }
}

/// `401` without a token that fits, for the one path that names it by itself.
pub(super) struct Unauthorized;

impl<'r> utoipa::ToResponse<'r> for Unauthorized {
    fn response() -> (&'r str, RefOr<Response>) {
        ("Unauthorized", RefOr::T(error("The token is missing or wrong.", PROBLEM).build()))
    }
}

fn error(description: &str, (media, schema): (&str, &str)) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    ResponseBuilder::new().description(description).content(media, content)
}

fn header(description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .description(Some(description))
        .build()
}

/// Puts the answers of this module among the components.
pub(super) fn add(components: &mut Components) {
    let with = |of: ResponseBuilder, name: &str, about: &str| of.header(name, header(about)).build();
    let retry = "Seconds after which to come again.";
    let answers = [
        (
            "Unauthorized",
            with(error("The token is missing or wrong.", PROBLEM), "WWW-Authenticate", "`Bearer`"),
        ),
        (
            "MethodNotAllowed",
            with(error("The path takes other methods.", PROBLEM), "Allow", "Those that it takes."),
        ),
        ("Unreadable", error("The body is no JSON, or the name or value means nothing.", PROBLEM).build()),
        ("TooLong", error("The body is longer than 16 KiB.", PROBLEM).build()),
        ("NotJson", error("The body is not `application/json`.", PROBLEM).build()),
        ("Unfit", error("A member is missing, unknown, or of another type.", PROBLEM).build()),
        ("NoToken", with(error("No valid token was sent.", DETAIL), "WWW-Authenticate", "`Bearer`")),
        ("Forbidden", error("The token's role may not do this.", DETAIL).build()),
        (
            "TooManyRequests",
            with(
                error("Too many requests with this token, or from this address.", DETAIL),
                "Retry-After",
                retry,
            ),
        ),
        (
            "NoStore",
            error("The store can't be asked now: its disk or its PostgreSQL is away. Calls go on.", DETAIL)
                .build(),
        ),
        (
            "NotUnderstood",
            error(
                "A part of the address can't be read or is not among what it takes, or the body is no JSON.",
                DETAIL,
            )
            .build(),
        ),
        (
            "NotModified",
            with(
                ResponseBuilder::new().description("The answer is the one that If-None-Match names."),
                "ETag",
                "Names the content, weakly.",
            ),
        ),
        ("BodyTooLong", error("The body is longer than the path takes.", DETAIL).build()),
        ("BodyNotJson", error("The body is not `application/json`.", DETAIL).build()),
        (
            "BodyUnfit",
            error("A member is missing, unknown, or can't be meant; `detail` says which.", DETAIL).build(),
        ),
        ("NoCall", error("There is no such call for this token, or it was too old to keep.", DETAIL).build()),
        (
            "NotOneCall",
            error(
                "More than one call has that SIP Call-ID, or the call has as many notes as it may have.",
                DETAIL,
            )
            .build(),
        ),
    ];
    components.responses.extend(answers.map(|(name, answer)| (name.to_owned(), RefOr::T(answer))));
}
