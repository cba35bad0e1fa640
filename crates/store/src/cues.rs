//! Cues: which were shown in a call, what agents answered, and what followed.
//!
//! A supervisor sees which cues a call was shown. What an agent answered, and what followed, is summed up over groups
//! and shown of no one call but to its own agent.

use serde::Serialize;
use sidetone_events::Happening;
use utoipa::ToSchema;

use crate::database::{Database, Row, Value};
use crate::error::StoreError;
use crate::groups;
use crate::query::REST;
use crate::store::Store;

/// Most teams that a day has sums of, those with the most cues; the others are summed up together.
const MOST_TEAMS: u32 = 50;

/// What is kept of one cue of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptCue {
    /// The cue's number in its call.
    pub number: u32,
    /// Its rule's id.
    pub cue: String,
    /// What the agent read.
    pub line: String,
    /// When in the call it was shown.
    pub at_ms: u64,
    /// Why it was cleared; `None` while it is shown.
    pub cleared: Option<String>,
    /// Whether the agent acknowledged it.
    pub acknowledged: bool,
    /// Whether the agent dismissed it.
    pub dismissed: bool,
    /// Whether what the agent does no longer called for it half a minute later.
    pub adopted: Option<bool>,
    /// Whether a customer who seemed upset no longer did.
    pub recovered: Option<bool>,
}

/// The cues of one rule and team over some days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CueSum {
    /// The rule's id.
    pub cue: String,
    /// The team's label; empty for calls without one, `(other)` for those of the smallest teams.
    pub team: String,
    /// How many were shown.
    pub shown: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// Of these, dismissed.
    pub dismissed: u64,
    /// Of these, those of which it is known whether they were followed,
    pub judged: u64,
    /// and followed.
    pub adopted: u64,
    /// Of these, those whose customer seemed upset and was heard again,
    pub upset: u64,
    /// and seemed so no longer.
    pub recovered: u64,
    /// Agents, as many as any one of the days had.
    pub agents: u64,
}

/// Whether an event is one that only its own agent is shown, or nobody: it stands in `cues` and not among the call's
/// events. How long a cue stood, and why it went, tell what the agent answered.
pub(crate) fn is_private(happening: &Happening) -> bool {
    matches!(
        happening,
        Happening::CueAcknowledged(_)
            | Happening::CueDismissed(_)
            | Happening::CueWithheld(_)
            | Happening::CueCleared(_)
            | Happening::CueJudged(_)
    )
}

/// A cue that the agent was shown.
const SEEN: &str = "COALESCE(cues.withheld, 0) = 0";

/// A cue that was shown before the PBX told the agent is theirs who answers it.
const BY: &str = "agent = COALESCE(agent, (SELECT agent FROM calls WHERE id = $1))";

/// Writes what an event tells of a cue, if it does.
pub(crate) fn write(
    database: &mut dyn Database,
    call: &str,
    at_ms: u64,
    happening: &Happening,
) -> Result<(), StoreError> {
    let mut set = |number: u32, columns: &str, values: &[Value]| {
        let sql = format!("UPDATE cues SET {columns} WHERE call = $1 AND number = $2");
        database.execute(&sql, &[&[call.into(), number.into()], values].concat()).map(drop)
    };
    match happening {
        Happening::CueShown(cue) => {
            let compared = cue.compared.then_some(0);
            insert(database, call, at_ms, (cue.number, &cue.cue, &cue.line), compared)
        }
        Happening::CueWithheld(cue) => insert(database, call, at_ms, (cue.number, &cue.cue, ""), Some(1)),
        Happening::CueCleared(cue) => set(cue.number, "cleared = $3", &[cue.why.word().into()]),
        Happening::CueAcknowledged(cue) => set(cue.number, &format!("acknowledged = 1, {BY}"), &[]),
        Happening::CueDismissed(cue) => set(cue.number, &format!("dismissed = 1, {BY}"), &[]),
        Happening::CueJudged(cue) => {
            let bit = |value: Option<bool>| value.map(u32::from).into();
            set(cue.number, "adopted = $3, recovered = $4", &[bit(cue.adopted), bit(cue.recovered)])
        }
        _ => Ok(()),
    }
}

