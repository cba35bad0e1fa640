//! A text cut into words, runs of digits, single signs and placeholders, each with its place in the text.

use std::cell::Cell;
use std::ops::Range;

use super::kind::Kind;
use super::lexicon::{self, Flags};
use crate::tongue::Language;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Letters, with apostrophes between them.
    Word,
    /// Digits of any script, without a gap.
    Digits,
    /// One other visible sign.
    Sign(char),
    /// What stands for something that was taken out.
    Placeholder(Kind),
}

/// A piece of the text.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) shape: Shape,
    /// Bytes of the text.
    pub(super) range: Range<usize>,
    /// A word in small letters without accents, ä as ae and ß as ss; digits as ASCII; empty otherwise.
    pub(super) plain: String,
    /// The lists that the word is in.
    pub(super) flags: Flags,
    /// No space between it and the token before.
    pub(super) joined: bool,
    /// Line ends between it and the token before.
    pub(super) lines: u8,
    /// A word that begins with a capital.
    pub(super) capital: bool,
    /// A word of capitals alone.
    pub(super) capitals: bool,
    /// A part of a date that stays: no number begins here.
    pub(super) kept: bool,
}

impl Token {
    pub(super) fn is(&self, flags: Flags) -> bool {
        self.flags.any(flags)
    }

    pub(super) fn is_word(&self) -> bool {
        self.shape == Shape::Word
    }

    pub(super) fn is_digits(&self) -> bool {
        self.shape == Shape::Digits
    }

    /// A word of one letter.
    pub(super) fn letter(&self) -> Option<char> {
        let mut letters = self.plain.chars();
        match (self.shape, letters.next(), letters.next()) {
            (Shape::Word, Some(letter), None) if letter.is_ascii_alphabetic() => Some(letter),
            _ => None,
        }
    }

    pub(super) fn sign(&self) -> Option<char> {
        match self.shape {
            Shape::Sign(sign) => Some(sign),
            _ => None,
        }
    }

    /// A sign that ends a sentence.
    pub(super) fn ends_sentence(&self) -> bool {
        matches!(self.shape, Shape::Sign('.' | '!' | '?' | ';' | '…'))
    }
}

/// The tokens of a text. Counts how often one is looked at, which is what the time is spent on.
#[derive(Debug)]
pub(super) struct Tokens {
    list: Vec<Token>,
    looks: Cell<u64>,
}

impl Tokens {
    /// Cuts `text`.
    pub(super) fn of(text: &str, language: Language) -> Self {
        let mut cutter = Cutter { text, language, list: Vec::new(), joined: false, lines: 0 };
        cutter.run();
        Self { list: cutter.list, looks: Cell::new(0) }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Token> {
        self.looks.set(self.looks.get() + 1);
        self.list.get(index)
    }

    /// The token `back` before `index`: the one just before it for 1.
    pub(super) fn before(&self, index: usize, back: usize) -> Option<&Token> {
        self.get(index.checked_sub(back)?)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// How often a token was looked at.
    #[cfg(test)]
    pub(super) fn looks(&self) -> u64 {
        self.looks.get()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.list.iter()
    }

    /// Marks the tokens of these ranges as kept, and no others.
    pub(super) fn keep(&mut self, ranges: &[Range<usize>]) {
        for token in &mut self.list {
            token.kept = false;
        }
        for range in ranges {
            for token in self.list.get_mut(range.clone()).into_iter().flatten() {
                token.kept = true;
            }
        }
    }

    /// Puts one placeholder in the place of each claimed range. The claims are in order and don't overlap.
    pub(super) fn collapse(&mut self, claims: &[(Range<usize>, Kind)]) {
        let mut claims = claims.iter().peekable();
        let mut kept = Vec::with_capacity(self.list.len());
        for (index, token) in std::mem::take(&mut self.list).into_iter().enumerate() {
            while claims.next_if(|(range, _)| range.end <= index).is_some() {}
            match claims.peek() {
                Some((range, kind)) if range.start == index => kept.push(Token {
                    shape: Shape::Placeholder(*kind),
                    plain: String::new(),
                    flags: Flags::NONE,
                    capital: false,
                    capitals: false,
                    kept: false,
                    ..token
                }),
                Some((range, _)) if range.start < index => {
                    if let Some(last) = kept.last_mut() {
                        last.range.end = token.range.end;
                    }
                }
                _ => kept.push(token),
            }
        }
        self.list = kept;
    }
}

struct Cutter<'a> {
    text: &'a str,
    language: Language,
    list: Vec<Token>,
    joined: bool,
    lines: u8,
}

impl Cutter<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(rest) = self.text.get(at..) {
            let Some(first) = rest.chars().next() else { break };
            at += if first.is_whitespace() {
                self.joined = false;
                self.lines = self.lines.saturating_add(u8::from(first == '\n'));
                first.len_utf8()
            } else if is_invisible(first) {
                first.len_utf8()
            } else if let Some((kind, length)) = placeholder(rest) {
                self.push(Shape::Placeholder(kind), at..at + length, String::new());
                length
            } else if digit(first).is_some() {
                self.digits(at, rest)
            } else if first.is_alphabetic() {
                self.word(at, rest)
            } else {
                self.push(Shape::Sign(first), at..at + first.len_utf8(), String::new());
                first.len_utf8()
            };
        }
    }

    fn push(&mut self, shape: Shape, range: Range<usize>, plain: String) {
        let flags = if shape == Shape::Word { lexicon::flags(&plain, self.language) } else { Flags::NONE };
        let word = self.text.get(range.clone()).filter(|_| shape == Shape::Word).unwrap_or_default();
        self.list.push(Token {
            capital: word.chars().next().is_some_and(char::is_uppercase),
            capitals: !word.is_empty() && word.chars().all(|c| !c.is_lowercase()),
            kept: false,
            shape,
            range,
            plain,
            flags,
            joined: self.joined,
            lines: self.lines,
        });
        self.joined = true;
        self.lines = 0;
    }

    fn digits(&mut self, at: usize, rest: &str) -> usize {
        let (mut end, mut plain) = (0, String::new());
        for (offset, c) in rest.char_indices() {
            if let Some(value) = digit(c) {
                plain.push(char::from(b'0' + value));
            } else if !is_invisible(c) {
                break;
            }
            end = offset + c.len_utf8();
        }
        self.push(Shape::Digits, at..at + end, plain);
        end
    }

    fn word(&mut self, at: usize, rest: &str) -> usize {
        let (mut end, mut plain) = (0, String::new());
        let mut chars = rest.char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            let inner = is_apostrophe(c) && chars.peek().is_some_and(|(_, next)| next.is_alphabetic());
            if !(c.is_alphabetic() || is_invisible(c) || inner) {
                break;
            }
            fold(c, &mut plain);
            end = offset + c.len_utf8();
        }
        self.push(Shape::Word, at..at + end, plain);
        end
    }
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | 'ʼ' | '`' | '´')
}

