//! Texts put through the errors of a recogniser and of hasty fingers.

use super::rng::Rng;

/// Words that sound alike, or nearly so over a telephone.
const ALIKE: &[&[&str]] = &[
    &["their", "there", "they're"],
    &["your", "you're", "yore"],
    &["two", "to", "too"],
    &["for", "four"],
    &["no", "know"],
    &["right", "write"],
    &["hear", "here"],
    &["new", "knew"],
    &["our", "are", "hour"],
    &["were", "where", "we're"],
    &["by", "buy", "bye"],
    &["wait", "weight"],
    &["week", "weak"],
    &["paid", "pay", "paired"],
    &["bill", "build", "bell"],
    &["died", "tied", "dyed"],
    &["cancel", "council", "cancelled", "counsel"],
    &["account", "a count", "accounts"],
    &["refund", "re fund", "refunds", "refunded"],
    &["charged", "charge", "charred"],
    &["sue", "soo", "see"],
    &["lawyer", "lawyers", "liar"],
    &["court", "caught", "cord"],
    &["manager", "managers", "manage her"],
    &["supervisor", "super visor", "supervisors"],
    &["call", "called", "calls", "cool"],
    &["third", "thirdly", "heard"],
    &["time", "times", "thyme"],
    &["again", "a game", "against"],
    &["urgent", "urgently", "agent"],
    &["passed", "past"],
    &["husband", "husbands", "has been"],
    &["mother", "mothers", "other"],
    &["lost", "last"],
    &["thanks", "thank", "tanks"],
    &["thank you", "thank"],
    &["complaint", "complain", "complained"],
    &["contract", "contact", "contracts"],
    &["subscription", "prescription", "subscriptions"],
    &["afford", "a ford"],
    &["owe", "oh"],
    &["waited", "waiting"],
    &["want", "wanna", "one"],
    &["and", "an", "in"],
    &["is", "as", "his"],
    &["it", "that", "at"],
    &["i", "eye"],
    &["the", "a", "that"],
    &["my", "me", "by"],
];

/// The same in German.
const ALIKE_GERMAN: &[&[&str]] = &[
    &["seit", "seid"],
    &["das", "dass", "des"],
    &["den", "denn", "dem", "der"],
    &["ihr", "ihre", "er", "ihren"],
    &["kündigen", "kündige", "kündigung", "künden"],
    &["vertrag", "vortrag", "verträge", "vertrags"],
    &["mahnung", "meinung"],
    &["geld", "gelb", "geht"],
    &["zurück", "zurücke", "zu rück"],
    &["anwalt", "anwald", "anhalt"],
    &["chef", "schef", "chefs"],
    &["mal", "male", "mahl"],
    &["gestorben", "verstorben", "geworben"],
    &["rate", "raten", "rat"],
    &["ist", "isst", "is"],
    &["ein", "einen", "eine", "n"],
    &["wieder", "wider"],
    &["danke", "dank", "denke"],
    &["konto", "kontor", "kontos"],
    &["zahlen", "zählen", "zahle"],
    &["mein", "meinen", "meine", "main"],
    &["nicht", "nich", "nichts"],
    &["haben", "habe", "hab"],
    &["frist", "fristen", "friss"],
    &["beschweren", "beschwere", "beschwerde", "erschweren"],
    &["dringend", "drängend", "bringend"],
];

/// The text as a recogniser might have heard it, or as it might have been typed, in a language (BCP 47). `much` is the
/// share of words that suffer.
pub(crate) fn heard(text: &str, language: &str, much: f32, rng: &mut Rng) -> String {
    let german = language == "de";
    let (alikes, fillers, endings) = if german {
        (ALIKE_GERMAN, ["äh", "ähm", "also", "ja", "halt", "so"], GERMAN_ENDINGS)
    } else {
        (ALIKE, ["um", "uh", "like", "you know", "the", "so"], ENDINGS)
    };
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if !rng.chance(much) {
            words.push(word.to_owned());
            continue;
        }
        match rng.below(8) {
            0..=2 => words.push(alike(word, alikes, rng)),
            3 => words.push(without_ending(word, endings)),
            4 if word.len() < 4 => {}
            4 | 5 => words.push(mistyped(word, rng)),
            6 => {
                words.push(word.to_owned());
                words.extend(fillers.get(rng.below(fillers.len())).map(|filler| (*filler).to_owned()));
            }
            _ => {
                words.push(word.to_owned());
                words.push(word.to_owned());
            }
        }
    }
    words.join(" ")
}

fn alike(word: &str, alikes: &[&[&str]], rng: &mut Rng) -> String {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
    let Some(group) = alikes.iter().find(|group| group.contains(&bare.as_str())) else {
        return mistyped(word, rng);
    };
    group.get(rng.below(group.len())).map_or_else(|| word.to_owned(), |other| (*other).to_owned())
}

const ENDINGS: &[&str] = &["'ll", "'d", "'ve", "ing", "ed", "ly", "s", "d", "t"];
const GERMAN_ENDINGS: &[&str] = &["en", "er", "es", "em", "e", "n", "s", "t"];

fn without_ending(word: &str, endings: &[&str]) -> String {
    let ending = endings.iter().find_map(|ending| word.strip_suffix(*ending).filter(|stem| stem.len() > 2));
    ending.unwrap_or(word).to_owned()
}

