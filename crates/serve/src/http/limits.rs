//! How often the store's API and the pages may be asked, and how often somebody may try to sign in.

use std::collections::HashSet;
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
/// Passwords tried in vain from one address: under one name, and under all.
const OWN_TRIES: Rate = Rate { burst: 5, each: Duration::from_secs(5) };
const ADDRESS_TRIES: Rate = Rate { burst: 20, each: Duration::from_secs(6) };
/// Passwords tried in vain under one name from addresses from which it has never signed in, all together.
const STRANGERS_TRIES: Rate = Rate { burst: 20, each: Duration::from_secs(1) };
/// Beyond its burst a try waits for its turn, so long at most: whoever guesses under a name slows its owner down, and
/// locks them out of nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most names and addresses remembered as having signed in from there.
const MOST_KNOWN: usize = 10_000;

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
    own_tried: Mutex<Buckets<(String, Asker)>>,
    strangers_tried: Mutex<Buckets<String>>,
    addresses_tried: Mutex<Buckets<Asker>>,
    /// Names, and the addresses from which they have signed in.
    known: Mutex<HashSet<(String, Asker)>>,
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
            own_tried: Mutex::new(Buckets::new(OWN_TRIES)),
            strangers_tried: Mutex::new(Buckets::new(STRANGERS_TRIES)),
            addresses_tried: Mutex::new(Buckets::new(ADDRESS_TRIES)),
            known: Mutex::default(),
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

    /// Counts a request from an address that shows nothing yet: a token is too long to be guessed, so attempts with one
    /// are like any other request.
    ///
    /// # Errors
    /// The time after which another may be made.
    pub(super) fn came(&self, asker: Asker, now: Instant) -> Result<(), Duration> {
        self.asked(asker, None, now)
    }

    /// Counts an attempt to sign in by a password; gives the time for which it has to wait before it is looked at.
    ///
    /// What others try under a name from elsewhere never touches those who have signed in from their address before.
    ///
    /// # Errors
    /// The time after which another attempt may be made.
    pub(super) fn tried(&self, asker: Asker, name: &str, now: Instant) -> Result<Duration, Duration> {
        let name = known(name);
        let own = (name.clone(), asker);
        if locked(&self.known).contains(&own) {
            return locked(&self.own_tried).reserve(own, now, PATIENCE);
        }
        locked(&self.addresses_tried).take(asker, now)?;
        let wait = locked(&self.own_tried).reserve(own, now, PATIENCE)?;
        Ok(wait.max(locked(&self.strangers_tried).reserve(name, now, PATIENCE)?))
    }

    /// The attempt was a good one: it costs nothing, and its address is the name's own from now on.
    pub(super) fn let_in(&self, asker: Asker, name: &str) {
        let name = known(name);
        let own = (name.clone(), asker);
        locked(&self.own_tried).give_back(&own);
        let mut known = locked(&self.known);
        if known.contains(&own) {
            return;
        }
        locked(&self.addresses_tried).give_back(&asker);
        locked(&self.strangers_tried).give_back(&name);
        if known.len() >= MOST_KNOWN
            && let Some(any) = known.iter().next().cloned()
        {
            known.remove(&any);
        }
        known.insert(own);
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

    fn asker(number: u32) -> Asker {
        from(&format!("198.51.{}.{}:1", number / 100, number % 100), &[])
    }

    #[test]
    fn guesses_from_elsewhere_do_not_touch_those_who_signed_in_from_their_address() {
        let (limits, now) = (Limits::new(), Instant::now());
        assert_eq!(limits.tried(asker(1), "maria", now), Ok(Duration::ZERO));
        limits.let_in(asker(1), "maria");
        for guesser in 100..1_100 {
            let _ = limits.tried(asker(guesser), "Maria ", now);
        }
        assert!(limits.tried(asker(2_000), "maria", now).is_err(), "strangers are held up");
        assert_eq!(limits.tried(asker(1), "maria", now), Ok(Duration::ZERO), "she is not");
        assert_eq!(limits.tried(asker(2_000), "otto", now), Ok(Duration::ZERO));
    }

    #[test]
    fn an_owner_at_a_new_address_waits_and_is_not_locked_out() {
        let (limits, now) = (Limits::new(), Instant::now());
        for guesser in 0..25 {
            let _ = limits.tried(asker(guesser), "maria", now);
        }
        let wait = limits.tried(asker(500), "maria", now).unwrap();
        assert!(wait > Duration::ZERO && wait <= PATIENCE, "{wait:?}");
    }

    #[test]
    fn guesses_from_one_address_are_few_whatever_the_name() {
        let (limits, now) = (Limits::new(), Instant::now());
        let waits: Vec<_> = (0..8).map(|_| limits.tried(asker(1), "maria", now)).collect();
        assert!(waits[..5].iter().all(|it| *it == Ok(Duration::ZERO)), "{waits:?}");
        assert_eq!(waits[5..7], [Ok(Duration::from_secs(5)), Ok(Duration::from_secs(10))]);
        assert!(waits[7].is_err());
        let through = (0..100).filter(|it| limits.tried(asker(30), &it.to_string(), now).is_ok());
        assert_eq!(through.count(), 20);
        // A good one costs nothing.
        for _ in 0..1_000 {
            assert_eq!(limits.tried(asker(20), "good", now), Ok(Duration::ZERO));
            limits.let_in(asker(20), "good");
        }
        assert!(limits.came(asker(30), now).is_ok(), "tokens are not passwords");
    }

    #[test]
    fn the_addresses_that_are_known_are_bounded() {
        let limits = Limits::new();
        for number in 0..=MOST_KNOWN {
            limits.let_in(asker(1), &number.to_string());
        }
        assert_eq!(locked(&limits.known).len(), MOST_KNOWN);
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
