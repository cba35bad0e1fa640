//! Options of a phone and of a call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sidetone_sip::Transport;

use crate::{Audio, Codec, Impairment};

/// A phone.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Where it listens, over UDP and TCP: a concrete address, for it is told to the other end. With
    /// port 0, any that is free.
    pub bind: SocketAddr,
    /// Where its RTP is received; `None`: the address of `bind`.
    pub media: Option<IpAddr>,
    /// The user part of its own URI.
    pub user: String,
    /// How it calls a URI that doesn't say.
    pub transport: Transport,
    /// A URI that every call is sent to, whatever the host of the URI called.
    pub outbound: Option<String>,
    /// The round-trip estimate that retransmissions and timeouts grow from (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// The longest pause between retransmissions.
    pub t2: Duration,
    /// For tags, branches, Call-IDs, SSRCs. Two phones need two seeds.
    pub seed: u64,
}

impl Default for PhoneConfig {
    /// 127.0.0.1, UDP, the RFC's timers, a seed of the moment.
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            media: None,
            user: "phone".to_owned(),
            transport: Transport::Udp,
            outbound: None,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            seed: moment(),
        }
    }
}

/// Differs from call to call and from process to process.
fn moment() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::SystemTime::now())
}

/// A call, made or answered.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// Offered in this order. In an answer, the offer's first that is among them is taken.
    pub codecs: Vec<Codec>,
    /// The audio that is sent.
    pub audio: Audio,
    /// Milliseconds of audio a packet, 5 to 200; Opus takes 5, 10, 20, 40 and 60.
    pub ptime_ms: u32,
    /// Times real time: 10.0 sends ten seconds of audio in one. RTP timestamps keep the audio's time.
    pub pace: f64,
    /// A bad network on the way out.
    pub impairment: Impairment,
    /// INVITE without SDP; the offer comes in the 200, the answer goes in the ACK.
    pub late_offer: bool,
    /// RTP and RTCP on one port, if the other end agrees (RFC 5761).
    pub rtcp_mux: bool,
    /// Between RTCP sender reports; `None`: no RTCP.
    pub rtcp_interval: Option<Duration>,
    /// Packets kept for the report in each direction; more are only counted.
    pub keep: usize,
    /// More header fields for the INVITE, or for the 200.
    pub headers: Vec<(String, String)>,
    /// How long it may ring.
    pub ring_timeout: Duration,
}

impl Default for CallOptions {
    /// G.711 of either law, silence, 20 ms, real time, a perfect network.
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            audio: Audio::silence(),
            ptime_ms: 20,
            pace: 1.0,
            impairment: Impairment::default(),
            late_offer: false,
            rtcp_mux: false,
            rtcp_interval: Some(Duration::from_secs(5)),
            keep: 200_000,
            headers: Vec::new(),
            ring_timeout: Duration::from_secs(60),
        }
    }
}

/// The ways to put a call on hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `a=sendonly`: this end goes on sending, as a PBX does with its music.
    SendOnly,
    /// `a=inactive`: neither end sends.
    Inactive,
    /// `c=0.0.0.0`, as RFC 2543 had it: neither end sends.
    ZeroAddress,
}
