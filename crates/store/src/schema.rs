//! The tables, and how an older store is brought forward.

use crate::database::{Database, transaction};
use crate::error::StoreError;

/// What each version added, oldest first. A step is never changed once it was released: a store that has made it does
/// not make it again.
pub(crate) const STEPS: [&str; 11] = [
    // Times are milliseconds since 1970, UTC; those named `…_ms` are lengths, and `at` counts from the call's INVITE.
    "CREATE TABLE sidetone_store (
         version BIGINT NOT NULL,
         -- Calls that began before this have been deleted for their age: their days can't be summed again.
         kept_from BIGINT NOT NULL
     );
     INSERT INTO sidetone_store (version, kept_from) VALUES (0, 0);

     -- Each spool that this is fed from, by the name of its node: the last position that is in here, and events that
     -- never came, in all.
     CREATE TABLE feeds (name TEXT PRIMARY KEY, position BIGINT NOT NULL, lost BIGINT NOT NULL);
     -- Calls that were erased on request: what still comes of them is left out.
     CREATE TABLE erased_calls (id TEXT PRIMARY KEY, time BIGINT NOT NULL);

     -- A row a call: all that lists and reports ask for.
     CREATE TABLE calls (
         id TEXT PRIMARY KEY,
         node TEXT, sip_call_id TEXT NOT NULL, trunk TEXT NOT NULL, direction TEXT NOT NULL,
         -- Hashed numbers.
         caller TEXT, callee TEXT,
         started BIGINT NOT NULL, answered BIGINT, ended BIGINT,
         cause TEXT, ended_by TEXT, sip_status BIGINT,
         -- Whether the customer may be listened to, last; by which policy.
         consent TEXT, policy TEXT,
         -- Inferences in events before this number have been erased.
         erased_before BIGINT NOT NULL DEFAULT 0,
         -- The customer as last told, while the call is up.
         valence DOUBLE PRECISION, arousal DOUBLE PRECISION, distress DOUBLE PRECISION,
         confidence DOUBLE PRECISION, state TEXT, trend TEXT,
         -- Alerts that rose, alerts that calmed, and the one that is up.
         alerts BIGINT NOT NULL DEFAULT 0, calmed BIGINT NOT NULL DEFAULT 0, alert TEXT,
         -- Holds that are up, by whom.
         held_by TEXT,
         -- The summary.
         valence_start DOUBLE PRECISION, valence_end DOUBLE PRECISION, shift DOUBLE PRECISION,
         speech_ms BIGINT, judged_ms BIGINT,
         customer_talk_ms BIGINT, agent_talk_ms BIGINT, overlap_ms BIGINT, silence_ms BIGINT,
         hold_ms BIGINT, holds BIGINT,
         -- The newest event.
         seq BIGINT NOT NULL
     );
     CREATE INDEX calls_by_start ON calls (started, id);
     CREATE INDEX calls_by_caller ON calls (caller, started);
     CREATE INDEX calls_by_callee ON calls (callee, started);
     CREATE INDEX calls_by_trunk ON calls (trunk, started, id);
     CREATE INDEX calls_up ON calls (started, id) WHERE ended IS NULL;
     CREATE INDEX calls_upset ON calls (started, id) WHERE alerts > 0;

     -- Everything that happened in a call but how the customer seemed to feel: its data as the event had it.
     CREATE TABLE events (
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         seq BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
         PRIMARY KEY (call, seq)
     );

     -- How the customer seemed to feel, moment by moment.
     CREATE TABLE affect (
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         seq BIGINT NOT NULL, at BIGINT NOT NULL,
         valence DOUBLE PRECISION NOT NULL, arousal DOUBLE PRECISION NOT NULL,
         distress DOUBLE PRECISION NOT NULL, confidence DOUBLE PRECISION NOT NULL,
         PRIMARY KEY (call, seq)
     );

     -- Sums of a day (UTC, days since 1970), so that a year is 365 rows and not millions of calls.
     CREATE TABLE days (
         day BIGINT NOT NULL, trunk TEXT NOT NULL, direction TEXT NOT NULL,
         calls BIGINT NOT NULL, answered BIGINT NOT NULL, handled_ms BIGINT NOT NULL,
         agreed BIGINT NOT NULL, opted_out BIGINT NOT NULL,
         speech_ms BIGINT NOT NULL, judged_ms BIGINT NOT NULL, judged BIGINT NOT NULL,
         upset BIGINT NOT NULL, recovered BIGINT NOT NULL,
         improved BIGINT NOT NULL, declined BIGINT NOT NULL,
         shifts BIGINT NOT NULL, shift_sum DOUBLE PRECISION NOT NULL, shift_squares DOUBLE PRECISION NOT NULL,
         PRIMARY KEY (day, trunk, direction)
     );
     -- Days whose sums are to be made again.
     CREATE TABLE stale_days (day BIGINT PRIMARY KEY);",
    // Who may ask, and who has.
    "CREATE TABLE tokens (
         id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL,
         -- SHA-256 of the secret, which is not kept.
         digest TEXT NOT NULL UNIQUE,
         created BIGINT NOT NULL, expires BIGINT, revoked BIGINT
     );
     CREATE TABLE sessions (
         digest TEXT PRIMARY KEY, token TEXT NOT NULL REFERENCES tokens (id),
         created BIGINT NOT NULL, used BIGINT NOT NULL
     );
     CREATE TABLE accesses (
         time BIGINT NOT NULL, token TEXT NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL
     );
     CREATE INDEX accesses_by_time ON accesses (time);",
    // What a call is labelled with, and what is added from outside once it is over.
    "ALTER TABLE calls ADD COLUMN queue TEXT;
     ALTER TABLE calls ADD COLUMN agent TEXT;
     ALTER TABLE calls ADD COLUMN team TEXT;
     ALTER TABLE calls ADD COLUMN tier TEXT;
     ALTER TABLE calls ADD COLUMN call_type TEXT;
     ALTER TABLE calls ADD COLUMN language TEXT;
     -- They cost nothing where no call has such a label.
     CREATE INDEX calls_by_queue ON calls (queue, started, id) WHERE queue IS NOT NULL;
     CREATE INDEX calls_by_agent ON calls (agent, started, id) WHERE agent IS NOT NULL;
     CREATE INDEX calls_by_team ON calls (team, started, id) WHERE team IS NOT NULL;
     CREATE INDEX calls_by_tier ON calls (tier, started, id) WHERE tier IS NOT NULL;
     CREATE INDEX calls_by_sip_call_id ON calls (sip_call_id);

     -- The one agent whose calls a token shows.
     ALTER TABLE tokens ADD COLUMN agent TEXT;

     -- What became of the caller's matter, as the operator's own systems know it. Yes is 1, no is 0.
     CREATE TABLE outcomes (
         call TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
         posted BIGINT NOT NULL, resolved BIGINT, escalated BIGINT, reason TEXT
     );
     -- What the caller has said of the call afterwards; empathy from 1 to 5.
     CREATE TABLE surveys (
         call TEXT PRIMARY KEY REFERENCES calls (id) ON DELETE CASCADE,
         posted BIGINT NOT NULL, empathy BIGINT, resolved BIGINT, comment TEXT
     );
     -- A supervisor's notes for the call's agent; of a moment of the call, or of all of it.
     CREATE TABLE notes (
         id TEXT PRIMARY KEY,
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         posted BIGINT NOT NULL, author TEXT NOT NULL, name TEXT NOT NULL,
         kind TEXT NOT NULL, at BIGINT, text TEXT NOT NULL
     );
     CREATE INDEX notes_by_call ON notes (call, posted, id);
     -- An agent's own, which nobody else is shown.
     CREATE TABLE self_notes (
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         agent TEXT NOT NULL, posted BIGINT NOT NULL, text TEXT NOT NULL,
         PRIMARY KEY (call, agent)
     );

     -- Sums of a day by trunk, queue, team or tier: each has every call once. The label is empty for calls without one.
     CREATE TABLE grouped_days (
         grouped TEXT NOT NULL, day BIGINT NOT NULL, label TEXT NOT NULL, direction TEXT NOT NULL,
         calls BIGINT NOT NULL, answered BIGINT NOT NULL, handled_ms BIGINT NOT NULL,
         agreed BIGINT NOT NULL, opted_out BIGINT NOT NULL,
         speech_ms BIGINT NOT NULL, judged_ms BIGINT NOT NULL, judged BIGINT NOT NULL,
         upset BIGINT NOT NULL, recovered BIGINT NOT NULL,
         improved BIGINT NOT NULL, declined BIGINT NOT NULL,
         shifts BIGINT NOT NULL, shift_sum DOUBLE PRECISION NOT NULL, shift_squares DOUBLE PRECISION NOT NULL,
         followed BIGINT NOT NULL DEFAULT 0, repeated BIGINT NOT NULL DEFAULT 0,
         settled BIGINT NOT NULL DEFAULT 0, resolved BIGINT NOT NULL DEFAULT 0,
         outcomes BIGINT NOT NULL DEFAULT 0, escalated BIGINT NOT NULL DEFAULT 0,
         surveys BIGINT NOT NULL DEFAULT 0, agents BIGINT NOT NULL DEFAULT 0,
         empathy_sum DOUBLE PRECISION NOT NULL DEFAULT 0, empathy_squares DOUBLE PRECISION NOT NULL DEFAULT 0,
         PRIMARY KEY (grouped, day, label, direction)
     );
     INSERT INTO grouped_days (grouped, day, label, direction, calls, answered, handled_ms, agreed, opted_out,
         speech_ms, judged_ms, judged, upset, recovered, improved, declined, shifts, shift_sum, shift_squares)
     SELECT 'trunk', day, trunk, direction, calls, answered, handled_ms, agreed, opted_out,
         speech_ms, judged_ms, judged, upset, recovered, improved, declined, shifts, shift_sum, shift_squares
     FROM days;
     DROP TABLE days;
     ALTER TABLE grouped_days RENAME TO days;
     -- Days up to this one have been over for so long that it is known which callers called again.
     ALTER TABLE sidetone_store ADD COLUMN followed_until BIGINT NOT NULL DEFAULT -1;
     INSERT INTO stale_days (day) SELECT DISTINCT day FROM days WHERE day IS NOT NULL ON CONFLICT (day) DO NOTHING;",
    // Cues, each with the agent who was shown it, for that agent alone; and sums of them, which name none.
    "CREATE TABLE cues (
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         number BIGINT NOT NULL, agent TEXT, cue TEXT NOT NULL, line TEXT NOT NULL, at BIGINT NOT NULL,
         cleared TEXT,
         acknowledged BIGINT NOT NULL DEFAULT 0, dismissed BIGINT NOT NULL DEFAULT 0,
         -- Yes is 1, no is 0.
         adopted BIGINT, recovered BIGINT,
         PRIMARY KEY (call, number)
     );
     CREATE TABLE cue_days (
         day BIGINT NOT NULL, cue TEXT NOT NULL, team TEXT NOT NULL,
         shown BIGINT NOT NULL, acknowledged BIGINT NOT NULL, dismissed BIGINT NOT NULL,
         judged BIGINT NOT NULL, adopted BIGINT NOT NULL, upset BIGINT NOT NULL, recovered BIGINT NOT NULL,
         agents BIGINT NOT NULL,
         PRIMARY KEY (day, cue, team)
     );",
    // People who sign in by a password, each with a token whose secret nobody has; and erasures on request.
    "CREATE TABLE people (
         -- The name that is typed, in lower case.
         login TEXT PRIMARY KEY,
         token TEXT NOT NULL UNIQUE REFERENCES tokens (id),
         -- Argon2id, as a PHC string.
         password TEXT NOT NULL,
         changed BIGINT NOT NULL
     );
     -- When calls were erased on request, and how many: not whose.
     CREATE TABLE erasures (time BIGINT NOT NULL, calls BIGINT NOT NULL);
     CREATE INDEX erasures_by_time ON erasures (time);",
    // Filters of the list of calls that somebody keeps: the query of its address. Numbers stand hashed in it.
    "CREATE TABLE filters (
         token TEXT NOT NULL REFERENCES tokens (id), name TEXT NOT NULL, query TEXT NOT NULL,
         PRIMARY KEY (token, name)
     );",
    // What customers named, as words of a call and as sums of days. Who signs in by an identity provider.
    "ALTER TABLE calls ADD COLUMN topics TEXT;
     UPDATE calls SET topics = (
         SELECT string_agg(topic, ' ' ORDER BY topic) FROM (
             SELECT 'bereavement' AS topic UNION ALL SELECT 'cancel' UNION ALL SELECT 'complaint'
             UNION ALL SELECT 'hardship' UNION ALL SELECT 'legal' UNION ALL SELECT 'refund'
             UNION ALL SELECT 'repeat_contact' UNION ALL SELECT 'supervisor' UNION ALL SELECT 'thanks'
             UNION ALL SELECT 'urgent') AS known
         WHERE EXISTS (SELECT 1 FROM events WHERE call = calls.id AND kind = 'words.topic'
             AND data LIKE '%\"topic\":\"' || topic || '\"%'))
     WHERE id IN (SELECT call FROM events WHERE kind = 'words.topic');
     -- 1 while words of the call are kept.
     ALTER TABLE calls ADD COLUMN worded BIGINT;
     UPDATE calls SET worded = 1
     WHERE id IN (SELECT call FROM events WHERE kind IN ('words.final', 'words.topic'));
     CREATE INDEX calls_with_words ON calls (started) WHERE worded = 1;
     INSERT INTO stale_days (day) SELECT DISTINCT started / 86400000 FROM calls WHERE topics IS NOT NULL
         ON CONFLICT (day) DO NOTHING;
     -- It costs nothing where words are not recognised.
     CREATE INDEX calls_with_topics ON calls (started, id) WHERE topics IS NOT NULL;
     CREATE TABLE topic_days (
         day BIGINT NOT NULL, topic TEXT NOT NULL, team TEXT NOT NULL,
         calls BIGINT NOT NULL, upset BIGINT NOT NULL, recovered BIGINT NOT NULL, agents BIGINT NOT NULL,
         PRIMARY KEY (day, topic, team)
     );

     CREATE TABLE identities (
         issuer TEXT NOT NULL, subject TEXT NOT NULL,
         token TEXT NOT NULL UNIQUE REFERENCES tokens (id),
         seen BIGINT NOT NULL,
         PRIMARY KEY (issuer, subject)
     );",
    // Cues that were withheld from calls drawn for it, to compare such calls with those whose cues were shown.
    "-- In calls and cues: 1 for withheld, 0 for shown though the lot could have withheld it; none for what is compared
     -- with nothing.
     ALTER TABLE calls ADD COLUMN withheld BIGINT;
     ALTER TABLE cues ADD COLUMN withheld BIGINT;
     CREATE INDEX calls_compared ON calls (started) WHERE withheld IS NOT NULL;
     CREATE TABLE holdout_days (
         day BIGINT NOT NULL, withheld BIGINT NOT NULL,
         calls BIGINT NOT NULL, agents BIGINT NOT NULL,
         judged BIGINT NOT NULL, adopted BIGINT NOT NULL, upset BIGINT NOT NULL, recovered BIGINT NOT NULL,
         shifts BIGINT NOT NULL, shift_sum DOUBLE PRECISION NOT NULL, shift_squares DOUBLE PRECISION NOT NULL,
         -- Seconds from answer to end.
         handled BIGINT NOT NULL, handled_sum DOUBLE PRECISION NOT NULL, handled_squares DOUBLE PRECISION NOT NULL,
         surveys BIGINT NOT NULL, empathy_sum DOUBLE PRECISION NOT NULL, empathy_squares DOUBLE PRECISION NOT NULL,
         PRIMARY KEY (day, withheld)
     );",
    // Links by which callers say how a call was.
    "CREATE TABLE invitations (
         -- SHA-256 of the link's secret, which is not kept.
         digest TEXT PRIMARY KEY,
         call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
         expires BIGINT NOT NULL, answered BIGINT
     );
     CREATE INDEX invitations_by_call ON invitations (call);
     CREATE INDEX invitations_by_end ON invitations (expires);
     -- In seconds and their squares, for intervals: of the calls' lengths, and of their customers' speech and the part of it
     -- that estimates stand for. 0 on days whose calls were gone before they could be summed.
     ALTER TABLE days ADD COLUMN handled_squares DOUBLE PRECISION NOT NULL DEFAULT 0;
     ALTER TABLE days ADD COLUMN speech_squares DOUBLE PRECISION NOT NULL DEFAULT 0;
     ALTER TABLE days ADD COLUMN judged_squares DOUBLE PRECISION NOT NULL DEFAULT 0;
     ALTER TABLE days ADD COLUMN speech_by_judged DOUBLE PRECISION NOT NULL DEFAULT 0;
     INSERT INTO stale_days (day) SELECT DISTINCT day FROM days WHERE day IS NOT NULL ON CONFLICT (day) DO NOTHING;
     -- Calls by the kind of their length: see `query::LENGTH`.
     CREATE INDEX calls_by_length ON calls ((CASE WHEN ended - answered < 60000 THEN 1 WHEN ended - answered < 300000 THEN 2 WHEN ended - answered < 900000 THEN 3 WHEN ended - answered >= 900000 THEN 4 END), started, id);",
    // Lists by direction, and by topic with whatever else: what they look at stands in the index, since of a year's
    // calls each row that is looked up and left costs a microsecond.
    "DROP INDEX calls_by_queue;
     DROP INDEX calls_by_team;
     DROP INDEX calls_by_tier;
     DROP INDEX calls_upset;
     DROP INDEX calls_by_length;
     DROP INDEX calls_with_topics;
     CREATE INDEX calls_by_direction ON calls (direction, started, id);
     CREATE INDEX calls_by_trunk_and_direction ON calls (trunk, direction, started, id);
     CREATE INDEX calls_by_queue ON calls (queue, started, id, direction) WHERE queue IS NOT NULL;
     CREATE INDEX calls_by_team ON calls (team, started, id, direction) WHERE team IS NOT NULL;
     CREATE INDEX calls_by_tier ON calls (tier, started, id, direction) WHERE tier IS NOT NULL;
     CREATE INDEX calls_upset ON calls (started, id, direction) WHERE alerts > 0;
     CREATE INDEX calls_by_length ON calls ((CASE WHEN ended - answered < 60000 THEN 1 WHEN ended - answered < 300000 THEN 2 WHEN ended - answered < 900000 THEN 3 WHEN ended - answered >= 900000 THEN 4 END), started, id, direction);
     CREATE INDEX calls_with_topics ON calls (started, id, topics, alerts, direction, trunk, queue, team, tier, agent)
         WHERE topics IS NOT NULL;",
    // Each list of calls is walked along one index (`query::filter::Walk`), in which everything stands that it may be
    // asked for beside its own column. A topic has an index of its own: few calls name it, and often none does.
    "DROP INDEX calls_by_queue;
     DROP INDEX calls_by_agent;
     DROP INDEX calls_by_team;
     DROP INDEX calls_by_tier;
     DROP INDEX calls_upset;
     DROP INDEX calls_by_length;
     DROP INDEX calls_with_topics;
     DROP INDEX calls_by_trunk_and_direction;
     CREATE INDEX calls_by_trunk_and_direction ON calls ((trunk || ' ' || direction), started, id);
     CREATE INDEX calls_by_team ON calls (team, started, id, direction, queue, tier, trunk, ended, answered, shift)
         WHERE team IS NOT NULL;
     CREATE INDEX calls_by_queue ON calls (queue, started, id, direction, tier, trunk, ended, answered, shift)
         WHERE queue IS NOT NULL;
     CREATE INDEX calls_by_tier ON calls (tier, started, id, direction, trunk, ended, answered, shift)
         WHERE tier IS NOT NULL;
     CREATE INDEX calls_by_agent ON calls (agent, started, id, direction, queue, team, tier, trunk, alerts, calmed, ended,
         answered, shift) WHERE agent IS NOT NULL;
     CREATE INDEX calls_upset ON calls (started, id, alerts, calmed, direction, trunk, queue, team, tier, ended, answered)
         WHERE alerts > 0;
     CREATE INDEX calls_by_length ON calls ((CASE WHEN ended - answered < 60000 THEN 1 WHEN ended - answered < 300000 THEN 2 WHEN ended - answered < 900000 THEN 3 WHEN ended - answered >= 900000 THEN 4 END), started, id, direction, trunk, shift);
     CREATE INDEX calls_with_topics ON calls (started, id) WHERE topics IS NOT NULL;
     CREATE INDEX calls_on_bereavement ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% bereavement %';
     CREATE INDEX calls_on_cancel ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% cancel %';
     CREATE INDEX calls_on_complaint ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% complaint %';
     CREATE INDEX calls_on_hardship ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% hardship %';
     CREATE INDEX calls_on_legal ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% legal %';
     CREATE INDEX calls_on_refund ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% refund %';
     CREATE INDEX calls_on_repeat_contact ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% repeat_contact %';
     CREATE INDEX calls_on_supervisor ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% supervisor %';
     CREATE INDEX calls_on_thanks ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% thanks %';
     CREATE INDEX calls_on_urgent ON calls (started, id, direction, trunk, queue, team, tier, alerts, calmed, ended,
         answered, shift) WHERE ' ' || topics || ' ' LIKE '% urgent %';
     -- Two calls in three are of one length, and may be of one direction: see `query::LENGTH_AND`.
     CREATE INDEX calls_by_length_and_direction ON calls (((CASE WHEN ended - answered < 60000 THEN '1 ' WHEN ended - answered < 300000 THEN '2 ' WHEN ended - answered < 900000 THEN '3 ' WHEN ended - answered >= 900000 THEN '4 ' END) || direction), started, id, trunk, shift);
     -- What is told of whole weeks' cues, by weeks since the Monday before 1970: a day that is a group's (`groups`), and
     -- the rest of the week if that is.
     CREATE TABLE cue_weeks (
         week BIGINT NOT NULL, cue TEXT NOT NULL, team TEXT NOT NULL,
         shown BIGINT NOT NULL, acknowledged BIGINT NOT NULL, dismissed BIGINT NOT NULL,
         judged BIGINT NOT NULL, adopted BIGINT NOT NULL, upset BIGINT NOT NULL, recovered BIGINT NOT NULL,
         agents BIGINT NOT NULL,
         PRIMARY KEY (week, cue, team)
     );
     INSERT INTO cue_weeks (week, cue, team, shown, acknowledged, dismissed, judged, adopted, upset, recovered, agents)
     SELECT (day + 3) / 7, cue, team, CAST(SUM(shown) AS BIGINT), CAST(SUM(acknowledged) AS BIGINT),
         CAST(SUM(dismissed) AS BIGINT), CAST(SUM(judged) AS BIGINT), CAST(SUM(adopted) AS BIGINT),
         CAST(SUM(upset) AS BIGINT), CAST(SUM(recovered) AS BIGINT), MAX(agents)
     FROM cue_days
     WHERE shown >= 10 AND (agents = 0 OR agents >= 3) OR ((day + 3) / 7, cue, team) IN (
         SELECT (day + 3) / 7, cue, team FROM cue_days WHERE NOT (shown >= 10 AND (agents = 0 OR agents >= 3))
         GROUP BY (day + 3) / 7, cue, team
         HAVING SUM(shown) >= 10 AND (MAX(agents) = 0 OR MAX(agents) >= 3))
     GROUP BY (day + 3) / 7, cue, team;",
];

