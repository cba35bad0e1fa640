//! A DTLS session, from the first datagram to the keys.
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::hmac;
use ring::rand::SystemRandom;
use thiserror::Error;

use crate::cookie::{self, Opening};
use crate::fingerprint::Fingerprints;
use crate::identity::Identity;
use crate::keys::{Keys, Profile, Role};
use crate::provider::{self, with_cookie};

/// The largest datagram that we send, as WebRTC has it: fits into every path's MTU with room for IPv6 and a tunnel.
pub const MTU: usize = 1200;
/// The largest datagram that is looked at.
const MOST: usize = 2048;
/// Datagrams that the engine keeps until those before them are here.
const RECEIVED: usize = 30;
/// No certificate that comes in as many datagrams is longer. The engine panics where one finds no room.
const CERTIFICATE: usize = MOST * RECEIVED;
/// Datagrams and facts that wait to be taken.
const WAITING: usize = 32;
/// A flight is sent again after this time, then after twice as long, and so on (RFC 6347 §4.2.4.1 lets a real-time
/// application take less than its second).
const RETRANSMIT: Duration = Duration::from_millis(250);
const RETRIES: usize = 6;
/// From the first ClientHello to the keys.
const PATIENCE: Duration = Duration::from_secs(30);
/// An alert without a key may be anybody's. It ends a handshake that then makes no headway for so long.
const DOUBT: Duration = Duration::from_secs(2);
/// Engines that a server may begin in one session.
const ATTEMPTS: u8 = 8;
/// How long a handshake with an address that has shown its cookie is left alone by others that show theirs.
const PRECEDENCE: Duration = Duration::from_secs(1);
/// A peer's addresses that ICE has verified, beside the one that is sent to.
const OTHERS: usize = 4;

/// A handshake over datagrams that ends in the keys of an SRTP stream.
pub trait Handshake {
    /// Takes a datagram that came from `from`.
    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);

    /// The peer is to be sent to at `peer`, and may send from there: SDP says so, or with [`Trust::Ice`] a check. The
    /// first call begins a client's handshake.
    fn aim(&mut self, now: Instant, peer: SocketAddr);

    /// Does what is due; see [`Handshake::next_timeout`].
    fn tick(&mut self, now: Instant);

    /// When [`Handshake::tick`] is to be called.
    fn next_timeout(&self) -> Option<Instant>;

    /// The next of what came of it. To be called until it gives none, after every other call.
    fn poll(&mut self) -> Option<Output>;

    /// Says good-bye to the peer: one `close_notify`, if there are keys. Nothing is heard afterwards.
    fn close(&mut self, now: Instant);

    /// What was dropped, and why.
    fn counts(&self) -> Counts;
}

/// What comes out of a [`Handshake`].
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// To be sent.
    Datagram {
        /// To there.
        to: SocketAddr,
        /// At most [`MTU`] octets.
        bytes: Vec<u8>,
    },
    /// The peer has shown the certificate that its SDP promises, and these are the keys. Again, if its client has begun
    /// anew (RFC 6347 §4.2.8): others, in place of those before.
    Keys(Keys),
    /// Somebody has broken off, or was not the peer. The session waits for the peer again, if a server's.
    Refused(Failure),
    /// There will be no keys. The last output.
    Failed(Failure),
    /// The peer has closed the session: its stream is over. The last output.
    Closed,
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Failure {
    /// Its certificate is none that its SDP promises: somebody else, or somebody in between.
    #[error("the peer's certificate is not one of those in its SDP")]
    Fingerprint,
    /// Its certificate's key is neither on P-256 or P-384 nor RSA of 2,048 bits or more, or its signature is wrong.
    #[error("the peer's certificate has a key of a kind that is not taken, or its signature is wrong")]
    Certificate,
    /// No cipher suite or group that both have.
    #[error("no cipher suite or key exchange group in common")]
    Suite,
    /// It can't do the extended master secret (RFC 7627).
    #[error("the peer does not offer the extended master secret")]
    MasterSecret,
    /// No `use_srtp`, or no profile that both have.
    #[error("no SRTP protection profile in common")]
    Profile,
    /// The peer has given up, with this alert (RFC 5246 §7.2).
    #[error("the peer gave up with alert {0}")]
    Alert(u8),
    /// The peer no longer answered.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    Protocol,
}

/// What speaks for an address, so that a server may spend a signature on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Nothing: it has to send back a cookie.
    Cookie,
    /// ICE: only addresses told by [`Handshake::aim`] are heard, and they need no cookie.
    Ice,
}

