//! Every clip by name and language.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use sidetone_codec::Codec;

use crate::builtin;
use crate::clip::{Clip, ClipError};
use crate::config::Announcements;
use crate::encoded::{Encoded, packet_length};
use crate::playback::Voice;

/// Most encodings that are kept. A listener's SDP chooses them, so there is a bound.
const MOST_ENCODED: usize = 256;

/// All clips and their encodings.
#[derive(Debug)]
pub struct Library {
    clips: BTreeMap<(String, String), Arc<Clip>>,
    language: String,
    encoded: Mutex<HashMap<Key, Arc<Encoded>>>,
}

type Key = (String, Codec, u16);

/// A recording that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct BadClip {
    /// The announcement's name.
    pub name: String,
    /// Its language.
    pub language: String,
    /// The reason.
    pub error: ClipError,
}

/// What callers must be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// How they speak is analysed.
    Tone,
    /// What they say, too.
    Words,
}

/// What the name of a recording ends in that tells of words too: `notice-words` is played as `notice` where words are
/// recognised.
const OF_WORDS: &str = "-words";

/// The operator's recordings that are played where words are recognised, though nothing says that they tell of it: name
/// and language of each. One that tells of it has the name with `-words` behind it.
pub fn silent_about_words(config: &Announcements) -> impl Iterator<Item = (&str, &str)> {
    let languages = config.files.iter().filter(|(name, _)| !name.ends_with(OF_WORDS));
    let all = languages
        .flat_map(|(name, files)| files.keys().map(move |language| (name.as_str(), language.as_str())));
    all.filter(|(name, language)| !names_words(config, name, language))
}

fn names_words(config: &Announcements, name: &str, language: &str) -> bool {
    config.files.get(&format!("{name}{OF_WORDS}")).is_some_and(|files| files.contains_key(language))
}

/// A clip that was looked up.
#[derive(Debug, Clone)]
pub struct Found {
    /// The clip's name.
    pub name: String,
    /// The clip's language, which may differ from the requested one.
    pub language: String,
    /// The recording.
    pub clip: Arc<Clip>,
}

impl Library {
    /// Loads the recordings that come with Sidetone and the operator's replacements. `language` is the default for
    /// callers of unknown language, an RFC 5646 tag. With [`Subject::Words`] what tells of words takes the place of
    /// what does not.
    ///
    /// # Errors
    /// Every recording of the operator's that can't be used.
    pub fn load(config: &Announcements, language: &str, subject: Subject) -> Result<Self, Vec<BadClip>> {
        let mut clips = BTreeMap::new();
        let mut bad = Vec::new();
        let refused = |name: &str, language: &str, error| BadClip {
            name: name.to_owned(),
            language: language.to_owned(),
            error,
        };
        let of_words = subject == Subject::Words;
        for (name, language, about, bytes) in builtin::FILES {
            let replaced = config.files.get(*name).is_some_and(|languages| languages.contains_key(*language))
                || of_words && names_words(config, name, language);
            if !replaced && *about == subject {
                match Clip::read(&format!("{name} ({language})"), Cursor::new(*bytes), config.loudness) {
                    Ok(clip) => {
                        clips.insert(((*name).to_owned(), (*language).to_owned()), Arc::new(clip));
                    }
                    Err(error) => bad.push(refused(name, language, error)),
                }
            }
        }
        for (name, languages) in &config.files {
            for (language, path) in languages {
                match Clip::open(path, config.loudness) {
                    Ok(clip) => {
                        let clip = Arc::new(clip);
                        // In order of names, so this takes the place of the one without.
                        if let Some(plain) = name.strip_suffix(OF_WORDS).filter(|_| of_words) {
                            clips.insert((plain.to_owned(), language.clone()), Arc::clone(&clip));
                        }
                        clips.insert((name.clone(), language.clone()), clip);
                    }
                    Err(error) => bad.push(refused(name, language, error)),
                }
            }
        }
        if !bad.is_empty() {
            return Err(bad);
        }
        Ok(Self { clips, language: language.to_owned(), encoded: Mutex::default() })
    }

