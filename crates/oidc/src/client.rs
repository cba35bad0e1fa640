//! Questions to the provider: HTTP/1.1 over rustls, no redirects, no proxy, answers bounded in size and time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Most bytes of an answer.
const LARGEST: usize = 512 * 1024;
/// How long an answer may take: somebody waits in front of a browser.
const WITHIN: Duration = Duration::from_secs(8);
const AGENT: &str = concat!("sidetone/", env!("CARGO_PKG_VERSION"));

pub(crate) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer of the provider's.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(4))
            .build(connector);
        Ok(Self { client })
    }

    pub(crate) async fn get(&self, address: &str) -> Result<Answered, String> {
        self.ask(Request::get(address).header(ACCEPT, "application/json"), Bytes::new()).await
    }

    /// Posts a form, with a name and a password in a header if they are given.
    pub(crate) async fn post(
        &self,
        address: &str,
        form: String,
        basic: Option<(&str, &str)>,
    ) -> Result<Answered, String> {
        let mut request = Request::post(address)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some((name, password)) = basic {
            let pair = BASE64.encode(format!("{name}:{password}").as_bytes());
            request = request.header(AUTHORIZATION, format!("Basic {pair}"));
        }
        self.ask(request, form.into()).await
    }

    async fn ask(&self, request: hyper::http::request::Builder, body: Bytes) -> Result<Answered, String> {
        let request =
            request.header(USER_AGENT, AGENT).body(Full::new(body)).map_err(|why| why.to_string())?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|why| causes(&why))?;
            let status = answer.status();
            let body =
                Limited::new(answer.into_body(), LARGEST).collect().await.map_err(|why| why.to_string())?;
            Ok(Answered { status, body: body.to_bytes() })
        };
        tokio::time::timeout(WITHIN, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", WITHIN.as_secs())))
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
    text
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let wrong = |why: String| format!("{}: {why}", path.display());
            for certificate in CertificateDer::pem_file_iter(path).map_err(|why| wrong(why.to_string()))? {
                let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
                roots.add(certificate).map_err(|why| wrong(why.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("holds no certificate".to_owned()));
            }
        }
        // Without any, a provider of this machine can still be asked.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}
