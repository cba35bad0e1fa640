//! What the messages that pass tell of their dialogs.

use std::time::Duration;

use super::{
    Dialog, Dialogs, End, Found, LIFETIME, LONGEST, MOST_DIALOGS, Names, SETUP, SUBSCRIPTION, Set, SetKey,
};
use crate::host::HostPort;
use crate::message::{Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::MAX_TARGETS;
use crate::proxy::local::Local;
use crate::proxy::neighbours::{Neighbour, Neighbours};
use crate::proxy::output::Destination;
use crate::uri::UriView;
use crate::{Face, Flow, scan};

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Passed<'a> {
    pub(in crate::proxy) request: &'a Message,
    pub(in crate::proxy) source: &'a Flow,
    /// Where it is sent.
    pub(in crate::proxy) to: Destination,
    /// A mark proves that it belongs to a dialog which isn't held any more; whether its sender began that.
    pub(in crate::proxy) proven: Option<bool>,
}

impl Dialogs {
    /// A request is about to be sent on. Returns false if it would make a dialog for which there is no room.
    pub(in crate::proxy) fn request(
        &mut self,
        now: Duration,
        passed: Passed<'_>,
        neighbours: &Neighbours,
    ) -> bool {
        let Passed { request, source, to, proven } = passed;
        let (Some(method), Some(from)) = (request.method(), neighbours.of(source.remote)) else {
            return true;
        };
        let names = Names::of(request);
        let found = self.find(now, method, names, source.remote, from, neighbours).or_else(|| {
            let by_caller = proven?;
            self.take_up(now, names, from, source, to, by_caller, method)
        });
        match found {
            Some(found) => {
                self.request_within(now, found, names, passed, method);
                true
            }
            None if request.to_tag().is_none() && makes_dialogs(method) => {
                self.open(now, names, from, passed, method, neighbours)
            }
            None => true,
        }
    }

    fn open(
        &mut self,
        now: Duration,
        names: Names<'_>,
        from: Neighbour,
        passed: Passed<'_>,
        method: Method<'_>,
        neighbours: &Neighbours,
    ) -> bool {
        self.expire(now);
        let Passed { request, source, to, .. } = passed;
        let key = self.key(names.call_id, names.from_tag, from.face);
        let hosts = self.hosts_in(request, None);
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        // Another peer's has failed: what is tried by this one is a new one.
        let caller = source.remote;
        let foreign = |set: &&Set| !neighbours.are_one(set.caller.hop.remote, caller);
        if self.sets.get(&key).filter(foreign).is_some_and(Set::is_vacant) {
            self.keep_until(key, now);
            self.expire(now);
        }
        if !self.sets.contains_key(&key) {
            if !self.has_room(from) {
                return false;
            }
            self.held.add(Some(from), 1);
            let caller = End { hop: Destination::from(*source), targets: Vec::new() };
            let set = Set {
                peer: from,
                caller,
                tried: Vec::new(),
                dialogs: Vec::new(),
                cseq,
                invite: method == Method::INVITE,
                failed: false,
                open_until: Duration::ZERO,
                until: Duration::ZERO,
            };
            self.sets.insert(key, set);
        }
        let Some(set) = self.sets.get_mut(&key) else { return true };
        set.caller.hop = Destination::from(*source);
        hosts.into_iter().for_each(|host| set.caller.learn(host));
        if !set.tried.contains(&to) {
            if set.tried.len() >= MAX_TARGETS {
                set.tried.remove(0);
            }
            set.tried.push(to);
        }
        (set.cseq, set.invite, set.failed) = (cseq, method == Method::INVITE, false);
        set.open_until = now + SETUP;
        self.reschedule(key);
        true
    }

