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

    use axum::extract::Query;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use sidetone_events::STREAM_PATH;
    use sidetone_store::{Call, CallOutcome, CueSum, Day, NewNote, Survey, TopicSum};

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

    /// The members that a type takes, in the words in which it refuses another one.
    fn named(refusal: &str) -> BTreeSet<String> {
        let (_, expected) = refusal.split_once("expected").unwrap_or_else(|| panic!("{refusal}"));
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn query_of<T: DeserializeOwned>() -> BTreeSet<String> {
        let refused = Query::<T>::try_from_uri(&"/?no_such_member=1".parse().unwrap());
        named(&refused.err().unwrap().body_text())
    }

    fn body_of<T: DeserializeOwned>() -> BTreeSet<String> {
        named(&serde_json::from_str::<T>(r#"{"no_such_member":1}"#).err().unwrap().to_string())
    }

    fn keys(of: &Value) -> BTreeSet<String> {
        of.as_object().unwrap().keys().cloned().collect()
    }

    /// A part of the document, wherever it stands.
    fn resolved<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
        part["$ref"].as_str().map_or(part, |reference| document.pointer(&reference[1..]).unwrap())
    }

    #[test]
    fn every_parameter_and_member_that_is_taken_is_described_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        for (path, taken) in [
            ("/api/v1/calls", query_of::<history::Asked>()),
            ("/api/v1/days", query_of::<history::AskedDays>()),
            ("/api/v1/cues", query_of::<history::AskedSums>()),
            ("/api/v1/topics", query_of::<history::AskedSums>()),
        ] {
            let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
            let parameters = parameters.iter().map(|it| resolved(&document, it));
            let described: BTreeSet<String> = parameters
                .filter(|it| it["in"] == "query")
                .map(|it| it["name"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(described, taken, "{path}");
        }
        for (path, method, taken) in [
            ("/api/calls/{id}/tell", "post", body_of::<api::Tell>()),
            ("/api/calls/{id}/announce", "post", body_of::<api::Announce>()),
            ("/api/v1/calls/{id}/outcome", "post", body_of::<CallOutcome>()),
            ("/api/v1/calls/{id}/survey", "post", body_of::<Survey>()),
            ("/api/v1/calls/{id}/notes", "post", body_of::<NewNote>()),
            ("/api/v1/calls/{id}/self-note", "put", body_of::<additions::Written>()),
            ("/api/v1/calls/{id}/cues/{number}", "post", body_of::<desk::Answered>()),
            ("/api/v1/text", "post", body_of::<text::Asked>()),
        ] {
            let body = &document["paths"][path][method]["requestBody"]["content"]["application/json"];
            assert_eq!(keys(&resolved(&document, &body["schema"])["properties"]), taken, "{path}");
        }
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
    fn every_member_of_a_row_that_is_told_is_described_and_no_other() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        described::<Call>(&document, "Call");
        described::<Day>(&document, "Day");
        described::<CueSum>(&document, "CueSum");
        described::<TopicSum>(&document, "TopicSum");
    }

    #[test]
    fn the_version_is_that_of_the_program() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
