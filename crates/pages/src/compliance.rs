//! The compliance page: consent by day, the policy in force, whether the receipts are whole, which person looked at
//! what, and what was erased.

mod by_day;

use maud::{Markup, html};
use sidetone_store::{Access, AccessCursor, Day, Erasure};

use crate::format::{clean, count, moment, shown};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{ComplianceTexts, fill};
use crate::wall::sign;

/// Most findings of the log of receipts, trunks, and lines of what is kept, that are listed.
const MOST: usize = 20;

/// The log of consent receipts, as it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipts {
    /// None are kept.
    NotKept,
    /// They can't be read: why.
    Unreadable(String),
    /// They were read from the first line to the last.
    Read {
        /// Receipts.
        receipts: u64,
        /// Files.
        files: u64,
        /// Receipts that the log itself says could not be written.
        lost: u64,
        /// The newest line, as `NUMBER:HASH`.
        head: Option<String>,
        /// Places where the log is not as it was written.
        findings: Vec<String>,
        /// Findings beyond those.
        further: u64,
        /// Notable facts that are no findings.
        notes: Vec<String>,
    },
}

/// The do-not-analyse list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// There is none.
    NoList,
    /// It can't be read: why.
    Unreadable(String),
    /// Numbers on it.
    Numbers(u64),
}

/// The policy in force.
#[derive(Debug, Clone, Default)]
pub struct PolicyInForce {
    /// Each trunk, and how its callers are told.
    pub trunks: Vec<(String, String)>,
    /// Rules that depart from that.
    pub rules: u64,
    /// Tiers that are never analysed.
    pub never_tiers: Vec<String>,
    /// The key that refuses.
    pub opt_out_digit: Option<char>,
    /// Points that somebody should look at: the key of each, and its text in English.
    pub remarks: Vec<(&'static str, String)>,
    /// What is kept, where, and for how long, in English.
    pub kept: Vec<[String; 3]>,
}

/// What is still to be erased.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owed {
    /// Calls in the events file.
    pub files: u64,
    /// Calls in the spool.
    pub spool: u64,
    /// Compressed files that could not be looked into.
    pub beyond: u64,
}

/// Everything that the page shows.
#[derive(Debug, Clone, Copy)]
pub struct Compliance<'a> {
    /// Sums of days from [`Compliance::first_day`] on.
    pub days: &'a [Day],
    /// The policy.
    pub policy: &'a PolicyInForce,
    /// The receipts.
    pub receipts: &'a Receipts,
    /// When policy, receipts and list were read, in milliseconds since 1970.
    pub read: u64,
    /// The do-not-analyse list.
    pub listed: &'a Listed,
    /// Erasures that were asked for, the newest first.
    pub erasures: &'a [Erasure],
    /// What is still to be erased.
    pub owed: Owed,
    /// A part of the log of accesses, the newest first.
    pub accesses: &'a [Access],
    /// Whether that part is the first.
    pub newest: bool,
    /// The place behind that part, if there are more.
    pub next: Option<AccessCursor>,
}

impl Compliance<'_> {
    /// The first day, since 1970, that the page may show at a time in milliseconds.
    #[must_use]
    pub const fn first_day(now: u64) -> u64 {
        by_day::first_day(now)
    }
}

/// The page.
#[must_use]
pub fn compliance(shell: &Shell<'_>, compliance: &Compliance<'_>) -> String {
    let own = shell.language.compliance();
    let content = html! {
        (headline(&html! { (own.title) }, &html! { (own.below) " " a href=(shell.path("/compliance/report")) { (own.report) } }))
        @if compliance.newest {
            (receipts(shell, own, compliance))
            div.columns {
                (policy(shell, own, compliance.policy))
                (erasures(shell, own, compliance))
            }
            (by_day::section(shell, own, compliance.days))
        }
        (accesses(shell, own, compliance))
    };
    page(shell, &Head { title: own.title, section: Some(Section::Compliance), again: None }, content)
}

