//! Lost SIP messages are sent again; lost, repeated and swapped media packets are told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::HashSet;
use std::net::SocketAddr;

use sidetone_softphone::{CallOptions, EndedBy, Impairment, MediaReport, Phone, PhoneConfig};
use tokio::net::UdpSocket;

use common::{config, connect, half_second, phone, within};

/// Passes datagrams on, but each only when it comes for the second time.
async fn forgetful(callee: SocketAddr) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut seen, mut caller, mut buffer) = (HashSet::new(), None, vec![0; 65_535]);
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let to = if from == callee { caller.unwrap() } else { callee };
            if from != callee {
                caller = Some(from);
            }
            if !seen.insert((from == callee, buffer[..length].to_vec())) {
                socket.send_to(&buffer[..length], to).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn every_message_lost_once() {
    within(async {
        let callee = phone("callee").await;
        let outbound = Some(format!("sip:{}", forgetful(callee.address()).await));
        let caller = Phone::bind(PhoneConfig { outbound, ..config("caller") }).await.unwrap();
        let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        call.hangup().await.unwrap();
        assert_eq!(answered.ended().await, EndedBy::Peer);

        let uri = callee.uri();
        let decline = async { callee.incoming().await.unwrap().decline(486).await };
        let (made, declined) = tokio::join!(caller.call(&uri, half_second(300.0)), decline);
        assert!(made.is_err());
        declined.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_the_impairment_does_is_what_the_comparison_tells() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let impairment =
            Impairment { drop_every: 10, duplicate: 0.2, reorder: 0.2, seed: 3, ..Impairment::default() };
        let ours = CallOptions { impairment, ..half_second(300.0) };
        let (call, answered) = connect(&caller, &callee, ours, half_second(500.0)).await;
        call.played().await;
        call.hangup().await.unwrap();
        let sent = call.report();
        answered.received(sent.sent.len()).await;
        let received = answered.report();
        assert_eq!(sent.dropped, 2);
        let on_the_wire = MediaReport::byte_identical(&sent.sent, &received.received);
        assert!(on_the_wire.is_identical() && on_the_wire.reordered > 0, "{on_the_wire}");
        let numbers: HashSet<u16> = sent.sent.iter().map(|p| p.sequence).collect();
        assert_eq!(numbers.len(), 23);
        assert!(sent.sent.len() > 23);
    })
    .await;
}
