//! The Unix socket that the command line talks to: a JSON object a line, both ways.
//!
//! Whoever may open the socket may command Sidetone, so it is made with mode 0600 in a directory that its owner
//! controls; that file permission is the token.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sidetone_events::CallRef;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::server::Shared;

/// The longest line taken from a client.
const LONGEST: u64 = 64 * 1024;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The calls that are up.
    Calls,
    /// One call, whole. `id` may be Sidetone's own or the SIP Call-ID.
    Call {
        /// Which one.
        id: String,
    },
    /// Events as they happen, a line each, until the client hangs up.
    Tail {
        /// Of one call only.
        call: Option<String>,
    },
    /// Counters.
    Stats,
    /// Take no new calls, or take them again.
    Drain {
        /// Take them again.
        #[serde(default)]
        cancel: bool,
    },
    /// Read the configuration again, as SIGHUP does.
    Reload,
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong and what to do.
    pub error: String,
}

/// The socket; its file goes when this does.
#[derive(Debug)]
pub struct ControlSocket {
    path: PathBuf,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds the socket and starts serving.
///
/// # Errors
/// When the path can't be bound, or another Sidetone serves it.
pub(crate) async fn start(path: &Path, shared: Arc<Shared>) -> io::Result<ControlSocket> {
    let explain = |error: io::Error| {
        io::Error::new(error.kind(), format!("control.socket {} can't be made: {error}", path.display()))
    };
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another Sidetone serves {}; stop it or set control.socket", path.display()),
        ));
    }
    let _ = std::fs::remove_file(path);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(explain)?;
    }
    let listener = UnixListener::bind(path).map_err(explain)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(explain)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        // A client that hangs up early is no event worth a line.
                        let _ = serve(stream, shared).await;
                    });
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    });
    Ok(ControlSocket { path: path.to_owned() })
}

async fn serve(stream: UnixStream, shared: Arc<Shared>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            return answer(
                &mut writer,
                &Failure { error: format!("the request could not be read: {error}") },
            )
            .await;
        }
    };
    match request {
        Request::Calls => answer(&mut writer, &shared.calls().list()).await,
        Request::Call { id } => match shared.calls().find(&id) {
            Some(call) => answer(&mut writer, &call).await,
            None => {
                let error = format!("no call {id} is up; `sidetone calls` lists those that are");
                answer(&mut writer, &Failure { error }).await
            }
        },
        Request::Stats => answer(&mut writer, &shared.stats()).await,
        Request::Drain { cancel } => answer(&mut writer, &shared.drain(!cancel)).await,
        Request::Reload => match shared.reload() {
            Ok(reloaded) => answer(&mut writer, &reloaded).await,
            Err(error) => answer(&mut writer, &Failure { error }).await,
        },
        Request::Tail { call } => {
            let mut events = shared.tail();
            while let Some(event) = events.recv().await {
                if call.as_deref().is_none_or(|id| is_about(&event.event.call, id)) {
                    writer.write_all(event.json.as_bytes()).await?;
                    writer.write_all(b"\n").await?;
                }
            }
            Ok(())
        }
    }
}

fn is_about(call: &CallRef, id: &str) -> bool {
    call.sip_call_id.as_str() == id || call.id.to_string() == id
}

async fn answer(writer: &mut (impl AsyncWriteExt + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
