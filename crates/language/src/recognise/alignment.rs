//! When each word was said, from where the decoder listened while it wrote.
//!
//! Some heads of the cross-attention follow the speech: the row that a token was written from is when it was said. Their
//! weights are summed, and the path through tokens and rows that gathers most of them, never turning back, gives each
//! token its rows (dynamic time warping, as for Whisper; Radford et al. 2022, and Bain et al. 2023 on its limits).

use std::time::Duration;

use super::{Word, encoder::HOP, shape::HEADS, sound::RATE, vocabulary::Vocabulary};

/// The heads that follow speech best, layer and head; found on speech whose words' times were known.
const FOLLOWING: [(usize, usize); 6] = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 1)];
/// A word ends where the weights fall below this share of their largest in it: a pause after it is not part of it.
const HEARD: f32 = 0.1;

/// What the decoder listened to for each token, `[rows]` a token.
#[derive(Default)]
pub(super) struct Listening {
    tokens: Vec<Vec<f32>>,
}

impl Listening {
    /// Takes how a token was written: weights `[layers, heads, rows]`.
    pub(super) fn push(&mut self, attention: &[f32], rows: usize) {
        let mut sum = vec![0.0f32; rows];
        for (layer, head) in FOLLOWING {
            let weights = attention.chunks_exact(rows.max(1)).nth(layer * HEADS + head);
            sum.iter_mut().zip(weights.unwrap_or_default()).for_each(|(sum, weight)| *sum += weight);
        }
        self.tokens.push(sum);
    }

    /// The words of `tokens`, which were written in this order.
    pub(super) fn words(&self, tokens: &[u32], vocabulary: &Vocabulary) -> Vec<Word> {
        let path = self.path();
        let mut words = Vec::new();
        let mut from = 0;
        while from < tokens.len() {
            let more =
                tokens.iter().skip(from + 1).take_while(|&&token| !vocabulary.begins_word(token)).count();
            let to = from + 1 + more;
            let text = vocabulary.text(tokens.get(from..to).unwrap_or_default());
            if !text.is_empty() {
                // A comma is written from the pause that it stands for.
                let said = tokens.get(from + 1..to).unwrap_or_default();
                let marks = said.iter().rev().take_while(|&&token| vocabulary.is_mark(token)).count();
                let (first, last) = self.heard(&path, from, to - marks);
                words.push(Word { text, from: time(first), to: time(last + 1) });
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

    /// The rows, first and last, in which tokens `from..to` were heard.
    fn heard(&self, path: &[usize], from: usize, to: usize) -> (usize, usize) {
        let start = path.get(from).copied().unwrap_or_default();
        let end = path.get(to).copied().unwrap_or(start).max(start + 1);
        let weight = |row: usize| {
            let tokens = self.tokens.get(from..to).unwrap_or_default();
            tokens.iter().filter_map(|weights| weights.get(row)).sum::<f32>()
        };
        let most = (start..end).map(weight).fold(0.0, f32::max);
        let heard = |row: &usize| weight(*row) >= HEARD * most;
        let first = (start..end).find(heard).unwrap_or(start);
        let last = (start..end).rev().find(heard).unwrap_or(first);
        (first, last)
    }
}

fn time(row: usize) -> Duration {
    Duration::from_micros((row * HOP) as u64 * 1_000_000 / u64::from(RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(rows: &[&[f32]]) -> Listening {
        Listening { tokens: rows.iter().map(|row| row.to_vec()).collect() }
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
    fn a_pause_belongs_to_no_word() {
        let listened = listening(&[&[0.9, 0.8, 0.01, 0.01, 0.0, 0.0], &[0.0, 0.0, 0.0, 0.0, 0.9, 0.9]]);
        let path = listened.path();
        assert_eq!(listened.heard(&path, 0, 1), (0, 1));
        assert_eq!(listened.heard(&path, 1, 2), (4, 5));
    }

    #[test]
    fn more_tokens_than_rows_still_have_times_in_order() {
        let listened = listening(&[&[1.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[0.0, 1.0]]);
        let path = listened.path();
        assert_eq!(path.len(), 5);
        assert!(path.windows(2).all(|pair| pair[0] <= pair[1]), "{path:?}");
    }
}
