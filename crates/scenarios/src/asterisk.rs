//! Asterisk 22 with the configuration that is shipped in `deploy/asterisk`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;
use crate::{repository, until};

/// A running Asterisk, in the root directory that `tools/peers/asterisk.sh` builds.
#[derive(Debug)]
pub struct Asterisk {
    process: Process,
    root: PathBuf,
    // Its own files, as seen from inside the root directory.
    inside: String,
}

const DIRECTORIES: &str = "[directories]
astetcdir => @/etc
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdbdir => @
astkeydir => /var/lib/asterisk
astdatadir => /usr/share/asterisk
astagidir => /usr/share/asterisk/agi-bin
astspooldir => @
astrundir => @
astlogdir => @
[options]
nocolor = yes
verbose = 3
";

impl Asterisk {
    /// Starts Asterisk at `own`, with Sidetone at `sidetone`; `dialplan` is added to the shipped one.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start(own: Ipv4Addr, sidetone: SocketAddr, dialplan: &str) -> Self {
        Self::start_with(own, sidetone, dialplan, |_, _| {})
    }

    /// Starts it as [`Self::start`] does, with its trunk to Sidetone as WebRTC has it: DTLS-SRTP, with a certificate of
    /// Asterisk's making, and ICE.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start_with_dtls(own: Ipv4Addr, sidetone: SocketAddr, dialplan: &str) -> Self {
        Self::start_protected(own, sidetone, dialplan, "webrtc = yes\ndtls_auto_generate_cert = yes\n")
    }

    /// Starts it as [`Self::start`] does, with SRTP on its trunk to Sidetone and keys in SDP.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start_with_sdes(own: Ipv4Addr, sidetone: SocketAddr, dialplan: &str) -> Self {
        Self::start_protected(own, sidetone, dialplan, "media_encryption = sdes\n")
    }

    fn start_protected(own: Ipv4Addr, sidetone: SocketAddr, dialplan: &str, keys: &str) -> Self {
        let trunk = "[sidetone]\ntype = endpoint\n";
        let protected = format!("{trunk}{keys}");
        let modules = "load = res_rtp_asterisk.so\n";
        let more = "load = res_rtp_asterisk.so\nload = res_srtp.so\nload = res_clioriginate.so\n";
        Self::start_with(own, sidetone, dialplan, |etc, _| {
            for (file, from, to) in
                [("pjsip.conf", trunk, protected.as_str()), ("modules.conf", modules, more)]
            {
                let text = std::fs::read_to_string(etc.join(file)).unwrap();
                std::fs::write(etc.join(file), text.replace(from, to)).unwrap();
            }
        })
    }

    /// Starts it as [`Self::start`] does, after its configuration has been changed: its folder, and the path that
    /// Asterisk knows that folder's parent by.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start_with(
        own: Ipv4Addr,
        sidetone: SocketAddr,
        dialplan: &str,
        change: impl FnOnce(&Path, &str),
    ) -> Self {
        let root = std::env::var_os("SIDETONE_PEERS")
            .map_or_else(|| repository().join(".peers"), PathBuf::from)
            .join("asterisk");
        assert!(
            root.join("usr/sbin/asterisk").is_file(),
            "Asterisk is missing: run `tools/peers/install.sh asterisk` first"
        );
        assert!(
            Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n"),
            "Asterisk runs in a root directory of its own, which takes root; leave these tests out with \
             `cargo nextest run -E 'not test(/^asterisk/)'`"
        );
        let inside = Self::folder_of(own);
        let outside = root.join(&inside[1..]);
        let _ = std::fs::remove_dir_all(&outside);
        let etc = outside.join("etc");
        std::fs::create_dir_all(etc.join("extensions.d")).unwrap();
        for file in std::fs::read_dir(repository().join("deploy/asterisk")).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "conf") {
                let text = std::fs::read_to_string(&file).unwrap();
                let text = text
                    .replace("192.0.2.20", &own.to_string())
                    .replace("192.0.2.10", &sidetone.ip().to_string());
                // The prompts are there to be played; music is a package of its own.
                let text = text.replace("/usr/share/asterisk/moh", "/usr/share/asterisk/sounds/en");
                let text = text.replace("/etc/asterisk/sounds", &format!("{inside}/sounds"));
                std::fs::write(etc.join(file.file_name().unwrap()), text).unwrap();
            }
        }
        std::fs::create_dir_all(outside.join("sounds")).unwrap();
        for sound in std::fs::read_dir(repository().join("deploy/asterisk/sounds")).unwrap() {
            let sound = sound.unwrap().path();
            std::fs::copy(&sound, outside.join("sounds").join(sound.file_name().unwrap())).unwrap();
        }
        std::fs::write(etc.join("asterisk.conf"), DIRECTORIES.replace('@', &inside)).unwrap();
        std::fs::write(etc.join("extensions.d/test.conf"), dialplan).unwrap();
        change(&etc, &inside);
        let process = Self::run(&root, &inside);
        let mut asterisk = Self { process, root, inside };
        asterisk.wait_until_ready();
        asterisk
    }

    fn run(root: &Path, inside: &str) -> Process {
        // Mounts of its own, which go away with it.
        let script = format!(
            "mount -t proc proc {0}/proc && mount --bind /dev {0}/dev && exec chroot {0} asterisk -f -C {inside}/etc/asterisk.conf",
            root.display()
        );
        let arguments = ["-m", "sh", "-c", &script].map(str::to_owned);
        Process::start("asterisk", Path::new("unshare"), &arguments, &root.join(&inside[1..]))
    }

    fn wait_until_ready(&mut self) {
        until("Asterisk to be ready", || {
            assert!(self.process.is_running(), "Asterisk ended at once:\n{}", self.process.output());
            self.process.output().contains("Asterisk Ready.").then_some(())
        });
    }

    /// Ends it at once, its calls with it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Cuts all connections to one of its TCP ports.
    ///
    /// # Panics
    /// When `ss` (iproute2) can't.
    pub fn cut(&self, port: u16) {
        let own = self.inside.trim_start_matches("/tmp/sidetone-");
        let filter = format!("src {own} sport = :{port}");
        let output = Command::new("ss").args(["-K", "-H", "state", "established", &filter]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts it again with the files that it had.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.process = Self::run(&self.root, &self.inside);
        self.wait_until_ready();
    }

    /// The output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Asks its command line.
    ///
    /// # Panics
    /// When it can't be reached.
    #[must_use]
    pub fn ask(&self, question: &str) -> String {
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(["asterisk", "-C", &format!("{}/etc/asterisk.conf", self.inside), "-rx", question])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A file in its own folder, as the dialplan names it and as the test does.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(&self.inside[1..]).join(name)
    }

    /// The folder of a test's own files, as the dialplan has to name it.
    #[must_use]
    pub fn folder_of(own: Ipv4Addr) -> String {
        format!("/tmp/sidetone-{own}")
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Asterisk printed:\n{}", self.process.output());
        }
        self.process.kill();
        let _ = std::fs::remove_dir_all(self.root.join(&self.inside[1..]));
    }
}
