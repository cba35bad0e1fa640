//! Test support for the analysis: a phone that speaks the demo caller's lines as RTP.

use std::path::Path;
use std::time::Duration;

use sidetone_call::{CallKey, EndPlan, Format, MediaKind, StreamPlan, Untappable};
use sidetone_codec::{Codec, Encoder, OpusSettings};
use sidetone_consent::policy::{Facts, Settings};
use sidetone_consent::{Input, ListeningPermit, Machine, Policy};
use sidetone_rtp::RtpHeader;

pub(in super::super) type Datagram = (Duration, Vec<u8>);

pub(in super::super) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The demo caller, 8 kHz, from one moment to another. They speak at 4.0 to 10.6, 15.2 to 20.2 and 24.6 to 29.9 s.
pub(in super::super) fn caller(from: Duration, to: Duration) -> Vec<i16> {
    let wav = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/caller.wav")).unwrap();
    let data = wav.windows(4).position(|four| four == b"data").unwrap() + 8;
    let sample = |at: Duration| data + usize::try_from(at.as_millis()).unwrap() * 16;
    let bytes = &wav[sample(from)..sample(to)];
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A permit from the consent machine of a call whose caller was told before.
pub(in super::super) fn permit(call: CallKey) -> ListeningPermit {
    let settings = Settings::default();
    let decision = settings.decide(&Facts { trunk_policy: Policy::GivenUpstream, ..Facts::default() });
    let mut machine = Machine::new(settings.terms(&decision, false), Duration::ZERO).of_call(call.0);
    machine.input(Duration::ZERO, Input::Answered);
    machine.permit().unwrap()
}

/// Sends 20 ms packets on a media clock.
pub(in super::super) struct Phone {
    payload_type: u8,
    codec: Codec,
    encoder: Encoder,
    sequence: u16,
    timestamp: u32,
    pub(in super::super) at: Duration,
}

impl Phone {
    pub(in super::super) fn new(at: Duration) -> Self {
        let encoder = Encoder::new(&Codec::Pcmu).unwrap();
        Self { payload_type: 0, codec: Codec::Pcmu, encoder, sequence: 65_500, timestamp: 0xffff_0000, at }
    }

    /// Continues in Opus with error correction.
    pub(in super::super) fn opus(&mut self) {
        let settings = OpusSettings { inband_fec: true, expected_loss: 20, ..OpusSettings::default() };
        self.payload_type = 96;
        self.codec = Codec::from_rtpmap("opus", 48_000, 2, "").unwrap();
        self.encoder = Encoder::with(&self.codec, 8_000, &settings).unwrap();
    }

    pub(in super::super) fn speak(&mut self, pcm: &[i16]) -> Vec<Datagram> {
        let packet = |frame: &[i16]| {
            let mut payload = Vec::new();
            self.encoder.encode(frame, &mut payload).unwrap();
            let packet = self.packet(self.payload_type, &payload);
            self.pause(ms(20));
            packet
        };
        pcm.chunks_exact(160).map(packet).collect()
    }

    /// Presses a key for 200 ms: its packets every 20 ms, its end three times.
    pub(in super::super) fn press(&mut self) -> Vec<Datagram> {
        let begun = self.at;
        let mut sent = Vec::new();
        for n in 1..=12_u16 {
            let duration = (n * 160).min(1600);
            let [high, low] = duration.to_be_bytes();
            let end = u8::from(n >= 10) << 7;
            sent.push(self.packet(101, &[5, end | 10, high, low]));
            self.at += if n < 10 { ms(20) } else { ms(1) };
        }
        self.at = begun;
        self.pause(ms(200));
        sent
    }

    /// Advances time without sending.
    pub(in super::super) fn pause(&mut self, time: Duration) {
        let ticks = time.as_millis() * u128::from(self.codec.clock_rate()) / 1000;
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(ticks).unwrap());
        self.at += time;
    }

    fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Datagram {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        let mut datagram = Vec::new();
        let header = RtpHeader { payload_type, sequence, timestamp, ..RtpHeader::default() };
        header.write(&mut datagram).unwrap();
        datagram.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        (self.at, datagram)
    }
}

/// A plan's end that takes what the phone sends.
pub(in super::super) fn end() -> EndPlan {
    let format = |payload_type, encoding: &str, clock_rate, channels| Format {
        payload_type,
        encoding: encoding.to_owned(),
        clock_rate,
        channels,
        fmtp: String::new(),
    };
    EndPlan {
        remote_rtp: Some(([127, 0, 0, 1], 4000).into()),
        formats: vec![
            format(0, "PCMU", 8_000, 1),
            format(96, "opus", 48_000, 2),
            format(101, "telephone-event", 8_000, 1),
        ],
        ..EndPlan::default()
    }
}

pub(in super::super) fn plan(tappable: Result<(), Untappable>) -> StreamPlan {
    StreamPlan { kind: MediaKind::Audio, trunk: end(), pbx: end(), tappable, answered: true }
}

/// The same stream, rejected.
pub(in super::super) fn rejected() -> StreamPlan {
    let mut plan = plan(Ok(()));
    plan.trunk.remote_rtp = None;
    plan.pbx.remote_rtp = None;
    plan
}
