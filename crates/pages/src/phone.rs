//! The demo's phone: a page that calls through Sidetone from a browser.
//!
//! The demo serves it, and no running Sidetone does. Its script and its style are the demo's own; what it says stands
//! here, as all texts do.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::layout::{Head, Shell, headline, page};
use crate::text::{PhoneTexts, fill};

/// The keys of a telephone, row by row.
const KEYS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/// What the page calls, and by what.
#[derive(Debug, Clone, Copy)]
pub struct Phone<'a> {
    /// The URI that it calls.
    pub callee: &'a str,
    /// Its own URI.
    pub own: &'a str,
    /// The address of Sidetone's WebSocket over TLS, tried first.
    pub secure: &'a str,
    /// The address of Sidetone's WebSocket without TLS, where the browser takes no certificate of the other's.
    pub plain: &'a str,
    /// Where a browser can be told to take that certificate.
    pub certificate: &'a str,
    /// The key that objects to the analysis.
    pub opt_out: char,
    /// The address of the pages on which the call is to be seen, if there are any.
    pub pages: Option<&'a str>,
    /// Paths of the page's own style sheet and scripts.
    pub style: &'a str,
    /// Paths of the scripts, in order.
    pub scripts: &'a [&'a str],
}

/// The page.
#[must_use]
pub fn phone(shell: &Shell<'_>, phone: &Phone<'_>) -> String {
    let own = shell.language.phone();
    let content = html! {
        link rel="stylesheet" href=(phone.style);
        (headline(&html! { (own.title) }, &html! { (own.below) }))
        noscript { p.fault role="alert" { (own.needs_script) } }
        div #phone .phone data-callee=(phone.callee) data-own=(phone.own) data-secure=(phone.secure)
            data-plain=(phone.plain) data-texts=(told(own)) {
            (calling(own, phone))
            div.beside {
                (seen(own, phone))
                (facts(own, phone))
            }
        }
        @for script in phone.scripts { script src=(script) defer {} }
    };
    page(shell, &Head { title: own.title, section: None, again: None }, content)
}

/// The phone itself.
fn calling(own: &PhoneTexts, phone: &Phone<'_>) -> Markup {
    html! {
        section.handset aria-labelledby="phone-title" {
            h2 #phone-title .hidden { (own.handset) }
            p.callee { span.soft { (own.calls) } " " strong { (own.callee) } }
            p #phone-state .state role="status" { (own.opening) }
            p #phone-length .length aria-hidden="true" { "0:00" }
            p #phone-fault .fault role="alert" hidden {}
            div.level {
                label #level-label for="phone-level" { (own.microphone) }
                meter #phone-level min="0" max="1" value="0" aria-labelledby="level-label" {}
            }
            div.act {
                button #phone-call type="button" disabled { (own.call) }
                button #phone-hangup .end type="button" hidden { (own.hang_up) }
                button #phone-mute .quiet type="button" aria-pressed="false" disabled { (own.mute) }
            }
            div.keys role="group" aria-label=(own.keys) {
                @for key in KEYS {
                    button.quiet type="button" data-key=(key) aria-label=(spoken(own, key)) disabled { (key) }
                }
            }
            p.hint { (fill(own.opt_out, &[&phone.opt_out.to_string()])) }
            audio #phone-sound autoplay {}
        }
    }
}

/// What a screen reader says of a key: signs are read in many ways, or not at all.
fn spoken<'a>(own: &'a PhoneTexts, key: &'a str) -> &'a str {
    match key {
        "*" => own.star,
        "#" => own.hash,
        digit => digit,
    }
}

/// What happens, and where it is seen.
fn seen(own: &PhoneTexts, phone: &Phone<'_>) -> Markup {
    html! {
        section {
            h2 { (own.what_happens) }
            ol.steps {
                li { (own.step_microphone) }
                li { (own.step_told) }
                li { (own.step_speak) }
            }
            @if let Some(pages) = phone.pages {
                p.more {
                    a.button href=(pages) target="_blank" rel="noreferrer" { (own.watch) span.hidden { " " (own.new_tab) } }
                }
                p.hint { (own.watch_how) }
            } @else {
                p.hint { (own.watch_terminal) }
            }
        }
    }
}