/// What was dropped, in datagrams unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// No DTLS records, or too long.
    pub malformed: u64,
    /// From another address than the peer's.
    pub strangers: u64,
    /// Answered with a HelloVerifyRequest and otherwise forgotten.
    pub unverified: u64,
    /// Handshakes that a server began anew, because the one before broke off or another address brought its cookie.
    pub restarts: u64,
    /// Alerts without a key. They are not believed at once.
    pub alerts: u64,
    /// After the end.
    pub late: u64,
}

/// What all sessions share: our certificate, and the engine's settings.
pub struct Settings {
    identity: Identity,
    cookie: Arc<dimpl::Config>,
    ice: Arc<dimpl::Config>,
    dtls_1_3: bool,
}

/// The engine refuses its settings. A fault of the program.
#[derive(Debug, Error)]
#[error("DTLS can't be set up: {0}")]
pub struct SettingsError(#[from] dimpl::Error);

impl Settings {
    /// With this certificate. With `dtls_1_3` a server takes DTLS 1.3 from a client that offers it and whose address
    /// ICE has verified; a client of ours offers DTLS 1.2.
    ///
    /// # Errors
    ///
    /// If the engine finds fault with its settings or cryptography, which it tries out here: once, when the process
    /// starts.
    pub fn new(identity: Identity, dtls_1_3: bool) -> Result<Self, SettingsError> {
        let config = |cookie| {
            dimpl::Config::builder()
                .mtu(MTU)
                .max_queue_rx(RECEIVED)
                .flight_start_rto(RETRANSMIT)
                .flight_retries(RETRIES)
                .handshake_timeout(PATIENCE)
                .require_client_certificate(true)
                .use_server_cookie(cookie)
                .with_crypto_provider(provider::provider())
                .build()
                .map(Arc::new)
        };
        Ok(Self { identity, cookie: config(true)?, ice: config(false)?, dtls_1_3 })
    }

    /// Our certificate.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("identity", &self.identity)
            .field("dtls_1_3", &self.dtls_1_3)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No engine yet.
    Waiting,
    /// From the first ClientHello on.
    Shaking,
    /// There are keys. The engine stays, for a peer that has not got our last flight.
    Done,
    /// Nothing is heard any more.
    Over,
}

/// The [`Handshake`] of `dimpl`.
pub struct Dtls {
    settings: Arc<Settings>,
    role: Role,
    trust: Trust,
    expected: Fingerprints,
    cookie_key: hmac::Key,
    peer: Option<SocketAddr>,
    others: [Option<SocketAddr>; OTHERS],
    engine: Option<Box<dimpl::Dtls>>,
    phase: Phase,
    /// Whether the peer has shown the right certificate, in the handshake that goes on or is done.
    proven: bool,
    /// Whether keys were given. They hold, whatever comes of a handshake that a client begins anew.
    keyed: bool,
    /// The client's random value of the handshake that goes on or is done.
    hello: Option<[u8; 32]>,
    attempts: u8,
    /// When the handshake that goes on began.
    since: Option<Instant>,
    alert: Option<(u8, Instant)>,
    wake: Option<Instant>,
    outputs: VecDeque<Output>,
    counts: Counts,
}

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtls").field("role", &self.role).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Dtls {
    /// A session that waits: for a ClientHello as a server, for [`Handshake::aim`] as a client.
    #[must_use]
    pub fn new(settings: Arc<Settings>, role: Role, trust: Trust, expected: Fingerprints) -> Self {
        // Without random bytes no cookie is made, and a server hears nobody: the engine would not begin either.
        let cookie_key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let phase = if cookie_key.is_ok() { Phase::Waiting } else { Phase::Over };
        Self {
            settings,
            role,
            trust,
            expected,
            cookie_key: cookie_key.unwrap_or_else(|_| hmac::Key::new(hmac::HMAC_SHA256, &[])),
            peer: None,
            others: [None; OTHERS],
            engine: None,
            phase,
            proven: false,
            keyed: false,
            hello: None,
            attempts: 0,
            since: None,
            alert: None,
            wake: None,
            outputs: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    fn knows(&self, from: SocketAddr) -> bool {
        self.peer == Some(from) || (self.trust == Trust::Ice && self.others.contains(&Some(from)))
    }

    /// Makes an engine and starts its clock.
    fn begin(&mut self, now: Instant) {
        let certificate = self.settings.identity.certificate();
        let mut engine = Box::new(match (self.role, self.trust) {
            (Role::Server, Trust::Ice) if self.settings.dtls_1_3 => {
                dimpl::Dtls::new_auto(Arc::clone(&self.settings.ice), certificate, now)
            }
            (Role::Server, Trust::Cookie) => {
                dimpl::Dtls::new_12(Arc::clone(&self.settings.cookie), certificate, now)
            }
            _ => dimpl::Dtls::new_12(Arc::clone(&self.settings.ice), certificate, now),
        });
        engine.set_active(self.role == Role::Client);
        self.counts.restarts += u64::from(self.attempts > 0);
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Shaking;
        self.since = Some(now);
        self.proven = false;
        self.alert = None;
        let begun = engine.handle_timeout(now);
        self.engine = Some(engine);
        self.progress(begun);
    }

    /// A datagram for a server that has no engine for this address, which nothing speaks for yet.
    fn open(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match cookie::open(&self.cookie_key, from, datagram) {
            Opening::Other => self.counts.strangers += 1,
            Opening::Unverified(reply) => {
                self.counts.unverified += 1;
                self.give(Output::Datagram { to: from, bytes: reply.to_vec() });
            }
            // Anybody who may send here can show a cookie. Whoever came first has a moment in which nobody else ends
            // what they have begun, and in the end nobody does.
            Opening::Verified(_) if self.has_precedence(now) => self.counts.strangers += 1,
            Opening::Verified(_) if self.attempts >= ATTEMPTS => self.fail(Failure::Protocol),
            Opening::Verified(verified) => {
                self.peer = Some(from);
                self.hello = cookie::random(datagram);
                self.begin(now);
                let Some(engine) = self.engine.as_mut() else { return };
                let opened = with_cookie(verified.cookie, || {
                    engine.handle_packet(&verified.first)?;
                    // Its HelloVerifyRequest, which this client has had from us.
                    let mut unsent = [0; 128];
                    while let dimpl::Output::Packet(_) = engine.poll_output(&mut unsent) {}
                    engine.handle_packet(datagram)
                });
                self.progress(opened);
            }
        }
    }

    /// Whether a handshake goes on that another address does not end.
    fn has_precedence(&self, now: Instant) -> bool {
        let young = self.since.is_some_and(|since| now.saturating_duration_since(since) < PRECEDENCE);
        self.phase == Phase::Shaking && self.engine.is_some() && (young || self.attempts >= ATTEMPTS)
    }

    /// Takes what the engine has to give, after it has been called with this result.
    fn progress(&mut self, result: Result<(), dimpl::Error>) {
        let Some(mut engine) = self.engine.take() else { return };
        let mut small = [0; MOST];
        let mut large = Vec::new();
        let buffer = if self.proven {
            small.as_mut_slice()
        } else {
            large.resize(CERTIFICATE, 0);
            &mut large
        };
        let mut connected = false;
        let mut keys = None;
        let verdict = loop {
            match engine.poll_output(buffer) {
                dimpl::Output::Packet(bytes) => {
                    if let Some(to) = self.peer {
                        self.give(Output::Datagram { to, bytes: bytes.to_vec() });
                    }
                }
                dimpl::Output::PeerCert(certificate) => {
                    if !self.expected.admit(certificate) {
                        break Some(Failure::Fingerprint);
                    }
                    self.proven = true;
                }
                dimpl::Output::Connected => connected = true,
                dimpl::Output::KeyingMaterial(exported, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
                        _ => None,
                    };
                    keys = profile.and_then(|profile| Keys::cut(profile, self.role, &exported));
                }
                dimpl::Output::CloseNotify => {
                    self.phase = Phase::Over;
                    self.give(Output::Closed);
                    // What follows is the answer to it, which goes out too.
                }
                dimpl::Output::Timeout(at) => {
                    self.wake = Some(at);
                    break None;
                }
                dimpl::Output::BufferTooSmall { .. } => break Some(Failure::Protocol),
                // No data is carried beside SRTP.
                _ => {}
            }
        };
        match (verdict, result, keys) {
            (Some(failure), _, _) => self.fail(failure),
            (None, Err(error), _) if self.phase == Phase::Done => self.broken(&error),
            (None, Err(error), _) => self.fail(failure(&error)),
            (None, Ok(()), Some(keys)) if self.proven => {
                self.phase = Phase::Done;
                self.keyed = true;
                self.outputs.push_back(Output::Keys(keys));
                self.engine = Some(engine);
            }
            (None, Ok(()), _) if connected => {
                // The peer believes that all is well.
                let _ = engine.close();
                while let (dimpl::Output::Packet(bytes), Some(to)) = (engine.poll_output(buffer), self.peer) {
                    self.give(Output::Datagram { to, bytes: bytes.to_vec() });
                }
                self.fail(Failure::Profile);
            }
            (None, Ok(()), _) if self.phase == Phase::Over => {}
            (None, Ok(()), _) => self.engine = Some(engine),
        }
    }

    /// The engine has come to its end after it gave the keys. They hold; an alert that bears the session's key, though,
    /// is the peer's good-bye.
    fn broken(&mut self, error: &dimpl::Error) {
        if let Failure::Alert(_) = failure(error) {
            self.phase = Phase::Over;
            self.give(Output::Closed);
        }
    }

    /// Ends the session; or, if it may not have been the peer that broke it off, waits for the peer again.
    fn fail(&mut self, failure: Failure) {
        self.engine = None;
        self.wake = None;
        self.alert = None;
        if failure == Failure::Fingerprint {
            // Nothing of this handshake goes out but the reason why it ends.
            self.outputs.clear();
        }
        if let (Some(to), Some(description)) = (self.peer, farewell(failure)) {
            self.give(Output::Datagram { to, bytes: alert(description).to_vec() });
        }
        if self.keyed {
            // A client has begun anew and got nowhere. It may have been anybody.
            self.phase = Phase::Done;
            return self.give(Output::Refused(failure));
        }
        let unsure = match self.trust {
            Trust::Cookie => failure != Failure::TimedOut,
            Trust::Ice => failure == Failure::Protocol,
        };
        if self.phase == Phase::Shaking
            && self.role == Role::Server
            && !self.proven
            && unsure
            && self.attempts < ATTEMPTS
        {
            self.phase = Phase::Waiting;
            if self.trust == Trust::Cookie {
                self.peer = None;
            }
            return self.give(Output::Refused(failure));
        }
        self.phase = Phase::Over;
        self.outputs.push_back(Output::Failed(failure));
    }

    fn give(&mut self, output: Output) {
        if self.outputs.len() < WAITING {
            self.outputs.push_back(output);
        }
    }
}

impl Handshake for Dtls {
    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        if self.phase == Phase::Over {
            self.counts.late += 1;
            return;
        }
        let Some(read) = inspect(datagram) else {
            self.counts.malformed += 1;
            return;
        };
        let hello = cookie::random(datagram).filter(|_| self.role == Role::Server);
        // A client that has lost its session, or another one behind the same certificate, begins anew: the keys that
        // there are hold until it has shown the certificate (RFC 6347 §4.2.8).
        let anew = self.phase == Phase::Done && hello.is_some() && hello != self.hello;
        if anew && self.attempts >= ATTEMPTS {
            self.counts.strangers += 1;
            return;
        }
        if !self.knows(from) || self.engine.is_none() || anew {
            match (self.role, self.trust) {
                (Role::Server, Trust::Cookie) if !self.proven || anew => {
                    return self.open(now, from, datagram);
                }
                (Role::Server, Trust::Ice) if self.knows(from) && (anew || !self.keyed) => {
                    self.hello = hello;
                    self.begin(now);
                }
                _ => {
                    self.counts.strangers += 1;
                    return;
                }
            }
        }
        if let Some(description) = read.alert {
            self.counts.alerts += 1;
            if self.phase == Phase::Shaking && self.alert.is_none() {
                self.alert = Some((description, now));
            }
        }
        let Some(engine) = self.engine.as_mut() else { return };
        let mut result = engine.handle_timeout(now);
        if !read.records.is_empty() {
            result = result.and_then(|()| engine.handle_packet(read.records));
        }
        let before = self.outputs.len();
        self.progress(result);
        // It makes headway.
        if !read.records.is_empty() && self.outputs.len() > before {
            self.alert = None;
        }
    }

    fn aim(&mut self, now: Instant, peer: SocketAddr) {
        if self.phase == Phase::Over || self.peer == Some(peer) {
            return;
        }
        if let Some(before) = self.peer.replace(peer) {
            if !self.others.contains(&Some(before)) {
                self.others.rotate_right(1);
                if let Some(newest) = self.others.first_mut() {
                    *newest = Some(before);
                }
            }
        } else if self.role == Role::Client {
            self.begin(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        if let Some((description, at)) = self.alert
            && self.phase == Phase::Shaking
            && now.saturating_duration_since(at) >= DOUBT
        {
            return self.fail(Failure::Alert(description));
        }
        if let Some(engine) = self.engine.as_mut() {
            let result = engine.handle_timeout(now);
            self.progress(result);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        if self.phase != Phase::Shaking {
            return None;
        }
        let doubt = self.alert.map(|(_, at)| at + DOUBT);
        match (self.wake, doubt) {
            (Some(wake), Some(doubt)) => Some(wake.min(doubt)),
            (wake, doubt) => wake.or(doubt),
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn close(&mut self, now: Instant) {
        if let Some(engine) = self.engine.as_mut() {
            let result = engine.handle_timeout(now).and_then(|()| engine.close());
            if self.phase == Phase::Done {
                self.progress(result);
            }
        }
        self.phase = Phase::Over;
        self.engine = None;
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}

/// The records of a datagram, up to the first alert without a key.
struct Inspected<'a> {
    records: &'a [u8],
    /// The description of that alert, if it is a fatal one.
    alert: Option<u8>,
}

/// Walks the record headers (RFC 6347 §4.1). None if they are no such thing.
fn inspect(datagram: &[u8]) -> Option<Inspected<'_>> {
    if datagram.is_empty() || datagram.len() > MOST {
        return None;
    }
    let mut rest = datagram;
    while let Some(&kind) = rest.first() {
        // A record of DTLS 1.3 under a key has a header whose length only the engine knows (RFC 9147 §4).
        if (32..64).contains(&kind) {
            break;
        }
        let (header, body) = rest.split_at_checked(13)?;
        let &[20..=26, 0xfe, _, epoch_high, epoch_low, _, _, _, _, _, _, high, low] = header else {
            return None;
        };
        let (body, next) = body.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        match (kind, [epoch_high, epoch_low]) {
            (20, [0, 0]) if body == [1] => {}
            (21, [0, 0]) => {
                let &[level, description] = body else { return None };
                let before = datagram.len() - rest.len();
                return Some(Inspected {
                    records: datagram.get(..before).unwrap_or_default(),
                    alert: (level == 2).then_some(description),
                });
            }
            // With a header at least.
            (22, [0, 0]) if body.len() >= 12 => {}
            // Nothing else is sent without a key. The engine would keep it, and break off when it finds it in the end.
            (_, [0, 0]) => return None,
            _ => {}
        }
        rest = next;
    }
    Some(Inspected { records: datagram, alert: None })
}

/// What the peer is told of a failure (RFC 5246 §7.2.2, RFC 8122 §5): bad_certificate, unsupported_certificate,
/// handshake_failure.
fn farewell(failure: Failure) -> Option<u8> {
    match failure {
        Failure::Fingerprint => Some(42),
        Failure::Certificate => Some(43),
        Failure::Suite | Failure::MasterSecret => Some(40),
        Failure::Profile | Failure::Alert(_) | Failure::TimedOut | Failure::Protocol => None,
    }
}

/// A fatal alert without a key. Its number is beyond those of the engine, so that no peer takes it for a repeated one.
fn alert(description: u8) -> [u8; 15] {
    [21, 0xfe, 0xfd, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, description]
}

fn failure(error: &dimpl::Error) -> Failure {
    use dimpl::{CryptoError, CryptoOperation, Error, SecurityError};
    match error {
        Error::Timeout(_) => Failure::TimedOut,
        Error::CertificateError(_)
        | Error::CryptoError(
            CryptoError::UnsupportedPublicKeyAlgorithm
            | CryptoError::OperationFailed(CryptoOperation::VerifySignature)
            | CryptoError::UnsupportedSignatureVerification { .. },
        ) => Failure::Certificate,
        Error::SecurityError(SecurityError::ExtendedMasterSecretNotNegotiated) => Failure::MasterSecret,
        Error::SecurityError(SecurityError::FatalAlert { description }) => Failure::Alert(*description),
        Error::SecurityError(
            SecurityError::NoMutuallyAcceptableCipherSuite
            | SecurityError::NoCommonCipherSuite
            | SecurityError::NoCommonKeyExchangeGroup
            | SecurityError::ServerSelectedUnknownCipherSuite,
        ) => Failure::Suite,
        _ => Failure::Protocol,
    }
}

#[cfg(test)]
mod tests;
