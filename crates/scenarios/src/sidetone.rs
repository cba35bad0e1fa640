//! The binary under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::net::{Lease, Net, host};
use crate::process::Process;
use crate::until_within;

/// A command of the binary's has failed.
#[derive(Debug, thiserror::Error)]
#[error("{stderr}")]
pub struct CommandFailed {
    /// The text that the command wrote to its standard error.
    pub stderr: String,
}

/// The keys of `sidetone.toml`; a test changes those that it is about.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Sockets, as `udp:ADDRESS:PORT`.
    pub listen: Vec<String>,
    /// Hosts of the one carrier.
    pub trunk: Vec<Host>,
    /// Hosts of the one PBX.
    pub pbx: Vec<Host>,
    /// Sources that belong to the carrier.
    pub allow_trunk: Vec<String>,
    /// Sources that belong to the PBX.
    pub allow_pbx: Vec<String>,
    /// How callers are told that they are listened to.
    pub disclosure: String,
    /// More keys of the PBX.
    pub pbx_more: String,
    /// More keys of the carrier.
    pub trunk_keys: String,
    /// More keys under `[sip]`.
    pub sip: String,
    /// `[media]`.
    pub media: String,
    /// More keys under `[http]`.
    pub http: String,
    /// More tables.
    pub more: String,
}

/// One host of a peer.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its SIP URI.
    pub to: String,
    /// Lower is tried first.
    pub priority: u16,
    /// The name that its certificate has to speak for.
    pub certificate_name: Option<String>,
}

impl Host {
    /// A host by UDP.
    #[must_use]
    pub fn udp(at: SocketAddr, priority: u16) -> Self {
        Self { to: format!("sip:{at};transport=udp"), priority, certificate_name: None }
    }

    /// A host by TCP.
    #[must_use]
    pub fn tcp(at: SocketAddr, priority: u16) -> Self {
        Self { to: format!("sip:{at};transport=tcp"), priority, certificate_name: None }
    }
}

impl Setup {
    /// One carrier host and one PBX host by UDP over IPv4; Sidetone on UDP and TCP.
    #[must_use]
    pub fn usual(net: &Net) -> Self {
        let own = net.at(host::SIDETONE, 5060);
        Self {
            listen: vec![format!("udp:{own}"), format!("tcp:{own}")],
            trunk: vec![Host::udp(net.at(host::TRUNK, 5060), 1)],
            pbx: vec![Host::udp(net.at(host::PBX, 5060), 1)],
            allow_trunk: vec![net.v4(host::TRUNK).to_string()],
            allow_pbx: vec![net.v4(host::PBX).to_string(), net.v4(host::SECOND).to_string()],
            disclosure: "given-upstream".to_owned(),
            pbx_more: String::new(),
            trunk_keys: String::new(),
            sip: String::new(),
            media: format!("address = \"{}\"\nports = \"30000-30199\"\n", net.v4(host::SIDETONE)),
            http: String::new(),
            more: String::new(),
        }
    }

    /// Starts it as [`Self::usual`] does, for baresip: it binds its media to the wildcard address, so on loopback its
    /// packets come from 127.0.0.1, which neither its SDP nor its SIP has announced. Sidetone's default turns such
    /// packets away, rightly.
    #[must_use]
    pub fn for_softphones(net: &Net) -> Self {
        let mut setup = Self::usual(net);
        setup.media.push_str("latching = \"open\"\n");
        setup
    }

    /// Writes it into a folder, in which Sidetone's files will be too; returns the file's path.
    ///
    /// # Panics
    /// When it can't be written.
    #[must_use]
    pub fn written(&self, net: &Net, dir: &std::path::Path) -> PathBuf {
        let config = dir.join("sidetone.toml");
        std::fs::write(&config, self.toml(net, dir)).unwrap();
        config
    }

