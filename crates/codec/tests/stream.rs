//! A whole stream as a listener hears it: packets through the reorder buffer, decoders and analysis
//! band, on a timeline that stays exact through loss, silence, comfort noise, events and a change of
//! codec.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use sidetone_codec::{AnalysisBand, Codec, Decoder, Encoder, OpusFormat, OpusSettings};
use sidetone_rtp::reorder::{Cause, Settings, Timing};
use sidetone_rtp::{Played, Reorder, RtpHeader, RtpView};

use common::{rms, snr, voice};

/// Decodes one direction to 8 kHz, as an analysis worker does.
struct Listener {
    codecs: Vec<(u8, Codec)>,
    reorder: Reorder,
    audio: Option<(u8, Codec, Decoder, AnalysisBand)>,
    noise: Decoder,
    /// The newest packet described noise, so a pause sounds like that.
    in_noise: bool,
    /// Ticks lost, to be concealed once the packet behind them is known.
    lost: u32,
    heard: Vec<i16>,
}

impl Listener {
    fn new(codecs: &[(u8, Codec)]) -> Self {
        Self {
            codecs: codecs.to_vec(),
            reorder: Reorder::new(Settings::default()),
            audio: None,
            noise: Decoder::new(&Codec::ComfortNoise { rate: 8000 }).unwrap(),
            in_noise: false,
            lost: 0,
            heard: Vec::new(),
        }
    }

    fn receive(&mut self, now: Duration, datagram: &[u8]) {
        let view = RtpView::parse(datagram).unwrap();
        let codec = self.codecs.iter().find(|(pt, _)| *pt == view.payload_type()).unwrap().1;
        let timing = Timing { clock_rate: codec.clock_rate(), duration: codec.duration(view.payload()) };
        self.reorder.push(now, &view, timing);
        self.listen(now);
    }

    fn finish(&mut self, now: Duration) {
        self.reorder.finish();
        self.listen(now);
    }

    fn listen(&mut self, now: Duration) {
        let mut pcm = Vec::new();
        while let Some(played) = self.reorder.pop(now) {
            match played {
                Played::Restart { cause: Cause::Ssrc | Cause::Start, .. } => self.audio = None,
                Played::Restart { .. } => {}
                Played::Lost { ticks, .. } => self.lost += ticks,
                Played::Silence { ticks } => {
                    let Some((_, codec, decoder, band)) = &mut self.audio else { continue };
                    pcm.clear();
                    let rate = decoder.native_rate();
                    decoder.conceal(codec.samples(std::mem::take(&mut self.lost), rate), &mut pcm);
                    let source = if self.in_noise { &mut self.noise } else { decoder };
                    source.idle(codec.samples(ticks, rate), &mut pcm);
                    band.push(&pcm, &mut self.heard);
                }
                Played::Packet(packet) => {
                    let codec = self.codecs.iter().find(|(pt, _)| *pt == packet.payload_type).unwrap().1;
                    self.in_noise = matches!(codec, Codec::ComfortNoise { .. });
                    if self.in_noise {
                        self.noise.decode(packet.payload, &mut pcm).unwrap();
                    }
                    if !codec.is_audio() {
                        continue;
                    }
                    if self.audio.as_ref().is_none_or(|(pt, ..)| *pt != packet.payload_type) {
                        let decoder = Decoder::for_analysis(&codec).unwrap();
                        let band = AnalysisBand::new(decoder.native_rate(), decoder.channels()).unwrap();
                        self.audio = Some((packet.payload_type, codec, decoder, band));
                    }
                    let Some((_, codec, decoder, band)) = &mut self.audio else { continue };
                    pcm.clear();
                    let lost = codec.samples(std::mem::take(&mut self.lost), decoder.native_rate());
                    decoder.recover(lost, packet.payload, &mut pcm);
                    decoder.decode(packet.payload, &mut pcm).unwrap();
                    band.push(&pcm, &mut self.heard);
                }
            }
        }
    }
}

/// Sends 20 ms packets on a media clock.
struct Sender {
    payload_type: u8,
    codec: Codec,
    encoder: Encoder,
    sequence: u16,
    timestamp: u32,
    at: Duration,
}

impl Sender {
    fn new(payload_type: u8, codec: Codec, sequence: u16) -> Self {
        let settings = OpusSettings {
            bitrate: Some(24_000),
            inband_fec: true,
            expected_loss: 20,
            ..OpusSettings::default()
        };
        let encoder = Encoder::with(&codec, codec.native_rate(), &settings).unwrap();
        Self { payload_type, codec, encoder, sequence, timestamp: 0xffff_f000, at: Duration::ZERO }
    }

