//! People who sign in by an identity provider: each has a token, whose secret nobody has, and whose role is the one
//! that the provider gave last.

use sidetone_call::Label;
use sidetone_events::Timestamp;

use crate::access::{Role, Token};
use crate::error::StoreError;
use crate::store::Store;

/// Somebody whom a provider has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Its own id of them.
    pub subject: String,
    /// Their name as it is shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// With [`Role::Agent`], whose calls they see.
    pub agent: Option<Label>,
}

impl Store {
    /// Begins a session of somebody whom a provider has named, which is noted among the accesses; the session's secret.
    /// A role that has changed ends their other sessions. `None` if their token was revoked.
    ///
    /// # Errors
    /// [`StoreError::Name`], [`StoreError::Agent`], [`StoreError::Random`], the database's.
    pub fn sign_in_identity(
        &mut self,
        identity: &Identity,
        now: Timestamp,
    ) -> Result<Option<(String, Token)>, StoreError> {
        let Identity { issuer, subject, name, role, agent } = identity;
        let sql = "SELECT token FROM identities WHERE issuer = $1 AND subject = $2";
        let place = [issuer.as_str().into(), subject.as_str().into()];
        let known = self.database.query(sql, &place)?.first().map(|row| row.text(0)).transpose()?;
        let token = match known {
            Some(id) => {
                let Some(before) = self.token_of(&id, now)? else { return Ok(None) };
                let agent = agent.as_ref().map(ToString::to_string);
                let changed = before.role != *role || before.agent != agent;
                let sql = "UPDATE tokens SET name = $2, role = $3, agent = $4 WHERE id = $1";
                let values =
                    [id.as_str().into(), name.as_str().into(), role.name().into(), agent.clone().into()];
                self.database.execute(sql, &values)?;
                if changed {
                    self.database.execute("DELETE FROM sessions WHERE token = $1", &[id.as_str().into()])?;
                }
                let sql = "UPDATE identities SET seen = $2 WHERE token = $1";
                self.database.execute(sql, &[id.into(), now.unix_millis().into()])?;
                Token { name: name.clone(), role: *role, agent, ..before }
            }
            None => {
                let made = match agent {
                    Some(agent) if *role == Role::Agent => self.create_agent_token(name, agent, None, now)?,
                    _ => self.create_token(name, *role, None, now)?,
                };
                let sql = "INSERT INTO identities (issuer, subject, token, seen) VALUES ($1, $2, $3, $4)
                           ON CONFLICT (issuer, subject) DO NOTHING";
                let [issuer, subject] = place;
                let values = [issuer, subject, made.token.id.as_str().into(), now.unix_millis().into()];
                if self.database.execute(sql, &values)? == 0 {
                    // They have signed in at this very moment by another browser.
                    self.database
                        .execute("DELETE FROM tokens WHERE id = $1", &[made.token.id.as_str().into()])?;
                    return self.sign_in_identity(identity, now);
                }
                made.token
            }
        };
        // Before there is a session: what can't be noted does not happen.
        self.note_access(&token, "signed_in", issuer, now)?;
        Ok(Some((self.begin_session(&token, now)?, token)))
    }

    /// Notes that somebody whom a provider has named was not let in, and why.
    ///
    /// # Errors
    /// The database's.
    pub fn note_refused(&mut self, name: &str, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO accesses (time, token, name, action, subject) VALUES ($1, '', $2, $3, $4)";
        let values = [now.unix_millis().into(), name.into(), "sign_in.refused".into(), why.into()];
        self.database.execute(sql, &values).map(drop)
    }
}
