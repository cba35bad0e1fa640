//! The model card that training writes beside the weights.

use std::fmt::Write as _;

use super::command;
use crate::{
    corpus::Manifest,
    eval::Evaluation,
    metrics::Figure,
    model::Licence,
    train::{Report, TrainOptions},
};

/// The card's text.
pub(super) fn write(options: &TrainOptions, manifest: &Manifest, report: &Report) -> String {
    let mut card = String::new();
    let _ = render(&mut card, options, manifest, report);
    card
}

fn render(
    card: &mut String,
    options: &TrainOptions,
    manifest: &Manifest,
    report: &Report,
) -> std::fmt::Result {
    writeln!(card, "# {}\n", options.name)?;
    let licence = match options.licence {
        Licence::Open => "**Open** weights: every corpus below allows any use.",
        Licence::Research => "**Research** weights: some of the data allows research and evaluation only.",
    };
    writeln!(card, "{licence}\n")?;
    writeln!(card, "## Data and split\n")?;
    writeln!(card, "Speakers are whole on one side: none is heard in training and tested on.\n")?;
    writeln!(
        card,
        "| corpus | clips | training speakers | validation | test |\n| --- | --- | --- | --- | --- |"
    )?;
    for corpus in manifest.corpora() {
        let speakers = manifest.speakers(&corpus);
        let clips = manifest.entries.iter().filter(|entry| entry.corpus == corpus).count();
        let on = |side: &std::collections::BTreeSet<String>| {
            let names: Vec<&str> =
                speakers.iter().filter(|name| side.contains(*name)).map(String::as_str).collect();
            if names.len() > 8 { names.len().to_string() } else { names.join(", ") }
        };
        let split = &report.split;
        writeln!(
            card,
            "| {corpus} | {clips} | {} | {} | {} |",
            on(&split.train),
            on(&split.validation),
            on(&split.test)
        )?;
    }
    writeln!(card, "\n## Training\n")?;
    let start = match &options.start {
        Some(_) => "adapted from another model of this project",
        None => "from random weights",
    };
    let teacher = match &options.teacher {
        Some(_) => {
            "; distilled from the first blocks of Whisper's encoder (MIT), frame by frame and clip by clip"
        }
        None => "",
    };
    writeln!(
        card,
        "{} parameters, {start}{teacher}; seed {}; epoch {} of {} kept (best on the validation speakers, over five \
         epochs); at most {} clips of a corpus an epoch. Each is varied by speed, gain, line tilt, room, noise, babble, \
         music, codec and loss, and by formants, intonation, tempo, colour and noise floor of its features.\n",
        report.parameters,
        options.seed,
        report.best,
        report.history.len(),
        options.most_clips,
    )?;
    writeln!(card, "```sh\n{}\n```\n", command::line(options))?;
    if let Some(evaluation) = &report.evaluation {
        figures(card, evaluation)?;
    }
    writeln!(
        card,
        "\n## Limits\n\nThe speech is acted. Valence and arousal are read off the category by a fixed table: weak \
         supervision. Confidence is calibrated on acted speech and says nothing of another population. It hears \
         customers only, and is no ground for a decision about a person."
    )
}

/// The figures on the test speakers.
fn figures(card: &mut String, evaluation: &Evaluation) -> std::fmt::Result {
    let show = |figure: Option<Figure>| {
        figure.map_or("-".into(), |f| format!("{:.3} [{:.3}, {:.3}]", f.value, f.low, f.high))
    };
    let bare = |figure: Option<f64>| figure.map_or("-".into(), |x| format!("{x:.3}"));
    writeln!(card, "## Figures\n")?;
    writeln!(
        card,
        "On the test speakers, who had no say in anything above: 8 kHz, G.711 µ-law, unweighted average recall (UAR) \
         with 95 % intervals from drawing whole speakers; expected calibration error (ECE). With few test speakers the \
         intervals are themselves rough.\n"
    )?;
    writeln!(card, "| corpus | classes | clips | UAR | ECE |\n| --- | --- | --- | --- | --- |")?;
    for corpus in &evaluation.corpora {
        for set in &corpus.sets {
            writeln!(
                card,
                "| {} | {} ({}) | {} | {} | {:.3} |",
                corpus.corpus,
                set.classes.len(),
                set.set,
                set.clips,
                show(set.uar),
                set.calibration_error
            )?;
        }
    }
    writeln!(
        card,
        "\n| corpus | distress against calm and neutral, AUC | anger and fear against calm and neutral, AUC | distress \
         against the rest, AUC | UAR by clip length alone | by level alone |\n| --- | --- | --- | --- | --- | --- |"
    )?;
    for corpus in &evaluation.corpora {
        writeln!(
            card,
            "| {} | {} | {} | {} | {} | {} |",
            corpus.corpus,
            show(corpus.distress_against_calm),
            show(corpus.alarm_against_calm),
            show(corpus.distress_against_rest),
            bare(corpus.length_only),
            bare(corpus.level_only)
        )?;
    }
    writeln!(card, "\nDistress is anger, fear, sadness or disgust.")
}
