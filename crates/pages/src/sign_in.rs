//! The sign-in.

use maud::{Markup, html};

use crate::format::clean;
use crate::layout::{Head, Shell, page};

/// What the sign-in offers and says.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignIn<'a> {
    /// Why the last attempt failed.
    pub fault: Option<SignInFault>,
    /// Whether people sign in by name and password too; tokens are always accepted.
    pub password: bool,
    /// The name that was typed in the last attempt.
    pub name: &'a str,
    /// The path that was asked for, which the form sends on as `next`. The route that takes it must refuse other hosts.
    pub next: &'a str,
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFault {
    /// The token is not valid, or none for people.
    Token,
    /// Nobody has that name and password.
    Password,
    /// Too many attempts.
    TooMany,
    /// The session has ended.
    Ended,
    /// The form was too old, or another page sent it.
    Stale,
}

/// The page with the forms, which are posted to `/sign-in` with the fields `name` and `password`, or `token`; and
/// `next` and `csrf`.
#[must_use]
pub fn sign_in(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> String {
    let texts = shell.texts();
    let by_token = matches!(sign_in.fault, Some(SignInFault::Token));
    let content = html! {
        div.gate {
            h1 { (texts.sign_in) }
            p { (texts.sign_in_below) }
            @if let Some(fault) = sign_in.fault { p #fault .fault role="alert" { (fault_text(shell, fault)) } }
            @if sign_in.password {
                (by_password(shell, sign_in))
                details.stacked open[by_token] {
                    summary { (texts.sign_in_by_token) }
                    (by_secret(shell, sign_in))
                }
            } @else {
                (by_secret(shell, sign_in))
            }
        }
    };
    page(shell, &Head { title: texts.sign_in, section: None, again: None }, content)
}

fn by_password(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> Markup {
    let texts = shell.texts();
    let wrong = sign_in.fault == Some(SignInFault::Password);
    html! {
        form.stacked method="post" action=(shell.path("/sign-in")) {
            (shell.csrf_field())
            input type="hidden" name="next" value=(sign_in.next);
            label for="name" { (texts.name) }
            input #name type="text" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required
                maxlength="256" value=(clean(sign_in.name))
                aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("fault")];
            label for="password" { (texts.password) }
            input #password type="password" name="password" autocomplete="current-password" required maxlength="256"
                aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("fault")];
            button type="submit" { (texts.sign_in) }
        }
    }
}

fn by_secret(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> Markup {
    let texts = shell.texts();
    let wrong = sign_in.fault == Some(SignInFault::Token);
    html! {
        form.stacked method="post" action=(shell.path("/sign-in")) {
            (shell.csrf_field())
            input type="hidden" name="next" value=(sign_in.next);
            label for="token" { (texts.token) }
            input #token type="password" name="token" autocomplete="off" required maxlength="1024"
                aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("fault")];
            button type="submit" { (texts.sign_in) }
        }
    }
}

fn fault_text(shell: &Shell<'_>, fault: SignInFault) -> &'static str {
    let texts = shell.texts();
    match fault {
        SignInFault::Token => texts.sign_in_wrong,
        SignInFault::Password => texts.sign_in_wrong_password,
        SignInFault::TooMany => texts.sign_in_too_many,
        SignInFault::Ended => texts.sign_in_ended,
        SignInFault::Stale => texts.sign_in_stale,
    }
}
