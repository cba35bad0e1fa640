//! Figures side by side, with their confidence intervals.

use super::frame::{self, MARGIN, SMALL, Scale};
use crate::scene::{Anchor, Area, Mark, Scene};
use crate::text::{self, Weight};
use crate::theme::Ink;

const WIDTH: f32 = 720.0;
const BAR: f32 = 18.0;
const BAR_GAP: f32 = 4.0;
const GROUP_GAP: f32 = 18.0;
/// Right of the plane, for the numbers.
const NUMBERS: f32 = 116.0;
/// More groups than this belong in a table.
const MOST_GROUPS: usize = 60;

/// Bars in groups, a bar for each series.
#[derive(Debug, Clone, Default)]
pub struct Bars {
    /// What is compared.
    pub title: String,
    /// A line below the title: what the intervals are.
    pub note: String,
    /// What the bars measure, with its unit.
    pub measure: String,
    /// Where the scale ends; the largest value if none is given.
    pub most: Option<f32>,
    /// What is compared within each group, in the order of the bars.
    pub series: Vec<String>,
    /// The groups.
    pub groups: Vec<Group>,
}

/// Bars that belong together.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// What they are of.
    pub label: String,
    /// A bar for each series; none where it has no value.
    pub bars: Vec<Option<Bar>>,
    /// A value to be reached: drawn as a mark across the group.
    pub target: Option<f32>,
}

/// One value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bar {
    /// The value itself, from 0 upwards.
    pub value: f32,
    /// The lower and upper end of its confidence interval.
    pub interval: Option<[f32; 2]>,
}

impl Bars {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, &self.title, self.description());
        let mut top = frame::heading(&mut scene, &self.title, &self.note) + 8.0;
        let names: Vec<&str> = self.series.iter().map(String::as_str).collect();
        if names.len() > 1 {
            top = frame::series(&mut scene, &names, top + 10.0) + 8.0;
        }
        let groups = || self.groups.iter().take(MOST_GROUPS);
        let widest = groups()
            .map(|group| text::width(&group.label, 12.0, Weight::Regular))
            .fold(60.0, f32::max)
            .min(220.0);
        let x = MARGIN + widest + 12.0;
        let total = groups().map(height).sum::<f32>().max(BAR);
        let area = Area { x, y: top, width: WIDTH - MARGIN - NUMBERS - x, height: total };
        scene.add(Mark::rect(area).round(4.0).fill(Ink::Panel));
        let most = self.most();
        frame::scale_across(&mut scene, area, &Scale { name: &self.measure, low: 0.0, high: most });
        let mut y = top;
        for group in groups() {
            let area = Area { y, height: height(group), ..area };
            let label = Mark::text(x - 12.0, area.middle()[1] + 4.0, 12.0, &group.label);
            scene.add(label.anchor(Anchor::End).fit(widest));
            draw_group(&mut scene, group, area, most);
            y = area.bottom();
        }
        scene.height = top + total + 38.0 + MARGIN;
        scene
    }

    fn most(&self) -> f32 {
        let given = self.most.filter(|most| most.is_finite() && *most > 0.0);
        given.unwrap_or_else(|| {
            let bars = self.groups.iter().flat_map(|group| group.bars.iter().flatten());
            let ends = bars.flat_map(|bar| [Some(bar.value), bar.interval.map(|[_, high]| high)]);
            let targets = self.groups.iter().map(|group| group.target);
            let most = ends.chain(targets).flatten().filter(|end| end.is_finite()).fold(0.0, f32::max);
            if most > 0.0 { most } else { 1.0 }
        })
    }

    fn description(&self) -> String {
        let mut text = format!("Bars of {}.", self.measure);
        for group in self.groups.iter().take(MOST_GROUPS) {
            let values: Vec<String> = group.bars.iter().flatten().map(numbers).collect();
            text.push_str(&format!(" {}: {}.", group.label, values.join("; ")));
        }
        text
    }
}

fn height(group: &Group) -> f32 {
    group.bars.len().max(1) as f32 * (BAR + BAR_GAP) - BAR_GAP + GROUP_GAP
}

fn draw_group(scene: &mut Scene, group: &Group, area: Area, most: f32) {
    let place = |value: f32| frame::across(area, value, 0.0, most);
    for (row, (bar, ink)) in group.bars.iter().zip(Ink::SERIES.into_iter().cycle()).enumerate() {
        let y = area.y + GROUP_GAP / 2.0 + row as f32 * (BAR + BAR_GAP);
        let Some(bar) = bar.filter(|bar| bar.value.is_finite()) else { continue };
        let bar_area = Area { x: area.x, y, width: place(bar.value) - area.x, height: BAR };
        scene.add(Mark::rect(bar_area).round(2.0).wash(ink, 0.78));
        let middle = y + BAR / 2.0;
        if let Some([low, high]) = bar.interval.filter(|ends| ends.iter().all(|end| end.is_finite())) {
            let (low, high) = (place(low), place(high));
            scene.add(Mark::line([[low, middle], [high, middle]]).stroke(Ink::Text, 1.5));
            for x in [low, high] {
                scene.add(Mark::line([[x, middle - 4.0], [x, middle + 4.0]]).stroke(Ink::Text, 1.5));
            }
        }
        scene.add(Mark::text(area.right() + 10.0, middle + 4.0, SMALL, numbers(&bar)).fit(NUMBERS - 10.0));
    }
    if let Some(target) = group.target.filter(|target| target.is_finite()) {
        let x = place(target);
        let line = [[x, area.y + 4.0], [x, area.bottom() - 4.0]];
        scene
            .add(Mark::line(line).stroke(Ink::Text, 1.5).dashed(2.0, 2.5).tip(format!("target {target:.2}")));
    }
}

fn numbers(bar: &Bar) -> String {
    match bar.interval {
        Some([low, high]) => format!("{:.3}\u{a0} [{low:.2}, {high:.2}]", bar.value),
        None => format!("{:.3}", bar.value),
    }
}
