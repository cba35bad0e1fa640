//! The Unix socket of the command line: one JSON object a line, both ways.
//!
//! A process that may open the socket may command Sidetone, so it is made with mode 0600 in a directory that its owner
//! controls; that file permission is the token.

mod chaos;
mod trace;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

pub use chaos::{DRILLED_READER, Drill};
use serde::{Deserialize, Serialize};
use sidetone_book::{CallView, Calls};
use sidetone_call::Side;
use sidetone_consent::{Source, State, Telling};
use sidetone_drill::Fault as Drilled;
use sidetone_events::{Bus, Kind, Subscription};
use sidetone_handover::{Inherited, doubled};
use sidetone_proxy::config::Fault;
use sidetone_proxy::signalling::Signalling;
use sidetone_watch::Alarm;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::snapshot::NOTHING_COUNTS;
use crate::{Snapshot, Stats};

/// The longest line taken from a client.
const LONGEST: u64 = 64 * 1024;
/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Steps of an upgrade that wait for their client.
const MOST_STEPS: usize = 16;

/// A client's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The calls that are up.
    Calls,
    /// One call, whole. `id` may be Sidetone's own or the SIP Call-ID.
    Call {
        /// The call's id.
        id: String,
    },
    /// Events as they happen, a line each, until the client hangs up or closes its own half.
    Tail {
        /// Only events of this call, given by either id, until it ends.
        call: Option<String>,
    },
    /// The signalling of one call that is up, or of the next ones, with the events in between, a line each, until the
    /// calls are over or the client hangs up. Redacted.
    Trace {
        /// The call, by either id.
        call: Option<String>,
        /// The next calls to begin, this many.
        next: Option<usize>,
    },
    /// Counters.
    Stats,
    /// The process's health.
    Health,
    /// Take no new calls, or take them again.
    Drain {
        /// Take new calls again.
        #[serde(default)]
        cancel: bool,
    },
    /// Read the configuration again, as SIGHUP does.
    Reload,
    /// Hand all calls over to another process, started from a program, and end. What happens is told a line each, the
    /// result last; a client that hangs up before the calls are handed over calls it off.
    Upgrade {
        /// The program.
        program: PathBuf,
        /// How many seconds to wait for a moment in which every call can be carried on.
        patience: u64,
    },
    /// Break a part on purpose, for a drill: until the time is up, or the client hangs up. Refused outside of
    /// `chaos.windows`.
    Chaos {
        /// What to break.
        fault: Drilled,
        /// For how many seconds.
        seconds: u64,
    },
    /// Take a statement about a call.
    Tell {
        /// The call, by either id.
        id: String,
        /// consent, analysis, queue, agent, team, call-type, tier, language, party or customer.
        name: String,
        /// The statement's value.
        value: String,
    },
    /// Play an announcement into a call.
    Announce {
        /// The call, by either id.
        id: String,
        /// The announcement's name.
        name: String,
        /// The language; by default the configured one.
        language: Option<String>,
        /// The parties that hear it.
        #[serde(default)]
        to: Toward,
    },
}

/// The parties that hear an announcement of the operator's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Toward {
    /// The customer.
    #[default]
    Customer,
    /// The agent.
    Agent,
    /// Both.
    Both,
}

impl Toward {
    /// The sides that hear it.
    #[must_use]
    pub fn sides(self) -> Vec<Side> {
        match self {
            Self::Customer => vec![Side::Trunk],
            Self::Agent => vec![Side::Pbx],
            Self::Both => vec![Side::Trunk, Side::Pbx],
        }
    }
}

/// The process's health: an answer at all shows that it is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always true.
    pub alive: bool,
    /// Why no new calls should be sent here, if so.
    pub unready: Option<String>,
}

/// The request has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Always true.
    pub done: bool,
}

/// The statement about a call has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Always true.
    pub done: bool,
    /// The resulting consent state of the call, which need not have changed.
    pub consent: State,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The problem and the remedy.
    pub error: String,
}

/// The state of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DrainState {
    /// Whether new calls are refused.
    pub draining: bool,
    /// Calls that are up.
    pub calls: usize,
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Tables that have changed and take effect only after a restart.
    pub needs_restart: Vec<&'static str>,
    /// Faults of the configuration that do not keep it from running.
    pub warnings: Vec<String>,
}

/// Why the configuration was not taken: all of its faults, in words for the operator. The old configuration stays in
/// force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct NotReloaded(pub Vec<String>);

