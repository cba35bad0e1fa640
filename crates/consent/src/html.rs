//! Writes HTML in which every text is escaped, in one style: self-contained, without script, fit for telephones and
//! paper.

use std::fmt::Write as _;

const STYLE: &str = include_str!("html/style.css");

/// A page under construction.
pub(crate) struct Html {
    out: String,
}

/// A page in another language.
pub(crate) struct Other {
    pub(crate) tag: &'static str,
    /// The language's own name for itself.
    pub(crate) name: &'static str,
    /// It is the language of this page.
    pub(crate) here: bool,
}

impl Html {
    pub(crate) fn new(language: &str, title: &str) -> Self {
        let title = escape(title);
        let mut out = String::with_capacity(16 << 10);
        let _ = write!(
            out,
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n"
        );
        Self { out }
    }

    fn tagged(&mut self, tag: &str, text: &str) {
        let _ = writeln!(self.out, "<{tag}>{}</{tag}>", escape(text));
    }

    pub(crate) fn languages(&mut self, label: &str, languages: impl IntoIterator<Item = Other>) {
        let _ = writeln!(self.out, "<nav aria-label=\"{}\">\n<ul>", escape(label));
        for Other { tag, name, here } in languages {
            let here = if here { " aria-current=\"page\"" } else { "" };
            let _ = writeln!(
                self.out,
                "<li><a href=\"?lang={tag}\" hreflang=\"{tag}\" lang=\"{tag}\"{here}>{name}</a></li>"
            );
        }
        self.out.push_str("</ul>\n</nav>\n");
    }

    pub(crate) fn begin_main(&mut self) {
        self.out.push_str("<main>\n");
    }

    pub(crate) fn end_main(&mut self) {
        self.out.push_str("</main>\n");
    }

    pub(crate) fn h1(&mut self, text: &str) {
        self.tagged("h1", text);
    }

    pub(crate) fn h2(&mut self, text: &str) {
        self.tagged("h2", text);
    }

    pub(crate) fn h3(&mut self, text: &str) {
        self.tagged("h3", text);
    }

    pub(crate) fn lead(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"lead\">{}</p>", escape(text));
    }

    /// A highlighted paragraph.
    pub(crate) fn callout(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"callout\">{}</p>", escape(text));
    }

    /// A highlighted list, under a title.
    pub(crate) fn callout_list(&mut self, title: &str, items: &[String]) {
        let _ = writeln!(self.out, "<div class=\"callout\">\n<h2>{}</h2>", escape(title));
        self.list(items);
        self.out.push_str("</div>\n");
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        self.tagged("p", text);
    }

    pub(crate) fn paragraphs(&mut self, texts: &[String]) {
        texts.iter().for_each(|text| self.paragraph(text));
    }

    pub(crate) fn list(&mut self, items: &[String]) {
        self.out.push_str("<ul>\n");
        items.iter().for_each(|item| self.tagged("li", item));
        self.out.push_str("</ul>\n");
    }

    /// A table whose first column holds the row headings.
    pub(crate) fn table<const N: usize>(&mut self, head: [&str; N], rows: &[[String; N]]) {
        self.out.push_str("<table>\n<thead><tr>");
        for title in head {
            let _ = write!(self.out, "<th scope=\"col\">{}</th>", escape(title));
        }
        self.out.push_str("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.row(row);
        }
        self.out.push_str("</tbody>\n</table>\n");
    }

    /// A table of names and values, without a head.
    pub(crate) fn facts(&mut self, rows: &[(&str, String)]) {
        self.out.push_str("<table class=\"facts\">\n<tbody>\n");
        for (name, fact) in rows {
            self.row(&[(*name).to_owned(), fact.clone()]);
        }
        self.out.push_str("</tbody>\n</table>\n");
    }

    fn row(&mut self, cells: &[String]) {
        self.out.push_str("<tr>");
        for (place, cell) in cells.iter().enumerate() {
            let cell = escape(cell);
            let _ = match place {
                0 => write!(self.out, "<th scope=\"row\">{cell}</th>"),
                // A checksum may wrap anywhere, and is compared digit by digit.
                _ if is_checksum(&cell) => write!(self.out, "<td><code>{cell}</code></td>"),
                _ => write!(self.out, "<td>{cell}</td>"),
            };
        }
        self.out.push_str("</tr>\n");
    }

    /// Lines of label, text and link.
    pub(crate) fn address(&mut self, lines: &[(String, String, Option<String>)]) {
        self.out.push_str("<address>\n");
        for (label, text, link) in lines {
            if !label.is_empty() {
                let _ = write!(self.out, "{}: ", escape(label));
            }
            let _ = match link {
                Some(link) => writeln!(self.out, "<a href=\"{}\">{}</a><br>", escape(link), escape(text)),
                None => writeln!(self.out, "{}<br>", escape(text)),
            };
        }
        self.out.push_str("</address>\n");
    }

    pub(crate) fn footer(&mut self, text: &str) {
        let _ = writeln!(self.out, "<footer>\n<p>{}</p>\n</footer>", escape(text));
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push_str("</body>\n</html>\n");
        self.out
    }
}

fn is_checksum(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Escapes text, also for attribute values in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' => {}
            c => escaped.push(c),
        }
    }
    escaped
}
