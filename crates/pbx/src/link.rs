//! One link's task: connects, talks, waits, connects again.

use crate::desk::Desk;

use crate::ami::AmiSession;
use crate::ari::AriLink;
use crate::backoff::Backoff;
use crate::esl::EslSession;
use crate::fault::Fault;
use crate::tcp;

/// What is at the other end.
pub(crate) enum Peer {
    /// An address, and how to begin a conversation.
    Ami(String, Box<dyn Fn() -> AmiSession + Send>),
    /// As above.
    Esl(String, Box<dyn Fn() -> EslSession + Send>),
    /// See there.
    Ari(Box<AriLink>),
}

/// Keeps a link up until it is told to go.
pub(crate) async fn run(mut desk: Desk, mut peer: Peer, seed: u64) {
    let mut backoff = Backoff::new(seed);
    loop {
        // What has become too old to be told in the meantime goes now.
        let now = desk.now();
        let _ = desk.board.tick(now);
        let fault = match &mut peer {
            Peer::Ami(address, begin) => tcp::run(&mut desk, address, begin()).await,
            Peer::Esl(address, begin) => tcp::run(&mut desk, address, begin()).await,
            Peer::Ari(link) => link.run(&mut desk).await,
        };
        let lasted = desk.went_down(&fault);
        let wait = backoff.after(lasted);
        if matches!(fault, Fault::Stopped) || desk.meanwhile(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}
