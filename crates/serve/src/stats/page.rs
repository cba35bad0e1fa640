//! The counters as a Prometheus page.

use std::collections::BTreeMap;
use std::time::Duration;

use sidetone_drill::Fault;
use sidetone_events::SinkCounts;
use sidetone_pbx::LinkCounts;

use super::{HandshakeStats, Stats};
use crate::metrics::Page;

impl Stats {
    /// The Prometheus page.
    #[must_use]
    pub(crate) fn page(&self) -> Page {
        let page = Page::new();
        let node = self.node.as_ref().map(ToString::to_string).unwrap_or_default();
        page.gauges("info", "The running build.", &["version", "node"], &[(&[self.version, &node], 1.0)]);
        page.gauge("uptime_seconds", "Seconds since the start.", self.uptime_s as f64);
        page.gauge("draining", "1 while new calls are refused.", f64::from(u8::from(self.draining)));
        page.counter("task_panics_total", "Panics of tasks and threads: each is a bug.", self.task_panics);
        page.gauge(
            "threads_missed",
            "Threads that have broken down or hang; /readyz says which.",
            self.threads_missed.len() as f64,
        );
        page.gauge(
            "model_missing",
            "1 if callers should be listened to and the model could not be loaded.",
            f64::from(u8::from(self.model_missing)),
        );
        page.counter(
            "log_lines_dropped_total",
            "Log lines dropped since whoever reads the log is too slow.",
            self.log_lines_dropped,
        );
        let names = Fault::ALL.map(|fault| [fault.name()]);
        let on = Fault::ALL.map(|fault| f64::from(u8::from(self.drill == Some(fault))));
        let faults: Vec<(&[&str], f64)> = names.iter().map(<[_; 1]>::as_slice).zip(on).collect();
        page.gauges("drill", "1 while a drill breaks this part on purpose.", &["fault"], &faults);
        self.session_metrics(&page);
        self.sip_metrics(&page);
        self.media_metrics(&page);
        self.analysis_metrics(&page);
        self.language_metrics(&page);
        self.consent_metrics(&page);
        self.journal_metrics(&page);
        self.spool_metrics(&page);
        self.store_metrics(&page);
        self.link_metrics(&page);
        let hosts: Vec<[&str; 3]> =
            self.hosts.iter().map(|h| [h.side, h.peer.as_str(), h.host.as_str()]).collect();
        let up: Vec<(&[&str], f64)> =
            hosts.iter().zip(&self.hosts).map(|(l, h)| (l.as_slice(), f64::from(u8::from(h.up)))).collect();
        page.gauges("peer_up", "1 while the host answers OPTIONS.", &["side", "peer", "host"], &up);
        page
    }

    /// Present even without a journal, so that alert rules load everywhere.
    fn journal_metrics(&self, page: &Page) {
        let journal = self.journal.unwrap_or_default();
        let help = "Calls that the next process would carry on.";
        page.gauge("journal_calls", help, journal.calls as f64);
        let help = "Changes of calls that have not been written down yet.";
        page.gauge("journal_waiting", help, journal.waiting as f64);
        page.counter("journal_writes_total", "Changes of calls that were written down.", journal.written);
        let help = "Attempts to write calls down that failed.";
        page.counter("journal_failures_total", help, journal.failures);
        page.counters(
            "journal_recovered_calls_total",
            "Calls of the process before, by what became of them.",
            &["outcome"],
            &[(&["carried_on"], journal.carried_on), (&["closed"], journal.given_up)],
        );
    }

    /// Present even without a spool, so that alert rules load everywhere.
    fn spool_metrics(&self, page: &Page) {
        let spool = self.spool.clone().unwrap_or_default();
        page.counters(
            "spool_events_total",
            "Events given to the spool, by what became of them: lost ones found no room to wait for the disk, unread ones were deleted before each reader had them.",
            &["outcome"],
            &[(&["written"], spool.written), (&["lost"], spool.lost), (&["unread"], spool.unread)],
        );
        let help = "Events in memory that are not in the spool: the disk is slow, full or gone.";
        page.gauge("spool_waiting", help, spool.waiting as f64);
        page.counter("spool_failures_total", "Attempts to write the spool that failed.", spool.failures);
        page.gauge("spool_bytes", "Bytes in use in the spool.", spool.bytes as f64);
        let help = "Calls of which something is still to be erased from the spool.";
        page.gauge("spool_erasures_owed", help, spool.erasures_owed as f64);
        let readers: Vec<[&str; 1]> = spool.readers.iter().map(|reader| [reader.name.as_str()]).collect();
        let behind: Vec<(&[&str], f64)> = readers
            .iter()
            .zip(&spool.readers)
            .map(|(labels, reader)| (labels.as_slice(), reader.behind as f64))
            .collect();
        page.gauges("spool_behind", "Events that a reader has still to read.", &["reader"], &behind);
    }

