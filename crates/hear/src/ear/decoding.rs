//! From payloads to PCM: conceals losses, and forgets sound that must not be remembered.

use std::time::Duration;

use sidetone_codec::{AnalysisBand, Codec, Decoder};
use sidetone_emotion::mark::FrameMark;
use sidetone_rtp::reorder::Packet;

use super::Ear;
use super::gate::Admission;
use super::timeline::RATE;
use sidetone_call::Untappable;

/// The longest loss that is concealed, in samples: 1 s. Concealment has long faded by then.
const LONGEST_CONCEALED: u64 = RATE;

/// A decoder, and its payload type.
pub(super) struct Decoding {
    payload_type: u8,
    codec: Codec,
    decoder: Decoder,
    band: AnalysisBand,
}

impl Ear {
    pub(super) fn audio(&mut self, codec: Codec, packet: &Packet<'_>) {
        let fits =
            |decoding: &Decoding| decoding.payload_type == packet.payload_type && decoding.codec == codec;
        if !self.decoder.as_ref().is_some_and(fits) {
            // The lost sound was in the old codec.
            self.conceal();
            let Some(decoder) = Decoding::new(packet.payload_type, codec) else {
                return self.audibility.packet(packet.arrived, Err(Untappable::UnknownCodec));
            };
            self.decoder = Some(decoder);
        }
        self.recover(packet.payload);
        self.timeline.arrived(packet.arrived);
        if self.pass(packet.arrived) == Admission::Afresh {
            self.decoder = Decoding::new(packet.payload_type, codec);
        }
        let Some(decoding) = &mut self.decoder else { return };
        self.native.clear();
        let decoded = decoding.decoder.decode(packet.payload, &mut self.native).is_ok();
        let fits = self.audibility.fits(&codec, packet.sequence, packet.timestamp, packet.duration);
        let sounds = decoded && fits && !self.native.is_empty();
        let micros = u64::from(packet.duration) * 1_000_000 / u64::from(codec.clock_rate().max(1));
        let heard = if sounds { Ok(Duration::from_micros(micros)) } else { Err(Untappable::Undecodable) };
        self.audibility.packet(packet.arrived, heard);
        if !decoded {
            // An undecodable payload sounds as if it had been lost.
            self.native.clear();
            let missing = decoding.native(packet.duration);
            decoding.decoder.conceal(missing, &mut self.native);
        }
        self.banded(self.unless_event(if decoded { FrameMark::Audio } else { FrameMark::Concealed }));
    }

    /// Packets of this many ticks were lost.
    pub(super) fn lose(&mut self, ticks: u32) {
        let fill = self.in_samples(ticks);
        let told = self.timeline.redeem(fill);
        if told == 0 && fill <= LONGEST_CONCEALED {
            self.lost = self.lost.saturating_add(ticks);
            return;
        }
        // After a stretch of written silence there is nothing to continue.
        self.conceal();
        self.silence(fill - told, self.unless_event(FrameMark::Concealed));
        self.settle_decoder();
    }

    /// No sound was sent for this many ticks.
    pub(super) fn pause(&mut self, ticks: u32) {
        self.conceal();
        let fill = self.in_samples(ticks);
        let told = self.timeline.redeem(fill);
        let mark = if self.after_event { FrameMark::Dtmf } else { FrameMark::ComfortNoise };
        self.silence(fill - told, self.unless_event(mark));
        self.settle_decoder();
    }

    /// Silence was written past the decoder: its last sound must not fade over into the next.
    fn settle_decoder(&mut self) {
        if let Some(decoding) = &mut self.decoder {
            self.native.clear();
            decoding.decoder.idle(0, &mut self.native);
        }
    }

    /// Conceals the loss before this payload, with the payload's help.
    fn recover(&mut self, following: &[u8]) {
        self.fill_in(|decoder, samples, out| decoder.recover(samples, following, out));
    }

    /// Conceals the loss when nothing useful follows.
    pub(super) fn conceal(&mut self) {
        self.fill_in(Decoder::conceal);
    }

    fn fill_in(&mut self, make_up: impl FnOnce(&mut Decoder, usize, &mut Vec<i16>)) {
        let lost = std::mem::take(&mut self.lost);
        let Some(decoding) = self.decoder.as_mut().filter(|_| lost > 0) else { return };
        self.native.clear();
        let missing = decoding.native(lost);
        make_up(&mut decoding.decoder, missing, &mut self.native);
        self.banded(self.unless_event(FrameMark::Concealed));
    }

    /// Resamples the decoder's output to 8 kHz and passes it on.
    fn banded(&mut self, mark: FrameMark) {
        let Some(decoding) = &mut self.decoder else { return };
        let mut pcm = std::mem::take(&mut self.pcm);
        pcm.clear();
        decoding.band.push(&self.native, &mut pcm);
        self.give(&pcm, mark);
        self.pcm = pcm;
    }

    /// Converts ticks of the last codec to samples. Before the first codec there is no stream that could have a gap.
    fn in_samples(&self, ticks: u32) -> u64 {
        self.decoder.as_ref().map_or(0, |decoding| decoding.codec.samples(ticks, AnalysisBand::RATE) as u64)
    }
}

impl Decoding {
    /// A fresh decoder; `None` if the codec has none.
    fn new(payload_type: u8, codec: Codec) -> Option<Self> {
        let decoder = Decoder::for_analysis(&codec).ok()?;
        let band = AnalysisBand::new(decoder.native_rate(), decoder.channels()).ok()?;
        Some(Self { payload_type, codec, decoder, band })
    }

    /// Converts ticks to samples at the decoder's rate.
    fn native(&self, ticks: u32) -> usize {
        self.codec.samples(ticks, self.decoder.native_rate())
    }
}
