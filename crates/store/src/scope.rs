//! Whose calls a token shows.

use crate::access::{Role, Token};

/// Whose calls may be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those of the agent with this label.
    Agent(String),
    /// Nobody's.
    Nobody,
}

impl Scope {
    pub(crate) fn of(token: &Token) -> Self {
        match (token.role, &token.agent) {
            (Role::Supervisor | Role::Integration, _) => Self::All,
            (Role::Agent, Some(agent)) => Self::Agent(agent.clone()),
            (Role::Agent, None) | (Role::Director | Role::Operator, _) => Self::Nobody,
        }
    }

    /// Whether a call of this agent is within it.
    pub(crate) fn has(&self, agent: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Agent(own) => agent == Some(own),
            Self::Nobody => false,
        }
    }
}
