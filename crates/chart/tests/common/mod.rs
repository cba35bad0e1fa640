//! A chart's SVG, measured.
#![allow(dead_code)] // each test file uses its own part

use roxmltree::{Document, Node};

/// Where an element is drawn: left, top, right, bottom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds(pub(crate) [f32; 4]);

impl Bounds {
    fn around(points: impl IntoIterator<Item = [f32; 2]>) -> Self {
        let start = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
        Self(points.into_iter().fold(start, |[l, t, r, b], [x, y]| [l.min(x), t.min(y), r.max(x), b.max(y)]))
    }

    pub(crate) fn touches(&self, other: &Self) -> bool {
        let ([l, t, r, b], [ol, ot, or, ob]) = (self.0, other.0);
        l < or && ol < r && t < ob && ot < b
    }
}

fn number(node: Node<'_, '_>, name: &str) -> f32 {
    let text = node.attribute(name).unwrap_or_else(|| panic!("<{}> has no {name}", node.tag_name().name()));
    let number: f32 = text.parse().unwrap_or_else(|_| panic!("{name}={text}"));
    assert!(number.is_finite());
    number
}

/// Bounds of an element that draws; texts by the length that they are to be drawn in.
pub(crate) fn bounds(node: Node<'_, '_>) -> Option<Bounds> {
    Some(match node.tag_name().name() {
        "rect" => {
            let (x, y) = (
                node.attribute("x").map_or(0.0, |_| number(node, "x")),
                node.attribute("y").map_or(0.0, |_| number(node, "y")),
            );
            let (width, height) = (number(node, "width"), number(node, "height"));
            assert!(width >= 0.0 && height >= 0.0);
            Bounds([x, y, x + width, y + height])
        }
        "circle" => {
            let [x, y, r] = ["cx", "cy", "r"].map(|name| number(node, name));
            Bounds([x - r, y - r, x + r, y + r])
        }
        "polyline" | "polygon" => {
            let points = node.attribute("points").unwrap().split(' ').map(|pair| {
                let (x, y) = pair.split_once(',').unwrap();
                [x.parse().unwrap(), y.parse().unwrap()]
            });
            Bounds::around(points)
        }
        "text" => {
            let [x, y, size] = ["x", "y", "font-size"].map(|name| number(node, name));
            let width = node.attribute("textLength").map_or(0.6 * size, |_| number(node, "textLength"));
            let left = match node.attribute("text-anchor") {
                None => x,
                Some("middle") => x - width / 2.0,
                Some("end") => x - width,
                Some(other) => panic!("anchor {other}"),
            };
            // Between the height of capitals and a short descender.
            Bounds([left, y - 0.73 * size, left + width, y + 0.1 * size])
        }
        _ => return None,
    })
}

/// What a text element says, without its tip.
pub(crate) fn said(node: Node<'_, '_>) -> String {
    node.children().filter(Node::is_text).filter_map(|child| child.text()).collect()
}

/// What must hold of any drawing: well-formed, nothing that runs or loads, everything within the frame, and no text
/// over another. Gives the texts.
pub(crate) fn check(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let root = document.root_element();
    let (width, height) = (number(root, "width"), number(root, "height"));
    let mut texts: Vec<(String, Bounds)> = Vec::new();
    for node in root.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        let known = ["svg", "title", "desc", "style", "rect", "circle", "polyline", "polygon", "text"];
        assert!(known.contains(&name), "<{name}>");
        assert!(node.attributes().all(|a| !a.name().starts_with("on") && !a.name().contains("href")));
        let Some(bounds) = bounds(node) else { continue };
        let [left, top, right, bottom] = bounds.0;
        let inside = left >= -0.5 && top >= -0.5 && right <= width + 0.5 && bottom <= height + 0.5;
        assert!(inside, "<{name}> {:?} leaves {width} by {height}: {:?}", bounds, said(node));
        if name == "text" {
            let text = said(node);
            let over = texts.iter().find(|(_, other)| bounds.touches(other));
            assert!(over.is_none(), "{text:?} {bounds:?} over {over:?}");
            texts.push((text, bounds));
        }
    }
    texts.into_iter().map(|(text, _)| text).collect()
}
