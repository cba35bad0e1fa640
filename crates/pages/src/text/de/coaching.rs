//! What the agent's own pages say, and whether cues help.

use crate::text::declared::CoachingTexts;

pub(in crate::text) static TEXTS: CoachingTexts = CoachingTexts {
    holdout: "Helfen Anregungen?",
    holdout_figure: "Kennzahl",
    holdout_shown: "Mit Anregungen",
    holdout_withheld: "Ohne Anregungen",
    holdout_difference: "Mit weniger ohne",
    holdout_followed: "Erste Anregung umgesetzt",
    holdout_higher: "mit Anregungen höher",
    holdout_lower: "mit Anregungen niedriger",
    holdout_unclear: "kann Zufall sein",
    holdout_not_yet: "noch nicht genug Gespräche",
    holdout_too_few: "Noch nicht genug Gespräche: {} mit und {} ohne Anregungen, in denen eine fällig wurde. Ab je {}, von \
                      mindestens drei Agenten, steht hier der Unterschied.",
    holdout_what: "Allein das Los entscheidet, in welchen Gesprächen Anregungen zurückgehalten werden (cues.holdout); ein \
                   Unterschied jenseits des Zufalls kommt also von ihnen. Verglichen werden Gespräche, in denen eine \
                   Anregung fällig wurde, die zurückgehalten werden konnte, je mit n und 95-%-Intervall; Unterschiede \
                   von Anteilen in Prozentpunkten. Es sind sechs Kennzahlen: Jeder vierte Blick findet einen \
                   Unterschied, der Zufall ist. Lassen Sie den Anteil unverändert, solange Sie vergleichen.",
    practice: "Üben",
    practice_below: "Spielen Sie ein aufgezeichnetes Gespräch an Ihrem Platz ab, mit Anregungen, als wäre es Ihres.",
    practice_length: "Länge {}",
    practice_start: "Beginnen",
    practice_stop: "Beenden",
    practice_waits: "Einen Moment: Das aufgezeichnete Gespräch wird vorbereitet. Es beginnt von selbst.",
    practice_private: "Nichts davon wird aufbewahrt, und niemand sonst sieht es: nicht, was kam, nicht, was Sie \
                       geantwortet haben, nicht, dass Sie geübt haben.",
    practice_whole: "Eine Lieferung, die nie kam, von Anfang bis Ende",
    practice_late: "Dasselbe Gespräch, wenn die Stimmung schon gekippt ist",
    practice_hold: "Dasselbe Gespräch mit Warteschleife",
    practice_sound: "Der Ton des aufgezeichneten Gesprächs",
    practice_nobody: "Niemand spricht.",
    practice_over: "Das aufgezeichnete Gespräch ist zu Ende",
    practice_course: "Die Stimmung ging geschätzt von {} nach {}: eine Änderung um {}, auf einer Skala von −1, \
                      unangenehm, bis +1, angenehm.",
    practice_alert: "von {} bis {}",
    practice_alert_up: "von {} bis zum Ende",
    practice_no_cue: "Es kam keine Anregung.",
    practice_acknowledged: "nach {} bestätigt",
    practice_dismissed: "nach {} weggenommen",
    practice_unanswered: "nicht beantwortet",
    practice_forgotten: "Das steht nur auf dieser Seite. Es ist vergessen, sobald Sie gehen oder ein anderes beginnen.",
    practice_again: "Noch ein aufgezeichnetes Gespräch",
    written: "E-Mail oder Chat",
    written_below: "Fügen Sie ein, was eine Kundin oder ein Kunde geschrieben hat: wie es klingt, und was zuerst helfen kann.",
    written_kind: "Was es ist",
    written_mail: "Eine E-Mail oder ein Kommentar",
    written_chat: "Ein Chat",
    written_text: "Der Text",
    written_customer: "Name der Kundin oder des Kunden im Chat",
    written_customer_hint: "Nur deren Nachrichten werden gelesen. Ein Chat ohne Namen gilt ganz als ihrer.",
    written_read: "Lesen",
    written_caution: "Geschätzt von einem kleinen Modell, allein aus Wörtern: Lesen Sie die Nachricht selbst. Zitate, \
                      Signaturen und Haftungshinweise in E-Mails bleiben außen vor; Nummern werden vor dem Lesen \
                      entfernt. Nichts davon wird aufbewahrt.",
    written_empty: "Es gibt nichts von der Kundin oder dem Kunden zu lesen.",
    written_long: "Der Text ist länger als 40.000 Zeichen: Fügen Sie den neuesten Teil ein.",
    written_who: "Wer davon ist die Kundin oder der Kunde? Andere Nachrichten werden nicht gelesen.",
    written_unread: "Das Modell für Texte ist nicht lesbar; den Grund nennt das Protokoll des Betriebs.",
    written_suggestion: "Was zuerst helfen kann",
    written_urgency: "Dringlichkeit",
    written_satisfaction: "Zufriedenheit, −1 bis +1",
    written_messages: "Nachricht für Nachricht",
    written_message: "Nachricht",
    written_unsaid: "nicht zu sagen",
    written_unsaid_whole: "Aus diesen Wörtern ist keine Stimmung zu schließen.",
    written_left_out: "Nachrichten anderer, nicht gelesen: {}.",
    written_urgent: "dringend",
    written_soon: "bald",
    written_no_hurry: "eilt nicht",
    written_pleasant: "Klingt zufrieden",
    written_unpleasant: "Klingt unzufrieden",
    written_even: "Klingt weder zufrieden noch unzufrieden",
};