    /// Present even without a store, so that alert rules load everywhere.
    fn store_metrics(&self, page: &Page) {
        let kept = self.store.is_some();
        let store = self.store.clone().unwrap_or_default();
        let help = "1 while the store is written to, or none is kept.";
        page.gauge("store_up", help, f64::from(u8::from(store.up || !kept)));
        page.counters(
            "store_events_total",
            "Events for the store, by what became of them: skipped ones are of a newer version, lost ones never came to the spool.",
            &["outcome"],
            &[(&["written"], store.written), (&["skipped"], store.skipped), (&["lost"], store.lost)],
        );
        page.counter("store_failures_total", "Attempts to write to the store that failed.", store.failures);
        page.gauge("store_behind", "Events in the spool that are not in the store.", store.behind as f64);
        page.counter("store_expired_total", "Calls deleted from the store for their age.", store.expired);
    }

    fn session_metrics(&self, page: &Page) {
        let totals = &self.totals;
        page.gauge("sessions", "Calls that are up.", self.calls as f64);
        page.gauge("sessions_in_book", "Calls that are up or being summed up.", self.calls_in_book as f64);
        page.counter("sessions_total", "Calls begun.", totals.started);
        page.counter("answered_sessions_total", "Calls answered.", totals.answered);
        page.counters(
            "closed_sessions_total",
            "Calls ended, by how.",
            &["reason"],
            &[
                (&["hangup"], totals.hung_up),
                (&["unanswered"], totals.unanswered),
                (&["media_timeout"], totals.media_timeouts),
                (&["other"], totals.ended_otherwise),
            ],
        );
        page.counter(
            "one_way_sessions_total",
            "Times one side was silent, or rejected for its source, while the other sent.",
            totals.one_way,
        );
        page.counter("silent_sessions_total", "Times no media came from either side.", totals.silences);
        page.counter(
            "silent_sessions_kept_total",
            "Times the parties of a silent call were asked and it went on.",
            totals.silences_kept,
        );
        let secured = totals.secured.iter().collect();
        by_label(
            page,
            "secured_legs_total",
            "Media legs whose SRTP ends here, by suite; counted again when it changes.",
            "suite",
            &secured,
        );
        page.counter(
            "insecure_answers_total",
            "Answers that took up none of the protection that media.security demands: their media was rejected, and the calls hung up.",
            totals.insecure,
        );
        page.counter(
            "misaimed_answers_total",
            "Answers that aimed media at this host, multicast or nobody.",
            totals.misaimed,
        );
        page.counter("untappable_streams_total", "Streams relayed that can't be heard.", totals.untappable);
        by_label(page, "refused_total", "Requests and calls refused, by reason.", "reason", &self.refused);
        by_label(
            page,
            "unled_descriptions_total",
            "Messages with SDP that passed, in whole or in part, without being led through Sidetone, by reason.",
            "reason",
            &self.unled,
        );
    }

    fn sip_metrics(&self, page: &Page) {
        let sip = &self.sip;
        page.gauge("sip_transactions", "SIP transactions held.", sip.transactions as f64);
        page.gauge("sip_dialogs", "Dialog-making SIP requests held with their dialogs.", sip.dialogs as f64);
        let transports: Vec<[&str; 1]> = sip.connections_by.keys().map(|transport| [*transport]).collect();
        let open: Vec<(&[&str], f64)> = transports
            .iter()
            .zip(sip.connections_by.values())
            .map(|(labels, open)| (labels.as_slice(), *open as f64))
            .collect();
        page.gauges("sip_connections", "SIP connections open, by transport.", &["transport"], &open);
        handshake_metrics(page, &sip.handshakes);
        let bounds: Vec<(f64, u64)> =
            sip.lock.at_most_us.iter().map(|(us, times)| (*us as f64 / 1e6, *times)).collect();
        page.histogram(
            "sip_lock_held_seconds",
            "For how long the SIP core's lock was held.",
            &bounds,
            sip.lock.times,
            sip.lock.held_us as f64 / 1e6,
        );
        page.gauge("sip_subscriptions", "Subscriptions of PBXs to their calls.", sip.subscriptions as f64);
        page.gauge("sip_info_legs", "Dialogs in which a PBX takes INFO.", sip.info_legs as f64);
        by_label(page, "sip_requests_total", "SIP requests received, by method.", "method", &sip.requests);
        by_label(
            page,
            "sip_responses_received_total",
            "SIP responses received, by class.",
            "class",
            &sip.responses_in,
        );
        by_label(
            page,
            "sip_responses_sent_total",
            "SIP responses sent, by class.",
            "class",
            &sip.responses_out,
        );
        page.counters(
            "sip_retransmissions_total",
            "SIP retransmissions, absorbed and sent.",
            &["direction"],
            &[(&["in"], sip.retransmissions_in), (&["out"], sip.retransmissions_out)],
        );
        by_label(
            page,
            "sip_rejected_total",
            "SIP messages dropped or refused, by reason.",
            "reason",
            &sip.rejected,
        );
        page.counter("sip_failovers_total", "Times a further host was tried.", sip.failovers);
        page.counter(
            "sip_timeouts_total",
            "SIP client transactions without an answer in time.",
            sip.timeouts,
        );
    }

