//! The texts of the page, for one language. `{out}` and `{in}` are keys, `{operator}` is a name.

pub(super) struct Texts {
    /// Replaces `{operator}` where the operator has given no name.
    pub(super) us: &'static str,
    /// The label of the language menu.
    pub(super) languages: &'static str,
    pub(super) heading: &'static str,
    pub(super) lead: &'static str,

    pub(super) what: &'static str,
    pub(super) what_happens: [&'static str; 3],
    /// The third is untrue where words are recognised.
    pub(super) what_not: [&'static str; 5],
    /// Takes the place of the last of `what_not` where agents' words are recognised too.
    pub(super) staff_words: &'static str,
    /// Added to `what_happens` there.
    pub(super) words: &'static str,
    pub(super) nothing_happens: &'static str,

    pub(super) told: &'static str,
    pub(super) told_upstream: &'static str,
    pub(super) told_notice: &'static str,
    pub(super) told_opt_in: &'static str,
    pub(super) told_elsewhere: &'static str,

    pub(super) object: &'static str,
    pub(super) object_key: &'static str,
    pub(super) object_say: &'static str,
    pub(super) object_list: &'static str,
    pub(super) object_free: &'static str,

    pub(super) never: &'static str,
    pub(super) never_tiers: &'static str,
    /// The usual tiers in this language; others are shown as the operator named them.
    pub(super) tier: fn(&str) -> Option<&'static str>,
    pub(super) never_list: &'static str,
    pub(super) never_withheld: &'static str,
    pub(super) never_lines: &'static str,

    pub(super) kept: &'static str,
    /// Heads of the table's columns: the data, and how long it is kept.
    pub(super) kept_head: [&'static str; 2],
    pub(super) kept_voice: &'static str,
    pub(super) kept_voice_long: &'static str,
    pub(super) kept_estimates: &'static str,
    pub(super) kept_estimates_long: &'static str,
    pub(super) kept_words: &'static str,
    pub(super) kept_words_long: &'static str,
    pub(super) kept_words_on: &'static str,
    pub(super) kept_receipts: &'static str,
    pub(super) kept_receipts_days: &'static str,
    pub(super) kept_receipts_open: &'static str,

    pub(super) who: &'static str,
    pub(super) sink_phone: &'static str,
    pub(super) sink_screens: &'static str,
    pub(super) sink_webhook: &'static str,
    pub(super) sink_file: &'static str,
    /// With `{days}`.
    pub(super) sink_file_days: &'static str,
    pub(super) sink_metrics: &'static str,
    pub(super) sink_nobody: &'static str,

    pub(super) rights: &'static str,
    pub(super) rights_are: [&'static str; 2],

    pub(super) contact: &'static str,
    pub(super) contact_missing: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    pub(super) privacy: &'static str,
    pub(super) authority: &'static str,

    pub(super) made: &'static str,
    pub(super) made_model: &'static str,
}
