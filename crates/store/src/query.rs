//! Questions that pages, reports and exports ask.

mod calls;
mod condition;
mod days;
mod filter;
mod part;

pub use calls::{Alert, Call, CallDetails, Happened, Point};
pub use days::{Day, Grouping, REST};
#[cfg(test)]
pub(crate) use filter::LENGTH;
pub use filter::{CallFilter, CallLength, Cursor, NoCursor, Outcome};
pub use part::CallPart;

/// The columns of a call, separated by commas.
pub(crate) const fn columns() -> &'static str {
    calls::COLUMNS
}

/// The columns of a day's sums, separated by commas.
pub(crate) const fn day_columns() -> &'static str {
    days::COLUMNS
}
