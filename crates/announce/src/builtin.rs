//! The announcements that come with Sidetone. `announcements/manifest.toml` says who speaks them, and how they were
//! made.

macro_rules! files {
    ($($language:literal),*) => {
        &[$(
            ("notice", $language, Subject::Tone, file!($language, "/notice.opus")),
            ("opt-in", $language, Subject::Tone, file!($language, "/opt-in.opus")),
            ("notice", $language, Subject::Words, file!($language, "/notice-words.opus")),
            ("opt-in", $language, Subject::Words, file!($language, "/opt-in-words.opus")),
        )*]
    };
}
macro_rules! file {
    ($language:literal, $name:literal) => {
        include_bytes!(concat!("../announcements/", $language, $name))
    };
}

use crate::library::Subject;

/// Name, language, what it tells of, file.
pub(crate) const FILES: &[(&str, &str, Subject, &[u8])] = files!("en", "de", "es", "fr", "it", "pt");
