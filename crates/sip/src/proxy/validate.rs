//! Whether a request may pass (RFC 3261 §16.3).

use super::local::Local;
use super::route::RoutePlan;
use super::token::{Branch, Tokens};
use crate::Flow;
use crate::message::{Message, Method, Name};
use crate::uri::{Scheme, UriView};
use crate::via::Via;

/// A request that may be routed.
pub(super) struct Valid {
    pub(super) plan: RoutePlan,
    /// The hash by which the request is recognised if it comes round again.
    pub(super) loops: u64,
}

/// The answer that is given instead of routing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// A 200: an OPTIONS for us, or one whose hops end here.
    Answer,
    /// A refusal.
    Refuse { status: u16, reason: &'static str, unsupported: Option<String> },
}

fn refuse(status: u16, reason: &'static str) -> Instead {
    Instead::Refuse { status, reason, unsupported: None }
}

/// The checks of §16.3 in its order, and route preprocessing, which can fail too.
pub(super) fn validate(
    request: &Message,
    method: Method<'_>,
    source: &Flow,
    local: &Local,
    tokens: &Tokens,
) -> Result<Valid, Instead> {
    let uri = request_uri(request, source)?;
    match request.max_forwards() {
        Some(Err(_)) => return Err(refuse(400, "Bad Request (malformed Max-Forwards)")),
        Some(Ok(0)) if method == Method::OPTIONS => return Err(Instead::Answer),
        Some(Ok(0)) => return Err(refuse(483, "Too Many Hops")),
        Some(Ok(_)) | None => {}
    }
    let loops = tokens.loops(request, source);
    if has_passed(request, loops) {
        return Err(refuse(482, "Loop Detected"));
    }
    // No option is supported here that a client would need a proxy to understand. ACK and CANCEL can't be
    // refused for it (§8.2.2.3), and a CANCEL doesn't come this way.
    if request.header(Name::ProxyRequire).is_some() && method != Method::ACK {
        let options: Vec<_> = request.values(Name::ProxyRequire).map(String::from_utf8_lossy).collect();
        return Err(Instead::Refuse {
            status: 420,
            reason: "Bad Extension",
            unsupported: Some(options.join(", ")),
        });
    }
    let Ok(plan) = RoutePlan::of(request, &uri, local) else {
        return Err(refuse(400, "Bad Request (malformed Route)"));
    };
    if method == Method::OPTIONS && plan.ends_here() && uri.userinfo().is_none() && local.is_our_uri(&uri) {
        return Err(Instead::Answer);
    }
    Ok(Valid { plan, loops })
}

fn request_uri<'a>(request: &'a Message, source: &Flow) -> Result<UriView<'a>, Instead> {
    let Ok(uri) = UriView::parse(request.request_uri().unwrap_or_default()) else {
        return Err(refuse(400, "Bad Request (malformed Request-URI)"));
    };
    // Headers may not stand there, and may least of all be passed on (RFC 4475 §3.1.2.11).
    if !uri.headers().is_empty() {
        return Err(refuse(400, "Bad Request (headers in Request-URI)"));
    }
    match uri.scheme() {
        // Configuration or a Route says where it goes, so nobody here need understand a `tel:`, a `urn:service:sos` or
        // any other scheme (RFC 3261 §16.3 step 2): the PBX or the carrier does, or refuses it.
        Scheme::Sip | Scheme::Tel | Scheme::Other => Ok(uri),
        // sips asks for TLS on every hop, this one included (RFC 5630 §3.1).
        Scheme::Sips if source.transport.is_secure() => Ok(uri),
        Scheme::Sips => Err(refuse(416, "Unsupported URI Scheme")),
    }
}

/// Whether one of our own branches says that this very request was here before.
fn has_passed(request: &Message, loops: u64) -> bool {
    request
        .values(Name::Via)
        .filter(|value| Branch::may_be_in(value))
        .filter_map(|value| Via::parse(value).ok()?.branch().and_then(Branch::parse))
        .any(|branch| branch.loops == loops)
}