    fn toml(&self, net: &Net, dir: &std::path::Path) -> String {
        let mut toml = format!("[sip]\nlisten = {:?}\n{}\n[media]\n{}\n", self.listen, self.sip, self.media);
        let disclosure = format!("disclosure = {:?}\n{}", self.disclosure, self.trunk_keys);
        for (side, name, hosts, allow, more) in [
            ("trunk", "carrier", &self.trunk, &self.allow_trunk, disclosure.as_str()),
            ("pbx", "pbx", &self.pbx, &self.allow_pbx, self.pbx_more.as_str()),
        ] {
            let hosts: Vec<String> = hosts
                .iter()
                .map(|host| {
                    let named = host.certificate_name.as_ref();
                    let named =
                        named.map(|name| format!(", certificate_name = {name:?}")).unwrap_or_default();
                    format!("{{ to = {:?}, priority = {}{named} }}", host.to, host.priority)
                })
                .collect();
            write!(
                toml,
                "[[{side}]]\nname = \"{name}\"\nhosts = [{}]\nallow = {allow:?}\n{more}",
                hosts.join(", ")
            )
            .unwrap();
        }
        if !self.more.contains("[health]") {
            // SIPp's scenarios don't expect to be asked how they are.
            toml.push_str("[health]\noptions_interval = \"0s\"\n");
        }
        if !self.more.contains("[limits]") {
            toml.push_str("[limits]\ncalls = 40\ncalls_per_second = 100\ndrain = \"5s\"\n");
        }
        write!(toml, "[events.file]\npath = {:?}\n", dir.join("events.jsonl")).unwrap();
        write!(toml, "[control]\nsocket = {:?}\n", dir.join("control.sock")).unwrap();
        write!(toml, "[http]\nlisten = \"{}\"\n{}", net.at(host::SIDETONE, 9464), self.http).unwrap();
        toml.push_str(&self.more);
        toml
    }
}

/// A running Sidetone.
#[derive(Debug)]
pub struct Sidetone {
    process: Process,
    dir: TempDir,
    http: SocketAddr,
    own: SocketAddr,
    ended: bool,
    /// Whether a process has carried on what another one left.
    carried_on: bool,
    // The last field, so that it is let go of once the process is gone.
    _lease: Lease,
}

/// Where the binary is: `SIDETONE_BIN`, or beside the running test.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("SIDETONE_BIN") {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().unwrap();
    let beside = test.parent().and_then(|deps| deps.parent()).unwrap().join("sidetone");
    assert!(
        beside.is_file(),
        "{} is missing: build it first (`make build`, or `cargo build -p sidetone`), or name it in SIDETONE_BIN",
        beside.display()
    );
    beside
}

