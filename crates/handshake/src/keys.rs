//! What a handshake is for: the master keys of SRTP (RFC 5764 §4.2).
use std::fmt;

use zeroize::Zeroizing;

/// Which side of a handshake a party is on, as `a=setup` has settled (RFC 5763 §5, RFC 4145).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// `active`: sends the ClientHello.
    Client,
    /// `passive`: waits for it.
    Server,
}

/// A protection profile that both sides have agreed on in `use_srtp` (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// SRTP_AES128_CM_HMAC_SHA1_80.
    Aes128CmSha1_80,
    /// SRTP_AEAD_AES_128_GCM.
    AeadAes128Gcm,
    /// SRTP_AEAD_AES_256_GCM.
    AeadAes256Gcm,
}

impl Profile {
    /// The octets of a master key and of a master salt.
    #[must_use]
    pub fn lengths(self) -> (usize, usize) {
        match self {
            Profile::Aes128CmSha1_80 => (16, 14),
            Profile::AeadAes128Gcm => (16, 12),
            Profile::AeadAes256Gcm => (32, 12),
        }
    }

    /// Its name in IANA's registry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Aes128CmSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Profile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Profile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }
}

/// The master key and salt of one direction. Wiped when dropped; printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Master {
    /// As long as [`Profile::lengths`] says.
    pub key: Zeroizing<Vec<u8>>,
    /// As long as [`Profile::lengths`] says.
    pub salt: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").finish_non_exhaustive()
    }
}

/// Keys of both directions. Which is whose stands in their names, so that nobody protects with what they unprotect
/// with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// For both directions.
    pub profile: Profile,
    /// For what we send.
    pub ours: Master,
    /// For what the peer sends.
    pub theirs: Master,
}

impl Keys {
    /// Cuts what the exporter gave: the client's key, the server's, the client's salt, the server's (RFC 5764 §4.2).
    /// None if it has another length than the profile's, or both directions the same key.
    pub(crate) fn cut(profile: Profile, role: Role, exported: &[u8]) -> Option<Self> {
        let (key, salt) = profile.lengths();
        let (keys, salts) = exported.split_at_checked(2 * key)?;
        if salts.len() != 2 * salt {
            return None;
        }
        let (client_key, server_key) = keys.split_at_checked(key)?;
        let (client_salt, server_salt) = salts.split_at_checked(salt)?;
        if client_key == server_key {
            return None;
        }
        let master = |key: &[u8], salt: &[u8]| Master {
            key: Zeroizing::new(key.to_vec()),
            salt: Zeroizing::new(salt.to_vec()),
        };
        let (client, server) = (master(client_key, client_salt), master(server_key, server_salt));
        Some(match role {
            Role::Client => Self { profile, ours: client, theirs: server },
            Role::Server => Self { profile, ours: server, theirs: client },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_the_others_keys_crossed() {
        for profile in [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm] {
            let (key, salt) = profile.lengths();
            let exported: Vec<u8> = (0..2 * (key + salt)).map(|at| u8::try_from(at).unwrap()).collect();
            let client = Keys::cut(profile, Role::Client, &exported).unwrap();
            let server = Keys::cut(profile, Role::Server, &exported).unwrap();
            assert_eq!(client.ours, server.theirs);
            assert_eq!(client.theirs, server.ours);
            assert_ne!(client.ours.key, client.theirs.key);
            assert_eq!(*client.ours.key, exported[..key]);
            assert_eq!(*client.theirs.key, exported[key..2 * key]);
            assert_eq!(*client.ours.salt, exported[2 * key..2 * key + salt]);
            assert_eq!(*client.theirs.salt, exported[2 * key + salt..]);
        }
    }

    #[test]
    fn another_length_or_one_key_for_both_is_none() {
        let profile = Profile::AeadAes128Gcm;
        assert_eq!(Keys::cut(profile, Role::Client, &[7; 56]), None, "one key for both");
        let exported: Vec<u8> = (0..60).collect();
        for length in (0..=60).filter(|length| *length != 56) {
            assert_eq!(Keys::cut(profile, Role::Client, &exported[..length]), None, "{length}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = Keys::cut(Profile::AeadAes128Gcm, Role::Client, &(0..56).collect::<Vec<u8>>()).unwrap();
        assert!(
            !format!("{keys:?}")
                .chars()
                .any(|sign| sign.is_ascii_digit() && sign != '1' && sign != '2' && sign != '8')
        );
    }
}
