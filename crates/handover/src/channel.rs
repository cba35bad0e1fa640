//! The channel between two processes: messages in JSON over a pair of sockets that keeps their boundaries.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};
use serde::{Deserialize, Serialize};

/// The longest message, in bytes: a fault's text may be some lines.
const LONGEST: usize = 16 * 1024;
/// Sockets in one message. The kernel takes 253 (unix(7), `SCM_MAX_FD`).
const SOCKETS_A_MESSAGE: usize = 240;

/// A message between two processes, which may be of different versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The successor could run. `journal` is the format in which it reads calls, and `path` where.
    Prepared { version: String, journal: u32, path: PathBuf },
    /// The successor can't run, and says why.
    Unfit { why: String },
    /// Sockets come with this message.
    Sockets,
    /// All that the successor needs is there: from here on calls are its own.
    Go,
    /// The successor is up, and has carried on so many calls.
    Up { calls: u64 },
}

/// Why two processes don't understand each other.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The other one has ended, or closed its end.
    #[error("it has ended")]
    Ended,
    /// Nothing came in time.
    #[error("it has not answered within {} seconds", .0.as_secs())]
    Silent(Duration),
    /// It says something else than is expected.
    #[error("it says what is not expected of it: is it a Sidetone that knows `upgrade`?")]
    Strange,
    /// The channel can't be used.
    #[error("the channel to it can't be used: {0}")]
    Channel(#[from] Errno),
}

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    /// Both ends. Neither outlives an exec of its own accord.
    pub(crate) fn pair() -> Result<(Self, OwnedFd), Trouble> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(ours), theirs))
    }

    pub(crate) const fn of(end: OwnedFd) -> Self {
        Self(end)
    }

    /// Sends a message; it waits in the kernel until it is read.
    pub(crate) fn send(&self, message: &Message) -> Result<(), Trouble> {
        self.send_with(message, &[])
    }

    /// Sends sockets, as many messages as it takes.
    pub(crate) fn send_sockets(&self, sockets: &[OwnedFd]) -> Result<(), Trouble> {
        for some in sockets.chunks(SOCKETS_A_MESSAGE) {
            let raw: Vec<RawFd> = some.iter().map(AsRawFd::as_raw_fd).collect();
            self.send_with(&Message::Sockets, &raw)?;
        }
        Ok(())
    }

    fn send_with(&self, message: &Message, sockets: &[RawFd]) -> Result<(), Trouble> {
        let mut text = serde_json::to_vec(message).unwrap_or_default();
        text.truncate(LONGEST);
        let rights = [ControlMessage::ScmRights(sockets)];
        let control = if sockets.is_empty() { &rights[..0] } else { &rights[..] };
        let sent =
            sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&text)], control, MsgFlags::MSG_NOSIGNAL, None);
        match sent {
            Ok(_) => Ok(()),
            Err(Errno::EPIPE | Errno::ECONNRESET) => Err(Trouble::Ended),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a message, and for what comes with it, so long.
    pub(crate) fn receive(&self, patience: Duration) -> Result<(Message, Vec<OwnedFd>), Trouble> {
        self.wait(patience)?;
        let mut text = vec![0; LONGEST];
        let mut control = cmsg_space!([RawFd; SOCKETS_A_MESSAGE]);
        let mut room = [IoSliceMut::new(&mut text)];
        let received = recvmsg::<()>(
            self.0.as_raw_fd(),
            &mut room,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT,
        );
        let received = match received {
            Ok(received) => received,
            Err(Errno::ECONNRESET) => return Err(Trouble::Ended),
            Err(error) => return Err(error.into()),
        };
        let mut sockets = Vec::new();
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = message {
                // SAFETY: the kernel has just made these descriptors for this process, and nobody else knows them.
                #[allow(unsafe_code)]
                sockets.extend(raw.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
            }
        }
        let length = received.bytes;
        if length == 0 {
            return Err(Trouble::Ended);
        }
        let message = text.get(..length).and_then(|text| serde_json::from_slice(text).ok());
        message.map(|message| (message, sockets)).ok_or(Trouble::Strange)
    }

    pub(crate) fn has_message(&self) -> bool {
        self.wait(Duration::ZERO).is_ok()
    }

    fn wait(&self, patience: Duration) -> Result<(), Trouble> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, timeout) {
                Ok(0) if left.is_zero() => return Err(Trouble::Silent(patience)),
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn hundreds_of_sockets_arrive_whole_and_work() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::of(theirs);
        let sockets: Vec<UdpSocket> = (0..600).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let places: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let given: Vec<OwnedFd> = sockets.into_iter().map(OwnedFd::from).collect();
        ours.send_sockets(&given).unwrap();
        ours.send(&Message::Go).unwrap();
        drop(given);
        let mut arrived = Vec::new();
        loop {
            match theirs.receive(SOON).unwrap() {
                (Message::Sockets, sockets) => arrived.extend(sockets.into_iter().map(UdpSocket::from)),
                (message, sockets) => {
                    assert_eq!((message, sockets.len()), (Message::Go, 0));
                    break;
                }
            }
        }
        let found: Vec<_> = arrived.iter().map(|socket| socket.local_addr().unwrap()).collect();
        assert_eq!(found, places);
        arrived[599].send_to(b"here", places[0]).unwrap();
        let mut room = [0; 8];
        assert_eq!(arrived[0].recv_from(&mut room).unwrap(), (4, places[599]));
    }

    #[test]
    fn an_end_and_silence_are_told_apart() {
        let (ours, theirs) = Channel::pair().unwrap();
        assert!(matches!(ours.receive(Duration::ZERO), Err(Trouble::Silent(_))));
        drop(theirs);
        assert!(matches!(ours.receive(SOON), Err(Trouble::Ended)));
        assert!(matches!(ours.send(&Message::Go), Err(Trouble::Ended)));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let (ours, theirs) = Channel::pair().unwrap();
        for strange in ["", "{", "\"Stop\"", "{\"Up\":{}}"] {
            if !strange.is_empty() {
                nix::sys::socket::send(theirs.as_raw_fd(), strange.as_bytes(), MsgFlags::empty()).unwrap();
                assert!(matches!(ours.receive(SOON), Err(Trouble::Strange)), "{strange}");
            }
        }
    }
}