    fn request_within(
        &mut self,
        now: Duration,
        found: Found,
        names: Names<'_>,
        passed: Passed<'_>,
        method: Method<'_>,
    ) {
        let Passed { request, source, .. } = passed;
        let hosts = if refreshes(method) { self.hosts_in(request, None) } else { Vec::new() };
        let tag = self.tag(names.from_tag);
        let Some(set) = self.sets.get_mut(&found.key) else { return };
        let hop = Destination::from(*source);
        let index = match found.dialog {
            Some(index) => index,
            None => {
                let session = set.invite;
                set.begin(Dialog {
                    tag,
                    callee: End { hop, targets: Vec::new() },
                    session,
                    accepted: false,
                    over: false,
                    subscribed_until: Duration::ZERO,
                    until: now + SETUP,
                })
            }
        };
        let Some(dialog) = set.dialogs.get_mut(index) else { return };
        let end = if found.by_caller { &mut set.caller } else { &mut dialog.callee };
        end.hop = hop;
        hosts.into_iter().for_each(|host| end.learn(host));
        if method == Method::NOTIFY {
            match subscription_state(request) {
                State::Over if dialog.session => dialog.subscribed_until = now,
                State::Over => dialog.until = now + self.linger,
                State::Lasts(lasts) => dialog.subscribed(now, lasts, self.linger),
            }
        } else if !dialog.over {
            dialog.until = dialog.until.max(now + self.linger);
        }
        self.reschedule(found.key);
    }

    /// A response is about to be sent back, to a request that came by `requester`'s face.
    pub(in crate::proxy) fn response(
        &mut self,
        now: Duration,
        response: &Message,
        source: &Flow,
        requester: Face,
        local: &Local,
        neighbours: &Neighbours,
    ) {
        let (Some(status), Some(cseq)) = (response.status(), response.cseq()) else { return };
        if status == 100 {
            return;
        }
        let names = Names::of(response);
        let key = self.key(names.call_id, names.from_tag, requester);
        let initial = |set: &&Set| set.cseq == cseq.number && set.invite == (cseq.method == Method::INVITE);
        if self.sets.get(&key).filter(initial).is_some() && makes_dialogs(cseq.method) {
            return match status {
                ..300 => self.answered(now, key, response, source, local, neighbours),
                _ => self.failed(now, key),
            };
        }
        let Some((key, index, by_caller)) = self.dialog_of(names, requester) else { return };
        let refreshed = status < 300 && refreshes(cseq.method);
        let hosts = if refreshed { self.hosts_in(response, Some(local)) } else { Vec::new() };
        let Some(set) = self.sets.get_mut(&key) else { return };
        let Some(dialog) = set.dialogs.get_mut(index) else { return };
        // The answer is the other party's.
        let end = if by_caller { &mut dialog.callee } else { &mut set.caller };
        hosts.into_iter().for_each(|host| end.learn(host));
        match cseq.method {
            Method::BYE if status >= 200 && !matches!(status, 401 | 407) => dialog.end(now, self.linger),
            Method::INVITE | Method::UPDATE if (200..300).contains(&status) && !dialog.over => {
                dialog.until = now + LIFETIME;
            }
            Method::SUBSCRIBE | Method::REFER if (200..300).contains(&status) => {
                dialog.subscribed(now, expires(response), self.linger);
            }
            _ => {}
        }
        self.reschedule(key);
    }

    /// A response that makes a dialog, or accepts it.
    fn answered(
        &mut self,
        now: Duration,
        key: SetKey,
        response: &Message,
        source: &Flow,
        local: &Local,
        neighbours: &Neighbours,
    ) {
        let hosts = self.hosts_in(response, Some(local));
        let tag = self.tag(response.to_tag().unwrap_or_default());
        let accepts = response.status().is_some_and(|status| status >= 200);
        let linger = self.linger;
        let Some(set) = self.sets.get_mut(&key) else { return };
        // Where the request went is where the next one will be taken; the response may have come from another port.
        let from = source.remote;
        let exact = set.tried.iter().find(|tried| tried.remote == from);
        let hop = exact.or_else(|| set.tried.iter().find(|tried| neighbours.are_one(tried.remote, from)));
        let hop = hop.copied().unwrap_or_else(|| Destination::from(*source));
        let index = match set.dialogs.iter().position(|dialog| dialog.tag == tag) {
            Some(index) => index,
            None => {
                let session = set.invite;
                set.begin(Dialog {
                    tag,
                    callee: End { hop, targets: Vec::new() },
                    session,
                    accepted: false,
                    over: false,
                    subscribed_until: Duration::ZERO,
                    until: now + SETUP,
                })
            }
        };
        set.open_until = if accepts { now + linger } else { now + SETUP };
        let Some(dialog) = set.dialogs.get_mut(index) else { return };
        hosts.into_iter().for_each(|host| dialog.callee.learn(host));
        dialog.accepted |= accepts;
        match (accepts, dialog.session) {
            (false, _) => dialog.until = dialog.until.max(now + SETUP),
            (true, true) if !dialog.over => dialog.until = now + LIFETIME,
            (true, true) => {}
            (true, false) => dialog.subscribed(now, expires(response), linger),
        }
        self.reschedule(key);
    }

