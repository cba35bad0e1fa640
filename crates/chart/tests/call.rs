//! A call's timeline: what it shows, and that it stays legible whatever the call was.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{bounds, check};
use proptest::prelude::*;
use sidetone_chart::call::{Alert, AlertKind, CallChart, Fact, Keypress, Point, Span};
use sidetone_chart::{PngError, Theme};

fn at(seconds: f32) -> Duration {
    Duration::from_secs_f32(seconds)
}

fn span(from: f32, to: f32) -> Span {
    Span { from: at(from), to: at(to) }
}

fn point(seconds: f32, distress: f32) -> Point {
    Point { at: at(seconds), valence: -0.5, arousal: 0.5, distress, confidence: 0.9, abstained: false }
}

fn alert(seconds: f32, label: &str) -> Alert {
    Alert { at: at(seconds), kind: AlertKind::Raised, label: label.into() }
}

fn chart(seconds: f32) -> CallChart {
    CallChart { title: "A call".into(), duration: at(seconds), ..CallChart::default() }
}

/// Bounds of the elements that carry a class.
fn of_class(svg: &str, name: &str, class: &str) -> Vec<[f32; 4]> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let nodes = document.descendants().filter(|node| {
        node.has_tag_name(("http://www.w3.org/2000/svg", name))
            && node.attribute("class").is_some_and(|classes| classes.split(' ').any(|one| one == class))
    });
    nodes.filter_map(bounds).map(|bounds| bounds.0).collect()
}

#[test]
fn everything_that_is_given_is_shown() {
    let texts = check(
        &CallChart {
            subtitle: "carrier to PBX".into(),
            customer: vec![point(1.0, 0.2), point(1.5, 0.4), Point { abstained: true, ..point(6.0, 0.0) }],
            threshold: Some(0.6),
            customer_speech: vec![span(0.5, 3.0)],
            agent_speech: vec![span(2.5, 5.0)],
            holds: vec![span(6.0, 9.0)],
            announcements: vec![span(0.0, 0.5)],
            dtmf: vec![Keypress { at: at(4.0), key: '9' }],
            alerts: vec![
                alert(2.0, "frustration"),
                Alert { kind: AlertKind::Calmed, ..alert(3.0, "calmed") },
                Alert { kind: AlertKind::Notice, ..alert(4.0, "opted out") },
            ],
            summary: vec![Fact { label: "Talk share".into(), value: "52 %".into() }],
            ..chart(10.0)
        }
        .scene()
        .svg(),
    );
    for expected in [
        "A call",
        "carrier to PBX",
        "Talk share",
        "52 %",
        "0:02\u{a0} frustration",
        "0:03\u{a0} calmed",
        "0:04\u{a0} opted out",
        "Distress",
        "Arousal",
        "Valence",
        "Customer speaks",
        "Agent speaks",
        "On the line",
        "9",
        "hold",
        "0:05",
        "confidence, low to high",
        "model abstained",
        "alert threshold",
        "alert",
        "calmed again",
        "notice",
        "both speak",
        "announcement",
        "key pressed",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected:?} is missing in {texts:?}");
    }
}

#[test]
fn what_is_not_there_is_not_in_the_legend() {
    let texts = check(&chart(10.0).scene().svg());
    assert_eq!(texts.iter().filter(|text| *text == "no estimate").count(), 3);
    for absent in ["On the line", "hold", "alert", "confidence, low to high", "both speak", "mean and range"]
    {
        assert!(!texts.iter().any(|text| text == absent), "{absent}");
    }
}

#[test]
fn times_stand_in_proportion() {
    let svg = CallChart { customer_speech: vec![span(25.0, 50.0)], ..chart(100.0) }.scene().svg();
    let plane = of_class(&svg, "rect", "f-panel")[0];
    let [left, _, right, _] = of_class(&svg, "rect", "f-customer")[0];
    let width = plane[2] - plane[0];
    assert!(((left - plane[0]) / width - 0.25).abs() < 1e-3);
    assert!(((right - plane[0]) / width - 0.5).abs() < 1e-3);
}

