//! A listener that is played announcements hears one stream.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;
use sidetone_rtp::splice::{Content, Splice, Stamp, Verdict};
use sidetone_rtp::{RtpHeader, RtpView};

const CLOCK: u32 = 8_000;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Vec<u8> {
    let mut packet = Vec::new();
    RtpHeader { ssrc, sequence, timestamp, ..RtpHeader::default() }.write(&mut packet).unwrap();
    packet.extend([0xff; 160]);
    packet
}

fn forward(splice: &mut Splice, at: u64, packet: &[u8], content: Content) -> Option<Stamp> {
    let view = RtpView::parse(packet).unwrap();
    match splice.forward(ms(at), &view, CLOCK, content) {
        Verdict::Held => None,
        Verdict::As(stamp) => Some(stamp),
        Verdict::AsItIs => Some(Stamp {
            ssrc: view.ssrc(),
            sequence: view.sequence(),
            timestamp: view.timestamp(),
            marker: view.marker(),
        }),
    }
}

fn sound(splice: &mut Splice, at: u64, ssrc: u32, n: u16) -> Option<Stamp> {
    let timestamp = u32::from(n).wrapping_mul(160).wrapping_add(ssrc);
    forward(splice, at, &packet(ssrc, n, timestamp), Content::Sound)
}

fn assert_follows(before: Stamp, after: Stamp) {
    assert_eq!(after.ssrc, before.ssrc);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(160));
    assert!(!after.marker);
}

#[test]
fn before_an_announcement_everything_passes_as_it_came() {
    let mut splice = Splice::new(1);
    for n in [5, 6, 9, 7, 8, 10] {
        let bytes = packet(7, n, 1);
        let view = RtpView::parse(&bytes).unwrap();
        assert_eq!(splice.forward(ms(u64::from(n)), &view, CLOCK, Content::Sound), Verdict::AsItIs);
    }
    assert!(!splice.alters());
}

#[test]
fn an_announcement_stands_between_two_packets_without_a_seam() {
    let mut splice = Splice::new(1);
    let mut last = sound(&mut splice, 0, 7, 65_530).unwrap();
    last = {
        let next = sound(&mut splice, 20, 7, 65_531).unwrap();
        assert_follows(last, next);
        next
    };
    assert_eq!(splice.due(), Some(ms(40)));
    splice.begin();
    for n in 0..400_u64 {
        let stamp = splice.insert(ms(40 + 20 * n), 160, CLOCK, 160);
        assert_follows(last, stamp);
        last = stamp;
        let held = sound(&mut splice, 47 + 20 * n, 7, 65_532_u16.wrapping_add(n as u16));
        assert_eq!(held, None, "the source is held back");
    }
    splice.end();
    for n in 400..500_u64 {
        let stamp = sound(&mut splice, 47 + 20 * n, 7, 65_532_u16.wrapping_add(n as u16)).unwrap();
        assert_follows(last, stamp);
        last = stamp;
    }
}

#[test]
fn a_source_that_never_sent_before_takes_up_our_stream() {
    let mut splice = Splice::new(42);
    splice.begin();
    let mut last = splice.insert(ms(0), 160, CLOCK, 160);
    assert!(last.marker, "a stream begins with a talkspurt");
    for n in 1..10 {
        let stamp = splice.insert(ms(20 * n), 160, CLOCK, 160);
        assert_follows(last, stamp);
        last = stamp;
    }
    splice.end();
    for n in 0..10 {
        let stamp = sound(&mut splice, 205 + 20 * u64::from(n), 99, 30_000 + n).unwrap();
        assert_follows(last, stamp);
        last = stamp;
    }
    assert_ne!(last.ssrc, Splice::new(43).insert(ms(0), 160, CLOCK, 160).ssrc);
}