impl NotReloaded {
    /// The thread that read it panicked.
    #[must_use]
    pub fn broke_down() -> Self {
        Self(vec!["reading it broke down; please report this".to_owned()])
    }
}

/// A wish for an upgrade.
#[derive(Debug)]
pub struct Upgrade {
    /// The program that is to take over.
    pub program: PathBuf,
    /// How long to wait for a moment in which every call can be carried on.
    pub patience: Duration,
    /// Takes what happens, for the client. It is closed once that has gone, or has read all.
    pub steps: Sender<Step>,
    /// While it is held there is no other upgrade.
    pub only: OwnedSemaphorePermit,
}

/// A step of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// What is done now.
    Now {
        /// In words.
        now: String,
    },
    /// The other process is up.
    Over(Upgraded),
    /// Nothing was handed over.
    Failed(Failure),
}

/// The result of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgraded {
    /// The version that runs now.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Calls that it carries on.
    pub calls: u64,
    /// Calls that could not be carried on, and were ended.
    pub ended: usize,
    /// Milliseconds from the last packet that the old process read to the moment when the new one was up.
    pub gap_ms: u64,
}

/// Reads the configuration again. It loads models and announcements, so it is called on a thread that may block.
pub type Reload = Arc<dyn Fn() -> Result<Reloaded, NotReloaded> + Send + Sync>;

/// The sources of the control socket's answers.
pub struct Served {
    /// The call book, for requests about one call.
    pub calls: Arc<Calls>,
    /// The calls that are up.
    pub list: Snapshot<Vec<CallView>>,
    /// Counters.
    pub stats: Snapshot<Stats>,
    /// The bus that events are followed on.
    pub bus: Bus,
    /// The signalling, for drain and trace.
    pub signalling: Arc<Signalling>,
    /// Reads the configuration again.
    pub reload: Reload,
    /// Takes wishes for an upgrade, one at a time.
    pub upgrades: Sender<Upgrade>,
    /// Has one permit.
    pub upgrading: Arc<Semaphore>,
    /// Whether a drill may be held now; if not, why.
    pub may_drill: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Served {
    fn tail(&self) -> Subscription {
        self.bus.subscribe("tail", 4_096, &[])
    }

    fn drain(&self, draining: bool) -> DrainState {
        DrainState { draining, calls: self.signalling.drain(draining) }
    }

    async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let reload = Arc::clone(&self.reload);
        // SIP shares the async thread.
        let done = tokio::task::spawn_blocking(move || reload()).await;
        done.unwrap_or_else(|_| Err(NotReloaded::broke_down()))
    }
}

/// The socket; its file is removed when this is dropped, unless another process has it then.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
    socket: OwnedFd,
    accepting: AbortHandle,
    handed_over: AtomicBool,
}

impl ControlSocket {
    /// The socket, to be handed over.
    ///
    /// # Errors
    /// When the process may open no more.
    pub fn doubled(&self) -> io::Result<OwnedFd> {
        doubled(&self.socket)
    }

