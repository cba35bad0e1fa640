use std::time::Duration;

use sidetone_call::{CallKey, Format, Side, StreamPlan, Untappable};
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::model::Model;
use sidetone_insight::{Insight, Thresholds};

use super::CallAnalysis;
use crate::Audible;
use crate::ear::testing::{Datagram, Phone, caller, ms, permit, plan, rejected};

const ONE: CallKey = CallKey(1);
const TEN: Duration = ms(10_000);

/// An answered call that may not be listened to.
fn unheard() -> CallAnalysis {
    let mut call =
        CallAnalysis::new(Duration::ZERO, Thresholds::default(), &Model::embedded().unwrap(), true);
    call.plan(0, &plan(Ok(())));
    call.answered(Duration::ZERO);
    call
}

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

/// Feeds the customer's packets; returns how much of their voice reached the listener.
fn customer(call: &mut CallAnalysis, stream: usize, packets: &[Datagram]) -> Duration {
    for (at, packet) in packets {
        call.packet(*at, stream, Side::Trunk, packet);
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
    call.held(Side::Trunk, phone.at);
    call.held(Side::Pbx, phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.resumed(Side::Trunk, phone.at);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), Duration::ZERO);
    call.resumed(Side::Pbx, phone.at);
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

/// The inferences about a call in which the customer says `before` until there is consent, half a packet's time after
/// that moment's packet has come.
fn inferred(
    opus: bool,
    before: &[i16],
    lost: impl Fn(Duration) -> bool,
) -> (Vec<(Duration, Insight)>, Duration) {
    let mut call = unheard();
    let mut phone = Phone::new(TEN);
    if opus {
        phone.opus();
    }
    let mut packets = phone.speak(before);
    let consent = phone.at - ms(10);
    if opus {
        // An encoder's memory of earlier speech is in the packets themselves; here it must not be.
        phone.opus();
    }
    packets.extend(phone.speak(&caller(ms(15_000), ms(20_000))));
    let mut told = Vec::new();
    let mut heard = Duration::ZERO;
    let mut consented = false;
    for (at, packet) in packets.iter().filter(|(at, _)| !lost(*at)) {
        if !consented && *at > consent {
            consented = true;
            // The order comes after its time, as it does from another thread.
            call.listen(permit(ONE), consent);
        }
        call.packet(*at, 0, Side::Trunk, packet);
        call.advance(*at);
        CallAnalysis::estimate(std::iter::once(&mut call));
        heard += call.take_heard();
        told.extend(std::iter::from_fn(|| call.poll()));
    }
    (told, heard)
}

#[test]
fn nothing_that_was_said_before_consent_can_be_told_from_what_is_inferred() {
    let consent = TEN + ms(3_000);
    // Packets lost around the consent are concealed from their neighbours.
    let around = |at: Duration| (consent - ms(60)..consent + ms(60)).contains(&at) && at != consent;
    let (speech, silence) = (caller(ms(4_000), ms(7_000)), vec![0; 24_000]);
    let none: fn(Duration) -> bool = |_| false;
    for opus in [false, true] {
        for lost in [&none as &dyn Fn(Duration) -> bool, &around] {
            let (one, heard) = inferred(opus, &speech, lost);
            let (other, also) = inferred(opus, &silence, lost);
            assert!(one.iter().any(|(_, told)| matches!(told, Insight::AffectUpdate(_))), "{one:?}");
            assert_eq!((heard, one), (also, other), "opus: {opus}");
        }
    }
}

#[test]
fn a_packet_from_before_consent_is_not_heard_when_its_turn_comes_after() {
    let mut call = unheard();
    let mut phone = Phone::new(TEN);
    let mut packets = second(&mut phone);
    // The 25th is delayed on the way: later ones come before consent and wait for it in the reorder buffer.
    let (_, late) = packets.remove(25);
    for (at, packet) in &packets[..26] {
        call.packet(*at, 0, Side::Trunk, packet);
    }
    let consent = packets[25].0 + ms(10);
    call.listen(permit(ONE), consent);
    call.packet(consent, 0, Side::Trunk, &late);
    for (at, packet) in &packets[26..] {
        call.packet(*at, 0, Side::Trunk, packet);
    }
    let came_since = 1 + packets[26..].len() as u64;
    assert_eq!(call.take_heard(), ms(20) * u32::try_from(came_since).unwrap());
}

/// Consent falls between the earliest and the latest possible arrival of packets: they are heard for keys only.
#[test]
fn a_packet_that_may_have_come_before_consent_is_not_heard() {
    let (mut call, mut phone) = (unheard(), Phone::new(TEN));
    let packets = second(&mut phone);
    let consent = packets[10].0 + ms(1);
    call.listen(permit(ONE), consent);
    for (number, (at, packet)) in packets.iter().enumerate() {
        // The relay thread was late until the 30th.
        let earliest = if number < 30 { packets[0].0 } else { *at };
        call.packet(sidetone_tap::Arrival { earliest, latest: *at }, 0, Side::Trunk, packet);
    }
    assert_eq!(call.take_heard(), ms(400));
}

#[test]
fn a_second_consent_opens_for_nothing_that_came_between() {
    let mut call = call(&[(0, plan(Ok(())))]);
    let mut phone = Phone::new(TEN);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    let between = second(&mut phone);
    call.deafen(false);
    call.listen(permit(ONE), phone.at);
    assert_eq!(customer(&mut call, 0, &between), Duration::ZERO);
    assert_eq!(customer(&mut call, 0, &second(&mut phone)), ms(1_000));
    call.finish(phone.at);
    assert_eq!(call.heard(), [(TEN, TEN + ms(980)), (TEN + ms(2_000), TEN + ms(2_980))]);
}

#[test]
fn a_stream_that_begins_anew_is_no_way_around_consent() {
    let mut call = unheard();
    let mut phone = Phone::new(TEN);
    let before = second(&mut phone);
    let mut again = Phone::new(phone.at);
    again.opus();
    let (early, late) = (second(&mut again), second(&mut again));
    call.listen(permit(ONE), again.at - ms(1_000));
    assert_eq!(customer(&mut call, 0, &[before, early].concat()), Duration::ZERO);
    assert_eq!(customer(&mut call, 0, &late), ms(1_000));
}

#[test]
fn an_agent_is_not_measured_before_the_customer_has_consented() {
    let mut call = unheard();
    let mut phone = Phone::new(TEN);
    let (before, since) =
        (phone.speak(&caller(ms(4_000), ms(9_000))), phone.speak(&caller(ms(15_000), ms(20_000))));
    call.listen(permit(ONE), since[0].0);
    for (at, packet) in before.iter().chain(&since) {
        call.packet(*at, 0, Side::Pbx, packet);
        call.advance(*at);
    }
    let (summary, _) = call.finish(phone.at).unwrap();
    let talked = summary.conduct.agent.talk;
    assert!(talked > ms(2_000) && talked <= ms(5_000), "{talked:?}");
}

#[test]
fn recorded_sound_is_heard_from_its_own_place_on() {
    let mut call = unheard();
    call.listen(permit(ONE), ms(500));
    for piece in caller(TEN, TEN + ms(2_000)).chunks(800) {
        call.pcm(Side::Trunk, piece);
    }
    assert_eq!(call.take_heard(), ms(1_500));
}

#[test]
fn the_answer_and_a_hold_divide_packets_by_their_own_times() {
    let mut call =
        CallAnalysis::new(Duration::ZERO, Thresholds::default(), &Model::embedded().unwrap(), true);
    call.plan(0, &plan(Ok(())));
    call.listen_to_recording(RecordingPermit::new(Stated::Material));
    let mut phone = Phone::new(TEN);
    let packets: Vec<_> = (0..5).flat_map(|_| second(&mut phone)).collect();
    // All of this is known before the first packet is decoded.
    call.answered(TEN + ms(1_000));
    call.held(Side::Pbx, TEN + ms(2_000));
    call.resumed(Side::Pbx, TEN + ms(4_000));
    assert_eq!(customer(&mut call, 0, &packets[..50]), Duration::ZERO, "before the answer");
    assert_eq!(customer(&mut call, 0, &packets[50..100]), ms(1_000));
    assert_eq!(customer(&mut call, 0, &packets[100..200]), Duration::ZERO, "on hold");
    assert_eq!(customer(&mut call, 0, &packets[200..]), ms(1_000));
}

/// Twelve seconds of a spoiled stream, and two of an intact one; returns the reports and their times.
fn told_of(spoil: impl Fn(&mut Vec<u8>)) -> Vec<(Duration, Audible)> {
    let (mut call, mut phone) = (unheard(), Phone::new(Duration::ZERO));
    let mut packets = phone.speak(&caller(ms(4_000), ms(16_000)));
    packets.iter_mut().for_each(|(_, packet)| spoil(packet));
    packets.extend(phone.speak(&caller(ms(16_000), ms(18_000))));
    let mut told = Vec::new();
    for (at, packet) in &packets {
        call.packet(*at, 0, Side::Trunk, packet);
        call.advance(*at);
        while let Some((stream, side, audible)) = call.poll_audible() {
            assert_eq!((stream, side), (0, Side::Trunk));
            told.push((*at, audible));
        }
    }
    told
}

/// A function that spoils a packet.
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn packets_that_yield_no_sound_are_told_with_their_reason_and_taken_back() {
    let number = |payload_type: u8| move |packet: &mut Vec<u8>| packet[1] = (packet[1] & 0x80) | payload_type;
    let cases: [(&str, Spoil<'_>, Untappable); 7] = [
        ("a number that nobody has listed", &number(77), Untappable::UnknownPayloadType),
        ("a header and nothing behind it", &|packet| packet.truncate(12), Untappable::Undecodable),
        ("an octet of sound", &|packet| packet.truncate(13), Untappable::Undecodable),
        ("five octets", &|packet| packet.truncate(17), Untappable::Undecodable),
        ("another version of RTP", &|packet| packet[0] = 0, Untappable::Undecodable),
        (
            "padding longer than the packet",
            &|packet| {
                packet[0] |= 0x20;
                *packet.last_mut().unwrap() = 255;
            },
            Untappable::Undecodable,
        ),
        ("SRTP under the name of RTP", &|packet| packet.extend([7; 10]), Untappable::Undecodable),
    ];
    for (name, spoil, reason) in cases {
        let told = told_of(spoil);
        let [(lost_at, lost), (restored_at, restored)] = told[..] else { panic!("{name}: {told:?}") };
        assert_eq!(
            (lost, restored),
            (Audible { restored: false, reason }, Audible { restored: true, reason }),
            "{name}"
        );
        assert!((ms(10_000)..ms(11_100)).contains(&lost_at), "{name}: {lost_at:?}");
        assert!((ms(12_400)..ms(14_000)).contains(&restored_at), "{name}: {restored_at:?}");
    }
    assert_eq!(told_of(|_| {}), []);
}

/// A codec without a decoder here, beside one that has one.
#[test]
fn a_listed_number_of_another_codec_is_told_as_such() {
    for encoding in ["G729", "X-ODD", "telephone-eventual"] {
        let mut both = plan(Ok(()));
        for end in [&mut both.trunk, &mut both.pbx] {
            let mut format = end.formats[0].clone();
            (format.payload_type, format.encoding) = (103, encoding.to_owned());
            end.formats.push(format);
        }
        let (mut call, mut phone) = (unheard(), Phone::new(Duration::ZERO));
        call.plan(0, &both);
        let mut told = Vec::new();
        for (at, mut packet) in phone.speak(&caller(ms(4_000), ms(16_000))) {
            packet[1] = 103;
            call.packet(at, 0, Side::Pbx, &packet);
            call.advance(at);
            told.extend(call.poll_audible());
        }
        let lost = Audible { restored: false, reason: Untappable::UnknownCodec };
        assert_eq!(told, [(0, Side::Pbx, lost)], "{encoding}");
    }
}

/// An Opus packet of one octet means 20 ms without sound (RFC 6716 §3.1): that is no fault.
#[test]
fn a_discontinuous_opus_stream_is_heard() {
    let (mut call, mut phone) = (unheard(), Phone::new(Duration::ZERO));
    phone.opus();
    for (at, mut packet) in phone.speak(&caller(ms(4_000), ms(24_000))) {
        packet.truncate(13);
        call.packet(at, 0, Side::Trunk, &packet);
        call.advance(at);
        assert_eq!(call.poll_audible(), None, "{at:?}");
    }
}

/// Keys and comfort noise do not count as missing sound.
#[test]
fn a_held_key_is_no_stream_that_can_not_be_heard() {
    let (mut call, mut phone) = (unheard(), Phone::new(Duration::ZERO));
    let packets: Vec<Datagram> = (0..75).flat_map(|_| phone.press()).collect();
    for (at, packet) in &packets {
        call.packet(*at, 0, Side::Trunk, packet);
        call.advance(*at);
        assert_eq!(call.poll_audible(), None, "{at:?}");
    }
}

/// Both m-lines of a call are open, the first is listened to, and the customer presses a key on the second.
#[test]
fn keys_are_heard_on_every_open_stream() {
    let mut call = unheard();
    call.plan(1, &plan(Ok(())));
    let (mut first, mut second) = (Phone::new(TEN), Phone::new(TEN));
    customer(&mut call, 0, &first.speak(&caller(TEN, TEN + ms(100))));
    customer(&mut call, 1, &second.press());
    assert_eq!(call.poll_key().map(|(digit, _)| digit), Some('5'));
    assert_eq!(call.poll_key(), None);
    for (at, packet) in second.press() {
        call.packet(at, 1, Side::Pbx, &packet);
    }
    assert_eq!(call.poll_key(), None, "what an agent presses is nobody's choice but the agent's");
}

/// The same packet in RFC 2198 format, with a copy of two bytes from one packet before.
fn red((at, packet): Datagram) -> Datagram {
    let (header, payload) = packet.split_at(12);
    let mut redundant = header.to_vec();
    redundant[1] = header[1] & 0x80 | 121;
    redundant.extend([0x80 | header[1] & 0x7f, 0x02, 0x80, 2, header[1] & 0x7f, 0xff, 0xff]);
    redundant.extend(payload);
    (at, redundant)
}

/// A plan in which one party lists RFC 2198 under 121.
fn redundant_plan() -> StreamPlan {
    let mut plan = plan(Ok(()));
    plan.trunk.formats.push(Format {
        payload_type: 121,
        encoding: "red".to_owned(),
        clock_rate: 8_000,
        channels: 1,
        fmtp: "0/101".to_owned(),
    });
    plan
}

/// Without time to listen and without tone detection, telephone-events are still heard.
#[test]
fn keys_are_heard_on_every_open_stream_without_time_to_listen() {
    let mut call =
        CallAnalysis::new(Duration::ZERO, Thresholds::default(), &Model::embedded().unwrap(), false);
    call.plan(0, &redundant_plan());
    call.plan(1, &plan(Ok(())));
    let (mut first, mut second) = (Phone::new(TEN), Phone::new(TEN));
    for (at, packet) in first.press().into_iter().map(red) {
        call.skim(at, 0, Side::Trunk, &packet);
    }
    assert_eq!(call.poll_key().map(|(digit, _)| digit), Some('5'), "in RFC 2198");
    for (at, packet) in second.press() {
        call.skim(at, 1, Side::Trunk, &packet);
    }
    assert_eq!(call.poll_key().map(|(digit, _)| digit), Some('5'), "on the second stream");
    for (at, packet) in second.press() {
        call.skim(at, 1, Side::Pbx, &packet);
    }
    assert_eq!(call.poll_key(), None, "the agent's");
}

/// RFC 2198, listed by one party only: keys and voice in it are heard.
#[test]
fn what_is_sent_redundantly_is_heard() {
    let (mut call, mut phone) = (call(&[(0, redundant_plan())]), Phone::new(TEN));
    let voice: Vec<Datagram> = second(&mut phone).into_iter().map(red).collect();
    assert_eq!(customer(&mut call, 0, &voice), ms(1_000));
    let key: Vec<Datagram> = phone.press().into_iter().map(red).collect();
    customer(&mut call, 0, &key);
    assert_eq!(call.poll_key().map(|(digit, _)| digit), Some('5'));
}

/// A sender whose sequence numbers stand still or run backwards is heard once, and then never: that is reported.
#[test]
fn a_sender_that_counts_wrongly_is_told_of() {
    for count in [|_: u16| 7, |n: u16| 60_000 - n] {
        let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
        let mut packets = phone.speak(&caller(TEN, TEN + ms(14_000)));
        for (n, (_, packet)) in packets.iter_mut().enumerate() {
            packet[2..4].copy_from_slice(&count(u16::try_from(n).unwrap()).to_be_bytes());
        }
        customer(&mut call, 0, &packets);
        let (_, _, audible) = call.poll_audible().expect("told");
        assert_eq!(audible, Audible { restored: false, reason: Untappable::Undecodable });
    }
}

/// Comfort noise is sent under its static number, whether or not a description lists it.
#[test]
fn comfort_noise_that_nobody_has_listed_is_no_fault() {
    let (mut call, mut phone) = (call(&[(0, plan(Ok(())))]), Phone::new(TEN));
    let mut packets = phone.speak(&caller(TEN, TEN + ms(14_000)));
    packets.iter_mut().for_each(|(_, packet)| packet[1] = 13);
    customer(&mut call, 0, &packets);
    assert_eq!(call.poll_audible(), None);
}

#[test]
fn an_agent_whom_the_customers_telephone_gives_back_is_not_the_customer() {
    // What the agent says comes back 100 ms later, 20 dB down: the same packets on the customer's side.
    let said = caller(ms(4_000), ms(10_600));
    let back: Vec<i16> = std::iter::repeat_n(0, 800).chain(said.iter().map(|x| x / 10)).collect();
    let estimates = |agent_speaks: bool| {
        let mut call = call(&[(0, plan(Ok(())))]);
        let (mut agent, mut customer) = (Phone::new(TEN), Phone::new(TEN));
        let said = if agent_speaks { said.clone() } else { vec![0; said.len()] };
        let mut count = 0;
        for (from_agent, (at, from_customer)) in agent.speak(&said).into_iter().zip(customer.speak(&back)) {
            call.packet(from_agent.0, 0, Side::Pbx, &from_agent.1);
            call.packet(at, 0, Side::Trunk, &from_customer);
            call.advance(at);
            count += CallAnalysis::estimate(std::iter::once(&mut call)).0;
        }
        count
    };
    assert!(estimates(false) > 3, "the same sound while the agent is silent is the customer's");
    assert_eq!(estimates(true), 0);
}