fn receipts(shell: &Shell<'_>, own: &ComplianceTexts, compliance: &Compliance<'_>) -> Markup {
    let texts = shell.texts();
    let read = html! { p.hint { (own.read) " " (moment(shell, compliance.read)) ". " (own.again) } };
    html! {
        section {
            h2 { (own.receipts) }
            @match compliance.receipts {
                Receipts::NotKept => { p.state.bad { (sign()) strong { (own.not_kept) } span { (own.not_kept_how) } } }
                Receipts::Unreadable(why) => {
                    p.state.bad { (sign()) strong { (own.unreadable) } span lang="en" { (shown(why)) } }
                }
                Receipts::Read { receipts, files, lost, head, findings, further, notes } => {
                    @let said = fill(own.receipts_in, &[&count(texts, *receipts), &count(texts, *files)]);
                    @if findings.is_empty() {
                        p.state { strong { (own.intact) } span { (said) } }
                    } @else {
                        p.state.bad { (sign()) strong { (own.not_intact) } span { (said) } }
                        p { (own.not_intact_how) }
                        ul.reasons lang="en" { @for finding in findings.iter().take(MOST) { li { bdi { (clean(finding)) } } } }
                        @let more = further + findings.len().saturating_sub(MOST) as u64;
                        @if more > 0 { p.more { (fill(own.more, &[&count(texts, more)])) } }
                    }
                    @if *lost > 0 { p { (fill(own.lost, &[&count(texts, *lost)])) } }
                    @if let Some(head) = head {
                        p { (own.head) " " code { (head) } }
                        p.hint { (own.head_how) " " code { "sidetone consent verify --head" } }
                    }
                    @for note in notes.iter().take(MOST) { p.hint lang="en" { bdi { (clean(note)) } } }
                    (read)
                }
            }
        }
    }
}

fn policy(shell: &Shell<'_>, own: &ComplianceTexts, policy: &PolicyInForce) -> Markup {
    let texts = shell.texts();
    let left = policy.trunks.len().saturating_sub(MOST) as u64;
    html! {
        section {
            h2 { (own.policy) }
            dl.key {
                @for (trunk, told) in policy.trunks.iter().take(MOST) {
                    div { dt { (texts.trunk) " " (shown(trunk)) } dd { code { (clean(told)) } } }
                }
                @if policy.rules > 0 { div { dt { (own.rules) } dd { (count(texts, policy.rules)) } } }
                @if let Some(digit) = policy.opt_out_digit { div { dt { (own.opt_out_key) } dd { code { (digit) } } } }
                @if !policy.never_tiers.is_empty() {
                    div { dt { (own.never_tiers) } dd { (shown(&policy.never_tiers.join(", "))) } }
                }
            }
            @if left > 0 { p.more { (fill(own.more, &[&count(texts, left)])) } }
            p.follow { a href=(shell.path("/policy")) { (own.policy_page) } }
            @if !policy.remarks.is_empty() {
                details open {
                    summary { (own.remarks) }
                    ul.reasons {
                        @for (key, english) in policy.remarks.iter().take(MOST) {
                            @match remark(own, key) {
                                Some(text) => li { (text) },
                                None => li lang="en" { (english) },
                            }
                        }
                    }
                }
            }
            @if !policy.kept.is_empty() {
                details {
                    summary { (own.kept) }
                    dl.kept lang="en" {
                        @for [what, at, how_long] in policy.kept.iter().take(MOST) {
                            dt { (what) " · " code { (clean(at)) } } dd { (how_long) }
                        }
                    }
                }
            }
        }
    }
}

/// A remark in the reader's language.
fn remark(own: &ComplianceTexts, key: &str) -> Option<&'static str> {
    Some(match key {
        "not_analysed" => own.not_analysed,
        "no_receipts" => own.no_receipts,
        "receipts_for_ever" => own.receipts_for_ever,
        "no_do_not_analyse" => own.no_do_not_analyse,
        "no_agent_numbers" => own.no_agent_numbers,
        "no_country" => own.no_country,
        "no_tones" => own.no_tones,
        "given_upstream" => own.given_upstream,
        "announce_elsewhere" => own.announce_elsewhere,
        "late_opt_in" => own.late_opt_in,
        "no_salt" => own.no_salt,
        "no_contact" => own.no_contact,
        _ => return None,
    })
}

