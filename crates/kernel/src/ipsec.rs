//! Whether IPsec policies are in force on this machine, by netlink (linux/xfrm.h). Packets that the kernel forwards for
//! us pass them by, and would leave in the clear.

use std::io::{self, Read as _};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

const AF_NETLINK: i32 = 16;
const NETLINK_XFRM: i32 = 6;
const XFRM_MSG_NEWSPDINFO: u16 = 0x24;
const XFRM_MSG_GETSPDINFO: u16 = 0x25;
const XFRMA_SPD_INFO: u16 = 1;
const NLM_F_REQUEST: u16 = 1;
/// Bytes of a netlink header, of the flags behind it, and of an attribute's header.
const HEADER: usize = 16;
const FLAGS: usize = 4;
const ATTRIBUTE: usize = 4;

/// Asks whether there are policies.
#[derive(Debug)]
pub(crate) struct Policies {
    /// `None` where the kernel has no IPsec.
    socket: Option<Socket>,
}

impl Policies {
    pub(crate) fn new() -> Self {
        let socket = || {
            let protocol = Some(Protocol::from(NETLINK_XFRM));
            let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, protocol)?;
            // The kernel answers before `send` returns; this is for the case that it doesn't.
            socket.set_read_timeout(Some(Duration::from_millis(20)))?;
            io::Result::Ok(socket)
        };
        Self { socket: socket().ok() }
    }

    /// Whether any policy is in force: inbound, outbound, or of forwarding.
    ///
    /// # Errors
    /// When the kernel doesn't say.
    pub(crate) fn any(&self) -> io::Result<bool> {
        let Some(mut socket) = self.socket.as_ref() else { return Ok(false) };
        let length = u32::try_from(HEADER + FLAGS).unwrap_or(0);
        let question = [
            &length.to_ne_bytes()[..],
            &XFRM_MSG_GETSPDINFO.to_ne_bytes(),
            &NLM_F_REQUEST.to_ne_bytes(),
            &[0; 4],
            &[0; 4],
            &[0; FLAGS],
        ]
        .concat();
        socket.send(&question)?;
        let mut room = [0; 1_024];
        let length = socket.read(&mut room)?;
        counts(room.get(..length).unwrap_or_default())
            .map(|[inbound, outbound, forwarded]| inbound + outbound + forwarded > 0)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// How many policies there are inbound, outbound, and of forwarding.
fn counts(message: &[u8]) -> Option<[u64; 3]> {
    let word = |at: usize| message.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes);
    if word(4)? != XFRM_MSG_NEWSPDINFO {
        return None;
    }
    let mut at = HEADER + FLAGS;
    loop {
        let (length, kind) = (usize::from(word(at)?), word(at + 2)?);
        if kind == XFRMA_SPD_INFO {
            let count = |n: usize| {
                let from = at + ATTRIBUTE + 4 * n;
                message.get(from..from + 4)?.try_into().ok().map(u32::from_ne_bytes).map(u64::from)
            };
            return Some([count(0)?, count(1)?, count(2)?]);
        }
        // An attribute has at least its own header; else this would not end.
        at += length.max(ATTRIBUTE).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_machine_says_whether_it_has_policies() {
        Policies::new().any().expect("these tests ask for IPsec policies: run them as root");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(mut message in proptest::collection::vec(any::<u8>(), 0..128), ours in any::<bool>()) {
            if ours && let Some(kind) = message.get_mut(4..6) {
                kind.copy_from_slice(&XFRM_MSG_NEWSPDINFO.to_ne_bytes());
            }
            let _ = counts(&message);
        }
    }
}
