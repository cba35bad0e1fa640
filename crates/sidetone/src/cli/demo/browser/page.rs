//! The page with the phone, served to this machine alone.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use sidetone_pages::{CONTENT_SECURITY_POLICY, Language, Phone, Shell, assets, phone};
use tokio::net::TcpListener;

use super::terms::{OPT_OUT, Sockets};

const SCRIPTS: [(&str, &str); 2] =
    [("/jssip.js", include_str!("jssip/jssip.js")), ("/phone.js", include_str!("phone.js"))];
const STYLE: (&str, &str) = ("/phone.css", include_str!("phone.css"));

/// What the page is made of.
#[derive(Debug, Clone)]
struct Shown {
    sockets: Sockets,
    /// The pages on which the call is to be seen.
    pages: Option<SocketAddr>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    lang: Option<String>,
}

/// Serves it until the task is ended.
pub(super) async fn serve(
    listener: TcpListener,
    sockets: Sockets,
    pages: Option<SocketAddr>,
) -> std::io::Result<()> {
    axum::serve(listener, router(Shown { sockets, pages })).await
}

fn router(shown: Shown) -> Router {
    let policy = policy(&shown.sockets);
    let mut router = Router::new().route("/", get(page));
    for (path, script) in SCRIPTS {
        router = router.route(path, get(move || file("text/javascript; charset=utf-8", script.as_bytes())));
    }
    let (path, style) = STYLE;
    router = router.route(path, get(move || file("text/css; charset=utf-8", style.as_bytes())));
    for asset in assets() {
        router = router.route(&asset.path, get(move || file(asset.content_type, asset.bytes)));
    }
    router.with_state(Arc::new(shown)).layer(map_response(move |response| guard(response, policy.clone())))
}

async fn file(content_type: &'static str, bytes: &'static [u8]) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], bytes)
}

/// The pages' own policy, and the two sockets that this one connects to.
fn policy(sockets: &Sockets) -> Option<HeaderValue> {
    let Sockets { secure, plain, .. } = sockets;
    let connect = format!("connect-src wss://{secure} ws://{plain}");
    HeaderValue::from_str(&CONTENT_SECURITY_POLICY.replace("connect-src 'self'", &connect)).ok()
}

/// Without the policy nothing is shown.
async fn guard(mut response: Response, policy: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    let Some(policy) = policy else { return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("microphone=(self), camera=(), geolocation=()"),
    );
    response
}

async fn page(
    State(shown): State<Arc<Shown>>,
    Query(asked): Query<Asked>,
    uri: Uri,
    headers: HeaderMap,
) -> Html<String> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = asked
        .lang
        .and_then(|code| Language::parse(&code))
        .unwrap_or_else(|| Language::from_accept_language(accepted.unwrap_or_default()));
    let here = uri.path_and_query().map_or("/", |here| here.as_str());
    let shell = Shell { language, here, base: "", name: None, role: None, sections: &[], csrf: "", now: 0 };
    let Sockets { sip, secure, plain, .. } = shown.sockets;
    let pages = shown.pages.map(|address| format!("http://{address}/"));
    Html(phone(
        &shell,
        &Phone {
            callee: &format!("sip:agent@{sip}"),
            own: &format!("sip:browser@{}", sip.ip()),
            secure: &format!("wss://{secure}/"),
            plain: &format!("ws://{plain}/"),
            certificate: &format!("https://{secure}/"),
            opt_out: OPT_OUT,
            pages: pages.as_deref(),
            style: STYLE.0,
            scripts: &SCRIPTS.map(|(path, _)| path),
        },
    ))
}
