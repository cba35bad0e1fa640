//! What recognition counts, for metrics.

use std::sync::atomic::AtomicU64;

/// Counters of all recognisers together.
#[derive(Debug, Default)]
pub struct WordsCounters {
    /// Parties whose words are recognised, or would be if there was time.
    pub parties: AtomicU64,
    /// Sound that waits, in milliseconds.
    pub waiting_ms: AtomicU64,
    /// Whole utterances that gave words.
    pub utterances: AtomicU64,
    /// Provisional pieces that gave words.
    pub provisional: AtomicU64,
    /// Whole utterances whose words were doubted and dropped: music, noise, made-up repetition.
    pub doubted: AtomicU64,
    /// Whole utterances that were given up, since their customer objected or their call was over.
    pub abandoned: AtomicU64,
    /// Whole utterances that the network failed on.
    pub failed: AtomicU64,
    /// Whole utterances that were dropped since more important or newer ones waited.
    pub shed: AtomicU64,
    /// Whole utterances of calls beyond `language.calls`.
    pub beyond: AtomicU64,
    /// Provisional pieces that were dropped for want of time.
    pub shed_provisional: AtomicU64,
    /// Sound recognised, in milliseconds; provisional pieces count as often as they were recognised.
    pub sound_ms: AtomicU64,
    /// Time spent recognising, in microseconds.
    pub busy_us: AtomicU64,
    /// Time that whole utterances have waited for a recogniser, in microseconds.
    pub waited_us: AtomicU64,
}
