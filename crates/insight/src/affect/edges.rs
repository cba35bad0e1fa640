//! Sentiment at the two ends of a call, and its lowest and highest points.

use std::collections::VecDeque;
use std::time::Duration;

use crate::number::{round3, whole};
use crate::summary::{Moment, Sentiment};

/// Samples are gathered into pieces of at least this much speech, which bounds how many are held.
const PIECE: Duration = Duration::from_millis(250);
/// Less speech than this has no sentiment worth telling.
const LEAST: Duration = Duration::from_secs(2);

/// Raw valence of the first and of the last seconds of speech, and the extremes of the smoothed one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edges {
    first: Vec<Piece>,
    first_speech: Duration,
    last: VecDeque<Piece>,
    last_speech: Duration,
    speech: Duration,
    lowest: Option<(Duration, f32)>,
    highest: Option<(Duration, f32)>,
}

/// Some speech with its weighted valence.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    span: Duration,
    weight: f32,
    sum: f32,
}

impl Edges {
    pub(crate) fn take(
        &mut self,
        at: Duration,
        span: Duration,
        valence: f32,
        weight: f32,
        smoothed: f32,
        edge: Duration,
    ) {
        let new =
            Piece { span, weight: weight * span.as_secs_f32(), sum: valence * weight * span.as_secs_f32() };
        self.speech += span;
        if self.first_speech < edge {
            self.first_speech += span;
            add(self.first.last_mut(), new).into_iter().for_each(|piece| self.first.push(piece));
        }
        self.last_speech += span;
        add(self.last.back_mut(), new).into_iter().for_each(|piece| self.last.push_back(piece));
        while let Some(oldest) = self.last.front() {
            let without = self.last_speech.saturating_sub(oldest.span);
            if without < edge {
                break;
            }
            self.last_speech = without;
            self.last.pop_front();
        }
        if self.speech >= LEAST {
            if self.lowest.is_none_or(|(_, lowest)| smoothed < lowest) {
                self.lowest = Some((at, smoothed));
            }
            if self.highest.is_none_or(|(_, highest)| smoothed > highest) {
                self.highest = Some((at, smoothed));
            }
        }
    }

    /// The call's sentiment; a call with less than two edges of speech is compared half with half.
    pub(crate) fn sentiment(&self, edge: Duration) -> Option<Sentiment> {
        let (lowest, highest) = (self.lowest?, self.highest?);
        let edge = edge.min(self.speech / 2);
        let start = round3(mean(self.first.iter(), edge)?);
        let end = round3(mean(self.last.iter().rev(), edge)?);
        let moment = |(at, valence)| Moment { at: whole(at), valence: round3(valence) };
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

/// Adds `new` to the piece before it, or gives it back if that one is full.
fn add(before: Option<&mut Piece>, new: Piece) -> Option<Piece> {
    match before {
        Some(piece) if piece.span < PIECE => {
            piece.span += new.span;
            piece.weight += new.weight;
            piece.sum += new.sum;
            None
        }
        _ => Some(new),
    }
}

fn mean<'a>(pieces: impl Iterator<Item = &'a Piece>, edge: Duration) -> Option<f32> {
    let (mut span, mut weight, mut sum) = (Duration::ZERO, 0.0, 0.0);
    for piece in pieces {
        if span >= edge && !span.is_zero() {
            break;
        }
        span += piece.span;
        weight += piece.weight;
        sum += piece.sum;
    }
    (weight > 0.0).then(|| sum / weight)
}
