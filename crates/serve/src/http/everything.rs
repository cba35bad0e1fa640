//! Who may follow all events where pages are served: people then reach this port who may see one call, or none.

use axum::extract::{ConnectInfo, Request};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::limits::PeerAddress;
use super::problem::problem;

/// What proxies add to requests that they pass on.
const PASSED_ON: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Lets programs of this machine follow, and nobody else: whoever comes from elsewhere needs the stream's token, and
/// there is none.
pub(super) async fn of_this_machine(request: Request, next: Next) -> Response {
    if is_of_this_machine(request.extensions(), request.headers()) {
        return next.run(request).await;
    }
    let why = "events of all calls need a token here: set events.stream.token, and show it as a bearer token";
    ([(WWW_AUTHENTICATE, "Bearer")], problem(StatusCode::UNAUTHORIZED, why)).into_response()
}

fn is_of_this_machine(extensions: &Extensions, headers: &HeaderMap) -> bool {
    let peer = extensions.get::<ConnectInfo<PeerAddress>>();
    let is_near = peer.is_some_and(|peer| peer.0.0.ip().to_canonical().is_loopback());
    is_near && PASSED_ON.iter().all(|header| !headers.contains_key(*header))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_from_elsewhere_is_of_this_machine() {
        let of = |peer: &str, header: Option<&'static str>| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(PeerAddress(peer.parse().unwrap())));
            let headers = header.map(|name| (name.parse().unwrap(), "127.0.0.1".parse().unwrap()));
            is_of_this_machine(&extensions, &headers.into_iter().collect())
        };
        assert!(of("127.0.0.1:999", None) && of("[::1]:999", None) && of("[::ffff:127.0.0.1]:999", None));
        assert!(!of("192.0.2.1:999", None) && !of("[2001:db8::1]:999", None));
        for header in PASSED_ON {
            assert!(!of("127.0.0.1:999", Some(header)), "{header}");
        }
        assert!(!is_of_this_machine(&Extensions::new(), &HeaderMap::new()), "not known is not near");
    }
}