/// The newest schema that this program knows.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// Name of the table by which a store is known.
const MARK: &str = "sidetone_store";

/// The version of a store; `None` for an empty database.
pub(crate) fn version(database: &mut dyn Database, name: &str) -> Result<Option<i64>, StoreError> {
    if !database.has_table(MARK)? {
        return if database.is_empty()? { Ok(None) } else { Err(StoreError::Foreign(name.to_owned())) };
    }
    let rows = database.query("SELECT version FROM sidetone_store", &[])?;
    let found = rows.first().ok_or(StoreError::Column { column: 0 })?.int(0)?;
    if found > VERSION { Err(StoreError::Newer { found, known: VERSION }) } else { Ok(Some(found)) }
}

/// What of a migration is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    /// The version that it makes.
    pub version: i64,
    /// The number of its statement, from 1 on,
    pub statement: usize,
    /// and how many there are to that version.
    pub statements: usize,
    /// What the statement does: its first words.
    pub what: String,
}

/// Brings a store forward to [`VERSION`], each step whole or not at all; the version it had. Before each statement
/// `told` has it.
pub(crate) fn migrate(
    database: &mut dyn Database,
    name: &str,
    told: &mut dyn FnMut(&Making),
) -> Result<i64, StoreError> {
    forward(database, name, STEPS.len(), told)
}

