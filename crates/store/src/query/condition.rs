//! A filter of calls as SQL: what bounds the walk along an index, and what is looked at in each row of it.

use crate::database::Value;

/// A condition in two parts, which both must hold. `#` stands for a parameter, in order.
#[derive(Debug, Default)]
pub(super) struct Condition {
    walk: Part,
    besides: Part,
}

#[derive(Debug, Default)]
struct Part {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    /// Asks for what the index that is walked along is sorted by: no row is looked at that does not fit.
    pub(super) fn of_walk(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.walk.sql.push(sql.into());
        self.walk.values.extend(values);
    }

    /// Asks for something besides: rows that don't fit are passed over.
    pub(super) fn besides(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) {
        self.besides.sql.push(sql.into());
        self.besides.values.extend(values);
    }

    /// Asks for it as of the walk if it is the walk's own, else besides.
    pub(super) fn own_or_besides(&mut self, is_own: bool, own: &str, besides: &str, value: Option<Value>) {
        if is_own { self.of_walk(own, value) } else { self.besides(besides, value) }
    }

    /// Whether rows may be passed over.
    pub(super) fn passes_over(&self) -> bool {
        !self.besides.sql.is_empty()
    }

    /// All of it, with its parameters, the first of which is `$1`.
    pub(super) fn whole(&self) -> (String, Vec<Value>) {
        numbered([&self.walk, &self.besides])
    }

    /// What bounds the walk, likewise.
    pub(super) fn bounds(&self) -> (String, Vec<Value>) {
        numbered([&self.walk])
    }
}

fn numbered<'a>(parts: impl IntoIterator<Item = &'a Part> + Clone) -> (String, Vec<Value>) {
    let conditions = parts.clone().into_iter().flat_map(|part| part.sql.iter().map(String::as_str));
    let joined = conditions.collect::<Vec<_>>().join(" AND ");
    let mut pieces = joined.split('#');
    let first = pieces.next().unwrap_or_default().to_owned();
    let sql = pieces.enumerate().fold(first, |sql, (index, piece)| format!("{sql}${}{piece}", index + 1));
    let values = parts.into_iter().flat_map(|part| part.values.iter().cloned()).collect();
    (if sql.is_empty() { "1 = 1".to_owned() } else { sql }, values)
}
