//! What was added to a call from outside: its outcome and survey, notes, and an agent's note for themselves.

use maud::{Markup, html};
use serde::Deserialize;
use sidetone_store::{CallDetails, NewNote, Note, NoteKind, Role, SelfNote};

use crate::format::{clean, count, length, moment};
use crate::layout::Shell;
use crate::text::fill;
use crate::vocabulary::note_kind;

/// Most bytes of notes that are shown, the newest of them: with these a page stays under 100 KB.
const MOST: usize = 8_000;
/// Bytes of a line of a note beside its text.
const BESIDE: usize = 20;

/// What a call's page has of its reader's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a> {
    /// The agent's note for themselves.
    pub self_note: Option<&'a SelfNote>,
    /// A note that was sent and is not there.
    pub refused: Option<&'a Refused>,
}

/// A note that was not kept, with what was written: nobody writes it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub fault: NoteFault,
    /// The form as it was sent; of an agent's note for themselves the text alone.
    pub sent: NoteForm,
}

/// Why a note was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteFault {
    /// Its text or its moment can't be taken.
    Unfit,
    /// The call has as many as it may have.
    Full,
}

/// The form of a note, as it is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NoteForm {
    /// `coaching`, `empathy` or `note`.
    pub kind: String,
    /// The moment, as `1:05`; may be empty for a plain note.
    pub at: String,
    /// The text.
    pub text: String,
    /// The forms' token.
    pub csrf: String,
}

/// The form of an agent's note for themselves, as it is posted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SelfNoteForm {
    /// The text.
    pub text: String,
    /// The forms' token.
    pub csrf: String,
}

impl NoteForm {
    /// The note that the form asks to keep; `None` if it names no moment or no kind that there is.
    #[must_use]
    pub fn note(&self) -> Option<NewNote> {
        let kind = NoteKind::ALL.into_iter().find(|kind| kind.name() == self.kind)?;
        let at_ms = match self.at.trim() {
            "" => None,
            at => Some(millis(at)?),
        };
        Some(NewNote { kind, at_ms, text: self.text.clone() })
    }
}

/// The milliseconds of `1:05` or `1:02:03`.
fn millis(text: &str) -> Option<u64> {
    let mut seconds = 0_u64;
    let parts = text.split(':').collect::<Vec<_>>();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for (place, part) in parts.into_iter().enumerate() {
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = digits.then(|| part.parse().ok())??;
        if place > 0 && value > 59 {
            return None;
        }
        seconds = seconds * 60 + value;
    }
    Some(seconds * 1_000)
}

/// The outcome that was posted, and the caller's survey.
pub(super) fn after(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let texts = shell.texts();
    let (outcome, survey) = (details.outcome.as_ref(), details.survey.as_ref());
    let resolved = outcome.and_then(|it| it.resolved).or(survey.and_then(|it| it.resolved));
    let escalated = outcome.and_then(|it| it.escalated);
    let reason = outcome.and_then(|it| it.reason.as_ref());
    html! {
        @if outcome.is_some() || survey.is_some() {
            section {
                h2 { (texts.after_call) }
                dl.key {
                    @if let Some(resolved) = resolved {
                        div { dt { (texts.matter) } dd { (if resolved { texts.matter_resolved } else { texts.matter_open }) } }
                    }
                    @if let Some(escalated) = escalated {
                        div { dt { (texts.escalated) } dd { (if escalated { texts.yes } else { texts.no }) } }
                    }
                    @if let Some(reason) = reason { div { dt { (texts.reason) } dd { bdi { (clean(reason)) } } } }
                    @if let Some(score) = survey.and_then(|it| it.empathy) {
                        div { dt { (texts.empathy_score) } dd { (fill(texts.of_five, &[&score.to_string()])) } }
                    }
                }
                @if let Some(comment) = survey.and_then(|it| it.comment.as_ref()) {
                    p { (texts.caller_says) ":" }
                    blockquote { (written(comment)) }
                }
            }
        }
    }
}

/// A text that somebody has written, in its lines.
fn written(text: &str) -> Markup {
    html! { @for line in text.lines().take(100) { p { bdi { (all_of(line)) } } } }
}

/// A line without control characters, at its whole length: [`clean`] cuts.
fn all_of(line: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    letters.chunks(100).map(|part| clean(&part.iter().collect::<String>())).collect()
}

/// A text for a field, in its lines.
fn lines(text: &str) -> String {
    text.lines().map(all_of).collect::<Vec<_>>().join("\n")
}

