//! All counters, gathered at one moment: for `sidetone stats` as JSON, for Prometheus as a page (`stats/page.rs`).

mod page;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sidetone_call::{Node, Side};
use sidetone_drill::Fault;
use sidetone_events::SinkCounts;
use sidetone_pbx::LinkCounts;

use sidetone_book::Receipts;
use sidetone_book::{CallCounters, Calls};
use sidetone_hear::{WordsCounters, WorkerCounters};
use sidetone_proxy::signalling::{Core, HandshakeCounts, HeldTimes};
use sidetone_relay::{HandshakeTotals, RelayTotals};
use sidetone_spool::Spool;
use sidetone_watch::Alarm;

/// Why no new calls should be sent here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// New calls are refused.
    #[error("draining")]
    Draining,
    /// A thread that should run does not: its name, and the reason.
    #[error("{0}")]
    Thread(String),
    /// Callers should be listened to, and the model could not be loaded.
    #[error("the model could not be loaded: calls are carried, none is analysed")]
    NoModel,
    /// No host of a side answers.
    #[error("every {} host is down", .0.as_str())]
    SideDown(Side),
}

/// Counters and gauges of the whole process.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Version of this build.
    pub version: &'static str,
    /// The name of this node, where the configuration gives one.
    pub node: Option<Node>,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Panics of tasks and threads.
    pub task_panics: u64,
    /// Threads that should run and do not, each with the reason.
    pub threads_missed: Vec<String>,
    /// Log lines dropped since the log's reader is too slow.
    pub log_lines_dropped: u64,
    /// The fault that a drill makes now.
    pub drill: Option<Fault>,
    /// Whether callers should be listened to, and the model could not be loaded.
    pub model_missing: bool,
    /// Whether new calls are refused.
    pub draining: bool,
    /// Calls that are up.
    pub calls: usize,
    /// Calls in the book, including those that wait for their summary.
    pub calls_in_book: usize,
    /// Sums over all calls.
    pub totals: CallCounters,
    /// Calls refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Session descriptions that passed unchanged or in part, so that media may bypass Sidetone, by reason.
    pub unled: BTreeMap<&'static str, u64>,
    /// The SIP core.
    pub sip: SipStats,
    /// The relay threads.
    pub media: MediaStats,
    /// The analysis workers.
    pub analysis: AnalysisStats,
    /// The recognisers; absent where no words are recognised.
    pub language: Option<LanguageStats>,
    /// Whether words should be recognised, and the recogniser could not be loaded.
    pub recogniser_missing: bool,
    /// Events published.
    pub events: u64,
    /// Each sink's counters.
    pub sinks: Vec<SinkCounts>,
    /// Links to PBXs.
    pub links: Vec<LinkCounts>,
    /// Consent receipts that have been written; absent where none are kept.
    pub receipts: Option<u64>,
    /// Consent receipts in memory that are not on disk; absent where none are kept.
    pub receipts_waiting: Option<u64>,
    /// Attempts to write consent receipts that failed; absent where none are kept.
    pub receipt_failures: Option<u64>,
    /// The call journal; absent where none is kept.
    pub journal: Option<sidetone_journal::Counters>,
    /// The spool of events; absent where none is kept.
    pub spool: Option<sidetone_spool::Counters>,
    /// What feeds the store; absent where none is kept.
    pub store: Option<sidetone_store::Counters>,
    /// Probed hosts.
    pub hosts: Vec<HostStats>,
}

