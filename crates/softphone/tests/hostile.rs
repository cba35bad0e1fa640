//! Nonsense on every port is dropped, and calls go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use proptest::prelude::*;
use sidetone_softphone::fuzz;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};

use common::{compare, connect, half_second, phone, within};

#[tokio::test]
async fn nonsense_on_every_port() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let media = call.media().unwrap().remote;
        let nonsense: [&[u8]; 7] = [
            b"",
            b"\r\n\r\n",
            &[0; 12],
            &[0xff; 1400],
            b"INVITE sip:x SIP/2.0\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n",
            b"BYE sip:callee@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKy;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
              To: <sip:c@d>;tag=2\r\nCall-ID: none\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        ];
        for bytes in nonsense {
            stranger.send_to(bytes, callee.address()).await.unwrap();
            stranger.send_to(bytes, media).await.unwrap();
            let mut stream = TcpStream::connect(callee.address()).await.unwrap();
            // The phone may close before all is written.
            let _ = stream.write_all(bytes).await;
        }
        let (there, back) = compare(&call, &answered).await;
        assert!(there.is_identical() && back.is_identical(), "{there}; {back}");
        call.hangup().await.unwrap();
        answered.ended().await;
        while answered.report().strays < 6 {
            tokio::task::yield_now().await;
        }

        let (call, _answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        call.hangup().await.unwrap();
    })
    .await;
}

proptest! {
    #[test]
    fn any_bytes(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz::session_description(&data);
        fuzz::packet(&data);
        fuzz::wav(&data);
    }

    #[test]
    fn likely_descriptions(lines in proptest::collection::vec(
        "(m=(audio|video) [0-9]{1,6}(/2)? RTP/AVPF?( [0-9]{1,3}){0,4}|c=IN IP[46] [0-9.:]{0,12}|c=IN IP4 10[.]0[.]0[.]1|a=(rtpmap|rtcp|ptime|fmtp):[ -~]{0,20}|a=[a-z]{0,9})",
        0..12,
    )) {
        fuzz::session_description(lines.join("\r\n").as_bytes());
    }
}
