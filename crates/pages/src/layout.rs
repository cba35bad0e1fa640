//! The frame around every page: navigation, who is signed in, language, landmarks.

use maud::{DOCTYPE, Markup, html};
use sidetone_store::Role;

use crate::assets;
use crate::format::{clean, shown};
use crate::text::{Language, Texts};

/// A part of the pages that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The agent's own call.
    Desk,
    /// Calls that are up.
    Live,
    /// The list of calls, and each of them.
    Calls,
    /// Figures of days.
    Figures,
    /// The state of the service.
    Operations,
    /// Consent, receipts, accesses.
    Compliance,
}

impl Section {
    /// The sections that a role sees, its first page first. A role without any signs in to no page: the routes hold to
    /// this list.
    #[must_use]
    pub fn of(role: Role) -> &'static [Self] {
        match role {
            Role::Agent => &[Self::Desk, Self::Calls],
            Role::Supervisor => &[Self::Live, Self::Calls, Self::Figures],
            Role::Director => &[Self::Figures, Self::Compliance],
            // Not the supervisor: the log of accesses tells of supervisors, and is for those who watch over them.
            Role::Operator => &[Self::Operations, Self::Compliance],
            Role::Integration => &[],
        }
    }

    /// Its path, behind the base.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Desk => "/desk",
            Self::Live => "/live",
            Self::Calls => "/calls",
            Self::Figures => "/figures",
            Self::Operations => "/operations",
            Self::Compliance => "/compliance",
        }
    }

    fn title(self, language: Language) -> &'static str {
        let texts = language.texts();
        match self {
            Self::Desk => texts.desk,
            Self::Live => texts.live,
            Self::Calls => texts.calls,
            Self::Figures => texts.figures,
            Self::Operations => language.operations().title,
            Self::Compliance => language.compliance().title,
        }
    }
}

/// The name of a role.
fn role_title(role: Role, texts: &Texts) -> &str {
    match role {
        Role::Agent => texts.role_agent,
        Role::Supervisor => texts.role_supervisor,
        Role::Director => texts.role_director,
        Role::Operator => texts.role_operator,
        Role::Integration => texts.role_integration,
    }
}

/// What every page needs to know of its reader and of the request.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    /// The reader's language.
    pub language: Language,
    /// Path and query of this request, base included: the links to other languages add `lang=` to it.
    pub here: &'a str,
    /// What stands before every path, without a slash at its end: empty, or `/pages`.
    pub base: &'a str,
    /// The signed-in person; `None` before the sign-in.
    pub name: Option<&'a str>,
    /// Their role.
    pub role: Option<Role>,
    /// The sections that the navigation shows.
    pub sections: &'a [Section],
    /// The token that POST forms carry in their field `csrf`.
    pub csrf: &'a str,
    /// The time, in milliseconds since 1970.
    pub now: u64,
}

impl Shell<'_> {
    pub(crate) fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// A path behind the base.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The hidden field of POST forms.
    pub(crate) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// This page once more.
    pub(crate) fn again(&self) -> String {
        self.in_language(self.language)
    }

    /// This page in another language.
    fn in_language(&self, language: Language) -> String {
        let (path, query) = self.here.split_once('?').unwrap_or((self.here, ""));
        // Exactly one slash at its start: two would name another host.
        let path = format!("/{}", path.trim_start_matches(['/', '\\']));
        // An address is of these characters; others come from nobody's browser.
        let path: String = path.chars().filter(char::is_ascii_graphic).collect();
        let query: String = query.chars().filter(char::is_ascii_graphic).collect();
        let mut link = format!("{path}?");
        for pair in query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang=")) {
            link.push_str(pair);
            link.push('&');
        }
        link.push_str("lang=");
        link.push_str(language.code());
        link
    }
}

/// A page's title and its place in the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The title, as it stands in the tab.
    pub title: &'a str,
    /// The section that it belongs to.
    pub section: Option<Section>,
    /// After how many seconds a browser without script loads the page anew; only where nothing is written on it.
    pub again: Option<u32>,
}

