//! What every demo stands on: signals that end it, sockets, words.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use sidetone_hear::Language;
use sidetone_language::models;
use sidetone_language::recognise::WEIGHTS;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::output::{Output, remark};

/// The signals that end the demo: its folder goes with it whichever comes.
pub(super) struct Ending([Signal; 3]);

impl Ending {
    pub(super) fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self([terminate?, interrupt?, hangup?]))
    }

    pub(super) async fn asked(&mut self) {
        let Self([terminate, interrupt, hangup]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

pub(super) fn free_address() -> anyhow::Result<SocketAddr> {
    let probe =
        std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no UDP port is free on 127.0.0.1")?;
    Ok(probe.local_addr()?)
}

/// The larger port range beside SIP's own port, which the system has chosen.
pub(super) const fn ports_beside(sip: SocketAddr) -> &'static str {
    if sip.port() > 40_000 { "20000-39999" } else { "40001-59999" }
}

/// Words are recognised where a recogniser is installed. Both parties of the demo are synthetic, so all is kept.
pub(super) fn words(output: Output) -> Language {
    let language = Language { enabled: true, agents: true, keep: true, ..Language::default() };
    if language.folder(&language.model, &models::folder()).join(WEIGHTS).is_file() {
        return language;
    }
    let model = language.model;
    remark(output.json, &format!("to see what the caller says too: sidetone model fetch {model}"));
    Language::default()
}
