//! The model card that training writes beside the weights.

use std::{collections::BTreeSet, fmt::Write as _, path::PathBuf};

use super::{Processor, Report, Split, TrainOptions, command};
use crate::{
    corpus::Manifest,
    eval::{CorpusReport, Evaluation},
    metrics::Figure,
    model::{Calibration, Licence, Meta},
};

/// What a corpus's licence asks to be said wherever weights trained on it go.
const NOTICES: [(&str, &str); 1] = [(
    "crema_d",
    "Contains information from CREMA-D, which is made available under the Open Database License (ODbL).",
)];

/// What a card is written from.
pub(super) struct Card<'a> {
    /// The model's name.
    pub(super) name: &'a str,
    pub(super) licence: Licence,
    /// How it was trained, in Markdown.
    pub(super) training: &'a str,
    pub(super) manifest: &'a Manifest,
    pub(super) split: &'a Split,
    /// On the test speakers.
    pub(super) evaluation: Option<&'a Evaluation>,
    /// What the weights' calibration promises of the answers that it doesn't withhold.
    pub(super) calibration: &'a Calibration,
    /// Of the folds, on the speakers that each did not know.
    pub(super) strangers: &'a [CorpusReport],
}

/// The card's text.
pub(super) fn write(card: &Card<'_>) -> String {
    let mut text = String::new();
    let _ = render(&mut text, card);
    text
}

fn render(text: &mut String, card: &Card<'_>) -> std::fmt::Result {
    head(text, card.name, card.licence, &card.manifest.corpora())?;
    writeln!(text, "## Data and split\n")?;
    writeln!(text, "Speakers are whole on one side: none is heard in training and tested on.\n")?;
    writeln!(
        text,
        "| corpus | clips | training speakers | validation | test |\n| --- | --- | --- | --- | --- |"
    )?;
    for corpus in card.manifest.corpora() {
        let speakers = card.manifest.speakers(&corpus);
        let clips = card.manifest.entries.iter().filter(|entry| entry.corpus == corpus).count();
        let on = |side: &BTreeSet<String>| {
            let names: Vec<&str> =
                speakers.iter().filter(|name| side.contains(*name)).map(String::as_str).collect();
            if names.len() > 8 { names.len().to_string() } else { names.join(", ") }
        };
        let Split { train, validation, test } = card.split;
        writeln!(text, "| {corpus} | {clips} | {} | {} | {} |", on(train), on(validation), on(test))?;
    }
    writeln!(text, "{TRAINING}\n{}", card.training.trim())?;
    if !card.strangers.is_empty() {
        writeln!(text, "\n## Figures of the folds\n\n{OF_FOLDS} {HOW}\n")?;
        figures(text, card.strangers)?;
    }
    if let Some(evaluation) = card.evaluation {
        writeln!(text, "\n## Figures\n\n{OF_TEST} {HOW}\n")?;
        figures(text, &evaluation.corpora)?;
    }
    if let Some(risk) = card.calibration.risk {
        writeln!(
            text,
            "\n## Promise\n\nWhere the likeliest class is less sure than {:.3} the model abstains. Of the answers that it \
             gives, at most {:.0} % name another class than was meant: an upper bound, with 95 % confidence over the \
             speakers that calibration heard, for speakers like those.",
            card.calibration.least_confidence,
            (risk * 100.0).ceil()
        )?;
    }
    writeln!(
        text,
        "\n## Limits\n\nThe speech is acted. Valence and arousal are read off the category by a fixed table: weak \
         supervision. Confidence is calibrated on acted speech and says nothing of another population. It hears \
         customers only, and is no ground for a decision about a person."
    )
}

/// Name, licence, and what the licences of the corpora ask to be said.
fn head(text: &mut String, name: &str, licence: Licence, corpora: &[String]) -> std::fmt::Result {
    writeln!(text, "# {name}\n")?;
    let licence = match licence {
        Licence::Open => "**Open** weights: every corpus that they were trained on allows any use.",
        Licence::Research => "**Research** weights: some of the data allows research and evaluation only.",
    };
    writeln!(text, "{licence}\n")?;
    for (_, notice) in NOTICES.iter().filter(|(corpus, _)| corpora.iter().any(|own| own == corpus)) {
        writeln!(text, "{notice}\n")?;
    }
    Ok(())
}

/// The card of a blend, which nobody has measured yet.
pub(super) fn blended(meta: &Meta, training: &str) -> String {
    let mut text = String::new();
    let _ = head(&mut text, &meta.name, meta.licence, &meta.corpora);
    let corpora = meta.corpora.join(", ");
    let heard = meta.heard.len();
    let _ = write!(text, "Trained on {heard} speakers of {corpora}.\n{TRAINING}\n{training}\n");
    text
}

