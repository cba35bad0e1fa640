//! How much of the corpus redaction finds, and how much it takes that it should leave: corpus/redaction.tsv.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::ops::Range;

use sidetone_language::redact::{Kind, redact};
use sidetone_language::tongue::Language;

struct Sentence {
    language: Language,
    text: String,
    marked: Vec<(Range<usize>, Kind)>,
}

/// The sentences of the corpus: every second one from the first (0) or the second (1).
fn corpus(part: usize) -> Vec<Sentence> {
    include_str!("../corpus/redaction.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(part)
        .step_by(2)
        .map(|line| {
            let (language, marked) = line.split_once('\t').expect("a language and a text");
            sentence(Language::of_tag(language), marked)
        })
        .collect()
}

fn sentence(language: Language, marked: &str) -> Sentence {
    let mut sentence = Sentence { language, text: String::new(), marked: Vec::new() };
    let mut rest = marked;
    while let Some((before, after)) = rest.split_once('{') {
        let (kind, after) = after.split_once(':').expect("a kind");
        let (words, after) = after.split_once('}').expect("a brace that closes");
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).expect("a known kind");
        sentence.text.push_str(before);
        let from = sentence.text.len();
        sentence.text.push_str(words);
        sentence.marked.push((from..sentence.text.len(), kind));
        rest = after;
    }
    sentence.text.push_str(rest);
    sentence
}

#[derive(Default)]
struct Found {
    marked: usize,
    /// Taken out to the last letter and digit.
    whole: usize,
    /// Under the right name.
    named: usize,
}

#[derive(Default)]
struct Figures {
    kinds: BTreeMap<Kind, Found>,
    /// Letters and digits that are marked.
    signs: usize,
    /// Those of them that went.
    gone: usize,
    /// Words outside of what is marked.
    ordinary: usize,
    /// Those of them that went.
    lost: usize,
    /// Placeholders that touch nothing marked.
    false_alarms: usize,
}

impl Figures {
    fn of(sentences: &[Sentence], show: bool) -> Self {
        let mut figures = Self::default();
        for sentence in sentences {
            let redacted = redact(&sentence.text, sentence.language);
            let taken = |at: usize| redacted.spans.iter().any(|span| span.from.contains(&at));
            let mut wrong = false;
            for (range, kind) in &sentence.marked {
                let signs = sentence.text[range.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric());
                let (signs, gone) = signs.fold((0, 0), |(signs, gone), (offset, _)| {
                    (signs + 1, gone + usize::from(taken(range.start + offset)))
                });
                figures.signs += signs;
                figures.gone += gone;
                let whole = signs == gone;
                let named = redacted.spans.iter().any(|span| {
                    span.kind == *kind && span.from.start < range.end && range.start < span.from.end
                });
                let found = figures.kinds.entry(*kind).or_default();
                found.marked += 1;
                found.whole += usize::from(whole);
                found.named += usize::from(named);
                wrong |= !whole || !named;
            }
            let marked = |at: usize| sentence.marked.iter().any(|(range, _)| range.contains(&at));
            for (at, _) in words(&sentence.text).filter(|(at, _)| !marked(*at)) {
                figures.ordinary += 1;
                figures.lost += usize::from(taken(at));
                wrong |= taken(at);
            }
            figures.false_alarms += redacted
                .spans
                .iter()
                .filter(|span| {
                    sentence
                        .marked
                        .iter()
                        .all(|(range, _)| span.from.start >= range.end || range.start >= span.from.end)
                })
                .count();
            if show && wrong {
                println!("{}\n    {}", sentence.text, redacted.text);
            }
        }
        figures
    }

    fn recall(&self) -> f64 {
        let (whole, marked) =
            self.kinds.values().fold((0, 0), |(a, b), found| (a + found.whole, b + found.marked));
        whole as f64 / marked as f64
    }

    fn signs_gone(&self) -> f64 {
        self.gone as f64 / self.signs as f64
    }

    fn lost_per_thousand(&self) -> f64 {
        self.lost as f64 * 1000.0 / self.ordinary as f64
    }

    fn print(&self, name: &str) {
        println!("{name}");
        for (kind, found) in &self.kinds {
            println!("| {} | {} | {} | {} |", kind.name(), found.marked, found.whole, found.named);
        }
        println!(
            "recall {:.3}, signs {:.3}; {} ordinary words, {} lost ({:.1} per 1,000), {} false placeholders",
            self.recall(),
            self.signs_gone(),
            self.ordinary,
            self.lost,
            self.lost_per_thousand(),
            self.false_alarms
        );
    }
}

/// Words and where their first letter or digit stands.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().filter_map(move |word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        let (offset, _) = word.char_indices().find(|(_, c)| c.is_alphanumeric())?;
        Some((start + offset, word))
    })
}

#[test]
fn figures_hold_on_the_development_half() {
    let figures = Figures::of(&corpus(0), true);
    figures.print("development");
    assert!(figures.recall() >= 0.99 && figures.signs_gone() >= 0.995);
    assert!(figures.lost_per_thousand() <= 3.0);
}

#[test]
fn figures_hold_on_the_test_half() {
    let figures = Figures::of(&corpus(1), std::env::var_os("SHOW_TEST_HALF").is_some());
    figures.print("test");
    assert!(figures.recall() >= 0.92 && figures.signs_gone() >= 0.98);
    assert!(figures.lost_per_thousand() <= 11.5);
}
