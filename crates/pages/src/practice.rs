//! Practising: an agent plays a recorded call on their desk, with its cues. Nothing of it is kept, and nobody else sees
//! it.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

use crate::desk::{DeskCall, DeskPaths, desk_fragment};
use crate::format::{length, number, signed, spoken};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{CoachingTexts, Language, fill};
use crate::vocabulary;

/// Where a practice's parts are, behind the base.
pub const PRACTICE: &str = "/desk/practice";

/// A recorded call that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PracticeChoice<'a> {
    /// Its name: `whole`, `late` or `hold`.
    pub id: &'a str,
    /// Its length, in milliseconds.
    pub length_ms: u64,
}

/// A recorded call while it plays.
#[derive(Debug, Clone, PartialEq)]
pub struct Practising {
    /// Its name.
    pub id: String,
    /// How much of it has been played, in milliseconds.
    pub elapsed_ms: u64,
    /// Its length, in milliseconds.
    pub length_ms: u64,
    /// The desk as it would be in such a call.
    pub call: DeskCall,
    /// What is being said, and whether the customer says it.
    pub caption: Option<(bool, String)>,
    /// Once it is over, what there was.
    pub summary: Option<PracticeSummary>,
}

/// What there was in a recorded call that has been played.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PracticeSummary {
    /// The customer's valence at the start and at the end, `[-1, 1]`.
    pub shift: Option<(f64, f64)>,
    /// Alerts: their word, when they rose, when they calmed; milliseconds.
    pub alerts: Vec<(String, u64, Option<u64>)>,
    /// The cues, in order.
    pub cues: Vec<PracticeCue>,
}

/// A cue of a recorded call that has been played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PracticeCue {
    /// When it came, in milliseconds.
    pub at_ms: u64,
    /// Its line.
    pub line: String,
    /// The line's language.
    pub language: String,
    /// The line in other languages, by tag.
    pub others: BTreeMap<String, String>,
    /// What was answered, `true` for acknowledged, and how long after; milliseconds.
    pub answer: Option<(bool, u64)>,
}

impl PracticeCue {
    /// The line's language, and the line, as a reader of this language has them.
    fn read_in(&self, language: Language) -> (&str, &str) {
        let other = self.others.get_key_value(language.code());
        other.map_or((&self.language, &self.line), |(tag, line)| (tag, line))
    }
}

fn title(own: &CoachingTexts, id: &str) -> &'static str {
    match id {
        "whole" => own.practice_whole,
        "late" => own.practice_late,
        "hold" => own.practice_hold,
        _ => own.practice,
    }
}

/// The page on which a recorded call is chosen.
#[must_use]
pub fn practice_list(shell: &Shell<'_>, choices: &[PracticeChoice<'_>]) -> String {
    let own = shell.language.coaching();
    let content = html! {
        (back(shell))
        (headline(&html! { (own.practice) }, &html! { (own.practice_below) }))
        ul.choices {
            @for choice in choices {
                li {
                    form.filter method="post" action=(shell.path(PRACTICE)) {
                        (shell.csrf_field())
                        input type="hidden" name="call" value=(choice.id);
                        div {
                            h2 #{ "practice-" (choice.id) } { (title(own, choice.id)) }
                            p.soft { (fill(own.practice_length, &[&length(choice.length_ms)])) }
                        }
                        button #{ "start-" (choice.id) } type="submit" aria-describedby={ "practice-" (choice.id) } {
                            (own.practice_start)
                        }
                    }
                }
            }
        }
        p.caution { (own.practice_private) }
    };
    page(shell, &Head { title: own.practice, section: Some(Section::Desk), again: None }, content)
}

fn back(shell: &Shell<'_>) -> Markup {
    html! { p.back { a href=(shell.path(Section::Desk.path())) { "← " (shell.texts().desk) } } }
}

/// The page until it plays: it is being heard for the first time, which takes some seconds.
#[must_use]
pub fn practice_waits(shell: &Shell<'_>) -> String {
    let own = shell.language.coaching();
    let content = html! {
        (back(shell))
        (headline(&html! { (own.practice) }, &html! { (own.practice_private) }))
        p role="status" { (own.practice_waits) }
    };
    page(shell, &Head { title: own.practice, section: Some(Section::Desk), again: None }, content)
}

/// The page on which it plays.
#[must_use]
pub fn practice(shell: &Shell<'_>, practising: &Practising, paths: DeskPaths<'_>) -> String {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    let Practising { id, elapsed_ms, .. } = practising;
    let content = html! {
        (back(shell))
        (headline(&html! { (own.practice) }, &html! { (title(own, id)) ". " (own.practice_private) }))
        p #live-state .notice hidden { (texts.wall_stale) }
        p #live-said .hidden role="status" {}
        div.sound {
            audio controls preload="auto" data-elapsed=(elapsed_ms) aria-label=(own.practice_sound)
                src=(shell.path(&format!("{PRACTICE}/{id}.wav"))) {}
            form method="post" action=(shell.path(&format!("{PRACTICE}/stop"))) {
                (shell.csrf_field())
                button.quiet #practice-stop type="submit" { (own.practice_stop) }
            }
        }
        div #live .desk tabindex="-1" data-fragment=(shell.path(paths.part)) data-stream=(shell.path(paths.stream)) {
            (PreEscaped(practice_fragment(shell, practising, paths)))
        }
    };
    page(shell, &Head { title: own.practice, section: Some(Section::Desk), again: Some(5) }, content)
}

