//! The names that dialogs and sets of dialogs are found by, kept as keyed hashes: the cost of a set doesn't depend on
//! the length of a peer's Call-ID, and no peer can make two names collide.

use std::hash::Hasher;

use sidetone_call::Side;
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

use crate::host::{Host, HostPort};
use crate::message::Message;

/// Names a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetKey {
    /// Stands for Call-ID, the tag of whoever sent the first request, and that party's side.
    pub(super) names: u128,
    /// Stands for that party's peer: what others ask for under the same names is theirs.
    pub(super) caller: u64,
}

/// The set that a request is in, and which of the two parties sent it. Responses are in their request's.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Member {
    pub(super) key: SetKey,
    pub(super) by_caller: bool,
}

/// The names that identify the dialog of a message (RFC 3261 §12).
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Names<'a> {
    pub(in crate::proxy) call_id: &'a str,
    pub(in crate::proxy) from_tag: &'a str,
    pub(in crate::proxy) to_tag: Option<&'a str>,
}

/// Call-ID and tags of a request that has been sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct RequestNames {
    names: u128,
    to_tag: Option<u64>,
}

impl RequestNames {
    /// Whether a response with those names is to it. A tag that the request lacked is for the response to give.
    pub(in crate::proxy) fn fits(self, response: Self) -> bool {
        let tags = self.to_tag.zip(response.to_tag);
        self.names == response.names && tags.is_none_or(|(asked, answered)| asked == answered)
    }
}

impl<'a> Names<'a> {
    pub(in crate::proxy) fn of(message: &'a Message) -> Self {
        Self {
            call_id: message.call_id(),
            from_tag: message.from_tag().unwrap_or_default(),
            to_tag: message.to_tag(),
        }
    }
}

/// Hashes names under a key that only this proxy has.
#[derive(Debug)]
pub(super) struct NameHasher {
    names: SipHasher128,
    hosts: SipHasher13,
}

impl NameHasher {
    pub(super) fn new(key: (u64, u64)) -> Self {
        Self {
            names: SipHasher128::new_with_keys(key.0, key.1),
            hosts: SipHasher13::new_with_keys(key.1, key.0),
        }
    }

    /// Stands for a Call-ID, the tag of the party whose request opened the set, and that party's side.
    pub(super) fn names(&self, call_id: &str, caller_tag: &str, caller_side: Side) -> u128 {
        let mut hash = self.names;
        for field in [call_id, caller_tag, caller_side.as_str()] {
            hash.write_u64(field.len() as u64);
            hash.write(field.as_bytes());
        }
        hash.finish128().as_u128()
    }

    /// The names that a response has to repeat of its request (RFC 3261 §8.2.6.2).
    pub(super) fn request_names(&self, names: Names<'_>) -> RequestNames {
        let names_of_request = self.names(names.call_id, names.from_tag, Side::Trunk);
        RequestNames { names: names_of_request, to_tag: names.to_tag.map(|tag| self.tag(tag)) }
    }

    pub(super) fn tag(&self, tag: &str) -> u64 {
        let mut hash = self.hosts;
        hash.write_u8(b't');
        hash.write(tag.as_bytes());
        hash.finish()
    }

    pub(super) fn host(&self, host: &HostPort) -> u64 {
        let mut hash = self.hosts;
        hash.write_u8(b'h');
        // A name without a port may be one of several hosts (RFC 3263 §4.2), an address is not.
        let port = match &host.host {
            Host::Ip(ip) => {
                hash.write(ip.to_canonical().to_string().as_bytes());
                host.port.unwrap_or(5060)
            }
            Host::Name(name) => {
                hash.write(name.to_ascii_lowercase().as_bytes());
                host.port.unwrap_or(0)
            }
        };
        hash.write_u8(0);
        hash.write_u16(port);
        hash.finish()
    }
}