/// The SIP core's numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SipStats {
    /// Transactions held now.
    pub transactions: usize,
    /// Requests held together with the dialogs that they have made, or may still make.
    pub dialogs: usize,
    /// Connections open now.
    pub connections: usize,
    /// The same by transport.
    pub connections_by: BTreeMap<&'static str, usize>,
    /// Handshakes of TLS and WebSocket.
    pub handshakes: HandshakeStats,
    /// Requests received, by method.
    pub requests: BTreeMap<&'static str, u64>,
    /// Responses received, by class.
    pub responses_in: BTreeMap<&'static str, u64>,
    /// Responses sent, by class.
    pub responses_out: BTreeMap<&'static str, u64>,
    /// Retransmissions that were absorbed.
    pub retransmissions_in: u64,
    /// Retransmissions received and absorbed.
    pub retransmissions_out: u64,
    /// Retransmissions sent.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Times a further host was tried after one failed.
    pub failovers: u64,
    /// Client transactions without an answer in time.
    pub timeouts: u64,
    /// Subscriptions of PBXs to their calls.
    pub subscriptions: usize,
    /// Dialogs in which a PBX takes INFO.
    pub info_legs: usize,
    /// Times that the core's lock was held.
    pub lock: LockStats,
}

/// Handshakes of SIP connections.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HandshakeStats {
    /// TLS handshakes that succeeded: the role (`server` or `client`), the version, the number.
    pub tls: Vec<(&'static str, &'static str, u64)>,
    /// Those among them that resumed an earlier session.
    pub tls_resumed: u64,
    /// TLS handshakes that failed: the role, the reason, the number.
    pub tls_failed: Vec<(&'static str, &'static str, u64)>,
    /// Opening handshakes of WebSocket: the outcome, the number.
    pub websocket: Vec<(&'static str, u64)>,
    /// When the first of our certificates ends, in seconds of Unix time.
    pub certificate_ends: Option<i64>,
    /// And how long that is from now, in seconds.
    pub certificate_left_s: Option<i64>,
}

impl From<HandshakeCounts> for HandshakeStats {
    fn from(counts: HandshakeCounts) -> Self {
        let HandshakeCounts { done, resumed, failed, websocket, certificate_ends } = counts;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let certificate_left_s = certificate_ends.map(|ends| ends.saturating_sub(now));
        Self {
            tls: done,
            tls_resumed: resumed,
            tls_failed: failed,
            websocket,
            certificate_ends,
            certificate_left_s,
        }
    }
}

/// Histogram of the times that the SIP core's lock was held.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LockStats {
    /// Number of times.
    pub times: u64,
    /// Sum of the times, in microseconds.
    pub held_us: u64,
    /// How many of them were at most this many microseconds long.
    pub at_most_us: BTreeMap<u64, u64>,
}

impl From<HeldTimes> for LockStats {
    fn from(held: HeldTimes) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let buckets = held.buckets.into_iter().map(|(bound, times)| (micros(bound), times));
        Self { times: held.count, held_us: micros(held.sum), at_most_us: buckets.collect() }
    }
}

/// The relay threads' numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MediaStats {
    /// Streams open now.
    pub streams: u64,
    /// RTP ports in use.
    pub ports: usize,
    /// RTP ports that rest after an ended call before they are used again.
    pub ports_resting: usize,
    /// Times that no port was free.
    pub ports_exhausted: u64,
    /// Packets forwarded.
    pub packets: u64,
    /// Their bytes.
    pub octets: u64,
    /// Those of them that the kernel forwarded by itself.
    pub by_kernel: u64,
    /// Those of these of which it had no room to tell: they were forwarded, and neither looked at nor heard.
    pub untold: u64,
    /// Directions of streams that the kernel forwards now.
    pub kernel_ways: u64,
    /// Packets that never reached Sidetone, of closed streams.
    pub lost: u64,
    /// Packets not forwarded, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Media sockets that epoll could not watch.
    pub unwatched_sockets: u64,
    /// Reports of a relay thread that were dropped since the queue was full.
    pub reports_dropped: u64,
    /// A relay thread's notices of closed calls and announcements that were lost.
    pub notices_lost: u64,
    /// Orders that were not given to a relay thread that hangs.
    pub orders_lost: u64,
    /// Packets of announcements.
    pub announced: u64,
    /// Packets replaced by an announcement.
    pub held: u64,
    /// Copies for analysis that found the tap ring full.
    pub tap_dropped: u64,
    /// Closed streams that carried packets one way only.
    pub one_way_streams: u64,
    /// DTLS handshakes of legs, by what became of them.
    pub handshakes: BTreeMap<&'static str, u64>,
    /// Legs that do ICE whose party has sent no check for half a minute (RFC 7675).
    pub consent_lapses: u64,
}

