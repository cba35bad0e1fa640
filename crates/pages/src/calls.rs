//! The list of calls.

mod query;

use maud::{Markup, html};
use sidetone_call::Topic;
use sidetone_store::{Call, CallLength, Cursor, KeptFilter, Moment, NoteKind, Role};

use crate::format::{capital, clean, count, length, moment, percent, shown, signed};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{Texts, fill};
use crate::vocabulary::{self, tone};
use crate::wall::{call_path, sign};
pub use query::{CallsForm, CallsQuery, QueryFault};
pub(crate) use query::{day, query};

/// Most rows of a page, which is under 100 KB with them. A longer answer is cut and says so by its link to older ones.
const MOST: usize = 62;
/// Most filters that are listed.
const MOST_FILTERS: usize = 20;
/// Most choices of a kind.
const MOST_CHOICES: usize = 40;

/// The labels that calls have had, of each kind but agents, who are no list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallLabels {
    /// The queues.
    pub queues: Vec<String>,
    /// The teams.
    pub teams: Vec<String>,
    /// The empathy tiers.
    pub tiers: Vec<String>,
    /// Whether any call's customer has named a topic: where words are not recognised there is none to choose.
    pub has_topics: bool,
}

/// A part of the list.
#[derive(Debug, Clone, Copy)]
pub struct CallList<'a> {
    /// The calls, newest first: 50 are a good part, 62 are shown at most.
    pub rows: &'a [Call],
    /// The trunks to choose from.
    pub trunks: &'a [String],
    /// The queues, teams and tiers to choose from.
    pub labels: &'a CallLabels,
    /// What was asked for.
    pub query: &'a CallsQuery,
    /// Why nothing was asked of the store.
    pub fault: Option<QueryFault>,
    /// The filters that the reader keeps.
    pub filters: &'a [KeptFilter],
    /// Which calls have notes, and of what kind.
    pub noted: &'a [(String, NoteKind)],
    /// Moments of the reader's own calls that supervisors have noted.
    pub moments: &'a [Moment],
    /// The place to go on from, if there may be older ones.
    pub next: Option<&'a Cursor>,
    /// How far back was looked, in milliseconds since 1970, where that is not to the end and the part is not full.
    pub looked_back_to: Option<u64>,
}

/// The list of calls with its filter.
#[must_use]
pub fn calls(shell: &Shell<'_>, list: &CallList<'_>) -> String {
    let texts = shell.texts();
    let rows = list.rows.get(..MOST).unwrap_or(list.rows);
    let cut = (rows.len() < list.rows.len()).then(|| rows.last().map(Call::cursor)).flatten();
    let next = cut.as_ref().or(list.next);
    let content = html! {
        (headline(&html! { (texts.calls) }, &html! { (texts.calls_below) }))
        @if !list.moments.is_empty() && !list.query.narrows() && list.query.after.is_empty() { (moments(shell, list.moments)) }
        (form(shell, list))
        (filters(shell, list))
        @if !rows.is_empty() {
            (table(shell, rows, list.noted))
        } @else if list.fault.is_none() && list.looked_back_to.is_none() {
            (empty(texts, list.query))
        }
        @if let Some(back) = list.looked_back_to {
            p.hint role="status" { (texts.looked_back_to) " " (moment(shell, back)) ". " (texts.looked_back_how) }
        }
        nav.pages aria-label=(texts.pages) {
            @if !list.query.after.is_empty() {
                @let first = CallsQuery { after: String::new(), ..list.query.clone() };
                a href=(shell.path(&format!("/calls{}", first.to_query()))) { (texts.newest) }
            }
            @if let Some(next) = next {
                @let older = CallsQuery { after: next.to_string(), ..list.query.clone() };
                a href=(shell.path(&format!("/calls{}", older.to_query()))) rel="next" {
                    @if list.looked_back_to.is_some() { (texts.look_further) } @else { (texts.older) }
                }
            }
        }
    };
    page(shell, &Head { title: texts.calls, section: Some(Section::Calls), again: None }, content)
}

