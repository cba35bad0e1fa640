//! A receipt in words.

use std::fmt;

use super::Receipt;
use crate::machine::Announcement;
use crate::{Medium, Policy, Source, State};

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "call      {}", self.call)?;
        writeln!(f, "time      {} to {}", self.started, self.ended)?;
        let number = |number: &Option<super::HashedNumber>| {
            number.as_ref().map_or_else(|| "withheld".to_owned(), ToString::to_string)
        };
        let way = if self.to_customer { "called" } else { "calling" };
        writeln!(f, "customer  {} (hashed), {way}", number(&self.customer))?;
        writeln!(f, "dialled   {} (hashed)", number(&self.dialled))?;
        write!(f, "trunk     {}", self.trunk)?;
        for (what, text) in [("queue", &self.queue), ("tier", &self.tier), ("type", &self.call_type)] {
            if let Some(text) = text {
                write!(f, ", {what} {text}")?;
            }
        }
        writeln!(f)?;
        writeln!(f, "policy    {}, by {}", policy(self.record.policy), self.reason)?;
        for announcement in &self.record.announcements {
            writeln!(f, "told      {}", Told(announcement))?;
        }
        for change in &self.record.changes {
            writeln!(f, "{:>9} {}, {}", seconds(change.at_ms), change.state, by(change.by))?;
        }
        if self.record.analysed.is_empty() {
            writeln!(f, "listened  never")?;
        }
        for span in &self.record.analysed {
            let until = span.to_ms.map_or_else(|| "the end".to_owned(), seconds);
            writeln!(f, "listened  from {} to {until}", seconds(span.from_ms))?;
        }
        if self.record.untappable {
            writeln!(f, "media     could not be listened to")?;
        }
        // An erasure drops everything, whether or not there was an inference yet.
        if self.record.erased && !self.record.analysed.is_empty() {
            writeln!(f, "erased    what had been inferred")?;
        }
        if self.record.left_out > 0 {
            writeln!(f, "left out  {} further entries", self.record.left_out)?;
        }
        writeln!(f, "outcome   {}, {}", outcome(self.record.outcome), by(self.record.by))?;
        write!(f, "build     {}", self.build)?;
        if let Some(model) = &self.model {
            write!(f, ", model {}", model.get(..16).unwrap_or(model))?;
        }
        writeln!(f)
    }
}

struct Told<'a>(&'a Announcement);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Announcement { recording, requested_ms, began_ms, ended_ms, whole, failure } = self.0;
        match recording {
            Some(recording) => {
                let digest = recording.sha256.get(..16).unwrap_or(&recording.sha256);
                write!(f, "“{}” ({}, audio {digest}), ", recording.name, recording.language)?;
            }
            None => f.write_str("an announcement that was not found, ")?,
        }
        match (began_ms, ended_ms) {
            (None, _) => write!(f, "called for at {}, never begun", seconds(*requested_ms))?,
            (Some(began), None) => write!(f, "from {}", seconds(*began))?,
            (Some(began), Some(ended)) => {
                let how = if *whole { "whole" } else { "cut off" };
                write!(f, "from {} to {}, {how}", seconds(*began), seconds(*ended))?;
            }
        }
        failure.iter().try_for_each(|failure| write!(f, " ({failure})"))
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Never => "never analysed",
        Policy::GivenUpstream => "told before the call gets here",
        Policy::Notice => "told by Sidetone, may refuse",
        Policy::OptIn => "asked by Sidetone, must agree",
        Policy::AnnounceElsewhere => "told by the PBX",
    }
}

fn outcome(state: State) -> &'static str {
    match state {
        State::Pending => "not told",
        State::Announcing => "ended while being told",
        State::Asked => "ended before an answer",
        State::Given => "given",
        State::Declined => "did not agree",
        State::OptedOut => "refused",
        State::Excluded => "never to be analysed",
        State::Failed => "could not be told",
    }
}

fn by(source: Source) -> &'static str {
    match source {
        Source::Policy => "by policy",
        Source::List => "by the do-not-analyse list",
        Source::Digit(Medium::TelephoneEvent) => "by a key (telephone-event)",
        Source::Digit(Medium::InBand) => "by a key (tones)",
        Source::Digit(Medium::Info) => "by a key (SIP INFO)",
        Source::TrunkHeader => "by a header of the carrier's",
        Source::PbxHeader => "by a header of the PBX's",
        Source::Ami => "by the PBX (AMI)",
        Source::Ari => "by the PBX (ARI)",
        Source::Esl => "by the PBX (ESL)",
        Source::Api => "by the API",
        Source::Cli => "by the command line",
    }
}
