//! What is drawn: shapes and text on a plane measured in pixels, before any file format.

use crate::png::{self, PngError};
use crate::svg;
use crate::text::{self, Weight};
use crate::theme::{Ink, Theme};

/// A finished drawing.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(crate) width: f32,
    pub(crate) height: f32,
    /// Read out by screen readers.
    pub(crate) title: String,
    /// Likewise.
    pub(crate) description: String,
    pub(crate) marks: Vec<Mark>,
}

impl Scene {
    /// An empty plane.
    pub(crate) fn new(width: f32, title: &str, description: String) -> Self {
        Self { width, height: 0.0, title: title.to_owned(), description, marks: Vec::new() }
    }

    pub(crate) fn add(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Width, in pixels at scale 1.
    pub fn width(&self) -> f32 {
        self.width
    }

    /// Height, in pixels at scale 1.
    pub fn height(&self) -> f32 {
        self.height
    }

    /// As a self-contained SVG document: no scripts, no references; it follows the reader's preference for a light or
    /// dark ground.
    pub fn svg(&self) -> String {
        svg::render(self)
    }

    /// As a PNG image, `scale` times as large as [`Scene::width`] and [`Scene::height`] say (2 for sharp screens).
    ///
    /// # Errors
    /// When `scale` asks for no pixels or more than 64 million.
    pub fn png(&self, theme: Theme, scale: f32) -> Result<Vec<u8>, PngError> {
        png::render(self, theme, scale)
    }
}

/// A point: right and down from the upper left corner.
pub(crate) type Point = [f32; 2];

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

impl Area {
    pub(crate) fn right(&self) -> f32 {
        self.x + self.width
    }

    pub(crate) fn bottom(&self) -> f32 {
        self.y + self.height
    }

    pub(crate) fn middle(&self) -> Point {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    /// Where `value` of `low..=high` stands, upwards from the bottom.
    pub(crate) fn up(&self, value: f32, low: f32, high: f32) -> f32 {
        self.bottom() - (value - low) / (high - low) * self.height
    }
}

/// One shape or text.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) shape: Shape,
    pub(crate) fill: Option<Paint>,
    pub(crate) stroke: Option<Stroke>,
    /// Shown when the pointer rests on it.
    pub(crate) tip: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Rect { area: Area, radius: f32 },
    Circle { centre: Point, radius: f32 },
    Line { points: Vec<Point> },
    Polygon { points: Vec<Point> },
    Text(Text),
}

#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// On the baseline.
    pub(crate) at: Point,
    pub(crate) text: String,
    pub(crate) size: f32,
    pub(crate) weight: Weight,
    pub(crate) anchor: Anchor,
}

/// Which part of a text its point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    pub(crate) ink: Ink,
    pub(crate) opacity: f32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) paint: Paint,
    pub(crate) width: f32,
    /// Lengths of dashes and of the gaps between them.
    pub(crate) dash: Option<[f32; 2]>,
}

impl Mark {
    fn of(shape: Shape) -> Self {
        Self { shape, fill: None, stroke: None, tip: None }
    }

    pub(crate) fn rect(area: Area) -> Self {
        Self::of(Shape::Rect { area, radius: 0.0 })
    }

    pub(crate) fn circle(centre: Point, radius: f32) -> Self {
        Self::of(Shape::Circle { centre, radius })
    }

    /// An open line through `points`.
    pub(crate) fn line(points: impl Into<Vec<Point>>) -> Self {
        Self::of(Shape::Line { points: points.into() })
    }

    pub(crate) fn polygon(points: impl Into<Vec<Point>>) -> Self {
        Self::of(Shape::Polygon { points: points.into() })
    }

    /// Text that begins at a point of its baseline: regular, black.
    pub(crate) fn text(x: f32, y: f32, size: f32, text: impl Into<String>) -> Self {
        let text =
            Text { at: [x, y], text: text.into(), size, weight: Weight::Regular, anchor: Anchor::Start };
        Self::of(Shape::Text(text)).fill(Ink::Text)
    }

    pub(crate) fn fill(self, ink: Ink) -> Self {
        self.wash(ink, 1.0)
    }

    /// A fill that lets through what is under it.
    pub(crate) fn wash(self, ink: Ink, opacity: f32) -> Self {
        Self { fill: Some(Paint { ink, opacity }), ..self }
    }

    pub(crate) fn stroke(self, ink: Ink, width: f32) -> Self {
        self.faint_stroke(ink, width, 1.0)
    }

    pub(crate) fn faint_stroke(self, ink: Ink, width: f32, opacity: f32) -> Self {
        Self { stroke: Some(Stroke { paint: Paint { ink, opacity }, width, dash: None }), ..self }
    }

    pub(crate) fn dashed(mut self, dash: f32, gap: f32) -> Self {
        if let Some(stroke) = &mut self.stroke {
            stroke.dash = Some([dash, gap]);
        }
        self
    }

    pub(crate) fn round(mut self, corner: f32) -> Self {
        if let Shape::Rect { radius, .. } = &mut self.shape {
            *radius = corner;
        }
        self
    }

    pub(crate) fn bold(mut self) -> Self {
        if let Shape::Text(text) = &mut self.shape {
            text.weight = Weight::SemiBold;
        }
        self
    }

    pub(crate) fn anchor(mut self, anchor: Anchor) -> Self {
        if let Shape::Text(text) = &mut self.shape {
            text.anchor = anchor;
        }
        self
    }

    pub(crate) fn tip(self, tip: impl Into<String>) -> Self {
        Self { tip: Some(tip.into()), ..self }
    }

    /// Shortens a text with an ellipsis until it is no wider than `width`.
    pub(crate) fn fit(mut self, width: f32) -> Self {
        if let Shape::Text(text) = &mut self.shape {
            text.text = text::fit(&text.text, text.size, text.weight, width);
        }
        self
    }
}

impl Text {
    /// From its left to its right end.
    pub(crate) fn extent(&self) -> [f32; 2] {
        let width = text::width(&self.text, self.size, self.weight);
        let [x, _] = self.at;
        match self.anchor {
            Anchor::Start => [x, x + width],
            Anchor::Middle => [x - width / 2.0, x + width / 2.0],
            Anchor::End => [x - width, x],
        }
    }
}
