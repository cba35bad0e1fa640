//! A chat as somebody copies it out of another program: who has said what.
//!
//! Nobody's words but the customer's are ever read, so a pasted chat has to be told apart first. Lines of the form
//! `Name: text`, with or without a time before them, begin a turn; other lines go on with it. A text in which such
//! lines are rare is no chat with names, and each of its paragraphs is a turn of its own.

/// The longest name of a speaker, in characters.
const LONGEST_NAME: usize = 40;
/// Most turns that are told apart; the text behind them belongs to the last one.
const MOST_TURNS: usize = 400;
/// A text is a chat with names if at least one in so many of its lines bears one.
const ONE_IN: usize = 3;
/// Words in the names that programs give to customers.
const CUSTOMERS: [&str; 15] = [
    "customer",
    "client",
    "caller",
    "visitor",
    "guest",
    "user",
    "buyer",
    "member",
    "patient",
    "kunde",
    "kundin",
    "gast",
    "besucher",
    "besucherin",
    "anrufer",
];

/// A turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who said it, as the chat names them; `None` in a text without names.
    pub who: Option<String>,
    /// What they said.
    pub text: String,
}

/// The turns of a chat, in order.
///
/// ```
/// let turns = sidetone_language::chat::turns("[10:02] Agent: Hello!\n[10:03] Eva: It is broken,\nfor the third time.");
/// assert_eq!(turns[1].who.as_deref(), Some("Eva"));
/// assert_eq!(turns[1].text, "It is broken,\nfor the third time.");
/// ```
#[must_use]
pub fn turns(text: &str) -> Vec<Turn> {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let named = lines().filter(|line| labelled(line).is_some()).count();
    if named == 0 || named * ONE_IN < lines().count() {
        return paragraphs(text);
    }
    let mut turns: Vec<Turn> = Vec::new();
    for line in lines() {
        match labelled(line).filter(|_| turns.len() < MOST_TURNS) {
            Some((who, said)) => turns.push(Turn { who: Some(who.to_owned()), text: said.to_owned() }),
            // What stands before the first name is a heading of the program that it was copied from.
            None => {
                if let Some(last) = turns.last_mut() {
                    last.text.push('\n');
                    last.text.push_str(line.trim());
                }
            }
        }
    }
    turns.retain(|turn| !turn.text.trim().is_empty());
    turns
}

/// Who speaks in a chat, in the order of their first words.
#[must_use]
pub fn speakers(turns: &[Turn]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in turns.iter().filter_map(|turn| turn.who.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The speaker whose name says that they are the customer, if there is exactly one.
#[must_use]
pub fn customer<'a>(speakers: &[&'a str]) -> Option<&'a str> {
    let is_one = |name: &&&str| {
        let name = name.to_lowercase();
        name.split(|c: char| !c.is_alphanumeric()).any(|word| CUSTOMERS.contains(&word))
    };
    let mut found = speakers.iter().filter(is_one);
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

fn paragraphs(text: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut open = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            open = turns.len() >= MOST_TURNS;
        } else if let Some(last) = turns.last_mut().filter(|_| open) {
            last.text.push('\n');
            last.text.push_str(line);
        } else {
            turns.push(Turn { who: None, text: line.to_owned() });
            open = true;
        }
    }
    turns
}

/// The name and the text of a line that begins a turn.
fn labelled(line: &str) -> Option<(&str, &str)> {
    let line = without_time(line.trim());
    // A colon within brackets is a time's: `Agent (10:02): Hello.`
    let mut open = 0_i32;
    let (at, _) = line.char_indices().find(|(_, c)| {
        match c {
            '(' | '[' => open += 1,
            ')' | ']' => open -= 1,
            _ => {}
        }
        *c == ':' && open <= 0
    })?;
    let (name, said) = line.split_at_checked(at)?;
    let said = said.get(1..)?;
    let name = without_time_behind(name.trim());
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count())
        && name.chars().next().is_some_and(char::is_alphanumeric)
        && name.chars().any(char::is_alphabetic)
        // An address, a time or a sentence is no name.
        && !said.starts_with("//")
        && !name.contains(['/', '@', '?', '!', ',', ';', '"'])
        && name.split_whitespace().count() <= 5;
    fits.then(|| (name, said.trim()))
}

