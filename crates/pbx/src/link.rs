//! One link's task: connects, talks, waits, connects again.

use std::time::Duration;

use sidetone_drill::Fault as Drilled;

use crate::desk::Desk;

use crate::ami::AmiSession;
use crate::ari::AriLink;
use crate::backoff::Backoff;
use crate::esl::EslSession;
use crate::fault::Fault;
use crate::tcp;

/// How often it is looked whether a drill cuts the link off.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// The peer at the other end.
pub(crate) enum Peer {
    /// An address, and a function that begins a session.
    Ami(String, Box<dyn Fn() -> AmiSession + Send>),
    /// As above.
    Esl(String, Box<dyn Fn() -> EslSession + Send>),
    /// ARI's two connections.
    Ari(Box<AriLink>),
}

/// Keeps a link up until the shutdown.
pub(crate) async fn run(mut desk: Desk, mut peer: Peer, seed: u64) {
    let mut backoff = Backoff::new(seed);
    loop {
        // Drops events that have become too old meanwhile.
        let now = desk.now();
        let _ = desk.board.tick(now);
        let talk = async {
            match &mut peer {
                Peer::Ami(address, begin) => tcp::run(&mut desk, address, begin()).await,
                Peer::Esl(address, begin) => tcp::run(&mut desk, address, begin()).await,
                Peer::Ari(link) => link.run(&mut desk).await,
            }
        };
        let fault = tokio::select! {
            fault = talk => fault,
            () = cut_off() => Fault::Network("a drill lets no PBX be reached".to_owned()),
        };
        let lasted = desk.went_down(&fault);
        let wait = backoff.after(lasted);
        if matches!(fault, Fault::Stopped) || desk.meanwhile(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// Waits until a drill cuts the link off.
async fn cut_off() {
    while !sidetone_drill::is_on(Drilled::Pbx) {
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}
