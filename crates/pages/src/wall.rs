//! The live wall: every call that is up, those first whose customer may need somebody now.

mod order;
mod spark;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};
use sidetone_store::{Call, Point};

use crate::format::{count, counted, lasting, percent, shown};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::fill;
use crate::vocabulary;
use order::Need;

/// Most calls that are drawn as cards, and as rows: with them a page stays under 100 KB. The rest is counted.
const MOST_CARDS: usize = 52;
const MOST_ROWS: usize = 58;
/// Most queues, and most tiers, to choose from.
const MOST_QUEUES: usize = 20;
const MOST_TIERS: usize = 10;
/// Events after which the wall is fetched anew.
const KINDS: &str = "call.started call.answered call.held call.resumed call.ended consent.changed affect.update \
                     affect.alert erased call.labelled";

/// A call that is up, with its last moments.
#[derive(Debug, Clone, Copy)]
pub struct LiveCall<'a> {
    /// The call.
    pub call: &'a Call,
    /// How the customer seemed in the last minutes, in order; may be empty.
    pub points: &'a [Point],
}

/// How the wall is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WallView {
    /// A card a call.
    #[default]
    Cards,
    /// A row a call.
    List,
}

impl WallView {
    /// The view of the query's `view`.
    #[must_use]
    pub fn parse(word: Option<&str>) -> Self {
        if word == Some("list") { Self::List } else { Self::Cards }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::List => "list",
        }
    }
}

/// What of the wall is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WallQuery {
    /// How it is laid out.
    pub view: WallView,
    /// One queue's calls alone; all, if empty.
    pub queue: String,
    /// One tier's calls alone; all, if empty.
    pub tier: String,
}

impl WallQuery {
    fn to_query(&self) -> String {
        crate::calls::query(&[("view", self.view.word()), ("queue", &self.queue), ("tier", &self.tier)])
    }

    fn has(&self, live: &LiveCall<'_>) -> bool {
        let is = |asked: &String, label: &Option<String>| asked.is_empty() || label.as_ref() == Some(asked);
        is(&self.queue, &live.call.queue) && is(&self.tier, &live.call.tier)
    }
}

/// The live wall. `events` is the path of the stream of server-sent events, behind the base, after each of which the
/// script fetches the fragment anew ([`wall_fragment`] at `/live/wall`); without it the wall is fetched every 15 s.
#[must_use]
pub fn wall(shell: &Shell<'_>, calls: &[LiveCall<'_>], query: &WallQuery, events: Option<&str>) -> String {
    let texts = shell.texts();
    let fragment = shell.path(&format!("/live/wall{}", query.to_query()));
    let content = html! {
        (headline(&html! { (texts.live) }, &html! { (texts.live_below) }))
        p #live-state .notice hidden { (texts.wall_stale) }
        p #live-said .hidden role="status" {}
        nav.views aria-label=(texts.view) {
            @for (other, name) in [(WallView::Cards, texts.view_cards), (WallView::List, texts.view_list)] {
                @let other = WallQuery { view: other, ..query.clone() };
                a href=(shell.path(&format!("/live{}", other.to_query())))
                    aria-current=[(other == *query).then_some("true")] { (name) }
            }
        }
        div #live .live-part tabindex="-1" data-fragment=(fragment) data-events=[events.map(|path| shell.path(path))] data-kinds=(KINDS) {
            (PreEscaped(wall_fragment(shell, calls, query)))
        }
    };
    page(shell, &Head { title: texts.live, section: Some(Section::Live), again: Some(15) }, content)
}

