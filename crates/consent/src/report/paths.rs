//! The paths by which something is inferred.

use serde::Serialize;

use super::ReportFacts;
use crate::Policy;

/// One path by which something is inferred from a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InferencePath {
    /// The path's name.
    pub name: &'static str,
    /// The subject of the inference.
    pub about: Subject,
    /// Whether the path is in use as configured.
    pub active: bool,
    /// The input.
    pub input: &'static str,
    /// The output.
    pub output: &'static str,
    /// Whether it infers emotion from biometric data (AI Act, Art. 3(39)).
    pub recognises_emotion: bool,
    /// The conditions under which it runs.
    pub gate: String,
    /// The code that enforces the conditions.
    pub enforced_by: &'static str,
    /// The law that applies.
    pub law: &'static str,
}

/// The subject of an inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The customer.
    Customer,
    /// The contact centre's agent.
    Agent,
    /// Both parties.
    Both,
}

/// Inferences that this build has no code for.
pub(super) const ABSENT: [&str; 5] = [
    "emotion of agents (a listener takes the permit of the customer's side, of which there is one a call)",
    "recognising who speaks by the voice",
    "speech recognition: what the words mean",
    "writing audio to disk",
    "ranking of agents",
];

pub(super) fn all(facts: &ReportFacts) -> Vec<InferencePath> {
    // Long: a table of ways that consent may take.
    let analyses = facts.analyses();
    let policies = facts.policies();
    let told = policies != [Policy::Never];
    let consent = consent_gate(facts, &policies);
    vec![
        InferencePath {
            name: "customer-voice-affect",
            about: Subject::Customer,
            active: analyses,
            input: "the customer's voice, 8 kHz, from the trunk's side only",
            output: "valence, arousal, distress, class probabilities, confidence, every second or so",
            recognises_emotion: true,
            gate: consent.clone(),
            enforced_by: "consent state machine (before it no frame reaches the model), which alone gives the permit to listen",
            law: "AI Act Art. 50(3): the exposed person is told; GDPR Art. 6, 7, 13, 21: legal basis, objection. \
                  Art. 5(1)(f) concerns the workplace: not customers",
        },
        InferencePath {
            name: "call-state-and-alerts",
            about: Subject::Customer,
            active: analyses,
            input: "the estimates above",
            output: "how the call is going, alerts, summary",
            recognises_emotion: true,
            gate: consent.clone(),
            enforced_by: "made from estimates only: none without consent, erased with them",
            law: "as above; GDPR Art. 22: an alert is a hint to people and to routing, not a decision about the person",
        },
        InferencePath {
            name: "customer-speech-activity",
            about: Subject::Customer,
            active: analyses,
            input: "the customer's voice",
            output: "when and how fast the customer speaks",
            recognises_emotion: false,
            gate: consent,
            enforced_by: "consent state machine",
            law: "GDPR Art. 6, 13, 21",
        },
        InferencePath {
            name: "agent-conduct",
            about: Subject::Agent,
            active: analyses,
            input: "the agent's voice (activity and syllables only), hold",
            output: "talk share, speaking rate, overlap, silence, hold",
            recognises_emotion: false,
            gate: "the call is analysed; no emotion is inferred of an agent, whatever is configured"
                .to_owned(),
            enforced_by: "the agent's ear leads to no listener; a listener takes a permit, and there is one a call",
            law: "AI Act Art. 5(1)(f): no inferring of emotions at work; national law on monitoring of staff \
                  (in Germany § 87(1) no. 6 BetrVG: works council)",
        },
        InferencePath {
            name: "agent-cues",
            about: Subject::Agent,
            active: analyses,
            input: "agent-conduct, hold, and how the customer seems",
            output: "one line for the agent, why it came, the agent's answer, and whether half a minute later the agent's \
                     talk still calls for it",
            recognises_emotion: false,
            gate: "the call is analysed, and cues.enabled".to_owned(),
            enforced_by: "one agent's answers are kept for that agent alone; sums leave out groups of one or two agents",
            law: "national law on monitoring of staff (in Germany § 87(1) no. 6 BetrVG: works council)",
        },
        InferencePath {
            name: "key-detection",
            about: Subject::Customer,
            active: told,
            input: if facts.settings.in_band_digits {
                "telephone-events, SIP INFO, and tones in the customer's audio"
            } else {
                "telephone-events and SIP INFO"
            },
            output: "keys pressed: opt-out and opt-in only",
            recognises_emotion: false,
            gate: "none: it is how the customer refuses, so it runs before consent; other keys are not kept"
                .to_owned(),
            enforced_by: "consent state machine takes two keys and nothing else",
            law: "GDPR Art. 21(5): objection by automated means",
        },
        InferencePath {
            name: "do-not-analyse-look-up",
            about: Subject::Customer,
            active: told && facts.settings.do_not_analyse.is_some(),
            input: "the calling number, hashed",
            output: "listed or not",
            recognises_emotion: false,
            gate: "none: it is how an earlier objection holds".to_owned(),
            enforced_by: "looked up before anything else; a list that can't be read stops analysis",
            law: "GDPR Art. 21",
        },
        InferencePath {
            name: "agent-number-look-up",
            about: Subject::Agent,
            active: told && facts.settings.agent_numbers.is_some(),
            input: "the number on the trunk's side, hashed",
            output: "one of the agents' own numbers or not",
            recognises_emotion: false,
            gate: "none: it is how agents who are reached over the trunk are left out".to_owned(),
            enforced_by: "looked up before anything else; a list that can't be read stops the start",
            law: "AI Act Art. 5(1)(f): no inferring of emotions at work, wherever the agent works",
        },
        InferencePath {
            name: "stream-quality",
            about: Subject::Both,
            active: true,
            input: "headers of media packets",
            output: "loss, jitter, direction, codec",
            recognises_emotion: false,
            gate: "none: technical operation of the call".to_owned(),
            enforced_by: "reads no audio",
            law: "GDPR Art. 6(1)(f)",
        },
    ]
}

fn consent_gate(facts: &ReportFacts, policies: &[Policy]) -> String {
    let settings = &facts.settings;
    let mut ways: Vec<String> = Vec::new();
    for policy in policies {
        ways.push(match policy {
            Policy::Never => continue,
            Policy::GivenUpstream => {
                "the operator states that the caller was told before (given-upstream)".to_owned()
            }
            Policy::Notice => "the whole announcement was heard and nobody refused (notice)".to_owned(),
            Policy::OptIn => {
                format!(
                    "key {} was pressed after the announcement, or the PBX says granted (opt-in)",
                    settings.opt_in_digit
                )
            }
            Policy::AnnounceElsewhere => "the PBX says that it has announced (announce-elsewhere)".to_owned(),
        });
    }
    if ways.is_empty() {
        return "never: no policy allows it".to_owned();
    }
    format!(
        "{}; ended at once by key {}, a header, the PBX, the API or the list",
        ways.join("; or "),
        settings.opt_out_digit
    )
}