#[test]
fn strong_distress_stands_high_and_sure_estimates_are_opaque() {
    let lines = |distress, confidence| {
        let points = vec![point(1.0, distress), point(1.5, distress)];
        let points = points.into_iter().map(|point| Point { confidence, ..point }).collect();
        let svg = CallChart { customer: points, ..chart(10.0) }.scene().svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let line = document.descendants().find(|node| {
            node.has_tag_name(("http://www.w3.org/2000/svg", "polyline"))
                && node.attribute("class") == Some("s-distress")
        });
        let line = line.unwrap();
        let opacity: f32 = line.attribute("stroke-opacity").map_or(1.0, |text| text.parse().unwrap());
        (bounds(line).unwrap().0[1], opacity)
    };
    assert!(lines(0.9, 0.9).0 < lines(0.5, 0.9).0 && lines(0.5, 0.9).0 < lines(0.1, 0.9).0);
    assert!(lines(0.5, 0.95).1 > lines(0.5, 0.5).1 && lines(0.5, 0.5).1 > lines(0.5, 0.05).1);
}

#[test]
fn lines_end_where_there_is_silence_and_where_the_model_abstains() {
    let lines = |points: Vec<Point>| {
        let svg = CallChart { customer: points, ..chart(60.0) }.scene().svg();
        check(&svg);
        of_class(&svg, "polyline", "s-arousal").len()
    };
    let steady: Vec<_> = (0..20).map(|n| point(n as f32 * 0.5, 0.5)).collect();
    assert_eq!(lines(steady.clone()), 1);
    let pause = |n: usize| if n < 10 { 0.0 } else { 8.0 };
    assert_eq!(lines((0..20).map(|n| point(n as f32 * 0.5 + pause(n), 0.5)).collect()), 2);
    let mut abstained = steady;
    for point in &mut abstained[8..12] {
        point.abstained = true;
    }
    assert_eq!(lines(abstained), 2);
}

#[test]
fn an_hour_of_talk_stays_small() {
    let svg = CallChart {
        customer: (0..7200).map(|n| point(n as f32 * 0.5, (n % 100) as f32 / 100.0)).collect(),
        customer_speech: (0..2000).map(|n| span(n as f32 * 1.8, n as f32 * 1.8 + 1.0)).collect(),
        agent_speech: (0..2000).map(|n| span(n as f32 * 1.8 + 0.9, n as f32 * 1.8 + 1.7)).collect(),
        ..chart(3600.0)
    }
    .scene()
    .svg();
    let texts = check(&svg);
    assert!(svg.len() < 300_000, "{} bytes", svg.len());
    assert!(texts.iter().any(|text| text == "mean and range"));
}

#[test]
fn many_alerts_at_once_keep_their_labels_apart() {
    let alerts = (0..40).map(|n| alert(30.0 + n as f32 * 0.3, "frustration rising")).collect();
    let texts = check(&CallChart { alerts, ..chart(60.0) }.scene().svg());
    let labels = texts.iter().filter(|text| text.ends_with("frustration rising")).count();
    assert!((4..40).contains(&labels), "{labels} labels");
}

#[test]
fn keys_pressed_at_once_share_a_cap() {
    let dtmf = "0123456789".chars().map(|key| Keypress { at: at(100.0), key }).collect();
    let texts = check(&CallChart { dtmf, ..chart(3600.0) }.scene().svg());
    assert!(texts.iter().any(|text| text == "0123456789"), "{texts:?}");
}

#[test]
fn markup_in_what_callers_and_networks_say_stays_text() {
    let evil = "</text><script>alert('\"&\u{0}\u{1b}\u{ffff}')</script>]]>";
    let svg = CallChart {
        title: evil.into(),
        subtitle: evil.into(),
        alerts: vec![alert(1.0, evil)],
        dtmf: vec![Keypress { at: at(1.0), key: '<' }],
        summary: vec![Fact { label: evil.into(), value: evil.into() }],
        ..chart(10.0)
    }
    .scene()
    .svg();
    let texts = check(&svg);
    let shown = "</text><script>alert('\"&\u{fffd}\u{fffd}\u{fffd}')</script>]]>";
    assert!(texts.iter().any(|text| text == shown), "{texts:?}");
    assert!(!svg.contains("<script"));
}

