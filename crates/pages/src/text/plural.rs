//! Which form of a text goes with a count, by a rule as CLDR writes it.
//!
//! A rule is the plural key of a language: categories with a condition each, as Unicode's CLDR lists them
//! (<https://cldr.unicode.org/index/cldr-spec/plural-rules>; syntax: UTS 35, part 3, "Language Plural Rules"), parted
//! by semicolons. `other`, which needs no condition, is always there and comes last. Counts are whole numbers, so `n`
//! and `i` are the count and every operand of a fraction is 0.

/// The categories of CLDR, in its order.
const CATEGORIES: [&str; 5] = ["zero", "one", "two", "few", "many"];
/// Between the forms of one text.
pub(crate) const BETWEEN: &str = " | ";

/// Whether this is a rule; else what is wrong with it.
pub(super) fn check(rule: &str) -> Result<(), String> {
    let mut from = 0;
    for category in categories(rule) {
        let (name, condition) = category;
        let Some(place) = CATEGORIES.iter().position(|known| *known == name) else {
            return Err(format!("`{name}` is none of {}", CATEGORIES.join(", ")));
        };
        if place < from {
            return Err(format!("`{name}` must stand once, in the order {}", CATEGORIES.join(", ")));
        }
        from = place + 1;
        if holds(condition, 0).is_none() {
            return Err(format!("`{condition}` is no condition as CLDR writes them"));
        }
    }
    Ok(())
}

/// How many forms each counted text of the language has.
pub(super) fn forms(rule: &str) -> usize {
    categories(rule).count() + 1
}

/// An English text for the categories of another language: its first form for `one`, its last for the others.
pub(super) fn english(rule: &str, text: &str) -> String {
    let (one, others) = text.split_once(BETWEEN).unwrap_or((text, text));
    let forms = categories(rule).map(|(name, _)| if name == "one" { one } else { others });
    forms.chain([others]).collect::<Vec<_>>().join(BETWEEN)
}

/// The form of a counted text that goes with a count.
pub(crate) fn form<'a>(rule: &str, text: &'a str, count: u64) -> &'a str {
    let place = categories(rule).position(|(_, condition)| holds(condition, count) == Some(true));
    let mut forms = text.split(BETWEEN);
    let last = || text.rsplit(BETWEEN).next().unwrap_or(text);
    place.and_then(|place| forms.nth(place)).unwrap_or_else(last)
}

/// Each category but `other`, with its condition. A language without any has an empty rule, written `other`.
fn categories(rule: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = rule.split(';').map(str::trim).filter(|part| !part.is_empty() && *part != "other");
    parts.map(|part| part.split_once(':').map_or((part, ""), |(name, rest)| (name.trim(), rest.trim())))
}

/// Whether a condition holds for a count; `None` if it is none. Every part is read, so that a fault is seen whatever
/// the count.
fn holds(condition: &str, count: u64) -> Option<bool> {
    // What CLDR has behind an @ are examples.
    let condition = condition.split('@').next().unwrap_or_default();
    condition.split(" or ").try_fold(false, |any, all| {
        let all =
            all.split(" and ").try_fold(true, |all, relation| Some(relates(relation, count)? && all))?;
        Some(any || all)
    })
}

/// `n % 10 = 2..4,7` or the same with `!=`.
fn relates(relation: &str, count: u64) -> Option<bool> {
    let (left, right) = relation.split_once('=')?;
    let (left, negated) =
        left.trim().strip_suffix('!').map_or((left.trim(), false), |left| (left.trim(), true));
    let (operand, modulus) = match left.split_once('%') {
        Some((operand, modulus)) => (operand.trim(), Some(modulus.trim().parse::<u64>().ok()?)),
        None => (left, None),
    };
    let value = match operand {
        "n" | "i" => count,
        // Digits of a fraction, and the exponent of a compact form.
        "v" | "w" | "f" | "t" | "c" | "e" => 0,
        _ => return None,
    };
    let value = modulus.map_or(Some(value), |modulus| value.checked_rem(modulus))?;
    let within = right.split(',').try_fold(false, |any, range| {
        let (from, to) = range.split_once("..").unwrap_or((range, range));
        let (from, to): (u64, u64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        Some(any || (from..=to).contains(&value))
    })?;
    Some(within != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copied from CLDR 46, without the examples.
    const POLISH: &str = "one: i = 1 and v = 0; few: v = 0 and i % 10 = 2..4 and i % 100 != 12..14; \
        many: v = 0 and i != 1 and i % 10 = 0..1 or v = 0 and i % 10 = 5..9 or v = 0 and i % 100 = 12..14";
    const ARABIC: &str = "zero: n = 0; one: n = 1; two: n = 2; few: n % 100 = 3..10; many: n % 100 = 11..99";

    #[test]
    fn a_count_has_the_form_that_cldr_gives_it() {
        let of = |rule: &str, forms: &str, counts: &[u64]| {
            counts.iter().map(|count| form(rule, forms, *count).to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(check(POLISH), Ok(()));
        assert_eq!(forms(POLISH), 4);
        let counts = [0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 104, 112, 1_000_000];
        assert_eq!(
            of(POLISH, "one | few | many | other", &counts),
            "many one few few many many many many many few many many few many many"
        );
        assert_eq!(check(ARABIC), Ok(()));
        assert_eq!(
            of(
                ARABIC,
                "zero | one | two | few | many | other",
                &[0, 1, 2, 3, 10, 11, 99, 100, 102, 103, 111]
            ),
            "zero one two few few many many other other few many"
        );
        assert_eq!(of("one: i = 0,1", "un | des", &[0, 1, 2]), "un un des");
        // Japanese has one form for all, and examples are no part of a condition.
        assert_eq!((check("other"), forms("other")), (Ok(()), 1));
        assert_eq!(of("other", "all", &[0, 1, 7]), "all all all");
        assert_eq!(of("other", &english("other", "{} call | {} calls"), &[1]), "{} calls");
        assert_eq!(english(ARABIC, "a | b"), "b | a | b | b | b | b");
        assert_eq!(of("one: n = 1 @integer 1", "a | b", &[1, 2]), "a b");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (rule, told) in [
            ("single: n = 1", "`single` is none of"),
            ("few: n = 3; one: n = 1", "`one` must stand once, in the order"),
            ("one: n = 1; one: n = 2", "must stand once"),
            ("one", "is no condition"),
            ("one: n", "is no condition"),
            ("one: x = 1", "is no condition"),
            ("one: n % 0 = 1", "is no condition"),
            ("one: n = 1 or n = ", "is no condition"),
            ("one: n = 2..x", "is no condition"),
        ] {
            let said = check(rule).unwrap_err();
            assert!(said.contains(told), "{rule}: {said}");
        }
    }
}
