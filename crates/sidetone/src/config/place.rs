//! Maps keys to their places in a file and back.

use std::fmt::Write as _;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line, from 1, on which a key stands, or the nearest table around it.
pub(super) fn line(tree: &Spanned<DeTable<'_>>, text: &str, key: &str) -> Option<usize> {
    let mut found = None;
    let mut parts = key.split('.');
    let first = parts.next()?;
    let (name, mut value) = tree.get_ref().iter().find(|(name, _)| name.get_ref() == first)?;
    found = found.or(Some(name.span().start));
    for part in parts {
        let Some((at, inner)) = child(value.get_ref(), part) else { break };
        found = Some(at);
        value = inner;
    }
    found.map(|at| line_of(text, at))
}

fn child<'t, 'i>(value: &'t DeValue<'i>, part: &str) -> Option<(usize, &'t Spanned<DeValue<'i>>)> {
    match value {
        DeValue::Table(table) => table
            .iter()
            .find(|(name, _)| name.get_ref() == part)
            .map(|(name, value)| (name.span().start, value)),
        DeValue::Array(list) => {
            let value = list.get(part.parse::<usize>().ok()?)?;
            Some((value.span().start, value))
        }
        _ => None,
    }
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// A key in words: `trunk.0.hosts.1.to` is `trunk "carrier" hosts #2 to`.
pub(super) fn said(tree: Option<&Spanned<DeTable<'_>>>, key: &str) -> String {
    let mut said = String::new();
    let mut parts = key.split('.');
    let first = parts.next().unwrap_or_default();
    said.push_str(first);
    let mut value = tree.and_then(|tree| tree.get_ref().iter().find(|(name, _)| name.get_ref() == first));
    let mut value = value.take().map(|(_, value)| value.get_ref());
    let mut after_entry = false;
    for part in parts {
        let inner = value.and_then(|value| child(value, part)).map(|(_, inner)| inner.get_ref());
        match part.parse::<usize>() {
            Ok(index) => {
                match inner.and_then(name_of) {
                    Some(name) => _ = write!(said, " \"{name}\""),
                    None => _ = write!(said, " #{}", index + 1),
                }
                after_entry = true;
            }
            Err(_) => {
                said.push(if after_entry { ' ' } else { '.' });
                said.push_str(part);
                after_entry = false;
            }
        }
        value = inner;
    }
    said
}

/// The `name` of a table, if it has one.
fn name_of<'t>(value: &'t DeValue<'_>) -> Option<&'t str> {
    let DeValue::Table(table) = value else { return None };
    let (_, name) = table.iter().find(|(key, _)| key.get_ref() == "name")?;
    match name.get_ref() {
        DeValue::String(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// The content at a place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// The key, as `trunk.0.hosts.1.to`.
    pub(super) key: String,
    /// The span of `name = value`, unless it is a table with a header of its own.
    pub(super) whole: Option<(usize, usize)>,
}

/// The innermost key whose name or value covers `at`.
pub(super) fn at(tree: &Spanned<DeTable<'_>>, text: &str, at: usize) -> Option<Site> {
    let mut best: Option<(usize, Site)> = None;
    in_table(tree.get_ref(), "", text, at, &mut best);
    best.map(|(_, site)| site)
}

fn in_table(table: &DeTable<'_>, above: &str, text: &str, at: usize, best: &mut Option<(usize, Site)>) {
    for (name, value) in table.iter() {
        let key =
            if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
        let (from, to) = (name.span().start, value.span().end);
        // A header's table begins where its header does, and its keys stand behind it.
        let written = from < value.span().start
            && text.get(name.span().end..value.span().start).is_some_and(|between| between.trim() == "=");
        let covers = name.span().contains(&at) || value.span().contains(&at);
        let length = to.saturating_sub(from);
        if covers && best.as_ref().is_none_or(|(shortest, _)| length <= *shortest) {
            *best = Some((length, Site { key: key.clone(), whole: written.then_some((from, to)) }));
        }
        in_value(value.get_ref(), &key, text, at, best);
    }
}

fn in_value(value: &DeValue<'_>, key: &str, text: &str, at: usize, best: &mut Option<(usize, Site)>) {
    match value {
        DeValue::Table(table) => in_table(table, key, text, at, best),
        DeValue::Array(list) => {
            for (index, entry) in list.iter().enumerate() {
                let key = format!("{key}.{index}");
                let span = entry.span();
                let length = span.end.saturating_sub(span.start);
                if span.contains(&at) && best.as_ref().is_none_or(|(shortest, _)| length <= *shortest) {
                    // The list around it can be left out instead.
                    let whole = best.as_ref().and_then(|(_, around)| around.whole);
                    *best = Some((length, Site { key: key.clone(), whole }));
                }
                in_value(entry.get_ref(), &key, text, at, best);
            }
        }
        _ => {}
    }
}
