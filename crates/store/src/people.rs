//! People who sign in by name and password: each has a token, whose secret nobody has.

use serde::Serialize;
use sidetone_call::Label;
use sidetone_events::Timestamp;

use crate::access::{Role, TOKEN, Token, VALID, token};
use crate::error::StoreError;
use crate::password::Password;
use crate::store::Store;

/// A person who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The name that is typed, in lower case.
    pub login: String,
    /// The name as it was given, the role, and when it was made or disabled (`revoked`).
    #[serde(flatten)]
    pub token: Token,
    /// When the password was last changed, in milliseconds since 1970.
    pub changed: u64,
}

/// The name as it is looked up.
fn login(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Store {
    /// Adds a person; one of the role agent with the label of the agent whose calls they see.
    ///
    /// # Errors
    /// [`StoreError::Name`], [`StoreError::Agent`], [`StoreError::Taken`], [`StoreError::Random`], the database's.
    pub fn add_person(
        &mut self,
        name: &str,
        role: Role,
        agent: Option<&Label>,
        password: &Password,
        now: Timestamp,
    ) -> Result<Token, StoreError> {
        let made = match (role, agent) {
            (Role::Agent, Some(agent)) => self.create_agent_token(name, agent, None, now)?.token,
            _ => self.create_token(name, role, None, now)?.token,
        };
        let sql = "INSERT INTO people (login, token, password, changed) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (login) DO NOTHING";
        let values =
            [login(name).into(), made.id.as_str().into(), password.as_str().into(), now.unix_millis().into()];
        if self.database.execute(sql, &values)? == 0 {
            self.database.execute("DELETE FROM tokens WHERE id = $1", &[made.id.as_str().into()])?;
            return Err(StoreError::Taken);
        }
        Ok(made)
    }

    /// All people, by name.
    ///
    /// # Errors
    /// The database's.
    pub fn people(&mut self) -> Result<Vec<Person>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN}, people.login, people.changed FROM people JOIN tokens ON tokens.id = people.token
             ORDER BY people.login"
        );
        let rows = self.database.query(&sql, &[])?;
        let people = rows.iter().map(|row| {
            let changed = u64::try_from(row.int(8)?).unwrap_or_default();
            Ok(Person { login: row.text(7)?, token: token(row)?, changed })
        });
        people.collect()
    }

    /// Whether anybody signs in by a password.
    ///
    /// # Errors
    /// The database's.
    pub fn has_people(&mut self) -> Result<bool, StoreError> {
        Ok(!self.database.query("SELECT 1 FROM people LIMIT 1", &[])?.is_empty())
    }

    /// The token and password of a person who may sign in.
    ///
    /// # Errors
    /// The database's.
    pub fn person(&mut self, name: &str, now: Timestamp) -> Result<Option<(Token, Password)>, StoreError> {
        let sql = format!(
            "SELECT {TOKEN}, people.password FROM people JOIN tokens ON tokens.id = people.token
             WHERE people.login = $1 AND {VALID}"
        );
        let rows = self.database.query(&sql, &[login(name).into(), now.unix_millis().into()])?;
        rows.first().map(|row| Ok((token(row)?, Password::kept(row.text(7)?)))).transpose()
    }

    /// Gives a person another password, and ends their sessions; whether there is one of that name.
    ///
    /// # Errors
    /// The database's.
    pub fn set_password(
        &mut self,
        name: &str,
        password: &Password,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE people SET password = $2, changed = $3 WHERE login = $1";
        let login = login(name);
        let values = [login.as_str().into(), password.as_str().into(), now.unix_millis().into()];
        let found = self.database.execute(sql, &values)? > 0;
        let sql = "DELETE FROM sessions WHERE token IN (SELECT token FROM people WHERE login = $1)";
        self.database.execute(sql, &[login.into()])?;
        Ok(found)
    }

    /// Lets a person sign in no more, and ends their sessions; whether there was one who could. What they have looked
    /// at stays in the log of accesses under their name.
    ///
    /// # Errors
    /// The database's.
    pub fn disable_person(&mut self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let rows = self.database.query("SELECT token FROM people WHERE login = $1", &[login(name).into()])?;
        let Some(row) = rows.first() else { return Ok(false) };
        let id = row.text(0)?;
        self.revoke_token(&id, now)
    }

    /// Lets a disabled person sign in again; whether there was one.
    ///
    /// # Errors
    /// The database's.
    pub fn enable_person(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE tokens SET revoked = NULL
                   WHERE revoked IS NOT NULL AND id IN (SELECT token FROM people WHERE login = $1)";
        Ok(self.database.execute(sql, &[login(name).into()])? > 0)
    }
}
