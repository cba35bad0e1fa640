//! The sums of days: made again when a day's calls have changed.

use crate::cues;
use crate::database::{Database, Value, transaction};
use crate::error::StoreError;
use crate::holdout;
use crate::query::{Grouping, REST};
use crate::store::Store;
use crate::topics;
use sidetone_events::Timestamp;

pub(crate) const DAY_MS: u64 = 86_400_000;
/// A shift of valence beyond this, of `[-2, 2]`, counts as improved or declined. Less is within what the same voice is
/// judged differently by from one stretch to the next.
pub(crate) const NOTABLE_SHIFT: f64 = 0.1;
/// A caller who calls again within so many days had not been helped the first time.
const FOLLOWED_DAYS: u64 = 7;
/// Most labels of a kind that a day has sums of, those with the most calls: a PBX may tell any text.
const MOST_LABELS: u32 = 50;
/// Most days that are summed up at once, the newest first: events wait meanwhile.
const AT_ONCE: u32 = 32;

impl Store {
    /// Makes the sums of days again that have changed, some at once; how many days there were.
    pub(crate) fn sum_stale_days(&mut self) -> Result<usize, StoreError> {
        let sql = "SELECT day FROM stale_days ORDER BY day DESC LIMIT $1";
        let stale = self.database.query(sql, &[AT_ONCE.into()])?;
        for row in &stale {
            let day = row.int(0)?;
            transaction(self.database.as_mut(), |database| sum_day(database, day))?;
        }
        Ok(stale.len())
    }

    /// Notes the days of which it has become known which callers called again. The clock must be right: such a day is
    /// not looked at again.
    pub(crate) fn follow_days(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(last) = (now.unix_millis() / DAY_MS).checked_sub(FOLLOWED_DAYS + 1) else { return Ok(()) };
        transaction(self.database.as_mut(), |database| {
            let rows = database.query("SELECT followed_until FROM sidetone_store", &[])?;
            let known = rows.first().map_or(Ok(0), |row| row.int(0))?;
            if i64::try_from(last).unwrap_or(i64::MAX) <= known {
                return Ok(());
            }
            let sql = "INSERT INTO stale_days (day)
                       SELECT DISTINCT day FROM days WHERE grouped = 'trunk' AND day > $1 AND day <= $2
                       ON CONFLICT (day) DO NOTHING";
            database.execute(sql, &[known.into(), last.into()])?;
            let sql = "UPDATE sidetone_store SET followed_until = $1";
            database.execute(sql, &[last.into()]).map(drop)
        })
    }
}

/// Notes that a day's sums are to be made again: that of a call which began then.
pub(crate) fn mark_stale(database: &mut dyn Database, started: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO stale_days (day) VALUES ($1) ON CONFLICT (day) DO NOTHING";
    database.execute(sql, &[(started / DAY_MS).into()]).map(drop)
}

fn sum_day(database: &mut dyn Database, day: i64) -> Result<(), StoreError> {
    let from = day.saturating_mul(i64::try_from(DAY_MS).unwrap_or(i64::MAX));
    let until = from.saturating_add(i64::try_from(DAY_MS).unwrap_or(i64::MAX));
    database.execute("DELETE FROM stale_days WHERE day = $1", &[day.into()])?;
    let kept = database.query("SELECT kept_from, followed_until FROM sidetone_store", &[])?;
    let known = |column| kept.first().map_or(Ok(0), |row| row.int(column));
    if from < known(0)? {
        // Some of its calls are gone for their age, and their sums with them if they were made again.
        return Ok(());
    }
    let is_followed = day <= known(1)?;
    for by in Grouping::ALL {
        let delete = "DELETE FROM days WHERE grouped = $1 AND day = $2";
        database.execute(delete, &[by.name().into(), day.into()])?;
        let values: [Value; 3] = [day.into(), from.into(), until.into()];
        database.execute(&sums(by, is_followed), &values)?;
    }
    let bounds = [day.into(), from.into(), until.into()];
    topics::sum_day(database, &bounds)?;
    cues::sum_day(database, &bounds)?;
    cues::sum_week(database, day)?;
    holdout::sum_day(database, &bounds)
}