    /// Takes no more connections: who comes from here on waits for another process.
    pub fn halt(&self) {
        self.accepting.abort();
        self.handed_over.store(true, Relaxed);
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if !self.handed_over.load(Relaxed) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds the socket, or takes it from the process before, and starts serving.
///
/// # Errors
/// When the path can't be bound, something other than a socket stands there, or another Sidetone serves it.
pub async fn start(
    path: &Path,
    inherited: &Inherited,
    served: Served,
    alarm: &Alarm,
) -> Result<ControlSocket, Fault> {
    let cant = |error| {
        let problem = format!(
            "{} can't be made: {error}; name a place that Sidetone's user may write to",
            path.display()
        );
        Fault::fatal("control.socket", problem)
    };
    let listener = match inherited.local(path) {
        Some(listener) => UnixListener::from_std(listener),
        None if UnixStream::connect(path).await.is_ok() => {
            let problem =
                format!("{}: another Sidetone serves it; stop that one or name another path", path.display());
            return Err(Fault::fatal("control.socket", problem));
        }
        None => bind(path),
    };
    let listener = listener.map_err(cant)?;
    let socket = doubled(&listener).map_err(cant)?;
    let (alarm, served) = (alarm.clone(), Arc::new(served));
    let accepting = alarm.clone().watch("the control socket", async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let served = Arc::clone(&served);
                    alarm.watch("a control connection", async move {
                        // A client that hangs up early deserves no log line.
                        let _ = serve(stream, served).await;
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(ControlSocket { path: path.to_owned(), socket, accepting, handed_over: AtomicBool::new(false) })
}

/// Binds the path, replacing a socket that no process serves any more.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            let remedy = "something else than a socket stands there; move it away or name another path";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, remedy));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        // For this user alone: where others may make files, they must not change this folder's content.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // No client can connect before `listen`, so the umask never decides on access.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(64)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

async fn serve(stream: UnixStream, served: Arc<Served>) -> io::Result<()> {
    // Long: one arm for each request.
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            let error =
                format!("the request could not be read: {error}; are client and server of one version?");
            return answer(&mut writer, &Failure { error }).await;
        }
    };
    match request {
        Request::Calls => match served.list.fresh().await {
            Some(calls) => answer(&mut writer, &*calls).await,
            None => answer(&mut writer, &Failure { error: NOTHING_COUNTS.to_owned() }).await,
        },
        Request::Call { id } => match served.calls.find(&id) {
            Ok(call) => answer(&mut writer, &call).await,
            Err(error) => answer(&mut writer, &Failure { error: error.to_string() }).await,
        },
        Request::Stats => match served.stats.fresh().await {
            Some(stats) => answer(&mut writer, &*stats).await,
            None => answer(&mut writer, &Failure { error: NOTHING_COUNTS.to_owned() }).await,
        },
        Request::Health => {
            let unready = match served.stats.fresh().await {
                Some(stats) => stats.unready().map(|why| why.to_string()),
                None => Some(NOTHING_COUNTS.to_owned()),
            };
            answer(&mut writer, &Health { alive: true, unready }).await
        }
        Request::Drain { cancel } => answer(&mut writer, &served.drain(!cancel)).await,
        Request::Reload => match served.reload().await {
            Ok(reloaded) => answer(&mut writer, &reloaded).await,
            Err(error) => {
                let error =
                    format!("the old configuration stays in force, since the new one can't be run: {error}");
                answer(&mut writer, &Failure { error }).await
            }
        },
        Request::Upgrade { program, patience } => {
            let (steps, mut told) = tokio::sync::mpsc::channel(MOST_STEPS);
            let only = Arc::clone(&served.upgrading).try_acquire_owned().ok();
            let patience = Duration::from_secs(patience);
            let wish = only.map(|only| Upgrade { program, patience, steps, only });
            if wish.is_none_or(|wish| served.upgrades.try_send(wish).is_err()) {
                let error = "it is ending, or in the midst of another upgrade: try again when that is over";
                return answer(&mut writer, &Failure { error: error.to_owned() }).await;
            }
            let mut rest = [0; 64];
            loop {
                tokio::select! {
                    step = told.recv() => match step {
                        Some(step) => {
                            answer(&mut writer, &step).await?;
                            if !matches!(step, Step::Now { .. }) {
                                return Ok(());
                            }
                        }
                        None => return Ok(()),
                    },
                    read = reader.read(&mut rest) => if read? == 0 {
                        return Ok(());
                    },
                }
            }
        }
        Request::Chaos { fault, seconds } => {
            let length = Duration::from_secs(seconds);
            chaos::drill(&served, fault, length, &mut reader, &mut writer).await
        }
        Request::Tell { id, name, value } => match Telling::parse(&name, &value) {
            Ok(telling) => match served.calls.told(&id, &telling, Source::Cli) {
                Ok(consent) => answer(&mut writer, &Told { done: true, consent }).await,
                Err(error) => answer(&mut writer, &Failure { error: error.to_string() }).await,
            },
            Err(unknown) => answer(&mut writer, &Failure { error: unknown.to_string() }).await,
        },
        Request::Announce { id, name, language, to } => {
            match served.calls.play(&id, &name, language.as_deref(), to.sides()) {
                Ok(()) => answer(&mut writer, &Done { done: true }).await,
                Err(error) => answer(&mut writer, &Failure { error: error.to_string() }).await,
            }
        }
        Request::Trace { call, next } => match (call, next.unwrap_or(1)) {
            (None, next) if next == 0 || next > trace::MOST_CALLS => {
                let error = format!("from 1 to {} calls can be traced at once", trace::MOST_CALLS);
                answer(&mut writer, &Failure { error }).await
            }
            (call, next) => trace::trace(&served, call.as_deref(), next, &mut reader, &mut writer).await,
        },
        Request::Tail { call: None } => tail(served.tail(), None, &mut reader, &mut writer).await,
        Request::Tail { call: Some(id) } => {
            // Subscribed before the look-up, so that an end in between is not missed.
            let events = served.tail();
            match served.calls.find(&id) {
                // Events carry the Call-ID masked if it holds a number; Sidetone's own id names the call anyhow.
                Ok(call) => tail(events, Some(&call.id), &mut reader, &mut writer).await,
                Err(error) => answer(&mut writer, &Failure { error: error.to_string() }).await,
            }
        }
    }
}

/// Writes events until the client has gone, or the one call that it asked for.
async fn tail(
    mut events: Subscription,
    call: Option<&str>,
    client: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut rest = [0; 64];
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            // No further request follows on this connection: input means the end, or is ignored.
            read = client.read(&mut rest) => match read? {
                0 => return Ok(()),
                _ => continue,
            },
        };
        let Some(event) = event else { return Ok(()) };
        if call.is_some_and(|id| event.event.call.id.to_string() != id) {
            continue;
        }
        writer.write_all(event.json().as_bytes()).await?;
        writer.write_all(b"\n").await?;
        if call.is_some() && event.event.kind() == Kind::CallEnded {
            return Ok(());
        }
    }
}

async fn answer(writer: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sidetone_call::Cause;
    use sidetone_events::{
        Bus, CallEnded, CallId, CallRef, CallStarted, Direction, Narrator, NumberHasher, Parties, Timestamp,
    };
    use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "precious").unwrap();
        let error = bind(&path).unwrap_err().to_string();
        assert!(error.contains("move it away"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_link_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("link.sock");
        std::os::unix::fs::symlink("/nonexistent", &path).unwrap();
        bind(&path).unwrap_err();
        assert!(std::fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_by_one_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/control.sock");
        drop(bind(&path).unwrap());
        let _listener = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).await.unwrap();
    }

    async fn tail_of(stream: UnixStream, events: Subscription) -> io::Result<()> {
        let (mut reader, mut writer): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
        tail(events, None, &mut reader, &mut writer).await
    }

    #[tokio::test]
    async fn a_tail_client_that_hangs_up_frees_its_subscription_without_an_event() {
        let bus = Bus::new();
        let (client, server) = UnixStream::pair().unwrap();
        let task = tokio::spawn(tail_of(server, bus.subscribe("tail", 16, &[])));
        assert_eq!(bus.counts().len(), 1);
        drop(client);
        task.await.unwrap().unwrap();
        assert!(bus.counts().is_empty());
    }

    fn narrator(number: u128) -> Narrator {
        let began = Timestamp::from_unix_millis(1_000);
        let hasher = NumberHasher::with_random_salt().unwrap();
        let parties = Parties { caller: "4420", callee: "4930" };
        let id = CallId::new(began, number);
        Narrator::new(CallRef::new(&hasher, id, "x@y", "carrier", Direction::Inbound, parties), began)
    }

    #[tokio::test]
    async fn a_tail_of_one_call_ends_with_it() {
        let bus = Bus::new();
        let (client, server) = UnixStream::pair().unwrap();
        let (mut wanted, mut other) = (narrator(1), narrator(2));
        let id = wanted.call().id.to_string();
        let events = bus.subscribe("tail", 16, &[]);
        let ended =
            CallEnded { cause: Cause::Hangup, by: None, sip_status: None, summary: None, media: None };
        bus.publish(wanted.tell(Duration::ZERO, CallStarted { analysed: false, signalling: None }));
        bus.publish(other.tell(Duration::ZERO, ended.clone()));
        bus.publish(wanted.tell(Duration::ZERO, ended));
        let (mut reader, mut writer) = server.into_split();
        tail(events, Some(&id), &mut reader, &mut writer).await.unwrap();
        assert!(bus.counts().is_empty());
        drop((reader, writer));
        let mut lines = BufReader::new(client).lines();
        let (mut ids, mut count) = (BTreeSet::new(), 0);
        while let Some(line) = lines.next_line().await.unwrap() {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            ids.insert(event["call"]["id"].as_str().unwrap().to_owned());
            count += 1;
        }
        assert_eq!((ids, count), (BTreeSet::from([id]), 2));
    }
}