#[test]
fn another_agent_in_mid_announcement_is_the_same_stream_to_the_listener() {
    let mut splice = Splice::new(1);
    sound(&mut splice, 0, 7, 1);
    splice.begin();
    let mut last = splice.insert(ms(20), 160, CLOCK, 160);
    assert_eq!(sound(&mut splice, 25, 7, 2), None);
    assert_eq!(sound(&mut splice, 45, 8, 9_000), None);
    splice.end();
    for n in 1..5 {
        let stamp = sound(&mut splice, 25 + 20 * u64::from(n), 8, 9_000 + n).unwrap();
        assert_follows(last, stamp);
        last = stamp;
    }
    // Later it is the source's own affair.
    let own = sound(&mut splice, 500, 12, 77).unwrap();
    assert_eq!((own.ssrc, own.sequence), (12, 77));
    assert!(!splice.alters());
}

#[test]
fn what_was_sent_before_the_join_comes_too_late() {
    let mut splice = Splice::new(1);
    sound(&mut splice, 0, 7, 1);
    splice.begin();
    splice.insert(ms(20), 160, CLOCK, 160);
    splice.end();
    let joined = sound(&mut splice, 40, 7, 5).unwrap();
    assert_eq!(joined.sequence, 3);
    assert_eq!(sound(&mut splice, 41, 7, 4), None);
    // Numbers wrap, and what is far from the join is not late.
    for n in 6..66_000_u32 {
        let stamp = sound(&mut splice, 40 + u64::from(n) * 20, 7, n as u16).unwrap();
        assert_eq!(stamp.sequence, (n as u16).wrapping_sub(2));
    }
}

#[test]
fn a_pause_keeps_its_length_and_begins_a_talkspurt() {
    let mut splice = Splice::new(1);
    let before = sound(&mut splice, 0, 7, 1).unwrap();
    splice.begin();
    let stamp = splice.insert(ms(3_000), 160, CLOCK, 160);
    assert_eq!(stamp.timestamp.wrapping_sub(before.timestamp), 24_000);
    assert!(stamp.marker);
    splice.end();
    let after = sound(&mut splice, 9_000, 7, 2).unwrap();
    assert_eq!(after.timestamp.wrapping_sub(stamp.timestamp), 48_000);
    assert!(after.marker);
}

#[test]
fn digits_pass_while_sound_is_held_back() {
    let mut splice = Splice::new(1);
    sound(&mut splice, 0, 7, 1);
    splice.begin();
    let sound_of_ours = splice.insert(ms(20), 160, CLOCK, 160);
    let mut sequence = sound_of_ours.sequence;
    for (n, at) in [(2, 21), (3, 23), (4, 25)] {
        let event = forward(&mut splice, at, &packet(7, n, 4_444), Content::Event).unwrap();
        sequence = sequence.wrapping_add(1);
        assert_eq!((event.sequence, event.timestamp), (sequence, sound_of_ours.timestamp));
    }
    let next = splice.insert(ms(40), 160, CLOCK, 160);
    assert_eq!(next.sequence, sequence.wrapping_add(1));
    assert_eq!(next.timestamp, sound_of_ours.timestamp.wrapping_add(160));
    splice.end();
    // The event outlasts the announcement and keeps its timestamp.
    let event = forward(&mut splice, 45, &packet(7, 5, 4_444), Content::Event).unwrap();
    assert_eq!((event.sequence, event.timestamp), (next.sequence.wrapping_add(1), sound_of_ours.timestamp));
    let sound = sound(&mut splice, 60, 7, 6).unwrap();
    assert_eq!(sound.sequence, event.sequence.wrapping_add(1));
    assert_eq!(sound.timestamp, next.timestamp.wrapping_add(160));
}

