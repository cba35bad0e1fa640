//! Table headers with a wrong name.

use std::collections::HashMap;

use toml::de::DeTable;

/// The header of the table with that path: `pbx.0.ami` stands below `[pbx.ami]`.
pub(super) fn of(path: &str) -> String {
    path.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// The text with an unknown table renamed to `meant`, or left out where that is impossible; each line keeps its number.
/// `None` if neither leaves a parsable text.
pub(super) fn read_on(text: &str, path: &str, meant: Option<&str>) -> Option<String> {
    let wrong = of(path);
    let renamed = meant.map(|meant| {
        let right =
            wrong.rsplit_once('.').map_or_else(|| meant.to_owned(), |(above, _)| format!("{above}.{meant}"));
        rewritten(text, &wrong, Some(&right))
    });
    let readable = |text: &String| !text.is_empty() && DeTable::parse(text).is_ok();
    let others = |renamed: &String| renamed != text;
    renamed
        .filter(readable)
        .filter(others)
        .or_else(|| Some(rewritten(text, &wrong, None)).filter(readable).filter(others))
}

/// The key that begins at `at`, in a text that can't be parsed whole: `trunk.0.name` in the first `[[trunk]]`.
pub(super) fn key_at(text: &str, at: usize) -> Option<String> {
    let word = text.get(at..)?.split(|c: char| c.is_whitespace() || "=]".contains(c)).next()?;
    if word.is_empty() {
        return None;
    }
    let before = text.get(..at)?;
    let begun = before.rsplit('\n').next().unwrap_or_default().trim_start();
    if begun.starts_with('[') {
        return Some(format!("{}{word}", begun.trim_start_matches('[')));
    }
    let mut table = String::new();
    let mut entries: HashMap<&str, usize> = HashMap::new();
    for line in before.lines().map(str::trim).filter(|line| line.starts_with('[')) {
        let name = line.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
        if line.starts_with("[[") {
            let count = entries.entry(name).or_insert(0);
            *count += 1;
            table = format!("{name}.{}", *count - 1);
        } else {
            // `[pbx.ami]` belongs to the latest `[[pbx]]`.
            let above =
                name.split_once('.').and_then(|(above, rest)| Some((above, entries.get(above)?, rest)));
            table = above.map_or_else(
                || name.to_owned(),
                |(above, count, rest)| format!("{above}.{}.{rest}", *count - 1),
            );
        }
    }
    Some(if table.is_empty() { word.to_owned() } else { format!("{table}.{word}") })
}

fn rewritten(text: &str, wrong: &str, right: Option<&str>) -> String {
    let (mut out, mut inside) = (String::with_capacity(text.len()), false);
    for line in text.split_inclusive('\n') {
        let header = line.trim_start();
        if header.starts_with('[') {
            let name = header.trim_start_matches('[');
            inside = name.strip_prefix(wrong).is_some_and(|rest| rest.starts_with([']', '.']));
        }
        match right {
            Some(right) if inside && header.starts_with('[') => out.push_str(&line.replacen(wrong, right, 1)),
            None if inside => out.push_str(if line.ends_with('\n') { "\n" } else { "" }),
            _ => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_with_its_table() {
        let text = "x = 1\n[sip]\nlisten = 1\n[[pbx]]\nname = 1\n[[pbx]]\nname = 2\n [pbx.ami]\naddress = 3\n[sip]\n";
        let key = |word: &str| key_at(text, text.rfind(word).unwrap()).unwrap();
        assert_eq!(key("x ="), "x");
        assert_eq!(key("listen"), "sip.listen");
        assert_eq!(key("name = 1"), "pbx.0.name");
        assert_eq!(key("name = 2"), "pbx.1.name");
        assert_eq!(key("address"), "pbx.1.ami.address");
        assert_eq!(key("sip]"), "sip");
    }

    #[test]
    fn a_table_is_read_as_the_one_that_was_meant_or_passed_over() {
        let text = "[medai]\nx = 1\n[medai.y]\n[sip]\n[[trunks]]\n[[trunks]]\nz = 2\n";
        let mended = read_on(text, "medai", Some("media")).unwrap();
        assert_eq!(mended, text.replace("medai", "media"));
        assert_eq!(read_on(text, "trunks", Some("trunk")).unwrap(), text.replace("trunks", "trunk"));
        // The intended table exists already.
        let twice = "[media]\n[medai]\nx = 1\n[sip]\n";
        assert_eq!(read_on(twice, "medai", Some("media")).unwrap(), "[media]\n\n\n[sip]\n");
        assert_eq!(read_on("[pbx.amii]\n", "pbx.0.amii", Some("ami")).unwrap(), "[pbx.ami]\n");
        assert_eq!(read_on("medai = 1\n", "medai", None), None);
    }
}
