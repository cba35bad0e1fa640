//! What is taken out of a text, and what the text is then.

use std::ops::Range;

/// What was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A date of birth.
    Birth,
    /// A postal address or a postcode.
    Address,
    /// A number of a passport, social insurance, tax.
    Id,
    /// A password, PIN or card verification value.
    Secret,
    /// Another number: of an account, an order, or not known of what.
    Number,
    /// A person's name.
    Name,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Card,
        Self::Iban,
        Self::Phone,
        Self::Email,
        Self::Birth,
        Self::Address,
        Self::Id,
        Self::Secret,
        Self::Number,
        Self::Name,
    ];

    /// What stands in the text in its place: `[card]`.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Card => "[card]",
            Self::Iban => "[iban]",
            Self::Phone => "[phone]",
            Self::Email => "[email]",
            Self::Birth => "[birth]",
            Self::Address => "[address]",
            Self::Id => "[id]",
            Self::Secret => "[secret]",
            Self::Number => "[number]",
            Self::Name => "[name]",
        }
    }

    /// The name without its brackets.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.placeholder().trim_matches(['[', ']'])
    }
}

/// A text without what identifies a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redacted {
    /// The text, with placeholders.
    pub text: String,
    /// What was taken out, in the order of the text. Placeholders that stood in the text before are none of them.
    pub spans: Vec<Span>,
}

/// One thing that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it was.
    pub kind: Kind,
    /// Its bytes in the text that was given.
    pub from: Range<usize>,
    /// The placeholder's bytes in the redacted text.
    pub to: Range<usize>,
}
