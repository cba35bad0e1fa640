//! What is trained and tested on: GoEmotions, the grammars' utterances, the held-out sentences.

use std::path::Path;

use sidetone_call::Topic;

use super::FOLDS;
use super::grammar::{Grammar, Line};
use super::noise::{Manner, heard, written};
use super::report::TrainError;
use super::rng::Rng;
use crate::text::labels::LABELS;

/// A text with a bit for each label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labelled {
    pub(crate) text: String,
    pub(crate) labels: u64,
    /// What may not be parted between folds: a line of a grammar, a comment.
    pub(crate) group: usize,
    /// The fold that it belongs to, if that is not left to chance.
    pub(crate) fold: Option<usize>,
}

/// Reads one part of GoEmotions: text, label numbers, comment's name, parted by tabs.
pub(crate) fn goemotions(path: &Path) -> Result<Vec<Labelled>, TrainError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| TrainError::File { path: path.into(), source })?;
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = || TrainError::Line { path: path.into(), line: number + 1 };
        let mut fields = line.split('\t');
        let (Some(text), Some(numbers)) = (fields.next(), fields.next()) else { return Err(wrong()) };
        let mut labels = 0;
        for number in numbers.split(',') {
            let label: usize = number.parse().map_err(|_| wrong())?;
            labels |= if label < LABELS.len() { 1 << label } else { return Err(wrong()) };
        }
        all.push(Labelled { text: text.to_owned(), labels, group: number, fold: None });
    }
    Ok(all)
}

/// A bit for each topic.
pub(crate) fn bits(topics: &[Topic]) -> u64 {
    Topic::ALL
        .iter()
        .enumerate()
        .filter(|(_, topic)| topics.contains(topic))
        .fold(0, |bits, (at, _)| bits | 1 << at)
}

/// Reads held-out sentences, if there are any: topics parted by commas, or `none`, a tab, the text.
pub(crate) fn held_out(path: &Path) -> Result<Vec<Labelled>, TrainError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        std::fs::read_to_string(path).map_err(|source| TrainError::File { path: path.into(), source })?;
    let mut all = Vec::new();
    for (number, line) in
        text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty())
    {
        let wrong = || TrainError::Line { path: path.into(), line: number + 1 };
        let (names, text) = line.split_once('\t').ok_or_else(wrong)?;
        let mut labels = 0;
        for name in names.split(',').filter(|name| *name != "none") {
            let at = Topic::ALL.iter().position(|topic| topic.name() == name).ok_or_else(wrong)?;
            labels |= 1 << at;
        }
        all.push(Labelled { text: text.to_owned(), labels, group: number, fold: None });
    }
    Ok(all)
}

/// The half of the held-out sentences that may be looked at while training is made better. The halves are told apart by
/// a sum over the letters, so that nobody has a say in it.
pub(crate) fn is_dev(text: &str) -> bool {
    text.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))).count_ones() % 2
        == 0
}

/// Utterances of these grammars, a third of them put through a recogniser's errors.
pub(crate) fn utterances(grammars: &[Grammar], count: usize, seed: u64) -> Vec<Labelled> {
    let mut rng = Rng::new(seed);
    let mut all = Vec::with_capacity(count);
    for grammar in grammars {
        let of = |wanted: Option<Topic>, near: bool| -> Vec<&Line> {
            let fits = |line: &&Line| match wanted {
                Some(topic) => line.topics.contains(&topic),
                None => line.topics.is_empty() && line.near == near,
            };
            grammar
                .lines
                .iter()
                .filter(fits)
                .flat_map(|line| std::iter::repeat_n(line, line.weight()))
                .collect()
        };
        let topics: Vec<Vec<&Line>> = Topic::ALL.iter().map(|topic| of(Some(*topic), false)).collect();
        let (plain, near) = (of(None, false), of(None, true));
        for _ in 0..count / grammars.len().max(1) {
            // Of ten: six about something, two ordinary, two that only look like something.
            let pool = match rng.below(10) {
                0..=5 => topics.get(rng.below(topics.len())).unwrap_or(&plain),
                6 | 7 => &plain,
                _ => &near,
            };
            let Some(core) = pool.get(rng.below(pool.len())) else { continue };
            all.push(utterance(grammar, core, &topics, &plain, &mut rng));
        }
    }
    all
}

fn utterance(
    grammar: &Grammar,
    core: &Line,
    topics: &[Vec<&Line>],
    plain: &[&Line],
    rng: &mut Rng,
) -> Labelled {
    let mut parts = vec![core.sentence(rng)];
    let mut labels = bits(&core.topics);
    if !core.topics.is_empty() && rng.chance(0.12) {
        let pool = topics.get(rng.below(topics.len()));
        if let Some(other) = pool.and_then(|pool| pool.get(rng.below(pool.len()))) {
            labels |= bits(&other.topics);
            parts.push(other.sentence(rng));
        }
    }
    // A sentence beside it that says nothing, so that what matters is found among what does not.
    for _ in 0..2 {
        if let Some(line) = plain.get(rng.below(plain.len())).filter(|_| rng.chance(0.25)) {
            let sentence = line.sentence(rng);
            parts.insert(rng.below(parts.len() + 1), sentence);
        }
    }
    let german = grammar.language == "de";
    let joints = if german {
        ["  ", "  ", " und ", " also ", " weil "]
    } else {
        ["  ", "  ", " and ", " so ", " because "]
    };
    let mut text = parts.join(joints.get(rng.below(5)).unwrap_or(&"  "));
    if rng.chance(0.4) {
        // "Hello I want ...", "Hello. I want ...": a mark behind the greeting says nothing either.
        let joint = if rng.chance(0.5) { "  " } else { " " };
        text = format!("{}{joint}{text}", grammar.filler(rng));
    }
    if rng.chance(0.25) {
        text = format!("{text}  {}", grammar.closing(rng));
    }
    let manner = match rng.below(10) {
        0..=4 => Manner::Written,
        5..=7 => Manner::Bare,
        _ => Manner::Hasty,
    };
    let mut text = written(&text, manner, rng);
    if rng.chance(0.35) {
        text = heard(&text, &grammar.language, 0.05 + 0.15 * rng.unit(), rng);
    }
    // A whole file is told by the others: its author's other ways of saying things are what new sentences are to them.
    let fold = (grammar.files() >= FOLDS).then_some(core.file % FOLDS);
    Labelled { text, labels, group: core.number, fold }
}
