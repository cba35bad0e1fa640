//! The signalling half: sockets, transactions, dialogs.

mod client;
mod core;
mod dialog;
mod server;
mod tcp;
mod transport;

pub(crate) use self::client::ClientTransaction;
pub(crate) use self::core::{ALLOW, Core, InDialog, Invited};
pub(crate) use self::dialog::{Dialog, Outgoing};
pub(crate) use self::server::ServerTransaction;
pub(crate) use self::transport::Destination;
