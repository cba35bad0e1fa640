//! What a customer has written, in a chat or a mail: how it reads, and what may help first. Nothing of it is kept.

use maud::{Markup, html};
use sidetone_call::misleads;

use crate::format::{clean, number, percent, spoken};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::fill;
use crate::vocabulary::{self, tone};

/// Where the page is, behind the base.
pub const WRITTEN: &str = "/desk/written";
/// Characters of a message that are shown beside what it tells.
const SHOWN: usize = 240;
/// From this urgency on, `[0, 1]`, and from this one.
const SOON: f64 = 0.35;
const VERY_SOON: f64 = 0.7;

/// What was given to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WrittenForm<'a> {
    /// Whether it is a chat, and not one mail.
    pub chat: bool,
    /// The text, as it was pasted.
    pub text: &'a str,
    /// The customer's name in the chat; empty if it was not said.
    pub customer: &'a str,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenFault {
    /// There is nothing to read.
    Empty,
    /// There is too much.
    Long,
    /// These speak in the chat, and none is known to be the customer.
    Who(Vec<String>),
    /// The weights can't be read.
    Unread,
}

/// What a text tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// The customer's messages, oldest first.
    pub messages: Vec<WrittenMessage>,
    /// All of them together.
    pub valence: f64,
    /// Whether none of them says how the customer feels.
    pub unfelt: bool,
    /// How soon something has to happen, `[0, 1]`.
    pub urgency: f64,
    /// Dissatisfied to satisfied, `[-1, 1]`.
    pub satisfaction: f64,
    /// What is named, words of events.
    pub topics: Vec<String>,
    /// What may help first: line, reason, the language of both.
    pub suggestion: Option<(String, Option<String>, String)>,
    /// Messages of others, which were not read.
    pub left_out: usize,
}

/// What one message tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenMessage {
    /// Its text, as it was pasted.
    pub text: String,
    /// Unpleasant to pleasant, `[-1, 1]`; `None` if that can't be said.
    pub valence: Option<f64>,
    /// How soon something has to happen, `[0, 1]`.
    pub urgency: f64,
    /// What it names, and by which words.
    pub topics: Vec<(String, String)>,
}

/// The page: the form, and what was read, if anything was.
#[must_use]
pub fn written(
    shell: &Shell<'_>,
    form: WrittenForm<'_>,
    read: Option<&Written>,
    fault: Option<&WrittenFault>,
) -> String {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    let content = html! {
        p.back { a href=(shell.path(Section::Desk.path())) { "← " (texts.desk) } }
        (headline(&html! { (own.written) }, &html! { (own.written_below) }))
        @if let Some(read) = read { (result(shell, read)) }
        (ask(shell, form, fault))
        p.caution { (own.written_caution) }
    };
    page(shell, &Head { title: own.written, section: Some(Section::Desk), again: None }, content)
}

