//! HTML made plain: tags dropped, entities decoded, quotes and what is not shown left out.

/// Elements whose content is not shown, or not the writer's.
const HIDDEN: &[&str] = &["style", "script", "head", "title", "template", "blockquote"];
/// Elements that begin a line, and end it.
const BLOCKS: &[&str] = &[
    "p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "section",
    "article", "pre",
];
/// What mail programs call the part that they quote: nothing of the writer's follows.
const QUOTES: &[&str] = &[
    "gmail_quote",
    "divrplyfwdmsg",
    "appendonsend",
    "yahoo_quoted",
    "moz-cite-prefix",
    "olk_src_body_section",
];
/// The longest entity that is decoded, without `&` and `;`.
const ENTITY: usize = 8;
/// The longest tag's name, and how much of its attributes is looked at.
const NAME: usize = 16;
const ATTRIBUTES: usize = 512;

/// Whether the text begins with a tag that mail is made of.
pub(super) fn is_html(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let Some(rest) = text.strip_prefix('<') else { return false };
    let rest = rest.trim_start_matches(['!', '/']);
    let name = tag_name(rest);
    let whole =
        rest.get(name.len()..).is_some_and(|after| after.starts_with([' ', '>', '/', '\n', '\r', '\t']));
    whole
        && (matches!(
            name.as_str(),
            "html"
                | "doctype"
                | "body"
                | "head"
                | "span"
                | "b"
                | "font"
                | "meta"
                | "a"
                | "strong"
                | "em"
                | "i"
        ) || BLOCKS.contains(&name.as_str())
            || HIDDEN.contains(&name.as_str()))
}

/// HTML as plain text.
///
/// ```
/// use sidetone_language::mail::plain;
/// assert_eq!(plain("<p>Gr&uuml;&szlig;e</p><blockquote>old</blockquote><p>a &lt; b</p>"), "Grüße\na < b");
/// ```
#[must_use]
pub fn plain(html: &str) -> String {
    text(html, false)
}

/// As [`plain`]; where a quote stood there is a line that is marked as one, if `marks`.
pub(super) fn text(html: &str, marks: bool) -> String {
    let mut out = Out::default();
    let mut rest = html;
    // The elements that are left out, from the outermost, and how often the innermost is open.
    let mut hidden: Option<(String, u32)> = None;
    let mut closes = true;
    while let Some(first) = rest.chars().next() {
        let tag = rest.strip_prefix('<').filter(|_| closes).filter(|inner| {
            inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
        });
        if let Some(inner) = tag {
            let (body, after) = if let Some(comment) = inner.strip_prefix("!--") {
                comment.split_once("-->").map_or(("", ""), |(_, after)| ("!--", after))
            } else if let Some((body, after)) = inner.split_once('>') {
                (body, after)
            } else {
                // No tag ends any more: what is left is text.
                closes = false;
                continue;
            };
            rest = after;
            let closing = body.starts_with('/');
            let name = tag_name(body.trim_start_matches('/'));
            match &mut hidden {
                Some((open, depth)) if *open == name => {
                    *depth = if closing { depth.saturating_sub(1) } else { depth.saturating_add(1) };
                    if *depth == 0 {
                        out.line();
                        if marks && name == "blockquote" {
                            out.text.push_str(">\n");
                        }
                        hidden = None;
                    }
                }
                Some(_) => {}
                None if HIDDEN.contains(&name.as_str()) && !closing => hidden = Some((name, 1)),
                None => {
                    if is_quote(body) {
                        break;
                    }
                    if BLOCKS.contains(&name.as_str()) {
                        out.line();
                    }
                }
            }
            continue;
        }
        let (c, length) = entity(rest).unwrap_or((first, first.len_utf8()));
        if hidden.is_none() {
            out.push(c);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out.text.truncate(out.text.trim_end().len());
    out.text
}

/// Text in which white space is one space or one line's end.
#[derive(Default)]
struct Out {
    text: String,
    space: bool,
}

impl Out {
    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.space = true;
            return;
        }
        if self.space && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        self.space = false;
        self.text.push(c);
    }

    fn line(&mut self) {
        self.space = false;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

fn tag_name(tag: &str) -> String {
    tag.chars().take(NAME).take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn is_quote(tag: &str) -> bool {
    let head: String = tag.chars().take(ATTRIBUTES).collect::<String>().to_ascii_lowercase();
    QUOTES.iter().any(|quote| head.contains(quote))
}

/// The sign of the entity that begins `text`, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let inner = text.strip_prefix('&')?;
    let length = inner.bytes().take(ENTITY + 1).position(|b| b == b';')?;
    let name = inner.get(..length)?;
    let sign = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control() || c.is_whitespace())?
        }
        None => named(name)?,
    };
    Some((sign, length + 2))
}

fn named(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" | "rsquo" | "lsquo" => '\'',
        "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "euro" => '€',
        "pound" => '£',
        "cent" => '¢',
        "eacute" => 'é',
        "egrave" => 'è',
        "aacute" => 'á',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "ldquo" | "bdquo" => '„',
        "rdquo" => '"',
        "copy" => '©',
        "reg" => '®',
        "middot" | "bull" => '·',
        "deg" => '°',
        _ => return None,
    })
}
