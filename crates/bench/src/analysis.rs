//! Analysis: CPU time per second of a customer's audio, by `sidetone analyze`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::Serialize;

use crate::settings::Settings;

/// Recordings in the longer of the two runs that are compared.
const MANY: u32 = 9;

/// One run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Run {
    /// CPU ms per second of audio, the start of the program taken off.
    pub(crate) ms_per_second: f64,
    /// CPU ms for the start of the program and the loading of the network.
    pub(crate) start_ms: f64,
    /// Seconds of audio in one recording.
    pub(crate) audio_seconds: f64,
}

/// Analyses one recording, then many, and takes the difference.
pub(crate) fn measure(settings: &Settings) -> anyhow::Result<Run> {
    let recording = settings.speech.join("caller.wav");
    let wav = hound::WavReader::open(&recording).with_context(|| format!("{}", recording.display()))?;
    let audio_seconds = f64::from(wav.duration()) / f64::from(wav.spec().sample_rate);
    let one = analyse(settings, &recording, 1)?.as_secs_f64();
    let many = analyse(settings, &recording, MANY)?.as_secs_f64();
    let each = (many - one) / f64::from(MANY - 1);
    Ok(Run { ms_per_second: each * 1e3 / audio_seconds, start_ms: (one - each) * 1e3, audio_seconds })
}

/// CPU time, user and system, of the program and all its threads.
fn analyse(settings: &Settings, recording: &Path, times: u32) -> anyhow::Result<Duration> {
    let before = children()?;
    let output = Command::new(&settings.sidetone)
        .arg("analyze")
        .args((0..times).map(|_| recording))
        .stdin(Stdio::null())
        .output()
        .context("sidetone can't be started")?;
    anyhow::ensure!(output.status.success(), "sidetone analyze: {}", String::from_utf8_lossy(&output.stderr));
    Ok(children()?.saturating_sub(before))
}

/// CPU time of all children that have ended.
fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or(0));
    seconds + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or(0))
}
