//! The sending half of a call: one packet every ptime, by absolute deadlines.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rtp_rs::{RtpPacketBuilder, Seq};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::dtmf;
use super::encoder::Encoder;
use super::impairment::Impaired;
use super::log::Log;
use super::rtcp::{self, Sent};
use super::sockets::Sockets;
use crate::audio::{After, Audio};
use crate::random::Random;
use crate::{CallOptions, Codec};

const KEY_TONE_MS: u32 = 160;
const KEY_GAP_MS: u32 = 100;
/// RFC 4733 §2.5.1.4: the end of an event is sent three times.
const KEY_ENDS: u8 = 3;

/// Where media goes and as what, as the last offer and answer have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outbound {
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: SocketAddr,
    pub(crate) mux: bool,
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    /// The other end's payload type for telephone-event at the codec's clock rate.
    pub(crate) event: Option<u8>,
    /// Whether this end sends now: not while either holds.
    pub(crate) sends: bool,
}

pub(super) enum Command {
    Negotiated(Outbound),
    Play(Audio),
    Press(Vec<u8>),
    NewSource,
    Sockets(Arc<Sockets>),
    Stop(oneshot::Sender<()>),
}

/// One key on its way.
#[derive(Debug)]
struct Key {
    event: u8,
    timestamp: u32,
    duration: u32,
    ends: u8,
}

pub(super) struct Sender {
    sockets: Arc<Sockets>,
    log: Log,
    commands: mpsc::UnboundedReceiver<Command>,
    played: watch::Sender<bool>,
    random: Random,
    impaired: Impaired,
    ptime_ms: u32,
    interval: Duration,
    rtcp_interval: Option<Duration>,

    outbound: Option<Outbound>,
    encoder: Option<Encoder>,
    audio: Audio,
    samples: Arc<[i16]>,
    position_ms: u64,

    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    packets: u32,
    octets: u32,
    keys: VecDeque<u8>,
    key: Option<Key>,
    gap_ms: u32,
}

impl Sender {
    pub(super) fn new(
        sockets: Arc<Sockets>,
        log: Log,
        commands: mpsc::UnboundedReceiver<Command>,
        played: watch::Sender<bool>,
        options: &CallOptions,
        seed: u64,
    ) -> Self {
        let mut random = Random::new(seed);
        let pace = if options.pace.is_finite() && options.pace > 0.0 { options.pace } else { 1.0 };
        Self {
            sockets,
            log,
            commands,
            played,
            impaired: Impaired::new(options.impairment),
            ptime_ms: options.ptime_ms.clamp(5, 200),
            interval: Duration::from_millis(options.ptime_ms.clamp(5, 200).into()).div_f64(pace),
            rtcp_interval: options.rtcp_interval.map(|every| every.div_f64(pace)),
            outbound: None,
            encoder: None,
            audio: options.audio.clone(),
            samples: Arc::default(),
            position_ms: 0,
            ssrc: random.next() as u32,
            sequence: random.next() as u16,
            timestamp: random.next() as u32,
            random,
            marker: true,
            packets: 0,
            octets: 0,
            keys: VecDeque::new(),
            key: None,
            gap_ms: 0,
        }
    }

