//! Figures of days.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Extension, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sidetone_insight::cues::Moment;
use sidetone_pages::{Figures, FiguresQuery};
use sidetone_store::{Role, StoreError};

use super::sources::Screens;
use super::visit::Visit;
use crate::http::desk::Desks;
use crate::http::kept::Kept;

pub(super) fn router(desks: Desks) -> Router<Screens> {
    Router::new()
        .route("/figures", get(figures))
        .route("/figures.csv", get(figures_csv))
        .layer(Extension(desks))
}

/// The figures that a query asks for; the usual ones if it asks for none that there could be.
async fn figures_of(kept: &Kept, query: FiguresQuery, role: Role, now: u64) -> Result<Figures, StoreError> {
    let range = query.range(now).unwrap_or_else(|_| sidetone_pages::Range::usual(now));
    let (by, first, last) = (query.grouping(), range.before_first, range.last);
    let (told, today) = ((range.first, last), now / 86_400_000);
    let asked = kept.ask(move |store| {
        let (cues, topics) = (store.told_cues(told, today)?, store.told_topics(told, today)?);
        Ok((store.days_by(by, first, last)?, cues, topics, store.told_holdout(told, today)?))
    });
    let (mut days, cues, topics, holdout) = asked.await?;
    if role == Role::Director {
        days = sidetone_pages::for_directors(days, today);
    }
    Ok(Figures::of(&days, &query, now).with_cues(&cues).with_topics(&topics).with_holdout(holdout))
}

/// The lines of the installation's cues in a language, by their ids; `…` stands where a line has a measured value.
fn lines(desks: &Desks, language: &str) -> BTreeMap<String, String> {
    let cues = desks.cues();
    let lines = cues.cues.iter().filter_map(|cue| {
        let (_, line, _) = cue.in_language(language)?;
        Some((cue.id.clone(), line.filled(&Moment::default())))
    });
    lines.collect()
}

async fn figures(
    State(kept): State<Kept>,
    Extension(desks): Extension<Desks>,
    visit: Visit,
    Query(query): Query<FiguresQuery>,
) -> Result<Response, Response> {
    let figures = visit.answered(figures_of(&kept, query, visit.person.token.role, visit.frame.now).await)?;
    let figures = figures.with_lines(lines(&desks, visit.frame.language.code()));
    Ok(visit.frame.ok(sidetone_pages::figures(&visit.frame.shell(), &figures)))
}

async fn figures_csv(
    State(kept): State<Kept>,
    visit: Visit,
    Query(query): Query<FiguresQuery>,
) -> Result<Response, Response> {
    let figures = visit.answered(figures_of(&kept, query, visit.person.token.role, visit.frame.now).await)?;
    let named = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"sidetone-figures.csv\""),
    ];
    Ok((named, sidetone_pages::figures_csv(&visit.frame.shell(), &figures)).into_response())
}
