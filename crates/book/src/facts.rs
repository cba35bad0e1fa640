//! The SIP core's facts about calls.

use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::{CallKey, Side, Untappable};
use sidetone_consent::policy::{Facts, Presumed};
use sidetone_consent::{Input, Medium, Policy, Source, Telling};
use sidetone_events::{
    CallAnswered, CallHeld, CallId, CallRef, CallResumed, CallStarted, CallUntappable, Direction, MediaState,
    Parties, Signalling, SipTransport, Tls,
};
use sidetone_hear::Work;
use sidetone_insight::cues::Cleared;
use sidetone_relay::PlanChange;
use sidetone_sip::anchor::{CallFact, Claims};
use sidetone_sip::{Flow, Transport};

use crate::book::Book;
use crate::consent::Consent;
use crate::entry::Entry;
use crate::rules::{OnList, RoutedTo};
use crate::{cues, decisions, words};

impl Book {
    /// Takes what the SIP core has noticed, and what TLS has agreed on for the connection that the message came by.
    pub(crate) fn fact(&mut self, now: Duration, fact: CallFact, tls: Option<Tls>) {
        // Long: one arm for each fact that the SIP core tells.
        self.touch(fact.call());
        match fact {
            CallFact::Started { key, call_id, from_side, source, from, to, claims, at } => {
                let signalling = signalling(&source, tls);
                self.started(key, call_id, (from_side, source.remote, signalling), &from, &to, &claims, at);
            }
            CallFact::Ringing { key, .. } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    entry.ring();
                }
            }
            CallFact::Answered { key, by, at } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    self.counters.answered += 1;
                    let waited = entry.answer(at);
                    let signalling = Some(signalling(&by, tls));
                    entry.answers_by(signalling.clone());
                    self.effects.hear(entry.worker(), Work::Answered(key, at));
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, waited_ms = waited.as_millis(), "call answered");
                    self.effects.publish(entry.tell(at, CallAnswered { waited, signalling }));
                }
                self.answered.push((key, at));
            }
            CallFact::Held { key, by, at } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    entry.hold(by, at);
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, by = by.leg().as_str(), "call held");
                    self.effects.hear(entry.worker(), Work::Held(key, by, at));
                    self.effects.publish(entry.tell(at, CallHeld { by: by.leg() }));
                }
            }
            CallFact::Resumed { key, by, at } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    let held = entry.resume(by, at);
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, by = by.leg().as_str(), "call resumed");
                    self.effects.hear(entry.worker(), Work::Resumed(key, by, at));
                    self.effects.publish(entry.tell(at, CallResumed { by: by.leg(), held }));
                }
            }
            CallFact::Untappable { key, stream, reason } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    self.counters.untappable += 1;
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    let told = reason.as_str();
                    if reason.goes_around() {
                        tracing::warn!(%call, %sip_call_id, stream, reason = told, "a stream can't be heard, and may go past Sidetone");
                    } else {
                        let hint = matches!(reason, Untappable::Srtp | Untappable::Dtls).then_some(
                            "let its protection end here by [media.security]: docs/SECURE-MEDIA.md",
                        );
                        tracing::info!(%call, %sip_call_id, stream, reason = told, hint, "a stream is relayed but can't be heard");
                    }
                    let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                    let state = MediaState::Lost;
                    let happening = CallUntappable { stream, reason, leg: None, state };
                    self.effects.publish(entry.tell(now, happening));
                }
            }
            CallFact::Misaimed { key, by } => {
                self.counters.misaimed += 1;
                if let Some(entry) = self.calls.get(&key) {
                    let (call, by) = (entry.call().id, by.leg().as_str());
                    tracing::warn!(%call, by, "an answer aims media at this host, multicast or nobody: none is sent there");
                }
            }
            CallFact::Insecure { key, by } => {
                self.counters.insecure += 1;
                if let Some(entry) = self.calls.get(&key) {
                    let (call, by) = (entry.call().id, by.leg().as_str());
                    tracing::warn!(%call, by, "an answer takes up no protection that media.security allows: its media is rejected, and the call is hung up");
                }
            }
            CallFact::Header { key, by, name, value, at } => match Telling::parse(&name, &value) {
                Ok(telling) => {
                    let source = match by {
                        Side::Trunk => Source::TrunkHeader,
                        Side::Pbx => Source::PbxHeader,
                    };
                    match self.check_language(&telling) {
                        Ok(()) => {
                            self.hear(key, at, &telling, source);
                            self.relabelled.push((key, at));
                        }
                        Err(unknown) => {
                            self.counters.tellings_unknown += 1;
                            tracing::debug!(%unknown, "an X-Sidetone header has no meaning");
                        }
                    }
                }
                Err(unknown) => {
                    self.counters.tellings_unknown += 1;
                    tracing::debug!(%unknown, "an X-Sidetone header has no meaning");
                }
            },
            CallFact::Digit { key, by, digit, .. } => {
                if by == Side::Trunk {
                    self.key_pressed(now, key, digit, Medium::Info);
                }
            }
            CallFact::Referred { key, by, user, replaces, at } => {
                self.referred(at, key, by, &user, replaces);
            }
            CallFact::Replaces { key, replaced, before, at } => {
                self.arrived(at, key, Some(&replaced), before);
            }
            CallFact::Unacknowledged { key } => {
                if let Some(entry) = self.calls.get(&key) {
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    tracing::warn!(%call, %sip_call_id, "the answer did not reach the caller, and no ACK has come: both sides are sent BYE, the ports are released");
                }
            }
            CallFact::Ended { key, by, status, cause, at } => {
                if let Some(entry) = self.calls.get_mut(&key) {
                    cues::hush(&mut self.effects, entry, at, Cleared::Ended);
                }
                self.consent(key, at, Input::Ended);
                if let Some(entry) = self.calls.get_mut(&key) {
                    entry.end(now, by, status, cause, at);
                    self.effects.hear(entry.worker(), Work::Finish(key, at));
                    // A worker has yet to report what was heard; the receipt waits for that.
                    if entry.worker().is_none() {
                        self.file(now, key);
                    }
                }
                self.close_if_done(now, key);
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // The fields of one fact.
    fn started(
        &mut self,
        key: CallKey,
        sip_call_id: String,
        (from_side, source, signalling): (Side, SocketAddr, Signalling),
        from: &str,
        to: &str,
        claims: &Claims,
        at: Duration,
    ) {
        // Long: the fields of a new entry, each from its own source.
        // A call whose trunk isn't known is not analysed: nothing says that its caller was told.
        let RoutedTo { trunk, pbx, disclosure, resumed, to_customers } =
            self.take_route(sip_call_id.clone(), source);
        let direction = match from_side {
            // Either party may renew a dialog, so the sender of the request need not be the caller.
            _ if resumed => Direction::Unknown,
            Side::Trunk => Direction::Inbound,
            Side::Pbx => Direction::Outbound,
        };
        let (from, to) = if resumed { ("", "") } else { (from, to) };
        let began = self.epoch_wall.after(at);
        let call = CallRef::new(
            &self.hasher,
            CallId::unique(began),
            &sip_call_id,
            &trunk,
            direction,
            Parties { caller: from, callee: to },
        )
        .on(self.node.clone());
        // The trunk's party goes by several numbers: the one in From may be withheld, the one in To may be another
        // party's.
        let customer = if direction == Direction::Inbound { from } else { to };
        let numbers: Vec<&str> =
            [customer].into_iter().chain(claims.users.iter().map(String::as_str)).collect();
        let is_on = |list: &Option<OnList>| list.as_ref().is_some_and(|is_on| is_on(&numbers));
        let presumed = match direction {
            _ if is_on(&self.numbers.agents) => Presumed::Agent,
            // A call from before a restart is never listened to, whichever party is on the trunk.
            Direction::Inbound | Direction::Unknown => Presumed::Customer,
            Direction::Outbound if claims.diverted => Presumed::Diverted,
            Direction::Outbound if to_customers => Presumed::Customer,
            Direction::Outbound => Presumed::Dialled,
        };
        let facts = Facts {
            presumed,
            trunk: trunk.clone(),
            // Without workers there is no analysis to announce.
            trunk_policy: if self.workers == 0 { Policy::Never } else { disclosure },
            dialled: to.to_owned(),
            resumed,
            ..Facts::default()
        };
        let consent = Consent::new(&self.settings, key, facts, direction == Direction::Outbound, at);
        // Calls that nothing allows to be analysed so far are checked too: the PBX may still say that a customer is
        // reached.
        let listed = is_on(&self.numbers.excluded);
        let mut entry = Entry::new(key, call, began, sip_call_id, pbx, at, consent);
        entry.calls_by(from_side, signalling.clone());
        self.counters.started += 1;
        let policy = entry.consent.machine.terms().policy;
        tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, %trunk, pbx = entry.pbx(), direction = words::word(&direction), policy = words::word(&policy), "call started");
        let analysed = policy == Policy::GivenUpstream && !listed;
        self.effects.publish(entry.tell(at, CallStarted { analysed, signalling: Some(signalling) }));
        self.enter(key, entry);
        if listed {
            self.consent(key, at, Input::Listed);
        }
        self.arrived(at, key, None, None);
        self.drive(key, at);
    }

    /// Takes what SDP has agreed on.
    pub(crate) fn plan(&mut self, now: Duration, change: PlanChange) {
        let PlanChange { call, stream, plan } = change;
        let Some(entry) = self.calls.get_mut(&call) else { return };
        self.effects.hear(entry.worker(), Work::Plan { call, stream, plan: Box::new(plan.clone()) });
        decisions::agreed(entry.call(), stream, &plan);
        entry.plan(now, stream, plan);
        // The relay does not know yet which worker listens to a new stream.
        self.effects.tap(call, entry.worker());
        self.playback.revoice(&mut self.effects, entry, call);
        let Some((_, plan)) = entry.talk() else { return };
        let input = match plan {
            plan if plan.answered && plan.is_agreed() && plan.tappable.is_err() => Input::Untappable,
            plan if !plan.answered && plan.trunk.is_there() && plan.pbx.is_there() => Input::EarlyMedia,
            _ => return,
        };
        self.consent(call, now, input);
    }

    /// A peer has answered that is not the call's first choice.
    pub(crate) fn answered_by(&mut self, key: CallKey, side: Side, peer: &str) {
        if let Some(entry) = self.calls.get_mut(&key) {
            entry.answered_by(side, peer);
        }
    }

    /// All facts of one SIP message have been told: its headers make one event of labels. Calls that it answered may
    /// get their announcement now: only now is the destination of their media known.
    pub(crate) fn settled(&mut self) {
        for (key, at) in std::mem::take(&mut self.relabelled) {
            self.tell_labels(at, key);
        }
        for (key, at) in std::mem::take(&mut self.answered) {
            self.consent(key, at, Input::Answered);
        }
    }
}

fn signalling(flow: &Flow, tls: Option<Tls>) -> Signalling {
    let transport = match flow.transport {
        Transport::Udp => SipTransport::Udp,
        Transport::Tcp => SipTransport::Tcp,
        Transport::Tls => SipTransport::Tls,
        Transport::Ws => SipTransport::Ws,
        Transport::Wss => SipTransport::Wss,
    };
    Signalling { transport, tls }
}
