//! The wire layer: messages read, edited and built; properties that hold for any bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // one binary, many modules

mod build;
mod edit;
mod flaws;
mod properties;
mod reading;
mod sdp;

use bytes::Bytes;
use sidetone_sip::Message;

/// Parses text that is known to be well formed.
pub fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

/// The five headers that every message has, for requests of `method`.
pub fn five(method: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\nFrom: <sip:a@example.com>;tag=1\r\n\
         To: <sip:b@example.com>\r\nCall-ID: x@y\r\nCSeq: 1 {method}\r\n"
    )
}
