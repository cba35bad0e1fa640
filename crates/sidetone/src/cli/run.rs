//! `sidetone run`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::log_writer::LogWriter;
use crate::server::{self, HandedOver, Prepared, ReadAgain, Reread, Server, StartError};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sidetone_handover::{Inherited, Predecessor, go_back};
use sidetone_serve::control::NotReloaded;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{Registry, layer::SubscriberExt, util::SubscriberInitExt};

use crate::cli::output::{ConfigFile, Output};
use crate::config::{self, Log, LogFormat, Problem};

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    file: ConfigFile,
    /// Take over from the process that has started this one, and is behind the standard input.
    #[arg(long, hide = true)]
    take_over: bool,
}

impl Run {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let file = std::path::absolute(&self.file.config).unwrap_or(self.file.config);
        let before = self.take_over.then(Predecessor::behind_stdin).transpose();
        let before = before.context("nobody is there to take over from: `sidetone upgrade` starts this")?;
        let (prepared, problems) = match &before {
            Some(_) => server::prepare_to_take_over(&file),
            None => server::prepare(&file),
        };
        // What would be tolerated at a start is no reason to replace a process that works.
        let prepared = prepared.filter(|_| before.is_none() || problems.iter().all(|problem| !problem.fatal));
        let Some(prepared) = prepared else {
            if let Some(before) = &before {
                let fatal = problems.iter().filter(|problem| problem.fatal).map(ToString::to_string);
                before.unfit(&fatal.collect::<Vec<_>>().join("; "));
            }
            for problem in &problems {
                if output.json {
                    eprintln!("{}", serde_json::to_string(problem)?);
                } else {
                    eprintln!("{problem}");
                }
            }
            bail!("{} can't be run; mend it, and try it with `sidetone check`", file.display());
        };
        let log = &prepared.config().log;
        let format = if output.json { LogFormat::Json } else { log.format };
        let (filter, last_words) = log_to_stderr(&Log { format, ..log.clone() })?;
        tell(&problems);
        let reload = {
            let file = file.clone();
            Box::new(move || reread(&file, &filter))
        };
        raise_descriptor_limit(prepared.config().limits.calls, prepared.config().http.connections.most());
        let inherited = match &before {
            Some(before) => server::take_over(before, &prepared).context("not taking over")?,
            None => Inherited::default(),
        };
        let arguments = arguments(&file, output);
        match runtime()?.block_on(serve(&file, prepared, reload, inherited, before, &arguments))? {
            Ending::Over => Ok(ExitCode::SUCCESS),
            Ending::GoBack(sockets) => {
                tracing::warn!("beginning anew");
                drop(last_words);
                Err(go_back(&arguments, &sockets))
                    .context("this process could not begin anew, and its calls are lost")
            }
        }
    }
}

/// What a process is told that takes over from this one.
fn arguments(file: &Path, output: Output) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["run", "--take-over", "--config"].map(OsString::from).into();
    arguments.push(file.into());
    arguments.extend(output.json.then(|| OsString::from("--json")));
    arguments
}

/// How a run ends.
enum Ending {
    Over,
    /// This process has let go of its calls, and nobody has them: it has to begin anew, with these sockets.
    GoBack(Vec<OwnedFd>),
}

/// Prepares the configuration as for a start. The log level changes only once all of it is in force.
fn reread(file: &Path, filter: &Handle<EnvFilter, Registry>) -> Result<Reread, NotReloaded> {
    let (prepared, problems) = server::prepare_again(file);
    let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let Some(prepared) = prepared else { return Err(NotReloaded(said)) };
    tell(&problems);
    let config = prepared.into_config();
    let level = config::log_filter(&config.log.level)
        .map_err(|error| NotReloaded(vec![format!("log.level {error}")]))?;
    let filter = filter.clone();
    let taken = Box::new(move || drop(filter.reload(level)));
    Ok(Reread { config, warnings: said, taken })
}

/// Logs the faults of a configuration that runs nevertheless.
fn tell(problems: &[Problem]) {
    for problem in problems {
        if problem.fatal { tracing::error!("{problem}") } else { tracing::warn!("{problem}") }
    }
}

