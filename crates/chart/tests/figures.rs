//! Figures of an evaluation: what they show, and that they stay legible.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::check;
use proptest::prelude::*;
use sidetone_chart::Theme;
use sidetone_chart::figures::{Bar, Bars, Bin, Confusion, Curve, Group, Reliability, RiskCoverage};

fn shown(texts: &[String], expected: &str) -> bool {
    texts.iter().any(|text| text == expected)
}

#[test]
fn a_confusion_matrix_gives_shares_counts_and_recalls() {
    let figure = Confusion {
        title: "Two <classes>".into(),
        labels: vec!["anger".into(), "neutral".into()],
        counts: vec![vec![30, 10], vec![0, 7]],
        ..Confusion::default()
    };
    let texts = check(&figure.scene().svg());
    for expected in ["Two <classes>", "anger", "75 %", "30", "25 %", "0", "100 %", "0.75", "1.00"] {
        assert!(shown(&texts, expected), "{expected} in {texts:?}");
    }
}

#[test]
fn a_ragged_matrix_is_filled_with_nothing() {
    let figure =
        Confusion { labels: vec!["a".into(), "b".into()], counts: vec![vec![1]], ..Confusion::default() };
    assert!(shown(&check(&figure.scene().svg()), "–"));
}

#[test]
fn bars_give_their_values_and_intervals() {
    let bar = Bar { value: 0.71, interval: Some([0.65, 0.76]) };
    let figure = Bars {
        title: "UAR".into(),
        measure: "recall".into(),
        series: vec!["open".into(), "research".into()],
        groups: vec![Group { label: "EmoDB".into(), bars: vec![None, Some(bar)], target: Some(0.8) }],
        ..Bars::default()
    };
    let texts = check(&figure.scene().svg());
    for expected in ["EmoDB", "0.710\u{a0} [0.65, 0.76]", "open", "research", "recall", "0.8"] {
        assert!(shown(&texts, expected), "{expected} in {texts:?}");
    }
}

#[test]
fn curves_and_reliability_have_their_scales() {
    let curve = Curve { name: "open".into(), points: vec![[0.1, 0.0], [0.5, 0.1], [1.0, 0.3]] };
    let texts = check(&RiskCoverage { curves: vec![curve], ..RiskCoverage::default() }.scene().svg());
    for expected in ["open", "Coverage: share of clips answered", "0.2", "1.0"] {
        assert!(shown(&texts, expected), "{expected} in {texts:?}");
    }
    let bins = vec![
        Bin { confidence: 0.25, accuracy: 0.2, count: 3 },
        Bin { confidence: 0.75, accuracy: 0.9, count: 12 },
    ];
    let texts = check(&Reliability { bins, ..Reliability::default() }.scene().svg());
    for expected in ["Confidence", "Accuracy", "answers a bin, at most 12"] {
        assert!(shown(&texts, expected), "{expected} in {texts:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_figure_is_drawn(
        title in ".{0,80}",
        labels in prop::collection::vec(".{0,30}", 0..10),
        counts in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..10), 0..10),
        values in prop::collection::vec((any::<f32>(), prop::option::of(any::<[f32; 2]>()), prop::option::of(any::<f32>())), 0..10),
        points in prop::collection::vec(any::<[f32; 2]>(), 0..50),
        bins in prop::collection::vec((any::<f32>(), any::<f32>(), any::<u32>()), 0..60),
    ) {
        let confusion = Confusion { title: title.clone(), note: title.clone(), labels: labels.clone(), counts };
        let groups = values.iter().zip(labels.iter().cycle()).map(|((value, interval, target), label)| Group {
            label: label.clone(), bars: vec![Some(Bar { value: *value, interval: *interval }), None], target: *target,
        });
        let bars = Bars { title: title.clone(), measure: title.clone(), groups: groups.collect(), series: labels.clone(), ..Bars::default() };
        let curves = RiskCoverage { title: title.clone(), note: String::new(), curves: vec![Curve { name: title.clone(), points }] };
        let bins = bins.into_iter().map(|(confidence, accuracy, count)| Bin { confidence, accuracy, count });
        let reliability = Reliability { title, note: String::new(), bins: bins.collect() };
        for scene in [confusion.scene(), bars.scene(), curves.scene(), reliability.scene()] {
            check(&scene.svg());
            prop_assert!(scene.png(Theme::Dark, 0.25).is_ok());
        }
    }
}
