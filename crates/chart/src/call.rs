//! A call's timeline: how the customer felt, who spoke when, and what happened on the line.

mod alerts;
mod bands;
mod header;
mod lanes;
mod legend;
mod plane;

use std::time::Duration;

use crate::axis;
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;
use bands::Band;
use plane::Plane;

/// Pixels across.
const WIDTH: f32 = 1200.0;
/// Left of the plane, where the names of bands and lanes stand.
const GUTTER: f32 = 168.0;
/// Around everything.
const MARGIN: f32 = 24.0;

/// Everything that is drawn of one call. Times count from the call's beginning; what lies behind `duration` is drawn at
/// its end, what is no number is left out.
#[derive(Debug, Clone)]
pub struct CallChart {
    /// What call this is.
    pub title: String,
    /// More of it, in small letters: date, codec, source.
    pub subtitle: String,
    /// The names of the two parties, for the lanes of who speaks: by default customer and agent. An empty second name says
    /// that only one can be heard, and leaves its lane out.
    pub parties: [String; 2],
    /// How long the call was; of more than 100 hours, the first 100 are drawn.
    pub duration: Duration,
    /// The customer's affect over time, in order.
    pub customer: Vec<Point>,
    /// Where alerts for distress begin, in `[0, 1]`.
    pub threshold: Option<f32>,
    /// When the customer spoke.
    pub customer_speech: Vec<Span>,
    /// When the agent spoke. That is all that is drawn of the agent: conduct, no affect.
    pub agent_speech: Vec<Span>,
    /// When the call was on hold.
    pub holds: Vec<Span>,
    /// When an announcement was played.
    pub announcements: Vec<Span>,
    /// Keys that were pressed.
    pub dtmf: Vec<Keypress>,
    /// Alerts that were raised, in order.
    pub alerts: Vec<Alert>,
    /// The call in a few words.
    pub summary: Vec<Fact>,
}

impl Default for CallChart {
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: String::new(),
            parties: ["Customer".to_owned(), "Agent".to_owned()],
            duration: Duration::ZERO,
            customer: Vec::new(),
            threshold: None,
            customer_speech: Vec::new(),
            agent_speech: Vec::new(),
            holds: Vec::new(),
            announcements: Vec::new(),
            dtmf: Vec::new(),
            alerts: Vec::new(),
            summary: Vec::new(),
        }
    }
}

/// One estimate of the customer's affect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was made.
    pub at: Duration,
    /// Unpleasant to pleasant, in `[-1, 1]`.
    pub valence: f32,
    /// Calm to excited, in `[-1, 1]`.
    pub arousal: f32,
    /// In `[0, 1]`.
    pub distress: f32,
    /// In `[0, 1]`: drawn as opacity.
    pub confidence: f32,
    /// Whether the model declined to say; the other values don't count then.
    pub abstained: bool,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
}

/// A key pressed during the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypress {
    /// When.
    pub at: Duration,
    /// Which.
    pub key: char,
}

/// Something that called for attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// When.
    pub at: Duration,
    /// Which way things went.
    pub kind: AlertKind,
    /// What it says, in a word or two.
    pub label: String,
}

/// Which way things went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// Worse: a triangle upwards.
    Raised,
    /// Better again: a triangle downwards.
    Calmed,
    /// Neither: a dot.
    Notice,
}

/// One figure of the summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The figure, with its unit.
    pub value: String,
}

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

/// Lines across at round times, and the times below.
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
