//! RFC 3261 figure 5 with RFC 6026.

use sidetone_sip::Transport;
use sidetone_sip::transaction::ClientTimeout::{Ended, Idle, Retransmit, TimedOut};
use sidetone_sip::transaction::{InviteClient, OnResponse};

use super::{ms, run, timers};

fn start(transport: Transport) -> InviteClient {
    InviteClient::start(ms(0), &timers(), transport)
}

fn run_out(client: &mut InviteClient) -> Vec<(u128, sidetone_sip::transaction::ClientTimeout)> {
    run(client, InviteClient::next_timeout, InviteClient::timeout)
}

#[test]
fn timers_a_and_b_over_udp() {
    let mut client = start(Transport::Udp);
    let mut expected: Vec<_> = [500, 1500, 3500, 7500, 15_500, 31_500].map(|at| (at, Retransmit)).into();
    expected.push((32_000, TimedOut));
    assert_eq!(run_out(&mut client), expected);
    assert!(client.is_terminated());
}

#[test]
fn only_timer_b_over_tcp() {
    let mut client = start(Transport::Tcp);
    assert_eq!(run_out(&mut client), [(32_000, TimedOut)]);
}

#[test]
fn nothing_is_due_early() {
    assert_eq!(start(Transport::Udp).timeout(ms(499)), Idle);
}

#[test]
fn a_provisional_response_stops_both() {
    let mut client = start(Transport::Udp);
    assert_eq!(client.response(ms(100), &timers(), 100), OnResponse::Pass);
    assert!(client.is_proceeding() && !client.is_calling());
    assert_eq!(client.next_timeout(), None);
    assert_eq!(client.response(ms(200), &timers(), 183), OnResponse::Pass);
}

#[test]
fn failures_are_acknowledged_each_time_until_timer_d() {
    let mut client = start(Transport::Udp);
    assert_eq!(client.response(ms(100), &timers(), 486), OnResponse::PassAndAck);
    assert_eq!(client.response(ms(600), &timers(), 486), OnResponse::Ack);
    assert_eq!(client.response(ms(600), &timers(), 180), OnResponse::Absorb);
    assert_eq!(client.response(ms(600), &timers(), 200), OnResponse::Absorb);
    assert_eq!(run_out(&mut client), [(32_100, Ended)]);
}

#[test]
fn timer_d_is_zero_over_tcp() {
    let mut client = start(Transport::Tcp);
    assert_eq!(client.response(ms(100), &timers(), 600), OnResponse::PassAndAck);
    assert!(client.is_terminated());
}

#[test]
fn every_2xx_passes_until_timer_m() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut client = start(transport);
        for at in [100, 600, 20_000] {
            assert_eq!(client.response(ms(at), &timers(), 200), OnResponse::Pass);
        }
        assert_eq!(client.response(ms(20_000), &timers(), 486), OnResponse::Absorb);
        assert_eq!(client.response(ms(20_000), &timers(), 180), OnResponse::Absorb);
        assert_eq!(run_out(&mut client), [(32_100, Ended)]);
        assert_eq!(client.response(ms(40_000), &timers(), 200), OnResponse::Absorb);
    }
}

#[test]
fn a_cancelled_one_times_out_by_itself() {
    let mut client = start(Transport::Udp);
    client.response(ms(100), &timers(), 180);
    client.expire_at(ms(5000));
    client.response(ms(200), &timers(), 183);
    assert_eq!(run_out(&mut client), [(5000, TimedOut)]);
    client.expire_at(ms(9000));
    assert_eq!(client.next_timeout(), None, "not once it has ended");
}

#[test]
fn one_that_is_left_alone_listens_on() {
    let mut client = start(Transport::Udp);
    client.stop_retransmitting();
    assert_eq!(client.next_timeout(), Some(ms(32_000)));
    assert_eq!(client.response(ms(9000), &timers(), 200), OnResponse::Pass);
}
