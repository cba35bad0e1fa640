//! The answer at an address that there is not.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;

use super::problem::problem;
use super::screens;

/// The answer for an unknown path: a page for a browser, where pages are served.
pub(super) async fn no_such_path(has_pages: bool, uri: Uri, headers: HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let api = ["/api/", "/assets/"].iter().any(|prefix| uri.path().starts_with(prefix));
    if has_pages && !api && accepts.contains("text/html") {
        return screens::no_such_page(&uri, &headers);
    }
    problem(StatusCode::NOT_FOUND, "no such path; /openapi.json lists those that there are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_browser_at_a_wrong_address_gets_a_page_and_a_program_an_object() {
        let asked = async |path: &'static str, accept: &'static str, has_pages| {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT, axum::http::HeaderValue::from_static(accept))]);
            let answer = no_such_path(has_pages, Uri::from_static(path), headers).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned()
        };
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert_eq!(asked("/cals", browser, true).await, "text/html; charset=utf-8");
        assert_eq!(asked("/cals", "*/*", true).await, "application/json");
        assert_eq!(asked("/api/v1/cals", browser, true).await, "application/json");
        assert_eq!(asked("/cals", browser, false).await, "application/json");
    }
}