    /// A clip in a language; failing that in the language without its region, in the configured one, in English.
    #[must_use]
    pub fn find(&self, name: &str, language: Option<&str>) -> Option<Found> {
        let asked = language.unwrap_or(&self.language);
        let base = asked.split('-').next().unwrap_or(asked);
        [asked, base, &self.language, "en"].into_iter().find_map(|language| {
            let language = language.to_owned();
            let clip = self.clips.get(&(name.to_owned(), language.clone()))?;
            Some(Found { name: name.to_owned(), language, clip: Arc::clone(clip) })
        })
    }

    /// Names and languages of all clips.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.clips.keys().map(|(name, language)| (name.as_str(), language.as_str()))
    }

    /// A clip in each of a listener's formats that carries sound and can be encoded, in the listener's order. Missing
    /// encodings are made, which takes some milliseconds.
    #[must_use]
    pub fn voices(
        &self,
        clip: &Clip,
        formats: impl IntoIterator<Item = (u8, Codec)>,
        ptime_ms: u16,
    ) -> Vec<Voice> {
        let voice = |(payload_type, codec)| {
            Some(Voice { payload_type, encoded: self.encoded(clip, &codec, ptime_ms)? })
        };
        formats.into_iter().filter(|(_, codec)| codec.is_audio()).filter_map(voice).collect()
    }

    fn encoded(&self, clip: &Clip, codec: &Codec, ptime_ms: u16) -> Option<Arc<Encoded>> {
        let key = (clip.digest().to_owned(), *codec, packet_length(codec, ptime_ms));
        let known = || self.encoded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoded) = known().get(&key) {
            return Some(Arc::clone(encoded));
        }
        let encoded = Arc::new(Encoded::new(clip, codec, ptime_ms).ok()?);
        let mut cache = known();
        if cache.len() >= MOST_ENCODED {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&encoded));
        Some(encoded)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    fn digest(library: &Library, name: &str, language: &str) -> String {
        library.find(name, Some(language)).unwrap().clip.digest().to_owned()
    }

    fn with(files: &[(&str, &str)]) -> Announcements {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("announcements");
        let mut all: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
        for (name, file) in files {
            all.entry((*name).to_owned()).or_default().insert("en".to_owned(), folder.join(file));
        }
        Announcements { files: all, ..Announcements::default() }
    }

    #[test]
    fn where_words_are_recognised_every_language_has_an_announcement_that_says_so() {
        let config = Announcements::default();
        let tone = Library::load(&config, "en", Subject::Tone).unwrap();
        let words = Library::load(&config, "en", Subject::Words).unwrap();
        assert_eq!(tone.names().collect::<Vec<_>>(), words.names().collect::<Vec<_>>());
        for (name, language) in tone.names() {
            assert_ne!(digest(&tone, name, language), digest(&words, name, language), "{name} {language}");
        }
        assert_eq!(words.names().count(), 12);
    }

    #[test]
    fn an_operators_recording_takes_its_place_and_is_asked_whether_it_says_so() {
        let own = with(&[("notice", "pt/notice.opus")]);
        let of = |config: &Announcements, subject| {
            digest(&Library::load(config, "en", subject).unwrap(), "notice", "en")
        };
        assert_eq!(of(&own, Subject::Words), of(&own, Subject::Tone));
        assert_eq!(silent_about_words(&own).collect::<Vec<_>>(), [("notice", "en")]);
        let both = with(&[("notice", "pt/notice.opus"), ("notice-words", "it/notice-words.opus")]);
        assert_ne!(of(&both, Subject::Words), of(&both, Subject::Tone));
        assert_eq!(of(&both, Subject::Tone), of(&own, Subject::Tone));
        assert_eq!(silent_about_words(&both).count(), 0);
        // The one with words alone leaves the other as it comes along.
        let alone = with(&[("notice-words", "it/notice-words.opus")]);
        assert_eq!(of(&alone, Subject::Words), of(&both, Subject::Words));
        assert_eq!(of(&alone, Subject::Tone), of(&Announcements::default(), Subject::Tone));
    }
}
