//! The operator's page: whether calls pass and are listened to, which hosts and links are up, the alarms that hold, and
//! the counters behind them with the names that they have in Prometheus.

mod alarm;
mod counts;

use maud::{Markup, PreEscaped, html};

use crate::format::{clean, count, lasting, shown};
use crate::layout::{Head, Section, Shell, headline, page};
use crate::text::{OperationsTexts, fill};
use crate::wall::sign;
pub use alarm::Alarm;
pub use counts::Counts;

/// Most hosts, and most links, that are listed; a page of any configuration stays small.
const MOST: usize = 60;
/// Characters of a checksum that are shown; the rest is in its title.
const DIGITS: usize = 12;

/// Whether new calls should be sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health<'a> {
    /// They should.
    Ready,
    /// New calls are refused: the process is about to be stopped.
    Draining,
    /// A thread hangs or has ended.
    Thread(&'a str),
    /// Callers should be listened to, and the model could not be loaded.
    NoModel,
    /// No host of any trunk answers.
    NoTrunk,
    /// No host of any PBX answers.
    NoPbx,
}

/// How a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// It answers.
    Up,
    /// It has left too many probes unanswered.
    Down,
    /// It has not answered yet, nor been asked often enough to be called down.
    Unheard,
}

/// A host that is asked how it is.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// Whether it is a trunk's; otherwise it is a PBX's.
    pub of_trunk: bool,
    /// The peer's name.
    pub peer: &'a str,
    /// Transport and address.
    pub host: &'a str,
    /// Whether it answers.
    pub state: HostState,
}

/// A link to a PBX.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The PBX's name.
    pub pbx: &'a str,
    /// The interface, as `ami`.
    pub kind: &'a str,
    /// Whether it is connected and logged in.
    pub up: bool,
    /// Events and variables that the PBX has taken.
    pub sent: u64,
    /// Events dropped since the link was slow or down.
    pub dropped: u64,
    /// Events and variables that the PBX has refused.
    pub refused: u64,
}

/// The model in force.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    /// Its name.
    pub name: &'a str,
    /// The licence for its use.
    pub licence: &'a str,
    /// SHA-256 of its weights, in hexadecimal.
    pub sha256: &'a str,
}

/// Whether words are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// They are not, by configuration.
    Off,
    /// They are.
    Recognised,
    /// They should be, and the recogniser could not be loaded.
    Missing,
}

/// Everything that the page shows.
#[derive(Debug, Clone, Copy)]
pub struct Operations<'a> {
    /// Whether new calls should be sent here.
    pub health: Health<'a>,
    /// The version of this build.
    pub version: &'a str,
    /// The name of this node, where it has one.
    pub node: Option<&'a str>,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// The model; `None` where nothing is listened to.
    pub model: Option<Model<'a>>,
    /// Whether words are recognised.
    pub words: Words,
    /// The conditions of the alert rules that hold now, each with the things that it is about.
    pub alarms: &'a [(Alarm, String)],
    /// Hosts that are asked how they are.
    pub hosts: &'a [Host<'a>],
    /// Links to PBXs.
    pub links: &'a [Link<'a>],
    /// The counters.
    pub counts: &'a Counts,
    /// Why the store is not written to, if so.
    pub store_trouble: Option<&'a str>,
}

/// The page.
#[must_use]
pub fn operations(shell: &Shell<'_>, operations: &Operations<'_>) -> String {
    let (texts, own) = (shell.texts(), shell.language.operations());
    let content = html! {
        (headline(&html! { (own.title) }, &html! { (own.below) }))
        p #live-state .notice hidden { (texts.wall_stale) }
        p #live-said .hidden role="status" {}
        div #live .live-part tabindex="-1" data-fragment=(shell.path("/operations/state")) data-every="5" {
            (PreEscaped(operations_fragment(shell, operations)))
        }
    };
    page(shell, &Head { title: own.title, section: Some(Section::Operations), again: Some(15) }, content)
}

/// The part of the page that changes.
#[must_use]
pub fn operations_fragment(shell: &Shell<'_>, operations: &Operations<'_>) -> String {
    let own = shell.language.operations();
    let markup = html! {
        (health(shell, operations))
        (alarms(own, operations))
        (glance(shell, operations))
        div.columns { (hosts(shell, operations)) (links(shell, operations)) }
        (figures(shell, operations))
    };
    markup.into_string()
}

fn health(shell: &Shell<'_>, operations: &Operations<'_>) -> Markup {
    let own = shell.language.operations();
    let reason = match operations.health {
        Health::Ready => own.ready_means.to_owned(),
        Health::Draining => own.draining.to_owned(),
        Health::Thread(why) => fill(own.thread, &[&clean(why)]),
        Health::NoModel => own.no_model.to_owned(),
        Health::NoTrunk => own.no_trunk.to_owned(),
        Health::NoPbx => own.no_pbx.to_owned(),
    };
    let ready = operations.health == Health::Ready;
    let alarms = operations.alarms.len();
    let said = if ready { own.ready } else { own.unready };
    html! {
        p.state.bad[!ready] data-attention=(alarms) data-say=(said) {
            @if ready { (tick()) } @else { (sign()) }
            strong { (said) } span { (reason) }
            span.metric { "/readyz" }
        }
    }
}

/// The sign of something that is as it should be: a tick.
fn tick() -> Markup {
    html! {
        svg.tick viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false" {
            path d="M1.500 6.500 4.500 9.500 10.500 2.500" {}
        }
    }
}