/// How the call is protected, as far as the browser knows.
fn facts(own: &PhoneTexts, phone: &Phone<'_>) -> Markup {
    html! {
        section {
            h2 { (own.connection) }
            dl.key {
                div { dt { (own.signalling) } dd #fact-signalling { "–" } }
                div { dt { (own.media) } dd #fact-media { "–" } }
                div { dt { (own.codec) } dd #fact-codec { "–" } }
                div { dt { (own.packets) } dd #fact-packets { "–" } }
            }
            div #phone-plain .notice hidden {
                p { strong { (own.plain) } " " (own.plain_why) }
                ol.steps {
                    li {
                        a href=(phone.certificate) target="_blank" rel="noreferrer" {
                            (phone.certificate) span.hidden { " " (own.new_tab) }
                        }
                        " " (own.certificate_open)
                    }
                    li { (own.certificate_accept) }
                    li { (own.certificate_back) }
                }
            }
        }
    }
}

/// What the script says, by name.
fn told(own: &PhoneTexts) -> String {
    let texts: BTreeMap<&str, &str> = [
        ("ready", own.ready),
        ("connecting", own.connecting),
        ("asking", own.asking),
        ("calling", own.calling),
        ("ringing", own.ringing),
        ("talking", own.talking),
        ("muted", own.muted),
        ("ended", own.ended),
        ("pressed", own.pressed),
        ("mute", own.mute),
        ("unmute", own.unmute),
        ("again", own.call_again),
        ("packets", own.packets_both),
        ("secure", own.by_wss),
        ("plain", own.by_ws),
        ("no_microphone", own.no_microphone),
        ("refused_microphone", own.refused_microphone),
        ("busy_microphone", own.busy_microphone),
        ("unsafe_page", own.unsafe_page),
        ("no_answer", own.no_answer),
        ("busy", own.busy),
        ("refused", own.refused),
        ("insecure", own.insecure),
        ("no_media", own.no_media),
        ("unreachable", own.unreachable),
        ("lost", own.lost),
        ("failed", own.failed),
    ]
    .into();
    // A map of texts has a form in JSON.
    serde_json::to_string(&texts).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    fn shown(language: Language, pages: Option<&str>) -> String {
        let shell =
            Shell { language, here: "/", base: "", name: None, role: None, sections: &[], csrf: "", now: 0 };
        let of = Phone {
            callee: "sip:agent@127.0.0.1:5060",
            own: "sip:browser@127.0.0.1",
            secure: "wss://127.0.0.1:8443/",
            plain: "ws://127.0.0.1:8080/",
            certificate: "https://127.0.0.1:8443/",
            opt_out: '7',
            pages,
            style: "/phone.css",
            scripts: &["/jssip.js", "/phone.js"],
        };
        phone(&shell, &of)
    }

    #[test]
    fn it_has_every_key_and_says_which_one_objects() {
        let page = shown(Language::En, None);
        for key in KEYS {
            assert!(page.contains(&format!("data-key=\"{key}\"")), "{key}");
        }
        assert!(page.contains("aria-label=\"star\"") && page.contains("Press 7"), "{page}");
        assert!(!page.contains("target=\"_blank\" rel=\"noreferrer\">Watch"), "there are no pages");
    }

    #[test]
    fn its_script_finds_its_texts_and_addresses_in_either_language() {
        for (language, ringing) in [(Language::En, "It rings"), (Language::De, "Es klingelt")] {
            let page = shown(language, Some("http://127.0.0.1:9000/"));
            assert!(page.contains("data-secure=\"wss://127.0.0.1:8443/\""), "{page}");
            assert!(page.contains(&format!("&quot;ringing&quot;:&quot;{ringing}")), "{page}");
            assert!(page.contains("href=\"http://127.0.0.1:9000/\""), "{page}");
            assert!(!page.contains("<script>") && !page.contains(" style="), "nothing inline");
        }
    }
}
