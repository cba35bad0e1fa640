//! The HTTPS client: HTTP/1.1 over rustls, one connection kept open, no redirects, no proxy.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::retry::{Outcome, retry_after};
use super::signature;
use crate::config::WebhookConfig;
use crate::sink::error::SinkError;
use crate::time::Timestamp;

/// Most bytes of an answer's body that are read, so that the connection can be reused; a longer body closes it.
const ANSWER: usize = 64 * 1024;
const AGENT: &str = concat!("sidetone/", env!("CARGO_PKG_VERSION"));

/// The endpoint's address. Only its host is ever logged: the path may hold a token.
#[derive(Clone)]
pub(super) struct Endpoint {
    uri: Uri,
    host: String,
}

impl Endpoint {
    pub(super) fn parse(config: &WebhookConfig) -> Result<Self, SinkError> {
        let wrong = |why: &str| SinkError::Config { key: "events.webhook.url", why: why.to_owned() };
        let uri: Uri = config
            .url
            .parse()
            .map_err(|_| wrong("is not a URL; write for example https://example.org/sidetone"))?;
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| wrong("names no host; write for example https://example.org/sidetone"))?
            .to_owned();
        // A port beyond 16 bits would be ignored, and the default port used.
        if uri.authority().is_some_and(|it| {
            it.as_str() != it.host()
                && !it.as_str().contains('@')
                && it.port_u16().is_none_or(|port| port == 0)
        }) {
            return Err(wrong("names no port from 1 to 65535; leave it out for 443"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong(
                "must not hold a user name or password: receivers know us by the signature; leave them out",
            ));
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if config.allow_plain_http || is_this_machine(&host) => {}
            Some("http") => {
                return Err(wrong(
                    "is http, which sends events in the clear; use https, or allow_plain_http on a network you trust",
                ));
            }
            _ => {
                return Err(wrong(
                    "must begin with https://; write for example https://example.org/sidetone",
                ));
            }
        }
        Ok(Self { uri, host })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(super) fn new(config: &WebhookConfig, endpoint: &Endpoint) -> Result<Self, SinkError> {
        // Without TLS no certificates are needed, so a machine without any still works.
        let roots = match &config.ca_file {
            Some(path) => roots_of(path)?,
            None if endpoint.is_tls() => system_roots()?,
            None => RootCertStore::empty(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| SinkError::Config { key: "events.webhook", why: why.to_string() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            // Shorter than servers commonly keep an idle connection, so that requests rarely meet a closing one.
            .pool_idle_timeout(Duration::from_secs(4))
            .build(connector);
        Ok(Self { client })
    }

    /// Posts `body` once. Never follows a redirect.
    pub(super) async fn post(
        &self,
        endpoint: &Endpoint,
        delivery: &str,
        signature: &str,
        body: Bytes,
        timeout: Duration,
        now: Timestamp,
    ) -> Outcome {
        let request = Request::post(endpoint.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(signature::HEADER, signature)
            .header("sidetone-delivery", delivery)
            .body(Full::new(body));
        let request = match request {
            Ok(request) => request,
            Err(why) => return Outcome::Broken(why.to_string()),
        };
        let exchange = async {
            let answer = self.client.request(request).await?;
            let status = answer.status().as_u16();
            let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = after.and_then(|value| retry_after(value, now));
            // The answer's content is not used; reading it lets the connection be reused.
            let _ = Limited::new(answer.into_body(), ANSWER).collect().await;
            Ok::<_, legacy::Error>(Outcome::Answered { status, retry_after })
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(why)) => Outcome::Broken(causes(&why)),
            Err(_) => Outcome::TimedOut,
        }
    }
}

/// An error with its chain of causes: "client error (Connect): Connection refused".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn roots_of(path: &Path) -> Result<RootCertStore, SinkError> {
    let wrong = |why: String| SinkError::Config {
        key: "events.webhook.ca_file",
        why: format!("{}: {why}", path.display()),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|why| wrong(why.to_string()))? {
        let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
        roots.add(certificate).map_err(|why| wrong(why.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate".to_owned()));
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, SinkError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let why = "this system trusts no certificates; install ca-certificates, or set ca_file".to_owned();
        return Err(SinkError::Config { key: "events.webhook", why });
    }
    Ok(roots)
}