/// Keeps a cue. `withheld` is 1 of one that was, 0 of one that could have been, and none of one that is compared with
/// nothing.
fn insert(
    database: &mut dyn Database,
    call: &str,
    at_ms: u64,
    (number, cue, line): (u32, &str, &str),
    withheld: Option<u32>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO cues (call, number, cue, line, at, agent, withheld)
               VALUES ($1, $2, $3, $4, $5, (SELECT agent FROM calls WHERE id = $1), $6)
               ON CONFLICT (call, number) DO NOTHING";
    let values = [call.into(), number.into(), cue.into(), line.into(), at_ms.into(), withheld.into()];
    database.execute(sql, &values)?;
    if withheld.is_some() {
        let sql = "UPDATE calls SET withheld = $2 WHERE id = $1";
        database.execute(sql, &[call.into(), withheld.into()])?;
    }
    Ok(())
}

/// Sums a day's cues up: the parameters are its number, its first millisecond and the first one behind it.
pub(crate) fn sum_day(database: &mut dyn Database, values: &[Value; 3]) -> Result<(), StoreError> {
    let [day, ..] = values;
    database.execute("DELETE FROM cue_days WHERE day = $1", std::slice::from_ref(day))?;
    let count = |condition: &str| format!("CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)");
    let sql = format!(
        "INSERT INTO cue_days (day, cue, team, shown, acknowledged, dismissed, judged, adopted, upset, recovered, agents)
         SELECT $1, cue, CASE WHEN team IN (SELECT team FROM (
                 SELECT COALESCE(calls.team, '') AS team, COUNT(*) AS shown
                 FROM cues JOIN calls ON calls.id = cues.call WHERE calls.started >= $2 AND calls.started < $3 AND {SEEN}
                 GROUP BY COALESCE(calls.team, '') ORDER BY shown DESC, team LIMIT {MOST_TEAMS}) AS most)
             THEN team ELSE '{REST}' END,
             COUNT(*), {acknowledged}, {dismissed}, {judged}, {adopted}, {upset}, {recovered}, COUNT(DISTINCT agent)
         FROM (
             SELECT cues.cue, COALESCE(calls.team, '') AS team, calls.agent, cues.acknowledged, cues.dismissed,
                 cues.adopted, cues.recovered
             FROM cues JOIN calls ON calls.id = cues.call WHERE calls.started >= $2 AND calls.started < $3 AND {SEEN}
         ) AS its GROUP BY 2, 3",
        acknowledged = count("acknowledged = 1"),
        dismissed = count("dismissed = 1"),
        judged = count("adopted IS NOT NULL"),
        adopted = count("adopted = 1"),
        upset = count("recovered IS NOT NULL"),
        recovered = count("recovered = 1"),
    );
    database.execute(&sql, values).map(drop)
}

/// What is counted of cues, in the order of [`CueSum`].
const COUNTS: [&str; 7] = ["shown", "acknowledged", "dismissed", "judged", "adopted", "upset", "recovered"];

/// Sums up what is told of the whole week that a day is of, from the sums of its days: see [`groups`]. A year of twenty
/// rules by fifteen teams is a hundred thousand days of sums, which would be looked through at each look at the
/// figures.
pub(crate) fn sum_week(database: &mut dyn Database, day: i64) -> Result<(), StoreError> {
    let week = week_of(day);
    database.execute("DELETE FROM cue_weeks WHERE week = $1", &[week.into()])?;
    let (first, last) = days_of(week);
    let sql = format!(
        "INSERT INTO cue_weeks (week, cue, team, {}, agents)
         {} SELECT CAST(MIN((day + 3) / 7) AS BIGINT), cue, team, {}, CAST(MAX(agents_of_day) AS BIGINT) FROM told
         GROUP BY cue, team",
        COUNTS.join(", "),
        groups::told("cue_days", "cue, team", "shown"),
        summed(),
    );
    database.execute(&sql, &[first.into(), last.into(), last.saturating_add(1).into()]).map(drop)
}

/// The sums of all counts, as columns of a query.
fn summed() -> String {
    COUNTS.map(|column| format!("CAST(SUM({column}) AS BIGINT)")).join(", ")
}

/// The week that a day is of, both counted since 1970: weeks begin on Monday, and 1970 began on a Thursday.
fn week_of(day: i64) -> i64 {
    day.saturating_add(3).div_euclid(7)
}

/// The first and the last day of a week.
fn days_of(week: i64) -> (i64, i64) {
    let monday = week.saturating_mul(7).saturating_sub(3);
    (monday, monday.saturating_add(6))
}