fn alarms(own: &OperationsTexts, operations: &Operations<'_>) -> Markup {
    html! {
        section {
            h2 { (own.alarms) }
            @if operations.alarms.is_empty() {
                p.soft { (own.no_alarm) }
            } @else {
                ul.alarms {
                    @for (alarm, about) in operations.alarms {
                        @let (title, how) = alarm.told(own);
                        li {
                            p { (sign()) strong { (title) } @if !about.is_empty() { ": " (shown(about)) } }
                            p.soft { (how) " " span.metric { (alarm.rule()) } }
                        }
                    }
                }
            }
            p.hint { (own.alarms_are) }
        }
    }
}

fn glance(shell: &Shell<'_>, operations: &Operations<'_>) -> Markup {
    let own = shell.language.operations();
    let since = shell.now.saturating_sub(operations.uptime_s.saturating_mul(1000));
    html! {
        section {
            h2 { (own.running) }
            dl.glance {
                div { dt { (own.version) } dd { "Sidetone " (clean(operations.version)) } }
                @if let Some(node) = operations.node { div { dt { (shell.texts().node) } dd { (shown(node)) } } }
                div { dt { (own.uptime) } dd { (lasting(shell, since)) } }
                @if let Some(model) = operations.model {
                    div { dt { (own.model) } dd { (shown(model.name)) } }
                    div { dt { (own.licence) } dd { (shown(model.licence)) } }
                    div {
                        dt { (own.checksum) }
                        dd { code title=(clean(model.sha256)) { (clean(model.sha256).chars().take(DIGITS).collect::<String>()) } }
                    }
                } @else {
                    div { dt { (own.model) } dd { (own.model_none) } }
                }
                div {
                    dt { (own.words) }
                    dd {
                        @match operations.words {
                            Words::Off => { (own.words_off) }
                            Words::Recognised => { (own.words_on) }
                            Words::Missing => { span.is-down { (sign()) " " (own.words_missing) } }
                        }
                    }
                }
            }
        }
    }
}

/// Up or down, by a sign and a word.
fn up(own: &OperationsTexts, up: bool) -> Markup {
    html! {
        @if up { span.is-up { (tick()) " " (own.up) } } @else { span.is-down { (sign()) " " (own.down) } }
    }
}

fn hosts(shell: &Shell<'_>, operations: &Operations<'_>) -> Markup {
    let own = shell.language.operations();
    html! {
        section {
            h2 { (own.hosts) " " span.metric { "sidetone_peer_up" } }
            @if operations.hosts.is_empty() {
                p.soft { (own.no_host) " " code { "[health] options_interval" } }
            } @else {
                div.scroll tabindex="0" role="group" aria-label=(own.hosts) {
                    table {
                        thead { tr {
                            th scope="col" { (own.peer) }
                            th scope="col" { (own.side) }
                            th scope="col" { (own.host) }
                            th scope="col" { (own.state) }
                        } }
                        tbody {
                            @for host in operations.hosts.iter().take(MOST) {
                                tr {
                                    th scope="row" { (shown(host.peer)) }
                                    td { (if host.of_trunk { shell.texts().trunk } else { own.pbx }) }
                                    td { code { (clean(host.host)) } }
                                    td {
                                        @match host.state {
                                            HostState::Up => { (up(own, true)) }
                                            HostState::Down => { (up(own, false)) }
                                            HostState::Unheard => { span.soft { (own.unheard) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                (more(shell, operations.hosts.len()))
            }
        }
    }
}

fn links(shell: &Shell<'_>, operations: &Operations<'_>) -> Markup {
    let own = shell.language.operations();
    html! {
        section {
            h2 { (own.links) " " span.metric { "sidetone_link_up" } }
            @if operations.links.is_empty() {
                p.soft { (own.no_link) }
            } @else {
                div.scroll tabindex="0" role="group" aria-label=(own.links) {
                    table {
                        thead { tr {
                            th scope="col" { (own.pbx) }
                            th scope="col" { (own.kind) }
                            th scope="col" { (own.state) }
                            th.right scope="col" { (own.sent) }
                            th.right scope="col" { (own.dropped) }
                            th.right scope="col" { (own.refused) }
                        } }
                        tbody {
                            @for link in operations.links.iter().take(MOST) {
                                tr {
                                    th scope="row" { (shown(link.pbx)) }
                                    td { (clean(link.kind)) }
                                    td { (up(own, link.up)) }
                                    @for value in [link.sent, link.dropped, link.refused] {
                                        td.right { (count(shell.texts(), value)) }
                                    }
                                }
                            }
                        }
                    }
                }
                (more(shell, operations.links.len()))
            }
        }
    }
}

/// How many rows were left out.
fn more(shell: &Shell<'_>, of: usize) -> Markup {
    let left = of.saturating_sub(MOST);
    html! {
        @if left > 0 { p.more { (fill(shell.language.operations().more, &[&count(shell.texts(), left as u64)])) } }
    }
}

fn figures(shell: &Shell<'_>, operations: &Operations<'_>) -> Markup {
    let own = shell.language.operations();
    html! {
        @if let Some(trouble) = operations.store_trouble {
            p.fault { (own.store_trouble) " " bdi { (clean(trouble)) } }
        }
        div.columns.three {
            @for (title, rows) in operations.counts.groups(own) {
                section {
                    h2 { (title) }
                    dl.key {
                        @for row in rows {
                            div.bad[row.alarming && row.value > 0] {
                                dt { (row.label) br; span.metric { (row.metric) } }
                                dd { (row.written(shell.texts())) }
                            }
                        }
                    }
                }
            }
        }
        p.hint { (own.since_start) }
    }
}
