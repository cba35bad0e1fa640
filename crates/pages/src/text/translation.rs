//! A further language out of one file: the texts of [`template`], translated.

use std::collections::BTreeMap;
use std::fmt::Write;

use toml::Spanned;

use super::{EN, Language, Spoken, plural};

/// The largest file, in bytes: some ten times the English one.
const LARGEST: usize = 512 * 1024;
/// The longest text, in bytes.
const LONGEST: usize = 4_000;

/// A language that was read from a file.
#[derive(Debug, Clone)]
pub struct Translation {
    code: String,
    /// By table and name.
    texts: BTreeMap<(&'static str, &'static str), String>,
    missing: Vec<String>,
}

/// What is wrong with a file of texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranslationError {
    /// It is no TOML of tables with texts.
    #[error("line {line}: {message}")]
    Toml {
        /// The line, from 1 on.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A text that no page has.
    #[error("line {line}: no page has a text `{key}`; `sidetone texts` prints all")]
    Unknown {
        /// The line, from 1 on.
        line: usize,
        /// Its table and name.
        key: String,
    },
    /// A text can't be shown as it is.
    #[error("line {line}: `{key}` must {must}")]
    Unfit {
        /// The line, from 1 on.
        line: usize,
        /// Its table and name.
        key: String,
        /// What it must be.
        must: String,
    },
    /// It is larger than any such file.
    #[error("has more than {LARGEST} bytes")]
    Large,
    /// A text that can't be left out.
    #[error("`{0}` is missing: it names the language")]
    Unnamed(&'static str),
}

type File = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<String>>>;

impl Translation {
    /// Reads a language. What it lacks is shown in English.
    ///
    /// # Errors
    /// What is wrong with the file, and in which line.
    pub fn read(toml: &str) -> Result<Self, TranslationError> {
        if toml.len() > LARGEST {
            return Err(TranslationError::Large);
        }
        let mut file: File = toml::from_str(toml).map_err(|error| TranslationError::Toml {
            line: line_at(toml, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let (mut texts, mut missing) = (BTreeMap::new(), Vec::new());
        let rule = plural_rule(&file).unwrap_or(EN.pages.plural).to_owned();
        for (table, english) in EN.tables() {
            let mut its = take(&mut file, table).unwrap_or_default();
            for (name, english) in english {
                let key = format!("{table}.{name}");
                let Some(text) = take(&mut its, name) else {
                    missing.push(key);
                    continue;
                };
                if let Err(must) = fit(&key, text.get_ref(), english, &rule) {
                    return Err(TranslationError::Unfit {
                        line: line_at(toml, text.span().start),
                        key,
                        must,
                    });
                }
                texts.insert((table, name), text.into_inner());
            }
            if let Some(name) = its.into_keys().next() {
                let key = format!("{table}.{}", name.get_ref());
                return Err(TranslationError::Unknown { line: line_at(toml, name.span().start), key });
            }
        }
        if let Some(table) = file.into_keys().next() {
            let (line, key) = (line_at(toml, table.span().start), table.into_inner());
            return Err(TranslationError::Unknown { line, key });
        }
        let Some(code) = texts.get(&("pages", "code")).cloned() else {
            return Err(TranslationError::Unnamed("pages.code"));
        };
        if !texts.contains_key(&("pages", "language_name")) {
            return Err(TranslationError::Unnamed("pages.language_name"));
        }
        Ok(Self { code, texts, missing })
    }

    /// Its code, as `fr`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The texts that it lacks, by table and name.
    #[must_use]
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The language, for as long as the process runs.
    pub(super) fn spoken(mut self) -> &'static Spoken {
        let rule = self.texts.get(&("pages", "plural")).map_or(EN.pages.plural, String::as_str).to_owned();
        let mut of = |table: &'static str, name: &'static str, english: &'static str| -> &'static str {
            match self.texts.remove(&(table, name)) {
                Some(text) => Box::leak(text.into_boxed_str()),
                None if english.contains(plural::BETWEEN) => {
                    Box::leak(plural::english(&rule, english).into_boxed_str())
                }
                None => english,
            }
        };
        Box::leak(Box::new(EN.each(&mut of)))
    }
}

/// The rule of a file by which counts have their forms.
fn plural_rule(file: &File) -> Option<&str> {
    let of = |name: &'static str| move |key: &&Spanned<String>| key.get_ref() == name;
    let pages = file.get(file.keys().find(of("pages"))?)?;
    Some(pages.get(pages.keys().find(of("plural"))?)?.get_ref())
}

/// Takes what stands under a name out of a table.
fn take<T>(table: &mut BTreeMap<Spanned<String>, T>, name: &str) -> Option<T> {
    let key = table.keys().find(|key| key.get_ref() == name).cloned()?;
    table.remove(&key)
}

/// Whether a text can take the place of the English one; else what it must be.
fn fit(key: &str, text: &str, english: &str, rule: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("have 1 to {LONGEST} bytes"));
    }
    if text.chars().any(|letter| letter == '<' || sidetone_call::misleads(letter)) {
        return Err(
            "have no `<`, no control character and none that turns the direction of writing".to_owned()
        );
    }
    if english.contains(plural::BETWEEN) {
        return fit_counted(text, english, rule);
    }
    let places = english.matches("{}").count();
    if text.matches("{}").count() != places {
        return Err(format!("have {places} places `{{}}` for values, as the English one: {english}"));
    }
    let is_fit = match key {
        "pages.code" => {
            (2..=3).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_lowercase())
                && Language::ALL.iter().all(|language| language.code() != text)
        }
        "pages.writing" => matches!(text, "ltr" | "rtl"),
        "pages.plural" => {
            return plural::check(text).map_err(|fault| format!("be a rule as CLDR has it: {fault}"));
        }
        "pages.months" => text.split(' ').filter(|month| !month.is_empty()).count() == 12,
        "pages.date" => ["{day}", "{month}", "{year}"].iter().all(|part| text.matches(part).count() == 1),
        "pages.decimal" | "pages.thousands" => text.chars().count() == 1,
        _ => true,
    };
    let must = match key {
        "pages.code" => "be a language's code of two or three letters, as fr, and none that comes along",
        "pages.writing" => "be ltr or rtl: from left to right, or from right to left",
        "pages.months" => "have twelve months with a space between them",
        "pages.date" => "have {day}, {month} and {year} once each",
        _ => "be one character",
    };
    if is_fit { Ok(()) } else { Err(must.to_owned()) }
}

