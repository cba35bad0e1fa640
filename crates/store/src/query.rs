//! Questions that pages, reports and exports ask.

mod calls;
mod days;

pub use calls::{Alert, Call, CallDetails, CallFilter, Cursor, Happened, NoCursor, Outcome, Point};
pub use days::Day;

/// The columns of a call, separated by commas.
pub(crate) const fn columns() -> &'static str {
    calls::COLUMNS
}
