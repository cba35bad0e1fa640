//! The URL of ARI.

use hyper::Uri;

const EXAMPLE: &str = "write for example http://192.0.2.20:8088/ari";

/// A URL that can't be an ARI's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("is not a URL; {EXAMPLE}")]
    Unreadable,
    #[error("must begin with http:// or https://; {EXAMPLE}")]
    Scheme,
    #[error("names no host; {EXAMPLE}")]
    NoHost,
    #[error("must not hold a user name or password; they have keys of their own")]
    Login,
    #[error("must not hold a query; {EXAMPLE}")]
    Query,
    #[error("names no port from 1 to 65535; {EXAMPLE}")]
    Port,
}

/// Parses the configured URL.
pub(crate) fn endpoint(url: &str) -> Result<Endpoint, EndpointError> {
    let uri: Uri = url.parse().map_err(|_| EndpointError::Unreadable)?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(EndpointError::Scheme),
    };
    let authority = uri.authority().ok_or(EndpointError::NoHost)?;
    if authority.as_str().contains('@') {
        return Err(EndpointError::Login);
    }
    if uri.query().is_some() {
        return Err(EndpointError::Query);
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    let port = match authority.port_u16() {
        Some(0) => None,
        // A text behind the host that is no 16-bit port is an error.
        None if authority.as_str() != authority.host() => None,
        None => Some(if tls { 443 } else { 80 }),
        port => port,
    };
    let port = port.ok_or(EndpointError::Port)?;
    let path = uri.path().trim_end_matches('/').to_owned();
    Ok(Endpoint { tls, host, port, authority: authority.as_str().to_owned(), path })
}

/// The address of ARI.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `HOST:PORT` as it stands in the URL.
    pub(crate) authority: String,
    /// The path without a slash at its end.
    pub(crate) path: String,
}
