//! A part of a list of calls, for which not more than a bounded number of calls is looked at.
//!
//! Each list is walked along one index, the newest call first, and calls that don't fit are passed over. Where few fit,
//! or none, that would be a walk through all calls that were ever kept. So a part ends after so many that were looked
//! at, with what it has found, and says how far back it has looked.

use super::calls::{COLUMNS, Call};
use super::filter::{CallFilter, Cursor, Walk};
use crate::database::Value;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// Most calls of one part.
const MOST: usize = 500;
/// Calls that are looked at for one part, in stretches: the first is enough for most lists, and the next one is begun
/// only if the part is not full yet. All together take some hundred milliseconds where each row has to be looked up.
const STRETCHES: [u32; 3] = [2_000, 14_000, 84_000];
/// Of calls with a number on either side each is looked up and sorted, which is ten times the work.
const STRETCHES_OF_NUMBER: [u32; 2] = [2_000, 8_000];

/// A part of a list of calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallPart {
    /// The calls, the newest first.
    pub calls: Vec<Call>,
    /// The place from which the list goes on; `None` where it is at its end.
    pub next: Option<Cursor>,
    /// Where so many calls did not fit that not all were looked at: all that began at this time or later were, in
    /// milliseconds since 1970.
    pub looked_back_to: Option<u64>,
}

impl Store {
    /// Calls by a filter, the newest first, `most` at most, however many must be looked at: people ask by a
    /// [`View`](crate::View).
    ///
    /// # Errors
    /// The database's.
    pub fn calls(&mut self, filter: &CallFilter, most: usize) -> Result<Vec<Call>, StoreError> {
        self.fitting(&Scope::All, filter, None, most.min(MOST))
    }

    /// A part of a list.
    pub(crate) fn part(
        &mut self,
        scope: &Scope,
        filter: &CallFilter,
        most: usize,
    ) -> Result<CallPart, StoreError> {
        let is_of_number = filter.walk(scope) == Walk::Number;
        let stretches = if is_of_number { STRETCHES_OF_NUMBER.as_slice() } else { &STRETCHES };
        self.part_of(scope, filter, most.min(MOST), stretches)
    }

    /// The same by these stretches.
    fn part_of(
        &mut self,
        scope: &Scope,
        filter: &CallFilter,
        most: usize,
        stretches: &[u32],
    ) -> Result<CallPart, StoreError> {
        let mut part = CallPart::default();
        let mut filter = filter.clone();
        // Calls with one number on either side are sorted before they are told, so there too fewer are better.
        let is_long = filter.condition(scope).passes_over() || filter.walk(scope) == Walk::Number;
        for stretch in stretches {
            let end = if is_long { self.end_of(scope, &filter, *stretch)? } else { None };
            let missing = most.saturating_sub(part.calls.len());
            part.calls.extend(self.fitting(scope, &filter, end, missing)?);
            if part.calls.len() >= most {
                return Ok(CallPart {
                    next: part.calls.last().map(Call::cursor),
                    calls: part.calls,
                    looked_back_to: None,
                });
            }
            let Some(end) = end else { return Ok(CallPart { calls: part.calls, ..CallPart::default() }) };
            part.looked_back_to = Some(end);
            filter.after = Some(Cursor::behind(end));
        }
        part.next = filter.after;
        Ok(part)
    }

    /// When the call began that ends a stretch of a walk; `None` where the walk ends before.
    fn end_of(
        &mut self,
        scope: &Scope,
        filter: &CallFilter,
        stretch: u32,
    ) -> Result<Option<u64>, StoreError> {
        let walks = match (filter.walk(scope), &filter.number) {
            // Each side has its own index.
            (Walk::Number, Some(number)) => ["caller = #", "callee = #"]
                .into_iter()
                .map(|side| {
                    let mut walk = filter.range();
                    walk.of_walk(side, [number.as_str().into()]);
                    walk
                })
                .collect(),
            _ => vec![filter.condition(scope)],
        };
        let mut end = None;
        for walk in walks {
            let (condition, mut values) = walk.bounds();
            values.push(stretch.into());
            let sql = format!(
                "SELECT started FROM calls WHERE {condition} ORDER BY started DESC LIMIT 1 OFFSET ${}",
                values.len()
            );
            let rows = self.database.query(&sql, &values)?;
            let its = rows.first().map(|row| row.int(0)).transpose()?;
            end = end.max(its.map(|its| u64::try_from(its).unwrap_or_default()));
        }
        Ok(end)
    }

