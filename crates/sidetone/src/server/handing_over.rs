//! An upgrade: another process takes the sockets and the calls over, and this one ends. See `sidetone_handover`.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sidetone_call::Cause;
use sidetone_handover::{Inherited, Predecessor, Program, Successor, Trouble, tell_service_manager};
use sidetone_journal::{FORMAT, Journal};
use sidetone_serve::control::{Failure, Step, Upgrade, Upgraded};
use sidetone_serve::http::PageServer;
use sidetone_spool::Spool;
use tokio::time::{sleep, timeout};

use super::in_force::lock;
use super::{LAST_BYES, Prepared, Server, carrying_on};
use crate::rehearsal;

/// How often it is looked whether the moment has come.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// How long what relay threads have told may wait for the call book.
const TOLD_WITHIN: Duration = Duration::from_millis(300);
/// How long those who listen may take to tell what they have inferred. Calls have sound meanwhile; without an answer
/// what they told last counts.
const INFERRED_WITHIN: Duration = Duration::from_millis(500);
/// How long the journal may take to have all that waits for it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
/// How long receipts, spool and store may take to let their files go. Calls have no sound meanwhile.
const FILES_WITHIN: Duration = Duration::from_secs(3);
/// How long a client may take to read the last step.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// What becomes of this process.
#[derive(Debug)]
pub(crate) enum HandedOver {
    /// It goes on as it was.
    No,
    /// That process has the calls: this one has nothing left to do.
    Yes(u32),
    /// It has let go, and the other one is not up: it has to begin anew, with these sockets.
    GoBack(Vec<OwnedFd>),
}

/// Waits for the process before to let go, if this one is fit to take over from it.
///
/// # Errors
/// Why it does not.
pub(crate) fn take_over(before: &Predecessor, prepared: &Prepared) -> Result<Inherited, Trouble> {
    if !before.has_let_go() {
        if let Some(why) = try_out(prepared) {
            before.unfit(&why);
            return Err(Trouble::Strange);
        }
        let journal = prepared.config.journal.as_ref().map(|journal| journal.path.as_path());
        before.prepared(env!("CARGO_PKG_VERSION"), FORMAT, journal.unwrap_or(Path::new("")))?;
    }
    before.take_over()
}

/// Tries out what calls will need; says what does not work.
fn try_out(prepared: &Prepared) -> Option<String> {
    let model = prepared.model.as_ref()?;
    let told = rehearsal::estimates(model);
    (told == 0).then(|| "its model hears nothing in a recorded call".to_owned())
}

impl Server {
    /// Waits until somebody wants an upgrade.
    pub(crate) async fn upgrade_wanted(&self) -> Upgrade {
        match self.upgrades.lock().await.recv().await {
            Some(wish) => wish,
            // Nobody can ask any more.
            None => std::future::pending().await,
        }
    }

    /// Hands all calls over to a program that is told these arguments.
    /// Raising `calls_off` ends it as long as nothing has been let go of.
    pub(crate) async fn hand_over(
        &self,
        wish: Upgrade,
        arguments: Vec<OsString>,
        calls_off: &AtomicBool,
    ) -> HandedOver {
        let steps = wish.steps.clone();
        let failed = |error: String| {
            tracing::error!(%error, "no upgrade");
            let _ = steps.try_send(Step::Failed(Failure { error }));
        };
        let outcome = match self.try_to_hand_over(wish, arguments, calls_off).await {
            Ok(handed_over) => handed_over,
            Err(NotHandedOver { why, sockets: None }) => {
                failed(format!("{why}; this process goes on as it was"));
                HandedOver::No
            }
            Err(NotHandedOver { why, sockets: Some(sockets) }) => {
                failed(format!("{why}; this process begins anew, to carry its calls on"));
                HandedOver::GoBack(sockets)
            }
        };
        if !matches!(outcome, HandedOver::No) {
            let _ = timeout(READ_WITHIN, steps.closed()).await;
        }
        outcome
    }

