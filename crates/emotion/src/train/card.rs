//! The model card that training writes beside the weights.

use std::fmt::Write as _;

use crate::{
    corpus::Manifest,
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
    writeln!(
        card,
        "{} parameters; seed {}; epoch {} of {} kept (best on the validation speakers); at most {} clips of a corpus \
         an epoch; each varied by speed, gain, line tilt, room, noise, G.711 and loss.\n",
        options.network.parameters(),
        options.seed,
        report.best,
        report.history.len(),
        options.most_clips,
    )?;
    writeln!(card, "## Figures\n")?;
    writeln!(
        card,
        "Unweighted average recall on the test speakers, 8 kHz, G.711 µ-law, over the corpus's classes:\n"
    )?;
    writeln!(card, "| corpus | UAR |\n| --- | --- |")?;
    for (corpus, recall) in &report.test {
        writeln!(card, "| {corpus} | {recall:.3} |")?;
    }
    writeln!(
        card,
        "\n## Limits\n\nThe speech is acted. Valence and arousal are read off the category by a fixed table: weak \
         supervision. Confidence is calibrated on acted speech and says nothing of another population. It hears \
         customers only, and is no ground for a decision about a person."
    )
}
