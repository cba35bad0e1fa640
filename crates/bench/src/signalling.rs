//! Signalling: calls per CPU-second of a record-routing proxy between SIPp and SIPp.

mod certificates;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::cpu::Busy;
use crate::media::{Disclosure, config, get, sidetone_at};
use crate::place;
use crate::program::{Class, Launch, Program, Stage};
use crate::settings::Settings;
use certificates::Certificates;

/// Files that the programs read.
const CALLER: &str = include_str!("signalling/caller.xml");
const CALLEE: &str = include_str!("signalling/callee.xml");
const KAMAILIO: &str = include_str!("signalling/kamailio.cfg");

/// SDP, and its place in the scenarios.
const BODY: &str = "v=0\no=bench 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
                    m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";
const BODY_MARK: &str = "@BODY@";
const TYPE_MARK: &str = "@TYPE@";

/// The program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    Kamailio,
    Sidetone,
    /// Sidetone with a connection by TLS on either side, kept for all calls.
    SidetoneTls,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Kamailio, Self::Sidetone, Self::SidetoneTls];
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) subject: Subject,
    /// Whether INVITE and 200 carry SDP; Sidetone anchors its media then, Kamailio does not.
    pub(crate) sdp: bool,
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    /// Retransmissions by either SIPp: what was too slow, or lost.
    pub(crate) retransmissions: u32,
    pub(crate) calls_per_cpu_second: f64,
    /// Upper bound of the histogram's bucket in which 99 % of the times lie that Sidetone's core was locked, in µs.
    pub(crate) locked_p99_us: Option<f64>,
    /// Share of the one CPU that was used.
    pub(crate) load: f64,
}

/// Puts calls through one proxy.
pub(crate) fn measure(
    subject: Subject,
    sdp: bool,
    settings: &Settings,
    stage: &Stage,
) -> anyhow::Result<Run> {
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let dir = dir.path();
    let (proxy, caller, callee) =
        (place::free(place::SUBJECT)?, place::free(place::TRUNK)?, place::free(place::PBX)?);
    let keys = (subject == Subject::SidetoneTls).then(|| Certificates::make(dir)).transpose()?;
    let (program, http) = start(subject, proxy, caller, callee, keys.as_ref(), settings, stage, dir)?;
    let calls = settings.rate * settings.signalling_seconds;
    let mut answering = sipp("callee", CALLEE, sdp, callee, &[], keys.as_ref(), stage, dir)?;
    answering.wait_until(|| is_taken(callee, keys.is_some()).then_some(()))?;
    let before = Busy::of(program.id())?;
    let begun = std::time::Instant::now();
    let options = [
        proxy.to_string(),
        "-r".to_owned(),
        settings.rate.to_string(),
        "-m".to_owned(),
        calls.to_string(),
        "-l".to_owned(),
        "5000".to_owned(),
        "-timeout".to_owned(),
        "60s".to_owned(),
    ];
    let mut calling = sipp("caller", CALLER, sdp, caller, &options, keys.as_ref(), stage, dir)?;
    // SIPp's status says whether a call failed; how many is in its statistics.
    calling.wait(Duration::from_secs(u64::from(settings.signalling_seconds) + 60))?;
    let took = begun.elapsed();
    let spent = Busy::of(program.id())?.since(&before).total();
    drop(answering);
    let locked_p99_us = http.map(locked).transpose()?;
    let statistics = Statistics::read(dir)?;
    anyhow::ensure!(statistics.successful > 0, "no call succeeded:\n{}", calling.printed());
    Ok(Run {
        subject,
        sdp,
        calls: statistics.successful,
        failed: statistics.failed,
        retransmissions: statistics.retransmissions,
        calls_per_cpu_second: f64::from(statistics.successful) / spent.as_secs_f64(),
        load: spent.as_secs_f64() / took.as_secs_f64(),
        locked_p99_us,
    })
}

/// The bound below which 99 % of the times lie that the core was locked, in µs.
fn locked(http: SocketAddr) -> anyhow::Result<f64> {
    let page = get(http, "/metrics")?;
    let prefix = "sidetone_sip_lock_held_seconds_bucket{le=\"";
    let buckets: Vec<(f64, f64)> = page
        .lines()
        .filter_map(|line| {
            let (bound, count) = line.strip_prefix(prefix)?.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.parse().ok()?))
        })
        .collect();
    let all = buckets.last().context("no histogram of the lock")?.1;
    let bound = buckets.iter().find(|(_, count)| *count >= all * 0.99);
    Ok(bound.map_or(f64::INFINITY, |(bound, _)| bound * 1e6))
}

/// Whether a program has this address.
fn is_taken(at: SocketAddr, tcp: bool) -> bool {
    if tcp { TcpListener::bind(at).is_err() } else { UdpSocket::bind(at).is_err() }
}