#[test]
fn a_key_that_is_held_while_an_announcement_begins_keeps_its_timestamp() {
    let mut splice = Splice::new(1);
    sound(&mut splice, 0, 7, 1);
    let pressed =
        |splice: &mut Splice, at, n| forward(splice, at, &packet(7, n, 4_444), Content::Event).unwrap();
    let first = pressed(&mut splice, 20, 2);
    assert_eq!((first.sequence, first.timestamp), (2, 4_444));
    splice.begin();
    let ours = splice.insert(ms(30), 160, CLOCK, 160);
    assert_eq!(ours.sequence, 3);
    for (at, n) in [(40, 3), (60, 4)] {
        assert_eq!(pressed(&mut splice, at, n).timestamp, 4_444);
    }
    splice.end();
    assert_eq!(pressed(&mut splice, 80, 5).timestamp, 4_444);
    sound(&mut splice, 100, 7, 6).unwrap();
    assert_eq!(pressed(&mut splice, 110, 7).timestamp, 4_444);
}

#[test]
fn events_under_an_ssrc_of_their_own_pass_untouched_and_disturb_nothing() {
    let mut splice = Splice::new(1);
    let mut last = sound(&mut splice, 0, 7, 1).unwrap();
    let as_it_is = |splice: &mut Splice, at, n| {
        let event = forward(splice, at, &packet(9, n, 4_444), Content::Event).unwrap();
        assert_eq!((event.ssrc, event.sequence, event.timestamp), (9, n, 4_444));
    };
    as_it_is(&mut splice, 1, 500);
    splice.begin();
    for n in 1..5 {
        let ours = splice.insert(ms(20 * u64::from(n)), 160, CLOCK, 160);
        assert_follows(last, ours);
        last = ours;
        as_it_is(&mut splice, 20 * u64::from(n) + 1, 500 + n);
    }
    splice.end();
    as_it_is(&mut splice, 95, 505);
    for n in 2..6 {
        let joined = sound(&mut splice, 80 + 20 * (u64::from(n) - 1), 7, n).unwrap();
        assert_follows(last, joined);
        last = joined;
        as_it_is(&mut splice, 85 + 20 * (u64::from(n) - 1), 505 + n);
    }
}

/// A sender report about `ssrc`, with a report block about `about` and a CNAME.
fn report(ssrc: u32, timestamp: u32, about: u32, highest: u32) -> Vec<u8> {
    let mut out = vec![0x81, 200, 0, 12];
    let words = [ssrc, 1, 2, timestamp, 1_000, 160_000, about, 0, highest, 3, 4, 5];
    out.extend(words.iter().flat_map(|word: &u32| word.to_be_bytes()));
    out.extend([0x81, 202, 0, 3]);
    out.extend(ssrc.to_be_bytes());
    out.extend([1, 4, b'a', b'@', b'b', b'c', 0, 0]);
    out
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn sender_reports_agree_with_what_was_sent() {
    let mut splice = Splice::new(1);
    let untouched = report(99, 5, 6, 7);
    let mut copy = untouched.clone();
    assert!(splice.from_source(ms(0), &mut copy));
    assert_eq!(copy, untouched);

    splice.begin();
    let mut last = splice.insert(ms(0), 160, CLOCK, 160);
    for n in 1..5 {
        last = splice.insert(ms(20 * n), 160, CLOCK, 160);
    }
    // While ours plays: the report speaks of our stream at this moment.
    let mut during = report(99, 5, 6, 7);
    assert!(splice.from_source(ms(90), &mut during));
    assert_eq!(word(&during, 4), last.ssrc);
    assert_eq!(word(&during, 16), last.timestamp.wrapping_add(80));
    assert_eq!((word(&during, 20), word(&during, 24)), (5, 800));
    assert_eq!(word(&during, 28), 6, "its report blocks speak of another stream");
    assert_eq!(word(&during, 56), last.ssrc, "and its name goes with it");

    splice.end();
    let joined = sound(&mut splice, 100, 99, 30_000).unwrap();
    let source_timestamp = 30_000_u32 * 160 + 99;
    let mut after = report(99, source_timestamp + 80, 6, 7);
    assert!(splice.from_source(ms(110), &mut after));
    assert_eq!((word(&after, 4), word(&after, 16)), (last.ssrc, joined.timestamp.wrapping_add(80)));
    assert_eq!((word(&after, 20), word(&after, 24)), (6, 960));

    // What the listener says of it is told to the source in the source's own terms.
    let mut back = report(1, 2, last.ssrc, u32::from(joined.sequence));
    splice.from_listener(&mut back);
    assert_eq!((word(&back, 28), word(&back, 36) & 0xffff), (99, 30_000));
}

#[test]
fn a_goodbye_does_not_end_a_stream_that_goes_on() {
    let mut splice = Splice::new(1);
    sound(&mut splice, 0, 7, 1);
    let goodbye = [0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7];
    assert!(splice.from_source(ms(1), &mut goodbye.clone()));
    splice.begin();
    splice.insert(ms(20), 160, CLOCK, 160);
    assert!(!splice.from_source(ms(21), &mut goodbye.clone()));
    splice.end();
    assert!(!splice.from_source(ms(22), &mut goodbye.clone()));
    sound(&mut splice, 40, 7, 3);
    assert!(splice.from_source(ms(41), &mut goodbye.clone()));
}

#[derive(Debug, Clone)]
enum Step {
    Sound { ssrc: u32, skip: u16 },
    Event,
    Begin,
    Insert,
    End,
    Report(Vec<u8>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_u32, 1..3_u16).prop_map(|(ssrc, skip)| Step::Sound { ssrc, skip }),
        2 => Just(Step::Event),
        2 => Just(Step::Begin),
        6 => Just(Step::Insert),
        2 => Just(Step::End),
        1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Step::Report),
    ]
}

