//! What callers are asked after a call, by a link of `POST /api/v1/calls/{id}/survey/link`. It needs no sign-in:
//! whoever has the link is its caller.

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use sidetone_events::Timestamp;
use sidetone_pages::SurveyForm;
use sidetone_store::Invited;

use super::frame::Frame;
use super::sources::Screens;
use crate::http::kept::Kept;

pub(super) fn router() -> Router<Screens> {
    Router::new().route("/survey/{secret}", get(ask).post(answer))
}

async fn ask(State(kept): State<Kept>, frame: Frame, Path(secret): Path<String>) -> Response {
    match kept.ask(move |store| store.invited(&secret, Timestamp::now())).await {
        Ok(link) => page(&frame, link, None),
        Err(error) => frame.unavailable(&error),
    }
}

async fn answer(
    State(kept): State<Kept>,
    frame: Frame,
    Path(secret): Path<String>,
    Form(form): Form<SurveyForm>,
) -> Response {
    let Some(survey) = form.survey() else {
        return match kept.ask(move |store| store.invited(&secret, Timestamp::now())).await {
            Ok(link) => page(&frame, link, Some(&form)),
            Err(error) => frame.unavailable(&error),
        };
    };
    match kept.ask(move |store| store.answer_invitation(&secret, &survey, Timestamp::now())).await {
        Ok(Invited::Open) => frame.ok(sidetone_pages::survey_thanks(&frame.shell())),
        Ok(link) => page(&frame, link, None),
        Err(error) => frame.unavailable(&error),
    }
}

fn page(frame: &Frame, link: Invited, refused: Option<&SurveyForm>) -> Response {
    let status = match (link, refused) {
        (Invited::Gone, _) => StatusCode::NOT_FOUND,
        (Invited::Open, Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    frame.answer(status, sidetone_pages::survey(&frame.shell(), link, refused))
}
