//! Texts: English and German come along, and each further language is one file.

mod de;
mod declared;
mod en;
mod plural;
mod translation;

use std::sync::OnceLock;

pub(crate) use declared::{CoachingTexts, ComplianceTexts, OperationsTexts, PhoneTexts, SurveyTexts, Texts};
pub(crate) use plural::form;
pub use translation::{Translation, TranslationError, template};

/// Declares everything that is said in one language: each table of texts by its name in a file.
macro_rules! spoken {
    ($($name:ident: $texts:ident),+ $(,)?) => {
        /// Everything that is said in one language.
        #[derive(Debug)]
        struct Spoken { $($name: &'static $texts),+ }

        impl Spoken {
            /// Each table by its name, with its texts by theirs.
            fn tables(&self) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
                vec![$((stringify!($name), self.$name.all())),+]
            }

            /// The same with another text in place of each: `of` is told table, name and text.
            fn each(&self, of: &mut dyn FnMut(&'static str, &'static str, &'static str) -> &'static str) -> Self {
                Self {
                    $($name: Box::leak(Box::new(
                        self.$name.each(&mut |name, text| of(stringify!($name), name, text)),
                    ))),+
                }
            }
        }
    };
}

spoken! {
    pages: Texts, operations: OperationsTexts, compliance: ComplianceTexts, coaching: CoachingTexts,
    phone: PhoneTexts, survey: SurveyTexts,
}

static EN: Spoken = Spoken {
    pages: &en::TEXTS,
    operations: &en::operations::TEXTS,
    compliance: &en::compliance::TEXTS,
    coaching: &en::coaching::TEXTS,
    phone: &en::phone::TEXTS,
    survey: &en::survey::TEXTS,
};

static DE: Spoken = Spoken {
    pages: &de::TEXTS,
    operations: &de::operations::TEXTS,
    compliance: &de::compliance::TEXTS,
    coaching: &de::coaching::TEXTS,
    phone: &de::phone::TEXTS,
    survey: &de::survey::TEXTS,
};

/// The languages of files, in the order in which they were added. Pages are made anywhere in the process and a reader's
/// language is chosen by each request's header, so they are the process's own.
static ADDED: OnceLock<Vec<&'static Spoken>> = OnceLock::new();

/// Adds languages to those that come along; to be called once, before the first page is made. Whether they were added:
/// a later call changes nothing.
pub fn add_languages(languages: Vec<Translation>) -> bool {
    let mut first = false;
    ADDED.get_or_init(|| {
        first = true;
        languages.into_iter().map(Translation::spoken).collect()
    });
    first
}

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
    /// One of those that were added.
    Added(Place),
}

/// The place of a language among those that were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(usize);

impl Language {
    /// Those that come along.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// Each language: those that come along, and those that were added.
    pub fn every() -> impl Iterator<Item = Self> {
        let added = ADDED.get().map_or(0, Vec::len);
        Self::ALL.into_iter().chain((0..added).map(|place| Self::Added(Place(place))))
    }

    fn spoken(self) -> &'static Spoken {
        match self {
            Self::En => &EN,
            Self::De => &DE,
            Self::Added(Place(place)) => {
                ADDED.get().and_then(|added| added.get(place)).copied().unwrap_or(&EN)
            }
        }
    }

    pub(crate) fn texts(self) -> &'static Texts {
        self.spoken().pages
    }

    pub(crate) fn compliance(self) -> &'static ComplianceTexts {
        self.spoken().compliance
    }

    pub(crate) fn coaching(self) -> &'static CoachingTexts {
        self.spoken().coaching
    }

    pub(crate) fn operations(self) -> &'static OperationsTexts {
        self.spoken().operations
    }

    pub(crate) fn phone(self) -> &'static PhoneTexts {
        self.spoken().phone
    }

    pub(crate) fn survey(self) -> &'static SurveyTexts {
        self.spoken().survey
    }

    /// Its code of BCP 47.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.texts().code
    }

    /// The language of a code such as `de` or `de-AT`.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.split('-').next().unwrap_or_default();
        Self::every().find(|language| language.code().eq_ignore_ascii_case(code.trim()))
    }

    /// The first language of an Accept-Language (RFC 9110, 12.5.4) that the pages speak, by its weights; else English.
    #[must_use]
    pub fn from_accept_language(header: &str) -> Self {
        let mut best: Option<(f64, Self)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Self::parse) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
            if weight > best.map_or(0.0, |(best, _)| best) {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::En, |(_, language)| language)
    }
}

/// The text with each `{}` replaced by the next of these.
pub(crate) fn fill(text: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text_with_the_same_places_for_values() {
        for language in Language::ALL {
            let of = |language: Language| -> Vec<_> {
                language.spoken().tables().into_iter().flat_map(|(_, texts)| texts).collect()
            };
            for ((name, text), (_, english)) in of(language).iter().zip(of(Language::En)) {
                assert!(!text.is_empty(), "{name}");
                assert_eq!(text.matches("{}").count(), english.matches("{}").count(), "{name}");
                assert!(!text.contains('<') && !text.contains("  "), "{name}");
            }
        }
        assert_eq!(Language::De.texts().months.split(' ').count(), 12);
        assert_eq!(Language::En.texts().months.split(' ').count(), 12);
    }

    /// This test has the process to itself, or is the only one that adds languages.
    #[test]
    fn a_language_that_is_added_is_spoken_like_those_that_come_along() {
        let file = template(Language::De)
            .replace("code = \"de\"", "code = \"gsw\"")
            .replace("language_name = \"Deutsch\"", "language_name = \"Schwyzerdütsch\"");
        assert_eq!(Language::parse("gsw"), None);
        assert!(add_languages(vec![Translation::read(&file).unwrap()]));
        let added = Language::parse("gsw-CH").unwrap();
        assert_eq!(Language::every().collect::<Vec<_>>(), [Language::En, Language::De, added]);
        assert_eq!((added.code(), added.texts().language_name), ("gsw", "Schwyzerdütsch"));
        assert_eq!(Language::from_accept_language("gsw, de;q=0.9"), added);
        assert!(!add_languages(Vec::new()));
    }

    #[test]
    fn a_browser_gets_the_language_that_it_asks_for() {
        assert_eq!(Language::from_accept_language("de-DE,de;q=0.9,en;q=0.8"), Language::De);
        assert_eq!(Language::from_accept_language("fr, en;q=0.2, de;q=0.7"), Language::De);
        assert_eq!(Language::from_accept_language("de;q=0, *"), Language::En);
        assert_eq!(Language::from_accept_language(&",".repeat(100_000)), Language::En);
        assert_eq!(Language::parse("DE-at"), Some(Language::De));
        assert_eq!(Language::parse("../de"), None);
    }
}
