//! Errors as JSON, in one shape for every source: `{"status": 404, "error": "no such call is up"}`.
//!
//! Input that is no HTTP at all (a malformed request line, headers beyond the library's limits) is answered without a
//! body, by hyper itself.

use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

/// Most bytes of a text that are kept: axum's description of a bad request is one line.
const LONGEST: usize = 4 * 1024;

/// The body of every answer with a status from 400 on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The problem and the remedy, for people; the wording may change.
    error: String,
}

/// An error answer.
pub(super) fn problem(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(Problem { status: status.as_u16(), error: error.into() })).into_response()
}

/// A problem detail (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemDetail)]
pub(super) struct Detail {
    /// `about:blank`: the status says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The problem and the remedy, for people; the wording may change.
    detail: String,
}

/// The media type of problem details.
const DETAIL: &str = "application/problem+json";

/// An error answer as version 1 of the API gives it.
pub(super) fn detailed(status: StatusCode, detail: impl Into<String>) -> Response {
    let title = status.canonical_reason().unwrap_or("error");
    let detail = Detail { kind: "about:blank", title, status: status.as_u16(), detail: detail.into() };
    let headers = [(header::CONTENT_TYPE, DETAIL), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Json(detail)).into_response()
}

/// Serves these paths, and gives their errors a shape.
///
/// axum adds Allow to the answers inside of a path's own layers, so errors are shaped outside of them.
pub(super) fn around(paths: Router) -> Router {
    Router::new().fallback_service(paths).layer(map_response(shaped))
}

/// Whether an error has its shape already: of this module, or of a page for people.
fn is_whole(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(axum::http::HeaderValue::as_bytes);
    kind.is_some_and(|kind| {
        kind == b"application/json" || kind == DETAIL.as_bytes() || kind.starts_with(b"text/html")
    })
}

/// Shapes an error for which axum or the event stream has written a line of text, or nothing.
async fn shaped(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_whole(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let allowed = parts.headers.get(header::ALLOW).and_then(|it| it.to_str().ok());
    let text = match (text.is_empty(), allowed) {
        (false, _) => text,
        (true, Some(methods)) => format!("this path takes {methods}"),
        (true, None) => status.canonical_reason().unwrap_or("error").to_owned(),
    };
    // Retry-After, WWW-Authenticate and Allow stay; type and length belong to the new body.
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut shaped = problem(status, text);
    for (name, value) in &parts.headers {
        shaped.headers_mut().append(name, value.clone());
    }
    shaped
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> serde_json::Value {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&to_bytes(response.into_body(), LONGEST).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_line_of_text_becomes_an_object_and_headers_stay() {
        let full = (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], "too many listeners\n");
        let shaped = shaped(full.into_response()).await;
        assert_eq!(shaped.headers()[header::RETRY_AFTER], "5");
        assert_eq!(body(shaped).await, serde_json::json!({ "status": 503, "error": "too many listeners" }));
    }

    #[tokio::test]
    async fn an_empty_error_says_what_the_path_takes() {
        let empty = (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET,HEAD")]).into_response();
        assert_eq!(body(shaped(empty).await).await["error"], "this path takes GET,HEAD");
        let empty = StatusCode::PAYLOAD_TOO_LARGE.into_response();
        assert_eq!(body(shaped(empty).await).await["error"], "Payload Too Large");
    }

    #[tokio::test]
    async fn what_is_no_error_or_has_the_shape_passes() {
        let text = shaped("alive\n".into_response()).await;
        assert_eq!(to_bytes(text.into_body(), LONGEST).await.unwrap(), "alive\n");
        let object = shaped(problem(StatusCode::NOT_FOUND, "no such call is up")).await;
        assert_eq!(body(object).await["error"], "no such call is up");
    }
}
