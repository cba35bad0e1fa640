//! What the agent's own pages say, and whether cues help.

use crate::text::declared::CoachingTexts;

pub(in crate::text) static TEXTS: CoachingTexts = CoachingTexts {
    holdout: "Do cues help?",
    holdout_figure: "Figure",
    holdout_shown: "Cues shown",
    holdout_withheld: "Cues withheld",
    holdout_difference: "With cues less without",
    holdout_followed: "First cue followed",
    holdout_higher: "higher with cues",
    holdout_lower: "lower with cues",
    holdout_unclear: "may be chance",
    holdout_not_yet: "not enough calls yet",
    holdout_too_few: "Not enough calls yet: {} with cues and {} without, in which a cue came due. From {} each, of three \
                      agents or more, the difference is told here.",
    holdout_what: "The lot alone decides in which calls cues are withheld (cues.holdout), so a difference beyond chance \
                   is what the cues do. Compared are calls in which a cue came due that could be withheld, each with n \
                   and its 95 % interval; differences of shares are in percentage points. Six figures are compared: \
                   one look in four finds a difference that is chance. Keep the share as it is while you compare.",
};
