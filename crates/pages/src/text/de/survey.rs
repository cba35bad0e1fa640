//! Fragen an Anrufer hinter einem Link.

use crate::text::declared::SurveyTexts;

pub(in crate::text) static TEXTS: SurveyTexts = SurveyTexts {
    title: "Wie war Ihr Anruf?",
    below: "Drei kurze Fragen. Beantworten Sie davon, was Sie möchten.",
    empathy: "Haben Sie sich verstanden gefühlt?",
    least: "1, gar nicht",
    most: "5, sehr",
    resolved: "Ist Ihr Anliegen erledigt?",
    yes: "Ja",
    no: "Nein",
    comment: "Möchten Sie noch etwas sagen?",
    comment_hint: "In Ihren eigenen Worten. Bitte schreiben Sie keine Namen und keine Nummern.",
    send: "Absenden",
    thanks: "Vielen Dank!",
    thanks_how: "Ihre Antwort ist angekommen. Sie können diese Seite schließen.",
    answered: "Sie haben schon geantwortet",
    answered_how: "Vielen Dank! Dieser Link ist für eine Antwort.",
    gone: "Dieser Link führt nirgendwohin mehr",
    gone_how: "Ein Link gilt einige Tage nach einem Anruf.",
    empty: "Noch ist nichts beantwortet, oder der Text ist zu lang.",
    kept: "Ihre Antwort wird bei diesem Gespräch aufgehoben; sie sehen diejenigen, die hier Gespräche betreuen.",
};
