//! Bodies of the fuzz targets, which also run as tests.

use std::path::Path;

use crate::list::List;
use crate::log::line::Line;
use crate::numbering::Numbering;
use crate::page::Language;
use crate::policy::Dialled;
use crate::{Telling, receipt::Receipt};

/// A line of the log: an accepted line has a right hash, and any change to it is detected.
pub fn line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(line) = Line::read(&text) {
        assert_eq!(line.text, text);
        let changed = text.replacen(&line.previous, &"f".repeat(64), 1);
        assert!(changed == text || Line::read(&changed).is_err());
    }
    if let Ok(receipt) = serde_json::from_slice::<Receipt>(data) {
        let _ = receipt.to_string();
    }
}

/// The list's file: a file that is accepted can look numbers up.
pub fn list(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for key in [None, Some(&b"key"[..])] {
        if let Ok(list) = List::read(Path::new("list"), &text, key, &Numbering::default()) {
            let _ = list.look_up("+49301234567");
        }
    }
}

/// A number in any spelling: its readings are few, distinct and not empty, and the first is the stored one.
pub fn number(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for country in [None, Some("49".to_owned()), Some("1".to_owned())] {
        let numbering = Numbering { country, ..Numbering::default() };
        let readings = numbering.readings(&text);
        assert!(readings.len() <= 4);
        assert_eq!(numbering.canonical(&text), readings.first().cloned());
        for (index, reading) in readings.iter().enumerate() {
            assert!(!reading.is_empty() && !readings.iter().skip(index + 1).any(|other| other == reading));
        }
    }
    if let Ok(dialled) = text.parse::<Dialled>() {
        let _ = dialled.matches(&text);
    }
}

/// Statements in headers or variables, and a browser's Accept-Language.
pub fn told(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (name, value) = text.split_once(':').unwrap_or((&text, ""));
    if let Ok(
        Telling::Queue(text)
        | Telling::Tier(text)
        | Telling::Agent(text)
        | Telling::Team(text)
        | Telling::CallType(text)
        | Telling::Language(text),
    ) = Telling::parse(name, value)
    {
        assert!(text.parse::<sidetone_call::Label>().is_ok());
        assert!(text.chars().count() <= Telling::LONGEST && !text.chars().any(char::is_control));
    }
    let _ = Language::choose(Some(name), Some(value), Language::English);
}
