//! Who spoke when, and what happened on the line.

use super::plane::{Plane, common};
use crate::axis;
use crate::call::content::{CallChart, Keypress, MARGIN, Span};
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const HEIGHT: f32 = 26.0;
/// Between the two parties: room for the mark that both speak.
const GAP: f32 = 8.0;
/// Turns nearer than this, in pixels, look like one.
const JOINED: f32 = 0.75;
/// More keys than this are no menu any more.
const MOST_KEYS: usize = 400;
/// Letters in the lowest lane.
const SIZE: f32 = 11.0;
/// The longest row of keys that is drawn in full.
const WIDEST_CAP: f32 = 120.0;

/// The lanes in their places.
pub(super) struct Lanes<'a> {
    chart: &'a CallChart,
    customer: Area,
    /// Missing where only one party can be heard.
    agent: Option<Area>,
    /// Holds, announcements and keys; only where there are any.
    line: Option<Area>,
}

impl<'a> Lanes<'a> {
    pub(super) fn place(chart: &'a CallChart, plane: &Plane, top: f32) -> Self {
        let lane = |y| Area { x: plane.left, y, width: plane.width(), height: HEIGHT };
        let customer = lane(top);
        let [_, second] = &chart.parties;
        let agent = (!second.is_empty()).then(|| lane(top + HEIGHT + GAP));
        let quiet = chart.holds.is_empty() && chart.announcements.is_empty() && chart.dtmf.is_empty();
        let line = (!quiet).then(|| lane(agent.unwrap_or(customer).bottom() + GAP));
        Self { chart, customer, agent, line }
    }

    /// Where the lowest lane ends.
    pub(super) fn bottom(&self) -> f32 {
        self.line.or(self.agent).unwrap_or(self.customer).bottom()
    }

    /// Grounds and names.
    pub(super) fn draw_ground(&self, scene: &mut Scene) {
        let [first, second] = self.chart.parties.clone().map(|party| format!("{party} speaks"));
        let lanes = [
            (Some(self.customer), first.as_str(), Ink::Customer),
            (self.agent, second.as_str(), Ink::Muted),
            (self.line, "On the line", Ink::Muted),
        ];
        for (area, name, ink) in lanes {
            let Some(area) = area else { continue };
            scene.add(Mark::rect(area).round(5.0).fill(Ink::Panel));
            let [_, middle] = area.middle();
            let room = area.x - MARGIN - 6.0;
            scene.add(Mark::text(MARGIN, middle + 4.5, 13.0, name).bold().fill(ink).fit(room));
        }
    }

    /// What is in them.
    pub(super) fn draw(&self, scene: &mut Scene, plane: &Plane) {
        let customer = plane.ranges(&self.chart.customer_speech, JOINED);
        let agent = plane.ranges(&self.chart.agent_speech, JOINED);
        for (ranges, lane, ink) in
            [(&customer, Some(self.customer), Ink::Customer), (&agent, self.agent, Ink::Agent)]
        {
            let Some(lane) = lane else { continue };
            for [from, to] in ranges {
                let area = Area { x: *from, y: lane.y + 4.0, width: to - from, height: lane.height - 8.0 };
                scene.add(Mark::rect(area).round(3.0).fill(ink));
            }
        }
        let both = common(&self.chart.customer_speech, &self.chart.agent_speech);
        for [from, to] in plane.ranges(&both, JOINED) {
            let y = self.customer.bottom() + GAP / 2.0 - 1.5;
            let area = Area { x: from, y, width: to - from, height: 3.0 };
            scene.add(Mark::rect(area).fill(Ink::Text).tip("both speak"));
        }
        if let Some(lane) = self.line {
            self.draw_line(scene, plane, lane);
        }
    }

    fn draw_line(&self, scene: &mut Scene, plane: &Plane, lane: Area) {
        let inner = Area { y: lane.y + 4.0, height: lane.height - 8.0, ..lane };
        let caps = caps(&self.chart.dtmf, plane);
        let mut taken: Vec<[f32; 2]> = caps.iter().map(Cap::extent).collect();
        let kinds = [
            (&self.chart.holds, Ink::Hold, "hold"),
            (&self.chart.announcements, Ink::Announcement, "announcement"),
        ];
        for (spans, ink, name) in kinds {
            let half = text::width(name, SIZE, Weight::Regular) / 2.0;
            for [from, to] in plane.ranges(spans, JOINED) {
                let area = Area { x: from, width: to - from, ..inner };
                let tip = format!("{name}, {}", axis::clock((area.width / plane.scale()).round()));
                scene.add(Mark::rect(area).round(3.0).wash(ink, 0.45).tip(tip));
                let [x, middle] = area.middle();
                let label = [x - half, x + half];
                let free = !taken.iter().any(|other| label[0] < other[1] + 2.0 && other[0] < label[1] + 2.0);
                if free && 2.0 * half + 8.0 <= area.width {
                    scene.add(Mark::text(x, middle + 4.0, SIZE, name).anchor(Anchor::Middle));
                    taken.push(label);
                }
            }
        }
        for cap in caps {
            let [from, to] = cap.extent();
            let area = Area { x: from, width: to - from, ..inner };
            let [x, middle] = area.middle();
            let tip = format!("{} keys {}", axis::clock(cap.at), cap.keys);
            scene.add(Mark::rect(area).round(3.0).fill(Ink::Ground).stroke(Ink::Text, 1.0).tip(tip));
            scene.add(Mark::text(x, middle + 4.0, SIZE, cap.label()).bold().anchor(Anchor::Middle));
        }
    }
}

/// Keys that were pressed so shortly after one another that they are drawn together.
struct Cap {
    at: f32,
    x: f32,
    keys: String,
    right: f32,
}

impl Cap {
    fn label(&self) -> String {
        text::fit(&self.keys, SIZE, Weight::SemiBold, WIDEST_CAP - 8.0)
    }

    /// From its left to its right end.
    fn extent(&self) -> [f32; 2] {
        let width = (text::width(&self.label(), SIZE, Weight::SemiBold) + 8.0).max(16.0);
        let left = (self.x - 8.0).min(self.right - width);
        [left, left + width]
    }
}

/// Keys in caps that don't touch.
fn caps(keys: &[Keypress], plane: &Plane) -> Vec<Cap> {
    let mut keys: Vec<&Keypress> = keys.iter().take(MOST_KEYS).collect();
    keys.sort_by_key(|press| press.at);
    let mut caps: Vec<Cap> = Vec::new();
    for Keypress { at, key } in keys {
        let alone = Cap {
            at: at.as_secs_f32(),
            x: plane.x(*at).max(plane.left + 8.0),
            keys: key.to_string(),
            right: plane.right,
        };
        caps.push(alone);
        // A cap that grows at the right end moves to the left, maybe onto the one before it.
        while let [.., before, last] = caps.as_mut_slice()
            && last.extent()[0] < before.extent()[1] + 3.0
        {
            before.keys.push_str(&last.keys);
            caps.pop();
        }
    }
    caps
}

/// Shades the whole height of what is drawn where the parties could not hear each other as usual.
pub(super) fn shade(scene: &mut Scene, chart: &CallChart, plane: &Plane, whole: Area) {
    let kinds: [(&[Span], Ink, f32); 2] =
        [(&chart.holds, Ink::Hold, 0.16), (&chart.announcements, Ink::Announcement, 0.10)];
    for (spans, ink, opacity) in kinds {
        for [from, to] in plane.ranges(spans, JOINED) {
            let area = Area { x: from, width: to - from, ..whole };
            scene.add(Mark::rect(area).wash(ink, opacity));
        }
    }
}
