//! The dialog that a call takes the place of (RFC 3891).

use std::fmt;

/// The longest name of a call, or of whom to call, that is told, in characters.
pub(super) const LONGEST: usize = 256;

/// The dialog that a value of Replaces names (RFC 3891 §3): a Call-ID is known to many, its tags to the parties alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub(super) call_id: String,
    /// Both tags, in the order of the alphabet: which party's is which depends on whom the header is meant for.
    pub(super) tags: [String; 2],
}

impl Replaced {
    /// Reads a value of Replaces, each part cut off at a few hundred characters.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let cut = |part: &str| part.trim().chars().take(LONGEST).collect::<String>();
        let mut parts = value.split(';');
        let call_id = cut(parts.next().unwrap_or_default());
        let mut tags = [String::new(), String::new()];
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            let [to, from] = &mut tags;
            match name.trim() {
                name if name.eq_ignore_ascii_case("to-tag") => *to = cut(value),
                name if name.eq_ignore_ascii_case("from-tag") => *from = cut(value),
                _ => {}
            }
        }
        tags.sort_unstable();
        Self { call_id, tags }
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.tags;
        write!(f, "{} ({one}, {other})", self.call_id)
    }
}
