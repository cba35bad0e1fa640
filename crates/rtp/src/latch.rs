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
//! **Too early.** A party can't send to a port that nobody has told it of. Until [`Latch::announce`] every
//! packet is therefore a stray, usually of the call that had the port before; its source is never learnt
//! afterwards ([`Rejection::Stray`]), unless SDP names it.
//!
//! **Too late.** A sender of the call that had the port before may go on without a packet between the port's opening
//! and its announcement. So whoever has sent to a port is told to its next latch ([`Latch::senders`],
//! [`Latch::beware`]): such a sender is a stray as long as its SSRC is what it was. The same address with another SSRC
//! is a new stream, and welcome.
//!
//! **First.** While nothing is latched, the first packet from a permitted source latches it.
//!
//! **After that** only the latched source is accepted. Which other permitted source takes its place,
//! [`Relatched`](Verdict::Relatched), and after which silence of the latched one:
//!
//! | the challenger | [`Policy::Sdp`] | [`Policy::Signalled`] | [`Policy::Open`] |
//! | --- | --- | --- | --- |
//! | comes from exactly the address that the SDP names | at once | at once | at once |
//! | is the source that was displaced under this SDP | – | at once | at once |
//! | carries the latched stream's SSRC: a NAT has given the party another port | – | 3 s | 3 s |
//! | another one, while the latched source is not established | – | 3 s | 3 s |
//! | another one, the latched source is established, but not at the SDP's address | – | 30 s | 30 s |
//! | another one, the latched source is exactly the SDP's address | – | never | 30 s |
//! | another one, SDP has moved the address and the latched source is from before | – | at once, for 3 s | at once, for 3 s |
//!
//! The 3 s are [`Latch::RTP_SILENCE`]; for RTCP they are [`Latch::RTCP_SILENCE`], 15 s. The 30 s are
//! [`Latch::ESTABLISHED`] times as long, for RTCP 150 s. A source is established once it has been heard over
//! so long a time: a stray packet is not. The 3 s after a move count from the first permitted packet since.
//!
//! New SDP under which the latched source is no longer permitted un-latches it at once.
//!
//! So a third party whose IP isn't permitted never gets in, whatever it sends and when. One that shares a
//! permitted IP (the same NAT, the same SBC) can't take a stream that is live, but for the first moments
//! after SDP has moved; nor one that is silent, before the time in the table; and it loses it again to the first packet
//! from the SDP's own address or from the party that it took it from. What such a neighbour can still do is be
//! first: latch before the party itself has sent anything, from an address that the SDP does not name.
//!
//! **Where media goes**, [`Latch::target`]: to the latched source; before one is latched, to the
//! address in the SDP; to nobody while the SDP names no address (`c=0.0.0.0`). After a move, a
//! party that had been heard from exactly its SDP address is at once sent to at the new one; a
//! party that had been learnt elsewhere (behind a NAT, the SDP's address leads nowhere) keeps its
//! learnt one until a source of the new SDP is heard.
//!
//! RTCP has a latch of its own under the same rule, [`Latch::rtcp`], with longer silences, for its
//! packets come seconds apart.
//!
//! A latch is to be asked only about packets that are what they should be: it can't know that a
//! datagram is no RTP, so [`classify`](crate::classify()) and parse it first.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The latch of a port: whose packets are let in. See the [module](self) for the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
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
    /// The source is permitted, but another one is latched.
    Occupied,
    /// The sender belongs to a call that had the port before: it sent before the party could know of the port, or goes
    /// on with that call's stream.
    Stray,
}

/// Counts of a latch, in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LatchCounters {
    /// Rejected: source not permitted.
    pub not_permitted: u64,
    /// Rejected: another source is latched.
    pub occupied: u64,
    /// Rejected: the source sent before the port was announced, or was heard in the call before.
    pub strays: u64,
    /// Times that the latch moved to another source.
    pub relatched: u64,
}

/// How good a claim a source has to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Claim {
    /// Latched before the SDP moved; the flag says that it was exactly the SDP's address then.
    Stale { was_exact: bool },
    /// Permitted, at another address than the SDP's.
    Learnt,
    /// The SDP's own address.
    Exact,
}

