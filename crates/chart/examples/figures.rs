//! Draws each figure of an evaluation that never was: `cargo run -p sidetone-chart --example figures -- OUT_DIR`.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use sidetone_chart::figures::{Bar, Bars, Bin, Confusion, Curve, Group, Reliability, RiskCoverage};
use sidetone_chart::{Scene, Theme};

fn main() {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    let figures: [(&str, Scene); 4] = [
        ("confusion", confusion().scene()),
        ("bars", bars().scene()),
        ("risk-coverage", risk_coverage().scene()),
        ("reliability", reliability().scene()),
    ];
    for (name, scene) in figures {
        std::fs::write(out.join(format!("{name}.svg")), scene.svg()).unwrap();
        for (theme, mode) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
            std::fs::write(out.join(format!("{name}-{mode}.png")), scene.png(theme, 2.0).unwrap()).unwrap();
        }
    }
}

fn confusion() -> Confusion {
    let labels = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"];
    let counts = (0..7)
        .map(|row| (0..7).map(|column| if row == column { 40 + row } else { row * column % 9 }).collect());
    Confusion {
        title: "EmoDB, 7 classes, unseen speakers".into(),
        note: "8 kHz, G.711 µ-law; UAR 0.81 [0.74, 0.87]".into(),
        labels: labels.map(str::to_owned).to_vec(),
        counts: counts.collect(),
    }
}

fn bars() -> Bars {
    let bar = |value: f32| Some(Bar { value, interval: Some([value - 0.06, value + 0.05]) });
    let group = |label: &str, open, research, target| Group {
        label: label.into(),
        bars: vec![open, research],
        target,
    };
    Bars {
        title: "Unweighted average recall on unseen speakers".into(),
        note: "Bootstrap 95 % intervals over speakers; the dotted marks are the targets".into(),
        measure: "UAR".into(),
        most: Some(1.0),
        series: vec!["open weights".into(), "research weights".into()],
        groups: vec![
            group("RAVDESS, 8 classes", bar(0.41), bar(0.71), Some(0.70)),
            group("RAVDESS, 4 classes", bar(0.62), bar(0.86), Some(0.85)),
            group("EmoDB, 7 classes", bar(0.76), bar(0.82), Some(0.80)),
            group("Unseen language, 4 classes", bar(0.46), None, Some(0.50)),
        ],
    }
}

fn risk_coverage() -> RiskCoverage {
    let curve = |name: &str, worst: f32| Curve {
        name: name.into(),
        points: (1..=200)
            .map(|n| n as f32 / 200.0)
            .map(|c| [c, worst * c.powf(1.4) + 0.02 * (c * 40.0).sin() / (1.0 + 20.0 * c)])
            .collect(),
    };
    RiskCoverage {
        title: "Risk and coverage".into(),
        note: "Anger or distress against calm or neutral".into(),
        curves: vec![curve("open weights", 0.31), curve("research weights", 0.19)],
    }
}

fn reliability() -> Reliability {
    let bin = |n: u32| {
        let confidence = (n as f32 + 0.5) / 10.0;
        Bin {
            confidence,
            accuracy: (confidence - 0.09 + 0.12 * (n as f32).sin()).clamp(0.0, 1.0),
            count: if n == 0 { 0 } else { 20 + n * n * 4 },
        }
    };
    Reliability {
        title: "Reliability".into(),
        note: "Expected calibration error 0.043".into(),
        bins: (0..10).map(bin).collect(),
    }
}
