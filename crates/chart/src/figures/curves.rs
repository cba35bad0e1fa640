//! How wrong the answers are that remain when the least sure are left out.

use super::frame::{self, MARGIN, Scale};
use crate::scene::{Area, Mark, Scene};
use crate::theme::Ink;

const WIDTH: f32 = 560.0;
const HEIGHT: f32 = 320.0;
/// Points a curve keeps: more than there are pixels would show nothing more.
const MOST_POINTS: usize = 1000;

/// Risk-coverage curves (El-Yaniv and Wiener, 2010).
#[derive(Debug, Clone, Default)]
pub struct RiskCoverage {
    /// What was classified.
    pub title: String,
    /// A line below the title.
    pub note: String,
    /// A curve for each model.
    pub curves: Vec<Curve>,
}

/// One curve.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    /// Whose it is.
    pub name: String,
    /// The share of answers given and the share of those that are wrong, both in `[0, 1]`, by growing coverage.
    pub points: Vec<[f32; 2]>,
}

impl RiskCoverage {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let mut scene = Scene::new(WIDTH, &self.title, self.description());
        let mut top = frame::heading(&mut scene, &self.title, &self.note);
        let names: Vec<&str> = self.curves.iter().map(|curve| curve.name.as_str()).collect();
        if !names.is_empty() {
            top = frame::series(&mut scene, &names, top + 14.0);
        }
        let x = MARGIN + 44.0;
        let area = Area { x, y: top + 40.0, width: WIDTH - MARGIN - x, height: HEIGHT };
        let risks = self.curves.iter().flat_map(|curve| &curve.points).map(|[_, risk]| *risk);
        let worst = risks.filter(|risk| risk.is_finite()).fold(0.05, f32::max).min(1.0);
        let up = Scale { name: "Risk: share of the answers given that are wrong", low: 0.0, high: worst };
        let across = Scale { name: "Coverage: share of clips answered", low: 0.0, high: 1.0 };
        frame::plane(&mut scene, area, &across, &up);
        for (curve, ink) in self.curves.iter().zip(Ink::SERIES.into_iter().cycle()) {
            let finite = curve.points.iter().filter(|point| point.iter().all(|value| value.is_finite()));
            let each = curve.points.len().div_ceil(MOST_POINTS).max(1);
            let line: Vec<[f32; 2]> = finite
                .step_by(each)
                .map(|[coverage, risk]| {
                    let y = area.up(risk.clamp(0.0, worst), 0.0, worst);
                    [frame::across(area, *coverage, 0.0, 1.0), y]
                })
                .collect();
            if line.len() > 1 {
                scene.add(Mark::line(line).stroke(ink, 2.0).tip(curve.name.clone()));
            }
        }
        scene.height = area.bottom() + 38.0 + MARGIN;
        scene
    }

    fn description(&self) -> String {
        let ends = self.curves.iter().filter_map(|curve| {
            let [coverage, risk] = curve.points.last()?;
            Some(format!("{}: risk {risk:.3} at coverage {coverage:.2}", curve.name))
        });
        format!("Risk-coverage curves. {}.", ends.collect::<Vec<_>>().join("; "))
    }
}
