//! Passwords, kept as argon2id.

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::error::StoreError;

/// Memory in KiB, passes and lanes: OWASP's second choice for argon2id. A try costs some 20 ms of one core.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Shorter ones can be guessed in the time that the limit on attempts leaves; longer ones than this are no password.
const SHORTEST: usize = 10;
const LONGEST: usize = 256;
/// The memory that a check fills, kept for the next one, so that checks come one after another. With memory of its own
/// each would leave 19 MiB behind in the allocator's arena of the thread that it ran on, and there are eight a core.
static MEMORY: Mutex<Vec<Block>> = Mutex::new(Vec::new());
/// Letters of made passwords: none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const GROUPS: usize = 4;
const GROUP: usize = 5;

/// A password in the form that is kept: argon2id as a PHC string, with its own salt.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether `text` hashes to a PHC string; `None` if that is none of ours.
fn matches(text: &str, phc: &str) -> Option<bool> {
    let kept = PasswordHash::new(phc).ok()?;
    let (salt, expected) = (kept.salt?, kept.hash?);
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..expected.len())?;
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    memory.resize(MEMORY_KIB as usize, Block::default());
    argon2()
        .hash_password_into_with_memory(text.as_bytes(), salt.as_ref(), out, memory.as_mut_slice())
        .ok()?;
    // Compared in constant time.
    Some(Output::new(out).ok()? == expected)
}

impl Password {
    /// Hashes a password. Takes some 20 ms and 19 MiB.
    ///
    /// # Errors
    /// [`StoreError::Password`] for one that is too short or too long, [`StoreError::Random`].
    pub fn hash(text: &str) -> Result<Self, StoreError> {
        if text.chars().count() < SHORTEST || text.len() > LONGEST {
            return Err(StoreError::BadPassword);
        }
        Self::of(text)
    }

    fn of(text: &str) -> Result<Self, StoreError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(StoreError::Random)?;
        let hashed = argon2().hash_password_with_salt(text.as_bytes(), &salt);
        hashed.map(|hashed| Self(hashed.to_string())).map_err(|_| StoreError::BadPassword)
    }

    /// A password as it was kept.
    #[must_use]
    pub(crate) fn kept(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` is this password. Without one nothing is, after as much work: the time of an answer must not tell
    /// which names there are.
    #[must_use]
    pub fn is(kept: Option<&Self>, text: &str) -> bool {
        static NOBODY: LazyLock<Option<Password>> = LazyLock::new(|| Password::of("nobody's").ok());
        // Longer ones were never accepted, and hashing them would be work for whoever sends them.
        let text = if text.len() > LONGEST { "" } else { text };
        match kept.or(NOBODY.as_ref()) {
            Some(Self(phc)) => matches(text, phc) == Some(true) && kept.is_some(),
            None => false,
        }
    }

    /// A new password to be told to somebody: four groups of five letters and digits, 100 bits.
    ///
    /// # Errors
    /// [`StoreError::Random`].
    pub fn make() -> Result<String, StoreError> {
        let mut bytes = [0; GROUPS * GROUP];
        getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
        // 32 letters: each has the same chance.
        let letter =
            |byte: &u8| LETTERS.get(usize::from(byte % 32)).map_or('a', |letter| char::from(*letter));
        let groups = bytes.chunks(GROUP).map(|group| group.iter().map(letter).collect::<String>());
        Ok(groups.collect::<Vec<_>>().join("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let kept = Password::hash("correct horse battery").unwrap();
        assert!(kept.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.as_str());
        assert!(Password::is(Some(&kept), "correct horse battery"));
        for wrong in ["", "correct horse batter", "Correct horse battery", &"x".repeat(5_000)] {
            assert!(!Password::is(Some(&kept), wrong));
        }
        assert_ne!(kept, Password::hash("correct horse battery").unwrap(), "each has its own salt");
        assert!(!format!("{kept:?}").contains("argon2"));
    }

    #[test]
    fn checks_share_one_memory() {
        let kept = Password::hash("correct horse battery").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(Password::is(Some(&kept), "correct horse battery")));
            }
        });
        assert_eq!(MEMORY.lock().unwrap().len(), MEMORY_KIB as usize);
    }

    #[test]
    fn nobody_has_no_password() {
        for text in ["", "nobody's", "correct horse battery"] {
            assert!(!Password::is(None, text));
        }
        assert!(!Password::is(Some(&Password::kept("garbage".into())), "garbage"));
    }

    #[test]
    fn short_and_endless_passwords_are_refused_and_made_ones_are_not() {
        for bad in ["", "123456789", &"x".repeat(257)] {
            assert!(matches!(Password::hash(bad), Err(StoreError::BadPassword)), "{}", bad.len());
        }
        let made = Password::make().unwrap();
        assert_eq!((made.len(), made.split('-').count()), (23, 4));
        assert_ne!(made, Password::make().unwrap());
        Password::hash(&made).unwrap();
    }
}
