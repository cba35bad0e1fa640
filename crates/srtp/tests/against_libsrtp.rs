//! Packets to and from libsrtp, the reference implementation. `make peers` installs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use data_encoding::HEXLOWER;
use sidetone_call::{Keying, Suite};
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

struct Libsrtp {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Libsrtp {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libsrtp.py");
        // Debian's own interpreter: the binding is one of its packages.
        let child =
            Command::new("/usr/bin/python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("Debian's python3 (is it installed? `make peers` does it)");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.to, "{question}").unwrap();
        let mut answer = String::new();
        self.from.read_line(&mut answer).unwrap();
        let answer = answer.trim().to_owned();
        assert!(!answer.is_empty(), "libsrtp has ended (is it installed? `make peers` does it)");
        answer
    }

    fn with(&mut self, word: &str, packet: &[u8]) -> Option<Vec<u8>> {
        let answer = self.ask(&format!("{word} {}", HEXLOWER.encode(packet)));
        (answer != "refused").then(|| HEXLOWER.decode(answer.as_bytes()).unwrap())
    }
}

impl Drop for Libsrtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rtp(sequence: u16) -> Vec<u8> {
    // Two contributing sources and a header extension of one word: all of it stays readable.
    let mut packet = vec![0x92, 0x60];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 1, 0, 0xca, 0xfe, 0xba, 0xbe]);
    packet.extend([0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]);
    packet.extend((0..160).map(|n| n as u8 ^ sequence as u8));
    packet
}

fn rtcp(n: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6, 0xca, 0xfe, 0xba, 0xbe];
    packet.extend([n; 20]);
    packet
}

fn holds(suite: Suite, profile: &str) {
    let secret: Vec<u8> =
        (0..suite.key_length() + suite.salt_length()).map(|n| (n as u8).wrapping_mul(7)).collect();
    let keying = Keying::new(suite, &secret).unwrap();
    let (mut outbound, mut inbound) = (Outbound::new(keying.clone()).unwrap(), Inbound::new(keying).unwrap());
    let mut libsrtp = Libsrtp::start();
    assert_eq!(libsrtp.ask(&format!("begin {profile} {}", HEXLOWER.encode(&secret))), "begun");
    // Over a roll-over, with losses.
    for step in (0..200_u16).filter(|step| step % 7 != 3) {
        let packet = rtp(65_450_u16.wrapping_add(step));
        let mut buffer = packet.clone();
        buffer.resize(packet.len() + MOST_TRAILER, 0);
        let length = outbound.protect(&mut buffer, packet.len()).unwrap();
        assert_eq!(libsrtp.with("unprotect", &buffer[..length]), Some(packet.clone()), "{suite}, {step}");
        assert_eq!(libsrtp.with("unprotect", &buffer[..length]), None, "{suite}: a replay");

        let mut theirs = libsrtp.with("protect", &packet).unwrap();
        assert_eq!(theirs, buffer[..length], "{suite}: the same packet, bit for bit");
        assert_eq!(inbound.unprotect(&mut theirs), Ok(packet.len()), "{suite}, {step}");
        assert_eq!(theirs[..packet.len()], packet[..]);
    }
    for n in 0..5 {
        let report = rtcp(n);
        let mut buffer = report.clone();
        buffer.resize(report.len() + MOST_TRAILER, 0);
        let length = outbound.protect_rtcp(&mut buffer, report.len()).unwrap();
        assert_eq!(libsrtp.with("unprotect_rtcp", &buffer[..length]), Some(report.clone()), "{suite}");
        let mut theirs = libsrtp.with("protect_rtcp", &report).unwrap();
        assert_eq!(inbound.unprotect_rtcp(&mut theirs), Ok(report.len()), "{suite}");
        assert_eq!(theirs[..report.len()], report[..]);
    }
}

#[test]
fn aes_cm_128_hmac_sha1_80() {
    holds(Suite::AesCm128Sha1_80, "AES128_CM_SHA1_80");
}

#[test]
fn aes_cm_128_hmac_sha1_32() {
    holds(Suite::AesCm128Sha1_32, "AES128_CM_SHA1_32");
}

#[test]
fn aead_aes_128_gcm() {
    holds(Suite::AeadAes128Gcm, "AEAD_AES_128_GCM");
}

#[test]
fn aead_aes_256_gcm() {
    holds(Suite::AeadAes256Gcm, "AEAD_AES_256_GCM");
}
