//! Lines of a plain mail: which are the writer's.

use std::borrow::Cow;

/// Characters of a line that are looked at.
const HEAD: usize = 200;
/// Lines that an attribution may take: `On Monday, Jane Doe` / `<jane@example.org> wrote:`.
const ATTRIBUTION: usize = 3;
/// Lines after thanks that may be a signature.
const SHORT: usize = 4;

/// A line in small letters, for comparing.
struct Line<'a> {
    text: &'a str,
    plain: String,
}

impl<'a> Line<'a> {
    fn of(text: &'a str) -> Self {
        let plain = text.trim().chars().take(HEAD).collect::<String>().to_lowercase();
        Self { text, plain: plain.trim_matches(['*', '_', ' ', '\u{a0}']).to_owned() }
    }

    fn is_blank(&self) -> bool {
        self.plain.is_empty()
    }

    fn is_quoted(&self) -> bool {
        self.plain.starts_with('>') || self.plain.starts_with("|>")
    }
}

/// What a line does to those around it.
enum Verdict {
    Keep,
    /// This many lines go.
    Drop(usize),
    /// Nothing of the writer's follows.
    Stop,
}

pub(super) fn strip(text: &str) -> Cow<'_, str> {
    let lines: Vec<Line<'_>> = text.lines().map(Line::of).collect();
    let mut kept: Vec<&str> = Vec::new();
    let mut index = 0;
    let mut dropped = false;
    // Nothing that begins the text is its end.
    let mut has_words = false;
    while index < lines.len() {
        match verdict(&lines, index, has_words) {
            Verdict::Keep => {
                if let Some(line) = lines.get(index) {
                    has_words |= !line.is_blank();
                    kept.push(line.text);
                }
                index += 1;
            }
            Verdict::Drop(count) => {
                dropped = true;
                index += count.max(1);
            }
            Verdict::Stop => {
                dropped = true;
                break;
            }
        }
    }
    if !dropped {
        return Cow::Borrowed(trim_lines(text));
    }
    Cow::Owned(trim_lines(&tidy(&kept)).to_owned())
}

/// Without blank lines at both ends, and white space at the end.
fn trim_lines(text: &str) -> &str {
    text.trim()
}

/// The lines that were kept, no two blank ones together.
fn tidy(kept: &[&str]) -> String {
    let mut text = String::new();
    let mut blank = true;
    for line in kept {
        let empty = line.trim().is_empty();
        if !(empty && blank) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        blank = empty;
    }
    text
}