/// Whether the pages have a text for the remark of this key in every language.
#[must_use]
pub fn knows_remark(key: &str) -> bool {
    remark(crate::text::Language::En.compliance(), key).is_some()
}

fn erasures(shell: &Shell<'_>, own: &ComplianceTexts, compliance: &Compliance<'_>) -> Markup {
    let (texts, owed) = (shell.texts(), compliance.owed);
    html! {
        section {
            h2 { (own.erasures) }
            dl.key {
                @for (label, value) in [(own.owed_files, owed.files), (own.owed_spool, owed.spool), (own.beyond, owed.beyond)] {
                    div.bad[value > 0] { dt { (label) } dd { (count(texts, value)) } }
                }
                div {
                    dt { (own.listed) }
                    dd {
                        @match compliance.listed {
                            Listed::NoList => { (own.no_list) }
                            Listed::Unreadable(why) => { span.is-down lang="en" { (shown(why)) } }
                            Listed::Numbers(numbers) => { (count(texts, *numbers)) }
                        }
                    }
                }
            }
            p.hint { (own.owed_are) }
            h3 { (own.requests) }
            @if compliance.erasures.is_empty() {
                p.soft { (own.no_request) " " code { "sidetone store erase" } }
            } @else {
                dl.key {
                    @for erasure in compliance.erasures.iter().take(MOST) {
                        div {
                            dt { (moment(shell, erasure.time)) }
                            dd { (fill(own.request_done, &[&count(texts, erasure.calls)])) }
                        }
                    }
                }
            }
        }
    }
}

fn accesses(shell: &Shell<'_>, own: &ComplianceTexts, compliance: &Compliance<'_>) -> Markup {
    html! {
        section #accesses {
            h2 { (own.accesses) }
            @if compliance.accesses.is_empty() {
                p.soft { (if compliance.newest { own.no_access } else { own.no_more }) }
            } @else {
                div.scroll tabindex="0" role="group" aria-label=(own.accesses) {
                    table {
                        thead { tr {
                            th scope="col" { (shell.texts().when) }
                            th scope="col" { (own.person) }
                            th scope="col" { (own.action) }
                            th scope="col" { (own.subject) }
                        } }
                        tbody {
                            @for access in compliance.accesses {
                                tr {
                                    td { (moment(shell, access.time)) }
                                    th scope="row" { (shown(&access.name)) " " span.metric { (clean(&access.token)) } }
                                    td { (action(own, &access.action)) }
                                    td { code { (short(&access.subject)) } }
                                }
                            }
                        }
                    }
                }
            }
            nav.pages aria-label=(shell.texts().pages) {
                @if !compliance.newest { a href=(shell.path("/compliance#accesses")) { (shell.texts().newest) } }
                @if let Some(next) = compliance.next {
                    a href=(shell.path(&format!("/compliance?after={next}#accesses"))) rel="next" { (shell.texts().older) }
                }
            }
            p.hint { (own.accesses_are) }
        }
    }
}

fn action(own: &ComplianceTexts, action: &str) -> Markup {
    match action {
        "call.read" => html! { (own.call_read) },
        "calls.of_number" => html! { (own.calls_of_number) },
        "calls.of_agent" => html! { (own.calls_of_agent) },
        "call.refused" => html! { (own.call_refused) },
        "note.posted" => html! { (own.note_posted) },
        "outcome.posted" => html! { (own.outcome_posted) },
        "survey.posted" => html! { (own.survey_posted) },
        "survey.invited" => html! { (own.survey_invited) },
        other => html! { code { (clean(other)) } },
    }
}

/// A call's id, whole; a hashed number by its beginning, which is enough to tell two apart.
fn short(subject: &str) -> String {
    const ULID: usize = 26;
    let subject = clean(subject);
    if subject.chars().count() <= ULID {
        subject
    } else {
        format!("{}…", subject.chars().take(12).collect::<String>())
    }
}
