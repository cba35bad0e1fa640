//! What callers are asked after a call, by a link: no sign-in leads here, and no page leads on.

use maud::{Markup, html};
use sidetone_store::{Invited, Survey};

use crate::layout::{Shell, for_callers};
use crate::text::SurveyTexts;

/// What is sent with the form, as it stands in its fields.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct SurveyForm {
    empathy: String,
    resolved: String,
    comment: String,
}

impl SurveyForm {
    /// What they have answered; `None` if it is nothing, or nothing that could be kept.
    #[must_use]
    pub fn survey(&self) -> Option<Survey> {
        let comment = self.comment.replace("\r\n", "\n");
        let comment = comment.trim();
        let survey = Survey {
            empathy: self.empathy.parse().ok(),
            resolved: match self.resolved.as_str() {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
            comment: (!comment.is_empty()).then(|| comment.to_owned()),
        };
        survey.check().is_ok().then_some(survey)
    }
}

/// The page of a link. `refused` is what was sent and could not be kept.
#[must_use]
pub fn survey(shell: &Shell<'_>, link: Invited, refused: Option<&SurveyForm>) -> String {
    let own = shell.language.survey();
    match link {
        Invited::Open => for_callers(shell, own.title, form(own, refused)),
        Invited::Answered => said(shell, own.answered, own.answered_how),
        Invited::Gone => said(shell, own.gone, own.gone_how),
    }
}

/// The page after an answer.
#[must_use]
pub fn survey_thanks(shell: &Shell<'_>) -> String {
    let own = shell.language.survey();
    said(shell, own.thanks, own.thanks_how)
}

fn said(shell: &Shell<'_>, title: &str, how: &str) -> String {
    for_callers(shell, title, html! { div.gate { h1 { (title) } p { (how) } } })
}

// The form is posted to where it stands.
fn form(own: &SurveyTexts, refused: Option<&SurveyForm>) -> Markup {
    let sent = refused.cloned().unwrap_or_default();
    html! {
        div.gate.survey {
            h1 { (own.title) }
            p { (own.below) }
            @if refused.is_some() { p.fault role="alert" { (own.empty) } }
            form.stacked method="post" {
                fieldset {
                    legend { (own.empathy) }
                    div.scores {
                        @for score in ["1", "2", "3", "4", "5"] {
                            label {
                                input type="radio" name="empathy" value=(score) checked[sent.empathy == score];
                                span { (score) }
                            }
                        }
                    }
                    p.hint.ends { span { (own.least) } span { (own.most) } }
                }
                fieldset {
                    legend { (own.resolved) }
                    div.scores {
                        @for (value, name) in [("yes", own.yes), ("no", own.no)] {
                            label {
                                input type="radio" name="resolved" value=(value) checked[sent.resolved == value];
                                span { (name) }
                            }
                        }
                    }
                }
                label for="comment" { (own.comment) }
                textarea #comment name="comment" rows="4" maxlength="2000" aria-describedby="comment-hint" { (sent.comment) }
                p #comment-hint .hint { (own.comment_hint) }
                button type="submit" { (own.send) }
            }
            p.hint { (own.kept) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Language;

    fn shell(language: Language) -> Shell<'static> {
        Shell {
            language,
            here: "/survey/0123",
            base: "",
            name: None,
            role: None,
            sections: &[],
            csrf: "",
            now: 0,
        }
    }

    #[test]
    fn what_was_written_stays_in_a_form_that_is_refused_and_is_text() {
        let form = SurveyForm {
            comment: "<b>x</b>".repeat(400),
            resolved: "no".to_owned(),
            ..SurveyForm::default()
        };
        assert_eq!(form.survey(), None, "too long");
        let page = survey(&shell(Language::En), Invited::Open, Some(&form));
        assert!(
            page.contains("&lt;b&gt;x") && !page.contains("<b>x") && page.contains("role=\"alert\""),
            "{page}"
        );
        assert!(page.contains("value=\"no\" checked") && !page.contains("value=\"yes\" checked"), "{page}");
    }

    #[test]
    fn an_answer_is_what_was_answered() {
        let of = |empathy: &str, resolved: &str, comment: &str| {
            SurveyForm { empathy: empathy.into(), resolved: resolved.into(), comment: comment.into() }
                .survey()
        };
        assert_eq!(
            of("5", "yes", " Danke\r\nschön "),
            Some(Survey {
                empathy: Some(5), resolved: Some(true), comment: Some("Danke\nschön".to_owned())
            })
        );
        assert_eq!(of("", "", "  "), None);
        assert_eq!(of("9", "", ""), None);
        assert_eq!(of("", "perhaps", ""), None);
    }

    #[test]
    fn callers_are_led_nowhere_and_are_told_of_no_estimates() {
        for link in [Invited::Open, Invited::Answered, Invited::Gone] {
            let page = survey(&shell(Language::De), link, None);
            assert!(page.contains("lang=\"de\"") && !page.contains("<nav aria-label=\"Haupt"), "{page}");
            assert!(!page.contains("Schätzung") && page.contains("noindex"), "{page}");
        }
    }
}
