//! What cues did: how often they were shown, followed, and what came after; over groups, never for one agent.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sidetone_store::CueSum;

use super::estimate::{SMALLEST_GROUP, Share};
use super::label_shown;
use super::share::share;
use super::sums::FEWEST_AGENTS;
use crate::format::{clean, count, spoken};
use crate::layout::Shell;

/// The lines of rules by their ids, in the reader's language. A rule that the installation has no longer has none.
pub(super) type Lines = BTreeMap<String, String>;

/// Most rows of the table.
const MOST: usize = 40;

/// Whether sums of cues are of a group: what a cue did for an agent is the agent's own.
#[must_use]
pub fn is_group_of_cues(sum: &CueSum) -> bool {
    sum.shown >= SMALLEST_GROUP && !(1..FEWEST_AGENTS).contains(&sum.agents)
}

/// The cues of a range by rule, those shown most first; those of small groups are left out.
pub(super) fn by_rule(sums: &[CueSum]) -> Vec<CueSum> {
    let mut rules: BTreeMap<&str, CueSum> = BTreeMap::new();
    for sum in sums {
        let rule =
            rules.entry(&sum.cue).or_insert_with(|| CueSum { cue: sum.cue.clone(), ..CueSum::default() });
        rule.shown += sum.shown;
        rule.acknowledged += sum.acknowledged;
        rule.dismissed += sum.dismissed;
        rule.judged += sum.judged;
        rule.adopted += sum.adopted;
        rule.upset += sum.upset;
        rule.recovered += sum.recovered;
        rule.agents += sum.agents;
    }
    let mut rules: Vec<CueSum> = rules.into_values().filter(is_group_of_cues).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.shown));
    rules
}

/// The cues of each team, or of one of them: those shown most first.
pub(super) fn by_team(sums: &[CueSum], team: Option<&str>) -> Vec<CueSum> {
    let chosen = |sum: &&CueSum| team.is_none_or(|team| sum.team == team);
    let mut teams: Vec<CueSum> =
        sums.iter().filter(chosen).filter(|sum| is_group_of_cues(sum)).cloned().collect();
    teams.sort_by(|a, b| b.shown.cmp(&a.shown).then_with(|| (&a.cue, &a.team).cmp(&(&b.cue, &b.team))));
    teams
}

/// The table, by team or over all of them; nothing where no cue was shown.
pub(super) fn table(shell: &Shell<'_>, cues: &[CueSum], lines: &Lines, with_team: bool) -> Markup {
    let texts = shell.texts();
    html! {
        section {
            h2 { (texts.cues) }
            @if cues.is_empty() {
                p.soft { (texts.no_cues) }
            } @else {
                div.scroll tabindex="0" role="group" aria-label=(texts.cues) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (texts.desk_cue) }
                                @if with_team { th scope="col" { (texts.team) } }
                                th.right scope="col" { (texts.cue_shown) }
                                th.right scope="col" { (texts.cue_adopted) }
                                th.right scope="col" { (texts.cue_recovered) }
                            }
                        }
                        tbody {
                            @for cue in cues.iter().take(MOST) {
                                tr {
                                    th.cue-line scope="row" { (name(lines, &cue.cue)) }
                                    @if with_team { td { bdi { (label_shown(texts, &cue.team)) } } }
                                    td.right { (count(texts, cue.shown)) }
                                    td.right { (share(texts, Share { cases: cue.adopted, of: cue.judged })) }
                                    td.right { (share(texts, Share { cases: cue.recovered, of: cue.upset })) }
                                }
                            }
                        }
                    }
                }
                p.hint {
                    (texts.cues_what)
                    @if !with_team { " " (texts.cues_by_team) }
                }
            }
        }
    }
}

/// The line that agents read, with the rule's id to find it by in the configuration.
fn name(lines: &Lines, id: &str) -> Markup {
    html! {
        @if let Some(line) = lines.get(id) { (spoken(line)) br; }
        code { (clean(id)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(cue: &str, team: &str, shown: u64, agents: u64) -> CueSum {
        CueSum {
            cue: cue.to_owned(),
            team: team.to_owned(),
            shown,
            judged: shown,
            adopted: shown / 2,
            agents,
            ..CueSum::default()
        }
    }

    #[test]
    fn a_cue_is_named_by_its_line_and_by_its_id_once_its_rule_is_gone() {
        let lines = Lines::from([("slow-down".to_owned(), "You speak fast: … words & more".to_owned())]);
        let named = |id: &str| name(&lines, id).into_string();
        assert_eq!(
            named("slow-down"),
            "<bdi>You speak fast: … words &amp; more</bdi><br><code>slow-down</code>"
        );
        assert_eq!(named("gone"), "<code>gone</code>");
    }

    #[test]
    fn no_row_is_of_one_or_two_agents() {
        let sums = [
            sum("slow-down", "a", 40, 2),
            sum("slow-down", "b", 40, 1),
            sum("hold-check", "a", 40, 2),
            sum("say-what-you-do", "a", 9, 9),
            sum("sum-up", "", 12, 0),
        ];
        let rules = by_rule(&sums);
        let told: Vec<(&str, u64)> = rules.iter().map(|rule| (rule.cue.as_str(), rule.shown)).collect();
        assert_eq!(told, [("slow-down", 80), ("sum-up", 12)]);
        assert!(!is_group_of_cues(&sums[0]) && is_group_of_cues(&sums[4]));
        let sums = [sum("slow-down", "a", 40, 3), sum("slow-down", "b", 50, 2), sum("sum-up", "a", 60, 4)];
        let rows = |team| {
            let rows = by_team(&sums, team);
            rows.into_iter().map(|row| (row.cue, row.team)).collect::<Vec<_>>()
        };
        let row = |cue: &str| (cue.to_owned(), "a".to_owned());
        assert_eq!(rows(None), [row("sum-up"), row("slow-down")]);
        assert_eq!(rows(Some("a")).len(), 2);
        assert_eq!(rows(Some("b")), []);
    }
}