fn ask(shell: &Shell<'_>, form: WrittenForm<'_>, fault: Option<&WrittenFault>) -> Markup {
    let own = shell.language.coaching();
    let says = fault.map(|fault| match fault {
        WrittenFault::Empty => own.written_empty,
        WrittenFault::Long => own.written_long,
        WrittenFault::Who(_) => own.written_who,
        WrittenFault::Unread => own.written_unread,
    });
    let kind = |value: &str, label: &str, chosen: bool| {
        html! {
            label.choice for={ "kind-" (value) } {
                input #{ "kind-" (value) } type="radio" name="kind" value=(value) checked[chosen];
                span { (label) }
            }
        }
    };
    html! {
        form.filter.written method="post" action=(shell.path(WRITTEN)) {
            (shell.csrf_field())
            @if let Some(says) = says { p #fault .fault role="alert" { (says) } }
            @if let Some(WrittenFault::Who(names)) = fault {
                p.act.who-is {
                    @for name in names {
                        button.quiet type="submit" name="customer" value=(clean(name)) { (spoken(name)) }
                    }
                }
            }
            fieldset {
                legend { (own.written_kind) }
                (kind("mail", own.written_mail, !form.chat))
                (kind("chat", own.written_chat, form.chat))
            }
            label for="text" { (own.written_text) }
            textarea #text name="text" rows="10" required aria-invalid=[fault.map(|_| "true")]
                aria-describedby=[fault.map(|_| "fault")] { (whole(form.text)) }
            label for="customer" { (own.written_customer) }
            input #customer type="text" name=(if matches!(fault, Some(WrittenFault::Who(_))) { "named" } else { "customer" })
                maxlength="60" value=(clean(form.customer)) autocomplete="off" aria-describedby="customer-hint";
            p #customer-hint .hint { (own.written_customer_hint) }
            button #read type="submit" { (own.written_read) }
        }
    }
}

/// A text as it was pasted, without what turns the direction of writing.
fn whole(text: &str) -> String {
    text.chars().filter(|letter| matches!(letter, '\n' | '\t') || !misleads(*letter)).collect()
}

fn result(shell: &Shell<'_>, read: &Written) -> Markup {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    html! {
        section #written-result .cue {
            h2.hidden { (own.written_suggestion) }
            @match &read.suggestion {
                Some((line, reason, language)) => {
                    p.line lang=(language) { (line) }
                    @if let Some(reason) = reason {
                        details { summary { (texts.desk_why) } p lang=(language) { (reason) } }
                    }
                }
                None => { p.soft { (texts.desk_no_cue) } }
            }
        }
        section.glance-desk {
            div.how { (felt(shell, read)) }
            dl.glance {
                div { dt { (own.written_urgency) } dd { (urgency(shell, read.urgency)) } }
                div { dt { (own.written_satisfaction) } dd { (number(texts, read.satisfaction, 1)) } }
                div {
                    dt { (texts.heard_topics) }
                    dd {
                        @if read.topics.is_empty() { span.soft { "–" } }
                        @for topic in &read.topics { span.badge { (vocabulary::topic(texts, topic)) } " " }
                    }
                }
            }
        }
        section {
            h2 { (own.written_messages) }
            div.scroll tabindex="0" role="group" aria-label=(own.written_messages) {
                table {
                    thead {
                        tr {
                            th scope="col" { (own.written_message) }
                            th.right scope="col" { (texts.valence) }
                            th.right scope="col" { (own.written_urgency) }
                            th scope="col" { (texts.heard_topics) }
                        }
                    }
                    tbody {
                        @for message in &read.messages {
                            tr {
                                td.message { (excerpt(&message.text)) }
                                td.right {
                                    @match message.valence {
                                        Some(valence) => span.(tone(valence)) { (number(texts, valence, 1)) },
                                        None => span.soft { (own.written_unsaid) },
                                    }
                                }
                                td.right { (percent(texts, message.urgency, 0)) }
                                td {
                                    @for (topic, phrase) in &message.topics {
                                        span.badge { (vocabulary::topic(texts, topic)) } " "
                                        span.soft { q { (spoken(phrase)) } } " "
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if read.left_out > 0 { p.hint { (fill(own.written_left_out, &[&read.left_out.to_string()])) } }
        }
    }
}

fn excerpt(text: &str) -> Markup {
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(SHOWN).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    spoken(&shown)
}

fn urgency(shell: &Shell<'_>, urgency: f64) -> Markup {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    let word = if urgency >= VERY_SOON {
        own.written_urgent
    } else if urgency >= SOON {
        own.written_soon
    } else {
        own.written_no_hurry
    };
    html! { (word) " " span.soft { "(" (percent(texts, urgency, 0)) ")" } }
}

fn felt(shell: &Shell<'_>, read: &Written) -> Markup {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    if read.unfelt {
        return html! { p.mood.soft { (own.written_unsaid_whole) } };
    }
    let word = match tone(read.valence) {
        "pleasant" => own.written_pleasant,
        "unpleasant" => own.written_unpleasant,
        _ => own.written_even,
    };
    let place = 12.0 + ((read.valence.clamp(-1.0, 1.0) + 1.0) * 50.0).round() * 3.76;
    html! {
        p.mood { strong { (word) } }
        svg class={ "scale " (tone(read.valence)) } viewBox="0 0 400 20" role="img"
            aria-label=(fill(texts.desk_scale, &[&number(texts, read.valence, 1)])) {
            path d="M12 10H388M200 5V15" {}
            circle cx=(format!("{place:.0}")) cy="10" r="7" {}
        }
        p.hint { span { (texts.unpleasant) } span { (texts.pleasant) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    fn shell() -> Shell<'static> {
        let language = Language::En;
        Shell { language, here: "/", base: "", name: None, role: None, sections: &[], csrf: "c5rf", now: 0 }
    }

    #[test]
    fn what_was_read_stands_above_the_form_with_what_may_help() {
        let read = Written {
            messages: vec![
                WrittenMessage {
                    text: "I want to <cancel>.".to_owned(),
                    valence: Some(-0.6),
                    urgency: 0.8,
                    topics: vec![("cancel".to_owned(), "want to <cancel>".to_owned())],
                },
                WrittenMessage { text: "x".repeat(500), ..WrittenMessage::default() },
            ],
            valence: -0.6,
            urgency: 0.8,
            satisfaction: -0.5,
            topics: vec!["cancel".to_owned()],
            suggestion: Some(("Ask before you <offer>.".to_owned(), None, "en".to_owned())),
            left_out: 3,
            unfelt: false,
        };
        let form = WrittenForm { chat: true, text: "I want to <cancel>.", customer: "Eva" };
        let page = written(&shell(), form, Some(&read), None);
        for part in [
            "Ask before you &lt;offer&gt;.",
            "I want to &lt;cancel&gt;.",
            "80%",
            "can&#39;t be said",
            "Messages of others, not read: 3.",
            "value=\"Eva\"",
        ] {
            assert!(page.contains(part) || page.contains(&part.replace("&#39;", "'")), "{part}: {page}");
        }
        assert!(!page.contains(&"x".repeat(241)) && !page.contains("<cancel>"));
    }

    #[test]
    fn who_the_customer_is_is_asked_and_not_guessed() {
        let fault = WrittenFault::Who(vec!["Tom".to_owned(), "Eva".to_owned()]);
        let form = WrittenForm { chat: true, text: "Tom: Hi\nEva: Hi", customer: "" };
        let page = written(&shell(), form, None, Some(&fault));
        assert!(
            page.contains("name=\"customer\" value=\"Eva\"") && page.contains("role=\"alert\""),
            "{page}"
        );
        // The field must not be sent beside the button that was pressed.
        assert_eq!(page.matches("name=\"customer\"").count(), 2);
    }
}
