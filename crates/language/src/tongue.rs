//! The languages whose words this crate's rules know.

/// A language of the rules that read text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, of any country.
    English,
    /// German.
    German,
    /// Not known, or mixed: the rules of every language apply. Errs further on the safe side.
    #[default]
    Any,
}

impl Language {
    /// The language of a tag as in BCP 47: `en-GB`, `de`. Another one's text is read by the rules of all.
    ///
    /// ```
    /// use sidetone_language::tongue::Language;
    /// assert_eq!(Language::of_tag("de-AT"), Language::German);
    /// assert_eq!(Language::of_tag("fr"), Language::Any);
    /// ```
    #[must_use]
    pub fn of_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("en") {
            Self::English
        } else if primary.eq_ignore_ascii_case("de") {
            Self::German
        } else {
            Self::Any
        }
    }

    /// Whether English rules apply.
    #[must_use]
    pub const fn has_english(self) -> bool {
        matches!(self, Self::English | Self::Any)
    }

    /// Whether German rules apply.
    #[must_use]
    pub const fn has_german(self) -> bool {
        matches!(self, Self::German | Self::Any)
    }
}

/// Whether two tags as in BCP 47 name the same language, whatever country they name: `de` and `de-AT`.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    primary(one) == primary(other)
}

/// The language that a text was found to be in.
impl From<crate::text::Tongue> for Language {
    fn from(tongue: crate::text::Tongue) -> Self {
        match tongue {
            crate::text::Tongue::English => Self::English,
            crate::text::Tongue::German => Self::German,
            crate::text::Tongue::Other => Self::Any,
        }
    }
}
