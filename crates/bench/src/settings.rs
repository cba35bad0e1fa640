//! The parts to be measured, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};

/// Sidetone beside rtpengine and Kamailio on this machine, and what listening costs.
#[derive(Debug, Clone, Parser)]
#[command(name = "sidetone-bench", version, max_term_width = 100)]
pub(crate) struct Settings {
    /// The binary to measure.
    #[arg(long, value_name = "FILE", default_value = "target/release/sidetone")]
    pub(crate) sidetone: PathBuf,
    /// Folder with caller.wav and agent.wav.
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub(crate) speech: PathBuf,
    /// Where the whole report goes, as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.json")]
    pub(crate) json: PathBuf,
    /// Parts to measure.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "forwarding,signalling,handshakes,announcing,reaction,analysis"
    )]
    pub(crate) only: Vec<Part>,
    /// Runs of everything; their median is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) runs: u8,
    /// Calls at once, for forwarding.
    #[arg(long, value_delimiter = ',', default_value = "100,300,1000")]
    pub(crate) calls: Vec<usize>,
    /// Calls at once that are also listened to, all on one CPU.
    #[arg(long, value_delimiter = ',', default_value = "50,100,200")]
    pub(crate) heard_calls: Vec<usize>,
    /// Callers who are told something at once.
    #[arg(long, default_value_t = 200)]
    pub(crate) announced_calls: usize,
    /// Calls at once whose estimates are waited for.
    #[arg(long, default_value_t = 100)]
    pub(crate) reacting_calls: usize,
    /// Calls at once, each of which is followed on an agent's page.
    #[arg(long, default_value_t = 200)]
    pub(crate) desks: usize,
    /// Handshakes of DTLS-SRTP a second, beside calls that are up already.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    pub(crate) handshakes: u32,
    /// Length of the measured window.
    #[arg(long, value_parser = seconds, default_value = "5", value_name = "SECONDS")]
    pub(crate) window: Duration,
    /// Traffic before it.
    #[arg(long, value_parser = seconds, default_value = "1.5", value_name = "SECONDS")]
    pub(crate) warm_up: Duration,
    /// New calls a second, for signalling.
    #[arg(long, default_value_t = 400)]
    pub(crate) rate: u32,
    /// Seconds of signalling.
    #[arg(long, default_value_t = 10)]
    pub(crate) signalling_seconds: u32,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// CPU per forwarded packet.
    Forwarding,
    /// Calls per CPU-second.
    Signalling,
    /// CPU per second of audio.
    Analysis,
    /// How evenly announcements to many callers at once arrive.
    Announcing,
    /// How soon an estimate is told.
    Reaction,
    /// What agents' open pages cost.
    Desks,
    /// What handshakes of DTLS-SRTP cost, and what running calls feel of them.
    Handshakes,
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let seconds: f64 = text.parse().context("not a number")?;
    ensure!((0.1..=120.0).contains(&seconds), "from 0.1 to 120");
    Ok(Duration::from_secs_f64(seconds))
}