/// The part of the wall that changes.
#[must_use]
pub fn wall_fragment(shell: &Shell<'_>, calls: &[LiveCall<'_>], query: &WallQuery) -> String {
    let (texts, view) = (shell.texts(), query.view);
    let queues = choices(
        shell,
        calls,
        &Choice {
            name: "queue",
            title: texts.queue,
            all: texts.all_queues,
            most: MOST_QUEUES,
            chosen: &query.queue,
            of: |call| call.queue.as_deref(),
            with: &|queue| WallQuery { queue, ..query.clone() },
        },
    );
    let tiers = choices(
        shell,
        calls,
        &Choice {
            name: "tier",
            title: texts.tier,
            all: texts.all_tiers,
            most: MOST_TIERS,
            chosen: &query.tier,
            of: |call| call.tier.as_deref(),
            with: &|tier| WallQuery { tier, ..query.clone() },
        },
    );
    let calls: Vec<LiveCall<'_>> = calls.iter().filter(|live| query.has(live)).copied().collect();
    let ordered = order::by_need(&calls);
    let most = if view == WallView::Cards { MOST_CARDS } else { MOST_ROWS };
    let (shown, left) = ordered.split_at(ordered.len().min(most));
    let now = ordered.iter().filter(|(need, _)| *need == Need::Now).count();
    let attention = match now {
        0 => texts.need_now_none.to_owned(),
        _ => counted(texts, now as u64, texts.need_now),
    };
    let markup = html! {
        (queues)
        (tiers)
        p.tally data-attention=(now) data-say=(attention) {
            strong.attention[now > 0] { (attention) }
            span { (counted(texts, calls.len() as u64, texts.up)) }
            span { (fill(texts.up_judged, &[&count(texts, judged(&calls))])) }
        }
        @if calls.is_empty() { (empty(shell)) }
        @for need in [Need::Now, Need::Falling, Need::Rest] {
            @let group: Vec<_> = shown.iter().filter(|(of, _)| *of == need).map(|(_, call)| *call).collect();
            @if !group.is_empty() {
                section {
                    h2.need { (title(shell, need)) " " span.number { (group.len()) } }
                    @if view == WallView::Cards { (cards(shell, &group, need)) } @else { (rows(shell, &group)) }
                }
            }
        }
        @if !left.is_empty() {
            p.more { (counted(texts, left.len() as u64, texts.more_up)) }
        }
        @if !calls.is_empty() { p.legend { (texts.spark_legend) } }
    };
    markup.into_string()
}

/// A label by which the calls of the wall are chosen.
struct Choice<'a> {
    name: &'static str,
    title: &'a str,
    all: &'a str,
    most: usize,
    chosen: &'a str,
    of: fn(&Call) -> Option<&str>,
    /// The wall with another choice.
    with: &'a dyn Fn(String) -> WallQuery,
}

/// The labels of the calls that are up, to look at one of them: those with the most calls first.
fn choices(shell: &Shell<'_>, calls: &[LiveCall<'_>], choice: &Choice<'_>) -> Markup {
    let mut labels: BTreeMap<&str, u64> = BTreeMap::new();
    for label in calls.iter().filter_map(|live| (choice.of)(live.call)) {
        *labels.entry(label).or_default() += 1;
    }
    if !choice.chosen.is_empty() {
        labels.entry(choice.chosen).or_default();
    }
    let mut labels: Vec<_> = labels.into_iter().collect();
    labels.sort_by_key(|(_, calls)| Reverse(*calls));
    let link = |label: &str| shell.path(&format!("/live{}", (choice.with)(label.to_owned()).to_query()));
    let name = choice.name;
    html! {
        @if !labels.is_empty() {
            nav.views.queues aria-label=(choice.title) {
                a #{ (name) "-" } href=(link("")) aria-current=[choice.chosen.is_empty().then_some("true")] { (choice.all) }
                @for (label, calls) in labels.into_iter().take(choice.most) {
                    a #{ (name) "-" (plain(label)) } href=(link(label))
                        aria-current=[(label == choice.chosen).then_some("true")] {
                        (shown(label)) " " span.number { (calls) }
                    }
                }
            }
        }
    }
}

