//! The operator's page.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use sidetone_pages::{Counts, Health, Host, HostState, Link, Model, Operations, Words};

use super::sources::Screens;
use super::visit::Visit;
use crate::Stats;
use crate::stats::Unready;

pub(super) fn router() -> Router<Screens> {
    Router::new().route("/operations", get(page)).route("/operations/state", get(fragment))
}

async fn page(State(screens): State<Screens>, visit: Visit) -> Response {
    answer(&screens, &visit, sidetone_pages::operations).await
}

async fn fragment(State(screens): State<Screens>, visit: Visit) -> Response {
    answer(&screens, &visit, sidetone_pages::operations_fragment).await
}

type Render = fn(&sidetone_pages::Shell<'_>, &Operations<'_>) -> String;

async fn answer(screens: &Screens, visit: &Visit, render: Render) -> Response {
    let Some(stats) = screens.stats.fresh().await else {
        return visit.frame.problem(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let alarms = screens.earlier().alarms(Duration::from_secs(stats.uptime_s), &stats);
    let hosts: Vec<Host<'_>> = stats
        .hosts
        .iter()
        .map(|host| Host {
            of_trunk: host.side == sidetone_call::Side::Trunk.as_str(),
            peer: &host.peer,
            host: &host.host,
            state: match (host.up, host.heard) {
                (false, _) => HostState::Down,
                (true, true) => HostState::Up,
                (true, false) => HostState::Unheard,
            },
        })
        .collect();
    let links: Vec<Link<'_>> = stats
        .links
        .iter()
        .map(|link| Link {
            pbx: &link.pbx,
            kind: link.kind.name(),
            up: link.connected,
            sent: link.sent,
            dropped: link.dropped,
            refused: link.failed,
        })
        .collect();
    let model = screens.model.as_ref();
    let node = stats.node.as_ref().map(ToString::to_string);
    let unready = stats.unready();
    let operations = Operations {
        health: health(unready.as_ref()),
        version: stats.version,
        node: node.as_deref(),
        uptime_s: stats.uptime_s,
        model: model.map(|it| Model { name: &it.name, licence: &it.licence, sha256: &it.sha256 }),
        words: match (&stats.language, stats.recogniser_missing) {
            (_, true) => Words::Missing,
            (Some(_), false) => Words::Recognised,
            (None, false) => Words::Off,
        },
        alarms: &alarms,
        hosts: &hosts,
        links: &links,
        counts: &counts(&stats),
        store_trouble: stats.store.as_ref().and_then(|store| store.trouble.as_deref()),
    };
    visit.frame.ok(render(&visit.frame.shell(), &operations))
}

fn health(unready: Option<&Unready>) -> Health<'_> {
    match unready {
        None => Health::Ready,
        Some(Unready::Draining) => Health::Draining,
        Some(Unready::Thread(why)) => Health::Thread(why),
        Some(Unready::NoModel) => Health::NoModel,
        Some(Unready::SideDown(sidetone_call::Side::Trunk)) => Health::NoTrunk,
        Some(Unready::SideDown(sidetone_call::Side::Pbx)) => Health::NoPbx,
    }
}

fn counts(stats: &Stats) -> Counts {
    let (totals, media, analysis) = (&stats.totals, &stats.media, &stats.analysis);
    let spool = stats.spool.clone().unwrap_or_default();
    let store = stats.store.clone().unwrap_or_default();
    let words = stats.language.clone().unwrap_or_default();
    Counts {
        calls: stats.calls as u64,
        begun: totals.started,
        answered: totals.answered,
        refused: stats.refused.values().sum(),
        one_way: totals.one_way,
        streams: media.streams,
        ports: media.ports as u64,
        ports_resting: media.ports_resting as u64,
        ports_exhausted: media.ports_exhausted,
        packets_dropped: media.dropped.values().sum(),
        listened: analysis.calls,
        estimates: analysis.estimates,
        shed: analysis.shed,
        tap_dropped: media.tap_dropped,
        analysis_panics: analysis.panics,
        words_parties: words.parties,
        words_told: words.utterances,
        words_shed: words.shed.saturating_add(words.beyond),
        words_failed: words.failed,
        consents: totals.consents,
        declined: totals.declined,
        opted_out: totals.opted_out,
        not_told: totals.announcement_failures,
        receipts_waiting: stats.receipts_waiting.unwrap_or_default(),
        receipts_lost: totals.receipts_lost,
        spool_waiting: spool.waiting,
        spool_lost: spool.lost,
        spool_bytes: spool.bytes,
        store_behind: store.behind,
        store_failures: store.failures,
        panics: stats.task_panics,
        threads_missed: stats.threads_missed.len() as u64,
        log_dropped: stats.log_lines_dropped,
        sinks_dropped: stats.sinks.iter().map(|sink| sink.dropped).sum(),
        erasures_owed: stats.sinks.iter().map(|sink| sink.erasures_owed).sum(),
    }
}
