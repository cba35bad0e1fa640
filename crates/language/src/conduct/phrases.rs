//! The phrases of each act, and what undoes them.
//!
//! A pattern is a row of words: `a|b` is either, `a?` may be missing, `*` is up to three words of any kind.

use std::ops::Range;

use super::Act;
use crate::redact::plain::Plain;

/// Words that a `*` stands for at most.
const GAP: usize = 3;
/// Words between a promise and its time.
const REACH: usize = 14;

const GREETING: &[&str] = &[
    "^ good morning|afternoon|evening|day",
    "^ hello|hi|welcome",
    "how can|may i help",
    "what can i do for you",
    "^ guten|schoenen tag|morgen|abend",
    "^ hallo|willkommen|moin|servus",
    "^ gruess gott|sie",
    "wie kann|darf ich ihnen helfen|weiterhelfen|behilflich",
    "was kann|darf ich fuer sie tun",
];

const ACKNOWLEDGEMENT: &[&str] = &[
    "sorry you|youre|that|to|for|about * experiencing|hear|trouble|happened|waiting|wait|inconvenience|went|had|have",
    "i|we fully|completely|totally|really|quite|do|can? understand",
    "i|we can|do fully|completely|really|well|certainly|only? understand|see|hear|imagine|appreciate|relate|tell",
    "i hear you",
    "i see why|what|how|your",
    "that must|sounds|is * frustrating|annoying|difficult|hard|upsetting|awful|terrible|stressful|inconvenient",
    "you|youre are? right to",
    "thank|thanks you? for telling|explaining|letting|bringing|your",
    "ich verstehe sie|das|ihren|ihre|dass|gut|voellig|natuerlich?",
    "das|ich|wir kann|koennen * verstehen|nachvollziehen|nachempfinden",
    "ihren aerger * verstehen|nachvollziehen",
    "das ist|war * aergerlich|unangenehm|schwierig|verstaendlich",
    "tut mir|uns * leid dass",
    "leid das zu hoeren",
    "sie haben voellig? recht",
];

const APOLOGY: &[&str] = &[
    "im|i|were|we am|are? so|very|really|terribly|truly|deeply|extremely? sorry",
    "i|we|id|to|my|our|sincere|sincerely|do|must|want|like apologise|apologize|apologies",
    "our|my fault|mistake|error|bad",
    "sorry for|about|that",
    "es|das tut mir|uns so|sehr|wirklich|aufrichtig|ehrlich|echt|furchtbar? leid",
    "tut mir|uns so|sehr|wirklich|aufrichtig? leid",
    "ich|wir * um entschuldigung|verzeihung|nachsicht",
    "entschuldigen|verzeihen sie bitte? die|das|den|dass|unseren|unsere",
    "ich entschuldige mich",
    "wir entschuldigen uns",
    "unser|mein fehler|versehen",
    "entschuldigung fuer|dass",
];

const CLOSING: &[&str] = &[
    "is there anything|something else|more",
    "anything else i|we|you",
    "can|may i * help you with anything|something else|more",
    "does|did that|this answer|help|solve|resolve|sort",
    "have i answered|covered|resolved",
    "do|did you have any other|more|further questions|question",
    "sonst|ausserdem noch etwas|was|fragen|einen",
    "kann|darf ich * sonst|noch * fuer sie|helfen",
    "haben sie * noch * fragen|frage|wunsch|anliegen",
    "ist|waere damit|das|ihre|alles * geklaert|erledigt|beantwortet",
    "konnte ich * weiterhelfen|helfen|beantworten",
];

/// The first phrase of an act, as words from and to.
pub(super) fn find(act: Act, words: &[Plain]) -> Option<Range<usize>> {
    let patterns = match act {
        Act::Greeting => GREETING,
        Act::Acknowledgement => ACKNOWLEDGEMENT,
        Act::Apology => APOLOGY,
        Act::ClosingQuestion => CLOSING,
        Act::Promise => return promise(words),
    };
    (0..words.len()).find_map(|at| {
        let end = patterns.iter().find_map(|pattern| matches(pattern, words, at))?;
        (end > at && !undone(words, at, end)).then_some(at..end)
    })
}

/// The end of the pattern's match that begins at `at`.
fn matches(pattern: &str, words: &[Plain], at: usize) -> Option<usize> {
    match pattern.strip_prefix("^ ") {
        Some(pattern) if starts_sentence(words, at) => row(pattern, words, at),
        Some(_) => None,
        None => row(pattern, words, at),
    }
}

/// At the beginning, or after the end of a sentence or a comma.
fn starts_sentence(words: &[Plain], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| words.get(before)).is_none_or(|before| {
        before.sign.is_some()
            || matches!(before.word.as_str(), "so" | "yes" | "ja" | "and" | "und" | "well" | "okay")
    })
}

