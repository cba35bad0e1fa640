//! What customers named: how many calls of a range, and what came of them; over groups, never for one agent.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sidetone_store::TopicSum;

use super::estimate::{SMALLEST_GROUP, Share};
use super::share::share;
use super::sums::FEWEST_AGENTS;
use crate::format::count;
use crate::layout::Shell;
use crate::vocabulary;

/// Whether sums of a topic are of a group.
#[must_use]
pub fn is_group_of_topics(sum: &TopicSum) -> bool {
    sum.calls >= SMALLEST_GROUP && !(1..FEWEST_AGENTS).contains(&sum.agents)
}

/// The topics of a range, those of most calls first; those of small groups are left out.
pub(super) fn by_topic(sums: &[TopicSum]) -> Vec<TopicSum> {
    let mut topics: BTreeMap<&str, TopicSum> = BTreeMap::new();
    for sum in sums {
        let topic = topics
            .entry(&sum.topic)
            .or_insert_with(|| TopicSum { topic: sum.topic.clone(), ..TopicSum::default() });
        topic.calls += sum.calls;
        topic.upset += sum.upset;
        topic.recovered += sum.recovered;
        topic.agents += sum.agents;
    }
    let mut topics: Vec<TopicSum> = topics.into_values().filter(is_group_of_topics).collect();
    topics.sort_by_key(|topic| std::cmp::Reverse(topic.calls));
    topics
}

/// The table; nothing where no topic was named by enough.
pub(super) fn table(shell: &Shell<'_>, topics: &[TopicSum]) -> Markup {
    let texts = shell.texts();
    html! {
        @if !topics.is_empty() {
            section {
                h2 { (texts.topics) }
                div.scroll tabindex="0" role="group" aria-label=(texts.topics) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (texts.heard_topics) }
                                th.right scope="col" { (texts.calls) }
                                th.right scope="col" { (texts.kpi_upset) }
                                th.right scope="col" { (texts.kpi_recovery) }
                            }
                        }
                        tbody {
                            @for topic in topics {
                                tr {
                                    th scope="row" { (vocabulary::topic(texts, &topic.topic)) }
                                    td.right { (count(texts, topic.calls)) }
                                    td.right { (share(texts, Share { cases: topic.upset, of: topic.calls })) }
                                    td.right { (share(texts, Share { cases: topic.recovered, of: topic.upset })) }
                                }
                            }
                        }
                    }
                }
                p.hint { (texts.topics_what) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(topic: &str, team: &str, calls: u64, agents: u64) -> TopicSum {
        TopicSum {
            topic: topic.to_owned(),
            team: team.to_owned(),
            calls,
            upset: calls / 2,
            recovered: 1,
            agents,
        }
    }

    #[test]
    fn no_row_is_of_one_or_two_agents() {
        let sums = [
            sum("cancel", "a", 40, 2),
            sum("cancel", "b", 40, 1),
            sum("refund", "a", 40, 2),
            sum("legal", "a", 9, 9),
            sum("thanks", "", 12, 0),
        ];
        let topics = by_topic(&sums);
        let told: Vec<_> = topics.iter().map(|it| (it.topic.as_str(), it.calls, it.upset)).collect();
        assert_eq!(told, [("cancel", 80, 40), ("thanks", 12, 6)]);
    }
}
