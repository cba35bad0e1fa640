//! DTLS handshakes overheard, as far as they lead to the keys of SRTP (RFC 5764).
//!
//! | module | subject | source |
//! | --- | --- | --- |
//! | [`key_log`] | secrets that a party has written down | NSS key log format |
//! | `hello` | the two hellos of a handshake, out of datagrams | RFC 6347 §4.2, RFC 9147 §5 |
//! | `exporter` | master keys and salts from a secret | RFC 5705, RFC 8446 §7.5 |

pub(crate) mod exporter;
pub(crate) mod hello;
pub mod key_log;

pub use key_log::{KeyLog, KeyLogError};