impl Claim {
    fn outdated(self) -> Self {
        match self {
            Claim::Stale { .. } => self,
            Claim::Learnt => Claim::Stale { was_exact: false },
            Claim::Exact => Claim::Stale { was_exact: true },
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Latched {
    source: SocketAddr,
    /// The SSRC of its newest packet.
    ssrc: Option<u32>,
    /// When it was first heard, and last.
    since: Duration,
    heard: Duration,
    claim: Claim,
}

impl Latched {
    fn sender(self) -> Sender {
        Sender { address: self.source, ssrc: self.ssrc }
    }
}

/// How a source takes another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// The source holds the port by a claim of its own: the other one has none any more.
    Rightfully,
    /// Only since the other one has been silent for long: should that one be heard again, the place is its.
    Abandoned,
}

/// A sender to a port: its address, and its SSRC if it had one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sender {
    /// Where the packets came from.
    pub address: SocketAddr,
    /// The SSRC of the newest of its packets.
    pub ssrc: Option<u32>,
}

/// Senders to one port that may not have heard yet that their call is over.
pub type Senders = [Option<Sender>; MOST_SENDERS];

/// Senders that are remembered for a port's next call: its party, who it was before a transfer or two, and late ones of
/// the call before.
const MOST_SENDERS: usize = 6;

/// Strays that are remembered. One port has one late sender, seldom two; who comes after these is counted no less, and
/// may be learnt once the port is announced.
const MOST_STRAYS: usize = 4;

/// The time in which a source of the new SDP takes over from one of the old: `relatch_after` from the first packet
/// since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Window {
    Unopened,
    Until(Duration),
}

/// One end's latch. Asking it costs a few nanoseconds and allocates nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// The established source that the latched one has taken the place of, under this SDP, and its SSRC.
    displaced: Option<(SocketAddr, Option<u32>)>,
    announced: bool,
    strays: [Option<Sender>; MOST_STRAYS],
    /// Senders of the call before.
    late: Senders,
    /// Sources that were latched and are not any more, the newest first.
    former: Senders,
    window: Window,
    counters: LatchCounters,
}

