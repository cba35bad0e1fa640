//! Whoever reads an open stream: it ends soon after they may read it no longer, by a sign-out, a revoked token or the
//! end of a session.

use std::time::Duration;

use tokio::time::Instant;

use super::kept::{Kept, Shown};

/// How often a stream's reader must still be one who may read it.
pub(super) const CHECKED_EVERY: Duration = Duration::from_secs(5);

/// The reader of a stream, as they have shown who they are when it was opened.
pub(super) struct Reader {
    kept: Kept,
    shown: Option<Shown>,
    checked: Instant,
}

impl Reader {
    /// A reader who may read now.
    pub(super) fn new(kept: Kept, shown: Option<Shown>) -> Self {
        Self { kept, shown, checked: Instant::now() }
    }

    /// Whether they still may, as of some seconds ago. A store that can't be asked for a moment ends no stream.
    pub(super) async fn still_may(&mut self) -> bool {
        if self.checked.elapsed() < CHECKED_EVERY {
            return true;
        }
        self.checked = Instant::now();
        !matches!(self.kept.token(self.shown.clone()).await, Ok(None))
    }
}
