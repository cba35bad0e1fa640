//! The sign-in.

use maud::{Markup, html};

use crate::layout::{Head, Shell, page};

/// What the sign-in offers and says.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignIn<'a> {
    /// Why the last attempt failed.
    pub fault: Option<SignInFault>,
    /// The path, behind the base, where the sign-in with the organisation's account begins, if there is one.
    pub provider: Option<&'a str>,
    /// Whether tokens are accepted.
    pub token: bool,
    /// The path that was asked for, which the form sends on as `next`. The route that takes it must refuse other hosts.
    pub next: &'a str,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFault {
    /// The token is not valid, or none for people.
    Wrong,
    /// Too many attempts.
    TooMany,
    /// The session has ended.
    Ended,
    /// The organisation's sign-in did not let this person in, or failed.
    Provider,
    /// The form was too old, or another page sent it.
    Stale,
}

/// The page with the form, which is posted to `/sign-in` with the fields `token`, `next` and `csrf`.
#[must_use]
pub fn sign_in(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> String {
    let texts = shell.texts();
    let content = html! {
        div.gate {
            h1 { (texts.sign_in) }
            p { (texts.sign_in_below) }
            @if let Some(fault) = sign_in.fault { p #fault .fault role="alert" { (fault_text(shell, fault)) } }
            @if let Some(path) = sign_in.provider {
                p { a.button href=(shell.path(path)) { (texts.sign_in_provider) } }
            }
            @if sign_in.token { (form(shell, sign_in)) }
            @if sign_in.provider.is_none() && !sign_in.token { p.fault { (texts.sign_in_none) } }
        }
    };
    page(shell, &Head { title: texts.sign_in, section: None }, content)
}

fn form(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> Markup {
    let texts = shell.texts();
    let wrong = sign_in.fault == Some(SignInFault::Wrong);
    html! {
        form.stacked method="post" action=(shell.path("/sign-in")) {
            (shell.csrf_field())
            input type="hidden" name="next" value=(sign_in.next);
            label for="token" { (texts.token) }
            input #token type="password" name="token" autocomplete="current-password" required maxlength="1024"
                aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("fault")];
            button type="submit" { (texts.sign_in) }
        }
    }
}

fn fault_text(shell: &Shell<'_>, fault: SignInFault) -> &'static str {
    let texts = shell.texts();
    match fault {
        SignInFault::Wrong => texts.sign_in_wrong,
        SignInFault::TooMany => texts.sign_in_too_many,
        SignInFault::Ended => texts.sign_in_ended,
        SignInFault::Provider => texts.sign_in_provider_failed,
        SignInFault::Stale => texts.sign_in_stale,
    }
}