/// The statement that sums a day up: its number, its first millisecond and the first one behind it are the parameters.
fn sums(by: Grouping, is_followed: bool) -> String {
    // Long: one statement, whose parts are named.
    let count = |condition: &str| format!("CAST(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS BIGINT)");
    let sum = |value: &str| format!("CAST(COALESCE(SUM({value}), 0) AS BIGINT)");
    let real = |value: &str| format!("COALESCE(CAST(SUM({value}) AS DOUBLE PRECISION), 0.0)");
    let seconds = |value: &str| format!("CAST(({value}) AS DOUBLE PRECISION) / 1000");
    let product = |a: &str, b: &str| real(&format!("({}) * ({})", seconds(a), seconds(b)));
    let grouped = by.name();
    let label = match by {
        Grouping::Trunk => "trunk".to_owned(),
        Grouping::Queue | Grouping::Team | Grouping::Tier => format!(
            "CASE WHEN COALESCE({grouped}, '') IN (SELECT label FROM (
                 SELECT COALESCE({grouped}, '') AS label, COUNT(*) AS calls FROM calls
                 WHERE started >= $2 AND started < $3 GROUP BY COALESCE({grouped}, '')
                 ORDER BY calls DESC, label LIMIT {MOST_LABELS}) AS most)
             THEN COALESCE({grouped}, '') ELSE '{REST}' END"
        ),
    };
    let followed = if is_followed {
        "direction = 'inbound' AND answered IS NOT NULL AND caller IS NOT NULL"
    } else {
        "1 = 0"
    };
    let within = FOLLOWED_DAYS * DAY_MS;
    format!(
        "INSERT INTO days (day, grouped, label, direction, calls, answered, handled_ms, agreed, opted_out, speech_ms,
             judged_ms, judged, upset, recovered, improved, declined, shifts, shift_sum, shift_squares, followed,
             repeated, settled, resolved, outcomes, escalated, surveys, agents, empathy_sum,
             empathy_squares, handled_squares, speech_squares, judged_squares, speech_by_judged)
         SELECT $1, '{grouped}', {label}, direction, COUNT(*), {answered}, {handled}, {agreed}, {opted_out}, {speech},
             {judged_ms}, {judged}, {upset}, {recovered}, {improved}, {declined}, {shifts}, {shift_sum},
             {shift_squares}, {followed_calls}, {repeated}, {settled}, {resolved}, {outcomes}, {escalated}, {surveys},
             COUNT(DISTINCT agent), {empathy_sum}, {empathy_squares}, {handled_squares}, {speech_squares},
             {judged_squares}, {speech_by_judged}
         FROM (
             SELECT trunk, queue, agent, team, tier, direction, answered, ended, consent, speech_ms, judged_ms, alerts, calmed,
                 shift, COALESCE(outcomes.resolved, surveys.resolved) AS told, outcomes.escalated, surveys.empathy,
                 CASE WHEN {followed} THEN 1 ELSE 0 END AS is_followed,
                 CASE WHEN {followed} AND EXISTS (
                     SELECT 1 FROM calls AS later WHERE later.caller = calls.caller AND later.direction = 'inbound'
                         AND later.started > calls.started AND later.started <= calls.started + {within}
                 ) THEN 1 ELSE 0 END AS is_repeated
             FROM calls LEFT JOIN outcomes ON outcomes.call = calls.id LEFT JOIN surveys ON surveys.call = calls.id
             WHERE started >= $2 AND started < $3
         ) AS its GROUP BY 3, 4",
        answered = count("answered IS NOT NULL"),
        handled = sum("ended - answered"),
        agreed = count("consent = 'given'"),
        opted_out = count("consent = 'opted-out'"),
        speech = sum("speech_ms"),
        judged_ms = sum("judged_ms"),
        judged = count("judged_ms > 0"),
        upset = count("alerts > 0"),
        recovered = count("alerts > 0 AND calmed >= alerts"),
        improved = count(&format!("shift > {NOTABLE_SHIFT}")),
        declined = count(&format!("shift < -{NOTABLE_SHIFT}")),
        shifts = count("shift IS NOT NULL"),
        shift_sum = real("shift"),
        shift_squares = real("shift * shift"),
        followed_calls = count("is_followed = 1"),
        repeated = count("is_repeated = 1"),
        settled = count("told IS NOT NULL OR is_followed = 1"),
        resolved = count("told = 1 OR told IS NULL AND is_followed = 1 AND is_repeated = 0"),
        outcomes = count("escalated IS NOT NULL"),
        escalated = count("escalated = 1"),
        surveys = count("empathy IS NOT NULL"),
        empathy_sum = real("empathy"),
        empathy_squares = real("empathy * empathy"),
        handled_squares = product("ended - answered", "ended - answered"),
        speech_squares = product("speech_ms", "speech_ms"),
        judged_squares = product("judged_ms", "judged_ms"),
        speech_by_judged = product("speech_ms", "judged_ms"),
    )
}
