//! What an operator may have meant by a word that nobody knows: for the configuration file and the command line.

/// The known word that `word` is most likely a misspelling of; `None` where none comes close.
///
/// ```
/// assert_eq!(sidetone_insight::nearest("notise", ["never", "notice"]), Some("notice"));
/// assert_eq!(sidetone_insight::nearest("colour", ["never", "notice"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let far = |known: &&str| edits(&word, &known.to_lowercase());
    let known: Vec<&str> = known.into_iter().collect();
    // Who writes more or less of a word means that word, though another may be fewer edits away.
    let begun = known.iter().filter(|known| begins(&word, &known.to_lowercase())).copied().min_by_key(far);
    if begun.is_some() {
        return begun;
    }
    let best = known.into_iter().min_by_key(far)?;
    (far(&best) <= 1 + best.len() / 3).then_some(best)
}

/// The end of a sentence on an unknown word: the likely one, or all that there are.
///
/// ```
/// let known = ["never", "notice"];
/// assert_eq!(sidetone_insight::did_you_mean("notise", known), "did you mean `notice`? Known are never, notice");
/// assert_eq!(sidetone_insight::did_you_mean("colour", known), "known are never, notice");
/// assert_eq!(sidetone_insight::did_you_mean("colour", []), "none is known");
/// ```
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let all = known.join(", ");
    match nearest(word, known.iter().copied()) {
        Some(meant) if known.len() == 1 => format!("did you mean `{meant}`?"),
        Some(meant) => format!("did you mean `{meant}`? Known are {all}"),
        None if known.is_empty() => "none is known".to_owned(),
        None => format!("known are {all}"),
    }
}

/// Whether one of the words is the beginning of the other, and most of it.
fn begins(a: &str, b: &str) -> bool {
    const LEAST: usize = 3;
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.len() >= LEAST && 2 * short.len() > long.len() && long.starts_with(short)
}

/// Levenshtein's distance, in bytes; words longer than any key count as far away.
fn edits(a: &str, b: &str) -> usize {
    const LONGEST: usize = 64;
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let next = (*cell + 1).min(left + 1).min(diagonal + usize::from(x != y));
            diagonal = std::mem::replace(cell, next);
            left = next;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_words_are_close_ones() {
        assert_eq!(nearest("lisen", ["listen", "hostnames"]), Some("listen"));
        assert_eq!(nearest("Asterix", ["asterisk", "freeswitch"]), Some("asterisk"));
        assert_eq!(nearest("colour", ["listen", "hostnames"]), None);
        assert_eq!(nearest("warning", ["off", "error", "warn", "info"]), Some("warn"));
        assert_eq!(nearest("call.end", ["call.held", "call.ended", "call.media"]), Some("call.ended"));
        assert_eq!(nearest("call", ["call.held", "call.ended"]), None, "any of them");
        assert_eq!(nearest("", []), None);
        assert_eq!(nearest(&"a".repeat(100_000), ["listen"]), None);
    }
}