proptest! {
    /// Whatever happens, what is inserted follows the newest packet, and hostile RTCP does no harm.
    #[test]
    fn sound_of_ours_always_follows(steps in proptest::collection::vec(any_step(), 1..200)) {
        let mut splice = Splice::new(9);
        let mut sequences = [100_u16, 60_000];
        let mut newest: Option<Stamp> = None;
        let mut sounding = None;
        let mut at = 0;
        for step in steps {
            at += 20;
            let sent = match step {
                Step::Sound { ssrc, skip } => {
                    let sequence = &mut sequences[ssrc as usize];
                    *sequence = sequence.wrapping_add(skip);
                    sounding = Some(ssrc);
                    sound(&mut splice, at, ssrc, *sequence)
                }
                Step::Event => {
                    sequences[0] = sequences[0].wrapping_add(1);
                    let event = forward(&mut splice, at, &packet(0, sequences[0], 5), Content::Event);
                    if sounding.is_some_and(|ssrc| ssrc != 0) {
                        // Of a stream of its own, beside this one.
                        prop_assert_eq!(event.map(|event| (event.ssrc, event.sequence)), Some((0, sequences[0])));
                        continue;
                    }
                    event
                }
                Step::Begin => { splice.begin(); None }
                Step::End => { splice.end(); None }
                Step::Insert => {
                    splice.begin();
                    let stamp = splice.insert(ms(at), 160, CLOCK, 160);
                    if let Some(before) = newest {
                        prop_assert_eq!((stamp.ssrc, stamp.sequence), (before.ssrc, before.sequence.wrapping_add(1)));
                        prop_assert!(stamp.timestamp.wrapping_sub(before.timestamp).cast_signed() >= 0);
                    }
                    Some(stamp)
                }
                Step::Report(mut bytes) => {
                    splice.from_source(ms(at), &mut bytes);
                    splice.from_listener(&mut bytes);
                    None
                }
            };
            newest = match (newest, sent) {
                (Some(before), Some(sent)) if before.ssrc == sent.ssrc
                    && sent.sequence.wrapping_sub(before.sequence).cast_signed() <= 0 => Some(before),
                (before, sent) => sent.or(before),
            };
        }
    }
}
