//! Asterisk's REST interface (ARI): events by websocket, requests by HTTP.

mod client;
mod endpoint;
mod link;
mod session;

pub(crate) use endpoint::endpoint;
pub(crate) use link::AriLink;
#[cfg(feature = "fuzz")]
pub(crate) use session::AriSession;