fn verdict(lines: &[Line<'_>], at: usize, has_words: bool) -> Verdict {
    let Some(line) = lines.get(at) else { return Verdict::Stop };
    if line.is_blank() {
        return Verdict::Keep;
    }
    if line.is_quoted() {
        return Verdict::Drop(1);
    }
    if is_divider(&line.plain) || is_header_block(lines, at) {
        return Verdict::Stop;
    }
    if let Some(length) = attribution(lines, at) {
        // Quoted line by line, an answer may stand below; otherwise all that follows is the quote.
        let after = lines.get(at + length..).unwrap_or_default();
        let quoted = after.iter().take(4).find(|line| !line.is_blank()).is_some_and(Line::is_quoted);
        return if quoted { Verdict::Drop(length) } else { Verdict::Stop };
    }
    if is_device(&line.plain) {
        return Verdict::Drop(1);
    }
    if is_disclaimer(&line.plain) {
        let paragraph =
            lines.get(at..).unwrap_or_default().iter().take_while(|line| !line.is_blank()).count();
        return Verdict::Drop(paragraph);
    }
    let delimiter = line.text.trim_end() == "--";
    if delimiter
        || (has_words && is_closing(&line.plain))
        || (has_words && is_thanks(&line.plain) && ends_soon(lines, at))
    {
        return signature(lines, at);
    }
    Verdict::Keep
}

/// A signature ends where a postscript begins, or quoted lines under which an answer may stand.
fn signature(lines: &[Line<'_>], at: usize) -> Verdict {
    let rest = lines.get(at + 1..).unwrap_or_default();
    let is_postscript = |line: &Line<'_>| {
        ["ps:", "p.s.", "ps ", "pps", "p.p.s", "ps.", "nachtrag:"]
            .iter()
            .any(|begin| line.plain.starts_with(begin))
    };
    rest.iter()
        .position(|line| is_postscript(line) || line.is_quoted())
        .map_or(Verdict::Stop, |more| Verdict::Drop(more + 1))
}

/// `-----Original Message-----`, `Begin forwarded message:`.
fn is_divider(line: &str) -> bool {
    let words = line.trim_matches(|c: char| matches!(c, '-' | '_' | '=' | '*' | ' ' | '>' | ':'));
    let dashed = line.starts_with("--") || line.starts_with("__");
    let named = [
        "original message",
        "ursprüngliche nachricht",
        "originalnachricht",
        "forwarded message",
        "weitergeleitete nachricht",
        "original-nachricht",
        "forwarded by",
        "ursprüngliche mail",
        "original appointment",
        "reply message",
        "antwort",
    ];
    dashed && named.iter().any(|name| words.starts_with(name))
        || line.starts_with("begin forwarded message")
        || line.starts_with("anfang der weitergeleiteten")
        || line == "---original message---"
        || line.starts_with("##- please type your reply above this line")
        || line.starts_with("please reply above this line")
}

/// `From:` and at least two more of a mail's fields within five lines, as Outlook quotes.
fn is_header_block(lines: &[Line<'_>], at: usize) -> bool {
    const FROM: &[&str] = &["from:", "von:"];
    const MORE: &[&str] =
        &["sent:", "date:", "to:", "subject:", "cc:", "gesendet:", "datum:", "an:", "betreff:", "reply-to:"];
    let begins = |line: &Line<'_>, fields: &[&str]| fields.iter().any(|field| line.plain.starts_with(field));
    let Some(first) = lines.get(at) else { return false };
    // A rule of underscores stands above it.
    if first.plain.len() >= 10 && first.plain.chars().all(|c| c == '_' || c == '-') {
        return lines.get(at + 1..).unwrap_or_default().iter().take(3).any(|line| begins(line, FROM));
    }
    // Bold in HTML: `*From:*`.
    begins(first, FROM)
        && lines.get(at + 1..).unwrap_or_default().iter().take(5).filter(|line| begins(line, MORE)).count()
            >= 2
}

/// `On … wrote:`, `Am … schrieb …:`, and how many lines it takes.
fn attribution(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let first = lines.get(at)?;
    let begins = ["on ", "am ", "at "].iter().any(|word| first.plain.starts_with(word));
    let dated = |text: &str| text.bytes().any(|b| b.is_ascii_digit());
    let ends = |text: &str| {
        text.ends_with("wrote:")
            || text.ends_with("writes:")
            || text.contains("schrieb") && text.ends_with(':')
            || text.ends_with("schrieb")
    };
    if !begins {
        // `Jane Doe <jane@example.org> wrote:`
        let alone = ends(&first.plain) && (first.plain.contains('@') || dated(&first.plain));
        return alone.then_some(1);
    }
    let mut whole = String::new();
    for (count, line) in lines.get(at..)?.iter().take(ATTRIBUTION).enumerate() {
        if line.is_blank() || line.is_quoted() {
            return None;
        }
        whole.push_str(&line.plain);
        if ends(&line.plain) {
            return dated(&whole).then_some(count + 1);
        }
        whole.push(' ');
    }
    None
}

fn is_device(line: &str) -> bool {
    const MOST: usize = 100;
    line.len() <= MOST
        && [
            "sent from my",
            "sent from mail for",
            "get outlook for",
            "sent from outlook",
            "sent via",
            "sent with proton",
            "sent from yahoo",
            "sent from samsung",
            "gesendet von meinem",
            "von meinem iphone gesendet",
            "von meinem ipad gesendet",
            "von meinem handy",
            "gesendet von mail",
            "gesendet mit der",
            "holen sie sich outlook",
            "diese nachricht wurde von meinem",
            "von samsung mobile gesendet",
            "von meinem samsung",
            "outlook für",
            "gesendet von outlook",
            "von unterwegs gesendet",
        ]
        .iter()
        .any(|begin| line.starts_with(begin))
}

fn is_disclaimer(line: &str) -> bool {
    [
        "confidentiality notice",
        "disclaimer",
        "this e-mail and any",
        "this email and any",
        "this message and any",
        "this e-mail is confidential",
        "this email is confidential",
        "this message is confidential",
        "this e-mail may contain",
        "this email may contain",
        "this message may contain",
        "this e-mail is intended",
        "this email is intended",
        "this message is intended",
        "the information contained in this",
        "the contents of this e",
        "if you are not the intended recipient",
        "please consider the environment",
        "this communication is",
        "diese e-mail enthält",
        "diese email enthält",
        "diese nachricht enthält",
        "diese e-mail ist",
        "diese e-mail kann",
        "diese e-mail und",
        "der inhalt dieser e",
        "dieser e-mail",
        "wenn sie nicht der",
        "sollten sie nicht der",
        "vertraulichkeitshinweis",
        "bitte denken sie an die umwelt",
        "bitte prüfen sie, ob diese",
        "haftungsausschluss",
        "any views or opinions",
        "virus-free",
        "virenfrei",
    ]
    .iter()
    .any(|begin| line.starts_with(begin))
        || line.contains("intended solely for")
        || line.contains("vertrauliche und/oder rechtlich")
}

/// A formula that closes a letter, with at most a name on its line.
fn is_closing(line: &str) -> bool {
    closes(
        line,
        &[
            "best regards",
            "kind regards",
            "kindest regards",
            "warm regards",
            "warmest regards",
            "many regards",
            "with regards",
            "regards",
            "best wishes",
            "all the best",
            "yours sincerely",
            "yours faithfully",
            "yours truly",
            "sincerely",
            "sincerely yours",
            "respectfully",
            "with best",
            "kind wishes",
            "cordially",
            "mit freundlichen grüßen",
            "mit freundlichen gruessen",
            "mit freundlichem gruß",
            "mit freundlichen grüssen",
            "mit besten grüßen",
            "mit herzlichen grüßen",
            "mit lieben grüßen",
            "freundliche grüße",
            "freundliche grüsse",
            "viele grüße",
            "viele liebe grüße",
            "liebe grüße",
            "beste grüße",
            "schöne grüße",
            "herzliche grüße",
            "viele grüsse",
            "liebe grüsse",
            "beste grüsse",
            "herzlichst",
            "hochachtungsvoll",
            "mfg",
            "m.f.g.",
            "freundlich grüßt",
            "freundlicher gruß",
            "schönen gruß",
            "gruß",
            "grüße",
            "lg",
            "vg",
            "mit vorzüglicher hochachtung",
            "br",
        ],
    )
}

/// A word that closes a letter, or begins a sentence.
fn is_thanks(line: &str) -> bool {
    closes(
        line,
        &[
            "thanks",
            "thank you",
            "many thanks",
            "thanks in advance",
            "thanks a lot",
            "cheers",
            "best",
            "love",
            "yours",
            "danke",
            "vielen dank",
            "besten dank",
            "danke im voraus",
            "herzlichen dank",
            "vielen dank im voraus",
            "dank im voraus",
            "bis dann",
            "thank you in advance",
            "thank you very much",
            "ciao",
        ],
    )
}

fn closes(line: &str, formulas: &[&str]) -> bool {
    const NAME: usize = 40;
    formulas.iter().any(|formula| {
        line.strip_prefix(formula).is_some_and(|rest| {
            let rest = rest.trim_start_matches(' ');
            let bare = rest.trim_end_matches(['.', '!', ',', ' ']).is_empty();
            // `Regards, Jane`: a name, no sentence.
            let named = rest.strip_prefix([',', '!', '-', '/']).map(str::trim).is_some_and(|name| {
                name.len() <= NAME && name.split_whitespace().count() <= 3 && !name.ends_with(['.', '?', '!'])
            });
            let origin = (rest.starts_with("aus ") || rest.starts_with("from "))
                && rest.split_whitespace().count() <= 3;
            bare || named || origin
        })
    })
}

/// Whether few and short lines follow.
fn ends_soon(lines: &[Line<'_>], at: usize) -> bool {
    const LENGTH: usize = 48;
    let rest = lines.get(at + 1..).unwrap_or_default();
    let mut count = 0;
    for line in rest.iter().take_while(|line| !line.is_quoted()).filter(|line| !line.is_blank()) {
        count += 1;
        if count > SHORT || line.plain.chars().count() > LENGTH || line.plain.ends_with(['.', '?', '!']) {
            return is_device(&line.plain) || is_disclaimer(&line.plain) || line.plain.starts_with("--");
        }
    }
    true
}
