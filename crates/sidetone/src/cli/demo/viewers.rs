//! The pages of the demo, and those who look at them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use sidetone_events::Timestamp;
use sidetone_hear::Language;
use sidetone_store::{Role, Store, StoreConfig, Token};

use super::half_day;
use crate::cli::output::{Output, remark};
use crate::cli::view::Paint;
use crate::config::Config;
use crate::server::Server;

/// What a PBX would tell of the demo's call.
pub(super) const LABELS: [(&str, &str); 4] =
    [("queue", "billing"), ("agent", "2001"), ("team", "north"), ("tier", "gold")];

/// The pages of the demo, and those who sign in to them.
pub(super) struct Opened {
    store: StoreConfig,
    supervisor: String,
    director: String,
    agent: String,
    operator: String,
    /// A CRM's, which tells what became of calls.
    crm: Token,
}

/// Tells how to sign in, and makes the half day meanwhile.
pub(super) async fn show_pages(
    opened: &Opened,
    address: SocketAddr,
    server: &Server,
    language: Language,
    output: Output,
) -> anyhow::Result<()> {
    let paint = Paint::detect();
    remark(output.json, &format!("pages: {}", paint.bold(format!("http://{address}/"))));
    remark(output.json, "to sign in, give one of these tokens:");
    for (who, token) in [
        ("as a supervisor, to see the live wall, calls and figures", &opened.supervisor),
        ("as a director, to see figures", &opened.director),
        ("as the call's agent, to see their call and its cues", &opened.agent),
        ("as an operator, to see the service and compliance", &opened.operator),
    ] {
        // A line of its own each, which fits a terminal of 80 columns and is copied whole.
        remark(output.json, &format!("{who}:"));
        remark(output.json, token);
    }
    let said =
        "making calls of yesterday and the last hours: the demo's own speech, made-up callers and outcomes";
    remark(output.json, &format!("{said} ({})", half_day::CALLS));
    let (book, store, crm) = (server.book(), opened.store.clone(), opened.crm.clone());
    let made = tokio::task::spawn_blocking(move || {
        let spool = book.spool().context("the demo keeps no spool")?;
        half_day::play(spool, Timestamp::now(), &language)?;
        half_day::add_outcomes(&store, &crm)
    });
    made.await.context("the half day broke")?
}

/// Has the demo keep its call, and serve pages of it on a free port.
pub(super) fn keep(config: &mut Config, folder: &Path) -> anyhow::Result<Opened> {
    let store = StoreConfig::in_file(folder.join("store.db"));
    let now = Timestamp::now();
    let mut made = Store::create(&store).context("no store can be made for the demo")?;
    let agent = "2001".parse().context("no agent has this label")?;
    let agent = made.create_agent_token("demo agent", &agent, None, now).context("no token can be made")?;
    let mut token =
        |name: &str, role: Role| made.create_token(name, role, None, now).context("no token can be made");
    let opened = Opened {
        store: store.clone(),
        supervisor: token("demo supervisor", Role::Supervisor)?.secret,
        director: token("demo director", Role::Director)?.secret,
        agent: agent.secret,
        operator: token("demo operator", Role::Operator)?.secret,
        crm: token("demo CRM", Role::Integration)?.token,
    };
    config.spool = Some(toml::from_str(&format!("path = {:?}", folder.join("spool.db")))?);
    config.store = Some(store);
    config.http.listen = "127.0.0.1:0".parse()?;
    Ok(opened)
}
