//! HTTP/1.1 and websocket, plain or over rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request as HttpRequest;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::endpoint::{Endpoint, EndpointError, endpoint};
use super::session::{Method, Request};
use crate::config::{Ari, LinkSecretError};
use crate::fault::Fault;
use crate::text::{percent, shown};

/// The longest answer that is read: a list of twenty thousand channels.
const ANSWER: usize = 16 * 1024 * 1024;
/// The longest event that is read.
const EVENT: usize = 1024 * 1024;
/// The longest duration of a request.
const PATIENCE: Duration = Duration::from_secs(8);

/// Either kind of connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The connection that events come by.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Why an ARI client can't be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AriError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Password(#[from] LinkSecretError),
    #[error("can't stand in a header")]
    Header,
    #[error(transparent)]
    Tls(rustls::Error),
}

impl AriError {
    /// The configuration key that the error concerns.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Roots(RootsError::System) | Self::Endpoint(_) | Self::Tls(_) => "ari.url",
            Self::Roots(_) => "ari.ca_file",
            Self::Password(_) | Self::Header => "ari.password",
        }
    }
}

/// A client of one ARI.
pub(crate) struct Client {
    endpoint: Endpoint,
    authorization: HeaderValue,
    tls: Arc<ClientConfig>,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(crate) fn new(config: &Ari, password: &[u8]) -> Result<Self, AriError> {
        let endpoint = endpoint(&config.url)?;
        // Without TLS no certificates are needed, so a machine without any still works.
        let roots = match &config.ca_file {
            Some(path) => roots_of(path)?,
            None if endpoint.tls => system_roots()?,
            None => RootCertStore::empty(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AriError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1().build();
        let http = legacy::Client::builder(TokioExecutor::new())
            // Shorter than Asterisk keeps an idle connection (15 s), so that requests rarely meet a closing one.
            .pool_idle_timeout(Duration::from_secs(10))
            .build(connector);
        let mut credentials = format!("{}:", config.username).into_bytes();
        credentials.extend_from_slice(password);
        let mut authorization = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&credentials)))
            .map_err(|_| AriError::Header)?;
        authorization.set_sensitive(true);
        Ok(Self { endpoint, authorization, tls: Arc::new(tls), http })
    }

    /// Makes one request; yields its number, and the status and body of the answer.
    pub(crate) fn request(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<(u64, u16, Bytes), Fault>> + Send + 'static {
        let Endpoint { tls, authority, path, .. } = &self.endpoint;
        let uri = format!("{}://{authority}{path}{}", if *tls { "https" } else { "http" }, request.path);
        let method = match request.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
            Method::Put => hyper::Method::PUT,
        };
        let built = HttpRequest::builder()
            .method(method)
            .uri(uri)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(request.body.unwrap_or_default())));
        let client = self.http.clone();
        async move {
            let built = built.map_err(|_| Fault::Malformed("a channel whose name fits into no URL"))?;
            let exchange = async {
                let answer = client.request(built).await.map_err(|why| Fault::Network(causes(&why)))?;
                let status = answer.status().as_u16();
                let body = Limited::new(answer.into_body(), ANSWER).collect().await;
                let body = body.map_err(|_| Fault::Malformed("an answer too long or cut short"))?;
                Ok((request.id, status, body.to_bytes()))
            };
            tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| Fault::Silent)?
        }
    }

    /// Opens the connection that events come by, as `application`.
    pub(crate) async fn listen(&self, application: &str) -> Result<Socket, Fault> {
        let Endpoint { tls, host, port, authority, path } = &self.endpoint;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Stream> = if *tls {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| Fault::Network("the host is no name for a certificate".to_owned()))?;
            Box::new(TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?)
        } else {
            Box::new(stream)
        };
        let scheme = if *tls { "wss" } else { "ws" };
        let application = percent(application);
        let uri = format!("{scheme}://{authority}{path}/events?app={application}&subscribeAll=true");
        let mut request = uri.into_client_request().map_err(|why| Fault::Network(why.to_string()))?;
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        let config = WebSocketConfig::default().max_message_size(Some(EVENT)).max_frame_size(Some(EVENT));
        match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(WsError::Http(answer)) if matches!(answer.status().as_u16(), 401 | 403) => {
                Err(Fault::Refused(answer.status().to_string()))
            }
            Err(WsError::Http(answer)) => {
                Err(Fault::Network(format!("it answers {}; is this the URL of ARI?", answer.status())))
            }
            Err(why) => Err(broken(why)),
        }
    }
}

/// Why a websocket ended.
pub(crate) fn broken(why: WsError) -> Fault {
    match why {
        WsError::ConnectionClosed | WsError::AlreadyClosed => Fault::Closed(""),
        WsError::Io(why) => why.into(),
        WsError::Capacity(_) => Fault::Malformed("an event that is too long"),
        WsError::Protocol(_) | WsError::Utf8(_) | WsError::HttpFormat(_) => Fault::Malformed("no websocket"),
        other => Fault::Network(shown(&other.to_string())),
    }
}

/// An error with its chain of causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    shown(&text)
}

/// Why the trusted certificates can't be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error("can't be used: {}: {why}", .path.display())]
    File { path: PathBuf, why: rustls::pki_types::pem::Error },
    #[error("can't be used: {}: {why}", .path.display())]
    Certificate { path: PathBuf, why: rustls::Error },
    #[error("can't be used: {}: holds no certificate", .0.display())]
    Empty(PathBuf),
    #[error("is https, and this system trusts no certificates; install ca-certificates, or set ca_file")]
    System,
}

fn roots_of(path: &Path) -> Result<RootCertStore, RootsError> {
    let unreadable = |why| RootsError::File { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots.add(certificate).map_err(|why| RootsError::Certificate { path: path.to_owned(), why })?;
    }
    if roots.is_empty() { Err(RootsError::Empty(path.to_owned())) } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(RootsError::System) } else { Ok(roots) }
}
