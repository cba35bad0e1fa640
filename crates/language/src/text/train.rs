//! `sidetone model train-text`: the weights that read texts, made again from what they were made from.
//!
//! | module | subject |
//! | --- | --- |
//! | `grammar`, `noise`, `corpus` | utterances by grammars, errors of recognition, data in files |
//! | `fit`, `judge` | logistic regression; thresholds, calibration, figures |
//! | `card` | what is said of the weights |

mod card;
mod corpus;
mod fit;
mod grammar;
mod judge;
mod noise;
mod report;
mod rng;

use std::path::{Path, PathBuf};

use sidetone_call::{Class, Topic};

use super::affect::{classes, place};
use super::heads::{Head, log_odds};
use super::labels::LABELS;
use super::linear::logistic;
use super::scorer::Scorer;
use super::weights::{FILE, Meta, Weights, WeightsError, form};
use corpus::Labelled;
use fit::{Fitting, Indexed, Set, fit};
pub use grammar::GrammarError;
pub use judge::Figure;
use judge::{Answer, Counts, macro_f1, platt, threshold};
pub use report::{ClassFigures, Data, Progress, Report, TopicFigures, TrainError, TrainOptions};

const AFFECT: Fitting = Fitting { epochs: 5, rate: 0.3, decay: 3e-3, least: 3, keep: 60_000 };
const TOPICS: Fitting = Fitting { epochs: 6, rate: 0.3, decay: 1e-3, least: 4, keep: 60_000 };
/// No topic is named that is much less likely than not, whatever F1 says: an agent acts on it. With .5 nearly all that
/// was named was right, and a third was missed.
const LEAST_LIKELY: f32 = 0.35;
/// The same of topics that are refused nearly as often as asked for: "I don't want a refund, I want it repaired".
const LEAST_OF_BUSINESS: f32 = 0.45;
const BUSINESS: [&str; 2] = ["cancel", "refund"];
/// Folds for thresholds and calibration.
pub(crate) const FOLDS: usize = 5;

/// Trains, writes weights and card, and tells how good they are. `watch` returns whether to go on.
///
/// # Errors
/// See [`TrainError`].
pub fn train(options: &TrainOptions, watch: &mut dyn FnMut(Progress) -> bool) -> Result<Report, TrainError> {
    let mut step = Steps { watch, done: 0, of: 2 * (FOLDS + 2) + 2 };
    step.next("reading")?;
    let comments = corpus::goemotions(&options.goemotions.join("train.tsv"))?;
    let dev = corpus::goemotions(&options.goemotions.join("dev.tsv"))?;
    let grammars = grammars(&options.corpus)?;
    let held_out = corpus::held_out(&options.corpus.join("heldout.en.tsv"))?;
    let fresh = corpus::held_out(&options.corpus.join("fresh.en.tsv"))?;
    let german = corpus::held_out(&options.corpus.join("heldout.de.tsv"))?;
    let (looked_at, kept): (Vec<Labelled>, Vec<Labelled>) =
        held_out.into_iter().partition(|sentence| corpus::is_dev(&sentence.text));

    let affect = head(&with_upset(&comments), &affect_names(), AFFECT, 0.0, options.seed, &mut step)?;
    let spoken = spoken(options, &grammars, &comments);
    let topics = head(&spoken, &topic_names(), TOPICS, LEAST_LIKELY, options.seed, &mut step)?;

    step.next("judging")?;
    let confidence = confidence(&affect, &comments);
    let meta = Meta {
        form: form(),
        name: options.name.clone(),
        seed: options.seed,
        affect: affect.heads,
        topics: topics.heads,
        confidence,
        least_confidence: 0.4,
    };
    let bytes = Weights { meta, affect: affect.model, topics: topics.model }.write()?;
    // Judged as they will be used: read back, rounded, by the same calls.
    let scorer = Scorer { weights: std::sync::Arc::new(Weights::read(&bytes)?) };
    let (affect, labels) = labels_found(&scorer, &dev);
    let mut of = vec![("dev half", "en", &looked_at)];
    if options.test {
        of.extend([("test half", "en", &kept), ("fresh set", "en", &fresh), ("German", "de", &german)]);
    }
    let of = of.into_iter().filter(|(_, _, sentences)| !sentences.is_empty());
    let of = of.flat_map(|(name, language, sentences)| {
        let spoiled = recognised(sentences, language, options.seed);
        [
            topic_figures(name, &scorer, sentences),
            topic_figures(&format!("{name}, recognised"), &scorer, &spoiled),
        ]
    });
    let sets: Vec<TopicFigures> = of.collect();
    let write = |name: &str, bytes: &[u8]| {
        let path = options.out.join(name);
        std::fs::create_dir_all(&options.out)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|source| TrainError::File { path: path.clone(), source })?;
        Ok::<PathBuf, TrainError>(path)
    };
    let report = Report {
        model: write(FILE, &bytes)?,
        bytes: bytes.len(),
        data: Data {
            comments: comments.len(),
            dev: dev.len(),
            lines: grammars.iter().map(|grammar| grammar.lines.len()).sum(),
            looked_at: looked_at.len(),
            kept: kept.len(),
            fresh: fresh.len(),
            german: german.len(),
        },
        affect,
        labels,
        classes: class_figures(&scorer, &dev),
        topics: sets,
    };
    write("CARD.md", card::write(options, &report).as_bytes())?;
    Ok(report)
}

