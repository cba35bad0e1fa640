//! The end of the process: no caller is left waiting, and no phone goes on ringing.

use std::time::Duration;

use super::Proxy;
use super::attempt::Attempt;
use super::filter::MessageFilter;
use super::response_context::ResponseContext;
use super::table::Key;
use crate::transaction::{Client, Server};

impl<F: MessageFilter> Proxy<F> {
    /// Gives up every INVITE that has no final response: its sender gets a 503, so that the call may be tried
    /// elsewhere, and whoever was asked a CANCEL, at once or with the first word that comes (RFC 3261 §9.1).
    pub fn abandon(&mut self, now: Duration) {
        let after = self.settings.retry_after.as_secs().max(1).to_string();
        let open: Vec<Key> = self.open_invites().collect();
        for key in &open {
            self.respond(now, *key, 503, "Service Unavailable", &[("Retry-After", &after)]);
        }
        self.abandoned.extend(open);
    }

    fn open_invites(&self) -> impl Iterator<Item = Key> {
        let is_open = |context: &ResponseContext| {
            context.is_pending() && matches!(context.server, Some(Server::Invite(_)))
        };
        self.contexts.iter().filter(move |(_, context)| is_open(context)).map(|(key, _)| key)
    }

    /// Whether anybody waits for a final response to an INVITE: of a call that rings, or within one that is up.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.open_invites().next().is_some()
    }

    /// INVITEs given up whose sender has not acknowledged the 503, or of which somebody asked has not confirmed the
    /// end.
    #[must_use]
    pub fn abandoned(&self) -> usize {
        let waits = |attempt: &Attempt| match &attempt.client {
            Client::Invite(client) => client.is_calling() || client.is_proceeding(),
            Client::NonInvite(_) => false,
        };
        let is_open = |context: &ResponseContext| {
            matches!(&context.server, Some(Server::Invite(server)) if server.awaits_ack())
                || context.attempts.iter().filter_map(|key| self.attempts.get(*key)).any(waits)
        };
        self.abandoned.iter().filter_map(|key| self.contexts.get(*key)).filter(|e| is_open(e)).count()
    }
}
