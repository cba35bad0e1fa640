//! `make bench`: what Sidetone costs, beside rtpengine and Kamailio, on one machine in one run.
//!
//! The method, and what can't be compared, stand in `docs/BENCH.md`.

mod analysis;
mod cpu;
mod machine;
mod media;
mod median;
mod place;
mod program;
mod report;
mod settings;
mod signalling;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use machine::{Bustle, Machine};
use program::Stage;
use report::{Conditions, Report, Runs};
use settings::{Part, Settings};

fn main() -> anyhow::Result<ExitCode> {
    let mut settings = Settings::parse();
    settings.sidetone = settings
        .sidetone
        .canonicalize()
        .with_context(|| format!("{} is not there; build it: make release", settings.sidetone.display()))?;
    settings.speech =
        settings.speech.canonicalize().with_context(|| format!("{}", settings.speech.display()))?;
    // Every call takes two sockets here and four or more in a relay, which inherits the limit.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;

    let stage = Stage::set()?;
    let (begun, before) = (Instant::now(), Bustle::now());
    let mut runs = Runs::default();
    // A failed measurement is told, and does not cost those before and after it.
    let mut failures = Vec::new();
    let mut note = |failure: anyhow::Error| {
        say(format_args!("FAILED: {failure:#}"));
        failures.push(format!("{failure:#}"));
    };
    measure(&settings, &stage, &mut runs, &mut note)?;
    let after = Bustle::now();
    let report = Report {
        machine: Machine::look(&settings.sidetone),
        conditions: Conditions {
            runs: settings.runs,
            window_seconds: settings.window.as_secs_f64(),
            pinned: stage.subject.is_some(),
            real_time: stage.real_time,
            stolen: after.stolen_since(&before),
            before,
            after,
            took_seconds: begun.elapsed().as_secs_f64(),
        },
        forwarding: report::forwarding(&runs.forwarding),
        signalling: report::signalling(&runs.signalling),
        analysis: report::analysis(&runs.analysis),
        runs,
        failures,
    };
    report.print(&mut std::io::stdout().lock())?;
    if let Some(folder) = settings.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&settings.json, serde_json::to_vec_pretty(&report)?)?;
    say(format_args!("all of it, run by run: {}", settings.json.display()));
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures each part as often as there are runs. Subjects take turns within a run, so that what the machine does
/// meanwhile strikes all of them.
fn measure(
    settings: &Settings,
    stage: &Stage,
    runs: &mut Runs,
    note: &mut impl FnMut(anyhow::Error),
) -> anyhow::Result<()> {
    for number in 1..=settings.runs {
        if settings.only.contains(&Part::Forwarding) {
            say(format_args!("run {number} of {}: forwarding", settings.runs));
            forwarding(settings, stage, runs, note)?;
        }
        if settings.only.contains(&Part::Signalling) {
            say(format_args!("run {number} of {}: signalling", settings.runs));
            for sdp in [false, true] {
                for subject in signalling::Subject::ALL {
                    match signalling::measure(subject, sdp, settings, stage) {
                        Ok(run) => runs.signalling.push(run),
                        Err(error) => note(error.context(format!("signalling by {subject:?}, SDP: {sdp}"))),
                    }
                }
            }
        }
        if settings.only.contains(&Part::Analysis) {
            say(format_args!("run {number} of {}: analysis", settings.runs));
            match analysis::measure(settings) {
                Ok(run) => runs.analysis.push(run),
                Err(error) => note(error.context("analysis")),
            }
        }
    }
    if settings.only.contains(&Part::Desks) {
        for number in 1..=settings.runs {
            say(format_args!("run {number} of {}: desks", settings.runs));
            match media::desks::measure(settings, stage) {
                Ok(both) => runs.desks.extend(both),
                Err(error) => note(error.context("desks")),
            }
        }
    }
    if settings.only.contains(&Part::Handshakes) {
        for number in 1..=settings.runs {
            say(format_args!("run {number} of {}: handshakes", settings.runs));
            match media::handshakes::measure(settings, stage) {
                Ok(both) => runs.handshakes.extend(both),
                Err(error) => note(error.context("handshakes")),
            }
        }
    }
    if settings.only.contains(&Part::Reaction) {
        for number in 1..=settings.runs {
            say(format_args!("run {number} of {}: reaction", settings.runs));
            match media::reaction::measure(settings, stage) {
                Ok(run) => runs.reaction.push(run),
                Err(error) => note(error.context("reaction")),
            }
        }
    }
    if settings.only.contains(&Part::Announcing) {
        for number in 1..=settings.runs {
            say(format_args!("run {number} of {}: announcing", settings.runs));
            match media::announcing::measure(settings, stage) {
                Ok(run) => runs.announcing.push(run),
                Err(error) => note(error.context("announcing")),
            }
        }
    }
    Ok(())
}

fn forwarding(
    settings: &Settings,
    stage: &Stage,
    runs: &mut Runs,
    note: &mut impl FnMut(anyhow::Error),
) -> anyhow::Result<()> {
    let speech = media::Speech::load(&settings.speech)?;
    for (subject, loads) in [
        (media::Subject::Nobody, &settings.calls),
        (media::Subject::Rtpengine, &settings.calls),
        (media::Subject::Sidetone, &settings.calls),
        (media::Subject::SidetoneKernel, &settings.calls),
        (media::Subject::SidetoneHearing, &settings.heard_calls),
        (media::Subject::SidetoneKernelHearing, &settings.heard_calls),
        (media::Subject::RtpengineSecured, &settings.calls),
        (media::Subject::SidetoneSecured, &settings.calls),
    ] {
        if loads.is_empty() {
            continue;
        }
        if let Err(error) = media::measure(subject, loads, settings, stage, &speech, &mut runs.forwarding) {
            note(error.context(format!("forwarding by {subject:?}")));
        }
    }
    Ok(())
}

/// Progress, beside the tables.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
