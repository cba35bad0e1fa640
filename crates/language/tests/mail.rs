//! Mails as people send them, and what is the writer's in them: tests/mail/NAME.mail and NAME.body.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::path::Path;

use proptest::prelude::*;
use sidetone_language::mail::{plain, strip};

#[test]
fn keeps_what_the_writer_wrote() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("a fixture").path();
        if path.extension().is_none_or(|extension| extension != "mail") {
            continue;
        }
        let mail = std::fs::read_to_string(&path).expect("a mail");
        let body = std::fs::read_to_string(path.with_extension("body")).expect("its body");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&strip(&mail)), words(&body), "{}", path.display());
        // As other programs end lines.
        assert_eq!(words(&strip(&mail.replace('\n', "\r\n"))), words(&body), "{} with CRLF", path.display());
        assert_eq!(strip(&strip(&mail)), strip(&mail), "{} twice", path.display());
        count += 1;
    }
    assert!(count >= 15, "{count} fixtures");
}

/// Lines that rules wait for, and some that they don't.
const LINES: &[&str] = &[
    "",
    "",
    "Hello,",
    "It is broken.",
    "Thanks",
    "Best regards",
    "Regards, Jane",
    "-- ",
    "> quoted",
    ">> twice",
    "On 3 May 2027, Jane",
    "Jane <jane@example.org> wrote:",
    "On Mon, 3 May 2027, Support wrote:",
    "Am 3. Mai schrieb Max:",
    "From: Jane",
    "Von: Max",
    "Sent: Monday",
    "To: Support",
    "Subject: Hi",
    "An: Max",
    "Betreff: Hallo",
    "____________________",
    "-----Original Message-----",
    "Sent from my iPhone",
    "PS: one more",
    "This e-mail and any attachments",
    "Mit freundlichen Grüßen",
    "LG",
    "<b>",
    "<p>a</p>",
    "\t",
];

proptest! {
    #[test]
    fn lines_go_and_none_changes(choice in proptest::collection::vec(0..LINES.len(), 0..40)) {
        let text = choice.iter().map(|line| LINES[*line]).collect::<Vec<_>>().join("\n");
        prop_assume!(!text.trim_start().starts_with('<'));
        let stripped = strip(&text);
        prop_assert!(stripped.len() <= text.len());
        let mut lines = text.lines().map(str::trim);
        for line in stripped.lines().map(str::trim).filter(|line| !line.is_empty()) {
            prop_assert!(lines.any(|known| known == line), "{line:?} is none of the text's, or out of order");
        }
        prop_assert!(!stripped.contains("> quoted"));
    }

    #[test]
    fn any_text_can_be_stripped(text in "\\PC{0,400}") {
        prop_assert!(strip(&text).len() <= text.len());
    }

    #[test]
    fn no_tag_is_left_of_sound_html(words in proptest::collection::vec("[a-z]{1,8}", 1..8), tags in proptest::collection::vec(0..6usize, 8)) {
        const TAGS: [(&str, &str); 6] =
            [("<p>", "</p>"), ("<b class=\"x\">", "</b>"), ("<!-- no -->", ""), ("<style>q</style>", ""), ("<br/>", ""), ("<div>", "</div>")];
        let html: String = words.iter().zip(&tags).map(|(word, tag)| format!("{}{word} {}", TAGS[*tag].0, TAGS[*tag].1)).collect();
        let plain = plain(&format!("<html>{html}</html>"));
        prop_assert_eq!(plain.split_whitespace().collect::<Vec<_>>(), words.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn any_html_can_be_read(pieces in proptest::collection::vec(0..HTML.len(), 0..60)) {
        let html: String = pieces.iter().map(|piece| HTML[*piece]).collect();
        prop_assert!(plain(&html).len() <= 2 * html.len());
        let _ = strip(&html);
    }
}

const HTML: &[&str] = &[
    "<",
    ">",
    "</",
    "<p",
    "<p>",
    "</p>",
    "<!--",
    "-->",
    "<blockquote>",
    "</blockquote>",
    "<style>",
    "</style>",
    "&",
    "&amp;",
    "&#",
    "&#x41;",
    "&#1114112;",
    ";",
    "a",
    " ",
    "\n",
    "ä",
    "<br",
    "/>",
    "class=\"gmail_quote\"",
    "<div ",
    "<html>",
    "\"",
    "&#0;",
    "&nbsp;",
];

#[test]
fn a_longer_text_is_cut() {
    let text = "ä".repeat(sidetone_language::mail::LONGEST);
    assert_eq!(strip(&text).len(), sidetone_language::mail::LONGEST);
}
