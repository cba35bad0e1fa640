//! A scene as pixels.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint as Brush, Path, PathBuilder, Pixmap, StrokeDash, Transform,
};

use crate::scene::{Anchor, Area, Mark, Paint, Point, Scene, Shape, Stroke, Text};
use crate::text;
use crate::theme::{Ink, Theme};

/// More pixels than any screen shows.
const MOST_PIXELS: f32 = 64e6;

/// Why no image came of a scene.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// No pixels, or too many.
    #[error("an image of {width:.0} by {height:.0} pixels can't be drawn")]
    Size {
        /// Pixels across.
        width: f32,
        /// Pixels down.
        height: f32,
    },
    /// The image could not be packed.
    #[error("the image could not be encoded: {0}")]
    Encoding(String),
}

pub(crate) fn render(scene: &Scene, theme: Theme, scale: f32) -> Result<Vec<u8>, PngError> {
    let (width, height) = ((scene.width * scale).ceil(), (scene.height * scale).ceil());
    let drawable = width >= 1.0 && height >= 1.0 && width * height <= MOST_PIXELS;
    let pixmap = if drawable { Pixmap::new(width as u32, height as u32) } else { None };
    let mut canvas = Canvas {
        pixmap: pixmap.ok_or(PngError::Size { width, height })?,
        theme,
        transform: Transform::from_scale(scale, scale),
    };
    let [red, green, blue] = Ink::Ground.rgb(theme);
    canvas.pixmap.fill(Color::from_rgba8(red, green, blue, 255));
    for mark in &scene.marks {
        canvas.draw(mark);
    }
    canvas.pixmap.encode_png().map_err(|error| PngError::Encoding(error.to_string()))
}

struct Canvas {
    pixmap: Pixmap,
    theme: Theme,
    transform: Transform,
}

impl Canvas {
    fn draw(&mut self, mark: &Mark) {
        let path = match &mark.shape {
            Shape::Rect { area, radius } => rounded(*area, *radius),
            Shape::Circle { centre: [x, y], radius } => PathBuilder::from_circle(*x, *y, *radius),
            Shape::Line { points } => polyline(points, false),
            Shape::Polygon { points } => polyline(points, true),
            Shape::Text(text) => letters(text),
        };
        // Shapes without extent, or out of all bounds, have no path.
        let Some(path) = path else { return };
        if let Some(fill) = mark.fill {
            self.pixmap.fill_path(&path, &self.brush(fill), FillRule::Winding, self.transform, None);
        }
        if let Some(Stroke { paint, width, dash }) = mark.stroke {
            let stroke = tiny_skia::Stroke {
                width,
                line_cap: if dash.is_some() { LineCap::Butt } else { LineCap::Round },
                line_join: LineJoin::Round,
                dash: dash.and_then(|dash| StrokeDash::new(dash.to_vec(), 0.0)),
                ..tiny_skia::Stroke::default()
            };
            self.pixmap.stroke_path(&path, &self.brush(paint), &stroke, self.transform, None);
        }
    }

    fn brush(&self, paint: Paint) -> Brush<'static> {
        let [red, green, blue] = paint.ink.rgb(self.theme);
        let mut brush = Brush::default();
        brush.set_color_rgba8(red, green, blue, (paint.opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
        brush.anti_alias = true;
        brush
    }
}

/// A rectangle with round corners.
fn rounded(area: Area, radius: f32) -> Option<Path> {
    /// How far along a side the handle of a quarter circle stands.
    const HANDLE: f32 = 0.552_284_8;
    let Area { x, y, width, height } = area;
    let r = radius.min(width / 2.0).min(height / 2.0);
    if r <= 0.0 {
        return Some(PathBuilder::from_rect(tiny_skia::Rect::from_xywh(x, y, width, height)?));
    }
    let (right, bottom, k) = (x + width, y + height, r * (1.0 - HANDLE));
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - k, y, right, y + k, right, y + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.cubic_to(x + k, bottom, x, bottom - k, x, bottom - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + k, x + k, y, x + r, y);
    path.close();
    path.finish()
}

fn polyline(points: &[Point], close: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (&[x, y], rest) = points.split_first()?;
    path.move_to(x, y);
    for &[x, y] in rest {
        path.line_to(x, y);
    }
    if close {
        path.close();
    }
    path.finish()
}

fn letters(text: &Text) -> Option<Path> {
    let [x, _] = match text.anchor {
        Anchor::Start => text.at,
        Anchor::Middle | Anchor::End => text.extent(),
    };
    let [_, y] = text.at;
    let mut pen = Pen(PathBuilder::new());
    text::outline(&text.text, x, y, text.size, text.weight, &mut pen);
    pen.0.finish()
}

/// Lets the font draw on the canvas.
struct Pen(PathBuilder);

impl ttf_parser::OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}
