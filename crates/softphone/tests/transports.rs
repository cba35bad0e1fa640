//! UDP and TCP, IPv4 and IPv6.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_sip::Method;
use sidetone_softphone::{CallOptions, Codec, Hold, Phone, PhoneConfig, Transport};

use common::{compare, config, connect, half_second, within};

async fn whole_call(transport: Transport, address: &str) {
    let here = |user| PhoneConfig { bind: address.parse().unwrap(), transport, ..config(user) };
    let caller = Phone::bind(here("caller")).await.unwrap();
    let callee = Phone::bind(here("callee")).await.unwrap();
    let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
    let (there, back) = compare(&call, &answered).await;
    assert!(there.is_identical() && back.is_identical(), "{there}; {back}");
    call.hold(Hold::SendOnly).await.unwrap();
    answered.resume().await.unwrap();
    let info = answered.request(Method::INFO, &[("Content-Type", "text/plain")], b"hello").await.unwrap();
    assert_eq!(info.status(), Some(200));
    answered.hangup().await.unwrap();
    let requests = call.requests();
    let methods: Vec<&str> = requests.iter().map(|r| r.method.as_str()).collect();
    assert_eq!(methods, ["INVITE", "INFO", "BYE"]);
    let via = format!("SIP/2.0/{}", transport.as_via());
    assert!(requests.iter().all(|r| String::from_utf8_lossy(&r.message).contains(&via)));
}

#[tokio::test]
async fn udp_over_ipv4() {
    within(whole_call(Transport::Udp, "127.0.0.1:0")).await;
}

#[tokio::test]
async fn tcp_over_ipv4() {
    within(whole_call(Transport::Tcp, "127.0.0.1:0")).await;
}

#[tokio::test]
async fn udp_over_ipv6() {
    within(whole_call(Transport::Udp, "[::1]:0")).await;
}

#[tokio::test]
async fn tcp_over_ipv6() {
    within(whole_call(Transport::Tcp, "[::1]:0")).await;
}

#[tokio::test]
async fn rtcp_on_its_own_port_or_with_the_media() {
    within(async {
        for mux in [false, true] {
            let caller = Phone::bind(config("caller")).await.unwrap();
            let callee = Phone::bind(config("callee")).await.unwrap();
            let options = || CallOptions { rtcp_mux: mux, codecs: vec![Codec::Pcmu], ..half_second(300.0) };
            let (call, answered) = connect(&caller, &callee, options(), options()).await;
            let (there, _) = compare(&call, &answered).await;
            assert!(there.is_identical());
            // The sender's last report comes with its BYE.
            call.hangup().await.unwrap();
            while answered.report().rtcp_received.is_empty() {
                tokio::task::yield_now().await;
            }
            let (ours, theirs) = (call.report(), answered.report());
            assert_eq!(ours.rtcp_sent[..theirs.rtcp_received.len()], theirs.rtcp_received);
            assert_eq!((theirs.strays, ours.strays), (0, 0));
        }
    })
    .await;
}