    /// The request that opened the set has failed: what nobody has accepted will never be.
    fn failed(&mut self, now: Duration, key: SetKey) {
        let linger = now + self.linger;
        let Some(set) = self.sets.get_mut(&key) else { return };
        set.open_until = set.open_until.min(linger);
        set.failed = true;
        for dialog in set.dialogs.iter_mut().filter(|dialog| !dialog.accepted) {
            dialog.until = dialog.until.min(linger);
        }
        self.reschedule(key);
    }

    /// The proxy itself has ended a request that had been sent on.
    pub(in crate::proxy) fn concluded(&mut self, now: Duration, request: &Message, requester: Face) {
        let Some(cseq) = request.cseq() else { return };
        let names = Names::of(request);
        let key = self.key(names.call_id, names.from_tag, requester);
        if request.to_tag().is_none() {
            if self.sets.get(&key).is_some_and(|set| set.cseq == cseq.number) && makes_dialogs(cseq.method) {
                self.failed(now, key);
            }
        } else if cseq.method == Method::BYE
            && let Some((key, index, _)) = self.dialog_of(names, requester)
            && let Some(dialog) = self.sets.get_mut(&key).and_then(|set| set.dialogs.get_mut(index))
        {
            dialog.end(now, self.linger);
            self.reschedule(key);
        }
    }

    /// A BYE of the proxy's own has been sent to the parties of a dialog, whose initial request came by either face.
    pub(in crate::proxy) fn hung_up(&mut self, now: Duration, call_id: &str, trunk_tag: &str, pbx_tag: &str) {
        let names = Names { call_id, from_tag: trunk_tag, to_tag: Some(pbx_tag) };
        if let Some((key, index, _)) = self.dialog_of(names, Face::Trunk)
            && let Some(dialog) = self.sets.get_mut(&key).and_then(|set| set.dialogs.get_mut(index))
        {
            dialog.end(now, self.linger);
            self.reschedule(key);
        }
    }

    /// The dialog of a request that came by `requester`'s face, whoever sent it: that was looked into when it came.
    fn dialog_of(&self, names: Names<'_>, requester: Face) -> Option<(SetKey, usize, bool)> {
        let to_tag = names.to_tag.unwrap_or_default();
        let sides =
            [(names.from_tag, to_tag, requester, true), (to_tag, names.from_tag, requester.other(), false)];
        sides.into_iter().find_map(|(caller_tag, callee_tag, face, by_caller)| {
            let key = self.key(names.call_id, caller_tag, face);
            let tag = self.tag(callee_tag);
            let index = self.sets.get(&key)?.dialogs.iter().position(|dialog| dialog.tag == tag)?;
            Some((key, index, by_caller))
        })
    }

    /// A dialog that a mark proves is held again from now on.
    #[allow(clippy::too_many_arguments)] // The two parties, and what is known of both.
    fn take_up(
        &mut self,
        now: Duration,
        names: Names<'_>,
        from: Neighbour,
        source: &Flow,
        to: Destination,
        by_caller: bool,
        method: Method<'_>,
    ) -> Option<Found> {
        self.expire(now);
        if !self.has_room(from) {
            return None;
        }
        let to_tag = names.to_tag?;
        let (sender, other) = (Destination::from(*source), to);
        let (caller_tag, callee_tag, face, caller, callee) = if by_caller {
            (names.from_tag, to_tag, from.face, sender, other)
        } else {
            (to_tag, names.from_tag, from.face.other(), other, sender)
        };
        let end = |hop| End { hop, targets: Vec::new() };
        let key = self.key(names.call_id, caller_tag, face);
        let tag = self.tag(callee_tag);
        let set = self.sets.entry(key).or_insert_with(|| {
            self.held.add(Some(from), 1);
            Set {
                peer: from,
                caller: end(caller),
                tried: Vec::new(),
                dialogs: Vec::new(),
                cseq: 0,
                invite: true,
                failed: false,
                open_until: Duration::ZERO,
                until: Duration::ZERO,
            }
        });
        let index = set.begin(Dialog {
            tag,
            callee: end(callee),
            session: !matches!(method, Method::NOTIFY | Method::SUBSCRIBE),
            accepted: true,
            over: false,
            subscribed_until: now + SUBSCRIPTION,
            until: now + LIFETIME,
        });
        self.reschedule(key);
        Some(Found { key, dialog: Some(index), by_caller })
    }

