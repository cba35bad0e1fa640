//! Letters: how wide they are, and their outlines. The font is a cut of Inter (see `fonts/README.md`).

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

static REGULAR: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(include_bytes!("../fonts/Inter-Regular-subset.otf"), 0).ok());
static SEMI_BOLD: LazyLock<Option<Face<'static>>> =
    LazyLock::new(|| Face::parse(include_bytes!("../fonts/Inter-SemiBold-subset.otf"), 0).ok());

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

impl Weight {
    /// As CSS counts it.
    pub(crate) fn css(self) -> u16 {
        match self {
            Self::Regular => 400,
            Self::SemiBold => 600,
        }
    }

    fn face(self) -> Option<&'static Face<'static>> {
        match self {
            Self::Regular => REGULAR.as_ref(),
            Self::SemiBold => SEMI_BOLD.as_ref(),
        }
    }
}

/// The height of capitals, as a part of the size.
pub(crate) const CAPITALS: f32 = 0.727;

/// How wide `text` is.
pub(crate) fn width(text: &str, size: f32, weight: Weight) -> f32 {
    text.chars().map(|letter| advance(letter, weight)).sum::<f32>() * size
}

/// Whether the font has every letter of `text`, so that [`width`] is exact.
pub(crate) fn is_covered(text: &str, weight: Weight) -> bool {
    text.chars().all(|letter| glyph(letter, weight).is_some())
}

/// `text`, cut and marked with an ellipsis if it is wider than `most`.
pub(crate) fn fit(text: &str, size: f32, weight: Weight, most: f32) -> String {
    if width(text, size, weight) <= most {
        return text.to_owned();
    }
    let mut left = most / size - advance('…', weight);
    let mut cut: String = text
        .chars()
        .take_while(|letter| {
            left -= advance(*letter, weight);
            left >= 0.0
        })
        .collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Draws the outlines of `text` into `pen`, beginning at a point of its baseline.
pub(crate) fn outline(text: &str, x: f32, y: f32, size: f32, weight: Weight, pen: &mut dyn OutlineBuilder) {
    let Some(face) = weight.face() else { return };
    let scale = size / f32::from(face.units_per_em());
    let mut pen = Placed { x, y, scale, pen };
    for letter in text.chars() {
        if let Some(glyph) = glyph(letter, weight).or_else(|| glyph('\u{FFFD}', weight)) {
            face.outline_glyph(glyph, &mut pen);
        }
        pen.x += advance(letter, weight) * size;
    }
}

/// How far to go on after a letter, as a part of the size; an estimate for what the font doesn't have.
fn advance(letter: char, weight: Weight) -> f32 {
    const FULL_WIDTH: std::ops::RangeInclusive<char> = '\u{1100}'..='\u{10FFFF}';
    let known = weight.face().zip(glyph(letter, weight)).and_then(|(face, glyph)| {
        Some(f32::from(face.glyph_hor_advance(glyph)?) / f32::from(face.units_per_em()))
    });
    known.unwrap_or(if FULL_WIDTH.contains(&letter) { 1.0 } else { 0.6 })
}

fn glyph(letter: char, weight: Weight) -> Option<GlyphId> {
    weight.face()?.glyph_index(letter)
}

/// Moves outlines to where they belong; fonts count upwards.
struct Placed<'a> {
    x: f32,
    y: f32,
    scale: f32,
    pen: &'a mut dyn OutlineBuilder,
}

impl Placed<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, self.y - y * self.scale)
    }
}

impl OutlineBuilder for Placed<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.curve_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_have_what_charts_write() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            assert!(is_covered("Valence −1.00 ± 0.5 % · µ-law → “Ärger” …", weight));
            assert!(is_covered("Привет ▲▼●", weight));
            assert!(!is_covered("通話", weight));
        }
    }

    #[test]
    fn semi_bold_is_wider_and_widths_scale() {
        let regular = width("Distress", 10.0, Weight::Regular);
        assert!((30.0..60.0).contains(&regular));
        assert!(width("Distress", 10.0, Weight::SemiBold) > regular);
        assert!((width("Distress", 20.0, Weight::Regular) - 2.0 * regular).abs() < 1e-3);
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        assert_eq!(fit("short", 10.0, Weight::Regular, 100.0), "short");
        let cut = fit("a rather long title that has no place", 10.0, Weight::Regular, 100.0);
        assert!(cut.ends_with('…') && cut.starts_with("a rather"));
        assert!(width(&cut, 10.0, Weight::Regular) <= 100.0);
        assert_eq!(fit("anything", 10.0, Weight::Regular, 0.0), "…");
    }
}
