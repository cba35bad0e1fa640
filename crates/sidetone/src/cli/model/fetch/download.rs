//! A file from the network to the disk: HTTPS, resumed where it was broken off, bounded, verified.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::header::{CONTENT_RANGE, HeaderMap, LOCATION, RANGE, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use indicatif::ProgressBar;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use super::manifest::{MOST_BYTES, Remote};

const AGENT: &str = concat!("sidetone/", env!("CARGO_PKG_VERSION"));
/// Redirects that are followed: a hub sends on to its store, that to a mirror.
const REDIRECTS: usize = 5;
/// A connection that gives nothing for so long is given up,
const STALLED: Duration = Duration::from_secs(30);
/// and begun anew so often, where it was.
const TRIES: usize = 4;

/// Brings `file` to `folder` and gives its path. What an earlier try left there is gone on with.
///
/// # Errors
/// It can't be had, or isn't the file that it should be; then what came of it is removed.
pub(super) fn download(file: &Remote, folder: &Path, bar: &ProgressBar) -> anyhow::Result<PathBuf> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let path = folder.join(&file.name);
    let part = folder.join(format!("{}.part", file.name));
    let mut into = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&part)
        .with_context(|| format!("{} can't be written", part.display()))?;
    into.try_lock()
        .map_err(|_| anyhow!("{} is being fetched by another sidetone; wait for it", file.name))?;
    runtime.block_on(async {
        let client = client()?;
        let mut tries = 0;
        loop {
            let before = into.seek(SeekFrom::End(0))?;
            match fill(&client, file, &mut into, bar).await {
                Ok(()) => return Ok(()),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Broken(error)) => {
                    // A try that brought something does not count.
                    tries = if into.seek(SeekFrom::End(0))? > before { 0 } else { tries + 1 };
                    if tries == TRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(300 << tries)).await;
                }
            }
        }
    })?;
    into.sync_all()?;
    if let Err(error) = verify(&mut into, file.bytes, file.sha256.as_deref()) {
        std::fs::remove_file(&part)?;
        return Err(error.context(format!("{} is refused, and what came of it is removed", file.address)));
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// Checks a file's length and SHA-256.
///
/// # Errors
/// It is another file.
pub(super) fn verify(file: &mut File, bytes: Option<u64>, sha256: Option<&str>) -> anyhow::Result<String> {
    let length = file.metadata()?.len();
    if let Some(bytes) = bytes.filter(|&bytes| bytes != length) {
        bail!("it has {length} bytes, not {bytes}");
    }
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block)? {
            0 => break,
            n => digest.update(block.get(..n).unwrap_or_default()),
        }
    }
    let found = hex(&digest.finalize());
    match sha256 {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&found) => bail!("its SHA-256 is {found}, not {wanted}"),
        _ => Ok(found),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

enum Failure {
    /// The connection failed: what has come is good.
    Broken(anyhow::Error),
    /// Another try would fare no better.
    Final(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

type Client = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn client() -> anyhow::Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(legacy::Client::builder(TokioExecutor::new()).build(connector))
}

/// Appends to `into` what it lacks of `file`.
async fn fill(client: &Client, file: &Remote, into: &mut File, bar: &ProgressBar) -> Result<(), Failure> {
    let most = file.bytes.unwrap_or(MOST_BYTES);
    let mut have = into.seek(SeekFrom::End(0))?;
    if Some(have) == file.bytes {
        return Ok(());
    }
    if have > most {
        into.set_len(0)?;
        have = into.seek(SeekFrom::Start(0))?;
    }
    let answer = ask(client, &file.address, have).await?;
    let (headers, status) = (answer.headers().clone(), answer.status());
    match status {
        StatusCode::PARTIAL_CONTENT if begins_at(&headers, have) => {}
        // It gives the whole, or another piece than was asked for: from the beginning.
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
            into.set_len(0)?;
            have = into.seek(SeekFrom::Start(0))?;
            if status == StatusCode::PARTIAL_CONTENT {
                return Err(Failure::Broken(anyhow!(
                    "{} gave another piece than was asked for",
                    file.address
                )));
            }
        }
        // All of it was there, if its length wasn't known; if it was something else, the whole is fetched next time.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 && file.bytes.is_none() => return Ok(()),
        status => {
            let error = anyhow!("{} answers {status}", file.address);
            let again = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(if again { Failure::Broken(error) } else { Failure::Final(error) });
        }
    }
    let length = headers.get("content-length").and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    bar.set_length(file.bytes.or(length.map(|length| length + have)).unwrap_or_default());
    bar.set_position(have);
    let broken = |why: String| Failure::Broken(anyhow!("{}: {why}", file.address));
    let mut body = answer.into_body();
    loop {
        let frame = match tokio::time::timeout(STALLED, body.frame()).await {
            Ok(Some(frame)) => frame.map_err(|error| broken(error.to_string()))?,
            Ok(None) => break,
            Err(_) => return Err(broken(format!("nothing came for {} s", STALLED.as_secs()))),
        };
        let Some(data) = frame.data_ref() else { continue };
        have += data.len() as u64;
        if have > most {
            into.set_len(0)?;
            return Err(Failure::Final(anyhow!("{} is longer than {most} bytes: refused", file.address)));
        }
        into.write_all(data).context("the disk takes no more")?;
        bar.set_position(have);
    }
    if file.bytes.is_some_and(|bytes| have < bytes) {
        Err(broken("it ended early".to_owned()))
    } else {
        Ok(())
    }
}

fn begins_at(headers: &HeaderMap, have: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
}

/// Asks for a file from byte `have` on, and follows redirects.
async fn ask(client: &Client, address: &str, have: u64) -> Result<Response<Incoming>, Failure> {
    let mut uri: Uri = address.parse().with_context(|| format!("{address} is no address"))?;
    for _ in 0..=REDIRECTS {
        allowed(&uri)?;
        let mut request = Request::get(uri.clone()).header(USER_AGENT, AGENT);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let request = request.body(Empty::new())?;
        let answer = match tokio::time::timeout(STALLED, client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(Failure::Broken(anyhow::Error::from(error).context(uri.to_string())));
            }
            Err(_) => {
                return Err(Failure::Broken(anyhow!("{uri}: no answer within {} s", STALLED.as_secs())));
            }
        };
        if !answer.status().is_redirection() {
            return Ok(answer);
        }
        let to = answer.headers().get(LOCATION).and_then(|it| it.to_str().ok());
        uri = onward(&uri, to.with_context(|| format!("{uri} redirects to nowhere"))?)?;
    }
    Err(Failure::Final(anyhow!("{address} redirects more than {REDIRECTS} times")))
}

/// Where a redirect leads.
fn onward(from: &Uri, to: &str) -> anyhow::Result<Uri> {
    let to: Uri = to.parse().with_context(|| format!("{from} redirects to {to:?}, which is no address"))?;
    let mut parts = to.into_parts();
    parts.scheme = parts.scheme.or_else(|| from.scheme().cloned());
    parts.authority = parts.authority.or_else(|| from.authority().cloned());
    Ok(Uri::from_parts(parts)?)
}

/// HTTPS, or HTTP on this machine.
fn allowed(uri: &Uri) -> anyhow::Result<()> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if here => Ok(()),
        _ => bail!("{uri} is not https; nothing is fetched over anything else"),
    }
}

#[cfg(test)]
mod tests;