struct Steps<'a> {
    watch: &'a mut dyn FnMut(Progress) -> bool,
    done: usize,
    of: usize,
}

impl Steps<'_> {
    fn next(&mut self, doing: &'static str) -> Result<(), TrainError> {
        let go_on = (self.watch)(Progress { doing, done: self.done, of: self.of });
        self.done += 1;
        if go_on { Ok(()) } else { Err(TrainError::Stopped) }
    }
}

fn grammars(folder: &Path) -> Result<Vec<grammar::Grammar>, TrainError> {
    let listed =
        std::fs::read_dir(folder).map_err(|source| TrainError::File { path: folder.into(), source })?;
    let mut paths: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "toml"));
    paths.sort();
    let (mut all, mut first): (Vec<grammar::Grammar>, usize) = (Vec::new(), 0);
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .map_err(|source| TrainError::File { path: path.clone(), source })?;
        let grammar = grammar::Grammar::read(&text, first)
            .map_err(|source| TrainError::Grammar { path: path.clone(), source })?;
        first += grammar.lines.len();
        match all.iter_mut().find(|other| other.language == grammar.language) {
            Some(other) => other.join(grammar),
            None => all.push(grammar),
        }
    }
    if all.is_empty() { Err(TrainError::Empty { path: folder.into(), wanted: "grammar" }) } else { Ok(all) }
}

/// The place of upset among the affect's outputs: after the labels.
const UPSET: usize = LABELS.len();

fn upset(labels: u64) -> bool {
    LABELS.iter().enumerate().any(|(at, label)| label.upset && labels >> at & 1 == 1)
}

fn with_upset(comments: &[Labelled]) -> Vec<Labelled> {
    let mark = |comment: &Labelled| Labelled {
        labels: comment.labels | u64::from(upset(comment.labels)) << UPSET,
        ..comment.clone()
    };
    comments.iter().map(mark).collect()
}

fn affect_names() -> Vec<&'static str> {
    LABELS.iter().map(|label| label.name).chain(["upset"]).collect()
}

fn topic_names() -> Vec<&'static str> {
    Topic::ALL.map(Topic::name).to_vec()
}

/// Utterances about topics, and comments about none. Comments that speak of death, of courts or of leaving may be about
/// one, which nobody has looked at: they are left out. Comments labelled with gratitude are thanks.
fn spoken(options: &TrainOptions, grammars: &[grammar::Grammar], comments: &[Labelled]) -> Vec<Labelled> {
    let mut all = corpus::utterances(grammars, options.utterances, options.seed);
    let of_label = |name: &str| LABELS.iter().position(|label| label.name == name).map_or(0u64, |at| 1 << at);
    let thanks = of_label("gratitude");
    let unclear = of_label("relief") | of_label("grief");
    let talk = comments.iter().filter(|comment| {
        let text = comment.text.to_lowercase();
        comment.labels & unclear == 0 && !UNCLEAR.iter().any(|word| text.contains(word))
    });
    let lines = grammars.iter().map(|grammar| grammar.lines.len()).sum::<usize>();
    for (number, comment) in talk.take(options.comments).enumerate() {
        let labels = if comment.labels & thanks != 0 { corpus::bits(&[Topic::Thanks]) } else { 0 };
        all.push(Labelled { text: comment.text.clone(), labels, group: lines + number, fold: None });
    }
    all
}