    async fn try_to_hand_over(
        &self,
        wish: Upgrade,
        arguments: Vec<OsString>,
        calls_off: &AtomicBool,
    ) -> Result<HandedOver, NotHandedOver> {
        let journal = self.journal.as_deref().ok_or_else(|| {
            NotHandedOver::yet("calls live on by the call journal, and none is kept: name a file in journal.path, and restart when few calls are up")
        })?;
        if std::process::id() == 1 {
            // With the first process of a container ends the container.
            return Err(NotHandedOver::yet(
                "this is the first process of a container, with which that would end: start another container in its place, on the same journal",
            ));
        }
        if std::env::var_os("NOTIFY_SOCKET").is_none() && std::env::var_os("INVOCATION_ID").is_some() {
            return Err(NotHandedOver::yet(
                "systemd would take the end of this process for the end of the service: set NotifyAccess=main in its unit, and restart it once",
            ));
        }
        if let Some(fault) = sidetone_drill::under_way() {
            return Err(NotHandedOver::yet(format!(
                "a drill is under way ({fault}): try again when it is over"
            )));
        }
        if self.signalling.core().draining() {
            return Err(NotHandedOver::yet(
                "no new calls are taken, and the other process would take them: `sidetone drain --cancel` first",
            ));
        }
        let reloader = Arc::clone(&self.reloader);
        let fit = tokio::task::spawn_blocking(move || reloader.is_fit_to_go_back_to()).await;
        fit.map_err(NotHandedOver::yet)?.map_err(NotHandedOver::yet)?;
        let tell = |now: String| {
            tracing::info!("upgrade: {now}");
            let _ = wish.steps.try_send(Step::Now { now });
        };
        tell(format!("{} prepares to take over", wish.program.display()));
        let program = Program { path: wish.program.clone(), arguments };
        let path = journal.path().to_owned();
        let prepared = tokio::task::spawn_blocking(move || Successor::prepare(&program, FORMAT, &path)).await;
        let mut successor = prepared.map_err(NotHandedOver::yet)?.map_err(NotHandedOver::yet)?;
        let version = successor.version().to_owned();
        tell(format!(
            "version {version} is ready to take over; waiting for a moment in which every call can be carried on"
        ));
        let deadline = Instant::now() + wish.patience;
        // Whatever can fail comes first: after it there is no way back but to begin anew.
        let mut sockets = self.sockets().map_err(NotHandedOver::yet)?;
        let mut ended = 0;
        let since = loop {
            ended += self.wait_for_quiet(&wish, deadline, &mut successor, calls_off).await?;
            self.write_down_what_is_inferred().await;
            if !can_be_written(journal).await {
                return Err(NotHandedOver::yet(
                    "calls can't be written down just now, and would be lost: look after the disk of journal.path",
                ));
            }
            let since = Instant::now();
            // Looked at once more under the core's lock: a call may have begun meanwhile, unless none is taken any
            // more.
            if self.signalling.halt_if(|core| core.draining() || core.is_quiet()) {
                break since;
            }
        };
        let up = self.signalling.core().calls_up();
        sockets.extend(self.let_go(journal).await);
        let given = tokio::task::spawn_blocking(move || {
            let calls = successor.take_over(&sockets);
            (calls, successor, sockets)
        });
        let (calls, successor, sockets) = match given.await {
            Ok((Ok(calls), successor, sockets)) => (calls, successor, sockets),
            Ok((Err(why), _, sockets)) => {
                let why = format!("version {version} did not get up: {why}");
                return Err(NotHandedOver { why, sockets: Some(sockets) });
            }
            Err(error) => return Err(NotHandedOver { why: error.to_string(), sockets: Some(Vec::new()) }),
        };
        drop(sockets);
        // None is expected; but if so, it is to be said.
        let ended = ended + up.saturating_sub(usize::try_from(calls).unwrap_or(usize::MAX));
        let gap_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let pid = successor.pid();
        if let Err(error) = tell_service_manager(pid) {
            tracing::warn!(%error, pid, "the service manager could not be told which process it now watches over");
        }
        tracing::info!(version, pid, calls, ended, gap_ms, "another process has taken over");
        let over = Upgraded { version, pid, calls, ended, gap_ms };
        let _ = wish.steps.try_send(Step::Over(over));
        drop(wish);
        self.deliver_the_rest().await;
        Ok(HandedOver::Yes(pid))
    }

