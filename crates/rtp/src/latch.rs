//! Latching: whose media is let in at a port, and where media to that party goes.
//!
//! A party's SDP names an address, but behind a NAT its packets come from another one, and it can
//! only be reached by answering to where they came from (symmetric RTP, RFC 4961). A port that
//! believes the first stranger, though, gives the call to whoever sprays packets at it. So:
//!
//! # The rule
//!
//! **Permitted.** A source is permitted under
//! - [`Policy::Sdp`] if it is exactly the address that the party's SDP names;
//! - [`Policy::Signalled`] (the default) if its *IP* is the one that the SDP names, or the one that
//!   the party's SIP signalling came from. The port may be any;
//! - [`Policy::Open`] always. Weaker: whoever sends first has the stream, for as long as it sends.
//!
//! A source that isn't permitted is rejected, always, and nothing about it is remembered but a count.
//!
//! **First.** While nothing is latched, the first packet from a permitted source latches it.
//!
//! **After that** only the latched source is accepted. Another permitted source takes its place,
//! [`Relatched`](Verdict::Relatched), only
//! - (a) when new SDP has moved the address and the latched source is one from before the move; or
//!   when the source is *exactly* the address that the SDP names and the latched one isn't. Both
//!   only within `relatch_after` of the first packet since that SDP (for the very first SDP too);
//! - (b) when the latched source has been silent for `relatch_after`.
//!
//! New SDP under which the latched source is no longer permitted un-latches it at once.
//!
//! So a third party whose IP isn't permitted never gets in, whatever it sends and when; and one
//! that shares a permitted IP (the same NAT, the same PBX host) can't take a stream that is live,
//! but for the first moments after SDP has moved. What such a neighbour can still do is be first:
//! latch before the party itself has sent anything, from an address that the SDP does not name.
//!
//! **Where media goes**, [`Latch::target`]: to the latched source; before one is latched, to the
//! address in the SDP; to nobody while the SDP names no address (`c=0.0.0.0`). After a move, a
//! party that had been heard from exactly its SDP address is at once sent to at the new one; a
//! party that had been learnt elsewhere (behind a NAT, the SDP's address leads nowhere) keeps its
//! learnt one until a source of the new SDP is heard.
//!
//! RTCP has a latch of its own under the same rule, [`Latch::rtcp`], with a longer silence, for its
//! packets come seconds apart.
//!
//! A latch is to be asked only about packets that are what they should be: it can't know that a
//! datagram is no RTP, so [`classify`](crate::classify()) and parse it first.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Whose packets are let in. See the [module](self) for the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Only the exact address in the SDP.
    Sdp,
    /// The IP in the SDP or the one that signals; any port.
    #[default]
    Signalled,
    /// Anyone, first come first served. For parties whose media and signalling come from unrelated,
    /// unforeseeable addresses; weaker.
    Open,
}

/// The answer about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Let it in.
    Accept,
    /// Let it in, and from now on this source only: [`Latch::target`] has changed.
    Relatched,
    /// Drop it.
    Reject(Rejection),
}

impl Verdict {
    /// Whether the packet is let in.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        !matches!(self, Verdict::Reject(_))
    }
}

/// Why a packet is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The policy does not permit that source.
    NotPermitted,
    /// The source is permitted, but another one is latched and live.
    Occupied,
}

/// What a latch has turned away and let change, in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LatchCounters {
    /// Rejected: source not permitted.
    pub not_permitted: u64,
    /// Rejected: another source is latched and live.
    pub occupied: u64,
    /// Times that the latch moved to another source.
    pub relatched: u64,
}

/// How good a claim a source has to the stream. A better one takes over in the first moments
/// after SDP moved; see the module's rule (a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Latched before the SDP moved; the flag says that it was exactly the SDP's address then.
    Stale { was_exact: bool },
    /// Permitted, at another address than the SDP's.
    Learnt,
    /// The SDP's own address.
    Exact,
}

impl Claim {
    fn rank(self) -> u8 {
        match self {
            Claim::Stale { .. } => 0,
            Claim::Learnt => 1,
            Claim::Exact => 2,
        }
    }

    fn outdated(self) -> Self {
        match self {
            Claim::Stale { .. } => self,
            Claim::Learnt => Claim::Stale { was_exact: false },
            Claim::Exact => Claim::Stale { was_exact: true },
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Latched {
    source: SocketAddr,
    heard: Duration,
    claim: Claim,
}

/// The time in which a better claim wins: `relatch_after` from the first packet since the SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Unopened,
    Until(Duration),
}

/// One end's latch. Asking it costs a few nanoseconds and allocates nothing.
#[derive(Debug, Clone)]
pub struct Latch {
    policy: Policy,
    relatch_after: Duration,
    asymmetric: bool,
    /// The last address that SDP named.
    stated: Option<SocketAddr>,
    /// Whether the current SDP names one (it doesn't during an RFC 2543 hold).
    reachable: bool,
    signalled: Option<IpAddr>,
    latched: Option<Latched>,
    window: Window,
    counters: LatchCounters,
}

impl Latch {
    /// Silence after which another permitted source may take an RTP stream.
    pub const RTP_SILENCE: Duration = Duration::from_secs(3);
    /// The same for RTCP, whose packets are at least 2.5 s apart (RFC 3550 §6.2: 5 s on average,
    /// randomised by half either way), and of which one may be lost.
    pub const RTCP_SILENCE: Duration = Duration::from_secs(15);

    /// A latch for RTP that expects nobody yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            relatch_after: Self::RTP_SILENCE,
            asymmetric: false,
            stated: None,
            reachable: false,
            signalled: None,
            latched: None,
            window: Window::Unopened,
            counters: LatchCounters::default(),
        }
    }

