//! The pages that people look at: live calls, the list of calls, one call, and figures of days.
//!
//! Views in, HTML out. Nothing here opens a socket, asks a clock or reads a file: the caller passes the rows of the
//! store and the time, and serves the text that comes back. Every page works without script; the script keeps the live
//! wall fresh and tells times in the reader's own zone.
//!
//! # Guarantees
//!
//! - **Text from outside is shown, never obeyed**: it is escaped, freed of control characters and of those that turn
//!   the direction of writing, cut to a bounded length and isolated (`bdi`).
//! - **No inline script and no inline style**: the pages work under [`CONTENT_SECURITY_POLICY`].
//! - **A page with its assets stays under 100 KB**, whatever number of calls it is given.
//! - **No agent is ranked or named.** What is said of the customer's mood is called an estimate where it is said.
//! - Groups of fewer than [`SMALLEST_GROUP`] calls have no figure.
//!
//! English and German come along, `text/en.rs` and `text/de.rs`; the compiler finds a text that one lacks. A further
//! language is one file that is read at the start: [`Translation`], [`add_languages`].

#![forbid(unsafe_code)]

mod assets;
mod call;
mod calls;
mod civil;
mod compliance;
mod desk;
mod figures;
mod format;
mod layout;
mod operations;
mod phone;
mod practice;
mod problem;
mod sign_in;
mod survey;
#[cfg(test)]
mod testing;
mod text;
mod vocabulary;
mod wall;
mod written;

pub use assets::{Asset, CONTENT_SECURITY_POLICY, assets, embeddable};
pub use call::{NoteFault, NoteForm, Own, Refused, SelfNoteForm, call};
pub use calls::{CallLabels, CallList, CallsForm, CallsQuery, QueryFault, calls};
pub use compliance::{Compliance, Listed, Owed, PolicyInForce, Receipts, compliance, knows_remark};
pub use desk::{DeskCall, DeskCue, DeskCustomer, DeskPaths, desk, desk_fragment};
pub use figures::{
    Change, Estimate, Figures, FiguresQuery, Measure, Range, SMALLEST_GROUP, figures, figures_csv,
    for_directors, is_group_of_calls, is_group_of_cues, is_group_of_topics,
};
pub use layout::{Head, Section, Shell, page};
pub use maud::Markup;
pub use operations::{
    Alarm, Counts, Health, Host, HostState, Link, Model, Operations, Words, operations, operations_fragment,
};
pub use phone::{Phone, phone};
pub use practice::{
    PRACTICE, PracticeChoice, PracticeCue, PracticeSummary, Practising, practice, practice_fragment,
    practice_list, practice_waits,
};
pub use problem::problem;
pub use sign_in::{SignIn, SignInFault, sign_in};
pub use survey::{SurveyForm, survey, survey_thanks};
pub use text::{Language, Place, Translation, TranslationError, add_languages, template};
pub use wall::{LiveCall, WallQuery, WallView, wall, wall_fragment};
pub use written::{WRITTEN, Written, WrittenFault, WrittenForm, WrittenMessage, written};
