//! Time across the page.

use std::time::Duration;

use crate::call::content::Span;

/// The longest call that is drawn to its end, in seconds.
const LONGEST: f32 = 100.0 * 3600.0;

/// Where times stand between left and right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    pub(super) left: f32,
    pub(super) right: f32,
    /// What the whole width shows: a second at least, and [`LONGEST`] at most.
    pub(super) seconds: f32,
}

impl Plane {
    pub(super) fn new(left: f32, right: f32, duration: Duration) -> Self {
        Self { left, right, seconds: duration.as_secs_f32().clamp(1.0, LONGEST) }
    }

    pub(super) fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Pixels a second.
    pub(super) fn scale(&self) -> f32 {
        self.width() / self.seconds
    }

    pub(super) fn x_of(&self, seconds: f32) -> f32 {
        (self.left + seconds * self.scale()).clamp(self.left, self.right)
    }

    pub(super) fn x(&self, at: Duration) -> f32 {
        self.x_of(at.as_secs_f32())
    }

    /// Spans as ranges of pixels, in order; those nearer than `joined` pixels to each other become one, and each is
    /// at least a pixel wide: an hour of turns stays as few shapes as there is room for.
    pub(super) fn ranges(&self, spans: &[Span], joined: f32) -> Vec<[f32; 2]> {
        let mut ranges: Vec<[f32; 2]> = spans
            .iter()
            .filter(|span| span.to > span.from)
            .map(|span| {
                let from = self.x(span.from).min(self.right - 1.0);
                [from, self.x(span.to).max(from + 1.0)]
            })
            .collect();
        ranges.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let mut merged: Vec<[f32; 2]> = Vec::new();
        for [from, to] in ranges {
            match merged.last_mut() {
                Some([_, end]) if from - *end < joined => *end = end.max(to),
                _ => merged.push([from, to]),
            }
        }
        merged
    }
}

/// When spans of both lists run at once.
pub(super) fn common(a: &[Span], b: &[Span]) -> Vec<Span> {
    let sorted = |spans: &[Span]| {
        let mut spans = spans.to_vec();
        spans.sort_unstable_by_key(|span| (span.from, span.to));
        spans
    };
    let (a, b) = (sorted(a), sorted(b));
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(one), Some(other)) = (a.peek(), b.peek()) {
        let (from, to) = (one.from.max(other.from), one.to.min(other.to));
        if to > from {
            both.push(Span { from, to });
        }
        if one.to < other.to {
            a.next();
        } else {
            b.next();
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_spans_become_one_and_short_ones_stay_visible() {
        let plane = Plane::new(0.0, 1000.0, Duration::from_secs(1000));
        let span = |from, to| Span { from: Duration::from_millis(from), to: Duration::from_millis(to) };
        let spans = [
            span(5_000, 5_010),
            span(1_000, 2_000),
            span(2_500, 4_000),
            span(9, 9),
            span(2_000_000, 3_000_000),
        ];
        assert_eq!(plane.ranges(&spans, 0.75), [[1.0, 4.0], [5.0, 6.0], [999.0, 1000.0]]);
    }

    #[test]
    fn common_parts() {
        let spans = |ranges: &[[u64; 2]]| -> Vec<Span> {
            ranges
                .iter()
                .map(|range| range.map(Duration::from_secs))
                .map(|[from, to]| Span { from, to })
                .collect()
        };
        let both = common(&spans(&[[6, 19], [0, 4]]), &spans(&[[3, 7], [8, 9], [20, 22]]));
        assert_eq!(both, spans(&[[3, 4], [6, 7], [8, 9]]));
    }
}
