//! The events' words for the log.

use serde::Serialize;

/// The event schema's word for a value, for the log: one fact has one name everywhere.
pub(crate) fn word(of: &impl Serialize) -> String {
    // A value that the schema has no word for has none here.
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use sidetone_consent::Policy;
    use sidetone_events::{AnnouncementPhase, Direction};

    use super::*;

    #[test]
    fn the_log_has_the_words_of_the_events() {
        let words =
            [word(&Direction::Inbound), word(&Policy::GivenUpstream), word(&AnnouncementPhase::Started)];
        let events = ["inbound", "given-upstream", "started"];
        assert_eq!(words, events);
        assert_eq!(word(&[1]), "", "no word");
    }
}
