//! A call as a drawable line: equal steps of time, however long the call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::conduct::Stretch;
use crate::millis;
use crate::number::{round3, share, whole};

/// One step of a call's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelinePoint {
    /// Where the step begins.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// How long it is; the same for all points of one timeline.
    #[serde(rename = "width_ms", with = "millis")]
    pub width: Duration,
    /// Mean smoothed valence of the customer, `[-1, 1]`; `None` where nothing was judged.
    pub valence: Option<f32>,
    /// Mean smoothed arousal of the customer, `[-1, 1]`.
    pub arousal: Option<f32>,
    /// Mean smoothed distress of the customer, `[0, 1]`.
    pub distress: Option<f32>,
    /// Part of the step that the customer talked, `[0, 1]`.
    pub customer_talk: f32,
    /// Part of the step that the agent talked, `[0, 1]`.
    pub agent_talk: f32,
    /// Part of the step that the call was on hold, `[0, 1]`.
    pub hold: f32,
}

/// Steps of one second. When a call outgrows them, steps are joined two by two and are twice as long from then on, so
/// memory is constant and no part of the call is lost, only its detail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Timeline {
    steps: Vec<Step>,
    width: Duration,
    most: usize,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Step {
    readings: u32,
    sums: [f64; 3],
    customer: Duration,
    agent: Duration,
    hold: Duration,
}

impl Step {
    fn join(self, other: Self) -> Self {
        let [a, b, c] = self.sums;
        let [x, y, z] = other.sums;
        Self {
            readings: self.readings.saturating_add(other.readings),
            sums: [a + x, b + y, c + z],
            customer: self.customer.saturating_add(other.customer),
            agent: self.agent.saturating_add(other.agent),
            hold: self.hold.saturating_add(other.hold),
        }
    }
}

impl Timeline {
    pub(crate) fn new(most: usize) -> Self {
        Self { steps: Vec::new(), width: Duration::from_secs(1), most: most.max(2) }
    }

    pub(crate) fn reading(&mut self, at: Duration, reading: [f32; 3]) {
        let step = self.step_mut(at);
        step.readings = step.readings.saturating_add(1);
        step.sums.iter_mut().zip(reading).for_each(|(sum, value)| *sum += f64::from(value));
    }

    pub(crate) fn talk(&mut self, stretch: Stretch) {
        if !(stretch.hold || stretch.customer || stretch.agent) {
            return;
        }
        // Reaching the end first settles the step width, which bounds the walk to one visit a step.
        self.step_mut(stretch.to.saturating_sub(Duration::from_nanos(1)));
        let mut from = stretch.from;
        while from < stretch.to {
            let place = self.place(from);
            let next = self.width.saturating_mul(place.saturating_add(1)).min(stretch.to);
            if next <= from {
                break;
            }
            let part = next - from;
            let step = self.step_mut(from);
            if stretch.hold {
                step.hold += part;
            } else {
                step.customer += if stretch.customer { part } else { Duration::ZERO };
                step.agent += if stretch.agent { part } else { Duration::ZERO };
            }
            from = next;
        }
    }

    /// Forgets what was inferred; keeps who talked when.
    pub(crate) fn erase_readings(&mut self) {
        for step in &mut self.steps {
            (step.readings, step.sums) = (0, [0.0; 3]);
        }
    }

    pub(crate) fn points(&self) -> Vec<TimelinePoint> {
        let starts = (0u32..).map(|place| self.width.saturating_mul(place));
        let part = |time| share(time, self.width).unwrap_or(0.0);
        let point = |(at, step): (Duration, &Step)| {
            let mean =
                |sum: f64| (step.readings > 0).then(|| round3((sum / f64::from(step.readings)) as f32));
            let [valence, arousal, distress] = step.sums.map(mean);
            TimelinePoint {
                at: whole(at),
                width: whole(self.width),
                valence,
                arousal,
                distress,
                customer_talk: part(step.customer),
                agent_talk: part(step.agent),
                hold: part(step.hold),
            }
        };
        starts.zip(&self.steps).map(point).collect()
    }

    pub(crate) fn held(&self) -> usize {
        self.steps.len()
    }

    fn place(&self, at: Duration) -> u32 {
        u32::try_from(at.as_nanos() / self.width.as_nanos().max(1)).unwrap_or(u32::MAX)
    }

    /// The step that `at` lies in, joining steps until there is room for it.
    fn step_mut(&mut self, at: Duration) -> &mut Step {
        while self.place(at) as usize >= self.most {
            self.width = self.width.saturating_mul(2);
            self.steps = self
                .steps
                .chunks(2)
                .map(|pair| pair.iter().copied().fold(Step::default(), Step::join))
                .collect();
        }
        let place = self.place(at) as usize;
        if self.steps.len() <= place {
            self.steps.resize(place + 1, Step::default());
        }
        #[allow(clippy::indexing_slicing)] // the line above made it long enough
        &mut self.steps[place]
    }
}
