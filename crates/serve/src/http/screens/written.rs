//! What a customer has written, read on an agent's desk. Nothing of it is kept or logged.

use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use sidetone_call::Topic;
use sidetone_language::chat;
use sidetone_pages::{WRITTEN, Written, WrittenFault, WrittenForm, WrittenMessage};

use super::desk::agent;
use super::sources::Screens;
use super::visit::Visit;
use crate::http::desk::Desks;
use crate::http::text::{Read, read};

/// Most bytes of a form: a character may be written as twelve.
const LARGEST: usize = 512 * 1024;
/// Most characters that are read.
const LONGEST: usize = 40_000;
/// Most messages of a chat that are read, the newest: some tenth of a second of work.
const MOST: usize = 200;

pub(super) fn router(desks: Desks) -> Router<Screens> {
    Router::new()
        .route(WRITTEN, get(form).post(score))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(Extension(desks))
}

async fn form(visit: Visit) -> Result<Response, Response> {
    agent(&visit)?;
    Ok(visit.frame.ok(sidetone_pages::written(&visit.frame.shell(), WrittenForm::default(), None, None)))
}

#[derive(Deserialize)]
struct Asked {
    csrf: String,
    #[serde(default)]
    kind: String,
    text: String,
    #[serde(default)]
    customer: String,
}

async fn score(
    Extension(desks): Extension<Desks>,
    visit: Visit,
    form: Result<Form<Asked>, FormRejection>,
) -> Result<Response, Response> {
    agent(&visit)?;
    let Form(asked) = form.map_err(|error| visit.frame.problem(error.status()))?;
    if asked.csrf != visit.person.csrf {
        return Err(visit.frame.problem(StatusCode::FORBIDDEN));
    }
    // What turns the direction of writing would hide who has said what.
    let visible = |letter: &char| matches!(letter, '\n' | '\t') || !sidetone_call::misleads(*letter);
    let text: String = asked.text.chars().filter(visible).collect();
    let form = WrittenForm { chat: asked.kind == "chat", text: &text, customer: asked.customer.trim() };
    let (found, fault) = match messages(form) {
        Err(fault) => (None, Some(fault)),
        Ok((messages, left_out)) => {
            let shown = messages.clone();
            // The async threads serve SIP too.
            match tokio::task::spawn_blocking(move || read(&messages, false)).await.ok().flatten() {
                None => (None, Some(WrittenFault::Unread)),
                Some(reading) => {
                    (Some(told(shown, &reading, left_out, &desks, visit.frame.language.code())), None)
                }
            }
        }
    };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = sidetone_pages::written(&visit.frame.shell(), form, found.as_ref(), fault.as_ref());
    Ok(visit.frame.answer(status, page))
}

/// The customer's messages, and how many of others there are.
fn messages(form: WrittenForm<'_>) -> Result<(Vec<String>, usize), WrittenFault> {
    if form.text.trim().is_empty() {
        return Err(WrittenFault::Empty);
    }
    if form.text.chars().nth(LONGEST).is_some() {
        return Err(WrittenFault::Long);
    }
    if !form.chat {
        return Ok((vec![form.text.to_owned()], 0));
    }
    let turns = chat::turns(form.text);
    let speakers = chat::speakers(&turns);
    let named = speakers.iter().find(|name| name.eq_ignore_ascii_case(form.customer)).copied();
    let customer = match (speakers.as_slice(), named.or_else(|| chat::customer(&speakers))) {
        // A chat without names is taken to be the customer's: the page says so.
        ([], _) => None,
        (_, Some(name)) => Some(name.to_owned()),
        (names, None) => {
            return Err(WrittenFault::Who(names.iter().take(8).map(|it| (*it).to_owned()).collect()));
        }
    };
    let all = turns.len();
    let mut own: Vec<String> =
        turns.into_iter().filter(|turn| turn.who == customer).map(|turn| turn.text).collect();
    let left_out = all - own.len();
    if own.is_empty() {
        return Err(WrittenFault::Empty);
    }
    own.drain(..own.len().saturating_sub(MOST));
    Ok((own, left_out))
}

fn told(messages: Vec<String>, read: &Read, left_out: usize, desks: &Desks, language: &str) -> Written {
    let thread = &read.thread;
    let topics: Vec<Topic> = thread.topics.iter().map(|mention| mention.topic).collect();
    let cues = desks.cues();
    let suggestion = cues.suggest(&topics, thread.urgency, thread.satisfaction).map(|found| {
        let (line, reason, language) = found.in_language(language);
        (line.to_owned(), reason.map(str::to_owned), language.to_owned())
    });
    let one = |(text, told): (String, &sidetone_call::Told)| WrittenMessage {
        text,
        valence: told.affect.abstained.is_none().then(|| f64::from(told.affect.valence)),
        urgency: f64::from(told.urgency),
        topics: told.topics.iter().map(|it| (it.topic.name().to_owned(), it.phrase.clone())).collect(),
    };
    Written {
        unfelt: read.messages.iter().all(|it| it.told.affect.abstained.is_some()),
        messages: messages.into_iter().zip(read.messages.iter().map(|it| &it.told)).map(one).collect(),
        valence: f64::from(thread.valence),
        urgency: f64::from(thread.urgency),
        satisfaction: f64::from(thread.satisfaction),
        topics: topics.iter().map(|topic| topic.name().to_owned()).collect(),
        suggestion,
        left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        chat: bool,
        text: &'static str,
        customer: &'static str,
    ) -> Result<(Vec<String>, usize), WrittenFault> {
        messages(WrittenForm { chat, text, customer })
    }

    #[test]
    fn of_a_chat_the_customers_messages_are_read_and_no_others() {
        let chat = "Tom: I am so annoyed by this.\nEva: I want to cancel.\nTom: Why?\nEva: It broke.";
        let evas = Ok((vec!["I want to cancel.".to_owned(), "It broke.".to_owned()], 2));
        assert_eq!(asked(true, chat, "eva"), evas);
        assert_eq!(asked(true, chat, ""), Err(WrittenFault::Who(vec!["Tom".to_owned(), "Eva".to_owned()])));
        assert_eq!(asked(true, "Agent: Hi\nCustomer: It broke.", ""), Ok((vec!["It broke.".to_owned()], 1)));
        assert_eq!(
            asked(true, "It broke.\n\nAgain.", ""),
            Ok((vec!["It broke.".to_owned(), "Again.".to_owned()], 0))
        );
        assert_eq!(asked(false, chat, "").map(|(messages, _)| messages.len()), Ok(1));
        assert_eq!(asked(true, " \n", ""), Err(WrittenFault::Empty));
    }

    #[test]
    fn what_is_too_long_is_refused_and_of_many_messages_the_newest_are_read() {
        let text: &'static str = Box::leak("x".repeat(LONGEST + 1).into_boxed_str());
        assert_eq!(asked(false, text, ""), Err(WrittenFault::Long));
        let text: &'static str = Box::leak("ab\n\n".repeat(MOST + 50).into_boxed_str());
        assert_eq!(asked(true, text, "").map(|(messages, _)| messages.len()), Ok(MOST));
    }
}