    /// Sends until it is told to stop. Commands go before packets that are due, so that a stop takes effect at once
    /// even where packets are overdue.
    pub(super) async fn run(mut self) {
        let mut next: Option<Instant> = None;
        let mut next_report: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop(done)) => {
                        self.finish().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => {
                        self.obey(command);
                        if self.outbound.is_some() && next.is_none() {
                            next = Some(Instant::now());
                            next_report = self.rtcp_interval.map(|every| Instant::now() + every / 2);
                        }
                    }
                    None => return,
                },
                () = at(next_report) => {
                    next_report = next_report.zip(self.rtcp_interval).map(|(last, every)| last + every);
                    self.report(false).await;
                }
                () = at(next) => {
                    next = next.map(|last| last + self.interval);
                    self.tick().await;
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Negotiated(outbound) => self.negotiated(outbound),
            Command::Play(audio) => {
                self.audio = audio;
                self.position_ms = 0;
                self.marker = true;
                let _ = self.played.send(false);
                self.load();
            }
            Command::Press(events) => self.keys.extend(events),
            Command::NewSource => self.new_source(),
            Command::Sockets(sockets) => self.sockets = sockets,
            Command::Stop(_) => {}
        }
    }

    fn negotiated(&mut self, outbound: Outbound) {
        let before = self.outbound.replace(outbound);
        if before.is_none_or(|b| b.codec != outbound.codec) {
            // A stream keeps one clock rate (RFC 7160).
            if before.is_some_and(|b| b.codec.clock_rate() != outbound.codec.clock_rate()) {
                self.new_source();
            }
            self.encoder = Encoder::new(outbound.codec)
                .inspect_err(|error| tracing::warn!(codec = %outbound.codec, %error, "no encoder"))
                .ok();
            self.load();
        }
        if before.is_some_and(|b| !b.sends) && outbound.sends {
            self.marker = true;
        }
    }

    fn load(&mut self) {
        self.samples = match (&self.audio.clip, &self.outbound) {
            (Some(clip), Some(outbound)) => clip
                .at_rate(outbound.codec.sample_rate())
                .inspect_err(|error| tracing::warn!(%error, "silence instead of the clip"))
                .unwrap_or_default(),
            _ => Arc::default(),
        };
    }

    fn new_source(&mut self) {
        self.ssrc = self.random.next() as u32;
        self.sequence = self.random.next() as u16;
        self.timestamp = self.random.next() as u32;
        self.marker = true;
        (self.packets, self.octets) = (0, 0);
        self.key = None;
    }

    async fn tick(&mut self) {
        let Some(outbound) = self.outbound else { return };
        let step = outbound.codec.clock_rate() * self.ptime_ms / 1000;
        if outbound.sends {
            let packet = match self.key_packet(&outbound, step) {
                Some(packet) => Some(packet),
                None => self.voice_packet(&outbound),
            };
            match packet {
                Some(packet) => self.send(&packet, outbound.rtp).await,
                // The next packet begins a talkspurt.
                None => self.marker = true,
            }
        }
        self.timestamp = self.timestamp.wrapping_add(step);
    }

    fn key_packet(&mut self, outbound: &Outbound, step: u32) -> Option<Bytes> {
        let payload_type = outbound.event?;
        let mut marker = false;
        if self.key.is_none() {
            self.gap_ms = self.gap_ms.saturating_sub(self.ptime_ms);
            if self.gap_ms > 0 {
                return None;
            }
            let event = self.keys.pop_front()?;
            self.key = Some(Key { event, timestamp: self.timestamp, duration: 0, ends: 0 });
            marker = true;
        }
        let key = self.key.as_mut()?;
        let whole = outbound.codec.clock_rate() * KEY_TONE_MS / 1000;
        if key.duration < whole {
            key.duration += step;
        }
        let end = key.duration >= whole;
        if end {
            key.ends += 1;
        }
        let duration = u16::try_from(key.duration).unwrap_or(u16::MAX);
        let (payload, timestamp) = (dtmf::payload(key.event, end, duration), key.timestamp);
        if key.ends >= KEY_ENDS {
            self.key = None;
            self.gap_ms = KEY_GAP_MS;
            self.marker = true;
        }
        self.packet(payload_type, marker, timestamp, &payload)
    }

    fn voice_packet(&mut self, outbound: &Outbound) -> Option<Bytes> {
        let rate = u64::from(outbound.codec.sample_rate());
        let count = (rate * u64::from(self.ptime_ms) / 1000) as usize;
        let mut frame = vec![0_i16; count];
        let mut position = (self.position_ms * rate / 1000) as usize;
        if position >= self.samples.len() {
            let _ = self.played.send_if_modified(|played| !std::mem::replace(played, true));
            match self.audio.after {
                After::Loop if !self.samples.is_empty() => (position, self.position_ms) = (0, 0),
                After::Nothing => return None,
                After::Loop | After::Silence => {}
            }
        }
        if let Some(rest) = self.samples.get(position..) {
            frame.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        }
        self.position_ms += u64::from(self.ptime_ms);
        let payload = self
            .encoder
            .as_mut()?
            .encode(&frame)
            .inspect_err(|error| tracing::warn!(%error, "a frame could not be encoded"))
            .ok()?;
        let marker = std::mem::take(&mut self.marker);
        self.packet(outbound.payload_type, marker, self.timestamp, &payload)
    }

    fn packet(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Option<Bytes> {
        let packet = RtpPacketBuilder::new()
            .payload_type(payload_type)
            .marked(marker)
            .sequence(Seq::from(self.sequence))
            .timestamp(timestamp)
            .ssrc(self.ssrc)
            .payload(payload)
            .build()
            .ok()?;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        Some(Bytes::from(packet))
    }

    async fn send(&mut self, packet: &Bytes, to: SocketAddr) {
        for packet in self.impaired.pass(packet.clone()) {
            self.put(&packet, to).await;
        }
        self.log.dropped(self.impaired.dropped);
    }

    async fn put(&mut self, packet: &Bytes, to: SocketAddr) {
        // Logged first: the other end may have it before this task runs again.
        self.log.sent(packet, to);
        if let Err(error) = self.sockets.rtp.send_to(packet, to).await {
            tracing::debug!(%error, %to, "packet not sent");
        }
    }

    async fn report(&mut self, bye: bool) {
        let Some(outbound) = self.outbound else { return };
        let sent =
            Sent { ssrc: self.ssrc, timestamp: self.timestamp, packets: self.packets, octets: self.octets };
        let Some(packet) = rtcp::report(sent, "softphone", bye) else { return };
        self.log.sent_rtcp(&packet);
        let socket = if outbound.mux { &self.sockets.rtp } else { &self.sockets.rtcp };
        if let Err(error) = socket.send_to(&packet, outbound.rtcp).await {
            tracing::debug!(%error, to = %outbound.rtcp, "report not sent");
        }
    }

    async fn finish(&mut self) {
        if let (Some(packet), Some(outbound)) = (self.impaired.rest(), self.outbound) {
            self.put(&packet, outbound.rtp).await;
        }
        if self.rtcp_interval.is_some() && self.packets > 0 {
            self.report(true).await;
        }
    }
}

/// Sleeps until that moment, or for ever without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
