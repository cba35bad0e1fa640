//! A key log, read from its file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use sidetone_capture::dtls::KeyLog;
use sidetone_capture::dtls::key_log::MOST_BYTES;
use zeroize::Zeroizing;

/// What is read at once of a file whose size isn't known beforehand.
const PIECE: usize = 64 << 10;

/// Reads a key log. The text is wiped.
pub(super) fn read(path: &Path) -> anyhow::Result<KeyLog> {
    let text = text(path).with_context(|| {
        format!("--dtls-keylog {}: can't be read: name a key log that this user may read", path.display())
    })?;
    KeyLog::parse(&text).with_context(|| format!("--dtls-keylog {}", path.display()))
}

/// Reads one byte beyond what a key log may have. A growing buffer would leave secrets behind where it was, so it is
/// moved by hand.
fn text(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::open(path)?;
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut text = Zeroizing::new(vec![0; size.min(MOST_BYTES) + PIECE]);
    let mut filled = 0;
    loop {
        let room = text.get_mut(filled..).unwrap_or_default();
        match file.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > MOST_BYTES {
            break;
        }
        if filled == text.len() {
            let mut larger = Zeroizing::new(vec![0; 2 * filled]);
            if let Some(front) = larger.get_mut(..filled) {
                front.copy_from_slice(&text);
            }
            text = larger;
        }
    }
    text.truncate(filled);
    Ok(text)
}
