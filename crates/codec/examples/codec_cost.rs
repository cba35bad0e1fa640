//! What each codec costs for 20 ms of one direction:
//! `cargo run --release -p sidetone-codec --example codec_cost`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use sidetone_codec::{AnalysisBand, Codec, Decoder, Encoder, OpusFormat, OpusSettings, Resampler};

/// The fastest of several runs, in nanoseconds a call: what it costs when nothing else is running.
fn measure(calls: u32, mut call: impl FnMut(usize)) -> f64 {
    (0..80)
        .map(|_| {
            let begun = Instant::now();
            (0..calls as usize).for_each(&mut call);
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
        })
        .fold(f64::MAX, f64::min)
}

/// One second of something voiced.
fn voice(rate: u32, channels: u8) -> Vec<i16> {
    (0..rate)
        .flat_map(|n| {
            let t = f64::from(n) / f64::from(rate);
            let pitch = 110.0 + 40.0 * (t * 5.0).sin();
            let sum: f64 = (1..30)
                .map(|k| 4000.0 / f64::from(k) * (std::f64::consts::TAU * pitch * f64::from(k) * t).sin())
                .sum();
            std::iter::repeat_n(sum.clamp(-32_000.0, 32_000.0) as i16, usize::from(channels))
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:<22} {:>10} {:>10} {:>14} {:>10}",
        "ns per 20 ms", "encode", "decode", "+ to 8 kHz", "conceal"
    );
    let opus = Codec::Opus(OpusFormat::default());
    let stereo = Codec::Opus(OpusFormat { stereo: true, ..OpusFormat::default() });
    for (name, codec, calls) in [
        ("PCMU", Codec::Pcmu, 2_000),
        ("PCMA", Codec::Pcma, 2_000),
        ("G722", Codec::G722, 50),
        ("L16/16000", Codec::L16 { rate: 16_000, channels: 1 }, 300),
        ("L16/44100/2", Codec::L16 { rate: 44_100, channels: 2 }, 50),
        ("opus 24 kbit/s", opus, 10),
        ("opus stereo 48 kbit/s", stereo, 10),
    ] {
        let settings = OpusSettings {
            bitrate: Some(if codec == stereo { 48_000 } else { 24_000 }),
            ..OpusSettings::default()
        };
        let mut encoder = Encoder::with(&codec, codec.native_rate(), &settings)?;
        let frame = codec.native_rate() as usize / 50 * usize::from(encoder.channels());
        let pcm = voice(codec.native_rate(), encoder.channels());
        let frames: Vec<_> = pcm.chunks_exact(frame).collect();
        let mut packets = vec![Vec::new(); frames.len()];
        for (frame, packet) in frames.iter().zip(&mut packets) {
            encoder.encode(frame, packet)?;
        }

        let mut payload = Vec::new();
        let encode = measure(calls, |n| {
            payload.clear();
            black_box(frames.get(n % 50).and_then(|frame| encoder.encode(frame, &mut payload).ok()));
        });
        let mut decoder = Decoder::for_analysis(&codec)?;
        let mut band = AnalysisBand::new(decoder.native_rate(), decoder.channels())?;
        let (mut out, mut analysed) = (Vec::new(), Vec::new());
        let decode = measure(calls, |n| {
            out.clear();
            black_box(packets.get(n % 50).and_then(|packet| decoder.decode(packet, &mut out).ok()));
        });
        let both = measure(calls, |n| {
            out.clear();
            analysed.clear();
            black_box(packets.get(n % 50).and_then(|packet| decoder.decode(packet, &mut out).ok()));
            black_box(band.push(&out, &mut analysed));
        });
        let lost = decoder.native_rate() as usize / 50;
        let conceal = measure(calls / 2, |n| {
            out.clear();
            packets.get(n % 50).and_then(|packet| decoder.decode(packet, &mut out).ok());
            decoder.conceal(lost, &mut out);
        }) - decode;
        println!("{name:<22} {encode:>10.0} {decode:>10.0} {both:>14.0} {conceal:>10.0}");
    }

    println!("\n{:<22} {:>10} {:>14}", "resampling", "ns / 20 ms", "make one, ns");
    for (from, to) in
        [(16_000, 8_000), (48_000, 8_000), (44_100, 8_000), (8_000, 16_000), (24_000, 8_000), (8_000, 48_000)]
    {
        let pcm = voice(from, 1);
        let mut resampler = Resampler::new(from, to)?;
        let mut out = Vec::new();
        let run = measure(50, |n| {
            out.clear();
            let block = from as usize / 50;
            black_box(pcm.chunks_exact(block).nth(n % 50).map(|pcm| resampler.push(pcm, &mut out)));
        });
        let make = measure(2, |_| {
            black_box(Resampler::new(from, to).ok());
        });
        println!("{:<22} {run:>10.0} {make:>14.0}", format!("{from} to {to}"));
    }
    Ok(())
}
