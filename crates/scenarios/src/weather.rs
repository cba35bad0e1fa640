//! A network that loses, doubles and delays packets, the same ones each time.

/// What it does to packets, in percent of them.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Never arrive.
    pub lost: u64,
    /// Arrive twice, the second time right behind the first or a few packets later.
    pub doubled: u64,
    /// Arrive behind some of those that were sent after them.
    pub late: u64,
    /// By how many packets one is late at most.
    pub latest: u64,
    /// Of the same seed everything is the same.
    pub seed: u64,
}

impl Weather {
    /// The packets as they arrive. The first and the last always do, each in its place, so that what was lost between
    /// them can be told.
    #[must_use]
    pub fn carry(&self, sent: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut dice = self.seed | 1;
        let mut roll = |sides: u64| {
            // Marsaglia's xorshift64.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % sides.max(1)
        };
        let last = sent.len().saturating_sub(1);
        let mut arrivals = Vec::new();
        for (n, packet) in sent.iter().enumerate() {
            let place = n as u64 * 2;
            if n == 0 || n == last {
                let place = if n == 0 { 0 } else { u64::MAX };
                arrivals.push((place, packet.clone()));
                continue;
            }
            if roll(100) < self.lost {
                continue;
            }
            let behind = |roll: &mut dyn FnMut(u64) -> u64| 2 * (1 + roll(self.latest)) + 1;
            let delay = if roll(100) < self.late { behind(&mut roll) } else { 0 };
            arrivals.push((place + delay, packet.clone()));
            if roll(100) < self.doubled {
                let further = behind(&mut roll);
                arrivals.push((place + delay + further, packet.clone()));
            }
        }
        arrivals.sort_by_key(|(place, _)| *place);
        arrivals.into_iter().map(|(_, packet)| packet).collect()
    }
}

/// What a receiver is to count of a stream, by the definitions of docs/EVENTS.md.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fates {
    /// Packets that arrived, whichever.
    pub packets: u64,
    /// Numbers that never did.
    pub lost: u64,
    /// Packets that had been there before.
    pub duplicates: u64,
    /// First arrivals behind a later one.
    pub reordered: u64,
}

impl Fates {
    /// Counts packets of one SSRC in the order of their arrival; fewer than 2^15 of them.
    #[must_use]
    pub fn of(arrived: &[Vec<u8>]) -> Self {
        let number = |packet: &Vec<u8>| u16::from_be_bytes([packet[2], packet[3]]);
        let Some(first) = arrived.first().map(number) else { return Self::default() };
        let mut seen = std::collections::BTreeSet::new();
        let mut fates = Self { packets: arrived.len() as u64, ..Self::default() };
        for packet in arrived {
            let step = number(packet).wrapping_sub(first);
            let is_behind = seen.last().is_some_and(|highest| step < *highest);
            if !seen.insert(step) {
                fates.duplicates += 1;
            } else if is_behind {
                fates.reordered += 1;
            }
        }
        fates.lost = seen.last().map_or(0, |highest| u64::from(*highest) + 1 - seen.len() as u64);
        fates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fair_weather_changes_nothing_and_foul_weather_is_the_same_each_time() {
        let sent: Vec<Vec<u8>> = (0..2_000_u16).map(|n| [[0x80, 0], n.to_be_bytes()].concat()).collect();
        let fair = Weather { lost: 0, doubled: 0, late: 0, latest: 0, seed: 7 };
        assert_eq!(fair.carry(&sent), sent);
        assert_eq!(Fates::of(&sent), Fates { packets: 2_000, ..Fates::default() });
        let foul = Weather { lost: 5, doubled: 3, late: 10, latest: 8, seed: 7 };
        let arrived = foul.carry(&sent);
        assert_eq!(foul.carry(&sent), arrived);
        let Fates { packets, lost, duplicates, reordered } = Fates::of(&arrived);
        assert_eq!(packets, 2_000 - lost + duplicates);
        assert!(
            (70..130).contains(&lost) && (30..90).contains(&duplicates) && (120..260).contains(&reordered)
        );
    }
}
