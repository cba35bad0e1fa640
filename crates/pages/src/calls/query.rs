//! Which calls are asked for: the page's query, and the form that makes one.

use serde::Deserialize;
use sidetone_call::Topic;
use sidetone_store::{CallFilter, CallLength, Cursor, Outcome};

use crate::civil::{DAY_MS, Date};

/// Bytes of a trunk's name, and of a label, in a query: a label has 64 characters of four bytes at most.
const LONGEST: usize = 256;

/// The query of the list of calls, as it stands in its address. Empty members ask for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CallsQuery {
    /// The first day, `YYYY-MM-DD`, UTC.
    pub from: String,
    /// The last day, included.
    pub until: String,
    /// The trunk.
    pub trunk: String,
    /// The queue.
    pub queue: String,
    /// The team.
    pub team: String,
    /// The empathy tier.
    pub tier: String,
    /// The agent.
    pub agent: String,
    /// `inbound`, `outbound` or `unknown`.
    pub direction: String,
    /// A topic's name in events.
    pub topic: String,
    /// `upset`, `recovered`, `improved` or `declined`.
    pub outcome: String,
    /// Minutes from the answer to the end: `0-1`, `1-5`, `5-15` or `15-`.
    pub length: String,
    /// A hashed number on either side: 24 hexadecimal digits.
    pub number: String,
    /// The cursor that the part before ended at.
    pub after: String,
}

/// The filter form, as it is posted.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CallsForm {
    /// See [`CallsQuery`].
    pub from: String,
    /// See [`CallsQuery`].
    pub until: String,
    /// See [`CallsQuery`].
    pub trunk: String,
    /// See [`CallsQuery`].
    pub queue: String,
    /// See [`CallsQuery`].
    pub team: String,
    /// See [`CallsQuery`].
    pub tier: String,
    /// See [`CallsQuery`].
    pub agent: String,
    /// See [`CallsQuery`].
    pub direction: String,
    /// See [`CallsQuery`].
    pub topic: String,
    /// See [`CallsQuery`].
    pub outcome: String,
    /// See [`CallsQuery`].
    pub length: String,
    /// A number in clear, to be hashed.
    pub number: String,
    /// The hashed number of the list before, which holds on while no other is entered.
    pub kept: String,
    /// The forms' token.
    pub csrf: String,
}

impl std::fmt::Debug for CallsForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallsForm").finish_non_exhaustive()
    }
}

/// A part of a query that asks for nothing that there could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryFault {
    /// A day.
    #[error("a day is written YYYY-MM-DD, from 1970 on")]
    Day,
    /// The last day lies before the first.
    #[error("the last day lies before the first")]
    Order,
    /// A direction, an outcome, a hashed number, a trunk or a label.
    #[error("there is no such choice")]
    Choice,
    /// A number in clear of which no digits are left.
    #[error("a number has digits")]
    Number,
    /// A filter that could not be kept.
    #[error("a filter's name has 1 to 64 printable characters, and there are 20 at most")]
    Filter,
    /// The cursor.
    #[error("the place in the list is none that a list has given")]
    Cursor,
}

impl CallsQuery {
    /// What the store is asked.
    ///
    /// # Errors
    /// The first part that asks for nothing that there could be.
    pub fn filter(&self) -> Result<CallFilter, QueryFault> {
        let from = day(&self.from)?;
        let until = day(&self.until)?;
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return Err(QueryFault::Order);
        }
        let outcome = match self.outcome.as_str() {
            "" => None,
            "upset" => Some(Outcome::Upset),
            "recovered" => Some(Outcome::Recovered),
            "improved" => Some(Outcome::Improved),
            "declined" => Some(Outcome::Declined),
            _ => return Err(QueryFault::Choice),
        };
        let length = CallLength::ALL.into_iter().find(|length| length.name() == self.length);
        if !(self.length.is_empty() || length.is_some()) {
            return Err(QueryFault::Choice);
        }
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == self.topic);
        if !(self.topic.is_empty() || topic.is_some()) {
            return Err(QueryFault::Choice);
        }
        if !matches!(self.direction.as_str(), "" | "inbound" | "outbound" | "unknown")
            || !(self.number.is_empty() || is_hash(&self.number))
            || [&self.trunk, &self.queue, &self.team, &self.tier, &self.agent]
                .iter()
                .any(|it| it.len() > LONGEST)
        {
            return Err(QueryFault::Choice);
        }
        let after = match self.after.as_str() {
            "" => None,
            after => Some(after.parse::<Cursor>().map_err(|_| QueryFault::Cursor)?),
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(CallFilter {
            from: from.map(|day| day * DAY_MS),
            until: until.map(|day| (day + 1) * DAY_MS),
            trunk: some(&self.trunk),
            queue: some(&self.queue),
            team: some(&self.team),
            tier: some(&self.tier),
            agent: some(self.agent.trim()),
            direction: some(&self.direction),
            number: some(&self.number),
            topic,
            outcome,
            length,
            after,
            ..CallFilter::default()
        })
    }

    /// The query as it stands behind a path: empty, or `?from=…`.
    #[must_use]
    pub fn to_query(&self) -> String {
        query(&[
            ("from", &self.from),
            ("until", &self.until),
            ("trunk", &self.trunk),
            ("queue", &self.queue),
            ("team", &self.team),
            ("tier", &self.tier),
            ("agent", &self.agent),
            ("direction", &self.direction),
            ("topic", &self.topic),
            ("outcome", &self.outcome),
            ("length", &self.length),
            ("number", &self.number),
            ("after", &self.after),
        ])
    }

    /// Whether anything is asked for but the newest.
    pub(crate) fn narrows(&self) -> bool {
        *self != Self { after: self.after.clone(), ..Self::default() }
    }
}

