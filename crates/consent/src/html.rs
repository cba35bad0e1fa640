//! Writing HTML in which every text is escaped.

use std::fmt::Write as _;

use super::Language;

const STYLE: &str = include_str!("page.css");

pub(super) struct Html {
    out: String,
}

impl Html {
    pub(super) fn new(language: &str, title: &str) -> Self {
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

    pub(super) fn languages(&mut self, label: &str, current: Language) {
        let _ = writeln!(self.out, "<nav aria-label=\"{}\">\n<ul>", escape(label));
        for language in Language::ALL {
            let (tag, name) = (language.tag(), language.name());
            let here = if language == current { " aria-current=\"page\"" } else { "" };
            let _ = writeln!(
                self.out,
                "<li><a href=\"?lang={tag}\" hreflang=\"{tag}\" lang=\"{tag}\"{here}>{name}</a></li>"
            );
        }
        self.out.push_str("</ul>\n</nav>\n");
    }

    pub(super) fn begin_main(&mut self) {
        self.out.push_str("<main>\n");
    }

    pub(super) fn end_main(&mut self) {
        self.out.push_str("</main>\n");
    }

    pub(super) fn h1(&mut self, text: &str) {
        self.tagged("h1", text);
    }

    pub(super) fn h2(&mut self, text: &str) {
        self.tagged("h2", text);
    }

    pub(super) fn lead(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"lead\">{}</p>", escape(text));
    }

    /// A paragraph that stands out.
    pub(super) fn callout(&mut self, text: &str) {
        let _ = writeln!(self.out, "<p class=\"callout\">{}</p>", escape(text));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.tagged("p", text);
    }

    pub(super) fn paragraphs(&mut self, texts: &[String]) {
        texts.iter().for_each(|text| self.paragraph(text));
    }

    pub(super) fn list(&mut self, items: &[String]) {
        self.out.push_str("<ul>\n");
        items.iter().for_each(|item| self.tagged("li", item));
        self.out.push_str("</ul>\n");
    }

    pub(super) fn table(&mut self, head: [&str; 2], rows: &[(&str, String)]) {
        let [what, long] = head.map(escape);
        let _ = writeln!(
            self.out,
            "<table>\n<thead><tr><th scope=\"col\">{what}</th><th scope=\"col\">{long}</th></tr></thead>\n<tbody>"
        );
        for (what, long) in rows {
            let (what, long) = (escape(what), escape(long));
            let _ = writeln!(self.out, "<tr><th scope=\"row\">{what}</th><td>{long}</td></tr>");
        }
        self.out.push_str("</tbody>\n</table>\n");
    }

    /// Lines of label, text and link.
    pub(super) fn address(&mut self, lines: &[(String, String, Option<String>)]) {
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

    pub(super) fn footer(&mut self, text: &str) {
        let _ = writeln!(self.out, "<footer>\n<p>{}</p>\n</footer>", escape(text));
    }

    pub(super) fn finish(mut self) -> String {
        self.out.push_str("</body>\n</html>\n");
        self.out
    }
}

impl Language {
    /// Its own name for itself.
    fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::Italian => "Italiano",
            Self::Portuguese => "Português",
        }
    }
}

/// Fit for text and for values of attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
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
