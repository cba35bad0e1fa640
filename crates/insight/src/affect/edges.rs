//! Sentiment at the two ends of a call, and its lowest and highest points.
//!
//! All four are of one line: the smoothed valence that each update tells and a drawing shows. So the ends lie between
//! the lowest and the highest point, and whoever looks at the drawing finds all of them in it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::number::{round3, whole};
use crate::summary::{Moment, Sentiment};

/// Updates held for an end of the call. They come a second of speech apart, and with alerts in between.
const MOST_PIECES: usize = 64;
/// Less speech than this has no sentiment worth telling.
const LEAST: Duration = Duration::from_secs(2);

/// Valence of the first and of the last seconds of speech, and the extremes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Edges {
    first: Vec<Piece>,
    first_speech: Duration,
    last: VecDeque<Piece>,
    last_speech: Duration,
    speech: Duration,
    lowest: Option<(Duration, f32)>,
    highest: Option<(Duration, f32)>,
}

/// Some speech with the valence that was told of it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Piece {
    span: Duration,
    valence: f32,
}

impl Edges {
    /// Takes the valence that an update tells at `at`, of the speech since the update before.
    pub(crate) fn take(&mut self, at: Duration, span: Duration, valence: f32, edge: Duration) {
        let piece = Piece { span, valence };
        self.speech += span;
        if self.first_speech < edge && self.first.len() < MOST_PIECES {
            self.first_speech += span;
            self.first.push(piece);
        }
        self.last_speech += span;
        self.last.push_back(piece);
        while let Some(oldest) = self.last.front() {
            let without = self.last_speech.saturating_sub(oldest.span);
            if without < edge && self.last.len() <= MOST_PIECES {
                break;
            }
            self.last_speech = without;
            self.last.pop_front();
        }
        if self.lowest.is_none_or(|(_, lowest)| valence < lowest) {
            self.lowest = Some((at, valence));
        }
        if self.highest.is_none_or(|(_, highest)| valence > highest) {
            self.highest = Some((at, valence));
        }
    }

    /// The call's sentiment; a call with less than two edges of speech is compared half with half.
    pub(crate) fn sentiment(&self, edge: Duration) -> Option<Sentiment> {
        let (lowest, highest) = (self.lowest?, self.highest?);
        if self.speech < LEAST {
            return None;
        }
        let edge = edge.min(self.speech / 2);
        let start = round3(mean(self.first.iter(), edge)?);
        let end = round3(mean(self.last.iter().rev(), edge)?);
        let moment = |(at, valence)| Moment { at: whole(at), valence };
        Some(Sentiment {
            start,
            end,
            shift: round3(end - start),
            lowest: moment(lowest),
            highest: moment(highest),
        })
    }

    pub(crate) fn held(&self) -> usize {
        self.first.len() + self.last.len()
    }
}

fn mean<'a>(pieces: impl Iterator<Item = &'a Piece>, edge: Duration) -> Option<f32> {
    let (mut span, mut sum) = (Duration::ZERO, 0.0);
    for piece in pieces {
        if span >= edge && !span.is_zero() {
            break;
        }
        span += piece.span;
        sum += piece.valence * piece.span.as_secs_f32();
    }
    (!span.is_zero()).then(|| sum / span.as_secs_f32())
}
