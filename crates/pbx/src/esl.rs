//! FreeSWITCH's event socket (ESL), inbound: Sidetone connects to FreeSWITCH.
//!
//! Follows FreeSWITCH 1.10's `mod_event_socket` and `mod_commands`: replies come in the order of their commands; `api`
//! is answered by `api/response` with the output or, where permission is missing, by `command/reply`.

mod frame;
mod session;

#[cfg(feature = "fuzz")]
pub(crate) use frame::{Command, Reader};
pub(crate) use session::EslSession;
