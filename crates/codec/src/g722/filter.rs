//! The quadrature mirror filters (ITU-T G.722 clauses 3.1, 4.4).
#![allow(clippy::indexing_slicing)] // fixed arrays, lengths bounded by BLOCK

use super::BLOCK;
use super::tables::FILTER;

const PAST: usize = FILTER.len() - 1;

/// Joins two bands: sums and differences of their samples each pass half of the filter.
#[derive(Debug, Clone)]
pub(super) struct Synthesis {
    sums: [i32; PAST + BLOCK],
    differences: [i32; PAST + BLOCK],
}

impl Default for Synthesis {
    fn default() -> Self {
        Self { sums: [0; PAST + BLOCK], differences: [0; PAST + BLOCK] }
    }
}

impl Synthesis {
    /// Where a block's sums and differences go, `len` of them.
    pub(super) fn block(&mut self, len: usize) -> impl Iterator<Item = (&mut i32, &mut i32)> {
        self.sums[PAST..].iter_mut().zip(&mut self.differences[PAST..]).take(len)
    }

    /// Filters the block just written.
    pub(super) fn filter(&mut self, len: usize, out: &mut Vec<i16>) {
        for at in 0..len.min(BLOCK) {
            let first: i32 =
                self.differences[at..].iter().zip(FILTER.iter().rev()).map(|(&x, &c)| x * c).sum();
            let second: i32 = self.sums[at..].iter().zip(&FILTER).map(|(&x, &c)| x * c).sum();
            out.extend([first, second].map(|sum| (sum >> 11).clamp(-32_768, 32_767) as i16));
        }
        self.sums.copy_within(len..len + PAST, 0);
        self.differences.copy_within(len..len + PAST, 0);
    }
}

/// Splits pairs of samples into two bands.
#[derive(Debug, Clone, Default)]
pub(super) struct Analysis {
    /// First and second samples of the newest twelve pairs, oldest first.
    first: [i32; FILTER.len()],
    second: [i32; FILTER.len()],
}

impl Analysis {
    /// The lower and the upper band's sample for a pair, 15 bits each.
    pub(super) fn split(&mut self, [first, second]: [i16; 2]) -> (i32, i32) {
        self.first.rotate_left(1);
        self.second.rotate_left(1);
        self.first[PAST] = i32::from(first);
        self.second[PAST] = i32::from(second);
        let a: i32 = self.first.iter().zip(&FILTER).map(|(&x, &c)| x * c).sum();
        let b: i32 = self.second.iter().zip(FILTER.iter().rev()).map(|(&x, &c)| x * c).sum();
        let limit = |band: i32| (band >> 14).clamp(-16_384, 16_383);
        (limit(b + a), limit(b - a))
    }
}
