//! The proxy's own branches and tags, written and read back.

use std::fmt::Write as _;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use super::table::Key;
use crate::Flow;
use crate::message::{Message, Name};
use crate::via::MAGIC_COOKIE;

/// Follows the magic cookie in branches, and begins tags: "made here".
const MARK: &str = "st";
const SLOT_DIGITS: usize = 8;
const HASH_DIGITS: usize = 16;

/// The parts of a branch: where its client transaction lies, a number that nobody can guess, and what loops are
/// recognised by (the "two parts" of RFC 3261 §16.6 step 8; RFC 5393 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) slot: u32,
    pub(super) nonce: u64,
    pub(super) loops: u64,
}

impl Branch {
    /// Whether a Via is worth looking into for a branch of ours.
    pub(super) fn may_be_in(via: &[u8]) -> bool {
        memchr::memmem::find(via, b"z9hG4bKst").is_some()
    }

    /// Reads a branch parameter; `None` when it isn't of this form.
    pub(super) fn parse(branch: &str) -> Option<Self> {
        let digits = branch.strip_prefix(MAGIC_COOKIE)?.strip_prefix(MARK)?;
        if digits.len() != SLOT_DIGITS + 2 * HASH_DIGITS {
            return None;
        }
        let (slot, rest) = digits.split_at_checked(SLOT_DIGITS)?;
        let (nonce, loops) = rest.split_at_checked(HASH_DIGITS)?;
        Some(Self {
            slot: u32::from_str_radix(slot, 16).ok()?,
            nonce: u64::from_str_radix(nonce, 16).ok()?,
            loops: u64::from_str_radix(loops, 16).ok()?,
        })
    }

    /// Appends the branch parameter's value.
    pub(super) fn write(&self, out: &mut String) {
        // Writing to a String can't fail.
        let _ = write!(out, "{MAGIC_COOKIE}{MARK}{:08x}{:016x}{:016x}", self.slot, self.nonce, self.loops);
    }
}

/// Makes branches and tags from a key that only this proxy has.
#[derive(Debug)]
pub(super) struct Tokens {
    hasher: SipHasher13,
    made: u64,
}

impl Tokens {
    pub(super) fn new(key: (u64, u64)) -> Self {
        Self { hasher: SipHasher13::new_with_keys(key.0, key.1), made: 0 }
    }

    fn fields(&self, purpose: u8) -> Fields {
        let mut hash = Fields(self.hasher);
        hash.0.write_u8(purpose);
        hash
    }

    /// A number that has not been used before and can't be guessed.
    pub(super) fn nonce(&mut self) -> u64 {
        self.made += 1;
        let mut hash = self.fields(b'n');
        hash.0.write_u64(self.made);
        hash.0.finish()
    }

    /// A branch for a client transaction.
    pub(super) fn branch(&mut self, at: Key, loops: u64) -> Branch {
        Branch { slot: at.slot, nonce: self.nonce(), loops }
    }

    /// A branch for a request that is forwarded without a transaction (an ACK): the same each time that it comes
    /// (RFC 3261 §16.11).
    pub(super) fn stateless(&self, request: &Message, loops: u64) -> Branch {
        let mut hash = self.fields(b's');
        hash.add(request.first_value(Name::Via).unwrap_or_default());
        Branch { slot: u32::MAX, nonce: hash.0.finish(), loops }
    }

    /// The loop hash: the same if this request comes round again, and another if it comes a second time after something
    /// that routing depends on has changed (RFC 5393 §4.2.1).
    pub(super) fn loops(&self, request: &Message, source: &Flow) -> u64 {
        let mut hash = self.fields(b'l');
        hash.add(request.request_uri().unwrap_or_default().as_bytes());
        hash.add(request.call_id().as_bytes());
        hash.add(request.from_tag().unwrap_or_default().as_bytes());
        hash.add(request.to_tag().unwrap_or_default().as_bytes());
        hash.add(request.header(Name::CSeq).map(|h| h.value).unwrap_or_default());
        for header in request.headers_named(Name::Route) {
            hash.add(header.value);
        }
        // Which side a request comes from decides where it goes: on its way back from a PBX that forwards calls it
        // is no loop. A TCP port changes from connection to connection.
        hash.add(source.remote.ip().to_string().as_bytes());
        if !source.transport.is_reliable() {
            hash.0.write_u16(source.remote.port());
        }
        hash.0.finish()
    }

    /// The tag of To in responses of the proxy's own making: the same for each that this request gets, so that the
    /// ACK to a stateless refusal can be told by it.
    pub(super) fn to_tag(&self, request: &Message) -> String {
        let mut hash = self.fields(b't');
        hash.add(request.call_id().as_bytes());
        hash.add(request.from_tag().unwrap_or_default().as_bytes());
        hash.0.write_u32(request.cseq().map_or(0, |c| c.number));
        let mut tag = String::with_capacity(MARK.len() + HASH_DIGITS);
        let _ = write!(tag, "{MARK}{:016x}", hash.0.finish());
        tag
    }

    /// Whether the tag of To in this request is one that the proxy gave.
    pub(super) fn is_own_tag(&self, request: &Message) -> bool {
        request.to_tag().is_some_and(|tag| tag.starts_with(MARK) && tag == self.to_tag(request))
    }
}

/// Hashes a sequence of fields so that no two sequences run together.
struct Fields(SipHasher13);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.0.write_u32(u32::try_from(field.len()).unwrap_or(u32::MAX));
        self.0.write(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_reads_back() {
        let branch = Branch { slot: 26, nonce: 0x0123_4567_89ab_cdef, loops: u64::MAX };
        let mut text = String::new();
        branch.write(&mut text);
        assert_eq!(text, "z9hG4bKst0000001a0123456789abcdefffffffffffffffff");
        assert_eq!(Branch::parse(&text), Some(branch));
        for other in [
            "z9hG4bKst",
            "z9hG4bK0000001a0123456789abcdefffffffffffffffff",
            "",
            "z9hG4bKst0000001é0123456789abcdefffffffffffffff",
        ] {
            assert_eq!(Branch::parse(other), None, "{other}");
        }
    }
}
