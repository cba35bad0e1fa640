//! Whole packets from the RFCs and from libsrtp's own validation, both ways.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use data_encoding::HEXLOWER_PERMISSIVE;
use sidetone_call::{Keying, Suite};
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(text.replace([' ', '\n'], "").as_bytes()).unwrap()
}

/// The keys of libsrtp's validation: those of RFC 3711 appendix B.3, RFC 6188 §7, and counted bytes for GCM.
fn keying(suite: Suite) -> Keying {
    let secret = match suite {
        Suite::AesCm128Sha1_80 | Suite::AesCm128Sha1_32 => {
            "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6"
        }
        Suite::AesCm256Sha1_80 | Suite::AesCm256Sha1_32 => {
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2"
        }
        Suite::AesCm192Sha1_80 | Suite::AesCm192Sha1_32 => {
            "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1 c8522f3acd4ce86d5add78edbb11"
        }
        Suite::AeadAes128Gcm => "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab",
        Suite::AeadAes256Gcm => {
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f a0a1a2a3a4a5a6a7a8a9aaab"
        }
    };
    Keying::new(suite, &hex(secret)).unwrap()
}

const RTP: &str = "800f1234 decafbad cafebabe abababab abababab abababab abababab";
const RTCP: &str = "81c8000b cafebabe abababab abababab abababab abababab";

/// Protects and unprotects one RTP packet.
fn holds(suite: Suite, clear: &str, protected: &str) {
    let (clear, protected) = (hex(clear), hex(protected));
    let mut buffer = clear.clone();
    buffer.resize(clear.len() + MOST_TRAILER, 0);
    let length = Outbound::new(keying(suite)).unwrap().protect(&mut buffer, clear.len()).unwrap();
    assert_eq!(buffer[..length], protected[..], "{suite}");
    let mut packet = protected;
    let length = Inbound::new(keying(suite)).unwrap().unprotect(&mut packet).unwrap();
    assert_eq!(packet[..length], clear[..], "{suite}");
}

/// The same of RTCP. libsrtp counts its reports from 1.
fn holds_rtcp(suite: Suite, clear: &str, protected: &str) {
    let (clear, protected) = (hex(clear), hex(protected));
    let mut outbound = Outbound::new(keying(suite)).unwrap();
    let mut buffer = Vec::new();
    let mut length = 0;
    for _ in 0..2 {
        buffer.clone_from(&clear);
        buffer.resize(clear.len() + MOST_TRAILER, 0);
        length = outbound.protect_rtcp(&mut buffer, clear.len()).unwrap();
    }
    assert_eq!(buffer[..length], protected[..], "{suite}");
    let mut packet = protected;
    let length = Inbound::new(keying(suite)).unwrap().unprotect_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..length], clear[..], "{suite}");
}

#[test]
fn libsrtp_aes_cm_128_hmac_sha1_80() {
    holds(
        Suite::AesCm128Sha1_80,
        RTP,
        "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb",
    );
    holds_rtcp(
        Suite::AesCm128Sha1_80,
        RTCP,
        "81c8000b cafebabe 7128035b e487b9bd bef89041 f977a5a8 80000001 993e08cd 54d6c123 0798",
    );
}

#[test]
fn libsrtp_aes_256_cm_hmac_sha1_80() {
    holds(
        Suite::AesCm256Sha1_80,
        RTP,
        "800f1234 decafbad cafebabe f1d9de17 ff251ff1 aa007774 b0b4b40d a08d9d9a 5b3a55d8 873b",
    );
}

#[test]
fn libsrtp_aead_aes_128_gcm() {
    holds(
        Suite::AeadAes128Gcm,
        RTP,
        "800f1234 decafbad cafebabe c5002ede 04cfdd2e b91159e0 880aa06e d2976826 f796b201 df3131a1 27e8a392",
    );
    holds_rtcp(
        Suite::AeadAes128Gcm,
        RTCP,
        "81c8000b cafebabe c98b8b5d f0392a55 852b6c21 ac8e7025 c52c6fbe a2b3b446 ea31123b a88ce61e 80000001",
    );
}
