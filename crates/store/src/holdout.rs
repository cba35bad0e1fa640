//! Whether cues help: calls whose cues were withheld by lot, beside calls whose cues were shown.
//!
//! Compared are calls in which a cue came due that the lot could have withheld. Until then nothing had been shown or
//! withheld, so the lot alone decides which of the two a call is. No sum is by agent.

use serde::Serialize;
use utoipa::ToSchema;

use crate::database::{Database, Row, Value};
use crate::error::StoreError;
use crate::groups;
use crate::store::Store;

/// Calls over some days in which a cue came due: those whose cues were shown, or those whose cues were withheld.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct HoldoutSum {
    /// Whether their cues were withheld.
    pub withheld: bool,
    /// Calls that are over.
    pub calls: u64,
    /// Agents, as many as any one of the days had.
    pub agents: u64,
    /// Of the calls' first cues, those of which it is known whether what they called for was done half a minute later,
    pub judged: u64,
    /// and was done.
    pub adopted: u64,
    /// Calls with an alert.
    pub upset: u64,
    /// Of these, calls whose last alert had calmed before their end.
    pub recovered: u64,
    /// Calls with a shift of valence.
    pub shifts: u64,
    /// The sum of these shifts.
    pub shift_sum: f64,
    /// The sum of their squares.
    pub shift_squares: f64,
    /// Calls that were answered,
    pub handled: u64,
    /// the sum of their lengths from answer to end, in seconds,
    pub handled_sum: f64,
    /// and of the squares of these.
    pub handled_squares: f64,
    /// Calls whose caller gave a score of the empathy shown,
    pub surveys: u64,
    /// the sum of these scores, 1 to 5,
    pub empathy_sum: f64,
    /// and of their squares.
    pub empathy_squares: f64,
}

const COLUMNS: [&str; 15] = [
    "calls",
    "agents",
    "judged",
    "adopted",
    "upset",
    "recovered",
    "shifts",
    "shift_sum",
    "shift_squares",
    "handled",
    "handled_sum",
    "handled_squares",
    "surveys",
    "empathy_sum",
    "empathy_squares",
];

/// Sums a day's compared calls up: the parameters are its number, its first millisecond and the first one behind it.
pub(crate) fn sum_day(database: &mut dyn Database, values: &[Value; 3]) -> Result<(), StoreError> {
    let [day, ..] = values;
    database.execute("DELETE FROM holdout_days WHERE day = $1", std::slice::from_ref(day))?;
    let count = |condition: &str| format!("CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)");
    let real = |value: &str| format!("COALESCE(CAST(SUM({value}) AS DOUBLE PRECISION), 0.0)");
    let sums = [
        "COUNT(*)".to_owned(),
        "COUNT(DISTINCT agent)".to_owned(),
        count("adopted IS NOT NULL"),
        count("adopted = 1"),
        count("alerts > 0"),
        count("alerts > 0 AND calmed >= alerts"),
        count("shift IS NOT NULL"),
        real("shift"),
        real("shift * shift"),
        count("handled IS NOT NULL"),
        real("handled"),
        real("handled * handled"),
        count("empathy IS NOT NULL"),
        real("empathy"),
        real("empathy * empathy"),
    ];
    // The first cue that the lot could have withheld: what came after it is another call in each of the two.
    let sql = format!(
        "INSERT INTO holdout_days (day, withheld, {columns})
         SELECT $1, withheld, {sums} FROM (
             SELECT calls.withheld, calls.agent, calls.alerts, calls.calmed, calls.shift, surveys.empathy, due.adopted,
                 CAST(calls.ended - calls.answered AS DOUBLE PRECISION) / 1000 AS handled
             FROM calls LEFT JOIN surveys ON surveys.call = calls.id
                 LEFT JOIN cues AS due ON due.call = calls.id AND due.number = (
                     SELECT MIN(number) FROM cues WHERE cues.call = calls.id AND cues.withheld IS NOT NULL)
             WHERE calls.started >= $2 AND calls.started < $3 AND calls.withheld IS NOT NULL
                 AND calls.ended IS NOT NULL
         ) AS its GROUP BY withheld",
        columns = COLUMNS.join(", "),
        sums = sums.join(", "),
    );
    database.execute(&sql, values).map(drop)
}

impl Store {
    /// Compared calls of some days: those whose cues were shown, then those whose cues were withheld; none where no
    /// share of calls is drawn. Days are counted since 1970, UTC.
    ///
    /// # Errors
    /// The database's.
    pub fn holdout_sums(&mut self, first: u64, last: u64) -> Result<Vec<HoldoutSum>, StoreError> {
        let sql = format!(
            "SELECT withheld, {} FROM holdout_days WHERE day >= $1 AND day <= $2 GROUP BY withheld ORDER BY withheld",
            over_days()
        );
        self.database.query(&sql, &[first.into(), last.into()])?.iter().map(holdout_sum).collect()
    }

    /// The same as far as it is told: of groups alone, whatever ranges are set against each other; `today` is not told
    /// yet.
    ///
    /// # Errors
    /// The database's.
    pub fn told_holdout(
        &mut self,
        (first, last): (u64, u64),
        today: u64,
    ) -> Result<Vec<HoldoutSum>, StoreError> {
        let sql = format!(
            "{} SELECT withheld, {} FROM told GROUP BY withheld ORDER BY withheld",
            groups::told("holdout_days", "withheld", "calls"),
            over_days()
        );
        self.database.query(&sql, &groups::days(first, last, today))?.iter().map(holdout_sum).collect()
    }
}

/// The columns summed over days.
fn over_days() -> String {
    let sums = COLUMNS.map(|column| match column {
        "agents" => "MAX(agents)".to_owned(),
        column if column.ends_with("_sum") || column.ends_with("_squares") => format!("SUM({column})"),
        column => format!("CAST(SUM({column}) AS BIGINT)"),
    });
    sums.join(", ")
}

fn holdout_sum(row: &Row) -> Result<HoldoutSum, StoreError> {
    let count = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or_default());
    let real = |column| Ok::<_, StoreError>(row.maybe_real(column)?.unwrap_or_default());
    Ok(HoldoutSum {
        withheld: row.int(0)? != 0,
        calls: count(1)?,
        agents: count(2)?,
        judged: count(3)?,
        adopted: count(4)?,
        upset: count(5)?,
        recovered: count(6)?,
        shifts: count(7)?,
        shift_sum: real(8)?,
        shift_squares: real(9)?,
        handled: count(10)?,
        handled_sum: real(11)?,
        handled_squares: real(12)?,
        surveys: count(13)?,
        empathy_sum: real(14)?,
        empathy_squares: real(15)?,
    })
}
