//! Draws a call that never was, to look at: `cargo run -p sidetone-chart --example call -- OUT_DIR`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::time::Duration;

use sidetone_chart::call::{Alert, AlertKind, Fact, Keypress, Point, Span};
use sidetone_chart::{CallChart, Theme};

fn main() {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    for (name, chart) in [("short", call(94.0)), ("hour", call(3600.0)), ("empty", empty())] {
        let scene = chart.scene();
        std::fs::write(out.join(format!("{name}.svg")), scene.svg()).unwrap();
        for (theme, mode) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
            std::fs::write(out.join(format!("{name}-{mode}.png")), scene.png(theme, 1.5).unwrap()).unwrap();
        }
        println!("{name}: {} by {}, {} bytes of SVG", scene.width(), scene.height(), scene.svg().len());
    }
}

fn empty() -> CallChart {
    CallChart {
        title: "A call without a word".into(),
        duration: Duration::from_secs(7),
        ..CallChart::default()
    }
}

/// A customer who grows upset until two thirds of the call and is calmed then.
fn call(length: f32) -> CallChart {
    let seconds = Duration::from_secs_f32;
    let span = |from: f32, to: f32| Span { from: seconds(from), to: seconds(to) };
    let mut noise = 7u32;
    let mut random = move || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as f32 / (1 << 24) as f32
    };
    let hold = [length * 0.42, length * 0.55];
    let (mut customer, mut agent, mut points) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = length * 0.08 + 1.0;
    while at < length - 3.0 {
        let turn = 2.0 + random() * 6.0;
        let end = (at + turn).min(length - 1.0);
        let held = |t: f32| (hold[0]..hold[1]).contains(&t);
        if !held(at) && !held(end) {
            customer.push(span(at, end));
            let mut t = at + 1.0;
            while t < end {
                let x = t / length;
                let upset = (-((x - 0.66) / 0.14).powi(2)).exp();
                points.push(Point {
                    at: seconds(t),
                    valence: 0.25 - 0.95 * upset + 0.3 * (random() - 0.5),
                    arousal: -0.2 + 0.9 * upset + 0.3 * (random() - 0.5),
                    distress: (0.12 + 0.7 * upset + 0.15 * (random() - 0.5)).clamp(0.0, 1.0),
                    confidence: 0.25 + 0.7 * ((t - at) / 4.0).min(1.0),
                    abstained: t - at < 1.2 && random() < 0.3,
                });
                t += 0.5;
            }
        }
        let reply = 1.5 + random() * 5.0;
        let start = end + random() * 1.2 - 0.5;
        if !held(start) && !held(start + reply) {
            agent.push(span(start, (start + reply).min(length)));
        }
        at = start + reply + random() * 0.8 - 0.2;
    }
    let alert = |at: f32, kind, label: &str| Alert { at: seconds(at * length), kind, label: label.into() };
    let fact = |label: &str, value: &str| Fact { label: label.into(), value: value.into() };
    CallChart {
        title: "Call from …4711 to support".into(),
        subtitle:
            "22 November 2026, 14:03 · carrier → asterisk · G.711 µ-law · customer on the carrier's side"
                .into(),
        duration: seconds(length),
        parties: ["Customer".to_owned(), "Agent".to_owned()],
        customer: points,
        threshold: Some(0.55),
        customer_speech: customer,
        agent_speech: agent,
        holds: vec![span(hold[0], hold[1])],
        announcements: vec![span(length * 0.005, length * 0.08)],
        dtmf: vec![
            Keypress { at: seconds(length * 0.1), key: '2' },
            Keypress { at: seconds(length * 0.13), key: '#' },
        ],
        alerts: vec![
            alert(0.59, AlertKind::Raised, "frustration rising"),
            alert(0.62, AlertKind::Raised, "distress"),
            alert(0.80, AlertKind::Calmed, "calmed"),
            alert(0.97, AlertKind::Notice, "customer opted out"),
        ],
        summary: vec![
            fact("Duration", "1:34"),
            fact("Sentiment, start to end", "+0.21 → +0.18"),
            fact("Lowest valence", "−0.71 at 1:02"),
            fact("Talk share, customer : agent", "52 : 48 %"),
            fact("Longest silence", "3.2 s"),
            fact("On hold", "12 s"),
            fact("Overlap", "4 %"),
        ],
    }
}
