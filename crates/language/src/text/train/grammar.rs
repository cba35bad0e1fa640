//! Utterances made by hand-written grammars: `corpus/*.toml`, whose format corpus/README.md tells.

use std::collections::BTreeMap;

use serde::Deserialize;
use sidetone_call::Topic;

use super::rng::Rng;

/// A grammar's file that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum GrammarError {
    /// No TOML, or not of the grammar's form.
    #[error("the grammar can't be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A bracket or brace too many or too few.
    #[error("`{line}`: {problem}")]
    Line {
        /// The line.
        line: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: String,
    #[serde(default)]
    slots: BTreeMap<String, String>,
    say: Vec<Say>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    topics: Vec<Topic>,
    #[serde(default)]
    near: bool,
    lines: Vec<String>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Words(String),
    OneOf(Vec<Vec<Piece>>),
}

/// One line of a grammar, which stands for many sentences.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pieces: Vec<Piece>,
    /// What its sentences are about.
    pub(crate) topics: Vec<Topic>,
    /// Whether it only looks as if it were about something.
    pub(crate) near: bool,
    /// Its number, by which folds are made where there are few files.
    pub(crate) number: usize,
    /// The number of its file among those of its language, by which folds are made.
    pub(crate) file: usize,
}

/// A grammar.
#[derive(Debug, Clone)]
pub(crate) struct Grammar {
    /// As in BCP 47.
    pub(crate) language: String,
    pub(crate) lines: Vec<Line>,
    fillers: Vec<Piece>,
    closings: Vec<Piece>,
}

/// How deep brackets may stand in brackets.
const DEPTH: usize = 8;

impl Grammar {
    /// Reads a grammar. Lines are numbered from `first`.
    ///
    /// # Errors
    /// See [`GrammarError`].
    pub(crate) fn read(text: &str, first: usize) -> Result<Self, GrammarError> {
        let file: File = toml::from_str(text)?;
        let mut slots = BTreeMap::new();
        for (name, choices) in &file.slots {
            let choices = choices.split('|').map(|choice| line(choice.trim(), &BTreeMap::new()));
            slots.insert(name.clone(), Piece::OneOf(choices.collect::<Result<_, _>>()?));
        }
        let mut lines = Vec::new();
        for say in &file.say {
            for text in &say.lines {
                let pieces = line(text, &slots)?;
                let number = first + lines.len();
                lines.push(Line { pieces, topics: say.topics.clone(), near: say.near, number, file: 0 });
            }
        }
        let fillers = slots.remove("filler").into_iter().collect();
        let closings = slots.remove("closing").into_iter().collect();
        Ok(Self { language: file.language, lines, fillers, closings })
    }

    /// How many files it is of.
    pub(crate) fn files(&self) -> usize {
        self.lines.last().map_or(0, |line| line.file + 1)
    }

    /// Takes in the lines of another grammar of its language.
    pub(crate) fn join(&mut self, other: Self) {
        let file = self.files();
        self.lines.extend(other.lines.into_iter().map(|line| Line { file, ..line }));
        self.fillers.extend(other.fillers);
        self.closings.extend(other.closings);
    }

    /// What people say before they come to the point.
    pub(crate) fn filler(&self, rng: &mut Rng) -> String {
        one_of(&self.fillers, rng)
    }

    /// What they say behind it, whatever it was: a question, a farewell.
    pub(crate) fn closing(&self, rng: &mut Rng) -> String {
        one_of(&self.closings, rng)
    }
}

fn one_of(pieces: &[Piece], rng: &mut Rng) -> String {
    let piece = pieces.get(rng.below(pieces.len()));
    piece.map(|piece| expand(std::slice::from_ref(piece), rng)).unwrap_or_default()
}

impl Line {
    /// How often it is drawn beside others, from 1: more often the more sentences it stands for, slowly.
    pub(crate) fn weight(&self) -> usize {
        1 + sentences(&self.pieces).log10().clamp(0.0, 8.0) as usize
    }

    /// One of its sentences, in lower case. Two blanks stand where a sentence may end.
    pub(crate) fn sentence(&self, rng: &mut Rng) -> String {
        let said = expand(&self.pieces, rng);
        let sentences = said.split("  ").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        sentences.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }
}

/// How many sentences these pieces stand for.
fn sentences(pieces: &[Piece]) -> f64 {
    let of = |piece: &Piece| match piece {
        Piece::Words(_) => 1.0,
        Piece::OneOf(choices) => choices.iter().map(|choice| sentences(choice)).sum(),
    };
    pieces.iter().map(of).product()
}

fn expand(pieces: &[Piece], rng: &mut Rng) -> String {
    let mut said = String::new();
    for piece in pieces {
        match piece {
            Piece::Words(words) => said.push_str(words),
            Piece::OneOf(choices) => {
                if let Some(choice) = choices.get(rng.below(choices.len())) {
                    said.push_str(&expand(choice, rng));
                }
            }
        }
    }
    said
}

fn line(text: &str, slots: &BTreeMap<String, Piece>) -> Result<Vec<Piece>, GrammarError> {
    let mut rest = text.chars();
    let mut choices = choices(&mut rest, slots, 0)
        .map_err(|problem| GrammarError::Line { line: text.to_owned(), problem })?;
    if choices.len() == 1 { Ok(choices.remove(0)) } else { Ok(vec![Piece::OneOf(choices)]) }
}

/// Alternatives up to the end of the text or of the bracket.
fn choices(
    rest: &mut std::str::Chars<'_>,
    slots: &BTreeMap<String, Piece>,
    depth: usize,
) -> Result<Vec<Vec<Piece>>, &'static str> {
    if depth > DEPTH {
        return Err("brackets stand too deep in one another");
    }
    let (mut all, mut pieces, mut words) = (Vec::new(), Vec::new(), String::new());
    loop {
        let next = rest.next();
        if matches!(next, Some('(' | '{' | '|' | ')') | None) && !words.is_empty() {
            pieces.push(Piece::Words(std::mem::take(&mut words)));
        }
        match next {
            Some('(') => pieces.push(Piece::OneOf(choices(rest, slots, depth + 1)?)),
            Some('{') => {
                let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                pieces.push(slots.get(&name).ok_or("names a slot that there is not")?.clone());
            }
            Some('|') => all.push(std::mem::take(&mut pieces)),
            Some(')') if depth > 0 => break,
            Some(')') => return Err("a bracket closes that did not open"),
            Some(c) => words.push(c),
            None if depth > 0 => return Err("a bracket does not close"),
            None => break,
        }
    }
    all.push(pieces);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::*;

    #[test]
    fn a_line_stands_for_all_its_sentences() {
        let text = "language = \"en\"\n[slots]\nit = \"it | this thing\"\n[[say]]\ntopics = [\"cancel\"]\nlines = [\"(please|) end {it}  (now|today)\"]";
        let grammar = Grammar::read(text, 0).unwrap();
        let mut rng = Rng::new(1);
        let said: std::collections::BTreeSet<String> =
            (0..200).map(|_| grammar.lines[0].sentence(&mut rng)).collect();
        assert_eq!(said.len(), 8);
        assert!(said.contains("please end this thing  today"));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (wrong, problem) in [("(a|b", "does not close"), ("a)", "did not open"), ("{none}", "slot")] {
            let error = line(wrong, &BTreeMap::new()).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(text in "[a(){}|]{0,40}") {
            let _ = line(&text, &BTreeMap::new());
        }
    }
}
