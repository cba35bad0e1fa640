//! Draws an analysed call.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use sidetone_chart::call::{Alert, AlertKind, Fact, Point, Span};
use sidetone_chart::{CallChart, Theme};
use sidetone_events::Happening;
use sidetone_insight::{Phase, TimelinePoint};

use super::super::view::{clock, kind_word};
use super::replay::{Heard, Roles};

/// A step of the timeline counts as talk from this share on.
const TALK: f32 = 0.3;

/// Draws `name.svg` and `name.png` into a folder; returns the path of the former.
pub(super) fn draw(name: &str, call: &Heard, folder: &Path) -> anyhow::Result<PathBuf> {
    let scene = chart(name, call).scene();
    let path = folder.join(format!("{name}.svg"));
    std::fs::write(&path, scene.svg()).with_context(|| format!("{} can't be written", path.display()))?;
    let png = scene.png(Theme::Light, 1.5).map_err(|error| anyhow!("the picture can't be made: {error}"))?;
    std::fs::write(path.with_extension("png"), png)?;
    Ok(path)
}

fn chart(name: &str, call: &Heard) -> CallChart {
    let customer = call
        .events
        .iter()
        .filter_map(|event| match &event.happening {
            Happening::AffectUpdate(update) if update.modality.is_voice() => Some(Point {
                at: event.at,
                valence: update.valence,
                arousal: update.arousal,
                distress: update.distress,
                confidence: update.confidence,
                abstained: false,
            }),
            _ => None,
        })
        .collect();
    let alerts = call
        .events
        .iter()
        .filter_map(|event| match &event.happening {
            Happening::AffectAlert(alert) => Some(Alert {
                at: event.at,
                kind: if alert.phase == Phase::Rising { AlertKind::Raised } else { AlertKind::Calmed },
                label: kind_word(alert.alert).to_owned(),
            }),
            _ => None,
        })
        .collect();
    let (subtitle, parties) = match &call.roles {
        Roles::Known(_) if call.one_sided => {
            ("only one party is in this recording", ["Customer".to_owned(), String::new()])
        }
        Roles::Known(_) => (
            "only the customer's voice is judged; of the agent, only when they talk",
            ["Customer".to_owned(), "Agent".to_owned()],
        ),
        Roles::Unknown { one, other, .. } => {
            ("it isn't known who the customer is, so nobody is judged", [one.clone(), other.clone()])
        }
    };
    CallChart {
        title: name.to_owned(),
        subtitle: subtitle.to_owned(),
        parties,
        duration: call.summary.duration,
        customer,
        customer_speech: spans(&call.timeline, |step| step.customer_talk),
        agent_speech: spans(&call.timeline, |step| step.agent_talk),
        holds: spans(&call.timeline, |step| step.hold),
        alerts,
        summary: facts(call),
        ..CallChart::default()
    }
}

/// Joins neighbouring active steps of the timeline.
fn spans(timeline: &[TimelinePoint], share: impl Fn(&TimelinePoint) -> f32) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for step in timeline.iter().filter(|step| share(step) >= TALK) {
        let to = step.at + step.width;
        match spans.last_mut() {
            Some(last) if last.to == step.at => last.to = to,
            _ => spans.push(Span { from: step.at, to }),
        }
    }
    spans
}

fn facts(call: &Heard) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.to_owned(), value };
    let mut facts = vec![fact("duration", clock(call.summary.duration))];
    if let Some(sentiment) = &call.summary.sentiment {
        facts.push(fact("start", format!("{:+.2}", sentiment.start)));
        facts.push(fact("end", format!("{:+.2}", sentiment.end)));
        facts.push(fact("shift", format!("{:+.2}", sentiment.shift)));
    }
    let alerts = &call.summary.alerts;
    facts.push(fact("alerts", (alerts.frustration + alerts.distress).to_string()));
    let share = call.summary.conduct.customer.talk_share;
    if let (Some(share), Roles::Known(_)) = (share, &call.roles) {
        facts.push(fact("customer's share of talk", format!("{:.0} %", share * 100.0)));
    }
    facts
}
