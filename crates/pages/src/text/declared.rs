//! The texts that each language has to have.

/// Declares texts that each language has to have.
macro_rules! texts {
    ($(#[$doc:meta])* $struct:ident: $($name:ident),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $struct { $(pub(crate) $name: &'static str),+ }

        impl $struct {
            /// Each text by its name.
            pub(super) fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),+]
            }

            /// The same with another text in place of each.
            pub(super) fn each(&self, of: &mut dyn FnMut(&'static str, &'static str) -> &'static str) -> Self {
                Self { $($name: of(stringify!($name), self.$name)),+ }
            }
        }
    };
}

texts! {
    /// What the pages say in one language. `{}` stands for a value.
    Texts:
    code, language_name, writing, plural, decimal, thousands, percent, date, months, skip, navigation, language, live, calls,
    figures, desk, cues, no_cues, cue_shown, cue_adopted, cue_recovered, cues_what, desk_below, desk_empty,
    desk_empty_how, desk_no_cue, desk_cue, desk_why, desk_seen, desk_acknowledge, desk_dismiss, desk_pace,
    desk_words, desk_share, desk_scale, cues_mine, cues_mine_what, cue_taken, signed_in_as, sign_out, role_agent, role_supervisor, role_director, role_operator,
    role_integration, estimates, go_on, table, all, apply, from, until, definition, as_table, yes, inbound,
    outbound, direction_unknown, customer, agent, state_neutral, state_positive, state_negative,
    state_frustrated, state_distressed, trend_improving, trend_steady, trend_worsening, alert,
    alert_frustration, alert_distress, alert_frustration_means, alert_distress_means, consent,
    consent_pending, consent_announcing, consent_asked, consent_given, consent_declined, consent_opted_out,
    consent_excluded, consent_failed, by_policy, by_list, by_key, by_the_trunk, by_pbx, by_operator, cause_hangup,
    cause_cancelled, cause_rejected, cause_no_answer, cause_media_timeout, cause_terminated, cause_failed,
    sure_fairly, sure_little, sure_hardly, why_too_little, why_too_quiet, why_too_noisy, why_loss,
    why_overlap, why_music, why_announcement, why_hold, why_unsure, why_fault, live_below, view, view_cards,
    view_list, wall_stale, need_now_none, need_now, up, up_judged, group_now,
    group_falling,
    group_rest, more_up, spark, spark_legend, wall_empty, wall_empty_how, wall_empty_demo,
    wall_empty_check, open_call, ringing, on_hold, not_listened, nothing_heard, trunk, lasting,
    customer_seems, lately, call_state, calls_below, direction, outcome, outcome_upset, outcome_recovered,
    outcome_improved, outcome_declined, number, number_hint, with_number, clear, when, length, length_under_one, length_to_five, length_to_fifteen,
    length_from_fifteen, mood_over_call,
    alerts, share_judged, pages, newest, older, looked_back_to, looked_back_how, look_further, none_found, none_found_how, no_calls, no_calls_how, still_up,
    unanswered, erased_short, not_yet, not_judged, shift_up, shift_down, shift_even, calmed, not_calmed,
    alert_is_up, no_alert, fault_day, fault_order, fault_choice, fault_number, fault_cursor, call, call_of,
    back, erased, erased_what, erased_again, at_the_end, of_them_calmed, timeline, timeline_gone,
    timeline_said, legend_valence, legend_arousal, legend_distress, legend_alert, legend_marks, legend_gaps,
    table_means, from_minute, valence, arousal, distress, pleasant, unpleasant, agitated, quiet, why_alerts,
    no_alert_rose, at, evidence, calmed_after, never_calmed, still_raised, alert_values, model_said_sure,
    more_alerts, caution, talk, customer_alone, agent_alone, both_at_once, silence, no_talk, held_times, judged_title, judged_of, left_out, judged_at_end, nothing_judged, from_to, shift_weak,
    last_confidence, confidence_high, what_happened, erased_events, ev_started, ev_answered, ev_held,
    ev_resumed, ev_erased, ev_announcement_started, ev_announcement_finished, ev_announcement_interrupted,
    ev_announcement_failed, heard_last, heard_topics, by_words, topic_cancel, topic_refund, topic_complaint, topic_legal, topic_supervisor,
    topic_repeat_contact, topic_urgent, topic_bereavement, topic_hardship, topic_thanks, ev_alert_rose, ev_alert_calmed, ev_media_lost, ev_media_back, ev_secured, ev_ended, technical,
    call_id, node, caller, callee, hashed, sip_of, media_of, figures_below, figures_below_alone, last_days, days_are_utc, today_later, no_figures, no_figures_how,
    as_csv, calls_behind, cues_by_team, interval, too_few, no_before, change_higher, change_lower, change_unclear, change_untested,
    topics, topics_what, by_trunk, by_day, by_week, by_queue, by_team, by_tier, queue, team, tier, no_label, rest_of_labels,
    grouped_by, few_agents,
    small_groups, more_labels, chart_said, chart_says, caution_figures, kpi_shift,
    kpi_shift_def, kpi_recovery, kpi_recovery_def, kpi_upset, kpi_upset_def, kpi_answered, kpi_answered_def,
    kpi_handling, kpi_handling_def, kpi_consent, kpi_consent_def, kpi_optout, kpi_optout_def, kpi_coverage,
    kpi_coverage_def, kpi_resolution, kpi_resolution_def, kpi_repeats, kpi_repeats_def, kpi_escalations,
    kpi_escalations_def, kpi_empathy, kpi_empathy_def, call_type, all_queues, all_tiers, after_call, matter,
    matter_resolved, matter_open, escalated, no, reason, empathy_score, of_five, caller_says, notes,
    notes_for_agent, no_notes, notes_earlier, note_kind, kind_coaching, kind_empathy, kind_note, note_at,
    note_text, note_add, note_fault, note_full, self_note, self_note_ask, self_note_private, self_note_keep,
    ev_labelled, filters, filter_keep, filter_forget, filter_name, fault_filter, desk_last, join_in, join_in_how,
    join_in_more, sign_in, sign_in_below, token, name, password, sign_in_wrong_password, sign_in_by_token, sign_in_wrong,
    sign_in_too_many, sign_in_ended, sign_in_stale, sign_in_by_provider, sign_out_there, sign_in_no_provider, sign_in_attempt, sign_in_denied,
    sign_in_not_taken, sign_in_no_role, sign_in_domain, sign_in_no_agent, sign_in_revoked, p400, p400_how, p401, p401_how,
    p403, p403_how, p404, p404_how, p429, p429_how, p500, p500_how, p503, p503_how,
}