/// A card with what is known of the head that tells music.
pub(super) fn with_music(card: &str, report: &super::music::MusicReport) -> String {
    const NAME: &str = "\n## No voice\n";
    let before = card.split(NAME).next().unwrap_or(card).trim_end();
    let mut text = format!("{before}\n{NAME}\n");
    let (voices, others) = report.windows;
    let _ = write!(
        text,
        "A head of its own, fitted on {voices} windows of voices and {others} of made music, tones, noise and crowds, tells \
         what is no voice; the model abstains there. On examples that it was not fitted on it takes for no voice:\n\n\
         | kind | windows that voice activity lets pass | taken for no voice |\n| --- | --- | --- |\n"
    );
    for (kind, (windows, share)) in &report.told {
        let _ = writeln!(text, "| {kind} | {windows} | {:.1} % |", share * 100.0);
    }
    text
}

const OF_FOLDS: &str = "These weights have heard all of these speakers. Trainings like theirs that each left some out \
                        were asked about those, each calibrated by the others (a single one not at all):";
const OF_TEST: &str = "On the test speakers, who had no say in anything above:";
const HOW: &str = "8 kHz, G.711 µ-law, unweighted average recall (UAR) with 95 % intervals from drawing whole speakers; \
                   expected calibration error (ECE), and what of it even perfect calibration would show on so few clips. With \
                   few speakers the intervals are themselves rough.";

/// Where a card says how its model was trained.
const TRAINING: &str = "\n## Training\n";

/// What a card says of that.
pub(super) fn training_said(card: &str) -> Option<&str> {
    let (_, after) = card.split_once(TRAINING)?;
    Some(after.split("\n## ").next().unwrap_or(after).trim())
}

/// How `sidetone model train` came to its weights.
pub(super) fn training(options: &TrainOptions, report: &Report) -> String {
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
    let kept = if report.split.validation.is_empty() {
        format!("{} epochs", report.history.len())
    } else {
        let (best, all) = (report.best, report.history.len());
        format!("epoch {best} of {all} kept (best on the validation speakers, over five epochs)")
    };
    let processor = match report.processor {
        Processor::Cpu => "",
        Processor::Gpu => " on a GPU, so not reproducible to the bit",
    };
    format!(
        "{} parameters, {start}{teacher}; seed {}{processor}; {kept}; at most {} clips of a corpus an epoch. Each is varied by speed, gain, line tilt, room, noise, babble, \
         music, codec, clipping and loss, and by formants, intonation, tempo, colour and noise floor of its \
         features.\n\n```sh\n{}\n```{}",
        report.parameters,
        options.seed,
        options.most_clips,
        command::line(options),
        before(options)
    )
}

/// How the model that training began with had been trained, as its card says: so that a card tells the whole way.
fn before(options: &TrainOptions) -> String {
    let card = |path: &PathBuf| std::fs::read_to_string(path.with_file_name("CARD.md")).ok();
    let card = options.start.as_ref().and_then(card).unwrap_or_default();
    training_said(&card)
        .map_or_else(String::new, |said| format!("\n\n### The model that it was adapted from\n\n{said}"))
}

/// The figures on each corpus.
fn figures(card: &mut String, corpora: &[CorpusReport]) -> std::fmt::Result {
    let show = |figure: Option<Figure>| {
        figure.map_or("-".into(), |f| format!("{:.3} [{:.3}, {:.3}]", f.value, f.low, f.high))
    };
    let bare = |figure: Option<f64>| figure.map_or("-".into(), |x| format!("{x:.3}"));
    writeln!(
        card,
        "| corpus | classes | clips | UAR | ECE | by chance |\n| --- | --- | --- | --- | --- | --- |"
    )?;
    for corpus in corpora {
        for set in &corpus.sets {
            writeln!(
                card,
                "| {} | {} ({}) | {} | {} | {:.3} | {:.3} |",
                corpus.corpus,
                set.classes.len(),
                set.set,
                set.clips,
                show(set.uar),
                set.calibration_error,
                set.calibration_noise
            )?;
        }
    }
    writeln!(
        card,
        "\n| corpus | distress against calm and neutral, AUC | anger and fear against calm and neutral, AUC | distress \
         against the rest, AUC | UAR by clip length alone | by level alone |\n| --- | --- | --- | --- | --- | --- |"
    )?;
    for corpus in corpora {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_tells_the_whole_way_to_its_weights() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = TrainOptions::new("a".into(), "b".into(), "c".into());
        assert_eq!(before(&options), "");
        options.start = Some(folder.path().join("model.safetensors"));
        assert_eq!(before(&options), "", "a model without a card");
        std::fs::write(
            folder.path().join("CARD.md"),
            "# first\n\n## Training\n\nFrom nothing.\n\n### The model that it was adapted from\n\nAnother.\n\n## Figures\n",
        )
        .unwrap();
        let told = before(&options);
        assert!(told.contains("From nothing.") && told.ends_with("Another."), "{told}");
    }
}
