//! Header parameters: `;name=value;flag` (RFC 3261 §25.1 `generic-param`).

use std::ops::Range;

use crate::scan::{self, Cursor};

/// The parameters that follow a Via, a name-addr or another header value, read in order.
/// Names compare without case. White space and folds around `;` and `=` are allowed, and so are empty ones: a semicolon
/// too many, between two or at the end, says nothing, and many stacks write it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a> {
    bytes: &'a [u8],
    /// Offset of `bytes` in the value that they were taken from.
    base: usize,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// As written.
    pub name: &'a str,
    /// As written, quotes included; `None` for a flag.
    pub value: Option<&'a str>,
    /// From the first byte of the name to the last of the value, in the header value.
    pub span: Range<usize>,
}

/// The parameters are not `*( ";" name [ "=" value ] )`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed parameters")]
pub struct MalformedParams;

impl<'a> Params<'a> {
    /// Takes and checks everything from `base` on in `value`.
    ///
    /// # Errors
    /// When something other than well-formed parameters stands there.
    pub fn parse(value: &'a [u8], base: usize) -> Result<Self, MalformedParams> {
        let params = Self { bytes: value.get(base..).unwrap_or_default(), base };
        let mut cursor = Cursor::new(params.bytes);
        while step(&mut cursor, base)?.is_some() {}
        Ok(params)
    }

    /// In the order written.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter { cursor: Cursor::new(self.bytes), base: self.base }
    }

    /// The first parameter of that name: `Some(None)` for a flag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.find(name).map(|p| p.value)
    }

    /// The first parameter of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// The value of that parameter; `None` when it is absent or a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }

    /// Whether it is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Param<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// See [`Params::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    cursor: Cursor<'a>,
    base: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        step(&mut self.cursor, self.base).ok().flatten()
    }
}

/// Reads the next parameter; `None` at the end. Empty ones (`;;`) are passed over, since nothing depends on them.
fn step<'a>(cursor: &mut Cursor<'a>, base: usize) -> Result<Option<Param<'a>>, MalformedParams> {
    cursor.skip_lws();
    if cursor.peek().is_none() {
        return Ok(None);
    }
    if !cursor.eat(b';') {
        return Err(MalformedParams);
    }
    cursor.skip_lws();
    while cursor.eat(b';') {
        cursor.skip_lws();
    }
    if cursor.peek().is_none() {
        return Ok(None);
    }
    let start = cursor.at();
    let name = cursor.take_while(scan::is_token);
    if name.is_empty() {
        return Err(MalformedParams);
    }
    let mut end = cursor.at();
    cursor.skip_lws();
    let value = if cursor.eat(b'=') {
        cursor.skip_lws();
        let value = if cursor.peek() == Some(b'"') {
            cursor.quoted().ok_or(MalformedParams)?
        } else {
            cursor.take_while(|b| !matches!(b, b';' | b',' | b'"') && !scan::is_lws(b))
        };
        end = cursor.at();
        Some(scan::text(value).ok_or(MalformedParams)?)
    } else {
        None
    };
    let name = scan::text(name).ok_or(MalformedParams)?;
    Ok(Some(Param { name, value, span: base + start..base + end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_quotes_and_flags() {
        let text = b"x ; tag\r\n  = 1918 ;lr; Q=\"a;b\" ;ipv6=[::1]";
        let params = Params::parse(text, 1).unwrap();
        assert_eq!(params.value("TAG"), Some("1918"));
        assert_eq!(params.get("lr"), Some(None));
        assert_eq!(params.value("q"), Some("\"a;b\""));
        assert_eq!(params.value("ipv6"), Some("[::1]"));
        let tag = params.find("tag").unwrap();
        assert_eq!(&text[tag.span], b"tag\r\n  = 1918");
    }

    #[test]
    fn semicolons_too_many_say_nothing() {
        for text in [";;tag=a", ";tag=a;", "; ;\r\n ;tag=a ; ;"] {
            let params = Params::parse(text.as_bytes(), 0).unwrap();
            assert_eq!((params.iter().count(), params.value("tag")), (1, Some("a")), "{text}");
        }
        assert_eq!(Params::parse(b";", 0).unwrap().iter().count(), 0);
    }

    #[test]
    fn malformed_parameters() {
        for text in [";a=\"b", " x", ";=x", ";;,"] {
            assert!(Params::parse(text.as_bytes(), 0).is_err(), "{text}");
        }
    }
}
