//! A real OpenID Connect provider for one test: oidc-provider under node, with accounts of the test's.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use crate::net::{Net, host};
use crate::process::Process;
use crate::{repository, until};

/// Its port.
const PORT: u16 = 3_000;
const PROGRAM: &str = include_str!("identity.mjs");

/// A running provider; killed when dropped.
#[derive(Debug)]
pub struct IdentityProvider {
    folder: tempfile::TempDir,
    at: SocketAddr,
    redirect: String,
    accounts: String,
    process: Option<Process>,
}

impl IdentityProvider {
    /// A provider that is not up yet. `accounts` are the claims of each account by its login, as JSON; any password is
    /// right. People are sent back to `redirect`.
    ///
    /// # Panics
    /// When there is no folder for it.
    #[must_use]
    pub fn new(net: &Net, redirect: &str, accounts: &str) -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("sidetone-identity-").tempdir().unwrap(),
            at: net.at(host::ELSEWHERE, PORT),
            redirect: redirect.to_owned(),
            accounts: accounts.to_owned(),
            process: None,
        }
    }

    /// Starts it, with a new signing key of that id. It knows nothing of what was before.
    ///
    /// # Panics
    /// When it is not installed (`make peers` does it) or doesn't start.
    pub fn start(&mut self, key: &str) {
        let program = self.folder.path().join("identity.mjs");
        std::fs::write(&program, PROGRAM).unwrap();
        let peers =
            std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), PathBuf::from);
        let peer = peers.join("identity");
        assert!(peer.exists(), "oidc-provider is not installed; `make peers` does it");
        // Where node looks for what the program imports.
        let modules = self.folder.path().join("node_modules");
        if !modules.exists() {
            std::os::unix::fs::symlink(peer.join("node_modules"), modules).unwrap();
        }
        let (issuer, address, port) = (self.issuer(), self.at.ip().to_string(), self.at.port().to_string());
        let environment: [(&str, &str); 6] = [
            ("ISSUER", &issuer),
            ("ADDRESS", &address),
            ("PORT", &port),
            ("REDIRECT", &self.redirect),
            ("KEY", key),
            ("ACCOUNTS", &self.accounts),
        ];
        let arguments = [program.display().to_string()];
        // Ended first: both want the port.
        self.process = None;
        self.process = Some(Process::start_with(
            "identity",
            Path::new("/usr/bin/node"),
            &arguments,
            self.folder.path(),
            &environment,
        ));
        until("the identity provider", || self.asked("/.well-known/openid-configuration").map(drop));
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.at)
    }

    /// What it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// Has it lie in its ID tokens from now on: `nonce`, `audience`, `issuer`, `expired`, `stranger`, `none`, `hs256`;
    /// nothing for the truth.
    ///
    /// # Panics
    /// When it is not up.
    pub fn lie(&self, about: &str) {
        self.asked(&format!("/control?lie={about}")).expect("a provider that is up");
    }

    /// Has it show a page of its own in place of leading people back, or lead them back again.
    ///
    /// # Panics
    /// When it is not up.
    pub fn hold(&self, hold: bool) {
        self.asked(&format!("/control?hold={hold}")).expect("a provider that is up");
    }

    /// The address that it has led, or would have led, somebody back to last.
    ///
    /// # Panics
    /// When it is not up.
    #[must_use]
    pub fn last_way_back(&self) -> String {
        self.asked("/control").expect("a provider that is up")
    }

    /// The body of an answer, if there is one.
    fn asked(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.at).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.at).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        answer.contains(" 200 ").then(|| body.to_owned())
    }
}
