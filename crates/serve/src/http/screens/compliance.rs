//! The compliance page, and the report behind it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sidetone_consent::log;
use sidetone_consent::report::Report;
use sidetone_pages::{Compliance, Listed, Owed, PolicyInForce, Receipts};
use sidetone_store::AccessCursor;

use super::sources::{Facts, Screens};
use super::visit::Visit;
use crate::Stats;

/// Accesses of a part of the log.
const A_PART: u32 = 50;
/// Erasures that are asked of the store.
const ERASURES: u32 = 20;
/// The report is one page with a style of its own, which nothing from outside gets into.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub(super) fn router() -> Router<Screens> {
    Router::new().route("/compliance", get(page)).route("/compliance/report", get(report))
}

/// `?after=1772357400000-3`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    after: Option<String>,
}

async fn page(
    State(screens): State<Screens>,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    // A place that is none is the beginning.
    let after: Option<AccessCursor> = asked.after.and_then(|after| after.parse().ok());
    let first = Compliance::first_day(visit.frame.now);
    let answered = screens.kept.ask(move |store| {
        let accesses = store.accesses(A_PART, after)?;
        Ok((store.days(first, first + 400)?, accesses, store.erasures(ERASURES)?))
    });
    let (days, accesses, erasures) = visit.answered(answered.await)?;
    let unavailable = || visit.frame.problem(StatusCode::INTERNAL_SERVER_ERROR);
    let stats = screens.stats.fresh().await.ok_or_else(unavailable)?;
    let (read, facts) = screens.facts().await.ok_or_else(unavailable)?;
    let next = AccessCursor::behind(&accesses, after).filter(|_| accesses.len() == A_PART as usize);
    let compliance = Compliance {
        days: &days,
        policy: &policy(&facts.report),
        receipts: &receipts(&facts),
        read,
        listed: &match &facts.excluded {
            None => Listed::NoList,
            Some(Err(why)) => Listed::Unreadable(why.clone()),
            Some(Ok(numbers)) => Listed::Numbers(*numbers),
        },
        erasures: &erasures,
        owed: owed(&stats),
        accesses: &accesses,
        newest: after.is_none(),
        next,
    };
    Ok(visit.frame.ok(sidetone_pages::compliance(&visit.frame.shell(), &compliance)))
}

fn policy(report: &Report) -> PolicyInForce {
    let kept = report.retention.iter().map(|it| [it.what.clone(), it.at.clone(), it.kept.clone()]);
    // As the configuration writes it.
    let word = |policy| match serde_json::to_value(policy) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    };
    PolicyInForce {
        trunks: report.trunks.iter().map(|it| (it.trunk.clone(), word(it.policy))).collect(),
        rules: report.rules.len() as u64,
        never_tiers: report.never_tiers.clone(),
        opt_out_digit: Some(report.opt_out_digit),
        remarks: report.remarks.iter().map(|remark| (remark.key(), remark.to_string())).collect(),
        kept: kept.collect(),
    }
}

fn receipts(facts: &Facts) -> Receipts {
    match &facts.receipts {
        None => Receipts::NotKept,
        Some(Err(why)) => Receipts::Unreadable(why.clone()),
        Some(Ok(log::Report { receipts, files, lost, head, findings, further_findings, notes, .. })) => {
            Receipts::Read {
                receipts: *receipts,
                files: *files as u64,
                lost: *lost,
                head: head.as_ref().map(|head| format!("{}:{}", head.seq, head.hash)),
                findings: findings.iter().map(ToString::to_string).collect(),
                further: *further_findings,
                notes: notes.clone(),
            }
        }
    }
}

fn owed(stats: &Stats) -> Owed {
    Owed {
        files: stats.sinks.iter().map(|sink| sink.erasures_owed).sum(),
        spool: stats.spool.as_ref().map_or(0, |spool| spool.erasures_owed),
        beyond: stats.sinks.iter().map(|sink| sink.erasures_beyond).sum(),
    }
}

async fn report(State(screens): State<Screens>, visit: Visit) -> Response {
    let facts: Option<(u64, Arc<Facts>)> = screens.facts().await;
    let Some((_, facts)) = facts else {
        return visit.frame.problem(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let own = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, REPORT_POLICY),
    ];
    (own, facts.report.to_html()).into_response()
}

#[cfg(test)]
mod tests {
    use sidetone_consent::report::Remark;

    #[test]
    fn every_remark_is_told_in_the_readers_language() {
        for remark in Remark::ALL {
            assert!(sidetone_pages::knows_remark(remark.key()), "{remark:?}");
        }
    }
}
