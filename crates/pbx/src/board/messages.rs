//! Cues on their way to agents' phones as text. One waits for a call at most, and none for long: a cue that comes late
//! helps nobody. The coach's own gap between cues bounds how many there are.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::Label;
use sidetone_events::{CallId, Happening};

use super::Job;
use crate::config::AGENT;

/// Most messages that wait.
const MOST: usize = 1_024;
/// Age at which a message is too old to be of use: a cue stands for six seconds at least.
const LATE: Duration = Duration::from_secs(5);

/// A message that waits.
#[derive(Debug)]
struct Message {
    at: Duration,
    call: CallId,
    number: u32,
    to: Box<str>,
    text: Box<str>,
}

/// The messages that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Messages(VecDeque<Message>);

impl Messages {
    /// Takes what happened in a call with this agent; how many messages were dropped.
    pub(super) fn take(
        &mut self,
        now: Duration,
        call: CallId,
        agent: Option<&Label>,
        to: &str,
        happening: &Happening,
    ) -> usize {
        match happening {
            Happening::CueShown(cue) => {
                // Another cue takes its place.
                let before = self.0.len();
                self.0.retain(|it| it.call != call);
                let replaced = before - self.0.len();
                let Some(to) = agent.and_then(|agent| destination(to, agent.as_str())) else {
                    return replaced + 1;
                };
                if self.0.len() >= MOST {
                    return replaced + 1;
                }
                let (to, text) = (to.into(), cue.line.as_str().into());
                self.0.push_back(Message { at: now, call, number: cue.number, to, text });
                replaced
            }
            Happening::CueCleared(cue) => {
                self.0.retain(|it| it.call != call || it.number != cue.number);
                0
            }
            Happening::CueDismissed(cue) => {
                self.0.retain(|it| it.call != call || it.number != cue.number);
                0
            }
            // What waits was inferred with a consent that is no more.
            Happening::ConsentChanged(_) | Happening::CallEnded(_) => {
                self.0.retain(|it| it.call != call);
                0
            }
            _ => 0,
        }
    }

    /// The next message that is not too late, and how many were.
    pub(super) fn next(&mut self, now: Duration) -> (Option<Job>, usize) {
        let mut late = 0;
        while let Some(Message { at, to, text, .. }) = self.0.pop_front() {
            if now.saturating_sub(at) <= LATE {
                return (Some(Job::Say { to, text }), late);
            }
            late += 1;
        }
        (None, late)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Where an agent's messages go; `None` for a label that could lead elsewhere. A PBX tells labels, and its dialplan may
/// make them of what a caller has sent.
fn destination(to: &str, agent: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!agent.is_empty() && agent.chars().all(plain)).then(|| to.replace(AGENT, agent))
}

#[cfg(test)]
mod tests {
    use sidetone_events::{CueDismissed, Timestamp};
    use sidetone_insight::cues::CueShown;

    use super::*;

    fn shown(number: u32) -> Happening {
        Happening::CueShown(CueShown {
            cue: "slow-down".to_owned(),
            number,
            line: format!("Line {number}"),
            reason: None,
            language: "en".to_owned(),
            others: [].into(),
            priority: 500,
            expires: Duration::from_secs(20),
            because: Vec::new(),
            compared: false,
        })
    }

    fn second(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn call(number: u128) -> CallId {
        CallId::new(Timestamp::from_unix_millis(0), number)
    }

    fn says(messages: &mut Messages, now: u64) -> Option<(String, String)> {
        match messages.next(second(now)).0 {
            Some(Job::Say { to, text }) => Some((to.into(), text.into())),
            _ => None,
        }
    }

    #[test]
    fn a_cue_goes_to_its_agents_phone_once_and_while_it_is_of_use() {
        let mut messages = Messages::default();
        let ada: Label = "2001".parse().unwrap();
        let take = |now, of, agent: Option<&Label>, happening: &Happening, messages: &mut Messages| {
            messages.take(second(now), call(of), agent, "pjsip:{agent}", happening)
        };
        assert_eq!(take(1, 1, Some(&ada), &shown(1), &mut messages), 0);
        assert_eq!(says(&mut messages, 2), Some(("pjsip:2001".to_owned(), "Line 1".to_owned())));
        assert_eq!(says(&mut messages, 2), None);
        // Another cue of the same call takes its place; one that comes late is none.
        assert_eq!(take(3, 1, Some(&ada), &shown(2), &mut messages), 0);
        assert_eq!(take(4, 1, Some(&ada), &shown(3), &mut messages), 1);
        assert_eq!(messages.0.len(), 1);
        let (job, late) = messages.next(second(10));
        assert!(job.is_none() && late == 1);
        // What the agent has taken away meanwhile is not sent either.
        take(20, 1, Some(&ada), &shown(4), &mut messages);
        take(20, 2, Some(&ada), &shown(4), &mut messages);
        let gone = Happening::CueDismissed(CueDismissed {
            cue: "slow-down".to_owned(),
            number: 4,
            shown: second(1),
        });
        take(21, 1, Some(&ada), &gone, &mut messages);
        assert_eq!((says(&mut messages, 21).is_some(), says(&mut messages, 21)), (true, None));
    }

    #[test]
    fn a_label_can_lead_to_no_other_address() {
        assert_eq!(destination("pjsip:{agent}", "2001").as_deref(), Some("pjsip:2001"));
        for label in ["2001/sip:mallory@example.com", "a b", "2001|x", "sip:x", "a@b", "", "ä"] {
            assert_eq!(destination("pjsip:{agent}", label), None, "{label}");
        }
        let mut messages = Messages::default();
        assert_eq!(
            messages.take(second(1), call(1), None, "pjsip:{agent}", &shown(1)),
            1,
            "an agent unknown"
        );
        assert!(messages.is_empty());
    }

    #[test]
    fn the_messages_that_wait_are_bounded() {
        let mut messages = Messages::default();
        let ada: Label = "2001".parse().unwrap();
        for number in 0..2_000 {
            messages.take(second(1), call(number), Some(&ada), "pjsip:{agent}", &shown(1));
        }
        assert_eq!(messages.0.len(), MOST);
    }
}
