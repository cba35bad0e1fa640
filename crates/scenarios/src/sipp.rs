//! SIPp, playing one end of a scenario.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::certificates::Issued;
use crate::net::{Net, host};
use crate::process::Process;
use crate::sidetone::Sidetone;
use crate::trace::{self, Seen, Way};
use crate::{GUARD, repository, until};

/// How long a gate waits to be opened: a test that has not come to it by then hangs.
const GATE_GUARD: Duration = Duration::from_secs(120);
/// How long a gate holds that nobody can open.
const GATE_BY_ITSELF: Duration = Duration::from_secs(2);

/// How SIPp is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Folder of the scenario in `sip-test-scenarios/`.
    pub scenario: String,
    /// File in that folder, without its ending: `uac`, `uas`, `uas-second`.
    pub part: String,
    /// Where it listens and sends from.
    pub at: SocketAddr,
    /// Where it sends its first request; `None` waits for one.
    pub remote: Option<SocketAddr>,
    /// Over TCP rather than UDP.
    pub tcp: bool,
    /// Over TLS, with that certificate of its own: by SIPp 3.8 in Asterisk's root directory.
    pub tls: Option<Issued>,
    /// Media address and port that it offers.
    pub media: SocketAddr,
    /// A second media address, for the scenarios that move.
    pub media_2: SocketAddr,
    /// The user part that it calls.
    pub called: String,
    /// How many calls it makes or takes.
    pub calls: u32,
    /// Further options.
    pub options: Vec<String>,
}

impl Plan {
    /// One call, by UDP, with media on ports 40000 and 40010 of the same address.
    #[must_use]
    pub fn new(scenario: &str, part: &str, at: SocketAddr) -> Self {
        Self {
            scenario: scenario.to_owned(),
            part: part.to_owned(),
            at,
            remote: None,
            tcp: false,
            tls: None,
            media: SocketAddr::new(at.ip(), 40_000),
            media_2: SocketAddr::new(at.ip(), 40_010),
            called: "+15550123".to_owned(),
            calls: 1,
            options: Vec::new(),
        }
    }
}

/// A running SIPp.
#[derive(Debug)]
pub struct Sipp {
    plan: Plan,
    process: Process,
    messages: PathBuf,
    errors: PathBuf,
    gates: u32,
}

