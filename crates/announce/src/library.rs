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
    /// callers of unknown language, an RFC 5646 tag.
    ///
    /// # Errors
    /// Every recording of the operator's that can't be used.
    pub fn load(config: &Announcements, language: &str) -> Result<Self, Vec<BadClip>> {
        let mut clips = BTreeMap::new();
        let mut bad = Vec::new();
        let refused = |name: &str, language: &str, error| BadClip {
            name: name.to_owned(),
            language: language.to_owned(),
            error,
        };
        for (name, language, bytes) in builtin::FILES {
            let replaced = config.files.get(*name).is_some_and(|languages| languages.contains_key(*language));
            if !replaced {
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
                        clips.insert((name.clone(), language.clone()), Arc::new(clip));
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