fn handshakes(totals: &HandshakeTotals) -> BTreeMap<&'static str, u64> {
    let read = |count: &AtomicU64| count.load(Relaxed);
    BTreeMap::from([
        ("begun", read(&totals.begun)),
        ("done", read(&totals.done)),
        ("failed", read(&totals.failed)),
        ("refused", read(&totals.refused)),
        ("turned_away", read(&totals.turned_away)),
        ("datagram_dropped", read(&totals.dropped)),
    ])
}

/// The workers' numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AnalysisStats {
    /// Workers.
    pub workers: usize,
    /// Calls being listened to.
    pub calls: u64,
    /// Packets heard.
    pub packets: u64,
    /// Of these, packets in which only keys were heard, since the worker was behind.
    pub shed: u64,
    /// Customers' audio given to the network, in milliseconds.
    pub model_ms: u64,
    /// Runs of the network.
    pub batches: u64,
    /// Estimates made, abstentions included.
    pub estimates: u64,
    /// Of these, those that the network failed at: they abstain.
    pub failed: u64,
    /// Time spent, in microseconds.
    pub busy_us: u64,
    /// Calls whose analysis broke.
    pub panics: u64,
    /// Calls whose analysis was given up since too many of their orders waited.
    pub abandoned: u64,
}

/// The recognisers' numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LanguageStats {
    /// Customers, and agents where that is asked for, whose words are recognised, or would be if there was time.
    pub parties: u64,
    /// Sound that waits, in milliseconds.
    pub waiting_ms: u64,
    /// Whole utterances that gave words.
    pub utterances: u64,
    /// Provisional pieces that gave words.
    pub provisional: u64,
    /// Whole utterances whose words were doubted and dropped.
    pub doubted: u64,
    /// Whole utterances given up, since their customer objected or their call was over.
    pub abandoned: u64,
    /// Whole utterances that the network failed on.
    pub failed: u64,
    /// Whole utterances dropped, since more important or newer ones waited.
    pub shed: u64,
    /// Whole utterances of calls beyond `language.calls`.
    pub beyond: u64,
    /// Provisional pieces dropped for want of time.
    pub shed_provisional: u64,
    /// Sound recognised, in milliseconds.
    pub sound_ms: u64,
    /// Time spent recognising, in microseconds.
    pub busy_us: u64,
    /// Time that whole utterances waited for a recogniser, in microseconds.
    pub waited_us: u64,
}

impl LanguageStats {
    /// The counters as they are.
    #[must_use]
    pub fn of(counters: &WordsCounters) -> Self {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        Self {
            parties: get(&counters.parties),
            waiting_ms: get(&counters.waiting_ms),
            utterances: get(&counters.utterances),
            provisional: get(&counters.provisional),
            doubted: get(&counters.doubted),
            abandoned: get(&counters.abandoned),
            failed: get(&counters.failed),
            shed: get(&counters.shed),
            beyond: get(&counters.beyond),
            shed_provisional: get(&counters.shed_provisional),
            sound_ms: get(&counters.sound_ms),
            busy_us: get(&counters.busy_us),
            waited_us: get(&counters.waited_us),
        }
    }
}

/// A probed host.
#[derive(Debug, Clone, Serialize)]
pub struct HostStats {
    /// trunk or pbx.
    pub side: &'static str,
    /// The peer's name.
    pub peer: String,
    /// Transport and address.
    pub host: String,
    /// Whether calls may go to the host: it has not left too many probes unanswered.
    pub up: bool,
    /// Whether the host has ever answered a probe.
    pub heard: bool,
}

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];

