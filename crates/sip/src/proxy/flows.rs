//! Flows: connections that clients have made, by which alone they can be reached (RFC 5626 §3, RFC 7118 §5.1).
//!
//! A browser, or a telephone behind NAT, can't be connected to. The Path of its REGISTER bears a token of its
//! connection; the registrar sends the token back in Route, and the request leaves by that connection or by none. A
//! token is drawn anew for each connection, so that an address used again leads to nobody else.

use std::collections::HashMap;
use std::fmt;

use super::destination::Destination;
use super::neighbours::Neighbour;
use crate::Flow;

/// Registrars that one connection registers with, at most.
const MOST_REGISTRARS: usize = 8;

/// Stands for a connection in the user part of our Path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FlowToken(u64);

impl FlowToken {
    pub(super) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Reads its text; `None` if it is none.
    fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for FlowToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a token leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// To this connection, which is open.
    To(Destination),
    /// Nowhere: its connection is closed (430, RFC 5626 §5.3.1).
    Gone,
    /// To a connection by which nobody has registered with the sender.
    Foreign,
}

#[derive(Debug)]
struct Open {
    flow: Flow,
    /// Peers that have accepted a registration by this connection.
    registrars: Vec<Neighbour>,
}

/// The open connections. The shell bounds their number.
#[derive(Debug, Default)]
pub(super) struct Flows {
    by_token: HashMap<FlowToken, Open>,
    by_flow: HashMap<Flow, FlowToken>,
}

impl Flows {
    /// A connection has been made; an older one of the same name is over.
    pub(super) fn opened(&mut self, flow: Flow, token: FlowToken) {
        self.closed(&flow);
        self.by_flow.insert(flow, token);
        self.by_token.insert(token, Open { flow, registrars: Vec::new() });
    }

    pub(super) fn closed(&mut self, flow: &Flow) {
        if let Some(token) = self.by_flow.remove(flow) {
            self.by_token.remove(&token);
        }
    }

    /// The token of the connection that a message came by.
    pub(super) fn token(&self, flow: &Flow) -> Option<FlowToken> {
        self.by_flow.get(flow).copied()
    }

    /// A registrar has accepted a registration by that connection.
    pub(super) fn registered(&mut self, flow: &Flow, registrar: Neighbour) {
        let open = self.by_flow.get(flow).and_then(|token| self.by_token.get_mut(token));
        if let Some(open) = open
            && !open.registrars.contains(&registrar)
            && open.registrars.len() < MOST_REGISTRARS
        {
            open.registrars.push(registrar);
        }
    }

    /// Where a token in a request of `from`'s leads.
    pub(super) fn steer(&self, token: &str, from: Option<Neighbour>) -> Steered {
        match FlowToken::parse(token).and_then(|token| self.by_token.get(&token)) {
            None => Steered::Gone,
            Some(open) if from.is_some_and(|from| open.registrars.contains(&from)) => {
                Steered::To(Destination::from(open.flow))
            }
            Some(_) => Steered::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use sidetone_call::Side;

    use super::*;
    use crate::Transport;

    const PBX: Neighbour = Neighbour { side: Side::Pbx, id: 1 };

    fn flow(port: u16) -> Flow {
        Flow {
            transport: Transport::Wss,
            local: "192.0.2.1:8443".parse().unwrap(),
            remote: ([198, 51, 100, 7], port).into(),
        }
    }

    #[test]
    fn a_token_leads_its_registrar_to_its_own_connection_only() {
        let mut flows = Flows::default();
        let token = FlowToken::new(7);
        flows.opened(flow(1), token);
        let text = token.to_string();
        assert_eq!(flows.steer(&text, Some(PBX)), Steered::Foreign);
        flows.registered(&flow(1), PBX);
        assert_eq!(flows.steer(&text, Some(PBX)), Steered::To(flow(1).into()));
        assert_eq!(flows.steer(&text, Some(Neighbour { id: 2, ..PBX })), Steered::Foreign);
        assert_eq!(flows.steer(&text, None), Steered::Foreign);
        for forged in ["", "7", "0000000000000008", "000000000000000007", "+000000000000007"] {
            assert_eq!(flows.steer(forged, Some(PBX)), Steered::Gone, "{forged}");
        }
    }

    /// An address that is used again is another connection.
    #[test]
    fn a_later_connection_from_the_same_address_is_another() {
        let mut flows = Flows::default();
        flows.opened(flow(1), FlowToken::new(7));
        flows.registered(&flow(1), PBX);
        flows.opened(flow(1), FlowToken::new(8));
        assert_eq!(flows.steer(&FlowToken::new(7).to_string(), Some(PBX)), Steered::Gone);
        assert_eq!(flows.steer(&FlowToken::new(8).to_string(), Some(PBX)), Steered::Foreign);
        flows.closed(&flow(1));
        assert!(flows.by_token.is_empty() && flows.by_flow.is_empty());
    }
}