    fn next(&mut self, pcm: &[i16]) -> (Duration, Vec<u8>) {
        let mut payload = Vec::new();
        self.encoder.encode(pcm, &mut payload).unwrap();
        let packet = self.packet(self.payload_type, &payload);
        self.timestamp = self.timestamp.wrapping_add(self.codec.duration(&payload));
        self.at += Duration::from_millis(20);
        packet
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) -> (Duration, Vec<u8>) {
        let header = RtpHeader {
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ..RtpHeader::default()
        };
        let mut datagram = Vec::new();
        header.write(&mut datagram).unwrap();
        datagram.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        (self.at, datagram)
    }

    fn pause(&mut self, ms: u32) {
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock_rate() / 1000 * ms);
        self.at += Duration::from_millis(u64::from(ms));
    }
}

#[test]
fn loss_and_disorder_leave_every_codec_on_time() {
    for (codec, least) in [
        (Codec::Pcma, 8.0),
        (Codec::G722, 8.0),
        (Codec::L16 { rate: 44_100, channels: 2 }, 8.0),
        (Codec::Opus(OpusFormat::default()), 3.0),
    ] {
        let mut sender = Sender::new(96, codec, 65_520);
        let channels = usize::from(sender.encoder.channels());
        let pcm: Vec<i16> =
            voice(codec.native_rate(), 125.0, 2.0).iter().flat_map(|&s| vec![s; channels]).collect();
        let frame = codec.native_rate() as usize / 50 * channels;
        let mut sent: Vec<_> = pcm.chunks_exact(frame).map(|frame| sender.next(frame)).collect();
        assert_eq!(sent.len(), 100);
        // Every seventh is overtaken by the one behind it; one in twenty is lost.
        for n in (5..95).step_by(7) {
            sent[n].0 += Duration::from_millis(21);
        }
        let mut sent: Vec<_> =
            sent.into_iter().enumerate().filter(|(n, _)| n % 20 != 13).map(|(_, packet)| packet).collect();
        sent.sort();
        let mut listener = Listener::new(&[(96, codec)]);
        for (at, datagram) in &sent {
            listener.receive(*at, datagram);
        }
        listener.finish(Duration::from_secs(2));
        let counters = listener.reorder.counters();
        assert_eq!((counters.lost, counters.late), (5, 0), "{codec:?}");
        assert_eq!(listener.heard.len(), 16_000, "{codec:?}");
        let quality = snr(&voice(8000, 125.0, 2.0), &listener.heard, 200);
        assert!(quality > least, "{codec:?}: {quality:.1} dB");
    }
}

#[test]
fn pauses_noise_events_and_another_codec_keep_the_time() {
    let codecs = [
        (0, Codec::Pcmu),
        (9, Codec::G722),
        (13, Codec::ComfortNoise { rate: 8000 }),
        (101, Codec::TelephoneEvent { rate: 8000 }),
    ];
    let mut listener = Listener::new(&codecs);
    let mut sender = Sender::new(0, Codec::Pcmu, 1);
    let mut send = |sender: &mut Sender, what: &dyn Fn(&mut Sender) -> (Duration, Vec<u8>)| {
        let (at, datagram) = what(sender);
        listener.receive(at, &datagram);
    };
    let speech = voice(8000, 125.0, 0.2);
    for frame in speech.chunks_exact(160) {
        send(&mut sender, &|s| s.next(frame)); // 0.2 s of speech
    }
    send(&mut sender, &|s| s.packet(13, &[40])); // then 1 s of comfort noise
    sender.pause(1000);
    for frame in speech.chunks_exact(160) {
        send(&mut sender, &|s| s.next(frame));
    }
    for _ in 0..5 {
        send(&mut sender, &|s| s.packet(101, &[5, 10, 0, 160])); // then a key, 100 ms
    }
    sender.pause(100);
    sender.codec = Codec::G722;
    sender.payload_type = 9;
    sender.encoder = Encoder::new(&Codec::G722).unwrap();
    for frame in voice(16_000, 125.0, 0.2).chunks_exact(320) {
        send(&mut sender, &|s| s.next(frame)); // and another codec
    }
    let heard = &listener.heard;
    assert_eq!(heard.len(), (200 + 1000 + 200 + 100 + 200) * 8);
    let level = |from_ms: usize, to_ms: usize| rms(&heard[from_ms * 8..to_ms * 8]);
    let noise = 32_767.0 / 100.0;
    assert!((level(400, 1200) / noise - 1.0).abs() < 0.1, "{}", level(400, 1200));
    assert!(level(0, 200) > 1000.0 && level(1210, 1400) > 1000.0 && level(1510, 1700) > 1000.0);
    assert!(level(1400, 1500) < 1.0, "a key press is no sound here");
}
