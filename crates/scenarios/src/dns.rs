//! A real name server (dnsmasq) with records of the test's own, in the zone `test`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::net::{Net, host};
use crate::process::Process;
use crate::until;

/// A running name server. What it does not know below `test` it denies (NXDOMAIN); it asks nobody else.
#[derive(Debug)]
pub struct NameServer {
    process: Process,
    at: SocketAddr,
    hosts: PathBuf,
    readings: usize,
}

impl NameServer {
    /// Starts it on the piece of loopback; its answers hold for `ttl` seconds.
    ///
    /// `hosts` are addresses of names; `services` are SRV records as `NAME,TARGET,PORT,PRIORITY,WEIGHT`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(net: &Net, dir: &Path, ttl: u32, hosts: &[(&str, IpAddr)], services: &[String]) -> Self {
        let at = net.at(host::NAMES, 5353);
        let file = dir.join("hosts");
        write(&file, hosts);
        let mut arguments: Vec<String> = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--pid-file",
            "--user=root",
            "--bind-interfaces",
            "--local=/test/",
            "--log-queries",
            "--log-facility=-",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--listen-address={}", at.ip()));
        arguments.push(format!("--port={}", at.port()));
        arguments.push(format!("--local-ttl={ttl}"));
        arguments.push(format!("--addn-hosts={}", file.display()));
        arguments.extend(services.iter().map(|service| format!("--srv-host={service}")));
        let program = ["/usr/sbin/dnsmasq", "/usr/bin/dnsmasq"].map(Path::new);
        let program = program.into_iter().find(|program| program.is_file());
        let program = program.expect("dnsmasq is not installed; `make peers` does it");
        let process = Process::start("dnsmasq", program, &arguments, dir);
        let mut server = Self { process, at, hosts: file, readings: 0 };
        server.wait_until_read();
        server
    }

    /// Where it is asked.
    #[must_use]
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// Gives names other addresses.
    pub fn change(&mut self, hosts: &[(&str, IpAddr)]) {
        write(&self.hosts, hosts);
        self.process.signal("HUP");
        self.wait_until_read();
    }

    /// How often it was asked for a record of a type.
    #[must_use]
    pub fn asked(&self, kind: &str, name: &str) -> usize {
        self.process.output().matches(&format!("query[{kind}] {name} ")).count()
    }

    fn wait_until_read(&mut self) {
        self.readings += 1;
        let line = format!("read {} - ", self.hosts.display());
        until("the name server to have read its names", || {
            let output = self.process.output();
            assert!(self.process.is_running(), "dnsmasq ended at once:\n{output}");
            (output.matches(&line).count() >= self.readings).then_some(())
        });
    }
}

fn write(file: &Path, hosts: &[(&str, IpAddr)]) {
    let lines: String = hosts.iter().map(|(name, ip)| format!("{ip} {name}\n")).collect();
    std::fs::write(file, lines).unwrap();
}