/// Raises the descriptor limit as far as the system allows: a call needs four sockets, a common default is 1024 in all.
fn raise_descriptor_limit(calls: usize, connections: usize) {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    let wanted = (calls as u64).saturating_mul(4).saturating_add(750 + connections as u64);
    if hard < wanted {
        tracing::warn!(
            limit = hard,
            "limits.calls = {calls} and http.connections = {connections} need about {wanted} file descriptors: raise LimitNOFILE in the systemd unit, or lower them"
        );
    }
}

/// The runtime for everything that is not media or listening: two threads are plenty.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("tokio")
        .enable_all()
        .build()
        .context("the runtime can't be started")
}

async fn serve(
    file: &Path,
    prepared: Prepared,
    reload: ReadAgain,
    inherited: Inherited,
    before: Option<Predecessor>,
    arguments: &[OsString],
) -> anyhow::Result<Ending> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let listen: Vec<String> = prepared.config().sip.listen.iter().map(ToString::to_string).collect();
    let server = match Server::launch(prepared, reload, inherited).await {
        Ok(server) => server,
        Err(StartError::Config(faults)) => {
            let problems: Vec<String> = config::place(file, faults).iter().map(ToString::to_string).collect();
            bail!("{}", problems.join("\n"));
        }
        Err(error) => return Err(error.into()),
    };
    let http = server.http().map(|addr| addr.to_string());
    tracing::info!(listen = listen.join(" "), http, version = env!("CARGO_PKG_VERSION"), "sidetone is ready");
    if let Some(before) = before {
        before.up(server.calls() as u64);
    }
    loop {
        tokio::select! {
            wish = server.upgrade_wanted() => {
                let calls_off = AtomicBool::new(false);
                let mut handing_over = pin!(server.hand_over(wish, arguments.to_vec(), &calls_off));
                let handed_over = loop {
                    tokio::select! {
                        handed_over = &mut handing_over => break handed_over,
                        _ = terminate.recv() => calls_off.store(true, Relaxed),
                        _ = interrupt.recv() => calls_off.store(true, Relaxed),
                    }
                };
                match (handed_over, calls_off.load(Relaxed)) {
                    (HandedOver::No, false) => {}
                    (HandedOver::No, true) => break,
                    (HandedOver::Yes(pid), ends) => {
                        if let Some(pid) = i32::try_from(pid).ok().filter(|_| ends) {
                            // It came too late for this process, and is for the one that has the calls.
                            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
                        }
                        return Ok(Ending::Over);
                    }
                    (HandedOver::GoBack(sockets), _) => return Ok(Ending::GoBack(sockets)),
                }
            }
            _ = hang_up.recv() => {
                // The outcome is logged; a running process does not end because of an unreadable file.
                let _ = server.reload().await;
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            part = server.broken() => bail!("{part} has broken down; ending, so that whoever watches over this process starts it again"),
        }
    }
    tracing::info!("ending: no new calls are taken; a second signal ends at once");
    let left = tokio::select! {
        left = server.drain() => left,
        _ = terminate.recv() => server.calls(),
        _ = interrupt.recv() => server.calls(),
    };
    if left > 0 {
        tracing::warn!(calls = left, "calls are still up; their media ends now");
    }
    server.shutdown().await;
    tracing::info!("ended");
    Ok(Ending::Over)
}

/// How long an ending process waits for its last log lines to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Flushes the log before the process ends, however it ends.
struct LastWords(LogWriter);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.flush_within(LAST_LINES);
    }
}

/// Starts logging; the handle changes the level later.
fn log_to_stderr(log: &Log) -> anyhow::Result<(Handle<EnvFilter, Registry>, LastWords)> {
    let filter = config::log_filter(&log.level).map_err(|problem| anyhow!("log.level {problem}"))?;
    let (filter, handle) = tracing_subscriber::reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let writer = LogWriter::start(std::io::stderr()).context("no thread can be had to write the log")?;
    let last_words = LastWords(writer.clone());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => registry.with(layer.with_target(false)).try_init()?,
        LogFormat::Json => registry.with(layer.json()).try_init()?,
    }
    Ok((handle, last_words))
}