/// A label as a part of an element's id, by which the script finds it again.
fn plain(label: &str) -> String {
    label.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn judged(calls: &[LiveCall<'_>]) -> u64 {
    calls.iter().filter(|live| live.call.valence.is_some()).count() as u64
}

fn title(shell: &Shell<'_>, need: Need) -> &'static str {
    match need {
        Need::Now => shell.texts().group_now,
        Need::Falling => shell.texts().group_falling,
        Need::Rest => shell.texts().group_rest,
    }
}

fn empty(shell: &Shell<'_>) -> Markup {
    let texts = shell.texts();
    html! {
        div.empty {
            h2 { (texts.wall_empty) }
            p { (texts.wall_empty_how) }
            p { code { "sidetone demo" } " " (texts.wall_empty_demo) }
            p { code { "sidetone check" } " " (texts.wall_empty_check) }
        }
    }
}

fn cards(shell: &Shell<'_>, calls: &[LiveCall<'_>], need: Need) -> Markup {
    html! { ul.cards.first[need != Need::Rest] { @for live in calls { li.card.now[need == Need::Now] { (card(shell, live)) } } } }
}

fn card(shell: &Shell<'_>, live: &LiveCall<'_>) -> Markup {
    let (texts, call) = (shell.texts(), live.call);
    html! {
        div.card-head {
            h3 {
                a #{ "call-" (plain_id(call)) } href=(call_path(shell, call))
                    aria-describedby={ "mood-" (plain_id(call)) } {
                    (place(call)) span.hidden { ", " (texts.open_call) }
                }
            }
            span.since { (lasting(shell, call.answered.unwrap_or(call.started))) }
        }
        p #{ "mood-" (plain_id(call)) } .mood { (badge(shell, call)) (vocabulary::mood(texts, call)) }
        @if live.points.len() > 1 { (spark::spark(shell, live.call, live.points)) }
        p.facts { (facts(shell, call)) }
    }
}

/// The alert that is up: a sign and a word, never a colour alone.
fn badge(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    html! {
        @if let Some(alert) = &call.alert {
            span.badge { (sign()) (vocabulary::alert(texts, alert)) } " "
        }
    }
}

/// The sign of an alert: a triangle.
pub(crate) fn sign() -> Markup {
    html! {
        svg.sign viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false" {
            path d="M6 1 11.500 11H.5z" {}
        }
    }
}

/// Where a call is: in its queue, or else on its trunk; and its tier.
fn place(call: &Call) -> Markup {
    html! {
        (shown(call.queue.as_ref().unwrap_or(&call.trunk)))
        @if let Some(tier) = &call.tier { " · " (shown(tier)) }
    }
}

fn facts(shell: &Shell<'_>, call: &Call) -> Markup {
    let texts = shell.texts();
    html! {
        span { (vocabulary::direction(texts, &call.direction)) }
        @for label in [&call.team, &call.agent].into_iter().flatten() { span { (shown(label)) } }
        @if call.answered.is_none() { span { (texts.ringing) } }
        @if let Some(party) = &call.held_by {
            span.held { (texts.on_hold) " (" (vocabulary::party(texts, party)) ")" }
        }
        @if let Some(consent) = &call.consent { span { (texts.consent) ": " (vocabulary::consent(texts, consent)) } }
        @if let Some(confidence) = call.confidence.filter(|_| call.valence.is_some()) {
            span { (vocabulary::sureness(texts, confidence)) " (" (percent(texts, confidence, 0)) ")" }
        }
    }
}

fn rows(shell: &Shell<'_>, calls: &[LiveCall<'_>]) -> Markup {
    let texts = shell.texts();
    html! {
        div.scroll tabindex="0" role="group" aria-label=(texts.table) {
            table.wall {
                thead {
                    tr {
                        th scope="col" { (texts.queue) " / " (texts.trunk) }
                        th.right scope="col" { (texts.lasting) }
                        th scope="col" { (texts.customer_seems) }
                        th scope="col" { (texts.lately) }
                        th scope="col" { (texts.call_state) }
                    }
                }
                tbody {
                    @for live in calls {
                        @let call = live.call;
                        tr {
                            th scope="row" {
                                a #{ "call-" (plain_id(call)) } href=(call_path(shell, call)) { (place(call)) }
                            }
                            td.right { (lasting(shell, call.answered.unwrap_or(call.started))) }
                            td { (badge(shell, call)) (vocabulary::mood(texts, call)) }
                            td { @if live.points.len() > 1 { (spark::spark(shell, live.call, live.points)) } }
                            td.facts { (facts(shell, call)) }
                        }
                    }
                }
            }
        }
    }
}

/// The path of a call's own page.
pub(crate) fn call_path(shell: &Shell<'_>, call: &Call) -> String {
    shell.path(&format!("/calls/{}", plain_id(call)))
}

/// A call's id as it may stand in a path. Ids are ULIDs; another one would be of a foreign database, and leads nowhere.
fn plain_id(call: &Call) -> String {
    call.id.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