impl Sipp {
    /// Starts the parties of so many calls through Sidetone, caller and callee; so many begin in a second, and all stay
    /// up until their gates are opened.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_load(net: &Net, sidetone: &Sidetone, calls: u32, a_second: u32) -> (Self, Self) {
        let mut callee = Plan::new("load", "uas", net.at(host::PBX, 5060));
        callee.calls = calls;
        let callee = Self::start(callee, sidetone.dir());
        let mut caller = Plan::new("load", "uac", net.at(host::TRUNK, 5060));
        caller.remote = Some(sidetone.sip());
        caller.calls = calls;
        caller.options = ["-r", &a_second.to_string(), "-l", &calls.to_string()].map(str::to_owned).to_vec();
        (Self::start(caller, sidetone.dir()), callee)
    }

    /// Starts it; a callee listens when this returns. Its logs go to `dir`.
    ///
    /// # Panics
    /// When SIPp is not installed, or does not start.
    #[must_use]
    pub fn start(plan: Plan, dir: &Path) -> Self {
        let name = format!("{}-{}", plan.scenario, plan.part);
        let file =
            repository().join("sip-test-scenarios").join(&plan.scenario).join(format!("{}.xml", plan.part));
        assert!(file.is_file(), "{} is missing", file.display());
        // By TLS a gate can't be opened from outside: it opens by itself, soon.
        let patience = if plan.tls.is_some() { GATE_BY_ITSELF } else { GATE_GUARD };
        let file = with_patient_gates(&file, &name, dir, patience);
        let messages = dir.join(format!("{name}.messages"));
        let errors = dir.join(format!("{name}.errors"));
        // An earlier one's, which would be read until SIPp has opened its own.
        let _ = std::fs::remove_file(&messages);
        let mut arguments = Vec::new();
        if let Some(remote) = plan.remote {
            arguments.push(remote.to_string());
        }
        let mut say = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let ip = plan.at.ip().to_string();
        say(&["-sf", file.to_str().unwrap(), "-i", &ip, "-p", &plan.at.port().to_string()]);
        let transport = match (&plan.tls, plan.tcp) {
            (Some(_), _) => "l1",
            (None, true) => "t1",
            (None, false) => "u1",
        };
        say(&["-t", transport, "-nostdin", "-m", &plan.calls.to_string()]);
        // SIPp's control socket and the media sockets that it does not use would else be at fixed ports.
        let control = if plan.at.is_ipv4() { ip.as_str() } else { "127.0.0.1" };
        say(&["-ci", control, "-cp", &(plan.at.port() + 1).to_string()]);
        say(&["-mp", &(plan.at.port() + 8).to_string()]);
        say(&["-s", &plan.called, "-cid_str", &format!("{}-%u-{}@test", plan.scenario, std::process::id())]);
        say(&[
            "-key",
            "rtp_at",
            &in_sdp(plan.media.ip()),
            "-key",
            "rtp_port",
            &plan.media.port().to_string(),
        ]);
        say(&["-key", "rtp_at_2", &in_sdp(plan.media_2.ip())]);
        say(&["-key", "rtp_port_2", &plan.media_2.port().to_string()]);
        say(&["-trace_err", "-error_file", errors.to_str().unwrap()]);
        say(&["-trace_msg", "-message_file", messages.to_str().unwrap()]);
        if let Some(own) = &plan.tls {
            say(&["-tls_cert", own.certificate.to_str().unwrap(), "-tls_key", own.key.to_str().unwrap()]);
        }
        arguments.extend(plan.options.iter().cloned());
        let process = match &plan.tls {
            Some(own) => Self::start_in_root(&name, &arguments, [dir, own.certificate.parent().unwrap()]),
            None => Process::start(&name, Path::new("sipp"), &arguments, dir),
        };
        let mut sipp = Self { plan, process, messages, errors, gates: 0 };
        if sipp.plan.remote.is_none() {
            sipp.wait_until_listening();
        }
        sipp
    }

    /// SIPp with TLS, from the root directory that `tools/peers/sipp_tls.sh` completes. It sees those folders where
    /// they are outside of it; the mounts go away with it.
    fn start_in_root(name: &str, arguments: &[String], folders: [&Path; 2]) -> Process {
        let root =
            std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), PathBuf::from);
        let root = root.join("asterisk");
        assert!(
            root.join("usr/bin/sipp").is_file(),
            "SIPp with TLS is missing: run `tools/peers/install.sh sipp_tls` first"
        );
        let script = "set -e; root=$1; mount --bind /dev $root/dev; mount -t tmpfs tmpfs $root/tmp; \
            for folder in $2 $3; do mkdir -p $root$folder; mount --bind $folder $root$folder; done; \
            dir=$2; shift 3; exec chroot $root sh -c 'cd $0 && exec sipp \"$@\"' $dir \"$@\"";
        let mut whole: Vec<String> = ["-m", "sh", "-c", script, "sh"].map(str::to_owned).into();
        whole.push(root.display().to_string());
        whole.extend(folders.iter().map(|folder| folder.display().to_string()));
        whole.extend(arguments.iter().cloned());
        Process::start(name, Path::new("unshare"), &whole, folders[0])
    }

    fn wait_until_listening(&mut self) {
        let (at, tcp, tls) = (self.plan.at, self.plan.tcp, self.plan.tls.is_some());
        until(&format!("SIPp to listen at {at} (is it installed? `make peers` does it)"), || {
            assert!(self.process.is_running(), "SIPp ended at once:\n{}", self.process.output());
            let taken = match (tls, tcp) {
                // A connection that says nothing would be SIPp's one and only.
                (true, _) => is_bound(at, "tcp"),
                (false, true) => TcpStream::connect(at).is_ok(),
                (false, false) => is_bound(at, "udp"),
            };
            taken.then_some(())
        });
    }

    /// The messages that it has sent and received so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        trace::read(&self.messages)
    }

    /// Waits until it has sent or received the `count`th message that fits.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait_for(&mut self, what: &str, count: usize, fits: impl Fn(&Seen) -> bool) -> Seen {
        let messages = self.messages.clone();
        let start = std::time::Instant::now();
        loop {
            let running = self.process.is_running();
            if let Some(found) = trace::read(&messages).into_iter().filter(&fits).nth(count - 1) {
                return found;
            }
            assert!(
                running && start.elapsed() < GUARD,
                "no {what} at {}; {}",
                self.plan.at,
                self.complaint()
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Waits until it has sent the `count`th request of a method.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait_sent(&mut self, method: &str, count: usize) -> Seen {
        let start = format!("{method} ");
        self.wait_for(&format!("{method} sent"), count, |seen| {
            seen.way == Way::Sent && seen.start_line().starts_with(&start)
        })
    }

    /// Waits until it has received the `count`th request of a method.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait_received(&mut self, method: &str, count: usize) -> Seen {
        let start = format!("{method} ");
        self.wait_for(method, count, |seen| {
            seen.way == Way::Received && seen.start_line().starts_with(&start)
        })
    }

    /// Waits until it has received the `count`th response of a status to a method.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn wait_response(&mut self, status: u16, method: &str, count: usize) -> Seen {
        self.wait_for(&format!("{status} for {method}"), count, |seen| {
            seen.way == Way::Received && seen.status() == Some(status) && seen.method() == method
        })
    }

    /// Opens the gate at which the scenario waits (`<recv request="GATE">`).
    ///
    /// A gate is a request with the headers of the last message that SIPp received, so that `[last_Via:]` and its like
    /// mean after the gate what they meant before it.
    ///
    /// # Panics
    /// When SIPp has received and sent nothing yet.
    pub fn open_gate(&mut self) {
        self.open_gate_of(&self.seen());
    }

    /// Opens the gates at which the calls of a scenario wait, one a call.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn open_gates(&mut self) {
        let mut calls: BTreeMap<Option<String>, Vec<Seen>> = BTreeMap::new();
        for seen in self.seen() {
            calls.entry(seen.header("Call-ID")).or_default().push(seen);
        }
        for call in calls.values() {
            self.open_gate_of(call);
        }
    }

    fn open_gate_of(&mut self, seen: &[Seen]) {
        let last = seen.iter().rfind(|seen| seen.way == Way::Received).or(seen.last()).expect("a message");
        self.gates += 1;
        let mut gate = b"GATE sip:gate SIP/2.0\r\n".to_vec();
        for line in last.head_lines().iter().skip(1) {
            let name = line.split(|byte| *byte == b':').next().unwrap().to_ascii_lowercase();
            if name != b"content-length" && name != b"content-type" {
                gate.extend_from_slice(line);
                gate.extend_from_slice(b"\r\n");
            }
        }
        // SIPp takes two equal messages in a row for a retransmission.
        gate.extend_from_slice(format!("X-Gate: {}\r\nContent-Length: 0\r\n\r\n", self.gates).as_bytes());
        if self.plan.tls.is_some() {
            // Its scenarios open their gates by themselves.
        } else if self.plan.tcp {
            let mut stream = TcpStream::connect(self.plan.at).unwrap();
            stream.write_all(&gate).unwrap();
            // Closing at once could outrun the reading.
            std::mem::forget(stream);
        } else {
            let socket = UdpSocket::bind((self.plan.at.ip(), 0)).unwrap();
            socket.send_to(&gate, self.plan.at).unwrap();
        }
    }

    /// Waits for the end of the scenario, which must be a success.
    ///
    /// # Panics
    /// When SIPp says that a call failed, or does not end.
    pub fn finish(&mut self) {
        let status = self.process.wait_within(GUARD);
        assert!(status.success(), "{}", self.complaint());
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn complaint(&self) -> String {
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let mut told = format!(
            "scenario {}, part {}, at {}:\n{errors}\n",
            self.plan.scenario, self.plan.part, self.plan.at
        );
        for seen in self.seen() {
            let arrow = if seen.way == Way::Sent { "-->" } else { "<--" };
            told.push_str(&format!(
                "{arrow} {}\n{}\n",
                seen.start_line(),
                String::from_utf8_lossy(&seen.bytes)
            ));
        }
        told
    }
}

