//! Entity tags: a client that has an answer already is told that it has not changed (RFC 9110, 8.8.3 and 13.1.2).

use std::fmt::Write as _;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// Bytes of the digest that stand in a tag.
const BYTES: usize = 16;

/// Gives an answer its tag, and answers 304 where the client has it. The answers are made in memory in any case, so
/// this buffers nothing that was not there.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    // Of an answer to HEAD the content is gone already, and with it what a tag is made of.
    let asked = *request.method() == Method::GET;
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if !asked || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = tag(&bytes);
    let unchanged = known.is_some_and(|known| names(&known, &tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    if unchanged {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Weak: what is the same is the content, whatever encodes it on its way.
fn tag(bytes: &[u8]) -> String {
    let mut tag = "W/\"".to_owned();
    for byte in Sha256::digest(bytes).iter().take(BYTES) {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether If-None-Match names a tag, by the weak comparison.
fn names(known: &HeaderValue, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known
        .to_str()
        .is_ok_and(|known| known.trim() == "*" || known.split(',').any(|known| opaque(known) == opaque(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_in_a_list_and_without_its_weakness() {
        let tag = tag(b"content");
        assert_ne!(tag, super::tag(b"contents"));
        for known in
            [tag.clone(), tag.trim_start_matches("W/").to_owned(), format!("\"x\", {tag}"), "*".to_owned()]
        {
            assert!(names(&HeaderValue::from_str(&known).unwrap(), &tag), "{known}");
        }
        for other in ["", "W/\"\"", "\"x\"", "W/\"0000\", \"1\""] {
            assert!(!names(&HeaderValue::from_str(other).unwrap(), &tag), "{other}");
        }
    }
}