/// Whether a text has a form for each plural category of its language, each with the count once at most: "once" needs
/// none.
fn fit_counted(text: &str, english: &str, rule: &str) -> Result<(), String> {
    let forms: Vec<&str> = text.split(plural::BETWEEN).collect();
    let wanted = plural::forms(rule);
    if forms.len() != wanted || forms.iter().any(|form| form.trim().is_empty()) {
        return Err(format!(
            "have {wanted} forms with `{}` between them, one for each category of `pages.plural` and one for the other \
             counts, as the English one: {english}",
            plural::BETWEEN
        ));
    }
    if forms.iter().any(|form| form.matches("{}").count() > 1) {
        return Err("have the place `{}` for the count once in a form".to_owned());
    }
    Ok(())
}

fn line_at(toml: &str, byte: usize) -> usize {
    toml.get(..byte).unwrap_or_default().matches('\n').count() + 1
}

/// The texts of a language as a file to translate.
#[must_use]
pub fn template(language: Language) -> String {
    let mut toml = String::from(
        "# The texts of Sidetone's pages. `{}` stands for a value: each text has as many as here. What is left out is\n\
         # shown in English. `writing` is ltr or rtl. `plural` is the language's rule for counts, as CLDR has it: those of\n\
         # zero, one, two, few and many that there are. Texts with ` | ` have a form for each, and a last one for others.\n",
    );
    for (name, texts) in language.spoken().tables() {
        let _ = write!(toml, "\n[{name}]\n");
        for (key, text) in texts {
            let _ = writeln!(toml, "{key} = {}", toml::Value::from(text));
        }
    }
    toml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::counted;

    fn french() -> String {
        let mut file = template(Language::En).replace("code = \"en\"", "code = \"fr\"");
        for (english, french) in [
            ("language_name = \"English\"", "language_name = \"Français\""),
            ("calls = \"Calls\"", "calls = \"Appels\""),
        ] {
            assert!(file.contains(english), "{english}");
            file = file.replace(english, french);
        }
        file
    }

    #[test]
    fn a_whole_file_is_a_language() {
        let read = Translation::read(&french()).unwrap();
        assert_eq!((read.code(), read.missing()), ("fr", &[] as &[String]));
        let read = read.spoken();
        assert_eq!(read.pages.calls, "Appels");
        assert_eq!(read.pages.figures, "Figures");
        assert_eq!(read.survey.title, EN.survey.title);
        let german = template(Language::De).replace("code = \"de\"", "code = \"gsw\"");
        assert_eq!(
            Translation::read(&german).unwrap().spoken().compliance.title,
            Language::De.compliance().title
        );
    }

    /// Polish has three forms for whole numbers, and one for what is none.
    #[test]
    fn a_language_has_as_many_forms_of_a_count_as_its_rule() {
        let mut polish = template(Language::En);
        for (english, translated) in [
            ("code = \"en\"", "code = \"pl\""),
            (
                "plural = \"one: i = 1 and v = 0\"",
                "plural = \"one: i = 1 and v = 0; few: v = 0 and i % 10 = 2..4 and i % 100 != 12..14; \
                 many: v = 0 and i != 1 and i % 10 = 0..1 or v = 0 and i % 10 = 5..9 or v = 0 and i % 100 = 12..14\"",
            ),
            ("{} call up | {} calls up", "{} rozmowa | {} rozmowy | {} rozmów | {} rozmowy"),
        ] {
            assert!(polish.contains(english), "{english}");
            polish = polish.replacen(english, translated, 1);
        }
        // The other counted texts still have two forms.
        let fault = Translation::read(&polish).unwrap_err().to_string();
        assert!(fault.contains("must have 4 forms"), "{fault}");
        let others = ["need_now", "more_up", "held_times"];
        let kept =
            polish.lines().filter(|line| !others.iter().any(|it| line.starts_with(&format!("{it} ="))));
        let spoken = Translation::read(&kept.collect::<Vec<_>>().join("\n")).unwrap().spoken();
        let up = |count| counted(spoken.pages, count, spoken.pages.up);
        assert_eq!(
            [1, 3, 5, 12, 22].map(up),
            ["1 rozmowa", "3 rozmowy", "5 rozmów", "12 rozmów", "22 rozmowy"]
        );
        // What is shown in English has English forms.
        assert_eq!(counted(spoken.pages, 2, spoken.pages.held_times), "Put on hold 2 times.");
    }

    #[test]
    fn what_is_left_out_is_english_and_told() {
        let few = "[pages]\ncode = \"fr\"\nlanguage_name = \"Français\"\ncalls = \"Appels\"\n";
        let read = Translation::read(few).unwrap();
        assert!(read.missing().contains(&"pages.live".to_owned()));
        assert!(!read.missing().contains(&"pages.calls".to_owned()));
        let read = read.spoken();
        assert_eq!((read.pages.calls, read.pages.live), ("Appels", "Live"));
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_remedy() {
        let of = |from: &str, to: &str| {
            let file = french();
            assert!(file.contains(from), "{from}");
            Translation::read(&file.replacen(from, to, 1)).unwrap_err().to_string()
        };
        for (from, to, told) in [
            ("code = \"fr\"", "code = \"de\"", "line 6: `pages.code` must be a language's code"),
            ("code = \"fr\"", "code = \"../fr\"", "`pages.code` must"),
            ("code = \"fr\"\n", "", "`pages.code` is missing"),
            ("live = \"Live\"", "life = \"Vie\"", "no page has a text `pages.life`"),
            ("live = \"Live\"", "live = \"<b>Vie</b>\"", "have no `<`"),
            ("live = \"Live\"", "live = \"Vie\u{202e}\"", "turns the direction"),
            ("live = \"Live\"", "live = \"\"", "1 to 4000 bytes"),
            ("live = \"Live\"", "live = \"{}\"", "`pages.live` must have 0 places `{}`"),
            ("live = \"Live\"", "live = 3", "line 1"),
            ("percent = \"{}%\"", "percent = \"%\"", "1 places `{}`"),
            ("decimal = \".\"", "decimal = \"..\"", "one character"),
            ("writing = \"ltr\"", "writing = \"up\"", "ltr or rtl"),
            (
                "plural = \"one: i = 1 and v = 0\"",
                "plural = \"one: i is 1\"",
                "be a rule as CLDR has it: `i is 1`",
            ),
            ("plural = \"one: i = 1 and v = 0\"", "plural = \"other\"", "have 1 forms"),
            ("{} call up | {} calls up", "{} call up", "have 2 forms with ` | ` between them"),
            ("{} call up | {} calls up", "{} call up | {} of {} calls up", "once in a form"),
            (" Dec\"", "\"", "twelve months"),
            ("{day} ", "", "{day}, {month} and {year}"),
            ("[survey]", "[surveys]", "surveys"),
        ] {
            let said = of(from, to);
            assert!(said.contains(told), "{to}: {said}");
        }
        assert_eq!(Translation::read(&"#\n".repeat(LARGEST)).unwrap_err(), TranslationError::Large);
    }
}
