//! Every codec goes both ways, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_softphone::{CallOptions, Codec, PacketDigest};

use common::{compare, connect, half_second, phone, within};

/// Decodes what came and counts the periods of a tone of half a second.
fn assert_sounds_like(codec: Codec, hertz: f64, packets: &[PacketDigest]) {
    let channels = if codec == Codec::Opus { 2 } else { 1 };
    let format =
        sidetone_codec::Codec::from_rtpmap(codec.encoding(), codec.clock_rate(), channels, "").unwrap();
    let mut decoder = sidetone_codec::Decoder::new(&format).unwrap();
    let mut pcm = Vec::new();
    for packet in packets {
        decoder.decode(&packet.payload, &mut pcm).unwrap();
    }
    let frames: Vec<i16> = pcm.iter().copied().step_by(usize::from(decoder.channels())).collect();
    let seconds = frames.len() as f64 / f64::from(decoder.native_rate());
    // A dead zone, so that a codec's noise makes no crossings of its own.
    let mut above = false;
    let periods = frames.iter().filter(|&&s| {
        let rose = !above && s > 500;
        above = if above { s > -500 } else { rose };
        rose
    });
    let expected = hertz * 0.5;
    let counted = periods.count() as f64;
    assert!((counted - expected).abs() <= 4.0, "{codec}: {counted} periods in {seconds} s, not {expected}");
}

async fn talk(codec: Codec, ptime_ms: u32) -> (Vec<usize>, Vec<u32>) {
    let (caller, callee) = (phone("caller").await, phone("callee").await);
    let options = |hertz| CallOptions { codecs: vec![codec], ptime_ms, ..half_second(hertz) };
    let (call, answered) = connect(&caller, &callee, options(300.0), options(500.0)).await;
    let (there, back) = compare(&call, &answered).await;
    let expected = 500_usize.div_ceil(ptime_ms as usize);
    assert!(there.is_identical() && there.identical == expected, "{codec}: {there}");
    assert!(back.is_identical() && back.identical == expected, "{codec}: {back}");
    assert_eq!(call.media().unwrap().codec, codec);
    call.hangup().await.unwrap();
    let received = answered.report().received;
    assert_sounds_like(codec, 300.0, &received);
    let sizes = received.iter().map(|p| p.payload.len()).collect();
    let steps = received.windows(2).map(|w| w[1].timestamp.wrapping_sub(w[0].timestamp)).collect();
    assert!(received[0].marker && received[1..].iter().all(|p| !p.marker));
    (sizes, steps)
}

#[tokio::test]
async fn g711() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let (sizes, steps) = within(talk(codec, 20)).await;
        assert!(sizes.iter().all(|&s| s == 160) && steps.iter().all(|&s| s == 160));
    }
}

#[tokio::test]
async fn g722_counts_8000_ticks_a_second() {
    let (sizes, steps) = within(talk(Codec::G722, 20)).await;
    assert!(sizes.iter().all(|&s| s == 160) && steps.iter().all(|&s| s == 160));
}

#[tokio::test]
async fn l16() {
    let (sizes, steps) = within(talk(Codec::L16 { rate: 16_000 }, 20)).await;
    assert!(sizes.iter().all(|&s| s == 640) && steps.iter().all(|&s| s == 320));
}

#[tokio::test]
async fn opus() {
    let (sizes, steps) = within(talk(Codec::Opus, 20)).await;
    assert!(sizes.iter().all(|&s| (3..400).contains(&s)) && steps.iter().all(|&s| s == 960));
}

#[tokio::test]
async fn packets_of_10_to_60_ms() {
    for ptime in [10, 30, 40, 60] {
        let (sizes, steps) = within(talk(Codec::Pcmu, ptime)).await;
        assert!(sizes.iter().all(|&s| s == 8 * ptime as usize) && steps.iter().all(|&s| s == 8 * ptime));
    }
}

#[tokio::test]
async fn packets_larger_than_an_ethernet_frame() {
    let (sizes, _) = within(talk(Codec::L16 { rate: 48_000 }, 60)).await;
    assert!(sizes.iter().all(|&s| s == 5_760));
}