fn row(pattern: &str, words: &[Plain], at: usize) -> Option<usize> {
    let (element, rest) = pattern.split_once(' ').unwrap_or((pattern, ""));
    if element.is_empty() {
        return Some(at);
    }
    if element == "*" {
        return (0..=GAP)
            .take_while(|skipped| *skipped == 0 || !ends_sentence(words, at + skipped - 1))
            .find_map(|skipped| row(rest, words, at + skipped));
    }
    let (list, optional) = element.strip_suffix('?').map_or((element, false), |list| (list, true));
    let word = words.get(at).map(|word| word.word.as_str()).unwrap_or_default();
    let fits = !word.is_empty() && list.split('|').any(|known| known == word);
    let within = rest.is_empty() || !ends_sentence(words, at);
    let taken = if fits && within { row(rest, words, at + 1) } else { None };
    taken.or_else(|| if optional { row(rest, words, at) } else { None })
}

fn ends_sentence(words: &[Plain], at: usize) -> bool {
    words.get(at).is_none_or(|word| matches!(word.sign, Some('.' | '!' | '?' | ';')))
}

fn is_negation(word: &str) -> bool {
    matches!(
        word,
        "not"
            | "never"
            | "cant"
            | "cannot"
            | "wont"
            | "dont"
            | "doesnt"
            | "didnt"
            | "wouldnt"
            | "couldnt"
            | "shouldnt"
            | "isnt"
            | "arent"
            | "wasnt"
            | "aint"
            | "hardly"
            | "nothing"
            | "nicht"
            | "nie"
            | "niemals"
            | "kein"
            | "keine"
            | "keinen"
            | "kaum"
            | "nichts"
            | "no"
    )
}

/// Whether the phrase is negated, doubted, reported of somebody else or asked about.
fn undone(words: &[Plain], from: usize, to: usize) -> bool {
    let word = |index: usize| words.get(index).map(|word| word.word.as_str()).unwrap_or_default();
    // `I can't understand`, `das tut mir nicht leid`.
    let inside = (from..to).any(|index| is_negation(word(index)));
    // `das verstehe ich nicht`, `ich verstehe Sie nicht`: German negates behind, within the clause.
    let behind = (to..to + 3)
        .take_while(|index| words.get(index - 1).is_some_and(|word| word.sign.is_none()))
        .any(|index| matches!(word(index), "nicht" | "nie" | "keineswegs"));
    // `I won't apologise`.
    let before = (1..=2)
        .filter_map(|back| from.checked_sub(back))
        .take_while(|index| words.get(*index).is_some_and(|word| word.sign.is_none()))
        .any(|index| is_negation(word(index)) && word(index) != "no");
    // `I can't say that`, `he said`, over a comma too.
    let mut reported = false;
    let mut denied = false;
    for back in 1..=7 {
        let Some(index) = from.checked_sub(back) else { break };
        if ends_sentence(words, index) {
            break;
        }
        let says = matches!(
            word(index),
            "say"
                | "said"
                | "says"
                | "claim"
                | "pretend"
                | "promise"
                | "told"
                | "sagen"
                | "sagte"
                | "sagt"
                | "gesagt"
                | "behaupten"
                | "versprechen"
                | "garantieren"
                | "guarantee"
        );
        let near = (1..=3).filter_map(|back| index.checked_sub(back)).map(word);
        let after = (index + 1..=index + 2).map(word);
        if says {
            denied |= near.clone().any(is_negation);
            reported |= near.chain(after).any(|word| {
                matches!(
                    word,
                    "he" | "she"
                        | "they"
                        | "er"
                        | "colleague"
                        | "kollege"
                        | "kollegin"
                        | "customer"
                        | "kunde"
                        | "you"
                )
            });
        }
    }
    inside || behind || before || reported || denied
}

const FUTURE: &[&str] = &[
    "i|we will|shall",
    "ill|well",
    "im|were|i|we am|are? going to",
    "you|engineer|technician|colleague|parcel|package|refund|money|replacement|it|they|youll|somebody|someone will|ll|shall",
    "youll have|get|receive|hear|be",
    "ich|wir werde|werden",
    "ich|wir|sie rufe|rufen|schicke|schicken|sende|senden|melde|melden|ueberweise|ueberweisen|erstatte|erstatten|kuemmere|kuemmern|pruefe|pruefen|klaere|klaeren|komme|kommen|bekommen|erhalten|storniere|stornieren|veranlasse|veranlassen|erledige|erledigen|liefere|liefern|hoeren",
    "rufe|schicke|sende|melde|ueberweise|kuemmere|pruefe|klaere ich|wir",
    "der|ein|mein|unser techniker|kollege|monteur|ersatz wird|kommt|meldet|ruft",
];

