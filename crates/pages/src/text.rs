//! Texts, one file a language.

mod de;
mod en;

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::De => &de::TEXTS,
        }
    }

    /// Its code of BCP 47.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.texts().code
    }

    /// The language of a code such as `de` or `de-AT`.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code.trim()))
    }

    /// The first language of an Accept-Language (RFC 9110, 12.5.4) that the pages speak, by its weights; else English.
    #[must_use]
    pub fn from_accept_language(header: &str) -> Self {
        let mut best: Option<(f64, Self)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::parse) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
            if weight > best.map_or(0.0, |(best, _)| best) {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::En, |(_, language)| language)
    }
}

/// The text with each `{}` replaced by the next of these.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

/// Declares the texts that each language has to have.
macro_rules! texts {
    ($($name:ident),+ $(,)?) => {
        /// What the pages say in one language. `{}` stands for a value.
        pub(crate) struct Texts { $(pub(crate) $name: &'static str),+ }

        impl Texts {
            #[cfg(test)]
            fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

texts! {
    code, language_name, decimal, thousands, percent, date, months, skip, navigation, language, live, calls,
    figures, desk, cues, no_cues, cue_shown, cue_adopted, cue_recovered, cues_what, desk_below, desk_empty, desk_empty_how, desk_no_cue, desk_cue, desk_why, desk_seen, desk_acknowledge, desk_dismiss, desk_pace, desk_words, desk_share, desk_scale,
    signed_in_as, sign_out, role_agent, role_supervisor, role_director, role_operator,
    role_integration, estimates, go_on, table, all, apply, from, until, definition, as_table, yes, inbound,
    outbound, direction_unknown, customer, agent, state_neutral, state_positive, state_negative,
    state_frustrated, state_distressed, trend_improving, trend_steady, trend_worsening, alert,
    alert_frustration, alert_distress, alert_frustration_means, alert_distress_means, consent,
    consent_pending, consent_announcing, consent_asked, consent_given, consent_declined, consent_opted_out,
    consent_excluded, consent_failed, by_policy, by_list, by_key, by_the_trunk, by_pbx, by_operator, cause_hangup,
    cause_cancelled, cause_rejected, cause_no_answer, cause_media_timeout, cause_terminated, cause_failed,
    sure_fairly, sure_little, sure_hardly, why_too_little, why_too_quiet, why_too_noisy, why_loss,
    why_overlap, why_music, why_announcement, why_hold, why_unsure, why_fault, live_below, view, view_cards,
    view_list, wall_stale, need_now_none, need_now_one, need_now_many, up_one, up_many, up_judged, group_now,
    group_falling,
    group_rest, more_up_one, more_up_many, spark, spark_legend, wall_empty, wall_empty_how, wall_empty_demo,
    wall_empty_check, open_call, ringing, on_hold, not_listened, nothing_heard, trunk, lasting,
    customer_seems, lately, call_state, calls_below, direction, outcome, outcome_upset, outcome_recovered,
    outcome_improved, outcome_declined, number, number_hint, with_number, clear, when, length, mood_over_call,
    alerts, share_judged, pages, newest, older, none_found, none_found_how, no_calls, no_calls_how, still_up,
    unanswered, erased_short, not_yet, not_judged, shift_up, shift_down, shift_even, calmed, not_calmed,
    alert_is_up, no_alert, fault_day, fault_order, fault_choice, fault_number, fault_cursor, call, call_of,
    back, erased, erased_what, erased_again, at_the_end, of_them_calmed, timeline, timeline_gone,
    timeline_said, legend_valence, legend_arousal, legend_distress, legend_alert, legend_marks, legend_gaps,
    table_means, from_minute, valence, arousal, distress, pleasant, unpleasant, agitated, quiet, why_alerts,
    no_alert_rose, at, evidence, calmed_after, never_calmed, still_raised, alert_values, model_said_sure,
    more_alerts, caution, talk, customer_alone, agent_alone, both_at_once, silence, no_talk, held_once,
    held_times, judged_title, judged_of, left_out, judged_at_end, nothing_judged, from_to, shift_weak,
    last_confidence, confidence_high, what_happened, erased_events, ev_started, ev_answered, ev_held,
    ev_resumed, ev_erased, ev_announcement_started, ev_announcement_finished, ev_announcement_interrupted,
    ev_announcement_failed, ev_alert_rose, ev_alert_calmed, ev_media_lost, ev_media_back, ev_ended, technical,
    call_id, node, caller, callee, hashed, figures_below, last_days, days_are_utc, no_figures, no_figures_how,
    as_csv, interval, too_few, no_before, change_higher, change_lower, change_unclear, change_untested,
    by_trunk, by_day, by_week, by_queue, by_team, by_tier, queue, team, tier, no_label, rest_of_labels,
    grouped_by, few_agents,
    small_groups, more_labels, chart_said, chart_says, caution_figures, kpi_shift,
    kpi_shift_def, kpi_recovery, kpi_recovery_def, kpi_upset, kpi_upset_def, kpi_answered, kpi_answered_def,
    kpi_handling, kpi_handling_def, kpi_consent, kpi_consent_def, kpi_optout, kpi_optout_def, kpi_coverage,
    kpi_coverage_def, kpi_resolution, kpi_resolution_def, kpi_repeats, kpi_repeats_def, kpi_escalations,
    kpi_escalations_def, kpi_empathy, kpi_empathy_def, call_type, all_queues, after_call, matter,
    matter_resolved, matter_open, escalated, no, reason, empathy_score, of_five, caller_says, notes,
    notes_for_agent, no_notes, notes_earlier, note_kind, kind_coaching, kind_empathy, kind_note, note_at,
    note_text, note_add, note_fault, note_full, self_note, self_note_ask, self_note_private, self_note_keep,
    ev_labelled, sign_in, sign_in_below, sign_in_provider, sign_in_none, token, sign_in_wrong,
    sign_in_too_many, sign_in_ended, sign_in_provider_failed, sign_in_stale, p400, p400_how, p401, p401_how,
    p403, p403_how, p404, p404_how, p429, p429_how, p500, p500_how, p503, p503_how,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text_with_the_same_places_for_values() {
        for language in Language::ALL {
            let texts = language.texts().all();
            for ((name, text), (_, english)) in texts.iter().zip(Language::En.texts().all()) {
                assert!(!text.is_empty(), "{name}");
                assert_eq!(text.matches("{}").count(), english.matches("{}").count(), "{name}");
                assert!(!text.contains('<') && !text.contains("  "), "{name}");
            }
        }
        assert_eq!(Language::De.texts().months.split(' ').count(), 12);
        assert_eq!(Language::En.texts().months.split(' ').count(), 12);
    }

    #[test]
    fn a_browser_gets_the_language_that_it_asks_for() {
        assert_eq!(Language::from_accept_language("de-DE,de;q=0.9,en;q=0.8"), Language::De);
        assert_eq!(Language::from_accept_language("fr, en;q=0.2, de;q=0.7"), Language::De);
        assert_eq!(Language::from_accept_language("de;q=0, *"), Language::En);
        assert_eq!(Language::from_accept_language(&",".repeat(100_000)), Language::En);
        assert_eq!(Language::parse("DE-at"), Some(Language::De));
        assert_eq!(Language::parse("../de"), None);
    }
}