#[allow(clippy::too_many_arguments)] // Who is started, where, with whom, and how.
fn start(
    subject: Subject,
    proxy: SocketAddr,
    caller: SocketAddr,
    callee: SocketAddr,
    keys: Option<&Certificates>,
    settings: &Settings,
    stage: &Stage,
    dir: &Path,
) -> anyhow::Result<(Program, Option<SocketAddr>)> {
    let class = stage.class(Class::First);
    match subject {
        Subject::Sidetone | Subject::SidetoneTls => {
            let (program, http) = sidetone_at(&settings.sidetone, stage.subject, class, dir, |http| {
                let config = config(proxy, caller, callee, Disclosure::None, http, dir);
                keys.map_or_else(|| config.clone(), |keys| keys.secured(&config))
            })?;
            Ok((program, Some(http)))
        }
        Subject::Kamailio => {
            let file = dir.join("kamailio.cfg");
            std::fs::write(
                &file,
                KAMAILIO.replace("@LISTEN@", &proxy.to_string()).replace("@CALLEE@", &callee.to_string()),
            )?;
            let launch =
                Launch { name: "kamailio", program: Path::new("kamailio"), cpu: stage.subject, class, dir };
            let mut program = launch.start(&[
                // Stay in the foreground, with the workers as children; errors to standard error.
                "-DD".as_ref(),
                "-E".as_ref(),
                "-m".as_ref(),
                "256".as_ref(),
                "-M".as_ref(),
                "16".as_ref(),
                "-Y".as_ref(),
                dir.as_os_str(),
                "-f".as_ref(),
                file.as_os_str(),
            ])?;
            program.wait_until(|| UdpSocket::bind(proxy).is_err().then_some(()))?;
            // The socket is there before the worker is.
            std::thread::sleep(Duration::from_millis(500));
            Ok((program, None))
        }
    }
}

#[allow(clippy::too_many_arguments)] // What it plays, where, and how.
fn sipp(
    name: &str,
    scenario: &str,
    sdp: bool,
    at: SocketAddr,
    options: &[String],
    keys: Option<&Certificates>,
    stage: &Stage,
    dir: &Path,
) -> anyhow::Result<Program> {
    let (kind, body) = if sdp { ("Content-Type: application/sdp\n", BODY) } else { ("", "") };
    let file = dir.join(format!("{name}.xml"));
    let by = if keys.is_some() { "SIP/2.0/TLS" } else { "SIP/2.0/UDP" };
    let reached = if keys.is_some() { "[local_port];transport=tls>" } else { "[local_port]>" };
    let scenario = scenario.replace(TYPE_MARK, kind).replace(BODY_MARK, body).replace("SIP/2.0/UDP", by);
    // Contacts say how their owner is to be reached.
    let scenario: Vec<String> = scenario
        .lines()
        .map(|line| match line.trim_start().starts_with("Contact:") {
            true => line.replace("[local_port]>", reached),
            false => line.to_owned(),
        })
        .collect();
    std::fs::write(&file, scenario.join("\n"))?;
    let class = stage.class(Class::InTurns);
    let control = place::free(at.ip())?;
    let mut arguments = options.to_vec();
    let file = file.display().to_string();
    let (ip, port, control) = (at.ip().to_string(), at.port().to_string(), control.port().to_string());
    let statistics = dir.join(format!("{name}.csv")).display().to_string();
    for words in [
        &["-sf", file.as_str()][..],
        &["-i", &ip, "-p", &port, "-ci", &ip, "-cp", &control],
        &["-t", if keys.is_some() { "l1" } else { "u1" }, "-nostdin", "-buff_size", "4000000", "-s", "100"],
        &["-trace_stat", "-stf", &statistics, "-fd", "1"],
    ] {
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
    }
    if let Some(keys) = keys {
        arguments.extend(keys.sipp());
        let (program, arguments) = (Path::new("unshare"), certificates::in_root(dir, arguments)?);
        return Launch { name, program, cpu: stage.driver, class, dir }.start(&arguments);
    }
    Launch { name, program: Path::new("sipp"), cpu: stage.driver, class, dir }.start(&arguments)
}

/// SIPp's statistics at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statistics {
    successful: u32,
    failed: u32,
    retransmissions: u32,
}

impl Statistics {
    fn read(dir: &Path) -> anyhow::Result<Self> {
        let of = |name: &str| {
            let text =
                std::fs::read_to_string(dir.join(name)).with_context(|| format!("SIPp left no {name}"))?;
            Self::parse(&text).with_context(|| format!("{name} can't be read"))
        };
        let caller = of("caller.csv")?;
        // The callee is ended, not asked: its last line is at most a second old.
        let callee = of("callee.csv")?;
        Ok(Self { retransmissions: caller.retransmissions + callee.retransmissions, ..caller })
    }

    /// A line of names, then lines of values, separated by semicolons.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let names: Vec<&str> = lines.next()?.split(';').collect();
        let values: Vec<&str> = lines.next_back()?.split(';').collect();
        let value = |wanted: &str| {
            let at = names.iter().position(|name| *name == wanted)?;
            values.get(at)?.parse().ok()
        };
        Some(Self {
            successful: value("SuccessfulCall(C)")?,
            failed: value("FailedCall(C)")?,
            retransmissions: value("Retransmissions(C)")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let text = "StartTime;SuccessfulCall(C);FailedCall(C);Retransmissions(C);\na;1;0;0;\nb;3999;1;12;\n";
        assert_eq!(
            Statistics::parse(text),
            Some(Statistics { successful: 3_999, failed: 1, retransmissions: 12 })
        );
        assert_eq!(Statistics::parse("StartTime;\n"), None);
    }

    #[test]
    fn each_mark_stands_in_each_scenario() {
        for scenario in [CALLER, CALLEE] {
            assert_eq!(scenario.matches(BODY_MARK).count(), 1);
            assert_eq!(scenario.matches(TYPE_MARK).count(), 1);
        }
    }
}