/// A whole page around its content, which has the page's one `h1`.
#[must_use]
// The parameter takes what the page's own function has just made.
#[allow(clippy::needless_pass_by_value)]
pub fn page(shell: &Shell<'_>, head: &Head<'_>, content: Markup) -> String {
    whole(shell, head, &content, &header(shell, head.section), &footer(shell))
}

/// A page for callers: nothing leads on from it but to itself in another language, and no search engine keeps it.
// As above.
#[allow(clippy::needless_pass_by_value)]
pub(crate) fn for_callers(shell: &Shell<'_>, title: &str, content: Markup) -> String {
    let head = Head { title, section: None, again: None };
    whole(shell, &head, &content, &html! {}, &html! { footer { (languages(shell)) } })
}

fn whole(shell: &Shell<'_>, head: &Head<'_>, content: &Markup, above: &Markup, below: &Markup) -> String {
    let texts = shell.texts();
    let markup = html! {
        (DOCTYPE)
        html lang=(texts.code) dir=(texts.writing) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="same-origin";
                meta name="robots" content="noindex";
                title { (clean(head.title)) " · Sidetone" }
                link rel="icon" type="image/svg+xml" href=(shell.path(assets::icon()));
                link rel="stylesheet" href=(shell.path(assets::style()));
                script src=(shell.path(assets::script())) defer {}
                @if let Some(seconds) = head.again {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body {
                a.skip href="#content" { (texts.skip) }
                (above)
                main #content tabindex="-1" { (content) }
                (below)
            }
        }
    };
    markup.into_string()
}

fn header(shell: &Shell<'_>, here: Option<Section>) -> Markup {
    let texts = shell.texts();
    html! {
        header.top {
            div.brand {
                svg viewBox="0 0 32 20" width="32" height="20" aria-hidden="true" focusable="false" {
                    path d="M1 10h5c2 0 2-7 4.500-7s2.500 14 5 14 2.500-10 4.500-10 2 3 4 3h7" {}
                }
                span { "Sidetone" }
            }
            @if !shell.sections.is_empty() {
                nav aria-label=(texts.navigation) {
                    ul {
                        @for section in shell.sections {
                            li {
                                a href=(shell.path(section.path()))
                                    aria-current=[(here == Some(*section)).then_some("page")] {
                                    (section.title(shell.language))
                                }
                            }
                        }
                    }
                }
            }
            div.who {
                @if let Some(name) = shell.name {
                    p {
                        span.hidden { (texts.signed_in_as) " " }
                        strong { (shown(name)) }
                        @if let Some(role) = shell.role { span.role { (role_title(role, texts)) } }
                    }
                    form method="post" action=(shell.path("/sign-out")) {
                        (shell.csrf_field())
                        button.quiet type="submit" { (texts.sign_out) }
                    }
                }
            }
        }
    }
}

fn footer(shell: &Shell<'_>) -> Markup {
    let texts = shell.texts();
    html! {
        footer {
            p { (texts.estimates) }
            (languages(shell))
        }
    }
}

/// The page in each language.
fn languages(shell: &Shell<'_>) -> Markup {
    html! {
        nav aria-label=(shell.texts().language) {
            ul.languages {
                @for language in Language::every() {
                    li {
                        a href=(shell.in_language(language)) hreflang=(language.code()) lang=(language.code())
                            aria-current=[(language == shell.language).then_some("true")] {
                            (language.texts().language_name)
                        }
                    }
                }
            }
        }
    }
}

/// Headline of a page with a line below it.
pub(crate) fn headline(title: &Markup, below: &Markup) -> Markup {
    html! { div.headline { h1 { (title) } p { (below) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(here: &str) -> Shell<'_> {
        let language = Language::En;
        Shell { language, here, base: "", name: None, role: None, sections: &[], csrf: "", now: 0 }
    }

    #[test]
    fn the_same_page_in_another_language_is_on_this_host() {
        assert_eq!(shell("/calls?a=1&lang=en&b=2").in_language(Language::De), "/calls?a=1&b=2&lang=de");
        assert_eq!(shell("//evil.example/x").in_language(Language::De), "/evil.example/x?lang=de");
        assert_eq!(shell("/\\evil").in_language(Language::De), "/evil?lang=de");
        assert_eq!(shell("").in_language(Language::En), "/?lang=en");
    }
}
