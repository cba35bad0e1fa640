//! What fuzz targets and property tests feed with bytes.
#![allow(clippy::indexing_slicing)] // a failed assertion is the finding

use sidetone_call::{Keying, Suite};

use crate::{Inbound, MOST_TRAILER, Outbound};

/// Reads bytes as packets under every suite: nothing may panic, and what was not protected by the key must not open.
///
/// # Panics
/// When a packet opens that nobody protected.
pub fn hostile(data: &[u8]) {
    for suite in Suite::ALL {
        let secret = vec![7; suite.key_length() + suite.salt_length()];
        let Some(keying) = Keying::new(suite, &secret) else { continue };
        let (Ok(mut inbound), Ok(mut outbound)) = (Inbound::new(keying.clone()), Outbound::new(keying))
        else {
            continue;
        };
        let mut packet = data.to_vec();
        assert!(inbound.unprotect(&mut packet).is_err(), "{suite}: a stranger's packet opened");
        packet.copy_from_slice(data);
        assert!(inbound.unprotect_rtcp(&mut packet).is_err(), "{suite}: a stranger's report opened");
        there_and_back(data, &mut outbound, &mut inbound);
    }
}

/// What is protected opens again as it was.
fn there_and_back(data: &[u8], outbound: &mut Outbound, inbound: &mut Inbound) {
    let mut buffer = data.to_vec();
    buffer.resize(data.len() + MOST_TRAILER, 0);
    if let Ok(length) = outbound.protect(&mut buffer, data.len()) {
        let opened = inbound.unprotect(&mut buffer[..length]);
        assert_eq!(opened, Ok(data.len()), "our own packet");
        assert!(buffer.starts_with(data), "it changed on its way");
    }
    buffer.clear();
    buffer.extend_from_slice(data);
    buffer.resize(data.len() + MOST_TRAILER, 0);
    if let Ok(length) = outbound.protect_rtcp(&mut buffer, data.len()) {
        let opened = inbound.unprotect_rtcp(&mut buffer[..length]);
        assert_eq!(opened, Ok(data.len()), "our own report");
        assert!(buffer.starts_with(data), "it changed on its way");
    }
}
