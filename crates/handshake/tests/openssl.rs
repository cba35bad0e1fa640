//! Handshakes with OpenSSL, over sockets of the loopback.
//!
//! What OpenSSL exports is compared with our keys, octet by octet: so each direction's key is the right one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use sidetone_handshake::fingerprint::HashFunction;
use sidetone_handshake::{
    Dtls, Failure, Fingerprint, Fingerprints, Handshake, Identity, Keys, Output, Profile, Role, Settings,
    Trust,
};

/// What each profile is to OpenSSL: its name there, the octets exported.
const PROFILES: [(Profile, &str, usize); 3] = [
    (Profile::Aes128CmSha1_80, "SRTP_AES128_CM_SHA1_80", 60),
    (Profile::AeadAes128Gcm, "SRTP_AEAD_AES_128_GCM", 56),
    (Profile::AeadAes256Gcm, "SRTP_AEAD_AES_256_GCM", 88),
];

/// A certificate of OpenSSL's making.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn new(key: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=peer", "-newkey"])
            .args(key)
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Self { folder }
    }

    fn p256() -> Self {
        Self::new(&["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fingerprint(&self) -> Fingerprint {
        let out = Command::new("openssl")
            .args(["x509", "-outform", "DER", "-in"])
            .arg(self.path("certificate.pem"))
            .output()
            .unwrap();
        Fingerprint::of(&out.stdout, HashFunction::Sha256)
    }
}

/// A running `openssl s_client` or `s_server`; ended with the test.
struct Openssl {
    process: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Openssl {
    fn start(certificate: &Certificate, program: &str, srtp: Option<(&str, usize)>, args: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args([program, "-dtls1_2", "-cert"]).arg(certificate.path("certificate.pem"));
        command.arg("-key").arg(certificate.path("key.pem")).args(args);
        if let Some((profile, length)) = srtp {
            command.args(["-use_srtp", profile, "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen"]);
            command.arg(length.to_string());
        }
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = process.stdin.take().unwrap();
        Self { process, stdin, lines }
    }

    /// What stands behind `before` in its output.
    fn say(&self, before: &str) -> String {
        loop {
            let line =
                self.lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no {before}"));
            if let Some((_, text)) = line.split_once(before) {
                return text.trim().to_owned();
            }
        }
    }
}

/// Our session on a socket.
struct Ours {
    socket: UdpSocket,
    session: Dtls,
}

impl Ours {
    fn new(role: Role, trust: Trust, expected: Fingerprints) -> Self {
        let settings = Arc::new(Settings::new(Identity::generate().unwrap(), true).unwrap());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { socket, session: Dtls::new(settings, role, trust, expected) }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Runs until something comes out of it that is no datagram.
    fn outcome(&mut self) -> Output {
        let mut buffer = [0; 2048];
        loop {
            while let Some(output) = self.session.poll() {
                match output {
                    Output::Datagram { to, bytes } => {
                        self.socket.send_to(&bytes, to).unwrap();
                    }
                    other => return other,
                }
            }
            let wait = self.session.next_timeout().map(|at| at.saturating_duration_since(Instant::now()));
            let wait = wait.unwrap_or(Duration::from_secs(20)).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.session.receive(Instant::now(), from, &buffer[..length]),
                Err(_) => {
                    assert!(self.session.next_timeout().is_some(), "nothing comes any more");
                    self.session.tick(Instant::now());
                }
            }
        }
    }

    fn keys(&mut self) -> Keys {
        match self.outcome() {
            Output::Keys(keys) => keys,
            other => panic!("{other:?}"),
        }
    }
}

/// As OpenSSL prints it: the client's key, the server's, the client's salt, the server's.
fn exported(keys: &Keys, role: Role) -> String {
    let (client, server) = match role {
        Role::Client => (&keys.ours, &keys.theirs),
        Role::Server => (&keys.theirs, &keys.ours),
    };
    [&client.key, &server.key, &client.salt, &server.salt]
        .iter()
        .flat_map(|part| part.iter())
        .map(|octet| format!("{octet:02X}"))
        .collect()
}

fn client_of(certificate: &Certificate, srtp: Option<(&str, usize)>, args: &[&str]) -> (Ours, Openssl) {
    let server = Openssl::start(
        certificate,
        "s_server",
        srtp,
        &[&["-accept", "127.0.0.1:0", "-Verify", "1"], args].concat(),
    );
    let address = server.say("ACCEPT").parse().unwrap();
    let mut ours = Ours::new(Role::Client, Trust::Cookie, certificate.fingerprint().into());
    ours.session.aim(Instant::now(), address);
    (ours, server)
}

fn server_of(certificate: &Certificate, srtp: Option<(&str, usize)>, args: &[&str]) -> (Ours, Openssl) {
    let ours = Ours::new(Role::Server, Trust::Cookie, certificate.fingerprint().into());
    let address = ours.address().to_string();
    let client = Openssl::start(certificate, "s_client", srtp, &[&["-connect", &address], args].concat());
    (ours, client)
}

#[test]
fn keys_are_openssls_in_either_role_with_every_profile() {
    let certificate = Certificate::p256();
    for (profile, name, length) in PROFILES {
        for role in [Role::Client, Role::Server] {
            let start = if role == Role::Client { client_of } else { server_of };
            let (mut ours, openssl) = start(&certificate, Some((name, length)), &[]);
            let keys = ours.keys();
            assert_eq!(keys.profile, profile, "{role:?}");
            assert_eq!(exported(&keys, role), openssl.say("Keying material: "), "{role:?} {name}");
            if role == Role::Server {
                assert!(ours.session.counts().unverified > 0, "by a cookie");
            }
        }
    }
}

#[test]
fn a_certificate_on_p384_is_taken() {
    let certificate = Certificate::new(&["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]);
    let (_, name, length) = PROFILES[0];
    for start in [client_of, server_of] {
        start(&certificate, Some((name, length)), &[]).0.keys();
    }
}

#[test]
fn openssls_fragments_of_256_octets_are_put_together() {
    let certificate = Certificate::p256();
    let (_, name, length) = PROFILES[1];
    for start in [client_of, server_of] {
        let (mut ours, openssl) = start(&certificate, Some((name, length)), &["-mtu", "256"]);
        ours.keys();
        openssl.say("Keying material: ");
    }
}

#[test]
fn without_use_srtp_or_with_the_32_bit_tag_alone_there_are_no_keys() {
    let certificate = Certificate::p256();
    for srtp in [None, Some(("SRTP_AES128_CM_SHA1_32", 60))] {
        for start in [client_of, server_of] {
            let (mut ours, _openssl) = start(&certificate, srtp, &[]);
            assert_eq!(ours.outcome(), Output::Failed(Failure::Profile), "{srtp:?}");
        }
    }
}

#[test]
fn an_rsa_certificate_of_a_clients_is_taken_whatever_the_profile() {
    let certificate = Certificate::new(&["rsa:2048"]);
    for (profile, name, length) in PROFILES {
        let (mut ours, openssl) = server_of(&certificate, Some((name, length)), &[]);
        let keys = ours.keys();
        assert_eq!(keys.profile, profile);
        assert_eq!(exported(&keys, Role::Server), openssl.say("Keying material: "), "{name}");
    }
}

#[test]
fn an_rsa_key_that_can_be_forged_is_not_taken() {
    let certificate = Certificate::new(&["rsa:1024"]);
    let (_, name, length) = PROFILES[0];
    let (mut ours, _openssl) =
        server_of(&certificate, Some((name, length)), &["-cipher", "DEFAULT@SECLEVEL=0"]);
    assert_eq!(ours.outcome(), Output::Failed(Failure::Certificate));
}

/// OpenSSL finds no suite that both have, and says so by an alert: handshake_failure.
#[test]
fn an_rsa_certificate_of_a_servers_is_refused() {
    let certificate = Certificate::new(&["rsa:2048"]);
    let (_, name, length) = PROFILES[0];
    let (mut ours, _openssl) = client_of(&certificate, Some((name, length)), &[]);
    assert_eq!(ours.outcome(), Output::Failed(Failure::Alert(40)));
}

#[test]
fn another_fingerprint_than_the_certificates_fails() {
    let (certificate, other) = (Certificate::p256(), Certificate::p256());
    let (_, name, length) = PROFILES[0];
    let (mut ours, _openssl) = client_of(&certificate, Some((name, length)), &[]);
    let settings = Arc::new(Settings::new(Identity::generate().unwrap(), false).unwrap());
    let address = ours.outcome_address();
    ours.session = Dtls::new(settings, Role::Client, Trust::Cookie, other.fingerprint().into());
    ours.session.aim(Instant::now(), address);
    assert_eq!(ours.outcome(), Output::Failed(Failure::Fingerprint));
}

impl Ours {
    /// Where the session's first datagram would go to.
    fn outcome_address(&mut self) -> SocketAddr {
        match self.session.poll() {
            Some(Output::Datagram { to, .. }) => to,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn close_notify_of_openssl_ends_the_stream() {
    let certificate = Certificate::p256();
    let (_, name, length) = PROFILES[0];
    // s_server closes its socket before it could say anything.
    let (mut ours, mut openssl) = server_of(&certificate, Some((name, length)), &[]);
    ours.keys();
    openssl.say("Keying material: ");
    openssl.stdin.write_all(b"Q\n").unwrap();
    assert_eq!(ours.outcome(), Output::Closed);
}

#[test]
fn our_close_notify_is_heard() {
    let certificate = Certificate::p256();
    let (_, name, length) = PROFILES[0];
    let (mut ours, mut openssl) = server_of(&certificate, Some((name, length)), &[]);
    ours.keys();
    openssl.say("Keying material: ");
    ours.session.close(Instant::now());
    while let Some(Output::Datagram { to, bytes }) = ours.session.poll() {
        ours.socket.send_to(&bytes, to).unwrap();
    }
    assert!(openssl.process.wait().unwrap().success(), "it leaves in order");
}
