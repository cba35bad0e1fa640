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
};