/// A letter left out, doubled, changed with its neighbour, or a vowel mistaken.
fn mistyped(word: &str, rng: &mut Rng) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 4 {
        return word.to_owned();
    }
    let at = 1 + rng.below(letters.len() - 2);
    match rng.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.swap(at, at - 1),
        2 => {
            if let Some(letter) = letters.get(at).copied() {
                letters.insert(at, letter);
            }
        }
        _ => {
            let vowels = ['a', 'e', 'i', 'o', 'u'];
            if let Some(letter) = letters.iter_mut().skip(at).find(|letter| vowels.contains(letter)) {
                *letter = vowels.get(rng.below(vowels.len())).copied().unwrap_or('e');
            }
        }
    }
    letters.into_iter().collect()
}

/// How a sentence is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Capitals and marks.
    Written,
    /// Lower case, no marks: much recognised speech.
    Bare,
    /// Lower case, apostrophes left out too.
    Hasty,
}

/// The sentences, parted by two blanks, in one of the manners.
pub(crate) fn written(text: &str, manner: Manner, rng: &mut Rng) -> String {
    let mut whole = String::new();
    for part in text.split("  ").map(str::trim).filter(|part| !part.is_empty()) {
        if !whole.is_empty() {
            whole.push_str(match (manner, rng.below(3)) {
                (Manner::Written, _) if whole.ends_with(['?', '.', '!']) => " ",
                (Manner::Written, 0) => ", ",
                (Manner::Written, _) => ". ",
                _ => " ",
            });
        }
        let begins = whole.is_empty() || whole.ends_with(". ") || whole.ends_with("? ");
        if manner == Manner::Written && begins {
            let mut letters = part.chars();
            whole.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            whole.push_str(letters.as_str());
        } else {
            whole.push_str(part);
        }
        // A mark that training never shows beside a topic would count against every topic.
        if manner == Manner::Written && !part.ends_with(['?', '.', '!']) && asks(part) && rng.chance(0.8) {
            whole.push('?');
        }
    }
    match manner {
        Manner::Written => {
            let whole = whole.replace(" i ", " I ").replace(" i'", " I'");
            let end = [".", ".", ".", "!", "", ""].get(rng.below(6)).copied().unwrap_or(".");
            if whole.ends_with(['?', '.', '!']) { whole } else { whole + end }
        }
        Manner::Bare => whole.replace(['?', '!'], ""),
        Manner::Hasty => whole.replace('\'', ""),
    }
}

/// Begin a question by themselves.
const ASKING: &[&str] = &[
    "how", "what", "what's", "when", "where", "why", "who", "who's", "which", "wie", "was", "wann", "wo",
    "warum", "wieso", "weshalb", "wer", "welche", "welcher", "welches", "wofür",
];
/// Begin one before somebody or something.
const VERBS: &[&str] = &[
    "can",
    "could",
    "would",
    "will",
    "may",
    "is",
    "isn't",
    "are",
    "am",
    "do",
    "does",
    "did",
    "should",
    "must",
    "was",
    "were",
    "have",
    "has",
    "kann",
    "können",
    "könnte",
    "könnten",
    "darf",
    "ist",
    "sind",
    "geht",
    "gibt",
    "haben",
    "hat",
    "habe",
    "bekomme",
    "muss",
    "soll",
    "würden",
    "verstehen",
    "stimmt",
];
const SOMEBODY: &[&str] = &[
    "i", "you", "we", "they", "he", "she", "it", "there", "this", "that", "the", "my", "your", "anyone",
    "anybody", "somebody", "someone", "ich", "sie", "wir", "er", "es", "man", "das", "der", "die", "mein",
    "meine", "ihr", "ihre", "jemand", "mir",
];

/// Whether a sentence in lower case is a question, by how it begins.
fn asks(part: &str) -> bool {
    let mut words = part.split_whitespace();
    let (Some(first), second) = (words.next(), words.next()) else { return false };
    let is_of = |list: &[&str], word: &str| list.contains(&word);
    is_of(ASKING, first) || is_of(VERBS, first) && second.is_some_and(|second| is_of(SOMEBODY, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_mishears_alike() {
        let text = "i called two times because my bill is wrong";
        let once = heard(text, "en", 0.5, &mut Rng::new(3));
        assert_eq!(once, heard(text, "en", 0.5, &mut Rng::new(3)));
        assert_ne!(once, text);
        assert_eq!(heard(text, "en", 0.0, &mut Rng::new(3)), text);
    }

    #[test]
    fn a_question_has_its_mark_and_only_one() {
        let text = "hello  i want to leave  how do i do that";
        let all: Vec<String> =
            (0..40).map(|seed| written(text, Manner::Written, &mut Rng::new(seed))).collect();
        assert!(all.contains(&"Hello, I want to leave, how do I do that?".to_owned()), "{all:?}");
        assert!(all.contains(&"Hello. I want to leave. How do I do that?".to_owned()), "{all:?}");
        assert!(all.iter().all(|text| !text.contains("?.") && !text.contains("?!")), "{all:?}");
        assert!(asks("can you help me") && !asks("fix it now") && !asks("i want to leave"));
        assert_eq!(written(text, Manner::Bare, &mut Rng::new(1)), "hello i want to leave how do i do that");
    }
}
