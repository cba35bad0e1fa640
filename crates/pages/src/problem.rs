//! A page for what went wrong.

use maud::html;

use crate::format::clean;
use crate::layout::{Head, Shell, page};

/// The page of an HTTP status from 400 on, with a detail for people if there is one to tell.
#[must_use]
pub fn problem(shell: &Shell<'_>, status: u16, detail: Option<&str>) -> String {
    let texts = shell.texts();
    let (title, remedy) = match status {
        401 => (texts.p401, texts.p401_how),
        403 => (texts.p403, texts.p403_how),
        404 | 410 => (texts.p404, texts.p404_how),
        429 => (texts.p429, texts.p429_how),
        503 => (texts.p503, texts.p503_how),
        400..=499 => (texts.p400, texts.p400_how),
        _ => (texts.p500, texts.p500_how),
    };
    let content = html! {
        div.gate {
            h1 { (title) }
            p { (remedy) }
            @if let Some(detail) = detail { p.soft { bdi { (clean(detail)) } } }
            p.soft { "HTTP " (status) }
            @if let Some(section) = shell.sections.first() {
                p { a.button href=(shell.path(section.path())) { (texts.go_on) } }
            } @else if status == 404 {
                // Who is signed in is not known at such an address: the first page is, or leads to the sign-in.
                p { a.button href=(shell.path("/")) { (texts.go_on) } }
            } @else if status == 503 {
                // Whether somebody is signed in is not known without the store.
                p { a.button href=(shell.again()) { (texts.go_on) } }
            } @else if shell.name.is_none() {
                p { a.button href=(shell.path("/sign-in")) { (texts.sign_in) } }
            }
        }
    };
    page(shell, &Head { title, section: None, again: None }, content)
}
