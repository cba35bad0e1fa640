//! PBXs that are dead, slow or lying cost nothing.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a failure is the message
#![allow(clippy::needless_pass_by_value)] // reads better where it is called

mod common;

use std::net::SocketAddr;

use common::{Sidetone, run, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const AMI_LOGIN: &[u8] = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: login\r\n\r\n";
const ESL_LOGIN: &[u8] =
    b"Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n\
    Content-Type: command/reply\nReply-Text: +OK event listener enabled json\n\n";

/// Says `first` to whoever connects, then `again` without end; reads nothing.
async fn says(first: &'static [u8], again: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let _ = stream.write_all(first).await;
                match again {
                    Some(again) => while stream.write_all(again).await.is_ok() {},
                    None => tokio::time::sleep(std::time::Duration::from_secs(60)).await,
                }
            });
        }
    });
    address
}

fn ami(address: SocketAddr) -> String {
    format!("[ami]\naddress = \"{address}\"\nusername = \"sidetone\"\nsecret = \"hush\"\n")
}

fn esl(address: SocketAddr) -> String {
    format!("[esl]\naddress = \"{address}\"\npassword = \"ClueCon\"\n")
}

fn ari(address: SocketAddr) -> String {
    format!("[ari]\nurl = \"http://{address}/ari\"\nusername = \"sidetone\"\npassword = \"hush\"\n")
}

/// `malformed`: whether it has to be counted as such; a web server that is no ARI need not.
async fn is_given_up(config: String, malformed: bool) {
    let sidetone = Sidetone::start(&config);
    let mut call = sidetone.call("call-1@carrier");
    until("the end of the connection", async || (sidetone.counts().disconnects >= 1).then_some(())).await;
    call.alert("frustration", "rising");
    let counts = sidetone.counts();
    assert!(!counts.connected);
    assert!(counts.malformed >= u64::from(malformed), "{config}");
    sidetone.links.shutdown(std::time::Duration::from_millis(100)).await;
}

#[test]
fn strangers_are_given_up() {
    run(async {
        let http = says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", None).await;
        let ssh = says(b"SSH-2.0-OpenSSH_9.2p1\r\n", None).await;
        for stranger in [http, ssh] {
            is_given_up(ami(stranger), true).await;
            is_given_up(esl(stranger), true).await;
        }
        is_given_up(ari(ssh), false).await;
        is_given_up(ari(http), false).await;
    });
}

#[test]
fn endless_lines_are_given_up() {
    run(async {
        const NOISE: &[u8] = &[b'x'; 65_536];
        is_given_up(ami(says(AMI_LOGIN, Some(NOISE)).await), true).await;
        is_given_up(ami(says(b"", Some(NOISE)).await), true).await;
        is_given_up(esl(says(ESL_LOGIN, Some(NOISE)).await), true).await;
        is_given_up(esl(says(b"Content-Length: 99999999\n\n", None).await), true).await;
        let broken = [ESL_LOGIN, b"Content-Length: 3\nContent-Type: text/event-json\n\n{]}"].concat();
        is_given_up(esl(says(broken.leak(), None).await), true).await;
        is_given_up(ari(says(b"", Some(NOISE)).await), false).await;
    });
}

#[test]
fn answers_that_nobody_asked_for_are_given_up() {
    run(async {
        let answer = b"Content-Type: command/reply\nReply-Text: +OK\n\n";
        is_given_up(esl(says(answer, Some(answer)).await), true).await;
    });
}

#[test]
fn a_flood_of_channels_is_bounded() {
    run(async {
        // Ids without end: each longer than any that is believed.
        const FLOOD: &[u8] =
            b"Event: Newchannel\r\nChannel: PJSIP/a\r\nUniqueid: \r\n\r\nEvent: VarSet\r\nUniqueid: 1\r\n\
            Variable: SIDETONE_TELL_QUEUE\r\nValue: x\r\n\r\n";
        let sidetone = Sidetone::start(&ami(says(AMI_LOGIN, Some(FLOOD)).await));
        until("much that was told in vain", async || {
            (sidetone.counts().told_in_vain > 100_000).then_some(())
        })
        .await;
        assert_eq!(sidetone.told(), []);
    });
}

/// It logs in and then neither reads nor answers.
#[test]
fn a_pbx_that_sleeps_holds_nobody_up() {
    run(async {
        for config in [ami(says(AMI_LOGIN, None).await), esl(says(ESL_LOGIN, None).await)] {
            let sidetone = Sidetone::start(&config);
            until("the link", async || sidetone.counts().connected.then_some(())).await;
            let mut call = sidetone.call("call-1@carrier");
            for _ in 0..5_000 {
                call.alert("frustration", "rising");
                tokio::task::yield_now().await;
            }
            // A thousand wait, some are under way, the others have been dropped: the oldest.
            until("the drops", async || (sidetone.counts().dropped > 3_000).then_some(())).await;
            assert_eq!(sidetone.counts().sent, 0);
        }
    });
}

/// The door is closed, opened for nothing, and at last there is somebody.
#[test]
fn a_pbx_that_comes_late_is_found() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let sidetone = Sidetone::start(&ami(address));
        until("a refusal", async || (sidetone.counts().disconnects >= 1).then_some(())).await;
        let listener = TcpListener::bind(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(AMI_LOGIN).await.unwrap();
        until("the link", async || sidetone.counts().connected.then_some(())).await;
        let mut said = vec![0; 4_096];
        let length = stream.read(&mut said).await.unwrap();
        let said = String::from_utf8_lossy(&said[..length]).into_owned();
        assert!(
            said.starts_with("Action: Login\r\nActionID: login\r\nUsername: sidetone\r\nSecret: hush\r\n"),
            "{said}"
        );
    });
}
