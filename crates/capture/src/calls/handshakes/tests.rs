//! Handshakes between OpenSSL and OpenSSL, overheard: the keys that follow from the key log are those that OpenSSL
//! exports.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;

use super::*;
use crate::datagrams::Transport;

/// A program that ends with the test, and the lines that it says.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn openssl(folder: &Path, arguments: &str) -> Self {
        let mut child = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    fn exported(&self) -> Option<Vec<u8>> {
        let line = self.lines.try_iter().find(|line| line.contains("Keying material: "))?;
        let digits = line.rsplit(' ').next().unwrap().as_bytes().to_vec();
        Some(HEXLOWER_PERMISSIVE.decode(&digits).unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What passes between the two until both have keys; and what the client exports.
fn overheard(folder: &Path, cipher: &str, profile: &str, length: usize) -> (Vec<Datagram>, Vec<u8>) {
    const GUARD: Duration = Duration::from_secs(60);
    let between = UdpSocket::bind("127.0.0.1:0").unwrap();
    between.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let terms = format!(
        "-dtls1_2 -cipher {cipher} -use_srtp {profile} -keymatexport EXTRACTOR-dtls_srtp -keymatexportlen {length} -mtu 256"
    );
    let server =
        format!("s_server {terms} -accept 127.0.0.1:{} -cert certificate.pem -key key.pem", free.port());
    let _server = Process::openssl(folder, &server);
    let here = between.local_addr().unwrap();
    let client = Process::openssl(folder, &format!("s_client {terms} -connect {here} -keylogfile keys"));
    let start = std::time::Instant::now();
    let (mut passed, mut of_client) = (Vec::new(), None);
    loop {
        assert!(start.elapsed() < GUARD, "no handshake");
        if let Some(exported) = client.exported() {
            return (passed, exported);
        }
        // Until the server listens, its port answers with an ICMP error, and the client sends again.
        let mut buffer = [0; 2048];
        let Ok((length, from)) = between.recv_from(&mut buffer) else { continue };
        let to = if from == free { of_client.unwrap() } else { free };
        if from != free {
            of_client = Some(from);
        }
        let payload = Bytes::copy_from_slice(&buffer[..length]);
        let transport = Transport::Udp;
        passed.push(Datagram { at: start.elapsed(), src: from, dst: to, payload, transport });
        let _ = between.send_to(&buffer[..length], to);
    }
}

#[test]
fn openssl_exports_the_same_keys_whatever_the_hash_and_the_profile() {
    let folder = std::env::temp_dir().join(format!("sidetone-overheard-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let made = Command::new("openssl")
        .args(
            "req -x509 -nodes -days 30 -subj /CN=peer -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
                .split(' '),
        )
        .args("-keyout key.pem -out certificate.pem".split(' '))
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for (cipher, profile, suite) in [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "SRTP_AES128_CM_SHA1_80", Suite::AesCm128Sha1_80),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "SRTP_AES128_CM_SHA1_32", Suite::AesCm128Sha1_32),
        ("ECDHE-ECDSA-AES128-SHA", "SRTP_AEAD_AES_128_GCM", Suite::AeadAes128Gcm),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "SRTP_AEAD_AES_256_GCM", Suite::AeadAes256Gcm),
    ] {
        let (key, salt) = (suite.key_length(), suite.salt_length());
        let (datagrams, exported) = overheard(&folder, cipher, profile, 2 * (key + salt));
        let log = KeyLog::parse(&std::fs::read(folder.join("keys")).unwrap()).unwrap();
        let mut handshakes = Handshakes::default();
        // Each datagram comes twice, as if it had been sent again.
        for datagram in datagrams.iter().flat_map(|datagram| [datagram, datagram]) {
            handshakes.observe(datagram.at, datagram, Some(&log));
        }
        let first = datagrams.first().unwrap();
        let (client, server) = (first.src, first.dst);
        let of = |n: usize| {
            let salts = &exported[2 * key + n * salt..];
            Keying::new(suite, &[&exported[n * key..(n + 1) * key], &salts[..salt]].concat()).unwrap()
        };
        let sent = |route| handshakes.keys(route).first().cloned();
        assert!(sent((client, server)) == Some(of(0)), "{cipher}: the client's");
        assert!(sent((server, client)) == Some(of(1)), "{cipher}: the server's");
        assert!(handshakes.protect((server, client)));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn ways_and_handshakes_are_bounded() {
    let mut handshakes = Handshakes::default();
    let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
    let hello = |random: u8| {
        let mut body = vec![0xFE, 0xFD];
        body.extend([random; 32]);
        body.extend([0, 0, 0, 0, 1, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
        let mut record = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, body.len() as u8 + 12];
        record.extend([1, 0, 0, body.len() as u8, 0, 0, 0, 0, 0, 0, 0, body.len() as u8]);
        record.extend(body);
        Bytes::from(record)
    };
    let mut observe = |src, dst, random| {
        let datagram =
            Datagram { at: Duration::ZERO, src, dst, payload: hello(random), transport: Transport::Udp };
        handshakes.observe(Duration::ZERO, &datagram, None);
    };
    for port in 1..50_000 {
        observe(at(port), at(60_000), 1);
    }
    for random in 0..200 {
        observe(at(1), at(60_000), random);
    }
    for port in 50_000..65_000 {
        observe(at(port), at(1), 1);
        observe(at(port), at(2), 1);
        observe(at(port), at(3), 1);
    }
    assert_eq!(handshakes.ways.len(), MOST_WAYS);
    assert!(handshakes.known.values().all(|routes| routes.len() <= MOST_ON_A_WAY));
    assert!(handshakes.ways.values().all(|way| way.clients.len() <= MOST_CLIENTS));
}
