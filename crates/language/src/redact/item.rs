//! A piece of a number or of a code.

/// A number, or a letter in a code, from one token to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The index after its last token.
    pub(super) end: usize,
    /// Digits in ASCII, or small letters.
    pub(super) code: String,
    pub(super) form: Form,
}

/// How an item stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits.
    Written,
    /// One digit, said by itself, or several by `double four`.
    Digit,
    /// A number of several digits, said: forty one, hundertfünf.
    Compound,
    /// Letters of a code.
    Letters,
}

impl Item {
    pub(super) fn new(end: usize, code: impl Into<String>, form: Form) -> Self {
        Self { end, code: code.into(), form }
    }

    /// Digits that stand or are said one by one.
    pub(super) fn singles(&self) -> usize {
        match self.form {
            Form::Digit => self.code.len(),
            Form::Written if self.code.len() == 1 => 1,
            _ => 0,
        }
    }

    pub(super) fn is_letters(&self) -> bool {
        self.form == Form::Letters
    }

    pub(super) fn digits(&self) -> usize {
        if self.is_letters() { 0 } else { self.code.len() }
    }
}
