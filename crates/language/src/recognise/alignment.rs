//! When each word was said, from where the decoder listened while it wrote.
//!
//! Some heads of the cross-attention follow the speech: the row that a token was written from is when it was said.
//! Their weights are summed, and the path through tokens and rows that gathers most of them, never turning back, gives
//! each token its rows (dynamic time warping, as for Whisper; Radford et al. 2022, and Bain et al. 2023 on its limits).

use std::time::Duration;

use super::{Word, sound::RATE};

/// The heads that follow speech best in Moonshine tiny, layer and head: those of 48 that listened on the right side of
/// a pause most often, while words on both sides of it were written.
pub(super) const MOONSHINE: [(usize, usize); 6] = [(3, 5), (4, 3), (3, 2), (3, 0), (2, 0), (4, 6)];
/// Rows beside a token's own that still count as its own: some 40 ms.
const BESIDE: usize = 2;
/// A word begins where the weights reach this share of their largest in it: a pause before it is not part of it.
const HEARD: f32 = 0.1;

/// What the decoder listened to for each token, `[rows]` a token.
pub(super) struct Listening {
    tokens: Vec<Vec<f32>>,
    /// The heads that follow speech, layer and head.
    following: Vec<(usize, usize)>,
    /// Heads of a layer.
    heads: usize,
}

/// How rows and tokens of a network become times and words.
pub(super) struct Grid<'a> {
    /// Samples from one row to the next.
    pub(super) hop: usize,
    /// Whether a word begins with a token.
    pub(super) begins_word: &'a dyn Fn(u32) -> bool,
    /// The text of some tokens.
    pub(super) text: &'a dyn Fn(&[u32]) -> String,
}

impl Listening {
    pub(super) const fn new(following: Vec<(usize, usize)>, heads: usize) -> Self {
        Self { tokens: Vec::new(), following, heads }
    }

    /// Takes how a token was written: weights `[layers, heads, rows]`.
    pub(super) fn push(&mut self, attention: &[f32], rows: usize) {
        let mut mean = vec![0.0f32; rows];
        for (layer, head) in &self.following {
            let weights =
                attention.chunks_exact(rows.max(1)).nth(layer * self.heads + head).unwrap_or_default();
            let share = 1.0 / self.following.len() as f32;
            mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += weight * share);
        }
        self.tokens.push(mean);
    }

    /// How far the first `count` tokens were written from one place each, in order, `[0, 1]`: some 0.9 for speech, and
    /// less than half for text that was made up, which is written from everywhere.
    pub(super) fn followed(&self, count: usize) -> f32 {
        let path = self.path();
        let own = self.tokens.iter().zip(path.iter().zip(path.iter().skip(1))).take(count);
        let shares = own.map(|(weights, (&from, &to))| {
            let from = from.saturating_sub(BESIDE);
            weights.iter().take(to + BESIDE).skip(from).sum::<f32>()
        });
        shares.sum::<f32>() / count.max(1) as f32
    }

    /// The words of `tokens`, which were written in this order from `pcm`.
    pub(super) fn words(&self, tokens: &[u32], grid: &Grid<'_>, pcm: &[f32]) -> Vec<Word> {
        let path = self.path();
        let sounding = sounding(pcm, grid.hop);
        let mut words = Vec::new();
        let mut from = 0;
        while from < tokens.len() {
            let more = tokens.iter().skip(from + 1).take_while(|&&token| !(grid.begins_word)(token)).count();
            let to = from + 1 + more;
            let text = (grid.text)(tokens.get(from..to).unwrap_or_default());
            if !text.is_empty() {
                let (first, end) = self.heard(&path, from, to);
                let sounds = |row: &usize| sounding.get(*row).copied().unwrap_or(true);
                let first = (first..end).find(sounds).unwrap_or(first);
                let last = (first..end).rev().find(sounds).unwrap_or(first);
                words.push(Word { text, from: time(first, grid.hop), to: time(last + 1, grid.hop) });
            }
            from = to;
        }
        words
    }

    /// The first row of each token on the best path, and the end of the last.
    fn path(&self) -> Vec<usize> {
        let rows = self.tokens.first().map_or(0, Vec::len);
        let count = self.tokens.len();
        // best[row]: the most that is gathered up to a row that belongs to the token; turned[token][row]: whether the
        // row before belongs to the token before.
        let mut best = vec![0.0f32; rows];
        let mut turned = Vec::with_capacity(count);
        for (n, weights) in self.tokens.iter().enumerate() {
            let mut turns = vec![false; rows];
            // What the token before had gathered at the row before, and this one there.
            let (mut above, mut left) = (if n == 0 { 0.0 } else { f32::MIN }, f32::MIN);
            for ((best, turn), weight) in best.iter_mut().zip(&mut turns).zip(weights) {
                *turn = above > left;
                let gathered = weight + above.max(left);
                above = if n == 0 { f32::MIN } else { *best };
                left = gathered;
                *best = gathered;
            }
            turned.push(turns);
        }
        let mut starts = vec![rows; count + 1];
        let mut row = rows;
        for (n, turns) in turned.iter().enumerate().rev() {
            // Back to where the token before hands over.
            while row > 0 {
                row -= 1;
                if turns.get(row).copied().unwrap_or(true) {
                    break;
                }
            }
            if let Some(start) = starts.get_mut(n) {
                *start = row;
            }
        }
        starts
    }

    /// The first row in which tokens `from..to` were heard, and the one in which those behind them begin.
    fn heard(&self, path: &[usize], from: usize, to: usize) -> (usize, usize) {
        let start = path.get(from).copied().unwrap_or_default();
        let end = path.get(to).copied().unwrap_or(start).max(start + 1);
        let weight = |row: usize| {
            let tokens = self.tokens.get(from..to).unwrap_or_default();
            tokens.iter().filter_map(|weights| weights.get(row)).sum::<f32>()
        };
        let most = (start..end).map(weight).fold(0.0, f32::max);
        ((start..end).find(|&row| weight(row) >= HEARD * most).unwrap_or(start), end)
    }
}