impl Sidetone {
    /// Starts it and waits until it is ready for calls.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start(net: &Net, setup: &Setup) -> Self {
        Self::start_until(net, setup, "/readyz")
    }

    /// Starts it and waits until a page says that all is well.
    ///
    /// # Panics
    /// When none does.
    #[must_use]
    pub fn start_until(net: &Net, setup: &Setup, page: &str) -> Self {
        Self::start_as(net, setup, page, &[])
    }

    /// Starts it as [`Self::start`] does, with environment variables.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start_with(net: &Net, setup: &Setup, environment: &[(&str, &str)]) -> Self {
        Self::start_as(net, setup, "/readyz", environment)
    }

    fn start_as(net: &Net, setup: &Setup, page: &str, environment: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new().prefix("sidetone-scenario-").tempdir().unwrap();
        let config = setup.written(net, dir.path());
        let arguments = ["run".to_owned(), "--config".to_owned(), config.display().to_string()];
        let process = Process::start_with("sidetone", &binary(), &arguments, dir.path(), environment);
        let http = net.at(host::SIDETONE, 9464);
        let own = net.at(host::SIDETONE, 5060);
        let mut sidetone =
            Self { process, dir, http, own, ended: false, carried_on: false, _lease: net.kept() };
        sidetone.wait_for(page);
        sidetone
    }

    fn wait_for(&mut self, page: &str) {
        until_within(std::time::Duration::from_secs(60), "Sidetone to be ready", || {
            assert!(self.process.is_running(), "Sidetone ended at once:\n{}", self.process.output());
            self.get(page).filter(|(status, _)| *status == 200).map(|_| ())
        });
    }

    /// Kills it, and starts it anew on the same files.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn kill_and_start_anew(&mut self) {
        self.process.kill();
        self.start_anew();
    }

    /// Starts it anew on the same files, once its process has ended.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start_anew(&mut self) {
        let config = self.dir.path().join("sidetone.toml").display().to_string();
        let arguments = ["run".to_owned(), "--config".to_owned(), config];
        self.carried_on = true;
        self.process = Process::start("sidetone", &binary(), &arguments, self.dir.path());
        self.wait_for("/readyz");
    }

    /// Lets a program take over from it, by `sidetone upgrade`; gives what that says.
    ///
    /// # Errors
    /// When none did: it goes on, or has begun anew.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn upgrade(&mut self, arguments: &[&str]) -> Result<Value, CommandFailed> {
        self.process.leaves_its_orphans();
        let program = binary().display().to_string();
        let program: &[&str] = if arguments.contains(&"--program") { &[] } else { &["--program", &program] };
        let told = self.try_command(&[&["upgrade", "--json"], program, arguments].concat())?;
        let told: Value = serde_json::from_str(&told).unwrap();
        self.process.goes_on_as(u32::try_from(told["pid"].as_u64().unwrap()).unwrap());
        self.carried_on = true;
        self.wait_for("/readyz");
        Ok(told)
    }

    /// Another process than the one that was started has carried calls on.
    pub fn began_anew(&mut self) {
        self.carried_on = true;
        self.wait_for("/readyz");
    }

    /// Starts it as a test usually wants it.
    #[must_use]
    pub fn usual(net: &Net) -> Self {
        Self::start(net, &Setup::usual(net))
    }

    /// Its IPv4 SIP address.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        self.own
    }

    /// The folder that its files and those of its peers go to.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Fetches a page: status and body.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.http(&format!("GET {path} HTTP/1.1\r\n"), "")
    }

    /// Gets a page, with a token: status and body.
    #[must_use]
    pub fn get_as(&self, path: &str, token: &str) -> Option<(u16, String)> {
        self.http(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"), "")
    }

    /// Posts JSON, with a token: status and body.
    #[must_use]
    pub fn post(&self, path: &str, token: &str, body: &Value) -> Option<(u16, String)> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n",
            body.len()
        );
        self.http(&head, &body)
    }

    fn http(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let (head, body) = self.exchange(head, body)?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body))
    }

    /// What it has logged.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Sends a request, whose head lacks Host and its end, and leaves the answer to be read.
    ///
    /// # Panics
    /// When there is no connection.
    #[must_use]
    pub fn open(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(crate::GUARD)).unwrap();
        write!(stream, "{head}Host: sidetone\r\n\r\n").unwrap();
        stream
    }

    /// Sends a request, whose head lacks Host and its end; the head and the body of the answer.
    #[must_use]
    pub fn exchange(&self, head: &str, body: &str) -> Option<(String, String)> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(crate::GUARD)).ok()?;
        write!(stream, "{head}Host: sidetone\r\nConnection: close\r\n\r\n{body}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.to_owned(), body.to_owned()))
    }

    /// The metrics: each name with the sum over its labels.
    ///
    /// # Panics
    /// When they can't be had.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, page) = self.get("/metrics").expect("the metrics page");
        assert_eq!(status, 200);
        let mut sums = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap().to_owned();
            *sums.entry(name).or_insert(0.0) += value.parse::<f64>().unwrap();
        }
        sums
    }

    /// One metric, summed over its labels.
    ///
    /// # Panics
    /// When there is no such metric.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics();
        *metrics.get(name).unwrap_or_else(|| panic!("no metric {name} among {:?}", metrics.keys()))
    }

    /// One series of a metric, by some of its labels.
    ///
    /// # Panics
    /// When there is no such series.
    #[must_use]
    pub fn series(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (_, page) = self.get("/metrics").expect("the metrics page");
        let fits = |line: &&str| {
            line.starts_with(&format!("{name}{{"))
                && labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
        };
        let line = page.lines().find(fits).unwrap_or_else(|| panic!("no {name} with {labels:?} in\n{page}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    /// Runs `sidetone COMMAND` against this process and returns what it printed.
    ///
    /// # Panics
    /// When the command fails.
    pub fn command(&self, arguments: &[&str]) -> String {
        self.try_command(arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// Runs a command as [`Self::command`] does, where it may fail.
    ///
    /// # Errors
    /// When the command exits with another status than 0.
    ///
    /// # Panics
    /// When the command can't be run.
    pub fn try_command(&self, arguments: &[&str]) -> Result<String, CommandFailed> {
        let socket = self.dir.path().join("control.sock");
        let output = std::process::Command::new(binary())
            .args(arguments)
            .args(["--socket".as_ref(), socket.as_os_str()])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(CommandFailed { stderr: text(output.stderr) })
        }
    }

    /// The events written so far.
    ///
    /// # Panics
    /// When one of them is no JSON.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until no call and no media port is left.
    ///
    /// # Panics
    /// When some stay.
    pub fn wait_until_idle(&self) {
        // An INVITE that nobody answers ends by timer B, after 32 s (RFC 3261 §17.1.1.2).
        until_within(
            std::time::Duration::from_secs(50),
            "an empty call table and no media port in use",
            || {
                let metrics = self.metrics();
                let of = |name: &str| *metrics.get(name).unwrap_or_else(|| panic!("no metric {name}"));
                (of(SESSIONS) == 0.0 && of(PORTS) == 0.0).then_some(())
            },
        );
    }

    /// Checks that nothing is left over, ends it by SIGTERM, checks that it went as it should, and returns its events.
    ///
    /// # Panics
    /// When something is left over, or it ends badly, or it has panicked on the way, or its events don't hold together.
    pub fn finish(mut self) -> Vec<Value> {
        self.wait_until_idle();
        self.stop();
        let events = self.events();
        hold_together(&events, self.carried_on);
        events
    }

    /// Ends it by SIGTERM and checks that it went as it should.
    ///
    /// # Panics
    /// When it ends badly, or has panicked on the way.
    pub fn stop(&mut self) {
        self.process.signal("TERM");
        let status = self.process.wait();
        let output = self.process.output();
        assert!(status.success(), "Sidetone ended with {status}:\n{output}");
        // In a drill it does so where it is asked to.
        let drilled = output.contains("a drill begins");
        assert!(drilled || !output.contains("panicked"), "Sidetone panicked:\n{output}");
        let events = std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default();
        for number in ["15550100", "15550123"] {
            assert!(
                !output.contains(number) && !events.contains(number),
                "a telephone number stands in the log or an event"
            );
        }
        self.ended = true;
    }
}

/// Each call's events: numbered from 1 without a gap, `call.started` first, `call.ended` last, both once. Where a
/// process has `carried_on` calls of another one, numbers may leap to the first after a whole thousand.
fn hold_together(events: &[Value], carried_on: bool) {
    let mut calls: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for event in events {
        calls.entry(event["call"]["id"].as_str().unwrap()).or_default().push(event);
    }
    for (call, events) in calls {
        let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers.first(), Some(&1), "the events of call {call}");
        for pair in numbers.windows(2) {
            let leaps = carried_on && pair[1] > pair[0] && pair[1] % 1_000 == 1;
            assert!(pair[1] == pair[0] + 1 || leaps, "the events of call {call} leave a gap: {numbers:?}");
        }
        let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.first(), Some(&"call.started"), "{kinds:?}");
        assert_eq!(kinds.last(), Some(&"call.ended"), "{kinds:?}");
        for once in ["call.started", "call.ended"] {
            assert_eq!(kinds.iter().filter(|kind| **kind == once).count(), 1, "{kinds:?}");
        }
    }
}

/// The events of one kind.
#[must_use]
pub fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}

/// Gauge of calls held.
pub const SESSIONS: &str = "sidetone_sessions";
/// Gauge of media ports in use.
pub const PORTS: &str = "sidetone_ports_used";

impl Drop for Sidetone {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.ended {
            eprintln!("--- Sidetone printed:\n{}", self.process.output());
        }
    }
}
