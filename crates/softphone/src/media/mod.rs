//! The media half of a call: RTP out at its pace, everything that comes in kept.

mod dtmf;
mod encoder;
mod impairment;
mod log;
mod rtcp;
mod sender;
mod sockets;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

pub use impairment::Impairment;
pub(crate) use sender::Outbound;

use self::log::Log;
use self::sender::{Command, Sender};
use self::sockets::Sockets;
use crate::audio::Audio;
use crate::report::MediaReport;
use crate::{CallOptions, lock};

/// Larger than any RTP packet of a call: 200 ms of L16 at 48 kHz is 19,212 bytes.
const DATAGRAM: usize = 20 * 1024;

/// One end's media, from the first offer to the end of the call. Dropping it closes the ports.
#[derive(Debug)]
pub(crate) struct Session {
    ip: IpAddr,
    log: Log,
    commands: mpsc::UnboundedSender<Command>,
    played: watch::Receiver<bool>,
    address: Mutex<SocketAddr>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Session {
    /// Binds ports on `ip` and starts to receive.
    pub(crate) fn open(ip: IpAddr, options: &CallOptions, seed: u64) -> io::Result<Self> {
        let sockets = Arc::new(Sockets::bind(ip)?);
        let log = Log::new(options.keep);
        let (commands, orders) = mpsc::unbounded_channel();
        let (played_tx, played) = watch::channel(false);
        let sender = Sender::new(Arc::clone(&sockets), log.clone(), orders, played_tx, options, seed);
        let mut tasks = receive(&sockets, &log);
        tasks.push(tokio::spawn(sender.run()).abort_handle());
        let address = Mutex::new(sockets.address);
        Ok(Self { ip, log, commands, played, address, tasks: Mutex::new(tasks) })
    }

    /// Where this end wants RTP.
    pub(crate) fn address(&self) -> SocketAddr {
        *lock(&self.address)
    }

    /// Moves to new ports; the old ones still receive.
    pub(crate) fn move_ports(&self) -> io::Result<()> {
        let sockets = Arc::new(Sockets::bind(self.ip)?);
        lock(&self.tasks).extend(receive(&sockets, &self.log));
        *lock(&self.address) = sockets.address;
        self.order(Command::Sockets(sockets));
        Ok(())
    }

    /// Takes the outcome of offer and answer; `events` are the payload types for telephone-event received here.
    pub(crate) fn negotiated(&self, outbound: Outbound, events: impl IntoIterator<Item = u8>) {
        self.log.expect_events(events);
        self.order(Command::Negotiated(outbound));
    }

    pub(crate) fn play(&self, audio: Audio) {
        self.order(Command::Play(audio));
    }

    /// Queues keys; unknown ones are left out.
    pub(crate) fn press(&self, keys: &str) {
        self.order(Command::Press(keys.chars().filter_map(dtmf::event).collect()));
    }

    pub(crate) fn new_source(&self) {
        self.order(Command::NewSource);
    }

    /// Waits until the clip has been sent to its end.
    pub(crate) async fn played(&self) {
        let mut played = self.played.clone();
        // An error means that the sender has stopped.
        let _ = played.wait_for(|&played| played).await;
    }

    /// Stops sending and waits for the last packet to be out.
    pub(crate) async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.order(Command::Stop(done));
        let _ = stopped.await;
    }

    /// Packets sent and received so far.
    pub(crate) fn counts(&self) -> (usize, usize) {
        self.log.counts()
    }

    pub(crate) fn report(&self) -> MediaReport {
        self.log.report()
    }

    fn order(&self, command: Command) {
        // Fails when the sender has stopped; then there is nothing to order.
        let _ = self.commands.send(command);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.tasks).iter().for_each(AbortHandle::abort);
    }
}

fn receive(sockets: &Arc<Sockets>, log: &Log) -> Vec<AbortHandle> {
    let (of_rtp, of_rtcp) = (Arc::clone(sockets), Arc::clone(sockets));
    let (rtp_log, rtcp_log) = (log.clone(), log.clone());
    vec![
        tokio::spawn(async move { each(&of_rtp.rtp, |packet, from| rtp_log.received(&packet, from)).await })
            .abort_handle(),
        tokio::spawn(async move { each(&of_rtcp.rtcp, |packet, _| rtcp_log.received_rtcp(&packet)).await })
            .abort_handle(),
    ]
}

async fn each(socket: &UdpSocket, mut take: impl FnMut(Bytes, SocketAddr)) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                take(Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default()), from);
            }
            // A port-unreachable of something sent earlier; the socket goes on.
            Err(error) => tracing::trace!(%error, "receive"),
        }
    }
}