/// A range of days in parts: the weeks that lie within it as a whole, first and last, and the days before and behind
/// them. A part whose first is beyond its last is empty.
fn parts(first: i64, last: i64) -> [(i64, i64); 3] {
    let weeks = (week_of(first.saturating_add(6)), week_of(last.saturating_add(1)).saturating_sub(1));
    if weeks.0 > weeks.1 {
        return [weeks, (first, last), (1, 0)];
    }
    let (before, behind) = (days_of(weeks.0).0.saturating_sub(1), days_of(weeks.1).1.saturating_add(1));
    [weeks, (first, before), (behind, last)]
}

impl Store {
    /// The cues of some days by rule and team, those shown most first. Days are counted since 1970, UTC.
    ///
    /// # Errors
    /// The database's.
    pub fn cue_sums(&mut self, first: u64, last: u64) -> Result<Vec<CueSum>, StoreError> {
        let sql = format!(
            "SELECT cue, team, {}, MAX(agents) FROM cue_days WHERE day >= $1 AND day <= $2
             GROUP BY cue, team ORDER BY 3 DESC, cue, team",
            summed()
        );
        self.database.query(&sql, &[first.into(), last.into()])?.iter().map(cue_sum).collect()
    }

    /// The same as far as it is told: of groups alone, whatever ranges are set against each other. `today` is
    /// not told yet. Sums over all teams are made of these: beside any other they would tell what a small team adds.
    ///
    /// # Errors
    /// The database's.
    pub fn told_cues(&mut self, (first, last): (u64, u64), today: u64) -> Result<Vec<CueSum>, StoreError> {
        // The database counts in 64 bits with a sign.
        let [first, last, today] =
            [first, last, today].map(|day| i64::try_from(day).unwrap_or(i64::MAX).min(1 << 40));
        let parts = parts(first, last.min(today.saturating_sub(1)));
        let columns = COUNTS.join(", ");
        let group = groups::is_group("shown", "agents");
        let sql = format!(
            "SELECT cue, team, {}, CAST(MAX(agents) AS BIGINT) FROM (
                 SELECT cue, team, {columns}, agents FROM cue_weeks WHERE week >= $1 AND week <= $2
                 UNION ALL SELECT cue, team, {columns}, agents FROM cue_days WHERE day >= $3 AND day <= $4 AND {group}
                 UNION ALL SELECT cue, team, {columns}, agents FROM cue_days WHERE day >= $5 AND day <= $6 AND {group}
             ) AS told GROUP BY cue, team ORDER BY 3 DESC, 1, 2",
            summed()
        );
        let values = parts.map(|(first, last)| [first.into(), last.into()]).concat();
        self.database.query(&sql, &values)?.iter().map(cue_sum).collect()
    }

    /// The cues of a call that this agent was shown, in order.
    pub(crate) fn cues_of(&mut self, call: &str, agent: &str) -> Result<Vec<KeptCue>, StoreError> {
        let sql = format!(
            "SELECT number, cue, line, at, cleared, acknowledged, dismissed, adopted, recovered
             FROM cues WHERE call = $1 AND agent = $2 AND {SEEN} ORDER BY number"
        );
        self.database.query(&sql, &[call.into(), agent.into()])?.iter().map(kept).collect()
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn cue_sum(row: &Row) -> Result<CueSum, StoreError> {
    let int = |column| row.int(column).map(unsigned);
    Ok(CueSum {
        cue: row.text(0)?,
        team: row.text(1)?,
        shown: int(2)?,
        acknowledged: int(3)?,
        dismissed: int(4)?,
        judged: int(5)?,
        adopted: int(6)?,
        upset: int(7)?,
        recovered: int(8)?,
        agents: int(9)?,
    })
}

fn kept(row: &Row) -> Result<KeptCue, StoreError> {
    let bit = |column| row.maybe_int(column).map(|value| value.map(|value| value != 0));
    Ok(KeptCue {
        number: u32::try_from(row.int(0)?).unwrap_or_default(),
        cue: row.text(1)?,
        line: row.text(2)?,
        at_ms: unsigned(row.int(3)?),
        cleared: row.maybe_text(4)?,
        acknowledged: bit(5)?.unwrap_or_default(),
        dismissed: bit(6)?.unwrap_or_default(),
        adopted: bit(7)?,
        recovered: bit(8)?,
    })
}