/// What makes a comment unclear as an example of talk about nothing.
const UNCLEAR: [&str; 22] = [
    "died",
    "death",
    "passed away",
    "funeral",
    "cancel",
    "refund",
    "lawyer",
    "court",
    "sue",
    "police",
    "manager",
    "supervisor",
    "complain",
    "unsubscribe",
    "afford",
    "hospital",
    "cancer",
    "emergency",
    "urgent",
    "lost my",
    "illegal",
    "suicid",
];

/// One model with its calibration.
struct Trained {
    model: super::linear::Linear,
    heads: Vec<Head>,
    /// For each text the outputs of a fold that did not know it, as probabilities.
    unseen: Vec<Vec<f32>>,
}

fn head(
    texts: &[Labelled],
    names: &[&str],
    fitting: Fitting,
    least: f32,
    seed: u64,
    step: &mut Steps<'_>,
) -> Result<Trained, TrainError> {
    let doing = if least > 0.0 { "topics" } else { "feelings" };
    step.next(doing)?;
    let mut set = Set::default();
    texts.iter().for_each(|text| set.push(&text.text, text.labels));
    let (all, outputs) = ((0..texts.len()).collect::<Vec<_>>(), names.len());
    let every = set.vocabulary(fitting.least);
    let first = fit(&Indexed::new(&set, &every), &set.labels, &all, &every, outputs, fitting, seed);
    let keys = first.strongest(fitting.keep);
    step.next(doing)?;
    let indexed = Indexed::new(&set, &keys);
    let model = fit(&indexed, &set.labels, &all, &keys, outputs, fitting, seed)
        .rounded()
        .map_err(WeightsError::from)?;
    let mut unseen = vec![Vec::new(); texts.len()];
    for fold in 0..FOLDS {
        step.next(doing)?;
        let is_out = |at: &usize| {
            texts.get(*at).is_some_and(|text| text.fold.unwrap_or_else(|| fold_of(text.group, seed)) == fold)
        };
        let (out, known): (Vec<usize>, Vec<usize>) = all.iter().copied().partition(is_out);
        let fitted = fit(&indexed, &set.labels, &known, &keys, outputs, fitting, seed + 1 + fold as u64);
        for at in out {
            if let Some(answer) = unseen.get_mut(at) {
                *answer = fitted.logits(&indexed, at);
            }
        }
    }
    let mut heads = Vec::with_capacity(outputs);
    for (output, name) in names.iter().enumerate() {
        let meant = set.labels.iter().map(|labels| labels >> output & 1 == 1);
        let scored: Vec<(f32, bool)> =
            unseen.iter().map(|answer| answer.get(output).copied().unwrap_or(0.0)).zip(meant).collect();
        let (slope, offset) = platt(&scored);
        let is_business = least > 0.0 && BUSINESS.contains(name);
        let least = if is_business { LEAST_OF_BUSINESS } else { least };
        let threshold = logistic(slope * threshold(&scored) + offset).max(least);
        heads.push(Head { name: (*name).to_owned(), slope, offset, threshold });
    }
    for answer in &mut unseen {
        answer.iter_mut().zip(&heads).for_each(|(logit, head)| *logit = head.probability(*logit));
    }
    Ok(Trained { model, heads, unseen })
}

