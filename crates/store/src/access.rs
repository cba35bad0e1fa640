//! Who may ask: tokens with roles, the sessions of those who have signed in, and the log of who has looked at what.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sidetone_call::Label;
use sidetone_events::Timestamp;

use crate::database::{Row, Value};
use crate::error::StoreError;
use crate::store::Store;

/// Beginning of every token, so that one that leaks into a file or a chat is recognised.
const PREFIX: &str = "sidetone_";
/// Random bytes of a token and of a session: nobody guesses these, so a plain digest is enough to keep.
const SECRET_BYTES: usize = 32;
/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 64;
/// A session ends so long after its beginning, whatever is done with it: a working day.
const SESSION_MS: u64 = 12 * 3_600_000;
/// A session ends when nothing was asked for so long.
const IDLE_MS: u64 = 2 * 3_600_000;
/// How often a session's last use is noted: not at each request.
const NOTED_EVERY_MS: u64 = 60_000;
/// How long the log of accesses is kept.
const AUDIT_MS: u64 = 396 * 86_400_000;

/// What its holder may see and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// One agent's own calls; neither others' nor figures.
    Agent,
    /// Calls, their timelines, figures.
    Supervisor,
    /// Figures of groups; never one call.
    Director,
    /// The running of Sidetone; neither calls nor figures.
    Operator,
    /// Calls and figures, for a program.
    Integration,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::Agent, Self::Supervisor, Self::Director, Self::Operator, Self::Integration];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Director => "director",
            Self::Operator => "operator",
            Self::Integration => "integration",
        }
    }

    /// Whether single calls may be seen: every call, or those of one agent.
    #[must_use]
    pub const fn sees_calls(self) -> bool {
        matches!(self, Self::Agent | Self::Supervisor | Self::Integration)
    }

    /// Whether outcomes and surveys may be added to calls.
    #[must_use]
    pub const fn adds_outcomes(self) -> bool {
        matches!(self, Self::Integration)
    }

    /// Whether sums over groups of calls may be seen.
    #[must_use]
    pub const fn sees_figures(self) -> bool {
        matches!(self, Self::Supervisor | Self::Director | Self::Integration)
    }
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// By which it is revoked.
    pub id: String,
    /// Whose it is, in the operator's words.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// With [`Role::Agent`], the label of the agent whose calls it shows.
    pub agent: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// When it ends by itself.
    pub expires: Option<u64>,
    /// When it was revoked.
    pub revoked: Option<u64>,
}

/// A token that was just made: the only time that its secret is there.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NewToken {
    /// What its holder sends.
    pub secret: String,
    /// The rest.
    #[serde(flatten)]
    pub token: Token,
}

pub(crate) const TOKEN: &str = "tokens.id, tokens.name, tokens.role, tokens.created, tokens.expires, \
                                tokens.revoked, tokens.agent";
pub(crate) const VALID: &str = "tokens.revoked IS NULL AND (tokens.expires IS NULL OR tokens.expires > $2)";

pub(crate) fn token(row: &Row) -> Result<Token, StoreError> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
    let role = row.text(2)?;
    let role =
        Role::ALL.into_iter().find(|known| known.name() == role).ok_or(StoreError::Column { column: 2 })?;
    Ok(Token {
        id: row.text(0)?,
        name: row.text(1)?,
        role,
        created: unsigned(row.int(3)?),
        expires: row.maybe_int(4)?.map(unsigned),
        revoked: row.maybe_int(5)?.map(unsigned),
        agent: row.maybe_text(6)?,
    })
}

impl Store {
    /// Makes a token of any role but [`Role::Agent`].
    ///
    /// # Errors
    /// [`StoreError::Name`] for a name that can't be told from others at a glance, [`StoreError::Agent`],
    /// [`StoreError::Random`], the database's.
    pub fn create_token(
        &mut self,
        name: &str,
        role: Role,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<NewToken, StoreError> {
        if role == Role::Agent {
            Err(StoreError::Agent)
        } else {
            self.make_token(name, role, None, expires, now)
        }
    }

    /// Makes a token that shows the calls of one agent, by the label that the PBX gives them.
    ///
    /// # Errors
    /// As [`Self::create_token`].
    pub fn create_agent_token(
        &mut self,
        name: &str,
        agent: &Label,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<NewToken, StoreError> {
        self.make_token(name, Role::Agent, Some(agent), expires, now)
    }

    fn make_token(
        &mut self,
        name: &str,
        role: Role,
        agent: Option<&Label>,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<NewToken, StoreError> {
        // Signs that turn the direction of writing, or have no width, make one name look like another.
        let fits = |c: char| {
            !c.is_control()
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        if name.trim().is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(fits) {
            return Err(StoreError::Name);
        }
        let secret = format!("{PREFIX}{}", random()?);
        // Short enough to be typed, and no part of the secret.
        let id: String = random()?.chars().take(8).collect();
        let token = Token {
            id,
            name: name.trim().to_owned(),
            role,
            agent: agent.map(ToString::to_string),
            created: now.unix_millis(),
            expires: expires.map(Timestamp::unix_millis),
            revoked: None,
        };
        self.database.execute(
            "INSERT INTO tokens (id, name, role, digest, created, expires, agent) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                token.id.as_str().into(),
                token.name.as_str().into(),
                role.name().into(),
                digest(&secret).into(),
                token.created.into(),
                token.expires.into(),
                token.agent.clone().into(),
            ],
        )?;
        Ok(NewToken { secret, token })
    }

    /// All tokens, the newest first; those that people with a password have are theirs alone, and not among them.
    ///
    /// # Errors
    /// The database's.
    pub fn tokens(&mut self) -> Result<Vec<Token>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN} FROM tokens WHERE id NOT IN (SELECT token FROM people) ORDER BY created DESC, id"
        );
        self.database.query(&sql, &[])?.iter().map(token).collect()
    }

