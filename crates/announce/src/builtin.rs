//! The announcements that come with Sidetone. `announcements/manifest.toml` says who speaks them, and how they were
//! made.

macro_rules! files {
    ($($language:literal),*) => {
        &[$(
            ("notice", $language, include_bytes!(concat!("../announcements/", $language, "/notice.opus"))),
            ("opt-in", $language, include_bytes!(concat!("../announcements/", $language, "/opt-in.opus"))),
        )*]
    };
}

/// Name, language, file.
pub(crate) const FILES: &[(&str, &str, &[u8])] = files!("en", "de", "es", "fr", "it", "pt");
