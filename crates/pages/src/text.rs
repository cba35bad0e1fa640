//! Texts, one file a language.

mod de;
mod declared;
mod en;

pub(crate) use declared::{CoachingTexts, ComplianceTexts, OperationsTexts, PhoneTexts, SurveyTexts, Texts};

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::En => &en::TEXTS,
            Self::De => &de::TEXTS,
        }
    }

    pub(crate) fn compliance(self) -> &'static ComplianceTexts {
        match self {
            Self::En => &en::compliance::TEXTS,
            Self::De => &de::compliance::TEXTS,
        }
    }

    pub(crate) fn coaching(self) -> &'static CoachingTexts {
        match self {
            Self::En => &en::coaching::TEXTS,
            Self::De => &de::coaching::TEXTS,
        }
    }

    pub(crate) fn operations(self) -> &'static OperationsTexts {
        match self {
            Self::En => &en::operations::TEXTS,
            Self::De => &de::operations::TEXTS,
        }
    }

    pub(crate) fn phone(self) -> &'static PhoneTexts {
        match self {
            Self::En => &en::phone::TEXTS,
            Self::De => &de::phone::TEXTS,
        }
    }

    pub(crate) fn survey(self) -> &'static SurveyTexts {
        match self {
            Self::En => &en::survey::TEXTS,
            Self::De => &de::survey::TEXTS,
        }
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
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(code.trim()))
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
            let of = |language: Language| {
                [
                    language.texts().all(),
                    language.coaching().all(),
                    language.operations().all(),
                    language.compliance().all(),
                    language.phone().all(),
                    language.survey().all(),
                ]
                .concat()
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
