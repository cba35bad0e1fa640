//! How often the store's API and the pages may be asked, and how often somebody may try to sign in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::kept::{Shown, authorization, cookie};
use super::limit::{Buckets, Rate};
use super::problem::detailed;

/// Requests with one token or session: a page that is open asks for its changing part four times a second at most.
const TOKEN: Rate = Rate { burst: 600, each: Duration::from_millis(10) };
/// Requests from one address: many people may come from one, through a proxy.
const ADDRESS: Rate = Rate { burst: 2_000, each: Duration::from_millis(2) };
/// Attempts to sign in under one name, and from one address, in vain.
const NAME_TRIES: Rate = Rate { burst: 5, each: Duration::from_secs(30) };
const ADDRESS_TRIES: Rate = Rate { burst: 20, each: Duration::from_secs(6) };

/// The address that a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) SocketAddr);

/// The address that a request comes from: the connection's, or where that is this machine, the one that a reverse proxy
/// on it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker(IpAddr);

impl Asker {
    fn of(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let connection = extensions.get::<ConnectInfo<PeerAddress>>();
        let connection =
            connection.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |it| it.0.0.ip().to_canonical());
        let forwarded = || {
            let said = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
            // The last entry is the proxy's own; those before it are whatever the client has sent.
            said.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
        };
        let address = if connection.is_loopback() { forwarded().unwrap_or(connection) } else { connection };
        Self(match address.to_canonical() {
            // Whoever has one address of IPv6 has the 2^64 beside it.
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions, &parts.headers))
    }
}

/// The tables.
#[derive(Debug)]
pub(super) struct Limits {
    tokens: Mutex<Buckets<[u8; 32]>>,
    addresses: Mutex<Buckets<Asker>>,
    names_tried: Mutex<Buckets<String>>,
    addresses_tried: Mutex<Buckets<Asker>>,
}

impl std::hash::Hash for Asker {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            tokens: Mutex::new(Buckets::new(TOKEN)),
            addresses: Mutex::new(Buckets::new(ADDRESS)),
            names_tried: Mutex::new(Buckets::new(NAME_TRIES)),
            addresses_tried: Mutex::new(Buckets::new(ADDRESS_TRIES)),
        }
    }

    /// Counts a request.
    fn asked(&self, asker: Asker, shown: Option<&Shown>, now: Instant) -> Result<(), Duration> {
        locked(&self.addresses).take(asker, now)?;
        match shown {
            Some(Shown::Token(secret) | Shown::Session(secret)) => {
                locked(&self.tokens).take(Sha256::digest(secret).into(), now)
            }
            None => Ok(()),
        }
    }

    /// Counts an attempt to sign in, under a name if there is one.
    ///
    /// # Errors
    /// The time after which another attempt may be made.
    pub(super) fn tried(&self, asker: Asker, name: Option<&str>, now: Instant) -> Result<(), Duration> {
        locked(&self.addresses_tried).take(asker, now)?;
        name.map_or(Ok(()), |name| locked(&self.names_tried).take(known(name), now))
    }

    /// The attempt was a good one.
    pub(super) fn let_in(&self, asker: Asker, name: Option<&str>) {
        locked(&self.addresses_tried).give_back(&asker);
        if let Some(name) = name {
            locked(&self.names_tried).give_back(&known(name));
        }
    }
}

/// A name as people are looked up by it, cut to what any of them has.
fn known(name: &str) -> String {
    name.trim().to_lowercase().chars().take(64).collect()
}

/// Whole seconds for Retry-After, one at least.
pub(super) fn seconds(wait: Duration) -> String {
    wait.as_millis().div_ceil(1000).max(1).to_string()
}

/// Lets a request of the API pass, or says when to come again.
pub(super) async fn of_api(State(limits): State<Arc<Limits>>, request: Request, next: Next) -> Response {
    match counted(&limits, &request) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let said = "too many requests with this token or from this address; come again after Retry-After";
            let later = [(header::RETRY_AFTER, seconds(wait))];
            (later, detailed(StatusCode::TOO_MANY_REQUESTS, said)).into_response()
        }
    }
}

