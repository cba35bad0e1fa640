//! All links of all PBXs.

use std::sync::Arc;
use std::time::Duration;

use sidetone_events::{Bus, Kind, Revealed, Subscription};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ami::AmiSession;
use crate::ari::AriLink;
use crate::board::{Board, Purpose};
use crate::config::{self, ConfigError, Links};
use crate::counts::{LinkCounts, LinkKind, Tally};
use crate::desk::Desk;
use crate::esl::EslSession;
use crate::link::{self, Peer};
use crate::sip::{self, Clerk, InDialog, InDialogCounts};
use crate::{Hear, Raw};

/// Most events that may wait at the bus for a link, which takes them in at once unless the machine is overloaded.
const QUEUE: usize = 4_096;

/// Links that can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An unusable configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// The running links, each a task of its own.
pub struct PbxLinks {
    tasks: JoinSet<()>,
    stop: watch::Sender<Option<Instant>>,
    links: Vec<Watched>,
}

struct Watched {
    pbx: String,
    kind: LinkKind,
    tally: Arc<Tally>,
    missed: Missed,
    /// Counts the traffic over SIP.
    by_sip: Option<Arc<dyn InDialog>>,
}

/// The bus counts these under the subscription's name.
#[derive(Debug)]
struct Missed {
    bus: Bus,
    name: String,
}

impl Missed {
    fn count(&self) -> u64 {
        let counts = self.bus.counts();
        counts.iter().filter(|it| it.name == self.name).map(|it| it.dropped).sum()
    }
}

impl std::fmt::Debug for PbxLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PbxLinks").field("links", &self.links.len()).finish_non_exhaustive()
    }
}

impl PbxLinks {
    /// Starts all links of `pbxs`, each given by its name and its links. Returns at once: an unreachable PBX is tried
    /// again for as long as it takes.
    ///
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When a configuration is unusable.
    #[allow(clippy::needless_pass_by_value)] // each link keeps a share of them
    pub fn start(
        pbxs: Vec<(String, Links)>,
        bus: &Bus,
        raw: Raw,
        hear: Hear,
        in_dialog: Arc<dyn InDialog>,
    ) -> Result<Self, StartError> {
        for (pbx, links) in &pbxs {
            links.validate(pbx)?;
        }
        let (stop, stopped) = watch::channel(None);
        let mut started = Self { tasks: JoinSet::new(), stop, links: Vec::new() };
        for (pbx, mut links) in pbxs {
            if let Some(sip) = links.sip.take() {
                started.add_sip(&pbx, &sip, bus, &raw, &in_dialog, stopped.clone());
            }
            for (kind, events, variables, messages, peer) in peers(&pbx, links)? {
                let tally = Arc::new(Tally::default());
                let purpose = Purpose { pbx: pbx.clone(), kind, events, variables, messages };
                let board = Board::new(purpose, Arc::clone(&raw), Arc::clone(&hear), Arc::clone(&tally));
                let name = format!("pbx {pbx} {kind}");
                let subscription: Subscription = bus.subscribe(&name, QUEUE, &[]);
                let desk = Desk::new(board, subscription, stopped.clone(), Arc::clone(&tally));
                let seed = getrandom::u64().map_err(StartError::Random)?;
                started.tasks.spawn(link::run(desk, peer, seed));
                let missed = Missed { bus: bus.clone(), name };
                started.links.push(Watched { pbx: pbx.clone(), kind, tally, missed, by_sip: None });
            }
        }
        Ok(started)
    }

