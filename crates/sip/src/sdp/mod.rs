//! Session descriptions (RFC 8866) by line: what is known is read, what isn't is left alone.
//!
//! | part | subject |
//! | --- | --- |
//! | [`Description`] | the lines, by section, and the addresses in them |
//! | [`stream`] | what each m-line says of its media, owned |
//! | [`crypto`] | a=crypto lines |
//! | [`dtls`] | fingerprints, roles, ICE credentials |
//! | [`mod@rewrite`] | the edits that bring the media through us |
//! | [`body`] | where in a message's body the description is |
//!
//! Lines end in CRLF, LF or CR; the last may end in nothing. A line that isn't `x=…` is passed over, and
//! stays. Parsers differ in what they let pass, so everything is read as the most lenient of them would read it.

pub mod body;
pub mod crypto;
mod description;
pub mod dtls;
mod lines;
pub mod rewrite;
pub mod stream;

pub use description::{Connection, Description, Media, RtcpPort, SdpError};
pub use rewrite::{Dress, Ice, Patch, Place, rewrite};
pub use stream::{Carriage, Stream};
