use std::time::Duration;

use super::Ear;
use super::testing::{Datagram, Phone, caller, end, ms};

type Speech = Vec<(Duration, Duration)>;

/// Takes packets as a worker does, and returns the times of speech.
fn hear(packets: &[Datagram], until: Duration) -> Speech {
    let mut ear = Ear::deaf(None);
    ear.attend(Duration::ZERO);
    ear.expect(&end(), &end());
    ear.answered(Duration::ZERO);
    let mut speech = Vec::new();
    let mut packets = packets.iter().peekable();
    let mut now = Duration::ZERO;
    while now < until {
        now += ms(10);
        while let Some((at, packet)) = packets.next_if(|(at, _)| *at <= now) {
            ear.packet(*at, packet);
        }
        ear.advance(now);
        speech.extend(std::iter::from_fn(|| ear.poll_speech()));
    }
    ear.finish(now);
    speech.extend(std::iter::from_fn(|| ear.poll_speech()));
    speech
}

/// Speech between two moments.
fn spoken(speech: &Speech, from: Duration, to: Duration) -> Duration {
    speech.iter().map(|(begin, end)| (*end).min(to).saturating_sub((*begin).max(from))).sum()
}

/// The first beginning and the last end of speech between two moments.
fn bounds(speech: &Speech, from: Duration, to: Duration) -> (Duration, Duration) {
    let inside = || speech.iter().filter(|(begin, end)| *begin >= from && *end <= to);
    (inside().next().unwrap().0, inside().next_back().unwrap().1)
}

fn assert_near(one: (Duration, Duration), other: (Duration, Duration), most: Duration) {
    assert!(one.0.abs_diff(other.0) <= most && one.1.abs_diff(other.1) <= most, "{one:?}, {other:?}");
}

const BEGIN: Duration = ms(700);
const END: Duration = ms(31_000);

fn undisturbed() -> Vec<Datagram> {
    Phone::new(BEGIN).speak(&caller(BEGIN, END))
}

#[test]
fn an_outage_shifts_nothing_behind_it() {
    let whole = hear(&undisturbed(), END);
    let mut packets = undisturbed();
    packets.retain(|(at, _)| *at < ms(10_800) || *at > ms(15_000));
    let holed = hear(&packets, END);
    for (from, to) in [(3_000, 10_700), (15_000, 21_000), (24_000, 31_000)] {
        assert_near(bounds(&holed, ms(from), ms(to)), bounds(&whole, ms(from), ms(to)), ms(50));
    }
}

#[test]
fn two_outages_of_five_seconds_add_up_to_nothing() {
    let whole = hear(&undisturbed(), END);
    let mut packets = undisturbed();
    packets.retain(|(at, _)| {
        let lost = |from, to| (ms(from)..ms(to)).contains(at);
        !lost(5_000, 10_000) && !lost(17_000, 22_000)
    });
    let holed = hear(&packets, END);
    assert_near(bounds(&holed, ms(24_000), END), bounds(&whole, ms(24_000), END), ms(50));
}

#[test]
fn what_was_held_up_is_heard_where_it_was_said() {
    let whole = hear(&undisturbed(), END);
    let mut packets = undisturbed();
    for (at, _) in &mut packets {
        // The packets of speech as well as of silence come in one burst.
        if (ms(16_500)..ms(19_000)).contains(at) {
            *at = ms(19_000);
        }
        if (ms(8_000)..ms(9_000)).contains(at) {
            *at = ms(9_000);
        }
    }
    let late = hear(&packets, END);
    assert_near(bounds(&late, ms(24_000), END), bounds(&whole, ms(24_000), END), ms(50));
    let (said, heard) = (spoken(&whole, ms(16_000), ms(21_000)), spoken(&late, ms(16_000), ms(21_000)));
    assert!(said.abs_diff(heard) < ms(600), "{said:?}, {heard:?}");
    assert_eq!(spoken(&late, ms(21_000), ms(24_000)), Duration::ZERO, "nothing is said there");
}