fn fold_of(group: usize, seed: u64) -> usize {
    rng::Rng::new(seed ^ (group as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).below(FOLDS)
}

/// Whether a class is one of those that the labels mean.
fn means(labels: u64, class: Class) -> bool {
    LABELS.iter().enumerate().any(|(at, label)| label.class == class && labels >> at & 1 == 1)
}

/// How sure one may be of the likeliest class, by what the folds said of comments that they did not know.
fn confidence(affect: &Trained, comments: &[Labelled]) -> Head {
    let scored: Vec<(f32, bool)> = affect
        .unseen
        .iter()
        .zip(comments)
        .map(|(answer, comment)| {
            let (class, probability) = likeliest(answer.get(..UPSET).unwrap_or_default());
            (log_odds(probability), means(comment.labels, class))
        })
        .collect();
    let (slope, offset) = platt(&scored);
    Head { name: "confidence".into(), slope, offset, threshold: 0.0 }
}

fn likeliest(labels: &[f32]) -> (Class, f32) {
    let all = Class::ALL.into_iter().zip(classes(labels));
    all.fold((Class::Neutral, 0.0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Macro-F1 over the labels, and each label's.
fn labels_found(scorer: &Scorer, comments: &[Labelled]) -> (Figure, Vec<(String, f64)>) {
    let answers: Vec<Answer> = comments
        .iter()
        .map(|comment| Answer { meant: comment.labels, found: scorer.labels(&comment.text) })
        .collect();
    let each = LABELS.iter().enumerate();
    let each = each.map(|(at, label)| (label.name.to_owned(), Counts::of(at, answers.iter().copied()).f1()));
    (macro_f1(&answers, LABELS.len(), 200), each.collect())
}

fn class_figures(scorer: &Scorer, comments: &[Labelled]) -> ClassFigures {
    let (mut answered, mut right) = (0usize, 0usize);
    let (mut confident, mut distressed, mut valences) = (Vec::new(), Vec::new(), Vec::new());
    for comment in comments {
        let affect = scorer.read(&comment.text).affect;
        let is_right = means(comment.labels, affect.class());
        if affect.abstained.is_none() {
            answered += 1;
            right += usize::from(is_right);
        }
        confident.push((affect.confidence, is_right));
        distressed.push((affect.distress, upset(comment.labels)));
        let meant: Vec<f32> =
            LABELS.iter().enumerate().map(|(at, _)| (comment.labels >> at & 1) as f32).collect();
        valences.push((f64::from(affect.valence), f64::from(place(&meant).0)));
    }
    ClassFigures {
        answered: answered as f64 / comments.len().max(1) as f64,
        right: right as f64 / answered.max(1) as f64,
        calibration_error: judge::calibration_error(&confident),
        distress_auc: judge::auc(&distressed),
        valence_correlation: judge::correlation(&valences),
    }
}

/// The sentences as a recogniser would hand them over, by the same errors as in training, drawn anew.
fn recognised(sentences: &[Labelled], language: &str, seed: u64) -> Vec<Labelled> {
    let mut rng = rng::Rng::new(seed ^ 0x5eed);
    let mut spoil = |sentence: &Labelled| {
        let bare = sentence.text.to_lowercase().replace([',', '.', '?', '!', ';', ':'], "");
        Labelled { text: noise::heard(&bare, language, 0.15, &mut rng), ..sentence.clone() }
    };
    sentences.iter().map(&mut spoil).collect()
}

fn topic_figures(set: &str, scorer: &Scorer, sentences: &[Labelled]) -> TopicFigures {
    let found = |text: &str| {
        corpus::bits(&scorer.read(text).topics.iter().map(|found| found.topic).collect::<Vec<_>>())
    };
    let answers: Vec<Answer> = sentences
        .iter()
        .map(|sentence| Answer { meant: sentence.labels, found: found(&sentence.text) })
        .collect();
    let each = Topic::ALL.into_iter().enumerate().map(|(at, topic)| {
        let counts = Counts::of(at, answers.iter().copied());
        (topic.name(), counts.precision(), counts.recall(), counts.f1())
    });
    let about_nothing: Vec<&Answer> = answers.iter().filter(|answer| answer.meant == 0).collect();
    let quiet = about_nothing.iter().filter(|answer| answer.found == 0).count();
    TopicFigures {
        set: set.to_owned(),
        sentences: sentences.len(),
        f1: macro_f1(&answers, Topic::ALL.len(), 1000),
        topics: each.collect(),
        quiet: quiet as f64 / about_nothing.len().max(1) as f64,
    }
}