/// Brings a store forward to a version: tests make older stores so.
pub(crate) fn forward(
    database: &mut dyn Database,
    name: &str,
    to: usize,
    told: &mut dyn FnMut(&Making),
) -> Result<i64, StoreError> {
    let before = version(database, name)?.unwrap_or(0);
    let steps = (1..).zip(STEPS).take(to);
    for (number, step) in steps.skip(usize::try_from(before).unwrap_or(usize::MAX)) {
        transaction(database, |database| {
            // Another process may have been faster.
            if version(database, name)?.unwrap_or(0) >= number {
                return Ok(());
            }
            let statements: Vec<&str> = statements(step).collect();
            for (index, statement) in statements.iter().enumerate() {
                let what = first_words(statement);
                told(&Making { version: number, statement: index + 1, statements: statements.len(), what });
                database.upkeep(statement)?;
            }
            database.execute("UPDATE sidetone_store SET version = $1", &[number.into()]).map(drop)
        })?;
    }
    Ok(before)
}

/// The statements of a step: each ends with a semicolon at the end of its line.
fn statements(step: &str) -> impl Iterator<Item = &str> {
    step.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty())
}

/// The first three words of a statement, behind the comments before it.
fn first_words(statement: &str) -> String {
    let lines = statement.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    let words = lines.flat_map(str::split_whitespace).take(3);
    words.collect::<Vec<_>>().join(" ").trim_end_matches(['(', ';']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_falls_into_its_statements() {
        for step in STEPS {
            assert_eq!(statements(step).collect::<String>(), step);
            for statement in statements(step) {
                let what = first_words(statement);
                let word = what.split(' ').next().unwrap();
                assert!(["CREATE", "DROP", "ALTER", "INSERT", "UPDATE"].contains(&word), "{statement}");
                let code = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
                let code = code.map(|line| line.split(" --").next().unwrap()).collect::<String>();
                assert_eq!(code.matches(';').count(), 1, "{statement}");
            }
        }
    }
}
