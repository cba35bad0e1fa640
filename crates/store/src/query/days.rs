//! Sums of days.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::database::{Row, Value};
use crate::error::StoreError;
use crate::store::Store;

/// The label under which calls are summed up that have a label beyond those that a day has sums of.
pub const REST: &str = "(other)";
/// Most labels that [`Store::labels`] lists.
const MOST_LABELS: u32 = 200;

/// What a day's calls are grouped by. Never by agent: no sum tells of one person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grouping {
    /// By trunk.
    #[default]
    Trunk,
    /// By queue.
    Queue,
    /// By team.
    Team,
    /// By empathy tier.
    Tier,
}

impl Grouping {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Trunk, Self::Queue, Self::Team, Self::Tier];

    /// Its word, which is its column in `calls` too.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Queue => "queue",
            Self::Team => "team",
            Self::Tier => "tier",
        }
    }
}

/// A day's sums over a group's calls of one direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Day {
    /// Days since 1970, UTC.
    pub day: u64,
    /// What the calls are grouped by.
    pub by: Grouping,
    /// The group: the trunk's name, or the label; empty for calls without that label, `(other)` for those of rare ones.
    pub label: String,
    /// `inbound`, `outbound` or `unknown`.
    pub direction: String,
    /// Calls.
    pub calls: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Time from their answer to their end, in all.
    pub handled_ms: u64,
    /// Calls whose customer might be listened to at their end.
    pub agreed: u64,
    /// Calls whose customer objected.
    pub opted_out: u64,
    /// The customers' speech.
    pub speech_ms: u64,
    /// Of that, what estimates stand for.
    pub judged_ms: u64,
    /// Calls of which some speech was judged.
    pub judged: u64,
    /// Calls with an alert.
    pub upset: u64,
    /// Of these, calls whose last alert had calmed before their end.
    pub recovered: u64,
    /// Calls whose customer's valence rose notably from start to end.
    pub improved: u64,
    /// Calls whose customer's valence fell notably.
    pub declined: u64,
    /// Calls with a shift of valence.
    pub shifts: u64,
    /// The sum of these shifts.
    pub shift_sum: f64,
    /// The sum of their squares, for an interval around the mean.
    pub shift_squares: f64,
    /// Answered calls from a known number, once seven days have passed since their day.
    pub followed: u64,
    /// Of these, calls after which the same number called again within seven days.
    pub repeated: u64,
    /// Calls of which it is known whether they resolved their caller's matter: by the outcome posted, else by the
    /// caller's survey, else by whether the caller called again.
    pub settled: u64,
    /// Of these, calls that did.
    pub resolved: u64,
    /// Calls of which an outcome tells whether they were escalated.
    pub outcomes: u64,
    /// Of these, calls that were.
    pub escalated: u64,
    /// Calls whose caller has scored the empathy shown.
    pub surveys: u64,
    /// Agents who had these calls, of those that have a label of one: a group of one agent is a person.
    pub agents: u64,
    /// The sum of these scores, each from 1 to 5.
    pub empathy_sum: f64,
    /// The sum of their squares.
    pub empathy_squares: f64,
    /// The sum of the squares of the answered calls' lengths, in seconds. This and the following are 0 on days whose
    /// calls were gone before such sums were kept.
    pub handled_squares: f64,
    /// Of the customers' speech, call by call, in seconds: the sum of its squares,
    pub speech_squares: f64,
    /// that of the part that estimates stand for,
    pub judged_squares: f64,
    /// and that of both multiplied.
    pub speech_by_judged: f64,
}

/// The columns of [`Day`], in its order; `grouped` is [`Day::by`].
pub(crate) const COLUMNS: &str = "day, grouped, label, direction, calls, answered, handled_ms, agreed, opted_out, \
    speech_ms, judged_ms, judged, upset, recovered, improved, declined, shifts, shift_sum, shift_squares, followed, \
    repeated, settled, resolved, outcomes, escalated, surveys, agents, empathy_sum, empathy_squares, handled_squares, \
    speech_squares, judged_squares, speech_by_judged";

impl Day {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let count = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or_default());
        let real = |column| Ok::<_, StoreError>(row.maybe_real(column)?.unwrap_or_default());
        let grouped = row.text(1)?;
        let by = Grouping::ALL.into_iter().find(|known| known.name() == grouped);
        Ok(Self {
            day: count(0)?,
            by: by.ok_or(StoreError::Column { column: 1 })?,
            label: row.text(2)?,
            direction: row.text(3)?,
            calls: count(4)?,
            answered: count(5)?,
            handled_ms: count(6)?,
            agreed: count(7)?,
            opted_out: count(8)?,
            speech_ms: count(9)?,
            judged_ms: count(10)?,
            judged: count(11)?,
            upset: count(12)?,
            recovered: count(13)?,
            improved: count(14)?,
            declined: count(15)?,
            shifts: count(16)?,
            shift_sum: real(17)?,
            shift_squares: real(18)?,
            followed: count(19)?,
            repeated: count(20)?,
            settled: count(21)?,
            resolved: count(22)?,
            outcomes: count(23)?,
            escalated: count(24)?,
            surveys: count(25)?,
            agents: count(26)?,
            empathy_sum: real(27)?,
            empathy_squares: real(28)?,
            handled_squares: real(29)?,
            speech_squares: real(30)?,
            judged_squares: real(31)?,
            speech_by_judged: real(32)?,
        })
    }
}

impl Store {
    /// The days from `first` to `last`, both included, in order, by trunk.
    ///
    /// # Errors
    /// The database's.
    pub fn days(&mut self, first: u64, last: u64) -> Result<Vec<Day>, StoreError> {
        self.days_by(Grouping::Trunk, first, last)
    }

    /// The days from `first` to `last`, both included, in order. Each grouping has every call once.
    ///
    /// # Errors
    /// The database's.
    pub fn days_by(&mut self, by: Grouping, first: u64, last: u64) -> Result<Vec<Day>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM days WHERE grouped = $1 AND day >= $2 AND day <= $3 ORDER BY day, label, direction"
        );
        let rows = self.database.query(&sql, &[by.name().into(), first.into(), last.into()])?;
        rows.iter().map(Day::from_row).collect()
    }

    /// The labels of this kind that calls have had, by name: of trunks, their names.
    ///
    /// # Errors
    /// The database's.
    pub fn labels(&mut self, by: Grouping) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT label FROM days WHERE grouped = $1 AND label <> '' AND label <> $2
                   ORDER BY label LIMIT $3";
        let values: [Value; 3] = [by.name().into(), REST.into(), MOST_LABELS.into()];
        self.database.query(sql, &values)?.iter().map(|row| row.text(0)).collect()
    }

    /// The trunks that calls have come by, by name.
    ///
    /// # Errors
    /// The database's.
    pub fn trunks(&mut self) -> Result<Vec<String>, StoreError> {
        self.labels(Grouping::Trunk)
    }
}
