//! A bad network, scripted: the same seed drops, repeats and swaps the same packets.

use bytes::Bytes;

use crate::random::Random;

/// Faults of a network, put on packets on their way out. Probabilities from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairment {
    /// Drops every nth packet; 0: none.
    pub drop_every: u32,
    /// Probability that a packet is lost.
    pub loss: f64,
    /// Probability that a packet is sent twice.
    pub duplicate: f64,
    /// Probability that a packet is held back and sent after its successor.
    pub reorder: f64,
    /// For the three probabilities.
    pub seed: u64,
}

/// An impairment at work on one stream.
#[derive(Debug)]
pub(super) struct Impaired {
    settings: Impairment,
    random: Random,
    count: u32,
    held: Option<Bytes>,
    pub(super) dropped: u64,
}

impl Impaired {
    pub(super) const fn new(settings: Impairment) -> Self {
        Self { settings, random: Random::new(settings.seed), count: 0, held: None, dropped: 0 }
    }

    /// The packets to be sent now that `packet` is due: none, one or several.
    pub(super) fn pass(&mut self, packet: Bytes) -> impl Iterator<Item = Bytes> + use<> {
        self.count = self.count.wrapping_add(1);
        let nth = self.settings.drop_every > 0 && self.count.is_multiple_of(self.settings.drop_every);
        let earlier = self.held.take();
        let mut now = None;
        let mut copy = None;
        if nth || self.random.chance(self.settings.loss) {
            self.dropped += 1;
        } else if earlier.is_none() && self.random.chance(self.settings.reorder) {
            self.held = Some(packet);
        } else {
            copy = self.random.chance(self.settings.duplicate).then(|| packet.clone());
            now = Some(packet);
        }
        [now, copy, earlier].into_iter().flatten()
    }

    /// The packet that is still held back when the stream ends.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        self.held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(settings: Impairment, count: u8) -> (Vec<u8>, u64) {
        let mut impaired = Impaired::new(settings);
        let mut out: Vec<u8> =
            (0..count).flat_map(|n| impaired.pass(Bytes::from(vec![n])).map(|p| p[0])).collect();
        out.extend(impaired.rest().map(|p| p[0]));
        (out, impaired.dropped)
    }

    #[test]
    fn without_settings_nothing_changes() {
        assert_eq!(run(Impairment::default(), 50), ((0..50).collect(), 0));
    }

    #[test]
    fn every_nth_is_dropped() {
        let (out, dropped) = run(Impairment { drop_every: 5, ..Impairment::default() }, 20);
        assert_eq!(dropped, 4);
        assert!(!out.contains(&4) && !out.contains(&19) && out.contains(&5));
    }

    #[test]
    fn reordering_and_copies_lose_nothing_and_repeat_by_seed() {
        let settings = Impairment { duplicate: 0.2, reorder: 0.3, seed: 5, ..Impairment::default() };
        let (out, dropped) = run(settings, 200);
        assert_eq!(dropped, 0);
        assert!((0..200).all(|n| out.contains(&n)));
        assert!(out.len() > 220 && out.windows(2).filter(|w| w[1] < w[0]).count() > 20);
        assert_eq!(run(settings, 200).0, out);
        assert_ne!(run(Impairment { seed: 6, ..settings }, 200).0, out);
    }

    #[test]
    fn loss_is_near_its_probability() {
        let (_, dropped) = run(Impairment { loss: 0.1, seed: 1, ..Impairment::default() }, 250);
        assert!((10..45).contains(&dropped), "{dropped}");
    }
}
