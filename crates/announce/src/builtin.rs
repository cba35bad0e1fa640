//! The announcements that come with Sidetone.

/// Name, language, file.
pub(crate) const FILES: &[(&str, &str, &[u8])] = &[];
