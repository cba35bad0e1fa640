use std::time::Duration;

use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::model::Model;
use sidetone_insight::Thresholds;
use sidetone_sip::Face;
use sidetone_sip::anchor::{StreamPlan, Untappable};

use super::CallAnalysis;
use crate::analysis::ear::testing::{Datagram, Phone, caller, ms, plan, rejected};

const TEN: Duration = ms(10_000);

fn call(plans: &[(usize, StreamPlan)]) -> CallAnalysis {
    let mut call =
        CallAnalysis::new(Duration::ZERO, Thresholds::default(), &Model::embedded().unwrap(), true);
    call.listen_to_recording(RecordingPermit::new(Stated::Material));
    for (stream, plan) in plans {
        call.plan(*stream, plan);
    }
    call.answered(Duration::ZERO);
    call
}

/// The customer's packets; how much voice of them reached the listener.
fn customer(call: &mut CallAnalysis, stream: usize, packets: &[Datagram]) -> Duration {
    for (at, packet) in packets {
        call.packet(*at, stream, Face::Trunk, packet);
        call.advance(*at);
    }
    call.take_heard()
}

fn second(phone: &mut Phone) -> Vec<Datagram> {
    phone.speak(&caller(TEN, TEN + ms(1_000)))
}

#[test]
fn a_hold_by_both_ends_when_neither_holds() {
    let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    call.held(Face::Trunk, phone.at);
    call.held(Face::Pbx, phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.resumed(Face::Trunk, phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.resumed(Face::Pbx, phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
}

#[test]
fn what_becomes_encrypted_is_no_longer_heard() {
    let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    call.plan(0, &plan(Err(Untappable::Srtp)));
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.plan(0, &plan(Ok(())));
    assert!(customer(&mut call, 0, &second(&mut phone)) > ms(900));
}

#[test]
fn the_same_plan_again_changes_nothing() {
    let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
    for _ in 0..3 {
        assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
        call.plan(0, &plan(Ok(())));
    }
}

#[test]
fn a_rejected_first_stream_gives_way_to_the_second() {
    let mut offered = plan(Ok(()));
    offered.pbx.remote_rtp = None;
    let mut call = call(&[(0, offered.clone()), (1, offered)]);
    let mut phone = Phone::new(TEN);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000), "the first, for all that is known");
    call.plan(0, &rejected());
    call.plan(1, &plan(Ok(())));
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    assert!(customer(&mut call, 1, &second(&mut phone)) > ms(900));
    call.plan(1, &rejected());
    assert_eq!(customer(&mut call, 1, &second(&mut phone)), Duration::ZERO);
}

#[test]
fn a_key_press_never_reaches_the_listener() {
    let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    assert_eq!(customer(&mut call, 0, &phone.press()), Duration::ZERO);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000), "and the gap it left is none either");
}

#[test]
fn silence_and_early_media_do_not_count_as_heard() {
    let mut call =
        CallAnalysis::new(Duration::ZERO, Thresholds::default(), &Model::embedded().unwrap(), true);
    call.listen_to_recording(RecordingPermit::new(Stated::Material));
    call.plan(0, &plan(Ok(())));
    let mut phone = Phone::new(TEN);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.answered(phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    phone.pause(ms(3_000));
    call.advance(phone.at);
    assert_eq!(call.take_heard(), Duration::ZERO);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
}
