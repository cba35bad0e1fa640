//! The counters of the operator's page, each with the name that it has in Prometheus.

use crate::format::{count, number};
use crate::text::{OperationsTexts, Texts};

/// A counter as it is shown.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) label: &'a str,
    pub(super) metric: &'static str,
    pub(super) value: u64,
    /// Whether any other value than 0 is for an operator to look at.
    pub(super) alarming: bool,
    bytes: bool,
}

impl Row<'_> {
    pub(super) fn written(&self, texts: &Texts) -> String {
        if self.bytes {
            format!("{} MB", number(texts, self.value as f64 / 1e6, 1))
        } else {
            count(texts, self.value)
        }
    }
}

/// Declares the counters: groups of fields, each with its label's text and its name in Prometheus.
macro_rules! counts {
    ($($title:ident { $($(#[$doc:meta])* $field:ident: $label:ident, $metric:literal $(, $kind:ident)?;)+ })+) => {
        /// Counters and gauges of the whole process.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Counts { $($($(#[$doc])* pub $field: u64,)+)+ }

        impl Counts {
            pub(super) fn groups<'a>(&self, texts: &'a OperationsTexts) -> Vec<(&'a str, Vec<Row<'a>>)> {
                vec![$((texts.$title, vec![$(Row {
                    label: texts.$label,
                    metric: $metric,
                    value: self.$field,
                    alarming: false $(|| stringify!($kind) == "alarming")?,
                    bytes: false $(|| stringify!($kind) == "bytes")?,
                }),+])),+]
            }
        }
    };
}

counts! {
    group_calls {
        /// Calls that are up.
        calls: calls_up, "sidetone_sessions";
        /// Calls begun.
        begun: calls_begun, "sidetone_sessions_total";
        /// Calls answered.
        answered: calls_answered, "sidetone_answered_sessions_total";
        /// Requests and calls refused.
        refused: calls_refused, "sidetone_refused_total";
        /// Times one side was silent while the other sent.
        one_way: calls_one_way, "sidetone_one_way_sessions_total";
    }
    group_media {
        /// Media streams open.
        streams: streams, "sidetone_streams";
        /// RTP ports in use.
        ports: ports, "sidetone_ports_used";
        /// RTP ports that rest from an ended call.
        ports_resting: ports_resting, "sidetone_ports_resting";
        /// Times no RTP port could be had.
        ports_exhausted: ports_exhausted, "sidetone_ports_exhausted_total", alarming;
        /// Media packets not forwarded.
        packets_dropped: packets_dropped, "sidetone_packets_dropped_total";
    }
    group_listening {
        /// Calls being listened to.
        listened: listened, "sidetone_analysis_calls";
        /// Estimates, abstentions included.
        estimates: estimates, "sidetone_analysis_estimates_total";
        /// Packets in which only keys were heard, since the worker was behind.
        shed: shed, "sidetone_analysis_shed_packets_total", alarming;
        /// Copies for analysis that found their ring full.
        tap_dropped: tap_dropped, "sidetone_tap_dropped_total", alarming;
        /// Calls whose analysis broke.
        analysis_panics: analysis_panics, "sidetone_analysis_panics_total", alarming;
        /// Parties whose words are recognised.
        words_parties: words_parties, "sidetone_language_parties";
        /// Utterances whose words were told.
        words_told: words_told, "sidetone_language_utterances_total{outcome=\"told\"}";
        /// Utterances that were dropped, since the recognisers were behind or too many calls were up for them.
        words_shed: words_shed, "sidetone_language_utterances_total{outcome=~\"shed|beyond\"}", alarming;
        /// Utterances on which a recogniser failed.
        words_failed: words_failed, "sidetone_language_utterances_total{outcome=\"failed\"}", alarming;
    }
    group_consent {
        /// Customers who agreed, or were told and did not object.
        consents: consents, "sidetone_consents_total{outcome=\"given\"}";
        /// Customers who declined when they were asked.
        declined: declined, "sidetone_consents_total{outcome=\"declined\"}";
        /// Customers who objected.
        opted_out: opted_out, "sidetone_consents_total{outcome=\"opted_out\"}";
        /// Customers who could not be told.
        not_told: not_told, "sidetone_announcement_failures_total", alarming;
        /// Consent receipts that are not on the disk.
        receipts_waiting: receipts_waiting, "sidetone_receipts_waiting", alarming;
        /// Consent receipts lost.
        receipts_lost: receipts_lost, "sidetone_receipts_lost_total", alarming;
    }
    group_kept {
        /// Events in memory that are not in the spool.
        spool_waiting: spool_waiting, "sidetone_spool_waiting";
        /// Events that found no room to wait for the disk.
        spool_lost: spool_lost, "sidetone_spool_events_total{outcome=\"lost\"}", alarming;
        /// Bytes in use in the spool.
        spool_bytes: spool_bytes, "sidetone_spool_bytes", bytes;
        /// Events in the spool that are not in the store.
        store_behind: store_waits, "sidetone_store_behind";
        /// Attempts to write to the store that failed.
        store_failures: store_failures, "sidetone_store_failures_total", alarming;
    }
    group_process {
        /// Panics of tasks and threads.
        panics: panics, "sidetone_task_panics_total", alarming;
        /// Threads that have broken down or hang.
        threads_missed: threads_missed, "sidetone_threads_missed", alarming;
        /// Log lines dropped since the log's reader is too slow.
        log_dropped: log_dropped, "sidetone_log_lines_dropped_total", alarming;
        /// Events dropped since a sink's queue was full.
        sinks_dropped: sinks_dropped, "sidetone_sink_dropped_total", alarming;
        /// Calls of which something is still to be erased from files.
        erasures_owed: erasures_owed, "sidetone_sink_erasures_owed";
    }
}