/// Counts a request by its address and by what it shows.
pub(super) fn counted(limits: &Limits, request: &Request) -> Result<(), Duration> {
    let headers = request.headers();
    let shown = authorization(headers).or_else(|| cookie(headers));
    limits.asked(Asker::of(request.extensions(), headers), shown.as_ref(), Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(connection: &str, forwarded: &[&'static str]) -> Asker {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(PeerAddress(connection.parse().unwrap())));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        Asker::of(&extensions, &headers)
    }

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let is = |address: &str| Asker(address.parse().unwrap());
        assert_eq!(from("198.51.100.7:4000", &["203.0.113.1"]), is("198.51.100.7"));
        assert_eq!(from("127.0.0.1:4000", &["203.0.113.1"]), is("203.0.113.1"));
        assert_eq!(from("127.0.0.1:4000", &["192.0.2.1, 203.0.113.1"]), is("203.0.113.1"));
        assert_eq!(from("127.0.0.1:4000", &["192.0.2.1", "203.0.113.1"]), is("203.0.113.1"));
        assert_eq!(from("127.0.0.1:4000", &["nonsense"]), is("127.0.0.1"));
        assert_eq!(from("[::ffff:198.51.100.7]:4000", &[]), is("198.51.100.7"));
        assert_eq!(from("[2001:db8::1]:4000", &[]), from("[2001:db8::2]:4000", &[]), "one network");
        assert_ne!(from("[2001:db8::1]:4000", &[]), from("[2001:db8:0:1::1]:4000", &[]));
    }

    #[test]
    fn attempts_are_limited_by_name_and_by_address_and_a_good_one_costs_nothing() {
        let (limits, now) = (Limits::new(), Instant::now());
        let asker = |number: u8| from(&format!("198.51.100.{number}:1"), &[]);
        for number in 0..5 {
            limits.tried(asker(number), Some("Maria "), now).unwrap();
        }
        assert!(limits.tried(asker(9), Some("maria"), now).is_err(), "from wherever");
        limits.tried(asker(9), Some("someone else"), now).unwrap();
        for _ in 0..1_000 {
            limits.tried(asker(20), Some("good"), now).unwrap();
            limits.let_in(asker(20), Some("good"));
        }
        let through = (0..100).filter(|it| limits.tried(asker(30), Some(&it.to_string()), now).is_ok());
        assert_eq!(through.count(), 20, "whatever the name");
    }

    #[test]
    fn a_token_is_limited_from_wherever_it_comes() {
        let (limits, now) = (Limits::new(), Instant::now());
        let shown = Shown::Token("a".into());
        let asked = |number: u32| {
            let asker = from(&format!("198.51.{}.{}:1", number / 100, number % 100), &[]);
            limits.asked(asker, Some(&shown), now).is_ok()
        };
        assert_eq!((0..2_000).filter(|number| asked(*number)).count(), 600);
        assert!(limits.asked(from("192.0.2.1:1", &[]), Some(&Shown::Token("b".into())), now).is_ok());
        assert_eq!(seconds(Duration::from_millis(1)), "1");
        assert_eq!(seconds(Duration::from_millis(1_001)), "2");
    }

    #[tokio::test]
    async fn whoever_asks_too_often_is_told_when_to_come_again() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let limits = Limits::new();
        let once = Rate { burst: 1, each: Duration::from_secs(3_600) };
        *locked(&limits.addresses) = Buckets::new(once);
        let router = axum::Router::new()
            .route("/", axum::routing::get(|| async { "answer" }))
            .route_layer(axum::middleware::from_fn_with_state(Arc::new(limits), of_api));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        for (status, said) in [("200", "answer"), ("429", "application/problem+json")] {
            let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains(status) && answer.contains(said), "{answer}");
            assert_eq!(answer.contains("retry-after: 3600"), status == "429", "{answer}");
        }
    }
}