#[test]
fn pictures_differ_by_theme_and_grow_by_scale() {
    let scene = CallChart { customer_speech: vec![span(1.0, 5.0)], ..chart(10.0) }.scene();
    let size = |png: &[u8]| {
        let field = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as f32;
        (field(16), field(20))
    };
    let (light, dark) = (scene.png(Theme::Light, 1.0).unwrap(), scene.png(Theme::Dark, 1.0).unwrap());
    assert_ne!(light, dark);
    assert_eq!(size(&light), (scene.width(), scene.height().ceil()));
    assert_eq!(size(&scene.png(Theme::Light, 2.0).unwrap()).0, 2.0 * scene.width());
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1000.0] {
        assert!(matches!(scene.png(Theme::Light, scale), Err(PngError::Size { .. })), "{scale}");
    }
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0.0f32..200.0).prop_map(Duration::from_secs_f32),
        1 => any::<u64>().prop_map(Duration::from_secs),
    ]
}

fn any_span() -> impl Strategy<Value = Span> {
    (any_duration(), any_duration()).prop_map(|(from, to)| Span { from, to })
}

fn any_point() -> impl Strategy<Value = Point> {
    (any_duration(), any::<[f32; 4]>(), any::<bool>()).prop_map(|(at, values, abstained)| {
        let [valence, arousal, distress, confidence] = values;
        Point { at, valence, arousal, distress, confidence, abstained }
    })
}

fn any_alert() -> impl Strategy<Value = Alert> {
    let kind = prop_oneof![Just(AlertKind::Raised), Just(AlertKind::Calmed), Just(AlertKind::Notice)];
    (any_duration(), kind, ".{0,40}").prop_map(|(at, kind, label)| Alert { at, kind, label })
}

fn any_chart() -> impl Strategy<Value = CallChart> {
    let spans = || prop::collection::vec(any_span(), 0..12);
    let keys = prop::collection::vec(
        (any_duration(), any::<char>()).prop_map(|(at, key)| Keypress { at, key }),
        0..8,
    );
    let facts =
        prop::collection::vec((".{0,60}", ".{0,60}").prop_map(|(label, value)| Fact { label, value }), 0..8);
    let heading = (".{0,200}", ".{0,200}", any_duration(), prop::option::of(any::<f32>()), facts);
    let lanes = (spans(), spans(), spans(), spans(), keys);
    let points = prop::collection::vec(any_point(), 0..40);
    (heading, lanes, points, prop::collection::vec(any_alert(), 0..12)).prop_map(
        |((title, subtitle, duration, threshold, summary), lanes, customer, alerts)| {
            let (customer_speech, agent_speech, holds, announcements, dtmf) = lanes;
            CallChart {
                title,
                subtitle,
                duration,
                customer,
                threshold,
                customer_speech,
                agent_speech,
                holds,
                announcements,
                dtmf,
                alerts,
                summary,
                ..CallChart::default()
            }
        },
    )
}

#[test]
fn lanes_bear_the_parties_names_and_one_is_left_out_that_cannot_be_heard() {
    let drawn = |parties: [&str; 2]| {
        let parties = parties.map(str::to_owned);
        CallChart { parties, duration: Duration::from_secs(60), ..CallChart::default() }.scene().svg()
    };
    let usual = CallChart { duration: Duration::from_secs(60), ..CallChart::default() }.scene().svg();
    assert!(usual.contains("Customer speaks") && usual.contains("Agent speaks"));
    let alone = drawn(["Customer", ""]);
    assert!(alone.contains("Customer speaks") && alone.matches(" speaks").count() == 1);
    let bare = drawn(["10.0.0.1:4000", "10.0.0.2:6000"]);
    assert!(bare.contains("10.0.0.1:4000") && bare.contains("10.0.0.2:6000") && !bare.contains("Agent"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_call_is_drawn_legibly(chart in any_chart()) {
        check(&chart.scene().svg());
    }

    #[test]
    fn any_call_becomes_a_picture(chart in any_chart()) {
        prop_assert!(chart.scene().png(Theme::Light, 0.25).is_ok());
    }
}