/// Signs that are not seen, or that only dress the sign before: they part no word and no number.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{20d0}'..='\u{20ff}'
        | '\u{300}'..='\u{36f}' | '\u{e0000}'..='\u{e0fff}')
        || (c.is_control() && !c.is_whitespace())
}

/// The value of a digit of any script that people write numbers in.
fn digit(c: char) -> Option<u8> {
    /// The zeros of scripts whose ten digits follow each other.
    const ZEROS: [u32; 16] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0,
        0x17e0, 0xff10,
    ];
    let code = u32::from(c);
    let value = match code {
        0x30..=0x39 => code - 0x30,
        0..0x80 => return None,
        0xb9 => 1,
        0xb2 | 0xb3 => code - 0xb0,
        0x2070 | 0x2074..=0x2079 => code - 0x2070,
        0x2080..=0x2089 => code - 0x2080,
        0x2460..=0x2468 => code - 0x245f,
        0x24ea => 0,
        0x2776..=0x277e => code - 0x2775,
        0x1d7ce..=0x1d7ff => (code - 0x1d7ce) % 10,
        _ => code - ZEROS.into_iter().find(|zero| (*zero..*zero + 10).contains(&code))?,
    };
    u8::try_from(value).ok()
}

/// Adds `c` in small letters without its accent. Unknown letters stay as they are.
fn fold(c: char, plain: &mut String) {
    let start = plain.len();
    match c {
        'a'..='z' => plain.push(c),
        // A diaeresis that follows its vowel.
        '\u{308}' if plain.ends_with(['a', 'o', 'u']) => plain.push('e'),
        _ if is_invisible(c) || is_apostrophe(c) => {}
        _ => {
            for small in c.to_lowercase() {
                match small {
                    'ä' | 'æ' => plain.push_str("ae"),
                    'ö' | 'œ' => plain.push_str("oe"),
                    'ü' => plain.push_str("ue"),
                    'ß' => plain.push_str("ss"),
                    'à' | 'á' | 'â' | 'ã' | 'å' => plain.push('a'),
                    'ç' => plain.push('c'),
                    'è' | 'é' | 'ê' | 'ë' => plain.push('e'),
                    'ì' | 'í' | 'î' | 'ï' => plain.push('i'),
                    'ñ' => plain.push('n'),
                    'ò' | 'ó' | 'ô' | 'õ' | 'ø' => plain.push('o'),
                    'ù' | 'ú' | 'û' => plain.push('u'),
                    'ý' | 'ÿ' => plain.push('y'),
                    // Full-width letters.
                    'ａ'..='ｚ' => plain.extend(char::from_u32(u32::from(small) - 0xff41 + 0x61)),
                    other if !is_invisible(other) => plain.push(other),
                    _ => {}
                }
            }
        }
    }
    debug_assert!(plain.len() <= start + 16, "one letter adds few bytes");
}

/// A placeholder at the beginning of `text`, and its length.
fn placeholder(text: &str) -> Option<(Kind, usize)> {
    text.starts_with('[').then_some(())?;
    Kind::ALL.into_iter().find_map(|kind| {
        let placeholder = kind.placeholder();
        text.starts_with(placeholder).then_some((kind, placeholder.len()))
    })
}
