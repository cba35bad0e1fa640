//! A call's timeline: how the customer felt, who spoke when, and what happened on the line.

mod alerts;
mod bands;
mod content;
mod header;
mod lanes;
mod legend;
mod plane;

pub use crate::call::content::{Alert, AlertKind, CallChart, Fact, Keypress, Point, Span};
use crate::call::content::{GUTTER, MARGIN, WIDTH};

use crate::axis;
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;
use bands::Band;
use plane::Plane;

/// Lines across at round times, and the times below.
impl CallChart {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, &self.title, self.description());
        let plane = Plane::new(GUTTER, WIDTH - MARGIN, self.duration);
        let top = header::draw(&mut scene, self);
        let flags = alerts::place(&self.alerts, &plane, top);
        let top = flags.bottom;
        let bands = Band::stack(top);
        let lanes_top = bands.last().map_or(top, |band| band.area.bottom()) + 16.0;
        let lanes = lanes::Lanes::place(self, &plane, lanes_top);
        let whole = Area { x: plane.left, y: top, width: plane.width(), height: lanes.bottom() - top };

        for band in &bands {
            band.draw_ground(&mut scene, &plane);
        }
        lanes.draw_ground(&mut scene);
        grid(&mut scene, &plane, whole);
        lanes::shade(&mut scene, self, &plane, whole);
        flags.draw_lines(&mut scene, whole);
        for band in &bands {
            band.draw(&mut scene, &plane, self);
        }
        lanes.draw(&mut scene, &plane);
        flags.draw_flags(&mut scene);
        scene.height = legend::draw(&mut scene, self, &plane, whole.bottom() + 44.0) + MARGIN;
        scene
    }

    /// The picture in words.
    fn description(&self) -> String {
        let mut text = format!("Timeline of a call of {}.", axis::clock(self.duration.as_secs_f32()));
        for Fact { label, value } in &self.summary {
            text.push_str(&format!(" {label}: {value}."));
        }
        for Alert { at, label, .. } in &self.alerts {
            text.push_str(&format!(" At {}: {label}.", axis::clock(at.as_secs_f32())));
        }
        text
    }
}

fn grid(scene: &mut Scene, plane: &Plane, whole: Area) {
    const SIZE: f32 = 11.0;
    let baseline = whole.bottom() + 18.0;
    let widest = text::width(&axis::clock(plane.seconds), SIZE, Weight::Regular);
    for seconds in axis::time_marks(plane.seconds, plane.width(), (1.5 * widest + 14.0).max(76.0)) {
        let x = plane.x_of(seconds);
        scene.add(Mark::line([[x, whole.y], [x, whole.bottom()]]).stroke(Ink::Grid, 1.0));
        let anchor = if x > plane.right - 20.0 { Anchor::End } else { Anchor::Middle };
        let x = if anchor == Anchor::End { plane.right } else { x };
        scene.add(Mark::text(x, baseline, SIZE, axis::clock(seconds)).fill(Ink::Muted).anchor(anchor));
    }
    let unit = if plane.seconds < 3600.0 { "min:s" } else { "h:min:s" };
    let label = format!("Time ({unit})");
    scene.add(Mark::text(MARGIN, baseline, SIZE, label).fill(Ink::Muted));
}