texts! {
    /// What the operator's page says.
    OperationsTexts:
    title, below, ready, unready, ready_means, draining, thread, no_model, no_trunk, no_pbx, alarms,
    no_alarm, alarms_are, running, version, uptime, model, licence, checksum, model_none, words, words_on, words_off, words_missing, words_parties,
    words_told, words_shed, words_failed, up, down, unheard, hosts,
    no_host, peer, side, host, state, pbx, links, no_link, kind, sent, dropped, refused, more,
    store_trouble, since_start, group_calls, group_media, group_listening, group_consent, group_kept,
    group_process, calls_up, calls_begun, calls_answered, calls_refused, calls_one_way, streams, ports,
    ports_resting, ports_exhausted, packets_dropped, listened, estimates, shed, tap_dropped,
    analysis_panics, consents, declined, opted_out, not_told, receipts_waiting, receipts_lost,
    spool_waiting, spool_lost, spool_bytes, store_waits, store_failures, panics, threads_missed,
    log_dropped, sinks_dropped, erasures_owed, side_down, side_down_how, peer_down, peer_down_how,
    one_way_audio, one_way_audio_how, no_ports, no_ports_how, refuses, refuses_how,
    certificate_ends, certificate_ends_how, tls_fails, tls_fails_how, insecure_answers, insecure_answers_how, too_slow, too_slow_how,
    behind, behind_how, panicked, panicked_how, thread_missed, thread_missed_how, model_missing,
    model_missing_how, broke, broke_how, receipts_wait, receipts_wait_how, spool_loses, spool_loses_how,
    spool_waits, spool_waits_how, store_down, store_down_how, store_behind, store_behind_how,
}

texts! {
    /// What the compliance page says.
    ComplianceTexts:
    title, below, report, receipts, not_kept, not_kept_how, unreadable, receipts_in, intact, not_intact,
    not_intact_how, lost, head, head_how, read, again, more, policy, rules, opt_out_key, never_tiers,
    policy_page, remarks, kept, erasures, owed_files, owed_spool, beyond, owed_are, listed, no_list,
    requests, no_request, request_done, by_day, no_day, rest_of_week, day, whole, agreed, objected, neither, small_days,
    accesses, no_access, no_more, person, action, subject, accesses_are, call_read, calls_of_number,
    calls_of_agent, call_refused, note_posted, outcome_posted, survey_posted, survey_invited,
    not_analysed, no_receipts, receipts_for_ever, no_do_not_analyse, no_agent_numbers, no_country, no_tones,
    given_upstream, announce_elsewhere, late_opt_in, no_salt, no_contact,
}

texts! {
    /// What the agent's own pages say in one language, and whether cues help.
    CoachingTexts:
    moments, moments_what, moments_calmed, holdout, holdout_figure, holdout_shown, holdout_withheld, holdout_difference, holdout_followed, holdout_higher,
    holdout_lower, holdout_unclear, holdout_not_yet, holdout_too_few, holdout_what,
    practice, practice_below, practice_length, practice_start, practice_stop, practice_waits, practice_private, practice_whole,
    practice_late, practice_hold, practice_sound, practice_nobody, practice_over, practice_course,
    practice_alert, practice_alert_up, practice_no_cue, practice_acknowledged, practice_dismissed,
    practice_unanswered, practice_forgotten, practice_again, written, written_below, written_kind,
    written_mail, written_chat, written_text, written_customer, written_customer_hint, written_read,
    written_caution, written_empty, written_long, written_who, written_unread, written_suggestion,
    written_urgency, written_satisfaction, written_messages, written_message, written_unsaid,
    written_unsaid_whole, written_left_out, written_urgent, written_soon, written_no_hurry, written_pleasant,
    written_unpleasant, written_even,
}

texts! {
    /// What the demo's phone says in one language.
    PhoneTexts:
    title, below, needs_script, handset, calls, callee, microphone, call, call_again, hang_up,
    mute, unmute, keys, star, hash, opt_out, what_happens, step_microphone, step_told, step_speak,
    watch, watch_how, watch_terminal, new_tab, connection, signalling, media, codec, packets,
    plain, plain_why, certificate_open, certificate_accept, certificate_back, opening, ready,
    connecting, asking, calling, ringing, talking, muted, ended, pressed, packets_both, by_wss,
    by_ws, no_microphone, refused_microphone, busy_microphone, unsafe_page, no_answer, busy,
    refused, insecure, no_media, unreachable, lost, failed,
}

texts! {
    /// What callers are asked by a link.
    SurveyTexts:
    title, below, empathy, least, most, resolved, yes, no, comment, comment_hint, send, thanks, thanks_how,
    answered, answered_how, gone, gone_how, empty, kept,
}
