//! The labels of one call, as the PBX, the API and the command line tell them.

use serde::{Deserialize, Serialize};
use sidetone_call::{Label, Labels, Teams};
use sidetone_consent::Telling;

/// The labels of one call.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Labelled {
    now: Labels,
    /// As the last event had them.
    told: Labels,
    /// The team was told, so the agent's own does not replace it.
    team_told: bool,
}

impl Labelled {
    /// The labels as they are.
    pub(crate) fn labels(&self) -> &Labels {
        &self.now
    }

    /// Takes a telling, if it is one of a label.
    pub(crate) fn take(&mut self, telling: &Telling, teams: &Teams) {
        let (label, text) = match telling {
            Telling::Queue(text) => (&mut self.now.queue, text),
            Telling::Agent(text) => (&mut self.now.agent, text),
            Telling::Team(text) => (&mut self.now.team, text),
            Telling::Tier(text) => (&mut self.now.tier, text),
            Telling::CallType(text) => (&mut self.now.call_type, text),
            Telling::Language(text) => (&mut self.now.language, text),
            Telling::Consent(_) | Telling::Analysis(_) | Telling::Party(_) | Telling::Customer(_) => return,
        };
        let Ok(told) = text.parse::<Label>() else { return };
        *label = Some(told);
        self.team_told |= matches!(telling, Telling::Team(_));
        if !self.team_told {
            self.now.team = self.now.agent.as_ref().and_then(|agent| teams.of(agent)).cloned();
        }
    }

    /// The labels for an event, if they are others than the last event had.
    pub(crate) fn take_change(&mut self) -> Option<Labels> {
        if self.now == self.told {
            return None;
        }
        self.told = self.now.clone();
        Some(self.told.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(tellings: &[Telling], teams: &Teams) -> Labels {
        let mut labelled = Labelled::default();
        tellings.iter().for_each(|telling| labelled.take(telling, teams));
        labelled.now
    }

    fn team(labels: &Labels) -> Option<&str> {
        labels.team.as_ref().map(Label::as_str)
    }

    #[test]
    fn an_agents_team_is_known_unless_another_is_told() {
        let teams: Teams = serde_json::from_str(r#"{"billing": ["2001"], "sales": ["2003"]}"#).unwrap();
        let agent = |text: &str| Telling::Agent(text.to_owned());
        let told = Telling::Team("night shift".to_owned());
        assert_eq!(team(&after(&[agent("2001")], &teams)), Some("billing"));
        assert_eq!(team(&after(&[agent("2001"), agent("2003")], &teams)), Some("sales"));
        assert_eq!(team(&after(&[agent("2001"), agent("2009")], &teams)), None);
        for order in [[told.clone(), agent("2001")], [agent("2001"), told]] {
            assert_eq!(team(&after(&order, &teams)), Some("night shift"));
        }
    }

    #[test]
    fn what_is_no_label_changes_none() {
        let long = Telling::Queue("x".repeat(65));
        let tellings = [long, Telling::Tier("a\nb".to_owned()), Telling::Analysis(true)];
        assert_eq!(after(&tellings, &Teams::default()), Labels::default());
    }
}
