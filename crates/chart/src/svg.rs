//! A scene as SVG 1.1 with CSS: every reader shows the light colours, those that know `prefers-color-scheme` the dark
//! ones where they are wanted.

use std::fmt::Write as _;

use crate::scene::{Anchor, Mark, Paint, Point, Scene, Shape, Stroke, Text};
use crate::text;
use crate::theme::{Ink, Theme};

/// Where Inter is missing, what comes nearest on each system.
const FONTS: &str =
    "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";

pub(crate) fn render(scene: &Scene) -> String {
    let (width, height) = (Number(scene.width), Number(scene.height));
    let mut out = String::with_capacity(64 * 1024);
    out.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\" ");
    let _ = write!(out, "viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" ");
    let _ = write!(out, "role=\"img\" aria-labelledby=\"t d\" font-family=\"{FONTS}\">");
    let _ = writeln!(out, "<title id=\"t\">{}</title>", Escaped(&scene.title));
    let _ = writeln!(out, "<desc id=\"d\">{}</desc>", Escaped(&scene.description));
    style_sheet(&mut out);
    let ground = paint(Paint { ink: Ink::Ground, opacity: 1.0 }, "fill");
    let _ = writeln!(out, "<rect width=\"{width}\" height=\"{height}\" {ground}/>");
    for mark in &scene.marks {
        write_mark(&mut out, mark);
    }
    out.push_str("</svg>\n");
    out
}

/// The dark colours; the light ones stand in the elements.
fn style_sheet(out: &mut String) {
    out.push_str("<style>@media (prefers-color-scheme:dark){");
    for ink in Ink::ALL {
        let (name, colour) = (ink.name(), hex(ink, Theme::Dark));
        let _ = write!(out, ".f-{name}{{fill:{colour}}}.s-{name}{{stroke:{colour}}}");
    }
    out.push_str("}</style>\n");
}

fn write_mark(out: &mut String, mark: &Mark) {
    let (name, geometry) = match &mark.shape {
        Shape::Rect { area, radius } => {
            let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(Number);
            let radius = if *radius > 0.0 { format!(" rx=\"{}\"", Number(*radius)) } else { String::new() };
            ("rect", format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{radius}"))
        }
        Shape::Circle { centre: [x, y], radius } => {
            let [x, y, radius] = [*x, *y, *radius].map(Number);
            ("circle", format!("cx=\"{x}\" cy=\"{y}\" r=\"{radius}\""))
        }
        Shape::Line { points } => ("polyline", format!("points=\"{}\"", Points(points))),
        Shape::Polygon { points } => ("polygon", format!("points=\"{}\"", Points(points))),
        Shape::Text(text) => ("text", text_attributes(text)),
    };
    let _ = write!(out, "<{name} {geometry}{}", look(mark));
    let content = match &mark.shape {
        Shape::Text(text) => text.text.as_str(),
        _ => "",
    };
    if content.is_empty() && mark.tip.is_none() {
        out.push_str("/>\n");
        return;
    }
    out.push('>');
    if let Some(tip) = &mark.tip {
        let _ = write!(out, "<title>{}</title>", Escaped(tip));
    }
    let _ = writeln!(out, "{}</{name}>", Escaped(content));
}

/// Fill and stroke.
fn look(mark: &Mark) -> String {
    let mut classes = Vec::new();
    let mut attributes = String::new();
    if let Some(fill) = mark.fill {
        classes.push(format!("f-{}", fill.ink.name()));
        let _ = write!(attributes, " {}", colour(fill, "fill"));
    } else {
        attributes.push_str(" fill=\"none\"");
    }
    if let Some(Stroke { paint, width, dash }) = mark.stroke {
        classes.push(format!("s-{}", paint.ink.name()));
        let _ = write!(attributes, " {} stroke-width=\"{}\"", colour(paint, "stroke"), Number(width));
        if let Some([dash, gap]) = dash {
            let _ = write!(attributes, " stroke-dasharray=\"{} {}\"", Number(dash), Number(gap));
        } else if matches!(mark.shape, Shape::Line { .. }) {
            attributes.push_str(" stroke-linejoin=\"round\" stroke-linecap=\"round\"");
        }
    }
    format!(" class=\"{}\"{attributes}", classes.join(" "))
}

fn text_attributes(text: &Text) -> String {
    let [x, y] = text.at.map(Number);
    let mut attributes = format!("x=\"{x}\" y=\"{y}\" font-size=\"{}\"", Number(text.size));
    if text.weight != text::Weight::Regular {
        let _ = write!(attributes, " font-weight=\"{}\"", text.weight.css());
    }
    match text.anchor {
        Anchor::Start => {}
        Anchor::Middle => attributes.push_str(" text-anchor=\"middle\""),
        Anchor::End => attributes.push_str(" text-anchor=\"end\""),
    }
    // With whatever font it is shown, a text takes the room that was kept for it.
    if text.text.chars().nth(1).is_some() && text::is_covered(&text.text, text.weight) {
        let width = Number(text::width(&text.text, text.size, text.weight));
        let _ = write!(attributes, " textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\"");
    }
    attributes
}

/// Class and colour in one, for what isn't a mark.
fn paint(paint: Paint, kind: &str) -> String {
    let initial = kind.get(..1).unwrap_or_default();
    format!("class=\"{initial}-{}\" {}", paint.ink.name(), colour(paint, kind))
}

fn colour(paint: Paint, kind: &str) -> String {
    let mut attribute = format!("{kind}=\"{}\"", hex(paint.ink, Theme::Light));
    if paint.opacity < 1.0 {
        let _ = write!(attribute, " {kind}-opacity=\"{}\"", Number(paint.opacity));
    }
    attribute
}

fn hex(ink: Ink, theme: Theme) -> String {
    let [red, green, blue] = ink.rgb(theme);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A number as short as two decimals allow; what is no number is 0.
struct Number(f32);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.0.is_finite() {
            return f.write_str("0");
        }
        let text = format!("{:.2}", self.0);
        match text.trim_end_matches('0').trim_end_matches('.') {
            "-0" | "" => f.write_str("0"),
            short => f.write_str(short),
        }
    }
}

struct Points<'a>(&'a [Point]);

impl std::fmt::Display for Points<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, [x, y]) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{},{}", Number(*x), Number(*y))?;
        }
        Ok(())
    }
}

/// Text as XML 1.0 allows it: markup escaped, and characters that no document may hold replaced.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                '\0'..='\x1F' | '\x7F' | '\u{FFFE}' | '\u{FFFF}' => f.write_char('\u{FFFD}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