    fn media_metrics(&self, page: &Page) {
        let media = &self.media;
        page.gauge("streams", "Media streams open.", media.streams as f64);
        page.gauge("ports_used", "RTP ports in use.", media.ports as f64);
        page.gauge("ports_resting", "RTP ports that rest from an ended call.", media.ports_resting as f64);
        page.counter("ports_exhausted_total", "Times no RTP port could be had.", media.ports_exhausted);
        page.counter("packets_total", "Media packets forwarded.", media.packets);
        page.counter("bytes_total", "Bytes of them.", media.octets);
        page.counter(
            "packets_lost_total",
            "Packets that never reached Sidetone, of closed streams.",
            media.lost,
        );
        by_label(
            page,
            "packets_dropped_total",
            "Media packets not forwarded, by reason.",
            "reason",
            &media.dropped,
        );
        page.counter(
            "kernel_packets_total",
            "Media packets that the kernel forwarded by itself; they are among the packets forwarded.",
            media.by_kernel,
        );
        page.counter(
            "kernel_untold_packets_total",
            "Packets that the kernel forwarded, and had no room to tell the relay of.",
            media.untold,
        );
        page.gauge(
            "kernel_ways",
            "Directions of streams that the kernel forwards now.",
            media.kernel_ways as f64,
        );
        by_label(
            page,
            "dtls_handshakes_total",
            "DTLS handshakes of media legs, by what became of them.",
            "outcome",
            &media.handshakes,
        );
        page.counter(
            "ice_consent_lapses_total",
            "Times that a party's ICE checks have stopped for 30 s, and so has what it is sent (RFC 7675).",
            media.consent_lapses,
        );
        page.counter(
            "unwatched_sockets_total",
            "Media sockets that the system would not let be watched.",
            media.unwatched_sockets,
        );
        page.counter(
            "media_reports_dropped_total",
            "Reports of a relay thread that nobody took in time.",
            media.reports_dropped,
        );
        page.counter(
            "media_notices_lost_total",
            "Closed calls and announcements that a relay thread could not tell of.",
            media.notices_lost,
        );
        page.counter(
            "media_orders_lost_total",
            "Orders that a relay thread which hangs was not given any more.",
            media.orders_lost,
        );
        page.counter(
            "tap_dropped_total",
            "Copies for analysis that found their ring full.",
            media.tap_dropped,
        );
        page.counter(
            "one_way_streams_total",
            "Closed streams that carried packets one way only.",
            media.one_way_streams,
        );
    }

    fn consent_metrics(&self, page: &Page) {
        let totals = &self.totals;
        page.counter("announcements_total", "Announcements begun, by party.", totals.announcements);
        page.counter(
            "announcement_failures_total",
            "Customers who could not be told; their calls are not analysed.",
            totals.announcement_failures,
        );
        page.counter("announcement_packets_total", "Packets of announcements.", self.media.announced);
        page.counter(
            "held_packets_total",
            "Packets that an announcement took the place of.",
            self.media.held,
        );
        page.counters(
            "consents_total",
            "What became of customers' consent.",
            &["outcome"],
            &[
                (&["given"], totals.consents),
                (&["declined"], totals.declined),
                (&["opted_out"], totals.opted_out),
            ],
        );
        if let Some(written) = self.receipts {
            page.counter("receipts_total", "Consent receipts written.", written);
        }
        // Present even without receipts, so that alert rules load everywhere.
        let help = "Consent receipts in memory that are not on disk: the disk is slow, full or gone.";
        page.gauge("receipts_waiting", help, self.receipts_waiting.unwrap_or_default() as f64);
        page.counter(
            "receipt_failures_total",
            "Attempts to write consent receipts that failed.",
            self.receipt_failures.unwrap_or_default(),
        );
        page.counter("receipts_lost_total", "Consent receipts lost.", totals.receipts_lost);
        page.counter(
            "tellings_unknown_total",
            "What headers and PBXs told of calls that has no meaning.",
            totals.tellings_unknown,
        );
        page.counter(
            "tellings_unplaced_total",
            "What a PBX told of a call that is not its own, or of two that it does not tell apart.",
            totals.tellings_unplaced,
        );
    }

