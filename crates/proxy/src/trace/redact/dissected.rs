//! Redacted messages stay readable for Wireshark: no omission may make tshark take a message for malformed.

use std::process::Command;
use std::time::Duration;

use sidetone_capture::pcap::Writer;
use sidetone_events::Secret;

use super::*;

const SECRET: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

/// An INVITE with these headers, whose session description has these lines behind its first m-line.
fn invite(headers: &str, lines: &str) -> String {
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n{lines}"
    );
    format!(
        "INVITE sip:+49301234567@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:+4915555550123@carrier.example>;tag=1\r\nTo: <sip:+49301234567@192.0.2.10>\r\n\
         Call-ID: a@x\r\nCSeq: 1 INVITE\r\nContact: <sip:15555550123@192.0.2.1>\r\n{headers}\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn messages() -> Vec<String> {
    let suites = [
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "F8_128_HMAC_SHA1_80",
        "AES_192_CM_HMAC_SHA1_80",
        "AES_256_CM_HMAC_SHA1_80",
        "AEAD_AES_128_GCM",
        "AEAD_AES_256_GCM",
        "SEED_CTR_128_HMAC_SHA1_80",
    ];
    let mut messages: Vec<String> = suites
        .iter()
        .map(|suite| {
            invite("", &format!("a=crypto:1 {suite} inline:{SECRET}|2^20|1:4 UNENCRYPTED_SRTCP\r\n"))
        })
        .collect();
    for line in [
        format!("a=crypto:+4915555550123 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}"),
        "a=crypto:1".to_owned(),
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET};inline:{SECRET}"),
        format!("a=fingerprint:sha-256 {SECRET}"),
        format!("a=key-mgmt:mikey {SECRET}"),
        format!("a=ice-ufrag:abcd\r\na=ice-pwd:{SECRET}"),
        "a=candidate:1 1 UDP 2130706431 10.0.0.1 4000 typ host".to_owned(),
        "a=ssrc:1234567890 cname:user@host".to_owned(),
        "m=video 4002 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 profile-level-id=42e01f; sprop-parameter-sets=Z0IACpZTBYmI12345678ABCDEF0123,aMljiA==;packetization-mode=1"
            .to_owned(),
        "m=video 4002 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=15555550123".to_owned(),
        "m=audio 4002 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000\r\na=fmtp:97 config=11B0123456789ABCDEF0".to_owned(),
        "a=fmtp:101 15555550123".to_owned(),
    ] {
        messages.push(invite("", &format!("{line}\r\n")));
    }
    for header in [
        "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2",
        "Authorization: Digest username=\"15555550123\", response=\"6629fae49393a05397450978507c4ef1\"",
        "Identity: eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://cert.example/1>",
        "P-Charging-Vector: icid-value=15555550123",
        "Session-Expires: 1800;refresher=uac",
        "Replaces: 15555550123@x;to-tag=1;from-tag=2",
    ] {
        messages.push(invite(&format!("{header}\r\n"), ""));
    }
    messages
}

#[test]
fn tshark_dissects_what_is_shown() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("tshark is not on this machine; what it makes of a trace is not tried");
        return;
    }
    let hasher = NumberHasher::salted(&Secret::new("sixteen bytes and more")).unwrap();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut shown = Vec::new();
    for (second, text) in (1..).zip(messages()) {
        let (message, _) = message(&hasher, &mut Remembered::default(), &Bytes::from(text)).unwrap();
        let text = message.text();
        assert!(!text.contains(SECRET) && !text.contains("5550123"), "{text}");
        let (from, to) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.10:5060".parse().unwrap());
        writer.udp(Duration::from_secs(second), from, to, text.as_bytes()).unwrap();
        shown.push(text);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.pcap");
    std::fs::write(&file, writer.into_inner()).unwrap();
    let fields = ["frame.protocols", "_ws.malformed", "_ws.expert.message"];
    let output = Command::new("tshark")
        .args(["-n", "-r"])
        .arg(&file)
        .args(["-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", *field]))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), shown.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for (line, text) in said.lines().zip(shown) {
        let mut fields = line.split('\t');
        assert!(fields.next().unwrap_or_default().contains("sip:sdp"), "{line}: no SDP in\n{text}");
        let faults = fields.collect::<Vec<_>>().join(" ");
        assert!(!faults.to_lowercase().contains("malformed"), "{line}:\n{text}");
    }
}
