//! The input of the thread that redacts messages.

use crate::trace::seen::Seen;
use crate::trace::session::Session;

pub(crate) enum Note {
    Seen(Seen),
    Open(Session),
}