    fn link_metrics(&self, page: &Page) {
        let labels: Vec<[&str; 2]> =
            self.links.iter().map(|link| [link.pbx.as_str(), link.kind.name()]).collect();
        let up: Vec<(&[&str], f64)> = labels
            .iter()
            .zip(&self.links)
            .map(|(labels, link)| (labels.as_slice(), f64::from(u8::from(link.connected))))
            .collect();
        page.gauges("link_up", "1 while the link to the PBX is logged in.", &["pbx", "kind"], &up);
        for (name, help, value) in [
            (
                "link_sent_total",
                "Events and variables that a PBX has taken.",
                (|link: &LinkCounts| link.sent) as fn(&LinkCounts) -> u64,
            ),
            ("link_dropped_total", "Events dropped since a link was slow or down.", |link| link.dropped),
            ("link_failed_total", "What a PBX has refused.", |link| link.failed),
            ("link_disconnects_total", "Times a link was lost.", |link| link.disconnects),
        ] {
            let values: Vec<(&[&str], u64)> = labels
                .iter()
                .zip(&self.links)
                .map(|(labels, link)| (labels.as_slice(), value(link)))
                .collect();
            page.counters(name, help, &["pbx", "kind"], &values);
        }
    }

    /// Present even where no words are recognised, so that alert rules load everywhere.
    fn language_metrics(&self, page: &Page) {
        let language = self.language.clone().unwrap_or_default();
        page.gauge(
            "language_missing",
            "1 if words should be recognised and the recogniser could not be loaded.",
            f64::from(u8::from(self.recogniser_missing)),
        );
        page.gauge(
            "language_parties",
            "Customers, and agents where that is asked for, whose words are recognised.",
            language.parties as f64,
        );
        page.gauge(
            "language_waiting_seconds",
            "Speech that waits for a recogniser.",
            Duration::from_millis(language.waiting_ms).as_secs_f64(),
        );
        page.counters(
            "language_utterances_total",
            "Whole utterances, by what became of them: told; doubted, since their words were likely made up; abandoned with their call or their consent; failed; shed for more important or newer ones; beyond language.calls.",
            &["outcome"],
            &[
                (&["told"], language.utterances),
                (&["doubted"], language.doubted),
                (&["abandoned"], language.abandoned),
                (&["failed"], language.failed),
                (&["shed"], language.shed),
                (&["beyond"], language.beyond),
            ],
        );
        page.counters(
            "language_provisional_total",
            "Provisional pieces of utterances, by what became of them.",
            &["outcome"],
            &[(&["told"], language.provisional), (&["shed"], language.shed_provisional)],
        );
        page.seconds(
            "language_audio_seconds_total",
            "Speech recognised, provisional pieces included.",
            Duration::from_millis(language.sound_ms),
        );
        page.seconds(
            "language_busy_seconds_total",
            "Time spent recognising.",
            Duration::from_micros(language.busy_us),
        );
        page.seconds(
            "language_waited_seconds_total",
            "Time that whole utterances waited for a recogniser.",
            Duration::from_micros(language.waited_us),
        );
    }