    /// Waits for a moment in which every call can be carried on. If none comes in time, those that can't be are ended
    /// as by an orderly end, and who waits for an answer to a re-INVITE gets a 503; says how many calls were ended.
    async fn wait_for_quiet(
        &self,
        wish: &Upgrade,
        deadline: Instant,
        successor: &mut Successor,
        calls_off: &AtomicBool,
    ) -> Result<usize, NotHandedOver> {
        loop {
            let core = self.signalling.core();
            let (not_kept, quiet) = (core.not_kept(), core.is_quiet());
            drop(core);
            if wish.steps.is_closed() || calls_off.load(Relaxed) {
                return Err(NotHandedOver::yet("called off"));
            }
            if successor.has_ended() {
                return Err(NotHandedOver::yet("the new program has ended while it waited"));
            }
            if quiet && !self.calls.anybody_is_told() {
                return Ok(0);
            }
            if Instant::now() >= deadline {
                if quiet {
                    // An announcement is cut off, as by any other end of the process.
                    return Ok(0);
                }
                self.signalling.drain(true);
                let ended = not_kept.len();
                self.signalling.with(|core, now| {
                    for key in not_kept {
                        core.hang_up(now, key, Cause::Terminated);
                    }
                    core.proxy().abandon(now);
                });
                self.settle_ended().await;
                return Ok(ended);
            }
            sleep(LOOKS_EVERY).await;
        }
    }

    /// Waits until the parties of calls just ended have confirmed it, and each has its last event and its receipt.
    async fn settle_ended(&self) {
        let deadline = Instant::now() + LAST_BYES;
        while Instant::now() < deadline {
            let core = self.signalling.core();
            let open = core.unconfirmed() > 0 || self.calls.len() > core.calls_up();
            drop(core);
            if !open {
                return;
            }
            sleep(LOOKS_EVERY).await;
        }
    }

    /// All sockets but those of media, to be handed over.
    fn sockets(&self) -> std::io::Result<Vec<OwnedFd>> {
        let mut sockets = self.signalling.doubled()?;
        sockets.push(self.control.doubled()?);
        sockets.extend(self.http.as_ref().map(PageServer::doubled).transpose()?);
        Ok(sockets)
    }

    /// Signalling has halted: stops reading all else, writes down all calls as they are now, and lets go of all files.
    /// Gives the sockets of media, which stay open: what comes waits in them.
    async fn let_go(&self, journal: &Journal) -> Vec<OwnedFd> {
        self.control.halt();
        if let Some(pages) = &self.http {
            pages.halt();
        }
        let halted = self.signalling.core().anchor().media().halt();
        let waits = Instant::now();
        while self.notices.capacity() < self.notices.max_capacity() && waits.elapsed() < TOLD_WITHIN {
            sleep(Duration::from_millis(1)).await;
        }
        self.attending.abort();
        carrying_on::write_down(&halted.kept, &journal.pen());
        self.calls.let_go();

        let (calls, store) = (self.book(), lock(&self.store).take());
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(receipts) = calls.receipts() {
                receipts.close();
            }
            calls.spool().map(Spool::close);
            drop(store);
        });
        if timeout(FILES_WITHIN, closed).await.is_err() {
            tracing::error!("receipts, spool or store have not let their files go in time");
        }
        if !journal.close() {
            tracing::error!(
                "calls as they are at last could not be written down: they end with this process"
            );
        }
        halted.sockets
    }

    /// Has those who listen tell what they have inferred until now.
    async fn write_down_what_is_inferred(&self) {
        let before = self.calls.inferred_kept();
        let asked = self.calls.ask_what_is_inferred() as u64;
        let since = Instant::now();
        while self.calls.inferred_kept() < before + asked && since.elapsed() < INFERRED_WITHIN {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Whether what is written down gets to the disk.
async fn can_be_written(journal: &Journal) -> bool {
    let (before, since) = (journal.rounds(), Instant::now());
    while journal.rounds() < before + 2 {
        if since.elapsed() > WRITTEN_WITHIN {
            return false;
        }
        sleep(Duration::from_millis(1)).await;
    }
    true
}

/// Why no other process has the calls, and, if this one has let go of them, the sockets.
#[derive(Debug)]
struct NotHandedOver {
    why: String,
    sockets: Option<Vec<OwnedFd>>,
}

impl NotHandedOver {
    /// Nothing has been let go of yet.
    fn yet(why: impl std::fmt::Display) -> Self {
        Self { why: why.to_string(), sockets: None }
    }
}
