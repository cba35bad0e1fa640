//! What customers named: of each call, and summed up over groups. Nothing of it is kept where words are not.

use serde::Serialize;
use sidetone_call::Topic;
use utoipa::ToSchema;

use crate::database::{Database, Row, Value};
use crate::error::StoreError;
use crate::groups;
use crate::query::REST;
use crate::store::Store;

/// Most teams that a day has sums of, those with the most calls; the others are summed up together.
const MOST_TEAMS: u32 = 50;

/// The calls of one topic and team over some days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopicSum {
    /// The topic's name in events.
    pub topic: String,
    /// The team's label; empty for calls without one, `(other)` for those of the smallest teams.
    pub team: String,
    /// Calls whose customer named it.
    pub calls: u64,
    /// Of these, those with an alert,
    pub upset: u64,
    /// and those of them whose last alert had calmed before the end.
    pub recovered: u64,
    /// Agents, as many as any one of the days had.
    pub agents: u64,
}

/// The topics of a column: words with a space between them.
pub(crate) fn read(column: Option<&str>) -> Vec<String> {
    column.map_or_else(Vec::new, |text| text.split_whitespace().map(str::to_owned).collect())
}

/// Notes that a call's customer has named a topic; whether it is the first time.
pub(crate) fn note(database: &mut dyn Database, call: &str, topic: Topic) -> Result<bool, StoreError> {
    let rows = database.query("SELECT topics FROM calls WHERE id = $1", &[call.into()])?;
    let known = rows.first().map_or(Ok(None), |row| row.maybe_text(0))?;
    let mut topics = read(known.as_deref());
    if topics.iter().any(|known| known == topic.name()) {
        return Ok(false);
    }
    topics.push(topic.name().to_owned());
    topics.sort();
    let sql = "UPDATE calls SET topics = $2 WHERE id = $1";
    database.execute(sql, &[call.into(), topics.join(" ").into()])?;
    Ok(true)
}

/// Sums a day's topics up: the parameters are its number, its first millisecond and the first one behind it.
pub(crate) fn sum_day(database: &mut dyn Database, values: &[Value; 3]) -> Result<(), StoreError> {
    let [day, ..] = values;
    database.execute("DELETE FROM topic_days WHERE day = $1", std::slice::from_ref(day))?;
    let known: Vec<String> =
        Topic::ALL.iter().map(|topic| format!("SELECT '{}' AS topic", topic.name())).collect();
    let count = |condition: &str| format!("CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)");
    let of_day = "topics IS NOT NULL AND started >= $2 AND started < $3";
    let sql = format!(
        "INSERT INTO topic_days (day, topic, team, calls, upset, recovered, agents)
         SELECT $1, topic, CASE WHEN team IN (SELECT team FROM (
                 SELECT COALESCE(team, '') AS team, COUNT(*) AS calls FROM calls WHERE {of_day}
                 GROUP BY COALESCE(team, '') ORDER BY calls DESC, team LIMIT {MOST_TEAMS}) AS most)
             THEN team ELSE '{REST}' END,
             COUNT(*), {upset}, {recovered}, COUNT(DISTINCT agent)
         FROM (
             SELECT known.topic, COALESCE(team, '') AS team, agent, alerts, calmed
             FROM calls JOIN ({known}) AS known ON ' ' || topics || ' ' LIKE '% ' || known.topic || ' %'
             WHERE {of_day}
         ) AS its GROUP BY 2, 3",
        upset = count("alerts > 0"),
        recovered = count("alerts > 0 AND calmed >= alerts"),
        known = known.join(" UNION ALL "),
    );
    database.execute(&sql, values).map(drop)
}

impl Store {
    /// The topics of some days by team, those of most calls first. Days are counted since 1970, UTC.
    ///
    /// # Errors
    /// The database's.
    pub fn topic_sums(&mut self, first: u64, last: u64) -> Result<Vec<TopicSum>, StoreError> {
        let sums = ["calls", "upset", "recovered"].map(|column| format!("CAST(SUM({column}) AS BIGINT)"));
        let sql = format!(
            "SELECT topic, team, {}, MAX(agents) FROM topic_days WHERE day >= $1 AND day <= $2
             GROUP BY topic, team ORDER BY 3 DESC, topic, team",
            sums.join(", ")
        );
        self.database.query(&sql, &[first.into(), last.into()])?.iter().map(topic_sum).collect()
    }

    /// The same as far as it is told: of groups alone, whatever ranges are set against each other. `today` is
    /// not told yet. Sums over all teams are made of these: beside any other they would tell what a small team adds.
    ///
    /// # Errors
    /// The database's.
    pub fn told_topics(
        &mut self,
        (first, last): (u64, u64),
        today: u64,
    ) -> Result<Vec<TopicSum>, StoreError> {
        let sums = ["calls", "upset", "recovered"].map(|column| format!("CAST(SUM({column}) AS BIGINT)"));
        let sql = format!(
            "{} SELECT topic, team, {}, CAST(MAX(agents_of_day) AS BIGINT) FROM told
             GROUP BY topic, team ORDER BY 3 DESC, 1, 2",
            groups::told("topic_days", "topic, team", "calls"),
            sums.join(", ")
        );
        self.database.query(&sql, &groups::days(first, last, today))?.iter().map(topic_sum).collect()
    }

    /// Whether any call's customer has named anything: without words there is no topic to choose.
    ///
    /// # Errors
    /// The database's.
    pub fn has_topics(&mut self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM calls WHERE topics IS NOT NULL LIMIT 1";
        Ok(!self.database.query(sql, &[])?.is_empty())
    }
}

fn topic_sum(row: &Row) -> Result<TopicSum, StoreError> {
    let int = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or_default());
    Ok(TopicSum {
        topic: row.text(0)?,
        team: row.text(1)?,
        calls: int(2)?,
        upset: int(3)?,
        recovered: int(4)?,
        agents: int(5)?,
    })
}
