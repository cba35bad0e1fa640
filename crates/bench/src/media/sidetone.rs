//! Sidetone itself, as its users run it: a configuration file, and calls by SIP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use sidetone_sip::sdp::crypto::Crypto;

use super::sip::Pair;
use super::{Doors, Heard, Relay};
use crate::cpu::{Busy, Spent};
use crate::place;
use crate::program::{Class, Launch, Program, Stage};

/// Whether callers are told, and so may be listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disclosure {
    None,
    GivenUpstream,
    Notice,
}

/// A configuration for the benchmark: one carrier, one PBX, no limits that matter, nothing else switched on.
pub(crate) fn config(
    listen: SocketAddr,
    trunk: SocketAddr,
    pbx: SocketAddr,
    disclosure: Disclosure,
    http: SocketAddr,
    dir: &Path,
) -> String {
    let disclosure = match disclosure {
        Disclosure::None => "none",
        Disclosure::GivenUpstream => "given-upstream",
        Disclosure::Notice => "notice",
    };
    format!(
        r#"[sip]
listen = ["udp:{listen}"]
max_transactions = 1000000
[media]
address = "{}"
ports = "10000-29999"
[[trunk]]
name = "carrier"
hosts = [{{ to = "sip:{trunk};transport=udp" }}]
allow = ["{}"]
disclosure = "{disclosure}"
[[pbx]]
name = "pbx"
hosts = [{{ to = "sip:{pbx};transport=udp" }}]
allow = ["{}"]
[limits]
calls = 100000
calls_per_second = 100000
drain = "0s"
[health]
options_interval = "0s"
[http]
listen = "{http}"
[control]
socket = "{}"
[log]
level = "warn"
"#,
        listen.ip(),
        trunk.ip(),
        pbx.ip(),
        dir.join("control.sock").display()
    )
}

/// SRTP with carriers ends here, and PBXs speak RTP.
const SECURED: &str = "[media.security]\ntrunk = \"require\"\npbx = \"plain\"\n";

/// A running Sidetone with a caller and a callee.
#[derive(Debug)]
pub(crate) struct Sidetone {
    program: Program,
    http: SocketAddr,
    pair: Pair,
}

impl Sidetone {
    pub(super) fn start(
        binary: &Path,
        disclosure: Disclosure,
        kernel: &str,
        key: Option<Crypto>,
        stage: &Stage,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_with(binary, disclosure, kernel, key, stage, dir, "")
    }

    /// The same with more tables in its configuration.
    pub(super) fn start_with(
        binary: &Path,
        disclosure: Disclosure,
        kernel: &str,
        key: Option<Crypto>,
        stage: &Stage,
        dir: &Path,
        more: &str,
    ) -> anyhow::Result<Self> {
        let listen = place::free(place::SUBJECT)?;
        let mut pair = Pair::new(place::TRUNK, place::PBX, listen)?;
        let security = if key.is_some() { SECURED } else { "" };
        if let Some(key) = key {
            pair = pair.secured_by(key);
        }
        let trunk = SocketAddr::new(place::TRUNK, 5060);
        let (program, http) = serve(binary, stage.subject, stage.class(Class::First), dir, |http| {
            let kernel = format!("[media]\nkernel = \"{kernel}\"");
            config(listen, trunk, pair.callee(), disclosure, http, dir).replace("[media]", &kernel)
                + security
                + more
        })?;
        // All share one CPU here, and workers that can't keep up would keep everyone else waiting. Relay and SIP are
        // equals: they speak through channels on which a higher one could spin for ever, waiting for a lower one.
        Busy::of(program.id())?.threads("hear-").try_for_each(|worker| stage.defer(worker))?;
        Ok(Self { program, http, pair })
    }

    /// Sets up a call whose caller wants DTLS-SRTP, and begins the handshake; gives the address that it is to shake
    /// hands with, and the answer.
    pub(super) fn connect_shaken(
        &mut self,
        offer: &str,
        pbx: SocketAddr,
    ) -> anyhow::Result<(SocketAddr, String)> {
        let agreed = self.pair.offer(offer, pbx)?;
        Ok(((place::SUBJECT, agreed.to_caller).into(), agreed.answer))
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }

    /// Where its pages are.
    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }
}

/// Starts `sidetone run` and waits until it is ready; `config` is told where its HTTP is to be.
pub(crate) fn serve(
    binary: &Path,
    cpu: Option<usize>,
    class: Class,
    dir: &Path,
    config: impl FnOnce(SocketAddr) -> String,
) -> anyhow::Result<(Program, SocketAddr)> {
    let http = TcpListener::bind((place::SUBJECT, 0))?.local_addr()?;
    let file = dir.join("sidetone.toml");
    std::fs::write(&file, config(http))?;
    let launch = Launch { name: "sidetone", program: binary, cpu, class, dir };
    let mut program = launch.start(&["run".as_ref(), "--config".as_ref(), file.as_os_str()])?;
    program.wait_until(|| get(http, "/readyz").ok())?;
    Ok((program, http))
}

/// A page by HTTP/1.1, if its status is 200.
pub(crate) fn get(at: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: sidetone\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}");
    Ok(body.to_owned())
}

impl Relay for Sidetone {
    fn connect(&mut self, trunk: SocketAddr, pbx: SocketAddr) -> anyhow::Result<Doors> {
        let agreed = self.pair.call(trunk, pbx)?;
        Ok(Doors {
            trunk: (place::SUBJECT, agreed.to_caller).into(),
            pbx: (place::SUBJECT, agreed.to_callee).into(),
            key: agreed.key,
        })
    }

    fn hang_up(&mut self) -> anyhow::Result<()> {
        self.pair.hang_up()
    }

    fn pid(&self) -> Option<u32> {
        Some(self.id())
    }

    fn relaying(&self, spent: &Spent) -> Duration {
        spent.by("relay-")
    }

    fn hearing(&self, spent: &Spent) -> Duration {
        spent.by("hear-")
    }

    fn heard(&self) -> anyhow::Result<Heard> {
        let page = get(self.http, "/metrics")?;
        let value = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok()).with_context(|| format!("no metric {name}"))
        };
        Ok(Heard {
            dropped: value("sidetone_tap_dropped_total")?,
            audio_seconds: value("sidetone_analysis_audio_seconds_total")?,
        })
    }
}
