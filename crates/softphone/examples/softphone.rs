//! `softphone call URI [WAV]` or `softphone answer ADDRESS [WAV]`: one call by hand, and what came of it.
#![allow(clippy::print_stdout)]

use sidetone_softphone::{Audio, Call, CallOptions, Clip, Codec, Phone, PhoneConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(what), Some(place)) = (arguments.next(), arguments.next()) else {
        return Err("softphone call URI [WAV], or softphone answer ADDRESS [WAV]".into());
    };
    let audio = match arguments.next() {
        Some(path) => Audio::once(Clip::open(path)?),
        None => Audio::once(Clip::tone(8_000, 440.0, 3.0)),
    };
    let codecs = match std::env::var("CODEC") {
        Ok(name) => vec![name.parse()?],
        Err(_) => vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu],
    };
    let options = CallOptions { audio, codecs, ..CallOptions::default() };
    let call = match what.as_str() {
        "call" => Phone::bind(PhoneConfig::default()).await?.call(&place, options).await?,
        "answer" => {
            let phone = Phone::bind(PhoneConfig { bind: place.parse()?, ..PhoneConfig::default() }).await?;
            println!("listening as {}", phone.uri());
            phone.accept(options).await?
        }
        other => return Err(format!("no such command: {other}").into()),
    };
    tokio::select! {
        () = call.played() => {}
        by = call.ended() => println!("ended by {by:?}"),
    }
    call.hangup().await?;
    tell(&call);
    Ok(())
}

fn tell(call: &Call) {
    let report = call.report();
    if let Some(media) = call.media() {
        println!("{} as payload type {} to {}", media.codec, media.payload_type, media.remote);
    }
    println!("{} packets sent, {} received", report.sent.len(), report.received.len());
    println!("RTCP: {} sent, {} received", report.rtcp_sent.len(), report.rtcp_received.len());
    if !report.digits.is_empty() {
        println!("keys: {}", report.digits);
    }
    let mut gaps: Vec<_> =
        report.sent.windows(2).filter_map(|w| Some(w.get(1)?.at - w.first()?.at)).collect();
    gaps.sort_unstable();
    if let (Some(least), Some(median), Some(most)) = (gaps.first(), gaps.get(gaps.len() / 2), gaps.last()) {
        println!("between packets: {least:.1?} to {most:.1?}, median {median:.1?}");
    }
}