/// Moments to learn from; what a note says stands with its call, whose page is noted as looked at.
fn moments(shell: &Shell<'_>, moments: &[Moment]) -> Markup {
    let own = shell.language.coaching();
    html! {
        section #moments {
            h2 { (own.moments) }
            ul.reasons {
                @for it in moments {
                    li {
                        // A call's id is a ULID; another one would be of a foreign database, and leads nowhere.
                        @let id: String = it.call.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
                        a href=(shell.path(&format!("/calls/{id}#notes"))) {
                            (vocabulary::note_kind(shell.texts(), it.kind))
                            @if let Some(at_ms) = it.at_ms { ", " (length(at_ms)) }
                        }
                        span.soft { " " (moment(shell, it.started)) " · " bdi { (clean(&it.by)) } }
                    }
                }
            }
            p.hint { (own.moments_what) " " a href=(shell.path("/calls?outcome=recovered")) { (own.moments_calmed) } }
        }
    }
}

fn empty(texts: &Texts, query: &CallsQuery) -> Markup {
    html! {
        div.empty {
            @if query.narrows() {
                h2 { (texts.none_found) }
                p { (texts.none_found_how) }
            } @else {
                h2 { (texts.no_calls) }
                p { (texts.no_calls_how) }
            }
        }
    }
}

fn form(shell: &Shell<'_>, list: &CallList<'_>) -> Markup {
    let (texts, query) = (shell.texts(), list.query);
    let directions = [("inbound", texts.inbound), ("outbound", texts.outbound)];
    let outcomes = [
        ("upset", texts.outcome_upset),
        ("recovered", texts.outcome_recovered),
        ("improved", texts.outcome_improved),
        ("declined", texts.outcome_declined),
    ];
    let lengths = [
        (CallLength::UnderOne.name(), texts.length_under_one),
        (CallLength::ToFive.name(), texts.length_to_five),
        (CallLength::ToFifteen.name(), texts.length_to_fifteen),
        (CallLength::FromFifteen.name(), texts.length_from_fifteen),
    ];
    let topics = Topic::ALL
        .map(|topic| (topic.name(), vocabulary::topic_word(texts, topic.name()).unwrap_or_default()));
    html! {
        form.filter method="post" action=(shell.path("/calls")) {
            (shell.csrf_field())
            @if let Some(fault) = list.fault { p.fault role="alert" { (fault_text(texts, fault)) } }
            div.fields {
                div {
                    label for="from" { (texts.from) }
                    input #from type="date" name="from" value=(clean(&query.from));
                }
                div {
                    label for="until" { (texts.until) }
                    input #until type="date" name="until" value=(clean(&query.until));
                }
                (select("trunk", texts.trunk, texts, &query.trunk, list.trunks.iter().map(|it| (it.as_str(), it.as_str()))))
                @for (name, title, chosen, labels) in [
                    ("queue", texts.queue, &query.queue, &list.labels.queues),
                    ("team", texts.team, &query.team, &list.labels.teams),
                    ("tier", texts.tier, &query.tier, &list.labels.tiers),
                ] {
                    @if !labels.is_empty() || !chosen.is_empty() {
                        (select(name, title, texts, chosen, labels.iter().map(|it| (it.as_str(), it.as_str()))))
                    }
                }
                @if shell.role == Some(Role::Supervisor) {
                    div {
                        label for="agent" { (capital(texts.agent)) }
                        input #agent type="text" name="agent" maxlength="64" autocomplete="off"
                            value=(clean(&query.agent));
                    }
                }
                (select("direction", texts.direction, texts, &query.direction, directions.into_iter()))
                @if list.labels.has_topics || !query.topic.is_empty() {
                    (select("topic", texts.heard_topics, texts, &query.topic, topics.into_iter()))
                }
                (select("outcome", texts.outcome, texts, &query.outcome, outcomes.into_iter()))
                (select("length", texts.length, texts, &query.length, lengths.into_iter()))
                div {
                    label for="number" { (texts.number) }
                    input #number type="tel" name="number" autocomplete="off" maxlength="64"
                        aria-describedby="number-hint";
                }
                div.act {
                    button type="submit" { (texts.apply) }
                    @if query.narrows() { a.clear href=(shell.path("/calls")) { (texts.clear) } }
                }
            }
            @if query.number.is_empty() {
                p #number-hint .hint { (texts.number_hint) }
            } @else {
                p #number-hint .hint {
                    (texts.with_number) " " code { (clean(&query.number)) }
                    input type="hidden" name="kept" value=(clean(&query.number));
                }
            }
        }
    }
}