    fn add_sip(
        &mut self,
        pbx: &str,
        sip: &config::Sip,
        bus: &Bus,
        raw: &Raw,
        in_dialog: &Arc<dyn InDialog>,
        stopped: watch::Receiver<Option<Instant>>,
    ) {
        let name = format!("pbx {pbx} {}", LinkKind::Sip);
        let subscription = bus.subscribe(&name, QUEUE, &[]);
        let clerk = Clerk::new(pbx, sip, Arc::clone(raw), Arc::clone(in_dialog));
        self.tasks.spawn(sip::run(clerk, subscription, stopped));
        let missed = Missed { bus: bus.clone(), name };
        self.links.push(Watched {
            pbx: pbx.to_owned(),
            kind: LinkKind::Sip,
            tally: Arc::default(),
            missed,
            by_sip: Some(Arc::clone(in_dialog)),
        });
    }

    /// Reads the secrets and certificates of one PBX's links, as [`Self::start`] does, without starting them.
    ///
    /// # Errors
    /// For each link the first value that is unusable or can't be obtained.
    #[must_use]
    pub fn examine(pbx: &str, links: &Links) -> Vec<ConfigError> {
        let Links { ami, ari, esl, sip } = links.clone();
        let none = Links::default;
        let each = [
            Links { ami, ..none() },
            Links { ari, ..none() },
            Links { esl, ..none() },
            Links { sip, ..none() },
        ];
        each.into_iter()
            .filter_map(|link| link.validate(pbx).and_then(|()| peers(pbx, link).map(drop)).err())
            .collect()
    }

    /// Counters by link.
    #[must_use]
    pub fn counts(&self) -> Vec<LinkCounts> {
        self.links.iter().map(Watched::counts).collect()
    }

    /// Sends what waits, for at most `patience`, and ends all links. Dropping them instead ends them at once.
    pub async fn shutdown(mut self, patience: Duration) {
        self.stop.send_replace(Some(Instant::now() + patience));
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // A moment more, for the protocols' logout.
        let _ = tokio::time::timeout(patience + Duration::from_millis(500), all).await;
    }
}

impl Watched {
    fn counts(&self) -> LinkCounts {
        let counts = self.tally.counts(&self.pbx, self.kind, self.missed.count());
        match &self.by_sip {
            None => counts,
            Some(by_sip) => {
                let InDialogCounts { sent, failed, dropped } = by_sip.counts(&self.pbx);
                LinkCounts { connected: true, sent, failed, dropped: counts.dropped + dropped, ..counts }
            }
        }
    }
}

type Configured = (LinkKind, Vec<Kind>, bool, Option<String>, Peer);

fn peers(pbx: &str, links: Links) -> Result<Vec<Configured>, ConfigError> {
    let wrong = |key, why: &dyn std::fmt::Display| {
        let (pbx, why) = (pbx.to_owned(), why.to_string());
        ConfigError { pbx, key, why }
    };
    let mut peers = Vec::new();
    if let Some(ami) = links.ami {
        let secret = config::secret(ami.secret.as_ref(), ami.secret_file.as_ref())
            .map_err(|why| wrong("ami.secret", &why))?;
        let begin = move || AmiSession::new(&ami.username, secret.clone());
        let messages = config::messages(ami.cues, &ami.cues_to);
        let peer = Peer::Ami(ami.address, Box::new(begin));
        peers.push((LinkKind::Ami, ami.events, ami.variables, messages, peer));
    }
    if let Some(ari) = links.ari {
        let (events, variables) = (ari.events.clone(), ari.variables);
        let link = AriLink::new(&ari).map_err(|error| wrong(error.key(), &error))?;
        peers.push((LinkKind::Ari, events, variables, None, Peer::Ari(Box::new(link))));
    }
    if let Some(esl) = links.esl {
        let password: Revealed = config::secret(esl.password.as_ref(), esl.password_file.as_ref())
            .map_err(|why| wrong("esl.password", &why))?;
        let begin = move || EslSession::new(esl.user.as_deref(), password.clone());
        let messages = config::messages(esl.cues, &esl.cues_to);
        let peer = Peer::Esl(esl.address, Box::new(begin));
        peers.push((LinkKind::Esl, esl.events, esl.variables, messages, peer));
    }
    Ok(peers)
}