/// A line without the time before it: `[10:02]`, `10:02:33`, `(2026-03-01 10:02)`, `10:02 AM -`.
fn without_time(line: &str) -> &str {
    let bracketed = [('[', ']'), ('(', ')')].into_iter().find_map(|(open, close)| {
        let (inside, rest) = line.strip_prefix(open)?.split_once(close)?;
        inside.chars().any(|c| c.is_ascii_digit()).then_some(rest)
    });
    if let Some(rest) = bracketed {
        return rest.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    }
    let is_time = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '-' | '/');
    let mut rest = line;
    while let Some((word, behind)) = rest.split_once(' ') {
        let half = matches!(word, "AM" | "PM" | "am" | "pm" | "-" | "–");
        let digits =
            word.starts_with(|c: char| c.is_ascii_digit()) && word.trim_end_matches(',').chars().all(is_time);
        if !(digits || half) {
            break;
        }
        rest = behind.trim_start();
    }
    rest
}

/// A name without the time behind it: `Eva (10:02)`.
fn without_time_behind(name: &str) -> &str {
    match name.split_once(['(', '[']) {
        Some((before, inside)) if inside.starts_with(|c: char| c.is_ascii_digit()) => before.trim_end(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<(Option<String>, String)> {
        turns(text).into_iter().map(|turn| (turn.who, turn.text)).collect()
    }

    fn said(who: &str, text: &str) -> (Option<String>, String) {
        (Some(who.to_owned()), text.to_owned())
    }

    #[test]
    fn a_chat_is_told_apart_however_a_program_writes_times_and_names() {
        for chat in [
            "Agent: Hello.\nEva Marsh: It is broken.\nAgain.",
            "[10:02] Agent: Hello.\n[10:03] Eva Marsh: It is broken.\nAgain.",
            "10:02:11 Agent: Hello.\n\n10:03:00 Eva Marsh: It is broken.\n   Again.",
            "2026-03-01 10:02 - Agent: Hello.\r\n2026-03-01 10:03 - Eva Marsh: It is broken.\r\nAgain.",
            "(10:02 AM) Agent: Hello.\n(10:03 AM) Eva Marsh: It is broken.\nAgain.",
            "Transcript of chat 4711\nAgent (10:02): Hello.\nEva Marsh (10:03): It is broken.\nAgain.",
        ] {
            assert_eq!(
                told(chat),
                [said("Agent", "Hello."), said("Eva Marsh", "It is broken.\nAgain.")],
                "{chat}"
            );
        }
    }

    #[test]
    fn a_mail_is_no_chat_because_a_line_of_it_has_a_colon() {
        let mail = "Dear all,\nmy order number is 4711.\nNote: it came broken.\nIt is the second one.\n\nPlease help.";
        let turns = turns(mail);
        assert_eq!(turns.len(), 2);
        assert!(turns.iter().all(|turn| turn.who.is_none()));
        assert_eq!(told("see https://example.com/a"), [(None, "see https://example.com/a".to_owned())]);
        assert_eq!(told(""), []);
    }

    #[test]
    fn the_customer_is_known_by_a_name_that_says_so_and_guessed_by_no_other() {
        assert_eq!(customer(&["Agent 7", "Customer"]), Some("Customer"));
        assert_eq!(customer(&["Kundin (Web)", "Beratung"]), Some("Kundin (Web)"));
        assert_eq!(customer(&["Tom", "Eva"]), None);
        assert_eq!(customer(&["Customer care", "Customer"]), None, "two that could be");
        let turns = turns("Tom: Hi\nEva: Hi\nTom: So?");
        assert_eq!(speakers(&turns), ["Tom", "Eva"]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_nothing_is_made_up(text in "(?s).{0,400}", names in "([A-Za-z]{1,6}: [a-z ]{0,9}\n){0,6}") {
            let whole = format!("{names}{text}");
            let turns = turns(&whole);
            prop_assert!(turns.len() <= MOST_TURNS);
            for turn in turns {
                for line in turn.text.lines() {
                    prop_assert!(whole.contains(line.trim()), "{line:?}");
                }
            }
        }
    }
}
