//! `http.languages`: files of texts, a language each.

use std::fs;
use std::io::{self, Read};

use sidetone_pages::{Translation, TranslationError};

use super::Http;

/// Most languages that are added.
const MOST: usize = 32;
/// Bytes that are read of a file; one that has more is refused by what reads it.
const READ: u64 = 1024 * 1024;

/// Why a language can't be added.
#[derive(Debug, thiserror::Error)]
pub enum LanguagesError {
    /// Its file can't be read.
    #[error("{file} can't be read: {why}; name a file that Sidetone's user may read")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: io::Error,
    },
    /// What stands there is no file.
    #[error("{file} is no file; name one, as `sidetone texts` prints it, translated")]
    NoFile {
        /// The path.
        file: String,
    },
    /// Its file has a fault.
    #[error("{file}, {fault}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, and in which line.
        fault: Box<TranslationError>,
    },
    /// Two files have the same language.
    #[error("{file} has the language `{code}`, which a file before it has; name one of them")]
    Twice {
        /// The second file.
        file: String,
        /// The language's code.
        code: String,
    },
    /// There are too many.
    #[error("names more than {MOST} files")]
    TooMany,
}

impl Http {
    /// The languages of the files, and what a start should warn of: texts that are shown in English.
    ///
    /// # Errors
    /// What is wrong with a file, with its line and the remedy.
    pub fn load_languages(&self) -> Result<(Vec<Translation>, Vec<String>), LanguagesError> {
        if self.languages.len() > MOST {
            return Err(LanguagesError::TooMany);
        }
        let (mut read, mut warnings) = (Vec::<Translation>::new(), Vec::new());
        for path in &self.languages {
            let file = path.display().to_string();
            let unreadable = |why| LanguagesError::Unreadable { file: file.clone(), why };
            // A pipe or a device might never end.
            if !fs::metadata(path).map_err(unreadable)?.is_file() {
                return Err(LanguagesError::NoFile { file });
            }
            let mut text = String::new();
            fs::File::open(path)
                .and_then(|it| it.take(READ).read_to_string(&mut text))
                .map_err(unreadable)?;
            let language = Translation::read(&text)
                .map_err(|fault| LanguagesError::File { file: file.clone(), fault: Box::new(fault) })?;
            let code = language.code().to_owned();
            if read.iter().any(|other| other.code() == code) {
                return Err(LanguagesError::Twice { file, code });
            }
            if let [first, ..] = language.missing() {
                let many = language.missing().len();
                warnings.push(format!(
                    "{file} lacks {many} texts, which are shown in English: {first} is the first; \
                     `sidetone texts` prints all"
                ));
            }
            read.push(language);
        }
        Ok((read, warnings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let texts = |code: &str| {
            let german = sidetone_pages::template(sidetone_pages::Language::De);
            german.replace("code = \"de\"", &format!("code = \"{code}\""))
        };
        let (whole, other) = (file("a.toml", &texts("gsw")), file("b.toml", &texts("nds")));
        let part = file("c.toml", "[pages]\ncode = \"fr\"\nlanguage_name = \"Français\"\n");
        let of = |languages: &[&std::path::PathBuf]| {
            let languages = languages.iter().map(|path| (*path).clone()).collect();
            Http { languages, ..Http::default() }.load_languages()
        };
        let (read, warnings) = of(&[&whole, &other, &part]).unwrap();
        assert_eq!(read.iter().map(Translation::code).collect::<Vec<_>>(), ["gsw", "nds", "fr"]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("c.toml lacks") && warnings[0].contains("pages.writing is the first"));
        let wrong = file("d.toml", "[pages]\ncode = \"fr\"\nlive = \"<b>\"\n");
        let gone = folder.path().join("gone.toml");
        let here = folder.path().to_path_buf();
        for (files, told) in [
            ([&whole, &whole], "gsw"),
            ([&whole, &wrong], "d.toml, line 3: `pages.live`"),
            ([&whole, &gone], "gone.toml can't be read"),
            ([&whole, &here], "is no file"),
        ] {
            let said = of(&files).unwrap_err().to_string();
            assert!(said.contains(told), "{said}");
        }
        assert!(matches!(of(&[&whole; MOST + 1]), Err(LanguagesError::TooMany)));
    }
}
