//! The conditions of the alert rules, as people say them.

use crate::text::OperationsTexts;

/// Declares the conditions with their rules' names and texts, so that none can be left out anywhere.
macro_rules! alarms {
    ($($(#[$doc:meta])* $name:ident: $rule:literal, $title:ident, $how:ident;)+) => {
        /// A condition of an alert rule in `deploy/prometheus/sidetone.rules.yml`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Alarm { $($(#[$doc])* $name),+ }

        impl Alarm {
            /// Each of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The rule's name.
            #[must_use]
            pub const fn rule(self) -> &'static str {
                match self { $(Self::$name => $rule),+ }
            }

            /// What is the matter, and what to do about it.
            pub(super) fn told(self, texts: &OperationsTexts) -> (&str, &str) {
                match self { $(Self::$name => (texts.$title, texts.$how)),+ }
            }
        }
    };
}

alarms! {
    /// No host of a side answers.
    SideDown: "SidetoneSideDown", side_down, side_down_how;
    /// A host does not answer.
    PeerDown: "SidetonePeerDown", peer_down, peer_down_how;
    /// Many calls have audio one way only.
    OneWayAudio: "SidetoneOneWayAudio", one_way_audio, one_way_audio_how;
    /// There was no media port left.
    PortsExhausted: "SidetonePortsExhausted", no_ports, no_ports_how;
    /// Calls are refused.
    RefusesCalls: "SidetoneRefusesCalls", refuses, refuses_how;
    /// A certificate of ours ends soon.
    CertificateEnds: "SidetoneCertificateEnds", certificate_ends, certificate_ends_how;
    /// Connections to peers by TLS fail.
    TlsFails: "SidetoneTlsFails", tls_fails, tls_fails_how;
    /// Calls are hung up for answers without the protection that is demanded.
    InsecureAnswers: "SidetoneInsecureAnswers", insecure_answers, insecure_answers_how;
    /// Copies for analysis are dropped.
    HearsTooSlowly: "SidetoneHearsTooSlowly", too_slow, too_slow_how;
    /// The analysis is behind.
    AnalysisBehind: "SidetoneAnalysisBehind", behind, behind_how;
    /// A task or thread has panicked.
    TaskPanicked: "SidetoneTaskPanicked", panicked, panicked_how;
    /// A thread hangs or is gone.
    ThreadMissed: "SidetoneThreadMissed", thread_missed, thread_missed_how;
    /// There is no model.
    ModelMissing: "SidetoneModelMissing", model_missing, model_missing_how;
    /// The analysis of a call broke.
    AnalysisBroke: "SidetoneAnalysisBroke", broke, broke_how;
    /// Receipts are not on the disk.
    ReceiptsWait: "SidetoneReceiptsWait", receipts_wait, receipts_wait_how;
    /// The spool loses events.
    SpoolLosesEvents: "SidetoneSpoolLosesEvents", spool_loses, spool_loses_how;
    /// Events are not on the disk.
    SpoolWaits: "SidetoneSpoolWaits", spool_waits, spool_waits_how;
    /// The store is not written to.
    StoreDown: "SidetoneStoreDown", store_down, store_down_how;
    /// The store is behind.
    StoreBehind: "SidetoneStoreBehind", store_behind, store_behind_how;
}
