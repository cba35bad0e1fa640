//! A real PostgreSQL server with nothing in it, for one test. It listens on a socket in its own folder, and nowhere
//! else unless it is asked for passwords: then at a loopback address too, perhaps with TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::net::{Net, host};
use crate::process::Process;
use crate::until;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct PostgreSql {
    folder: tempfile::TempDir,
    binaries: PathBuf,
    process: Option<Process>,
    /// Its piece of loopback, if it listens there.
    net: Option<Net>,
    is_tls: bool,
}

/// Port of a server that listens at a loopback address.
pub const PORT: u16 = 5432;

/// A server's certificate and its key, as PEM.
#[derive(Debug, Clone, Copy)]
pub struct Certified<'a> {
    /// The certificate, and those that it was signed by.
    pub certificate: &'a str,
    /// The private key.
    pub key: &'a str,
}

impl PostgreSql {
    /// Makes a cluster and starts its server.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (`make peers` does it) or doesn't start.
    #[must_use]
    pub fn start() -> Self {
        Self::begin(None, None)
    }

    /// The same, listening at a loopback address too, where it asks for a password (SCRAM); with a certificate it
    /// speaks TLS there to whoever wants it.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_at_address(password: &str, certified: Option<Certified<'_>>) -> Self {
        Self::begin(Some(password), certified)
    }

    fn begin(password: Option<&str>, certified: Option<Certified<'_>>) -> Self {
        let folder = tempfile::Builder::new().prefix("sidetone-pg-").tempdir().unwrap();
        // PostgreSQL refuses to run as root: whoever it runs as must get into its folder.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let net = password.map(|_| Net::lease());
        let is_tls = certified.is_some();
        let mut server = Self { folder, binaries: binaries(), process: None, net, is_tls };
        let data = server.data();
        let arguments = [
            "-D",
            path(&data),
            "-U",
            "sidetone",
            "--auth-local=trust",
            "--no-sync",
            "--no-instructions",
            "--encoding=UTF8",
            "--locale=C",
        ];
        let mut initdb = Command::new("setpriv");
        initdb.args(unprivileged()).arg(server.binaries.join("initdb")).args(arguments);
        match password {
            Some(password) => {
                server.write("password", password);
                initdb
                    .arg("--auth-host=scram-sha-256")
                    .arg("--pwfile")
                    .arg(server.folder.path().join("password"));
            }
            None => {
                initdb.arg("--auth-host=trust");
            }
        }
        let made = initdb.current_dir(server.folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if let Some(Certified { certificate, key }) = certified {
            server.write("server.crt", certificate);
            server.write("server.key", key);
        }
        server.resume();
        server
    }

    /// Writes a file that the server's user alone may read.
    fn write(&self, name: &str, content: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        if nix::unistd::geteuid().is_root() {
            let user = nix::unistd::User::from_name("postgres").unwrap().expect("PostgreSQL's user");
            nix::unistd::chown(&path, Some(user.uid), Some(user.gid)).unwrap();
        }
    }

    /// The address that it listens at.
    ///
    /// # Panics
    /// When it listens at none.
    #[must_use]
    pub fn address(&self) -> String {
        self.net.as_ref().expect("a server that listens at an address").v4(host::PBX).to_string()
    }

    /// Starts the server again after [`Self::stop`].
    ///
    /// # Panics
    /// When it doesn't start.
    pub fn resume(&mut self) {
        let mut arguments: Vec<String> = unprivileged();
        arguments.extend(
            [path(&self.binaries.join("postgres")), "-D", path(&self.data()), "-k", path(self.folder.path())]
                .map(str::to_owned),
        );
        let listens = self.net.as_ref().map_or_else(String::new, |net| net.v4(host::PBX).to_string());
        let mut settings = vec![format!("listen_addresses={listens}"), format!("port={PORT}")];
        settings.extend(["fsync=off", "max_connections=20", "shared_buffers=8MB"].map(str::to_owned));
        if self.is_tls {
            let file = |name: &str| self.folder.path().join(name).display().to_string();
            settings.push("ssl=on".to_owned());
            settings.push(format!("ssl_cert_file={}", file("server.crt")));
            settings.push(format!("ssl_key_file={}", file("server.key")));
        }
        for setting in settings {
            arguments.extend(["-c".to_owned(), setting]);
        }
        // `Process` runs it by another setpriv, which sees to it that it ends with the test.
        let process =
            Process::start("postgres", Path::new("/usr/bin/setpriv"), &arguments, self.folder.path());
        self.process = Some(process);
        until("PostgreSQL", || {
            let ready = Command::new(self.binaries.join("pg_isready"))
                .args(["-q", "-U", "sidetone", "-h", path(self.folder.path())])
                .status();
            ready.is_ok_and(|status| status.success()).then_some(())
        });
    }

    /// Ends the server as a power cut would.
    pub fn stop(&mut self) {
        self.process = None;
        // Its children notice within moments; the lock of the dead one's is theirs.
        let pid = self.data().join("postmaster.pid");
        let _ = std::fs::remove_file(pid);
    }

    /// Stops all of the server's processes in their tracks: it answers nobody, and no connection ends.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let first = self.process.as_ref().expect("a server that runs").id().to_string();
        let of_it = |status: &str| {
            status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|it| it.trim() == first))
        };
        let children = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.ok()?;
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            of_it(&status).then(|| entry.file_name().to_string_lossy().into_owned())
        });
        // The first one first, so that it makes no more of them meanwhile.
        let all: Vec<String> = std::iter::once(first.clone()).chain(children).collect();
        // One of them may have ended meanwhile: a connection's own process does with it.
        let _ = Command::new("kill").arg(signal).args(all).stderr(std::process::Stdio::null()).status();
    }

    /// The connection string of the one database.
    #[must_use]
    pub fn connection(&self) -> String {
        format!("host={} user=sidetone dbname=postgres", path(self.folder.path()))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `setpriv`'s arguments for a user that PostgreSQL accepts.
fn unprivileged() -> Vec<String> {
    if !nix::unistd::geteuid().is_root() {
        return Vec::new();
    }
    ["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "KILL"]
        .map(str::to_owned)
        .to_vec()
}

/// The newest version's programs, where Debian puts them.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.filter_map(|it| Some(it.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    found.retain(|folder| folder.join("postgres").exists());
    found.sort();
    found.pop().expect("PostgreSQL is not installed; `make peers` does it")
}