/// The part of it that changes.
#[must_use]
pub fn practice_fragment(shell: &Shell<'_>, practising: &Practising, paths: DeskPaths<'_>) -> String {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    if let Some(summary) = &practising.summary {
        return over(shell, summary).into_string();
    }
    let caption = html! {
        p.more.caption {
            @if let Some((by_customer, said)) = &practising.caption {
                span.soft { (if *by_customer { texts.customer } else { texts.agent }) ": " }
                q { (spoken(said)) }
            } @else {
                span.soft { (own.practice_nobody) }
            }
        }
    };
    desk_fragment(shell, Some(&practising.call), paths) + &caption.into_string()
}

fn over(shell: &Shell<'_>, summary: &PracticeSummary) -> Markup {
    let (texts, own) = (shell.texts(), shell.language.coaching());
    html! {
        section #practice-over data-say=(own.practice_over) {
            h2 { (own.practice_over) }
            @if let Some((start, end)) = summary.shift {
                p {
                    (fill(own.practice_course, &[&number(texts, start, 2), &number(texts, end, 2),
                        &signed(texts, end - start, 2)]))
                }
            }
            @for (alert, from, until) in &summary.alerts {
                p {
                    (vocabulary::alert(texts, alert)) ": "
                    @match until {
                        Some(until) => (fill(own.practice_alert, &[&length(*from), &length(*until)])),
                        None => (fill(own.practice_alert_up, &[&length(*from)])),
                    }
                }
            }
            h3 { (texts.cues) }
            @if summary.cues.is_empty() {
                p.soft { (own.practice_no_cue) }
            } @else {
                ol.notes {
                    @for cue in &summary.cues {
                        li {
                            span.soft { (length(cue.at_ms)) } " "
                            @let (language, line) = cue.read_in(shell.language);
                            span lang=(language) { (line) } " "
                            span.soft {
                                "("
                                @match cue.answer {
                                    Some((true, after)) => (fill(own.practice_acknowledged, &[&length(after)])),
                                    Some((false, after)) => (fill(own.practice_dismissed, &[&length(after)])),
                                    None => (own.practice_unanswered),
                                }
                                ")"
                            }
                        }
                    }
                }
            }
            p.hint { (own.practice_forgotten) }
            p.more { a.button href=(shell.path(PRACTICE)) { (own.practice_again) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const PATHS: DeskPaths<'_> = DeskPaths { stream: "/s", part: "/p", answer: "/a" };

    fn shell() -> Shell<'static> {
        let language = Language::En;
        Shell {
            language,
            here: "/",
            base: "",
            name: None,
            role: None,
            sections: &[],
            csrf: "c5rf",
            now: 60_000,
        }
    }

    fn practising() -> Practising {
        Practising {
            id: "whole".to_owned(),
            elapsed_ms: 12_000,
            length_ms: 71_000,
            call: DeskCall {
                id: "practice".to_owned(),
                since: 48_000,
                direction: "inbound".to_owned(),
                answered: true,
                held: false,
                queue: None,
                consent: "given".to_owned(),
                customer: None,
                alert: None,
                said: None,
                topics: Vec::new(),
                pace: None,
                share: None,
                cue: None,
            },
            caption: Some((true, "It is <broken>.".to_owned())),
            summary: None,
        }
    }

    #[test]
    fn it_plays_on_a_desk_with_its_sound_and_what_is_said() {
        let page = practice(&shell(), &practising(), PATHS);
        for part in [
            "data-elapsed=\"12000\"",
            "src=\"/desk/practice/whole.wav\"",
            "data-stream=\"/s\"",
            "It is &lt;broken&gt;.",
            "Nothing of it is kept",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn its_end_tells_the_agent_alone_what_there_was() {
        let mut over = practising();
        over.summary = Some(PracticeSummary {
            shift: Some((-0.42, 0.1)),
            alerts: vec![("frustration".to_owned(), 31_000, Some(52_000))],
            cues: vec![
                PracticeCue {
                    at_ms: 32_000,
                    line: "Acknowledge <first>.".to_owned(),
                    language: "en".to_owned(),
                    others: BTreeMap::new(),
                    answer: Some((true, 4_000)),
                },
                PracticeCue {
                    at_ms: 60_000,
                    line: "Sum up.".to_owned(),
                    language: "en".to_owned(),
                    others: BTreeMap::new(),
                    answer: None,
                },
            ],
        });
        let part = practice_fragment(&shell(), &over, PATHS);
        for expected in
            ["−0.42", "+0.52", "0:31", "0:52", "Acknowledge &lt;first&gt;.", "0:04", "not answered"]
        {
            assert!(part.contains(expected), "{expected}: {part}");
        }
        assert!(!part.contains("caption\""));
    }

    #[test]
    fn each_recording_can_be_started_by_its_own_button() {
        let list = practice_list(&shell(), &[PracticeChoice { id: "hold", length_ms: 100_000 }]);
        assert!(list.contains("value=\"hold\"") && list.contains("1:40") && list.contains("value=\"c5rf\""));
    }
}
