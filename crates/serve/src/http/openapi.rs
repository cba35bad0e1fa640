//! The OpenAPI 3.1 description of the HTTP server, at `/openapi.json`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// `docs/openapi.json` of the repository.
const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use sidetone_events::STREAM_PATH;

    use super::DOCUMENT;
    use crate::http::{additions, api, desk, history, pages, text};

    #[test]
    fn every_path_that_is_served_is_described_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described: BTreeSet<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let served: BTreeSet<&str> = pages()
            .map(|(path, _)| path)
            .into_iter()
            .chain(api::routes().map(|(path, _)| path))
            .chain(history::routes().map(|(path, _)| path))
            .chain(additions::routes().map(|(path, _)| path))
            .chain(desk::routes().map(|(path, _)| path))
            .chain(text::routes().map(|(path, _)| path))
            .chain([STREAM_PATH])
            .collect();
        assert_eq!(described, served);
    }

    #[test]
    fn the_version_is_that_of_the_program() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
