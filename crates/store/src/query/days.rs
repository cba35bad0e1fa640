//! Sums of days.

use serde::Serialize;

use crate::error::StoreError;
use crate::store::Store;

/// A day's sums over a trunk's calls of one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Day {
    /// Days since 1970, UTC.
    pub day: u64,
    /// The trunk.
    pub trunk: String,
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
}

impl Store {
    /// The days from `first` to `last`, both included, in order.
    ///
    /// # Errors
    /// The database's.
    pub fn days(&mut self, first: u64, last: u64) -> Result<Vec<Day>, StoreError> {
        let sql = "SELECT day, trunk, direction, calls, answered, handled_ms, agreed, opted_out, speech_ms, judged_ms,
                       judged, upset, recovered, improved, declined, shifts, shift_sum, shift_squares
                   FROM days WHERE day >= $1 AND day <= $2 ORDER BY day, trunk, direction";
        let rows = self.database.query(sql, &[first.into(), last.into()])?;
        let days = rows.iter().map(|row| {
            let count = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or_default());
            let real = |column| Ok::<_, StoreError>(row.maybe_real(column)?.unwrap_or_default());
            Ok(Day {
                day: count(0)?,
                trunk: row.text(1)?,
                direction: row.text(2)?,
                calls: count(3)?,
                answered: count(4)?,
                handled_ms: count(5)?,
                agreed: count(6)?,
                opted_out: count(7)?,
                speech_ms: count(8)?,
                judged_ms: count(9)?,
                judged: count(10)?,
                upset: count(11)?,
                recovered: count(12)?,
                improved: count(13)?,
                declined: count(14)?,
                shifts: count(15)?,
                shift_sum: real(16)?,
                shift_squares: real(17)?,
            })
        });
        days.collect()
    }
}
