//! The cues of a call, for the agent who was shown them.

use maud::{Markup, html};
use sidetone_store::CallDetails;

use crate::format::{length, spoken};
use crate::layout::Shell;

/// Most of them that are listed: a call has few.
const MOST: usize = 50;

/// The cues with what the agent answered and what followed; nothing for a reader who has none.
pub(super) fn own(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let texts = shell.texts();
    let word = |is: bool| if is { texts.yes } else { texts.no };
    html! {
        @if !details.cues.is_empty() {
            section {
                h2 { (texts.cues_mine) }
                ol.reasons {
                    @for cue in details.cues.iter().take(MOST) {
                        li {
                            p { span.soft { (length(cue.at_ms)) } " " (spoken(&cue.line)) }
                            p.facts {
                                @if cue.dismissed { span { (texts.cue_taken) } " " }
                                @else if cue.acknowledged { span { (texts.desk_seen) } " " }
                                @if let Some(adopted) = cue.adopted {
                                    span { (texts.cue_adopted) ": " (word(adopted)) } " "
                                }
                                @if let Some(recovered) = cue.recovered {
                                    span { (texts.cue_recovered) ": " (word(recovered)) }
                                }
                            }
                        }
                    }
                }
                p.hint { (texts.cues_mine_what) }
            }
        }
    }
}
