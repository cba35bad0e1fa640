//! Links by which callers themselves say how a call was: each is of one call, for some days, and for one answer.
//!
//! The secret of a link is kept as a digest, as a token's is: whoever reads the database can answer for nobody.

use serde::Serialize;
use sidetone_events::Timestamp;
use utoipa::ToSchema;

use crate::access::{digest, random};
use crate::added::{Added, Survey};
use crate::database::{Database, transaction};
use crate::error::StoreError;
use crate::store::Store;
use crate::sums::mark_stale;
use crate::view::View;

/// How long a link may be answered.
const VALID_MS: u64 = 7 * 86_400_000;

/// A link for one caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SurveyLink)]
pub struct Invitation {
    /// The path of its page, to be put behind the address of these pages as callers reach it.
    pub path: String,
    /// Until when it may be answered, in milliseconds since 1970.
    pub expires: u64,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// It may be answered.
    Open,
    /// It has been.
    Answered,
    /// There is none, or none any more.
    Gone,
}

impl View<'_> {
    /// Makes a link for a call, named by Sidetone's id or by its SIP Call-ID. Earlier ones stay.
    ///
    /// # Errors
    /// [`StoreError::Random`], the database's.
    pub fn invite(&mut self, id: &str, now: Timestamp) -> Result<Result<Invitation, Added>, StoreError> {
        let call = match self.named(id, now)? {
            Ok(call) => call,
            Err(not) => return Ok(Err(not)),
        };
        let secret = random()?;
        let expires = now.unix_millis().saturating_add(VALID_MS);
        let sql = "INSERT INTO invitations (digest, call, expires) VALUES ($1, $2, $3)";
        self.store
            .database
            .execute(sql, &[digest(&secret).into(), call.id.as_str().into(), expires.into()])?;
        self.store.note_access(self.token, "survey.invited", &call.id, now)?;
        Ok(Ok(Invitation { path: format!("{PATH}{secret}"), expires }))
    }
}

/// What stands before the secret in a link's path.
pub const PATH: &str = "/survey/";

impl Store {
    /// Whether a link may be answered.
    ///
    /// # Errors
    /// The database's.
    pub fn invited(&mut self, secret: &str, now: Timestamp) -> Result<Invited, StoreError> {
        let sql = "SELECT answered FROM invitations WHERE digest = $1 AND expires > $2";
        let rows = self.database.query(sql, &[digest(secret).into(), now.unix_millis().into()])?;
        Ok(match rows.first().map(|row| row.maybe_int(0)).transpose()? {
            None => Invited::Gone,
            Some(None) => Invited::Open,
            Some(Some(_)) => Invited::Answered,
        })
    }

    /// Keeps what a caller answers by a link, in place of an earlier survey of the call; what the link was before.
    ///
    /// # Errors
    /// The database's.
    pub fn answer_invitation(
        &mut self,
        secret: &str,
        survey: &Survey,
        now: Timestamp,
    ) -> Result<Invited, StoreError> {
        let before = self.invited(secret, now)?;
        if before != Invited::Open {
            return Ok(before);
        }
        let (digest, now) = (digest(secret), now.unix_millis());
        transaction(self.database.as_mut(), |database: &mut dyn Database| {
            // Of two answers at once the first one counts.
            let sql = "UPDATE invitations SET answered = $2 WHERE digest = $1 AND answered IS NULL";
            if database.execute(sql, &[digest.as_str().into(), now.into()])? == 0 {
                return Ok(Invited::Answered);
            }
            let sql =
                "SELECT calls.id, calls.started FROM invitations JOIN calls ON calls.id = invitations.call
                       WHERE digest = $1";
            let rows = database.query(sql, &[digest.as_str().into()])?;
            let Some(row) = rows.first() else { return Ok(Invited::Gone) };
            let (call, started) = (row.text(0)?, u64::try_from(row.int(1)?).unwrap_or_default());
            survey.keep(database, &call, now)?;
            mark_stale(database, started)?;
            Ok(Invited::Open)
        })
    }
}