/// Whether somebody has a socket at this address. To ask by binding one would be to take it from whoever is about
/// to.
fn is_bound(at: SocketAddr, protocol: &str) -> bool {
    let words = |octets: &[u8]| -> String {
        let word = |four: &[u8]| format!("{:08X}", u32::from_ne_bytes(four.try_into().unwrap()));
        octets.chunks_exact(4).map(word).collect()
    };
    let (table, address) = match at.ip() {
        IpAddr::V4(ip) => (format!("/proc/thread-self/net/{protocol}"), words(&ip.octets())),
        IpAddr::V6(ip) => (format!("/proc/thread-self/net/{protocol}6"), words(&ip.octets())),
    };
    let local = format!("{address}:{:04X}", at.port());
    let sockets = std::fs::read_to_string(table).unwrap();
    sockets.lines().any(|socket| socket.split_whitespace().nth(1) == Some(local.as_str()))
}

/// A copy of a scenario whose gates wait for the test. As they stand they open by themselves after a few seconds, for
/// whoever runs SIPp by hand; on a slow machine that would be before the test has come to them.
fn with_patient_gates(file: &Path, name: &str, dir: &Path, patience: Duration) -> PathBuf {
    let scenario = std::fs::read_to_string(file).unwrap();
    let patience = format!("timeout=\"{}\"", patience.as_millis());
    let lines = scenario.lines().map(|line| match line.split_once("request=\"GATE\" timeout=\"") {
        Some((before, after)) => {
            let rest = after.split_once('"').expect("the end of the timeout").1;
            format!("{before}request=\"GATE\" {patience}{rest}\n")
        }
        None => format!("{line}\n"),
    });
    let copy = dir.join(format!("{name}.xml"));
    std::fs::write(&copy, lines.collect::<String>()).unwrap();
    copy
}

fn in_sdp(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("IP4 {ip}"),
        IpAddr::V6(ip) => format!("IP6 {ip}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_seen_while_it_is_bound() {
        for ip in ["127.0.0.1", "::1"] {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            let at = socket.local_addr().unwrap();
            assert!(is_bound(at, "udp"), "{at}");
            drop(socket);
            assert!(!is_bound(at, "udp"), "{at}");
        }
    }
}