impl Stats {
    #[allow(clippy::too_many_arguments)] // One source for each counter.
    /// Gathers all counters. Takes the call book's lock; its caller holds the SIP core's.
    pub fn gather(
        core: &mut Core,
        calls: &Calls,
        workers: &[Arc<WorkerCounters>],
        sinks: Vec<SinkCounts>,
        links: Vec<LinkCounts>,
        events: u64,
        connections: usize,
        alarm: &Alarm,
        model_missing: bool,
        node: Option<Node>,
        uptime: Duration,
        log_lines_dropped: u64,
        held: HeldTimes,
    ) -> Self {
        // Long: one line for each counter.
        let hosts = core
            .host_states()
            .map(|(side, peer, (transport, address), state)| HostStats {
                side: side.as_str(),
                peer: peer.to_owned(),
                host: format!("{}:{address}", transport.as_param()),
                up: !state.down,
                heard: state.heard,
            })
            .collect();
        let refused = core.counters();
        let draining = core.draining();
        let (subscriptions, info_legs) = core.listeners_by_sip();
        let proxy = core.proxy();
        let counters = *proxy.counters();
        let (transactions, dialogs) = (proxy.transactions(), proxy.dialogs());
        let anchor = proxy.filter().inner();
        let anchored = *anchor.counters();
        let up = anchor.calls();
        let media = anchor.media();
        let receipts = calls.receipts().and_then(Receipts::counters);
        let total = |value: fn(&RelayTotals) -> &AtomicU64| -> u64 {
            media.totals().map(|totals| value(totals).load(Relaxed)).sum()
        };
        Self {
            language: None,
            recogniser_missing: false,
            version: env!("CARGO_PKG_VERSION"),
            node,
            uptime_s: uptime.as_secs(),
            task_panics: alarm.panics(),
            threads_missed: alarm.missed(uptime),
            log_lines_dropped,
            drill: sidetone_drill::under_way(),
            model_missing,
            draining,
            calls: up,
            calls_in_book: calls.len(),
            totals: calls.counters(),
            refused: BTreeMap::from([
                ("stranger", refused.strangers),
                ("full", refused.refused_full),
                ("share", refused.refused_share),
                ("rate", refused.refused_rate),
                ("draining", refused.refused_draining),
                ("unroutable", refused.unroutable),
                ("no_dialog", refused.no_dialog),
                ("no_relay", refused.no_relay),
                ("merged", refused.merged),
                ("flow_failed", refused.flow_failed),
                ("unanswered", counters.unanswered),
                ("no_ports", anchored.refused_ports),
                ("bad_sdp", anchored.refused_sdp),
                ("media_address", anchored.refused_aims),
                ("media_security", anchored.refused_security),
            ]),
            unled: BTreeMap::from([
                ("sealed", anchored.sealed),
                ("early_session", anchored.early_sessions),
                ("unreadable", anchored.unreadable),
                ("no_call", anchored.strays),
            ]),
            sip: SipStats {
                transactions,
                dialogs,
                connections,
                // The shell counts these.
                connections_by: BTreeMap::new(),
                handshakes: HandshakeStats::default(),
                requests: counters.requests.by_name().into(),
                responses_in: CLASSES.into_iter().zip(counters.responses_in.0).collect(),
                responses_out: CLASSES.into_iter().zip(counters.responses_out.0).collect(),
                retransmissions_in: counters.retransmissions_in,
                retransmissions_out: counters.retransmissions_out,
                rejected: BTreeMap::from([
                    ("malformed_dropped", counters.malformed_dropped),
                    ("malformed_answered", counters.malformed_answered),
                    ("refused", counters.refused),
                    ("loop", counters.loops),
                    ("overloaded", counters.overloaded),
                    ("misdirected_response", counters.misdirected_responses),
                    ("stray_response", counters.stray_responses),
                    ("foreign_response", counters.foreign_responses),
                    ("answer_withheld", counters.answers_withheld),
                    ("undelivered_answer", counters.undelivered),
                    ("stray_cancel", counters.stray_cancels),
                ]),
                failovers: counters.failovers,
                timeouts: counters.timeouts,
                subscriptions,
                info_legs,
                lock: held.into(),
            },
            media: MediaStats {
                streams: total(|totals| &totals.streams),
                ports: media.ports_taken(),
                ports_resting: media.ports_resting(),
                ports_exhausted: media.exhausted(),
                packets: total(|totals| &totals.packets),
                octets: total(|totals| &totals.octets),
                by_kernel: total(|totals| &totals.by_kernel),
                untold: total(|totals| &totals.untold),
                kernel_ways: total(|totals| &totals.ways),
                lost: total(|totals| &totals.lost),
                dropped: BTreeMap::from([
                    ("rejected_source", total(|totals| &totals.rejected)),
                    ("unauthentic", total(|totals| &totals.unauthentic)),
                    ("unprotected", total(|totals| &totals.unprotected)),
                    ("undeliverable", total(|totals| &totals.undeliverable)),
                    ("send_error", total(|totals| &totals.send_errors)),
                ]),
                unwatched_sockets: total(|totals| &totals.unwatched),
                reports_dropped: total(|totals| &totals.reports_dropped),
                notices_lost: total(|totals| &totals.notices_lost),
                orders_lost: total(|totals| &totals.orders_lost),
                announced: total(|totals| &totals.announced),
                held: total(|totals| &totals.held),
                tap_dropped: total(|totals| &totals.tap_dropped),
                one_way_streams: total(|totals| &totals.one_way_streams),
                consent_lapses: total(|totals| &totals.lapsed),
                handshakes: media.handshakes().map(|totals| handshakes(totals)).unwrap_or_default(),
            },
            analysis: AnalysisStats {
                workers: workers.len(),
                calls: sum(workers, |worker| &worker.calls),
                packets: sum(workers, |worker| &worker.packets),
                shed: sum(workers, |worker| &worker.shed),
                model_ms: sum(workers, |worker| &worker.model_ms),
                batches: sum(workers, |worker| &worker.batches),
                estimates: sum(workers, |worker| &worker.estimates),
                failed: sum(workers, |worker| &worker.failed),
                busy_us: sum(workers, |worker| &worker.busy_us),
                panics: sum(workers, |worker| &worker.panics),
                abandoned: sum(workers, |worker| &worker.abandoned),
            },
            events,
            sinks,
            links,
            journal: None,
            spool: calls.spool().map(Spool::counters),
            store: None,
            receipts: receipts.map(|receipts| receipts.written),
            receipts_waiting: receipts.map(|receipts| receipts.waiting),
            receipt_failures: receipts.map(|receipts| receipts.failures),
            hosts,
        }
    }

    /// Why no new calls should be sent here, if so.
    #[must_use]
    pub fn unready(&self) -> Option<Unready> {
        if self.draining {
            return Some(Unready::Draining);
        }
        if let Some(missed) = self.threads_missed.first() {
            return Some(Unready::Thread(missed.clone()));
        }
        if self.model_missing {
            return Some(Unready::NoModel);
        }
        let is_down = |side: &Side| {
            let mut hosts = self.hosts.iter().filter(|host| host.side == side.as_str()).peekable();
            hosts.peek().is_some() && hosts.all(|host| !host.up)
        };
        [Side::Trunk, Side::Pbx].into_iter().find(is_down).map(Unready::SideDown)
    }
}

/// Sums over the workers.
fn sum(workers: &[Arc<WorkerCounters>], value: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
    workers.iter().map(|worker| value(worker).load(Relaxed)).sum()
}
