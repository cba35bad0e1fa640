//! `sidetone demo --browser`: whoever opens the page calls from there, with their own microphone. Sidetone is reached
//! by WebSocket; the media is Opus by DTLS-SRTP.

mod page;
mod terms;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType};
use serde::Serialize;
use sidetone_events::Happening;
use sidetone_serve::control::NotReloaded;
use sidetone_softphone::{Audio, CallOptions, Clip, Codec, Phone, PhoneConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::plain::plain;
use super::stage::{Ending, free_address, ports_beside, words};
use super::viewers::{LABELS, keep, show_pages};
use crate::cli::output::{Output, remark, say, say_json};
use crate::cli::view::Paint;
use crate::config::Config;
use crate::rehearsal::AGENT;
use crate::server::Server;
use terms::{OPT_OUT, Sockets};

/// Over all of a call, packets of either direction that the agent's phone keeps: nobody compares them.
const KEPT: usize = 0;

/// What became of it.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// Calls that were answered.
    calls: usize,
    /// Updates of how the callers sounded.
    affect_updates: usize,
}

/// Runs until a signal ends it.
pub(super) async fn run(pages: bool, output: Output) -> anyhow::Result<ExitCode> {
    // Long: the demo from its first socket to its outcome.
    let mut ending = Ending::new().context("signals can't be listened to")?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let agent = Phone::bind(PhoneConfig { user: "agent".to_owned(), ..PhoneConfig::default() }).await?;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(loopback).await.context("no TCP port is free on 127.0.0.1")?;
    let [secure, plain_port] = free_ports()?;
    let sockets = Sockets { sip: free_address()?, secure, plain: plain_port, page: listener.local_addr()? };
    let mut config = config(&sockets, agent.address(), folder.path())?;
    config.language = words(output);
    // Who calls is a person, and no recording of the demo's: what they say is shown as they talk, and not kept.
    config.language.keep = false;
    let language = config.language.clone();
    let opened = if pages { Some(keep(&mut config, folder.path())?) } else { None };
    let server = Server::start(
        config,
        Box::new(|| Err(NotReloaded(vec!["the demo has no configuration file".to_owned()]))),
    )
    .await?;
    let mut events = server.events();
    let watched = server.http().filter(|_| opened.is_some());
    let serving = tokio::spawn(page::serve(listener, sockets, watched));
    let answering = tokio::spawn(answer(agent));
    let mut outcome = Outcome::default();
    if let (Some(opened), Some(address)) = (&opened, watched) {
        tokio::select! {
            shown = show_pages(opened, address, &server, language, output) => shown?,
            () = ending.asked() => return finish(server, &outcome, output).await,
        }
    }
    let paint = Paint::detect();
    remark(output.json, &format!("phone: {}", paint.bold(format!("http://{}/", sockets.page))));
    remark(output.json, "open it in a browser on this machine, and call; Ctrl-C ends the demo");

    let mut alerts = Vec::new();
    loop {
        ensure!(!serving.is_finished() && !answering.is_finished(), "the page, or the agent, has gone");
        let event = tokio::select! {
            event = events.recv() => event.context("Sidetone has ended by itself")?,
            () = tokio::time::sleep(Duration::from_secs(1)) => continue,
            () = ending.asked() => break,
        };
        match &event.event.happening {
            Happening::CallStarted(_) => {
                alerts.clear();
                server.label(&event.event.call.id.to_string(), &LABELS);
            }
            Happening::CallAnswered(_) => outcome.calls += 1,
            Happening::AffectUpdate(_) => outcome.affect_updates += 1,
            _ => {}
        }
        if output.json {
            say(event.json());
        } else {
            plain(&event.event, &mut alerts, paint);
        }
    }
    answering.abort();
    serving.abort();
    finish(server, &outcome, output).await
}