    /// Revokes a token and ends its sessions; whether there was one to revoke.
    ///
    /// # Errors
    /// The database's.
    pub fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL";
        let revoked = self.database.execute(sql, &[id.into(), now.unix_millis().into()])?;
        self.database.execute("DELETE FROM sessions WHERE token = $1", &[id.into()])?;
        Ok(revoked > 0)
    }

    /// The valid token of that secret, if there is one.
    ///
    /// # Errors
    /// The database's.
    pub fn token(&mut self, secret: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN} FROM tokens WHERE digest = $1 AND {VALID}");
        let rows = self.database.query(&sql, &[digest(secret).into(), now.unix_millis().into()])?;
        rows.first().map(token).transpose()
    }

    /// The valid token of that id, if there is one.
    pub(crate) fn token_of(&mut self, id: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN} FROM tokens WHERE id = $1 AND {VALID}");
        let rows = self.database.query(&sql, &[id.into(), now.unix_millis().into()])?;
        rows.first().map(token).transpose()
    }

    /// Begins a session of whoever has this secret; the session's own secret. `None` for a secret that is not valid.
    ///
    /// # Errors
    /// [`StoreError::Random`], the database's.
    pub fn sign_in(&mut self, secret: &str, now: Timestamp) -> Result<Option<(String, Token)>, StoreError> {
        let Some(token) = self.token(secret, now)? else { return Ok(None) };
        Ok(Some((self.begin_session(&token, now)?, token)))
    }

    /// Begins a session of a token's holder; the session's secret.
    ///
    /// # Errors
    /// [`StoreError::Random`], the database's.
    pub fn begin_session(&mut self, token: &Token, now: Timestamp) -> Result<String, StoreError> {
        let session = random()?;
        let now: Value = now.unix_millis().into();
        let sql = "INSERT INTO sessions (digest, token, created, used) VALUES ($1, $2, $3, $3)";
        self.database.execute(sql, &[digest(&session).into(), token.id.as_str().into(), now])?;
        Ok(session)
    }

    /// The token of a session that is still on.
    ///
    /// # Errors
    /// The database's.
    pub fn session(&mut self, session: &str, now: Timestamp) -> Result<Option<Token>, StoreError> {
        let millis = now.unix_millis();
        let sql = format!(
            "SELECT {TOKEN}, sessions.used FROM sessions JOIN tokens ON tokens.id = sessions.token
             WHERE sessions.digest = $1 AND {VALID} AND sessions.created > $3 AND sessions.used > $4"
        );
        let digest: Value = digest(session).into();
        let since = [millis.saturating_sub(SESSION_MS).into(), millis.saturating_sub(IDLE_MS).into()];
        let rows =
            self.database.query(&sql, &[&[digest.clone(), millis.into()], since.as_slice()].concat())?;
        let Some(row) = rows.first() else { return Ok(None) };
        let used = u64::try_from(row.int(7)?).unwrap_or_default();
        if millis.saturating_sub(used) >= NOTED_EVERY_MS {
            let sql = "UPDATE sessions SET used = $2 WHERE digest = $1";
            self.database.execute(sql, &[digest, millis.into()])?;
        }
        token(row).map(Some)
    }

    /// Ends a session; that of somebody whom an identity provider has named is noted.
    ///
    /// # Errors
    /// The database's.
    pub fn sign_out(&mut self, session: &str, now: Timestamp) -> Result<(), StoreError> {
        let digest: Value = digest(session).into();
        let sql = "INSERT INTO accesses (time, token, name, action, subject)
                   SELECT CAST($2 AS BIGINT), tokens.id, tokens.name, 'signed_out', identities.issuer
                   FROM sessions JOIN tokens ON tokens.id = sessions.token
                       JOIN identities ON identities.token = tokens.id
                   WHERE sessions.digest = $1";
        self.database.execute(sql, &[digest.clone(), now.unix_millis().into()])?;
        self.database.execute("DELETE FROM sessions WHERE digest = $1", &[digest]).map(drop)
    }

    /// Deletes sessions that are over, and accesses that are too long ago.
    pub(crate) fn expire_access(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let before = |span: u64| Value::from(now.unix_millis().saturating_sub(span));
        let sql = "DELETE FROM sessions WHERE created <= $1 OR used <= $2";
        self.database.execute(sql, &[before(SESSION_MS), before(IDLE_MS)])?;
        self.database.execute("DELETE FROM invitations WHERE expires <= $1", &[before(0)])?;
        self.database.execute("DELETE FROM accesses WHERE time <= $1", &[before(AUDIT_MS)]).map(drop)
    }
}

pub(crate) fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

pub(crate) fn random() -> Result<String, StoreError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("token", &self.token).finish_non_exhaustive()
    }
}
