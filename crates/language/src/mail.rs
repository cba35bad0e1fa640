//! What somebody wrote in an e-mail or a chat, without what their program added: quoted replies, headers, signatures,
//! disclaimers. HTML is made plain first.
//!
//! ```
//! use sidetone_language::mail::strip;
//!
//! let mail = "Please cancel my order.\n\nBest regards\nJane\n\nOn Mon, 3 May 2027, Support wrote:\n> Hello Jane,\n";
//! assert_eq!(strip(mail), "Please cancel my order.");
//! ```
//!
//! Lines are dropped, none is changed, and their order stays. What stands below a quote, line by line marked with `>`,
//! is an answer and stays too. Nothing is taken for a signature that begins the text. Time is linear in the length.

use std::borrow::Cow;

mod html;
mod lines;

pub use html::plain;

/// The longest text that is read, in bytes: the rest of a longer one is left out.
pub const LONGEST: usize = 1 << 20;

/// The words of the writer alone. HTML is recognised by its first tag.
#[must_use]
pub fn strip(text: &str) -> Cow<'_, str> {
    let text = text.get(..floor(text, LONGEST)).unwrap_or_default();
    if html::is_html(text) {
        let plain = html::text(text, true);
        return Cow::Owned(lines::strip(&plain).into_owned());
    }
    lines::strip(text)
}

/// The last boundary of characters that is not beyond `most`.
fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
