//! `chaos`: a fault is made on purpose, as long as the client waits for it, and no longer than it asked for.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_drill::Fault;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::{Failure, Served, answer};

/// The longest drill.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// The name of the reader that takes none.
pub const DRILLED_READER: &str = "drill";
/// Events that wait for it.
const UNREAD: usize = 2;

/// What a client of a drill is told, a line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "drill", rename_all = "kebab-case")]
pub enum Drill {
    /// It has begun.
    Begun {
        /// What is broken now.
        fault: Fault,
    },
    /// It is over.
    Over {
        /// What was broken.
        fault: Fault,
    },
}

/// Makes a fault, and ends it when its time is up or the client hangs up.
pub(super) async fn drill(
    served: &Served,
    fault: Fault,
    length: Duration,
    client: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let refused = if length > LONGEST {
        Err(format!("a drill lasts {} s at most", LONGEST.as_secs()))
    } else {
        (served.may_drill)()
    };
    let begun = refused.and_then(|()| sidetone_drill::begin(fault).map_err(|error| error.to_string()));
    let under_way = match begun {
        Ok(under_way) => under_way,
        Err(error) => return answer(writer, &Failure { error }).await,
    };
    tracing::warn!(%fault, seconds = length.as_secs(), "a drill begins: {}", fault.what());
    let unread = (fault == Fault::Reader).then(|| served.bus.subscribe(DRILLED_READER, UNREAD, &[]));
    if fault == Fault::RelayPanics {
        served.signalling.core().anchor().media().panic();
    }
    let told = answer(writer, &Drill::Begun { fault }).await;
    if told.is_ok() {
        wait(Instant::now() + length, client).await;
    }
    drop((under_way, unread));
    tracing::warn!(%fault, "the drill is over");
    told?;
    answer(writer, &Drill::Over { fault }).await
}

/// Waits until then, or until the client has gone.
async fn wait(until: Instant, client: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            () = sleep_until(until) => return,
            read = client.read(&mut rest) => if !read.is_ok_and(|read| read > 0) {
                return;
            },
        }
    }
}
