//! What callers are asked by a link.

use crate::text::declared::SurveyTexts;

pub(in crate::text) static TEXTS: SurveyTexts = SurveyTexts {
    title: "How was your call?",
    below: "Three short questions. Answer those that you like.",
    empathy: "Did you feel understood?",
    least: "1, not at all",
    most: "5, very much",
    resolved: "Is your matter settled?",
    yes: "Yes",
    no: "No",
    comment: "Anything else?",
    comment_hint: "In your own words. Please write no names and no numbers.",
    send: "Send",
    thanks: "Thank you!",
    thanks_how: "Your answer has arrived. You can close this page.",
    answered: "You have answered already",
    answered_how: "Thank you! This link is for one answer.",
    gone: "This link leads nowhere any more",
    gone_how: "A link is for some days after a call.",
    empty: "Nothing is answered yet, or the text is too long.",
    kept: "Your answer is kept with this call, and seen by those who look after calls here.",
};
