//! The sign-in.

use maud::{Markup, html};

use crate::calls::query;
use crate::format::clean;
use crate::layout::{Head, Shell, page};
use crate::text::fill;

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
    /// What the identity provider is called that people sign in by, if there is one.
    pub provider: Option<&'a str>,
    /// Where somebody who has just signed out can sign out at the provider too.
    pub out: Option<&'a str>,
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
    /// The identity provider can't be asked.
    Provider,
    /// The way back from the provider was none of this browser's, or came too late.
    Attempt,
    /// The provider has let nobody in.
    Denied,
    /// What the provider sent proves nothing.
    NotTaken,
    /// The provider knows them, and none of their groups has a role here.
    NoRole,
    /// Their e-mail address is of another domain.
    Domain,
    /// They are an agent whose label the provider does not say.
    NoAgent,
    /// They were shut out here.
    Revoked,
}

/// The page with the forms, which are posted to `/sign-in` with the fields `name` and `password`, or `token`; and
/// `next` and `csrf`.
#[must_use]
pub fn sign_in(shell: &Shell<'_>, sign_in: &SignIn<'_>) -> String {
    let texts = shell.texts();
    let provider = clean(sign_in.provider.unwrap_or_default());
    let by_token = matches!(sign_in.fault, Some(SignInFault::Token));
    let content = html! {
        div.gate {
            h1 { (texts.sign_in) }
            p { (texts.sign_in_below) }
            @if let Some(fault) = sign_in.fault { p #fault .fault role="alert" { (fault_text(shell, fault)) } }
            // Nothing but an address: a script's would run here.
            @if let Some(out) = sign_in.out.filter(|out| out.starts_with("https://") || out.starts_with("http://")) {
                p { a href=(clean(out)) rel="noreferrer" { (fill(texts.sign_out_there, &[&provider])) } }
            }
            @if sign_in.provider.is_some() {
                p { a.button href=(shell.path(&format!("/sign-in/start{}", query(&[("next", sign_in.next)])))) {
                    (fill(texts.sign_in_by_provider, &[&provider]))
                } }
            }
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
        SignInFault::Provider => texts.sign_in_no_provider,
        SignInFault::Attempt => texts.sign_in_attempt,
        SignInFault::Denied => texts.sign_in_denied,
        SignInFault::NotTaken => texts.sign_in_not_taken,
        SignInFault::NoRole => texts.sign_in_no_role,
        SignInFault::Domain => texts.sign_in_domain,
        SignInFault::NoAgent => texts.sign_in_no_agent,
        SignInFault::Revoked => texts.sign_in_revoked,
    }
}