async fn finish(server: Server, outcome: &Outcome, output: Output) -> anyhow::Result<ExitCode> {
    server.shutdown().await;
    if output.json {
        say_json(&serde_json::json!({ "demo": outcome, "succeeded": true }))?;
    } else {
        let Outcome { calls, affect_updates } = outcome;
        say(format_args!("{calls} calls, {affect_updates} affect updates"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent: answers one call after the other and plays their part of the recorded conversation, over and over.
async fn answer(agent: Phone) -> anyhow::Result<()> {
    let audio = Audio::looped(Clip::from_wav(AGENT).context("the demo's speech can't be read")?);
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let options = CallOptions { codecs, audio, keep: KEPT, ..CallOptions::default() };
    let mut talking: Option<JoinHandle<()>> = None;
    loop {
        let incoming = agent.incoming().await?;
        if talking.as_ref().is_some_and(|talking| !talking.is_finished()) {
            // Its caller hears that the agent is busy; what else comes of it is of no interest here.
            tokio::spawn(incoming.decline(486));
            continue;
        }
        incoming.ring();
        let options = options.clone();
        talking = Some(tokio::spawn(async move {
            match incoming.answer(options).await {
                Ok(call) => drop(call.ended().await),
                Err(error) => tracing::warn!(%error, "the agent could not answer"),
            }
        }));
    }
}

/// Two TCP ports that were free a moment ago.
fn free_ports() -> anyhow::Result<[SocketAddr; 2]> {
    let probe = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Both are held until both are known, so that they are not the same.
    let (first, second) = (probe(), probe());
    let at = |probe: std::io::Result<std::net::TcpListener>| {
        probe.and_then(|probe| probe.local_addr()).context("no TCP port is free on 127.0.0.1")
    };
    Ok([at(first)?, at(second)?])
}

/// The address that this machine has toward others, for the browser's media; 127.0.0.1 if it has none. Firefox sends
/// nothing from an address of its own to 127.0.0.1, and browsers have no candidate on 127.0.0.1.
fn own_address() -> Ipv4Addr {
    // Nothing is sent: the system only looks up which address it would use (192.0.2.0/24 is for documents, RFC 5737).
    let toward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    match toward.map(|address| address.ip()) {
        Ok(IpAddr::V4(own)) if !own.is_unspecified() => own,
        _ => Ipv4Addr::LOCALHOST,
    }
}

/// A certificate for this machine, which vouches for itself, and its key: made now, gone with the folder.
fn certify(folder: &Path) -> anyhow::Result<[std::path::PathBuf; 2]> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Sidetone demo");
    let name = "localhost".try_into().context("no name for a certificate")?;
    params.subject_alt_names = vec![SanType::IpAddress(Ipv4Addr::LOCALHOST.into()), SanType::DnsName(name)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("no key can be made")?;
    let certificate = params.self_signed(&key).context("no certificate can be made")?;
    let paths = [folder.join("demo.pem"), folder.join("demo.key")];
    let [certificate_path, key_path] = &paths;
    // The folder is its owner's alone.
    std::fs::write(certificate_path, certificate.pem())?;
    std::fs::write(key_path, key.serialize_pem())?;
    Ok(paths)
}

fn config(sockets: &Sockets, agent: SocketAddr, folder: &Path) -> anyhow::Result<Config> {
    let Sockets { sip, secure, plain, page } = sockets;
    let [certificate, key] = certify(folder)?;
    let text = format!(
        r#"
        [sip]
        listen = ["udp:{sip}", "wss:{secure}", "ws:{plain}"]
        [sip.tls]
        certificate = {certificate:?}
        key = {key:?}
        [sip.websocket]
        # The page, by either name of this machine, and no other page that this browser has open.
        origins = ["http://{page}", "http://localhost:{page_port}"]
        [media]
        address = "{ip}"
        address_trunk = "{own}"
        ports = "{ports}"
        [media.security]
        trunk = "require"
        pbx = "plain"
        [http]
        listen = "off"
        [control]
        socket = {socket:?}
        [health]
        options_interval = "0s"
        [consent]
        opt_out_digit = "{OPT_OUT}"
        [[trunk]]
        name = "browser"
        allow = []
        allow_at = ["wss:{secure}", "ws:{plain}"]
        # Somebody speaks here: they are told before they are listened to.
        disclosure = "notice"
        [[pbx]]
        name = "demo-agent"
        hosts = [{{ to = "sip:{agent}" }}]
        allow = ["{agent}"]
        "#,
        page_port = page.port(),
        ip = sip.ip(),
        own = own_address(),
        ports = ports_beside(*sip),
        socket = folder.join("control.sock"),
    );
    toml::from_str(&text).context("the demo's configuration can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Prepared;

    #[test]
    fn its_configuration_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let [secure, plain] = free_ports().unwrap();
        let page = SocketAddr::from((Ipv4Addr::LOCALHOST, 8_000));
        let sockets = Sockets { sip: free_address().unwrap(), secure, plain, page };
        let agent = SocketAddr::from((Ipv4Addr::LOCALHOST, 5_999));
        let config = config(&sockets, agent, folder.path()).unwrap();
        let (prepared, faults) = Prepared::new(config);
        assert!(prepared.is_some(), "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.fatal), "{faults:?}");
    }
}
