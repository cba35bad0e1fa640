//! Sums that tell of groups alone, whatever ranges are set against each other.
//!
//! What is told is made of parts that never change with the range: a day's sum if that is a group's, else a whole
//! week's rest of such days if that is. Two ranges then differ by parts of which each is a group's, never by one call
//! or cue. A day that is not over is not told, for its sum grows call by call under the eyes of whoever asks often
//! enough.

use crate::database::Value;

/// Groups of fewer calls or cues have no figure.
pub const SMALLEST_GROUP: u64 = 10;
/// Groups by label of fewer agents have no figure: it would be theirs. Calls that name no agent are no agent's.
pub const FEWEST_AGENTS: u64 = 3;

/// The days that are told, as the parameters `$1`, `$2` and `$3` of [`told`]: the first, the last, and today.
pub(crate) fn days(first: u64, last: u64, today: u64) -> [Value; 3] {
    // The database counts in 64 bits with a sign.
    let bounded = |day: u64| day.min(1 << 40).into();
    [bounded(first), bounded(last), bounded(today)]
}

/// The condition of a sum that tells of a group: `count` calls or cues of `agents`.
pub(crate) fn is_group(count: &str, agents: &str) -> String {
    format!("({count} >= {SMALLEST_GROUP} AND ({agents} = 0 OR {agents} >= {FEWEST_AGENTS}))")
}

/// The rows of a table of days that are told, as the table `told` of a query: `keys` make a group, `count` is its
/// column of calls or cues. The table has a column `agents`, and one row for each day and group.
pub(crate) fn told(table: &str, keys: &str, count: &str) -> String {
    // 1970 began on a Thursday: weeks from Monday on are those of day + 3. A week is told by a set of weeks and not by
    // a window over its days: over a year of many cues and teams that takes a fifth of the time.
    let week = "((day + 3) / 7)";
    let range = "day >= $1 AND day <= $2 AND day < $3";
    format!(
        "WITH weeks AS (
             SELECT {week}, {keys} FROM {table}
             WHERE {range} AND NOT {small} AND {week} * 7 - 3 >= $1 AND {week} * 7 + 3 <= $2 AND {week} * 7 + 3 < $3
             GROUP BY {week}, {keys} HAVING {rest}
         ), told AS (
             SELECT {table}.*, agents AS agents_of_day FROM {table}
             WHERE {range} AND ({small} OR ({week}, {keys}) IN (SELECT * FROM weeks))
         )",
        small = is_group(count, "agents"),
        rest = is_group(&format!("SUM({count})"), "MAX(agents)"),
    )
}
