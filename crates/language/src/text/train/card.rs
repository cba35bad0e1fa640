//! The card that training writes beside the weights.

use std::fmt::Write as _;

use super::report::{Report, TopicFigures, TrainOptions};

/// The card's text.
pub(super) fn write(options: &TrainOptions, report: &Report) -> String {
    let mut text = String::new();
    let _ = render(&mut text, options, report);
    text
}

fn render(text: &mut String, options: &TrainOptions, report: &Report) -> std::fmt::Result {
    writeln!(text, "# {}\n\n{HEAD}", options.name)?;
    writeln!(text, "| part | read in training | told apart | looked at |\n| --- | --- | --- | --- |")?;
    let data = &report.data;
    writeln!(text, "| GoEmotions, train | {} comments | by comment, five folds | always |", data.comments)?;
    writeln!(text, "| GoEmotions, dev | none of {} | as published | figures only |", data.dev)?;
    writeln!(
        text,
        "| grammars, English and German | {} utterances of {} lines | English by file, German by line, five folds | always |",
        options.utterances, data.lines
    )?;
    writeln!(
        text,
        "| held-out sentences, dev half | none of {} | by a sum over letters | while the grammars were written |",
        data.looked_at
    )?;
    writeln!(
        text,
        "| held-out sentences, test half | none of {} | by a sum over letters | sums only, at the end |",
        data.kept
    )?;
    writeln!(text, "| fresh set, English | none of {} | its own file | sums only, at the end |", data.fresh)?;
    writeln!(
        text,
        "| German held-out sentences | none of {} | their own file | sums only, at the end |",
        data.german
    )?;
    writeln!(
        text,
        "\n{TRAINING}\n\n```sh\nsidetone model train-text --goemotions DIR --out DIR --name {} --seed {} --utterances {} --comments {}{}\n```\n",
        options.name,
        options.seed,
        options.utterances,
        options.comments,
        if options.test { " --test" } else { "" }
    )?;
    figures(text, report)?;
    writeln!(text, "{LIMITS}")
}

fn figures(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "## Figures\n\nWith 95 % intervals from drawing texts with replacement.\n")?;
    writeln!(text, "GoEmotions dev, 28 labels: macro-F1 **{}**. {OF_LABELS}\n", report.affect)?;
    let each: Vec<String> = report.labels.iter().map(|(name, f1)| format!("{name} {f1:.2}")).collect();
    writeln!(text, "F1: {}.\n", each.join(", "))?;
    let classes = &report.classes;
    writeln!(
        text,
        "On the voice's classes, same comments: an estimate is given for {:.0} %, and the likeliest class is one that a label \
         means for {:.0} % of those. Expected calibration error of the confidence {:.3}. Distress, upset labels against the \
         rest: AUC {:.3}. Valence: correlation {:.2} with that of the labels.\n",
        100.0 * classes.answered,
        100.0 * classes.right,
        classes.calibration_error,
        classes.distress_auc,
        classes.valence_correlation
    )?;
    writeln!(
        text,
        "| held-out sentences | count | topics, macro-F1 | nothing found where there is nothing |\n| --- | --- | --- | --- |"
    )?;
    for set in &report.topics {
        writeln!(text, "| {} | {} | {} | {:.0} % |", set.set, set.sentences, set.f1, 100.0 * set.quiet)?;
    }
    let clean =
        report.topics.iter().filter(|set| !set.set.contains("recognised") && !set.set.starts_with("dev"));
    clean.into_iter().try_for_each(|set| each_topic(text, set))
}

fn each_topic(text: &mut String, set: &TopicFigures) -> std::fmt::Result {
    writeln!(text, "\n| topic, {} | precision | recall | F1 |\n| --- | --- | --- | --- |", set.set)?;
    for (name, precision, recall, f1) in &set.topics {
        writeln!(text, "| {name} | {precision:.2} | {recall:.2} | {f1:.2} |")?;
    }
    writeln!(text)
}

const HEAD: &str = "**Open** weights: what they were made from allows any use.

Reads English texts: how the writer or speaker feels (the 28 labels of GoEmotions, and from them the voice's classes, \
valence, arousal and distress), and what English and German texts are about (ten topics of a service desk).

## Data and split

Feelings: GoEmotions (D. Demszky et al. 2020, Apache-2.0), English comments from Reddit. Topics: the project's own corpus, \
hand-written grammars and held-out sentences in crates/language/corpus, and comments of GoEmotions as talk about nothing.
";

const TRAINING: &str = "The held-out sentences were written apart from the grammars, but by the same author, who had read \
both: they are not as independent as another person's would be. The dev half was read for errors between versions of the \
grammars, so its figure flatters. Of the test half the sums were looked at, in twelve runs, of which the dev half and \
the tests chose; its sentences about cancelling were \
also read once, before `wide.en.toml` was written, so that its figure for them flatters too. The fresh set was written before \
that file and the German sentences before their grammar, by the same author in one sitting; the fresh set was measured \
before (README.md of the corpus) and after. `plain.en.toml`, `plain.de.toml` and `ways.en.toml` were written when all of them had been \
measured, with their sums known and without a look at any of their sentences. The least probability at which a topic is named was chosen on the dev half. In all figures a sentence of a longer text counts by \
itself from .5 on, as it does in use. No figure here is of real recognised speech: \"recognised\" is the same simulation that training uses, drawn anew.

## Training

Two linear models over hashed n-grams: one to three words, two words around a third, words under a negation, words written \
for emphasis, and three to five letters of a word. Logistic regression by AdaGrad; the n-grams with the largest weights are \
kept, fitted again and rounded to eight bits. A third of the utterances is put through errors of recognition: words that \
sound alike, lost endings, fillers, repetitions, slips of the finger; half have neither capitals nor marks. Calibration \
(Platt) and thresholds are from five folds that did not know the texts: of English, whole files that the others had to tell, \
since a new caller's sentence is to the weights what another file's is, and not what another line of the same file is.";

const OF_LABELS: &str = "The paper's BERT reached .46 on the test part; thresholds and calibration come from folds of the \
train part. Settings were chosen on a tenth of the train part, with the dev figure printed beside.";

const LIMITS: &str = "## Limits

The comments are written, public and mostly American, and their labels are what readers thought, not what writers felt. \
Callers speak otherwise. Valence and arousal are read off the labels by a fixed table (`labels.rs`): weak supervision. The \
topics know what their grammars say; what is said in another way is missed, so recall is the weaker side. Irony is found \
where it has marks of its own (\"great, just great\"), seldom elsewhere. Confidence is calibrated on comments and on the \
grammars' sentences and says nothing of another population. German has topics and no estimate of feelings, other languages have neither. It reads customers \
only, and is no ground for a decision about a person.";