impl CallsForm {
    /// The query that the form asks for, with its number through `hash`: a number in clear belongs into no address.
    ///
    /// # Errors
    /// A number without digits, or one that `hash` gives nothing for.
    pub fn query(self, hash: impl FnOnce(&str) -> Option<String>) -> Result<CallsQuery, QueryFault> {
        let number = match self.number.trim() {
            "" => self.kept,
            entered if entered.len() <= 64 && entered.bytes().any(|byte| byte.is_ascii_digit()) => {
                hash(entered).filter(|hash| is_hash(hash)).ok_or(QueryFault::Number)?
            }
            _ => return Err(QueryFault::Number),
        };
        Ok(CallsQuery {
            from: self.from,
            until: self.until,
            trunk: self.trunk,
            queue: self.queue,
            team: self.team,
            tier: self.tier,
            agent: self.agent,
            direction: self.direction,
            topic: self.topic,
            outcome: self.outcome,
            length: self.length,
            number,
            after: String::new(),
        })
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The day since 1970 of a date field; none of an empty one.
pub(crate) fn day(text: &str) -> Result<Option<u64>, QueryFault> {
    if text.is_empty() {
        return Ok(None);
    }
    Date::parse(text).and_then(Date::to_day).map(Some).ok_or(QueryFault::Day)
}

/// A query of these names and values; those without a value are left out.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            // RFC 3986, section 2.3: unreserved characters stand for themselves.
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "37f4acf58d0e9b4e7f18423f";

    #[test]
    fn the_last_day_is_included() {
        let query =
            CallsQuery { from: "2026-11-29".into(), until: "2026-11-29".into(), ..Default::default() };
        let filter = query.filter().unwrap();
        assert_eq!((filter.from, filter.until), (Some(20_786 * DAY_MS), Some(20_787 * DAY_MS)));
    }

    #[test]
    fn what_asks_for_nothing_that_there_is_is_told() {
        let query = |change: fn(&mut CallsQuery)| {
            let mut query = CallsQuery::default();
            change(&mut query);
            query.filter().unwrap_err()
        };
        assert_eq!(query(|it| it.from = "yesterday".into()), QueryFault::Day);
        assert_eq!(query(|it| it.outcome = "angry".into()), QueryFault::Choice);
        assert_eq!(query(|it| it.topic = "weather".into()), QueryFault::Choice);
        assert_eq!(query(|it| it.length = "long".into()), QueryFault::Choice);
        assert_eq!(query(|it| it.direction = "' OR 1=1".into()), QueryFault::Choice);
        assert_eq!(query(|it| it.number = "+49301234567".into()), QueryFault::Choice);
        assert_eq!(query(|it| it.after = "1-../x".into()), QueryFault::Cursor);
        assert_eq!(query(|it| it.trunk = "x".repeat(300)), QueryFault::Choice);
        let order = |it: &mut CallsQuery| {
            it.from = "2026-11-29".into();
            it.until = "2026-11-28".into();
        };
        assert_eq!(query(order), QueryFault::Order);
    }

    #[test]
    fn a_topic_is_asked_for_by_its_name() {
        let query = CallsQuery { topic: "repeat_contact".into(), ..Default::default() };
        assert_eq!(query.filter().unwrap().topic, Some(Topic::RepeatContact));
        assert_eq!(query.to_query(), "?topic=repeat_contact");
        assert!(query.narrows() && CallsQuery::default().filter().unwrap().topic.is_none());
    }

    #[test]
    fn a_number_in_clear_stands_in_no_address_and_in_no_log() {
        let form = CallsForm { number: " +49 30 1234567".into(), ..Default::default() };
        assert!(!format!("{form:?}").contains("1234567"));
        let query = form.query(|clear| (clear == "+49 30 1234567").then(|| HASH.to_owned())).unwrap();
        assert_eq!(query.to_query(), format!("?number={HASH}"));
        let form = CallsForm { number: "nobody".into(), ..Default::default() };
        assert_eq!(form.query(|_| None), Err(QueryFault::Number));
        let form = CallsForm { kept: HASH.into(), ..Default::default() };
        assert_eq!(form.query(|_| None).unwrap().number, HASH);
    }

    #[test]
    fn a_query_is_written_so_that_it_is_read_the_same() {
        let query = CallsQuery { trunk: "a b&c=\"é".into(), outcome: "upset".into(), ..Default::default() };
        assert_eq!(query.to_query(), "?trunk=a%20b%26c%3D%22%C3%A9&outcome=upset");
        assert_eq!(CallsQuery::default().to_query(), "");
    }
}