/// The filters that the reader keeps, each a link to bookmark or send, and a form to keep this one.
fn filters(shell: &Shell<'_>, list: &CallList<'_>) -> Markup {
    let texts = shell.texts();
    let here = CallsQuery { after: String::new(), ..list.query.clone() }.to_query();
    html! {
        @if !list.filters.is_empty() {
            nav.kept-filters aria-label=(texts.filters) {
                h2.hidden { (texts.filters) }
                ul {
                    @for filter in list.filters.iter().take(MOST_FILTERS) {
                        li {
                            a href=(shell.path(&format!("/calls{}", filter.query)))
                                aria-current=[(filter.query == here).then_some("true")] { (shown(&filter.name)) }
                            form method="post" action=(shell.path("/calls/filters/forget")) {
                                (shell.csrf_field())
                                input type="hidden" name="name" value=(filter.name);
                                button.forget type="submit" title=(texts.filter_forget) {
                                    span.hidden { (texts.filter_forget) ": " (clean(&filter.name)) }
                                    span aria-hidden="true" { "×" }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if list.fault.is_none() && list.query.narrows() && list.filters.iter().all(|it| it.query != here) {
            details.keep-filter {
                summary { (texts.filter_keep) }
                form method="post" action=(shell.path("/calls/filters")) {
                    (shell.csrf_field())
                    input type="hidden" name="query" value=(here);
                    label for="filter-name" { (texts.filter_name) }
                    div.act {
                        input #filter-name type="text" name="name" maxlength="64" required autocomplete="off";
                        button type="submit" { (texts.self_note_keep) }
                    }
                }
            }
        }
    }
}

fn fault_text(texts: &Texts, fault: QueryFault) -> &'static str {
    match fault {
        QueryFault::Day => texts.fault_day,
        QueryFault::Order => texts.fault_order,
        QueryFault::Choice => texts.fault_choice,
        QueryFault::Number => texts.fault_number,
        QueryFault::Cursor => texts.fault_cursor,
        QueryFault::Filter => texts.fault_filter,
    }
}

/// A choice of one value or of all.
pub(crate) fn select<'a>(
    name: &str,
    label: &str,
    texts: &Texts,
    chosen: &str,
    choices: impl Iterator<Item = (&'a str, &'a str)>,
) -> Markup {
    let choices: Vec<_> = choices.take(MOST_CHOICES).collect();
    let beyond = !chosen.is_empty() && choices.iter().all(|(value, _)| *value != chosen);
    html! {
        div {
            label for=(name) { (label) }
            select #(name) name=(name) {
                option value="" { (texts.all) }
                @for (value, text) in choices {
                    option value=(value) selected[value == chosen] { (clean(text)) }
                }
                @if beyond { option value=(clean(chosen)) selected { (clean(chosen)) } }
            }
        }
    }
}

fn table(shell: &Shell<'_>, rows: &[Call], noted: &[(String, NoteKind)]) -> Markup {
    let texts = shell.texts();
    html! {
        div.scroll tabindex="0" role="group" aria-label=(texts.calls) {
            table.calls {
                thead {
                    tr {
                        th scope="col" { (texts.when) }
                        th.right scope="col" { (texts.length) }
                        th scope="col" { (texts.queue) " / " (texts.trunk) }
                        @if shell.role == Some(Role::Supervisor) { th scope="col" { (capital(texts.agent)) } }
                        th scope="col" { (texts.mood_over_call) }
                        th scope="col" { (texts.alerts) }
                        th.right scope="col" { (texts.share_judged) }
                    }
                }
                tbody { @for call in rows { (row(shell, call, noted)) } }
            }
        }
    }
}

fn row(shell: &Shell<'_>, call: &Call, noted: &[(String, NoteKind)]) -> Markup {
    let texts = shell.texts();
    let mut kinds = noted.iter().filter(|(id, _)| *id == call.id).map(|(_, kind)| *kind).peekable();
    html! {
        tr {
            th scope="row" { a href=(call_path(shell, call)) { (moment(shell, call.started)) } }
            td.right { (lasted(texts, call)) }
            td.place {
                (shown(call.queue.as_ref().unwrap_or(&call.trunk))) " "
                span.soft {
                    (vocabulary::direction(texts, &call.direction))
                    @for label in [&call.tier, &call.team].into_iter().flatten() { " · " (shown(label)) }
                }
                @if kinds.peek().is_some() {
                    " "
                    span.named {
                        span.hidden { (texts.notes) ": " }
                        @for kind in kinds { span.badge { (vocabulary::note_kind(texts, kind)) } " " }
                    }
                }
                @if !call.topics.is_empty() {
                    " "
                    span.named {
                        span.hidden { (texts.heard_topics) ": " }
                        @for topic in &call.topics { span.badge { (vocabulary::topic(texts, topic)) } " " }
                    }
                }
            }
            @if shell.role == Some(Role::Supervisor) {
                td.agent data-name=(capital(texts.agent)) {
                    @if let Some(agent) = &call.agent { (shown(agent)) } @else { span.soft { "–" } }
                }
            }
            td.mood { (shift(texts, call)) }
            td.alerts data-name=(texts.alerts) { (alerts(texts, call)) }
            td.right.judged data-name=(texts.share_judged) { (share_judged(texts, call)) }
        }
    }
}

/// How long it lasted from its answer on.
pub(crate) fn lasted(texts: &Texts, call: &Call) -> Markup {
    match (call.answered, call.ended) {
        (Some(answered), Some(ended)) => html! { (length(ended.saturating_sub(answered))) },
        (_, None) => html! { (texts.still_up) },
        (None, Some(_)) => html! { span.soft { (texts.unanswered) } },
    }
}

/// The shift from start to end: its direction in words, its colour and its number.
pub(crate) fn shift(texts: &Texts, call: &Call) -> Markup {
    let Some(shift) = call.shift.filter(|shift| shift.is_finite()) else {
        let why = match (call.erased, call.ended) {
            (true, _) => texts.erased_short,
            (_, None) => texts.not_yet,
            _ => texts.not_judged,
        };
        return html! { span.soft { (why) } };
    };
    let tone = tone(shift);
    let (arrow, word) = match tone {
        "pleasant" => ("↗", texts.shift_up),
        "unpleasant" => ("↘", texts.shift_down),
        _ => ("→", texts.shift_even),
    };
    html! {
        span.shift.(tone) { span aria-hidden="true" { (arrow) " " } (word) } " " span.soft { (signed(texts, shift, 2)) }
    }
}

fn alerts(texts: &Texts, call: &Call) -> Markup {
    html! {
        @if call.alerts > 0 {
            span.badge { (sign()) (count(texts, call.alerts)) } " "
            @if call.alert.is_some() {
                @if call.ended.is_some() { (texts.not_calmed) } @else { (texts.alert_is_up) }
            } @else { (texts.calmed) }
        } @else if call.judged_ms.is_some() || call.valence.is_some() {
            span.soft { (texts.no_alert) }
        } @else {
            span.soft { "–" }
        }
    }
}

/// Of the customer's speech, the share that estimates stand for.
pub(crate) fn share_judged(texts: &Texts, call: &Call) -> Markup {
    match (call.judged_ms, call.speech_ms) {
        (Some(judged), Some(speech)) if speech > 0 => {
            html! { (percent(texts, (judged as f64 / speech as f64).min(1.0), 0)) }
        }
        _ => html! { span.soft { "–" } },
    }
}

/// The title of a call's page.
pub(crate) fn title(shell: &Shell<'_>, call: &Call) -> String {
    let day = crate::format::date(shell.texts(), call.started / crate::civil::DAY_MS);
    fill(shell.texts().call_of, &[&day])
}