const TIME: &[&str] = &[
    "today|tomorrow|tonight|immediately|heute|morgen|uebermorgen|sofort|umgehend|abend|montags",
    "by|until|before|on|this|next|bis|am|vor|diesen|naechsten|naechste|kommenden|im|on|the? monday|tuesday|wednesday|thursday|friday|saturday|sunday|weekend|week|month|afternoon|morning|evening|noon|midnight|end|close|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|wochenende|woche|monat|mittag|nachmittag|abend|ende|spaetestens|morgen|tomorrow|then|heute|laufe|january|february|march|april|may|june|july|august|september|october|november|december",
    "within|in|innerhalb|binnen the? next|von|der|den|naechsten|about|etwa? * seconds|minutes|hours|hour|minute|days|day|week|weeks|month|stunden|stunde|tagen|tage|minuten|woche|wochen|werktagen|werktage",
    "at|by|before|um|gegen|bis|ab half|quarter|noon|midday|halb|viertel|mittag|zwoelf",
];

/// Hour and date: a number after `at`, `by`, `um`.
fn is_hour(words: &[Plain], at: usize) -> Option<usize> {
    let word = |index: usize| words.get(index).map(|word| word.word.as_str()).unwrap_or_default();
    if !matches!(word(at), "at" | "by" | "before" | "um" | "bis" | "gegen" | "on" | "am" | "zum") {
        return None;
    }
    let next = if matches!(word(at + 1), "the" | "zum" | "den" | "dem") { at + 2 } else { at + 1 };
    let number = word(next).bytes().next().is_some_and(|b| b.is_ascii_digit())
        || matches!(
            word(next),
            "one"
                | "two"
                | "three"
                | "four"
                | "five"
                | "six"
                | "seven"
                | "eight"
                | "nine"
                | "ten"
                | "eleven"
                | "twelve"
                | "first"
                | "second"
                | "third"
                | "fourth"
                | "fifth"
                | "eins"
                | "zwei"
                | "drei"
                | "vier"
                | "fuenf"
                | "sechs"
                | "sieben"
                | "acht"
                | "neun"
                | "zehn"
                | "elf"
                | "ersten"
                | "zweiten"
                | "dritten"
                | "vierten"
                | "fuenften"
        );
    number.then_some(next + 1)
}

/// Words that make a promise less than plain.
fn hedges(word: &str) -> bool {
    matches!(
        word,
        "try"
            | "might"
            | "may"
            | "maybe"
            | "perhaps"
            | "could"
            | "would"
            | "hopefully"
            | "probably"
            | "possibly"
            | "should"
            | "if"
            | "versuche"
            | "versuchen"
            | "vielleicht"
            | "eventuell"
            | "moeglicherweise"
            | "wahrscheinlich"
            | "koennte"
            | "koennten"
            | "wuerde"
            | "wuerden"
            | "hoffentlich"
            | "hoffe"
            | "falls"
            | "wenn"
            | "wohl"
            | "voraussichtlich"
    ) || is_negation(word) && word != "no"
}

/// A plain promise and its time: words from and to.
pub(super) fn promise(words: &[Plain]) -> Option<Range<usize>> {
    (0..words.len()).find_map(|at| {
        let after = FUTURE.iter().find_map(|pattern| row(pattern, words, at)).filter(|after| *after > at)?;
        // `Well, I will` is no `we'll`.
        let idle = words.get(at).is_some_and(|word| word.word == "well" && word.sign.is_some())
            || words.get(at + 1).is_some_and(|next| matches!(next.word.as_str(), "i" | "we" | "ill" | "im"));
        if idle {
            return None;
        }
        let hedged_before = (1..=3)
            .filter_map(|back| at.checked_sub(back))
            .take_while(|index| !ends_sentence(words, *index))
            .any(|index| words.get(index).is_some_and(|word| hedges(&word.word)));
        if hedged_before || undone(words, at, after) {
            return None;
        }
        let mut found = None;
        for index in after..after + REACH {
            let Some(word) = words.get(index).filter(|_| index == 0 || !ends_sentence(words, index - 1))
            else {
                break;
            };
            if hedges(&word.word) {
                return None;
            }
            if found.is_none_or(|(_, end)| end <= index) && found.is_none() {
                found = TIME
                    .iter()
                    .find_map(|pattern| row(pattern, words, index))
                    .or_else(|| is_hour(words, index))
                    .map(|end| (index, end));
            }
        }
        // A question is no promise.
        let asked = (at..at + 2 * REACH)
            .map_while(|index| words.get(index))
            .find_map(|word| word.sign.filter(|sign| matches!(sign, '.' | '!' | '?')));
        found
            .filter(|_| asked != Some('?') || !starts_question(words, at))
            .map(|(_, end)| at..end.min(words.len()))
    })
}

fn starts_question(words: &[Plain], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|word| {
        word.sign.is_none()
            && matches!(
                word.word.as_str(),
                "when" | "what" | "wann" | "was" | "ob" | "whether" | "shall" | "soll"
            )
    })
}
