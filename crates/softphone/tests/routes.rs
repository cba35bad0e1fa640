//! Requests in a dialog follow its route set (RFC 3261 §12.2.1.1, loose routing).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sidetone_sip::name_addr::NameAddr;
use sidetone_sip::{Edit, Message, Name};
use sidetone_softphone::{Hold, Phone, PhoneConfig};
use tokio::net::UdpSocket;

use common::{compare, config, connect, half_second, phone, within};

type Seen = Arc<Mutex<Vec<(&'static str, String)>>>;

/// A chain of stateless record-routing hops on one socket each; `seen` tells which request passed whom.
async fn hop(name: &'static str, onward: SocketAddr, seen: Seen) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut buffer, mut count) = (vec![0; 65_535], 0);
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let message = Message::parse(Bytes::copy_from_slice(&buffer[..length])).unwrap();
            let mut edit = Edit::new();
            let Some(method) = message.method() else {
                edit.pop_via(&message);
                let below: Vec<_> = message.values(Name::Via).map(<[u8]>::to_vec).collect();
                let via = sidetone_sip::via::Via::parse(&below[1]).unwrap();
                socket.send_to(&edit.apply(&message), via.response_addr().unwrap()).await.unwrap();
                continue;
            };
            seen.lock().unwrap().push((name, method.to_string()));
            edit.fill_received(&message, from);
            count += 1;
            edit.push_via(&message, &format!("SIP/2.0/UDP {address};branch=z9hG4bK{name}{count};rport"));
            let routes: Vec<String> =
                message.values(Name::Route).map(|r| NameAddr::parse(r).unwrap().uri.to_owned()).collect();
            let to = if routes.is_empty() {
                edit.push_first(&message, Name::RecordRoute, &format!("<sip:{address};lr>"));
                onward
            } else {
                assert_eq!(routes[0], format!("sip:{address};lr"));
                edit.remove_first_values(&message, Name::Route, 1);
                let next = routes.get(1).map_or(message.request_uri().unwrap(), String::as_str);
                let uri = sidetone_sip::uri::UriView::parse(next).unwrap();
                SocketAddr::new(uri.host_ip().unwrap(), uri.port().unwrap())
            };
            socket.send_to(&edit.apply(&message), to).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn both_ends_go_through_every_hop() {
    within(async {
        let seen = Seen::default();
        let callee = phone("callee").await;
        let second = hop("second", callee.address(), Arc::clone(&seen)).await;
        let first = hop("first", second, Arc::clone(&seen)).await;
        let outbound = Some(format!("sip:{first}"));
        let caller = Phone::bind(PhoneConfig { outbound, ..config("caller") }).await.unwrap();

        let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        let (there, back) = compare(&call, &answered).await;
        assert!(there.is_identical() && back.is_identical());
        answered.hold(Hold::Inactive).await.unwrap();
        answered.hangup().await.unwrap();

        let seen = seen.lock().unwrap().clone();
        for name in ["first", "second"] {
            let passed: Vec<&str> =
                seen.iter().filter(|(hop, _)| *hop == name).map(|(_, method)| method.as_str()).collect();
            assert_eq!(passed, ["INVITE", "ACK", "INVITE", "ACK", "BYE"], "{name}");
        }
    })
    .await;
}