    /// A latch for RTCP.
    #[must_use]
    pub fn rtcp(policy: Policy) -> Self {
        Self::new(policy).with_relatch_after(Self::RTCP_SILENCE)
    }

    /// Sets the silence after which another permitted source may take the stream.
    #[must_use]
    pub fn with_relatch_after(mut self, silence: Duration) -> Self {
        self.relatch_after = silence;
        self
    }

    /// For a party that is known to receive at its SDP address only, wherever it sends from: media
    /// always goes to the address in the SDP. What is let in stays the same.
    #[must_use]
    pub fn asymmetric(mut self) -> Self {
        self.asymmetric = true;
        self
    }

    /// Tells the latch what SDP and signalling say about the party: the address its SDP names
    /// (`None`, or an unspecified address, while it wants no media), and the IP its SIP messages
    /// come from. Repeating what is known changes nothing.
    pub fn expect(&mut self, remote: Option<SocketAddr>, signalled: Option<IpAddr>) {
        let remote = remote.map(canonical).filter(|a| !a.ip().is_unspecified() && a.port() != 0);
        let signalled = signalled.map(|ip| ip.to_canonical());
        self.reachable = remote.is_some();
        let moved = remote.is_some() && remote != self.stated;
        if !moved && signalled == self.signalled {
            return;
        }
        self.signalled = signalled;
        if moved {
            self.stated = remote;
            self.window = Window::Unopened;
        }
        if let Some(latched) = self.latched {
            self.latched = self.permits(latched.source).then(|| Latched {
                claim: if self.stated == Some(latched.source) {
                    Claim::Exact
                } else if moved {
                    latched.claim.outdated()
                } else {
                    latched.claim
                },
                ..latched
            });
        }
    }

    /// Judges a packet that came from `source` at `now`.
    #[inline]
    pub fn accept(&mut self, now: Duration, source: SocketAddr) -> Verdict {
        if let Some(latched) = &mut self.latched
            && latched.source == source
            && self.window != Window::Unopened
        {
            latched.heard = now;
            return Verdict::Accept;
        }
        self.consider(now, canonical(source))
    }

    /// Where media to this party goes.
    #[inline]
    #[must_use]
    pub fn target(&self) -> Option<SocketAddr> {
        if !self.reachable {
            return None;
        }
        match self.latched {
            Some(Latched { claim: Claim::Stale { was_exact: true }, .. }) | None => self.stated,
            Some(_) if self.asymmetric => self.stated,
            Some(latched) => Some(latched.source),
        }
    }

    /// The source that is latched.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.latched.map(|latched| latched.source)
    }

    /// What was turned away so far.
    #[must_use]
    pub fn counters(&self) -> LatchCounters {
        self.counters
    }

    fn consider(&mut self, now: Duration, source: SocketAddr) -> Verdict {
        if !self.permits(source) {
            self.counters.not_permitted += 1;
            return Verdict::Reject(Rejection::NotPermitted);
        }
        let until = match self.window {
            Window::Until(until) => until,
            Window::Unopened => {
                let until = now.saturating_add(self.relatch_after);
                self.window = Window::Until(until);
                until
            }
        };
        let claim = if self.stated == Some(source) { Claim::Exact } else { Claim::Learnt };
        let challenger = Latched { source, heard: now, claim };
        let Some(latched) = &mut self.latched else {
            self.latched = Some(challenger);
            return Verdict::Accept;
        };
        if latched.source == source {
            latched.heard = now;
            return Verdict::Accept;
        }
        let silent = now.saturating_sub(latched.heard) >= self.relatch_after;
        let outranked = now < until && claim.rank() > latched.claim.rank();
        if silent || outranked {
            *latched = challenger;
            self.counters.relatched += 1;
            return Verdict::Relatched;
        }
        self.counters.occupied += 1;
        Verdict::Reject(Rejection::Occupied)
    }

    fn permits(&self, source: SocketAddr) -> bool {
        match self.policy {
            Policy::Sdp => self.stated == Some(source),
            Policy::Signalled => {
                let ip = source.ip();
                self.stated.is_some_and(|stated| stated.ip() == ip) || self.signalled == Some(ip)
            }
            Policy::Open => true,
        }
    }
}

/// The same address without IPv4-in-IPv6 mapping, flow label and scope, so that equal peers are
/// equal values.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
