//! Somebody who has signed in.

use sha2::{Digest, Sha256};
use sidetone_pages::Section;
use sidetone_store::Token;

/// Somebody who has signed in.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) token: Token,
    pub(super) session: String,
    /// The value that forms of this session carry: another site can't know it.
    pub(super) csrf: String,
}

impl Person {
    pub(super) fn new(token: Token, session: String) -> Self {
        let csrf = Sha256::digest(format!("sidetone csrf {session}"));
        let csrf = csrf.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self { token, session, csrf }
    }

    /// The sections that this person may see.
    pub(super) fn sections(&self) -> &'static [Section] {
        Section::of(self.token.role)
    }
}
