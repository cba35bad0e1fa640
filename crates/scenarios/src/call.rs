//! The usual case: SIPp calls SIPp through Sidetone, and the test owns the media of both.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use crate::net::{Net, host};
use crate::rtp::End;
use crate::sidetone::{Setup, Sidetone};
use crate::sipp::{Plan, Sipp};
use crate::trace::{Seen, Stream, Way};
use crate::transparency;

/// A scenario under way between a caller and a callee.
#[derive(Debug)]
pub struct Call {
    /// Sidetone.
    pub sidetone: Sidetone,
    /// SIPp with `uac.xml`.
    pub caller: Sipp,
    /// SIPp with `uas.xml`.
    pub callee: Sipp,
    /// The caller's media.
    pub caller_media: End,
    /// The callee's media.
    pub callee_media: End,
    /// Its piece of loopback, let go of last.
    pub net: Net,
}

/// Which way the call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// The carrier calls the PBX.
    Pbx,
    /// The PBX calls the carrier.
    Trunk,
}

impl Call {
    /// Starts a scenario from the carrier to the PBX, with everything as usual.
    #[must_use]
    pub fn start(scenario: &str) -> Self {
        Self::start_toward(scenario, Toward::Pbx)
    }

    /// Starts a scenario in either direction, with everything as usual.
    #[must_use]
    pub fn start_toward(scenario: &str, toward: Toward) -> Self {
        let net = Net::lease();
        let setup = Setup::usual(&net);
        let (caller, callee) = match toward {
            Toward::Pbx => (host::TRUNK, host::PBX),
            Toward::Trunk => (host::PBX, host::TRUNK),
        };
        let mut uac = Plan::new(scenario, "uac", net.at(caller, 5060));
        let uas = Plan::new(scenario, "uas", net.at(callee, 5060));
        uac.remote = Some(net.at(host::SIDETONE, 5060));
        Self::start_with(net, &setup, uac, uas)
    }

    /// Starts a scenario as planned.
    #[must_use]
    pub fn start_with(net: Net, setup: &Setup, uac: Plan, uas: Plan) -> Self {
        let sidetone = Sidetone::start(&net, setup);
        Self::through(net, sidetone, uac, uas)
    }

    /// Starts a scenario through a Sidetone that runs already.
    #[must_use]
    pub fn through(net: Net, sidetone: Sidetone, uac: Plan, uas: Plan) -> Self {
        let caller_media = End::bind(uac.media);
        let callee_media = End::bind(uas.media);
        let callee = Sipp::start(uas, sidetone.dir());
        let caller = Sipp::start(uac, sidetone.dir());
        Self { net, sidetone, caller, callee, caller_media, callee_media }
    }

    /// Ends the scenario as [`Self::finish`] does, and starts another one through the same Sidetone.
    #[must_use]
    pub fn followed_by(mut self, messages: usize, uac: Plan, uas: Plan) -> Self {
        self.caller.finish();
        self.callee.finish();
        self.check(messages);
        let Self { net, sidetone, caller_media, callee_media, .. } = self;
        // The next one binds the same ports.
        drop((caller_media, callee_media));
        Self::through(net, sidetone, uac, uas)
    }

    /// Waits for the first ACK to reach the callee, and aims both ends' media at what their last SDP said.
    pub fn answered(&mut self) {
        self.callee.wait_received("ACK", 1);
        self.aim();
    }

    /// Aims both ends' media at the address in the last SDP that each received.
    pub fn aim(&mut self) {
        self.caller_media.send_to(media_of(&self.caller.seen(), 0));
        self.callee_media.send_to(media_of(&self.callee.seen(), 0));
    }

    /// Twenty packets in each direction, compared byte for byte.
    pub fn talk(&mut self, what: &str) {
        crate::rtp::both_ways(what, &mut self.caller_media, &mut self.callee_media, 20);
    }

    /// The call's first event: written a moment after the call has begun.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn first_event(&self) -> Value {
        crate::until("the call's first event", || self.sidetone.events().into_iter().next())
    }

    /// Ends the scenario: both parties must be content, at least `messages` messages must have passed, all of them
    /// unchanged where they have to be, and nothing may be left over in Sidetone. Returns the events of the call.
    pub fn finish(mut self, messages: usize) -> Vec<Value> {
        self.caller.finish();
        self.callee.finish();
        self.check(messages);
        self.sidetone.finish()
    }

    fn check(&self, messages: usize) {
        let own = [IpAddr::V4(self.net.v4(host::SIDETONE)), self.net.at_v6(0).ip()];
        transparency::check(&self.caller.seen(), &self.callee.seen(), &own, messages);
    }
}

/// Where the last SDP that a party received wants the media of stream `n`.
///
/// # Panics
/// When there was none.
#[must_use]
pub fn media_of(seen: &[Seen], n: usize) -> SocketAddr {
    let stream = wanted(seen, n);
    SocketAddr::new(stream.address.expect("an address"), stream.port)
}

/// Where the last SDP that a party received wants the RTCP of stream `n`.
///
/// # Panics
/// When there was none, or it has no a=rtcp.
#[must_use]
pub fn rtcp_of(seen: &[Seen], n: usize) -> SocketAddr {
    let stream = wanted(seen, n);
    SocketAddr::new(stream.address.expect("an address"), stream.rtcp.expect("a=rtcp"))
}

/// Stream `n` of the last SDP received that wants it.
fn wanted(seen: &[Seen], n: usize) -> Stream {
    seen.iter()
        .filter(|seen| seen.way == Way::Received)
        .filter_map(Seen::sdp)
        .filter_map(|mut sdp| (n < sdp.streams.len()).then(|| sdp.streams.swap_remove(n)))
        .rfind(|stream| stream.port != 0)
        .expect("an SDP received")
}