/// The notes, and the forms of those who may leave one.
pub(super) fn notes(shell: &Shell<'_>, details: &CallDetails, own: &Own<'_>) -> Markup {
    let texts = shell.texts();
    html! {
        @if !details.notes.is_empty() || shell.role == Some(Role::Supervisor) {
            section #notes {
                h2 { (texts.notes) }
                @if details.notes.is_empty() {
                    p { (texts.no_notes) }
                } @else {
                    @let earlier = details.notes.len() - newest(&details.notes);
                    @if earlier > 0 { p.hint { (fill(texts.notes_earlier, &[&count(texts, earlier as u64)])) } }
                    ul.notes { @for note in details.notes.iter().skip(earlier) { li { (one(shell, note)) } } }
                }
                @if shell.role == Some(Role::Supervisor) { (form(shell, details, own)) }
            }
        }
        @if shell.role == Some(Role::Agent) { (self_note(shell, details, own)) }
    }
}

/// How many of the newest notes are shown: one at least.
fn newest(notes: &[Note]) -> usize {
    let mut bytes = 0;
    let fits = notes.iter().rev().take_while(|note| {
        bytes += note.text.len() + BESIDE * (note.text.lines().count() + 8);
        bytes <= MOST
    });
    fits.count().max(1).min(notes.len())
}

fn one(shell: &Shell<'_>, note: &Note) -> Markup {
    let texts = shell.texts();
    html! {
        @if let Some(at_ms) = note.at_ms { span.at { (length(at_ms)) } " " }
        strong { (note_kind(texts, note.kind)) } " "
        span.soft { bdi { (clean(&note.by)) } ", " (moment(shell, note.posted)) }
        (written(&note.text))
    }
}

fn fault(shell: &Shell<'_>, own: &Own<'_>) -> Markup {
    html! {
        @if let Some(refused) = own.refused {
            p.fault role="alert" {
                (match refused.fault {
                    NoteFault::Unfit => shell.texts().note_fault,
                    NoteFault::Full => shell.texts().note_full,
                })
            }
        }
    }
}

fn form(shell: &Shell<'_>, details: &CallDetails, own: &Own<'_>) -> Markup {
    let texts = shell.texts();
    let none = NoteForm::default();
    let sent = own.refused.map_or(&none, |refused| &refused.sent);
    html! {
        form.filter method="post" action=(path(shell, details, "notes")) {
            (shell.csrf_field())
            (fault(shell, own))
            div.fields {
                div {
                    label for="note-kind" { (texts.note_kind) }
                    select #note-kind name="kind" {
                        @for it in NoteKind::ALL { option value=(it.name()) selected[it.name() == sent.kind] { (note_kind(texts, it)) } }
                    }
                }
                div {
                    label for="note-at" { (texts.note_at) }
                    input #note-at type="text" name="at" inputmode="numeric" maxlength="8" autocomplete="off"
                        value=(clean(&sent.at));
                }
            }
            div {
                label for="note-text" { (texts.note_text) }
                textarea #note-text name="text" rows="3" maxlength="2000" required aria-describedby="note-hint" {
                    (lines(&sent.text))
                }
            }
            p #note-hint .hint { (texts.notes_for_agent) }
            div.act { button type="submit" { (texts.note_add) } }
        }
    }
}

/// An agent's one question to themselves.
fn self_note(shell: &Shell<'_>, details: &CallDetails, own: &Own<'_>) -> Markup {
    let texts = shell.texts();
    html! {
        section #self-note {
            h2 { (texts.self_note) }
            form.filter method="post" action=(path(shell, details, "self-note")) {
                (shell.csrf_field())
                (fault(shell, own))
                div {
                    label for="self-text" { (texts.self_note_ask) }
                    textarea #self-text name="text" rows="3" maxlength="2000" required aria-describedby="self-hint" {
                        @if let Some(refused) = own.refused { (lines(&refused.sent.text)) }
                        @else if let Some(note) = own.self_note { (lines(&note.text)) }
                    }
                }
                p #self-hint .hint { (texts.self_note_private) }
                div.act { button type="submit" { (texts.self_note_keep) } }
            }
        }
    }
}

fn path(shell: &Shell<'_>, details: &CallDetails, part: &str) -> String {
    format!("{}/{part}", crate::wall::call_path(shell, &details.call))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_minutes_and_seconds() {
        assert_eq!(millis("1:05"), Some(65_000));
        assert_eq!(millis("1:02:03"), Some(3_723_000));
        assert_eq!(millis("90:00"), Some(5_400_000));
        for wrong in ["", "5", "1:60", ":5", "1:", "-1:05", "1:05:", "1:2:3:4", "99999:00", "١:٠٥", "1:5x"]
        {
            assert_eq!(millis(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_form_makes_a_note() {
        let form = |kind: &str, at: &str| NoteForm {
            kind: kind.to_owned(),
            at: at.to_owned(),
            text: "x".to_owned(),
            ..NoteForm::default()
        };
        assert_eq!(form("empathy", "0:10").note().unwrap().at_ms, Some(10_000));
        assert_eq!(form("note", " ").note().unwrap().at_ms, None);
        assert_eq!(form("note", "later").note(), None);
        assert_eq!(form("rating", "").note(), None);
    }
}