    fn analysis_metrics(&self, page: &Page) {
        // Long: one statement for each metric.
        let analysis = &self.analysis;
        page.gauge("analysis_calls", "Calls being listened to.", analysis.calls as f64);
        page.counter("analysis_packets_total", "Packets heard.", analysis.packets);
        page.counter(
            "analysis_shed_packets_total",
            "Packets in which only keys were heard, since the worker was behind.",
            analysis.shed,
        );
        page.seconds(
            "analysis_audio_seconds_total",
            "Customers' audio given to the network's ear.",
            Duration::from_millis(analysis.model_ms),
        );
        page.counter("analysis_batches_total", "Runs of the network.", analysis.batches);
        let help = "Estimates that the network failed at.";
        page.counter("analysis_failed_total", help, analysis.failed);
        page.counter("analysis_estimates_total", "Estimates, abstentions included.", analysis.estimates);
        page.seconds(
            "analysis_busy_seconds_total",
            "Time the workers spent.",
            Duration::from_micros(analysis.busy_us),
        );
        page.counter("analysis_panics_total", "Calls whose analysis broke.", analysis.panics);
        page.counter(
            "analysis_abandoned_total",
            "Calls whose analysis was given up since too many of their orders waited.",
            analysis.abandoned,
        );
        page.counter("affect_updates_total", "affect.update events.", self.totals.affect_updates);
        page.counters(
            "affect_alerts_total",
            "affect.alert events, by phase.",
            &["phase"],
            &[(&["rising"], self.totals.alerts_raised), (&["calmed"], self.totals.alerts_calmed)],
        );
        // Not how agents answer: with one call up that would be one agent's answer.
        page.counter("cues_total", "Cues shown to agents.", self.totals.cues_shown);
        let withheld = "Cues withheld, in calls drawn for it (cues.holdout).";
        page.counter("cues_withheld_total", withheld, self.totals.cues_withheld);
        page.counter("events_total", "Events published.", self.events);
        for (name, help, value) in [
            (
                "sink_delivered_total",
                "Events delivered, by sink.",
                (|s: &SinkCounts| s.delivered) as fn(&SinkCounts) -> u64,
            ),
            ("sink_dropped_total", "Events dropped since a sink's queue was full.", |s| s.dropped),
            ("sink_failed_total", "Events given up, by sink.", |s| s.failed),
            ("sink_retries_total", "Deliveries tried again, by sink.", |s| s.retries),
            (
                "sink_erasures_beyond_total",
                "Compressed files that could not be looked into for what a customer objects to.",
                |s| s.erasures_beyond,
            ),
        ] {
            let names: Vec<[&str; 1]> = self.sinks.iter().map(|sink| [sink.name.as_str()]).collect();
            let values: Vec<(&[&str], u64)> =
                names.iter().zip(&self.sinks).map(|(name, sink)| (name.as_slice(), value(sink))).collect();
            page.counters(name, help, &["sink"], &values);
        }
        let owed = self.sinks.iter().map(|sink| sink.erasures_owed).sum::<u64>();
        page.gauge(
            "sink_erasures_owed",
            "Calls of which something is still to be erased from files.",
            owed as f64,
        );
    }
}

fn handshake_metrics(page: &Page, handshakes: &HandshakeStats) {
    let pairs = |all: &[(&'static str, &'static str, u64)]| -> Vec<([&'static str; 2], u64)> {
        all.iter().map(|(role, what, count)| ([*role, *what], *count)).collect()
    };
    for (name, help, label, all) in [
        ("tls_handshakes_total", "TLS handshakes of SIP that succeeded.", "version", &handshakes.tls),
        (
            "tls_handshake_failures_total",
            "TLS handshakes of SIP that failed, or after which the peer was not let in, by reason.",
            "reason",
            &handshakes.tls_failed,
        ),
    ] {
        let values = pairs(all);
        let values: Vec<(&[&str], u64)> =
            values.iter().map(|(labels, count)| (labels.as_slice(), *count)).collect();
        page.counters(name, help, &["role", label], &values);
    }
    let help = "TLS handshakes of SIP that resumed an earlier session.";
    page.counter("tls_resumptions_total", help, handshakes.tls_resumed);
    let outcomes: Vec<([&str; 1], u64)> =
        handshakes.websocket.iter().map(|(outcome, count)| ([*outcome], *count)).collect();
    let outcomes: Vec<(&[&str], u64)> =
        outcomes.iter().map(|(labels, count)| (labels.as_slice(), *count)).collect();
    let help = "Opening handshakes of SIP over WebSocket, by outcome.";
    page.counters("websocket_handshakes_total", help, &["outcome"], &outcomes);
    if let Some(ends) = handshakes.certificate_ends {
        let help = "When the first of our certificates for SIP ends, in seconds of Unix time.";
        page.gauge("tls_certificate_expiry_timestamp_seconds", help, ends as f64);
    }
}

fn by_label(page: &Page, name: &str, help: &str, label: &str, values: &BTreeMap<&'static str, u64>) {
    let labels: Vec<[&str; 1]> = values.keys().map(|key| [*key]).collect();
    let values: Vec<(&[&str], u64)> =
        labels.iter().zip(values.values()).map(|(label, value)| (label.as_slice(), *value)).collect();
    page.counters(name, help, &[label], &values);
}