    /// Hosts by which the sender of a message says that it can be reached: its Contact, and the hops on its side of us. In a
    /// response these stand above our own Record-Route, which `local` knows; a request has no others yet.
    fn hosts_in(&self, message: &Message, local: Option<&Local>) -> Vec<u64> {
        let is_ours =
            |value: &&[u8]| local.zip(sip_uri(value)).is_some_and(|(local, uri)| local.is_our_uri(&uri));
        let host = |value| sip_uri(value).and_then(|uri| uri.host_port());
        let hops = message.values(Name::RecordRoute).take_while(|value| !is_ours(value));
        let mut hosts: Vec<HostPort> = hops.filter_map(host).collect();
        // In a request the nearest stands first, in a response last.
        if local.is_none() {
            hosts.reverse();
        }
        hosts.extend(message.first_value(Name::Contact).and_then(host));
        let spare = hosts.len().saturating_sub(super::MOST_TARGETS);
        hosts.iter().skip(spare).map(|host| self.host(host)).collect()
    }
}

impl<'a> Names<'a> {
    pub(in crate::proxy) fn of(message: &'a Message) -> Self {
        Self {
            call_id: message.call_id(),
            from_tag: message.from_tag().unwrap_or_default(),
            to_tag: message.to_tag(),
        }
    }
}

impl Set {
    /// Whether nothing came of it, so that its name is free.
    pub(super) fn is_vacant(&self) -> bool {
        self.failed && self.dialogs.iter().all(|dialog| !dialog.accepted || dialog.over)
    }

    /// Adds a dialog; gives its index.
    fn begin(&mut self, dialog: Dialog) -> usize {
        if self.dialogs.len() >= MOST_DIALOGS {
            let oldest = self.dialogs.iter().position(|dialog| !dialog.accepted).unwrap_or(0);
            self.dialogs.remove(oldest);
        }
        self.dialogs.push(dialog);
        self.dialogs.len() - 1
    }
}

impl Dialog {
    fn subscribed(&mut self, now: Duration, lasts: Duration, linger: Duration) {
        let until = now + lasts.min(LONGEST) + linger;
        self.subscribed_until = self.subscribed_until.max(until);
        self.until = self.until.max(until);
    }

    fn end(&mut self, now: Duration, linger: Duration) {
        self.over = true;
        self.until = self.subscribed_until.max(now + linger);
    }
}

fn sip_uri(value: &[u8]) -> Option<UriView<'_>> {
    NameAddr::parse(value).ok()?.uri().ok().filter(UriView::is_sip)
}

/// Whether a request outside of dialogs may make some. Of methods that are not known here it is assumed.
fn makes_dialogs(method: Method<'_>) -> bool {
    !matches!(
        method,
        Method::ACK
            | Method::BYE
            | Method::CANCEL
            | Method::INFO
            | Method::MESSAGE
            | Method::NOTIFY
            | Method::OPTIONS
            | Method::PRACK
            | Method::PUBLISH
            | Method::REGISTER
            | Method::UPDATE
    )
}

/// Whether a request, and the 2xx to it, says anew where its sender is (RFC 3261 §12.2, RFC 3311, RFC 6665 §4.4.1).
fn refreshes(method: Method<'_>) -> bool {
    matches!(method, Method::INVITE | Method::UPDATE | Method::SUBSCRIBE | Method::NOTIFY | Method::REFER)
}

enum State {
    Over,
    Lasts(Duration),
}

/// `Subscription-State: active;expires=60` (RFC 6665 §8.2.3).
fn subscription_state(notify: &Message) -> State {
    let Some(header) = notify.headers_called("Subscription-State").next() else {
        return State::Lasts(Duration::ZERO);
    };
    let text = header.text();
    let mut words = text.split(';').map(str::trim);
    if words.next().is_some_and(|state| state.eq_ignore_ascii_case("terminated")) {
        return State::Over;
    }
    let seconds = words.find_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.trim().eq_ignore_ascii_case("expires").then(|| value.trim().parse().ok())?
    });
    State::Lasts(seconds.map_or(SUBSCRIPTION, Duration::from_secs))
}

fn expires(response: &Message) -> Duration {
    let seconds = response.header(Name::Expires).and_then(|header| scan::decimal(header.value));
    seconds.map_or(SUBSCRIPTION, Duration::from_secs)
}