impl Latch {
    /// Silence after which a NAT's new port takes an RTP stream, or any permitted source one that is not established.
    pub const RTP_SILENCE: Duration = Duration::from_secs(3);
    /// The same for RTCP, whose packets are at least 2.5 s apart (RFC 3550 §6.2: 5 s on average,
    /// randomised by half either way), and of which one may be lost.
    pub const RTCP_SILENCE: Duration = Duration::from_secs(15);
    /// So many times as long an established source must be silent before just any permitted source takes its place:
    /// longer than speakers pause whose phones send nothing meanwhile.
    pub const ESTABLISHED: u32 = 10;

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
            displaced: None,
            announced: true,
            strays: [None; MOST_STRAYS],
            late: [None; MOST_SENDERS],
            former: [None; MOST_SENDERS],
            window: Window::Unopened,
            counters: LatchCounters::default(),
        }
    }

    /// A latch for RTCP.
    #[must_use]
    pub fn rtcp(policy: Policy) -> Self {
        Self::new(policy).with_relatch_after(Self::RTCP_SILENCE)
    }

    /// Sets the silence after which another source may take the stream: the 3 s of the [module's](self) table.
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

    /// For a port that the party has not been told of yet, and that another call may have had.
    #[must_use]
    pub fn unannounced(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Tells of senders of the call that had the port before, who may go on.
    pub fn beware(&mut self, of: &Senders) {
        for sender in of.iter().flatten() {
            remember(&mut self.late, *sender);
        }
    }

    /// The senders here, which may go on when the port has its next call: for that one's latch to [`Self::beware`]
    /// of.
    #[must_use]
    pub fn senders(&self) -> Senders {
        let mut all = [None; MOST_SENDERS];
        let latched = self.latched.map(Latched::sender);
        let strays = self.strays.iter().flatten();
        // The last to be remembered has its place for sure.
        let by_rank =
            self.late.iter().rev().flatten().chain(strays).chain(self.former.iter().rev().flatten());
        by_rank.copied().chain(latched).for_each(|sender| remember(&mut all, sender));
        all
    }

    /// The party is being told of the port: from now on it may send.
    pub fn announce(&mut self) {
        self.announced = true;
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
            self.displaced = None;
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
            if self.latched.is_none() {
                remember(&mut self.former, latched.sender());
            }
        }
    }

    /// Judges a packet that came from `source` at `now`, and says nothing of its sender but that.
    #[inline]
    pub fn accept(&mut self, now: Duration, source: SocketAddr) -> Verdict {
        self.accept_stream(now, source, None)
    }

    /// Judges a packet that came from `source` at `now` with that SSRC: that of RTP, or of RTCP's sender.
    #[inline]
    pub fn accept_stream(&mut self, now: Duration, source: SocketAddr, ssrc: Option<u32>) -> Verdict {
        if let Some(latched) = &mut self.latched
            && latched.source == source
            && self.window != Window::Unopened
        {
            latched.heard = now;
            latched.ssrc = ssrc;
            return Verdict::Accept;
        }
        self.consider(now, canonical(source), ssrc)
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

    /// The sender whose packets are let in whatever else happens until new SDP, or another sender's packet: the latched
    /// one, with its newest SSRC.
    #[must_use]
    pub fn settled(&self) -> Option<Sender> {
        self.latched.filter(|_| self.window != Window::Unopened).map(Latched::sender)
    }

    /// The source that is latched.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.latched.map(|latched| latched.source)
    }

    /// Counts so far.
    #[must_use]
    pub fn counters(&self) -> LatchCounters {
        self.counters
    }

    /// Judges a packet by its source. Strays are turned away first: their address may be permitted, and still they send
    /// for another call.
    fn consider(&mut self, now: Duration, source: SocketAddr, ssrc: Option<u32>) -> Verdict {
        if self.is_stray(Sender { address: source, ssrc }) {
            self.counters.strays += 1;
            return Verdict::Reject(Rejection::Stray);
        }
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
        let challenger = Latched { source, ssrc, since: now, heard: now, claim };
        let Some(latched) = &mut self.latched else {
            self.latched = Some(challenger);
            return Verdict::Accept;
        };
        if latched.source == source {
            latched.heard = now;
            latched.ssrc = ssrc;
            return Verdict::Accept;
        }
        let latched = *latched;
        let Some(taken) = self.taken(&latched, &challenger, until) else {
            self.counters.occupied += 1;
            return Verdict::Reject(Rejection::Occupied);
        };
        self.displaced = (taken == Taken::Abandoned).then_some((latched.source, latched.ssrc));
        remember(&mut self.former, latched.sender());
        self.latched = Some(challenger);
        self.counters.relatched += 1;
        Verdict::Relatched
    }

    /// How the challenger takes the latched source's place, if it does: the module's table.
    fn taken(&self, latched: &Latched, challenger: &Latched, until: Duration) -> Option<Taken> {
        let now = challenger.heard;
        let returns = |(source, ssrc)| source == challenger.source || same(ssrc, challenger.ssrc);
        let moved = now < until && matches!(latched.claim, Claim::Stale { .. });
        if challenger.claim == Claim::Exact || moved || self.displaced.is_some_and(returns) {
            return Some(Taken::Rightfully);
        }
        let silent = now.saturating_sub(latched.heard);
        if same(latched.ssrc, challenger.ssrc) {
            return (silent >= self.relatch_after).then_some(Taken::Rightfully);
        }
        let established = latched.heard.saturating_sub(latched.since) >= self.relatch_after;
        match latched.claim {
            Claim::Exact if self.policy != Policy::Open => None,
            Claim::Learnt | Claim::Stale { .. } if !established => {
                (silent >= self.relatch_after).then_some(Taken::Rightfully)
            }
            _ => (silent >= self.relatch_after.saturating_mul(Self::ESTABLISHED)).then_some(Taken::Abandoned),
        }
    }

    /// Whether a source sent before the port was announced or goes on with the last call's stream, and SDP does not
    /// name it. Remembers the source if it sends too early now.
    fn is_stray(&mut self, sender: Sender) -> bool {
        let known = self.strays.iter().flatten().any(|stray| stray.address == sender.address);
        if self.announced {
            return (known || self.late.contains(&Some(sender))) && self.stated != Some(sender.address);
        }
        if !known && let Some(free) = self.strays.iter_mut().find(|stray| stray.is_none()) {
            *free = Some(sender);
        }
        true
    }

    /// Whether the policy permits that source. What else than media comes to a port is judged by it: DTLS.
    #[must_use]
    pub fn permits(&self, source: SocketAddr) -> bool {
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

/// Puts a sender in front; of more than there is room for, the last is forgotten.
fn remember(senders: &mut Senders, sender: Sender) {
    let at = senders.iter().position(|known| *known == Some(sender)).unwrap_or(MOST_SENDERS - 1);
    if let Some(moved) = senders.get_mut(..=at) {
        moved.rotate_right(1);
    }
    if let Some(first) = senders.first_mut() {
        *first = Some(sender);
    }
}

/// Whether two packets are known to be of one stream.
fn same(one: Option<u32>, other: Option<u32>) -> bool {
    one.is_some() && one == other
}

/// The same address without IPv4-in-IPv6 mapping, flow label and scope, so that equal peers are
/// equal values.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