#[test]
fn a_pause_after_a_delay_is_still_a_pause() {
    let mut phone = Phone::new(BEGIN);
    let mut packets = phone.speak(&caller(BEGIN, ms(11_000)));
    for (at, _) in &mut packets {
        if (ms(7_000)..ms(9_000)).contains(at) {
            *at = ms(9_000);
        }
    }
    phone.pause(ms(4_000));
    packets.extend(phone.speak(&caller(ms(15_000), ms(21_000))));
    let (heard, whole) = (hear(&packets, ms(21_000)), hear(&undisturbed(), END));
    // The end of speech depends a little on the detector's earlier input.
    assert_near(bounds(&heard, ms(15_000), ms(21_000)), bounds(&whole, ms(15_000), ms(21_000)), ms(100));
}

#[test]
fn a_clock_that_stands_still_on_pauses_keeps_up() {
    // The timestamps know nothing of the pauses; arrivals do.
    let mut phone = Phone::new(BEGIN);
    let mut packets = phone.speak(&caller(BEGIN, ms(3_000)));
    for (from, to) in [(4_000, 10_800), (15_000, 20_500), (24_400, 31_000)] {
        phone.at = ms(from);
        packets.extend(phone.speak(&caller(ms(from), ms(to))));
    }
    let (heard, whole) = (hear(&packets, END), hear(&undisturbed(), END));
    assert_near(bounds(&heard, ms(24_000), END), bounds(&whole, ms(24_000), END), ms(600));
}

/// Half a per cent, fifty times what telephones' crystals are off by.
#[test]
fn a_sender_whose_clock_is_fast_or_slow_is_heard_whole_and_in_time() {
    let whole = hear(&undisturbed(), END);
    for per_mille in [995, 1_005] {
        let off = |at: Duration| at * per_mille / 1_000;
        let packets: Vec<_> =
            undisturbed().into_iter().map(|(at, packet)| (BEGIN + off(at - BEGIN), packet)).collect();
        let skewed = hear(&packets, END + ms(500));
        let said = spoken(&whole, BEGIN, END);
        let heard = spoken(&skewed, BEGIN, END + ms(500));
        assert!(said.abs_diff(heard) < said / 50, "{per_mille}: {said:?}, {heard:?}");
        let (begin, end) = bounds(&whole, ms(24_000), END);
        let heard = bounds(&skewed, ms(23_500), END + ms(500));
        assert_near(heard, (off(begin), off(end)), ms(200));
    }
}

#[test]
fn a_codec_of_another_clock_keeps_the_time() {
    let mut phone = Phone::new(BEGIN);
    let mut packets = phone.speak(&caller(BEGIN, ms(11_000)));
    phone.opus();
    packets.extend(phone.speak(&caller(ms(11_000), END)));
    // Sound lost just before the change is measured in the old clock's ticks.
    packets.retain(|(at, _)| !(ms(10_700)..ms(11_000)).contains(at));
    let (heard, whole) = (hear(&packets, END), hear(&undisturbed(), END));
    for (from, to) in [(15_000, 21_000), (24_000, 31_000)] {
        // The end of speech depends on the codec, its beginning on the timeline.
        let (heard, whole) = (bounds(&heard, ms(from), ms(to)).0, bounds(&whole, ms(from), ms(to)).0);
        assert!(heard.abs_diff(whole) <= ms(50), "{heard:?}, {whole:?}");
    }
}

#[test]
fn loss_in_opus_is_made_up_and_takes_its_time() {
    let mut phone = Phone::new(BEGIN);
    phone.opus();
    let packets = phone.speak(&caller(BEGIN, END));
    let whole = hear(&packets, END);
    let holed: Vec<_> =
        packets.iter().enumerate().filter(|(n, _)| n % 10 != 7).map(|(_, packet)| packet.clone()).collect();
    let holed = hear(&holed, END);
    let (said, heard) = (spoken(&whole, BEGIN, END), spoken(&holed, BEGIN, END));
    assert!(said.abs_diff(heard) < said / 10, "{said:?}, {heard:?}");
    assert_near(bounds(&holed, ms(24_000), END), bounds(&whole, ms(24_000), END), ms(120));
}
