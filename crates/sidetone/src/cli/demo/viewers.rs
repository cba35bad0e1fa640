//! The pages of the demo, and those who look at them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use sidetone_events::{NumberHasher, Secret, Timestamp};
use sidetone_hear::Language;
use sidetone_proxy::random;
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
    /// Of the calls of the half day: by it their numbers are found.
    hasher: NumberHasher,
    supervisor: String,
    director: String,
    agent: String,
    operator: String,
    /// Who leaves notes.
    noting: Token,
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
    remark(output.json, &format!("numbers to search for: {}", half_day::NUMBERS));
    let said =
        "making calls of yesterday and the last hours: the demo's own speech, made-up callers and outcomes";
    remark(output.json, &format!("{said} ({})", half_day::CALLS));
    let (book, store, crm) = (server.book(), opened.store.clone(), opened.crm.clone());
    let (hasher, noting) = (opened.hasher.clone(), opened.noting.clone());
    let made = tokio::task::spawn_blocking(move || {
        let spool = book.spool().context("the demo keeps no spool")?;
        half_day::play(spool, Timestamp::now(), &hasher, &language)?;
        half_day::add_outcomes(&store, &crm, &noting)
    });
    made.await.context("the half day broke")?
}

/// Has the demo keep its call and its receipt, and serve pages of it on a free port.
pub(super) fn keep(config: &mut Config, folder: &Path) -> anyhow::Result<Opened> {
    let store = StoreConfig::in_file(folder.join("store.db"));
    let now = Timestamp::now();
    let mut made = Store::create(&store).context("no store can be made for the demo")?;
    let agent = "2001".parse().context("no agent has this label")?;
    let agent = made.create_agent_token("demo agent", &agent, None, now).context("no token can be made")?;
    let mut token =
        |name: &str, role: Role| made.create_token(name, role, None, now).context("no token can be made");
    let supervisor = token("demo supervisor", Role::Supervisor)?;
    let salt = Secret::new(format!("{:016x}{:016x}", random::number(), random::number()));
    let opened = Opened {
        store: store.clone(),
        hasher: NumberHasher::salted(&salt).context("numbers can't be hashed")?,
        supervisor: supervisor.secret,
        noting: supervisor.token,
        director: token("demo director", Role::Director)?.secret,
        agent: agent.secret,
        operator: token("demo operator", Role::Operator)?.secret,
        crm: token("demo CRM", Role::Integration)?.token,
    };
    config.spool = Some(toml::from_str(&format!("path = {:?}", folder.join("spool.db")))?);
    config.store = Some(store);
    config.events.number_salt = Some(salt);
    config.consent.receipts = Some(folder.join("receipts"));
    config.http.listen = "127.0.0.1:0".parse()?;
    Ok(opened)
}