/// Whether there is sound in each row: louder than the quietest tenth of them, and than 30 dB below the loudest.
fn sounding(pcm: &[f32], hop: usize) -> Vec<bool> {
    let power = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
    let levels: Vec<f32> = pcm.chunks(hop).map(|row| power(row).sqrt()).collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let floor = sorted.get(sorted.len() / 10).copied().unwrap_or_default();
    let peak = sorted.last().copied().unwrap_or_default();
    let threshold = (2.0 * floor).max(0.03 * peak).min(0.2 * peak);
    levels.into_iter().map(|level| level >= threshold).collect()
}

fn time(row: usize, hop: usize) -> Duration {
    Duration::from_micros((row * hop) as u64 * 1_000_000 / u64::from(RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(rows: &[&[f32]]) -> Listening {
        Listening { tokens: rows.iter().map(|row| row.to_vec()).collect(), ..Listening::new(Vec::new(), 1) }
    }

    #[test]
    fn each_token_gets_the_rows_that_it_was_written_from() {
        let listened = listening(&[
            &[0.9, 0.8, 0.1, 0.0, 0.0, 0.0],
            &[0.0, 0.1, 0.9, 0.0, 0.0, 0.0],
            &[0.0, 0.0, 0.1, 0.5, 0.9, 0.9],
        ]);
        assert_eq!(listened.path(), [0, 2, 3, 6]);
    }

    #[test]
    fn a_glance_back_does_not_turn_the_path_around() {
        let listened = listening(&[&[0.9, 0.5, 0.0, 0.0], &[0.8, 0.0, 0.7, 0.0], &[0.0, 0.0, 0.0, 0.9]]);
        let path = listened.path();
        assert!(path.windows(2).all(|pair| pair[0] <= pair[1]), "{path:?}");
        assert_eq!(path[2], 3);
    }

    #[test]
    fn a_word_begins_where_it_is_heard_and_ends_where_the_next_begins() {
        let listened = listening(&[&[0.01, 0.01, 0.9, 0.8, 0.0, 0.0], &[0.0, 0.0, 0.0, 0.0, 0.9, 0.9]]);
        let path = listened.path();
        assert_eq!(listened.heard(&path, 0, 1), (2, 4));
        assert_eq!(listened.heard(&path, 1, 2), (4, 6));
    }

    #[test]
    fn a_pause_has_no_sound_and_neither_has_the_noise_of_a_line() {
        let mut pcm = vec![0.001; 10 * 384];
        pcm[2 * 384..5 * 384].fill(0.1);
        let sounding = sounding(&pcm, 384);
        assert_eq!(sounding.iter().filter(|&&sounds| sounds).count(), 3);
        assert!(sounding[2..5].iter().all(|&sounds| sounds));
    }

    #[test]
    fn what_is_written_from_everywhere_does_not_follow() {
        let speech = listening(&[
            &[0.8, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.8],
        ]);
        assert!(speech.followed(2) > 0.9);
        let even: [&[f32]; 3] = [&[0.05; 20], &[0.05; 20], &[0.05; 20]];
        assert!(listening(&even).followed(3) < 0.6, "{}", listening(&even).followed(3));
        assert!(Listening::new(Vec::new(), 1).followed(0).abs() < 1e-6);
    }

    #[test]
    fn more_tokens_than_rows_still_have_times_in_order() {
        let listened = listening(&[&[1.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[0.0, 1.0]]);
        let path = listened.path();
        assert_eq!(path.len(), 5);
        assert!(path.windows(2).all(|pair| pair[0] <= pair[1]), "{path:?}");
    }
}