    /// The calls that fit, of those that began at `end` or later.
    fn fitting(
        &mut self,
        scope: &Scope,
        filter: &CallFilter,
        end: Option<u64>,
        most: usize,
    ) -> Result<Vec<Call>, StoreError> {
        let filter = CallFilter { from: filter.from.max(end), ..filter.clone() };
        let (condition, mut values) = filter.condition(scope).whole();
        values.push(Value::Int(i64::try_from(most.min(MOST)).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {COLUMNS} FROM calls WHERE {condition} ORDER BY started DESC, id DESC LIMIT ${}",
            values.len()
        );
        self.database.query(&sql, &values)?.iter().map(Call::from_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::query::{CallLength, Outcome};
    use crate::testing::{append, feed, narrator, on_each, spool, unheard_call, whole_call};

    /// Every third call is upset, and of two that began in the same millisecond one is.
    #[test]
    fn a_part_looks_at_so_many_calls_says_how_far_back_and_can_be_gone_on_from() {
        on_each(|config, folder| {
            let mut spool = spool(folder);
            for call in 0..60 {
                let mut call_of = narrator(u128::from(call), call / 2 * 1_000);
                if call % 3 == 0 {
                    append(&mut spool, whole_call(&mut call_of));
                } else {
                    append(&mut spool, unheard_call(&mut call_of, Duration::from_secs(120)));
                }
            }
            let mut store = Store::create(config).unwrap();
            feed(&mut store, &spool);
            let any = CallFilter::default;
            let text = |text: &str| Some(text.to_owned());
            let number = store.calls(&any(), 1).unwrap()[0].caller.clone();
            let to_five = Some(CallLength::ToFive);
            for (filter, is_cut) in [
                (any(), false),
                (CallFilter { outcome: Some(Outcome::Upset), ..any() }, false),
                (CallFilter { outcome: Some(Outcome::Declined), ..any() }, true),
                (CallFilter { outcome: Some(Outcome::Improved), ..any() }, true),
                (CallFilter { outcome: Some(Outcome::Recovered), trunk: text("none"), ..any() }, true),
                (CallFilter { length: to_five, outcome: Some(Outcome::Upset), ..any() }, true),
                (CallFilter { length: to_five, trunk: text("carrier"), ..any() }, true),
                (CallFilter { trunk: text("carrier"), direction: text("outbound"), ..any() }, false),
                (CallFilter { length: to_five, direction: text("inbound"), ..any() }, false),
                (CallFilter { number, outcome: Some(Outcome::Declined), ..any() }, true),
            ] {
                let whole = store.calls(&filter, 100).unwrap();
                let (mut found, mut parts, mut at) = (Vec::new(), 0, filter.clone());
                let mut last = None;
                loop {
                    let part = store.part_of(&Scope::All, &at, 7, &[3, 5]).unwrap();
                    assert!(part.calls.len() <= 7);
                    // Eight are looked at, and those that began together with the last of them.
                    let is_short = part.calls.len() < 7 && part.next.is_some();
                    assert_eq!(part.looked_back_to.is_some(), is_short, "{at:?}");
                    assert!(is_cut || !is_short, "{filter:?}");
                    if let Some(back) = part.looked_back_to {
                        assert!(last.is_none_or(|last| back < last), "{filter:?}: no further than before");
                        assert!(part.calls.iter().all(|call| call.started >= back));
                        last = Some(back);
                    }
                    parts += 1;
                    found.extend(part.calls);
                    let Some(next) = part.next else { break };
                    at.after = Some(next.to_string().parse().unwrap());
                }
                assert_eq!(found, whole, "{filter:?}");
                assert!(!is_cut || parts > 2, "{parts} parts: {filter:?}");
            }
        });
    }
}
