//! What the thread that makes messages fit to be shown is given.

use crate::trace::seen::Seen;
use crate::trace::session::Session;

pub(crate) enum Note {
    Seen(Seen),
    Open(Session),
}
