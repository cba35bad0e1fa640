//! Dialog state as the messages that pass change it.

use std::time::Duration;

use super::names::{Member, Names, SetKey};
use super::set::{Dialog, End, LIFETIME, MOST_TARGETS, SETUP, SUBSCRIPTION, Set};
use super::{Dialogs, Found};
use crate::host::HostPort;
use crate::message::{Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::destination::Destination;
use crate::proxy::local::Local;
use crate::proxy::neighbours::{Neighbour, Neighbours};
use crate::proxy::output::MAX_TARGETS;
use crate::uri::UriView;
use crate::{Flow, scan};

/// As many dialogs as may be held are held, by the peer or by all peers together.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct NoRoom;

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
    /// A request is about to be sent on. Returns the set that it is in, if in any.
    ///
    /// # Errors
    /// If it would make a dialog for which there is no room.
    pub(in crate::proxy) fn request(
        &mut self,
        now: Duration,
        passed: Passed<'_>,
        neighbours: &Neighbours,
    ) -> Result<Option<Member>, NoRoom> {
        let Passed { request, source, to, proven } = passed;
        let (Some(method), Some(from)) = (request.method(), neighbours.of(source.remote)) else {
            return Ok(None);
        };
        let names = Names::of(request);
        let found = self.find(now, method, names, source.remote, from, neighbours).or_else(|| {
            let by_caller = proven?;
            let other = neighbours.of(to.remote)?;
            self.take_up(now, names, (from, source), (other, to), by_caller, method)
        });
        match found {
            Some(found) => {
                self.request_within(now, found, names, passed, method);
                Ok(Some(Member { key: found.key, by_caller: found.by_caller }))
            }
            None if request.to_tag().is_none() && makes_dialogs(method) => {
                let opened = self.open(now, names, from, passed, method, neighbours);
                opened.map(|key| Some(Member { key, by_caller: true }))
            }
            None => Ok(None),
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
    ) -> Result<SetKey, NoRoom> {
        self.expire(now);
        let Passed { request, source, to, .. } = passed;
        let names = self.hasher.names(names.call_id, names.from_tag, from.side);
        let hosts = self.hosts_in(request, None);
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let is_its = |set: &Set| neighbours.are_one(set.caller.hop.remote, source.remote);
        let own = self.under(names).find(|(_, set)| is_its(set)).map(|(key, _)| key);
        let key = own.unwrap_or(SetKey { names, caller: from.id });
        if own.is_none() {
            // Nothing stands there, unless its caller's address has become another peer's.
            self.keep_until(key, now);
            self.expire(now);
        }
        if !self.sets.contains_key(&key) {
            if !self.has_room(from) {
                return Err(NoRoom);
            }
            self.held.add(Some(from), 1);
            let caller = End { hop: Destination::from(*source), targets: Vec::new() };
            let set = Set {
                peer: from,
                owner: from,
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
        let Some(set) = self.sets.get_mut(&key) else { return Ok(key) };
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
        Ok(key)
    }

    /// Takes in a request within a dialog. One that overtakes the response which makes its dialog begins the dialog.
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
        let tag = self.hasher.tag(names.from_tag);
        let Some(set) = self.sets.get_mut(&found.key) else { return };
        let hop = Destination::from(*source);
        let index = match found.dialog {
            Some(index) => index,
            None => set.begin_early(now, tag, hop),
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

    /// A response is about to be sent back, to a request that is in that set.
    pub(in crate::proxy) fn response(
        &mut self,
        now: Duration,
        Member { key, by_caller }: Member,
        response: &Message,
        source: &Flow,
        local: &Local,
        neighbours: &Neighbours,
    ) {
        let (Some(status), Some(cseq)) = (response.status(), response.cseq()) else { return };
        if status == 100 {
            return;
        }
        let initial = |set: &&Set| set.cseq == cseq.number && set.invite == (cseq.method == Method::INVITE);
        if by_caller && self.sets.get(&key).filter(initial).is_some() && makes_dialogs(cseq.method) {
            return match status {
                ..300 => self.answered(now, key, response, source, local, neighbours),
                _ => self.failed(now, key),
            };
        }
        let Some(index) = self.dialog_of(key, by_caller, Names::of(response)) else { return };
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
        let tag = self.hasher.tag(response.to_tag().unwrap_or_default());
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
            None => set.begin_early(now, tag, hop),
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

    /// The proxy itself has ended a request that had been sent on, and is in that set.
    pub(in crate::proxy) fn concluded(
        &mut self,
        now: Duration,
        Member { key, by_caller }: Member,
        request: &Message,
    ) {
        let Some(cseq) = request.cseq() else { return };
        if request.to_tag().is_none() {
            if self.sets.get(&key).is_some_and(|set| set.cseq == cseq.number) && makes_dialogs(cseq.method) {
                self.failed(now, key);
            }
        } else if cseq.method == Method::BYE
            && let Some(index) = self.dialog_of(key, by_caller, Names::of(request))
            && let Some(dialog) = self.sets.get_mut(&key).and_then(|set| set.dialogs.get_mut(index))
        {
            dialog.end(now, self.linger);
            self.reschedule(key);
        }
    }

    /// BYEs of the proxy's own have been sent to the parties of a dialog: their tags, and which peers they are.
    pub(in crate::proxy) fn hung_up(
        &mut self,
        now: Duration,
        call_id: &str,
        parties: [(&str, Neighbour); 2],
    ) {
        let [trunk, pbx] = parties;
        for ((caller_tag, caller), (callee_tag, _)) in [(trunk, pbx), (pbx, trunk)] {
            let names = self.hasher.names(call_id, caller_tag, caller.side);
            let key = SetKey { names, caller: caller.id };
            let tag = self.hasher.tag(callee_tag);
            let Some(set) = self.sets.get_mut(&key) else { continue };
            if let Some(dialog) = set.dialogs.iter_mut().find(|dialog| dialog.tag == tag) {
                dialog.end(now, self.linger);
                self.reschedule(key);
            }
        }
    }

    /// Which dialog of its set a request was in, by its own names or its response's.
    fn dialog_of(&self, key: SetKey, by_caller: bool, names: Names<'_>) -> Option<usize> {
        let callee_tag = if by_caller { names.to_tag.unwrap_or_default() } else { names.from_tag };
        let tag = self.hasher.tag(callee_tag);
        self.sets.get(&key)?.dialogs.iter().position(|dialog| dialog.tag == tag)
    }

    /// A dialog that a mark proves is held again from now on.
    fn take_up(
        &mut self,
        now: Duration,
        names: Names<'_>,
        (from, source): (Neighbour, &Flow),
        (to, other): (Neighbour, Destination),
        by_caller: bool,
        method: Method<'_>,
    ) -> Option<Found> {
        self.expire(now);
        if !self.has_room(from) {
            return None;
        }
        let to_tag = names.to_tag?;
        let sender = Destination::from(*source);
        let (caller_tag, callee_tag, owner, caller, callee) = if by_caller {
            (names.from_tag, to_tag, from, sender, other)
        } else {
            (to_tag, names.from_tag, to, other, sender)
        };
        let end = |hop| End { hop, targets: Vec::new() };
        let names = self.hasher.names(names.call_id, caller_tag, owner.side);
        let key = SetKey { names, caller: owner.id };
        let tag = self.hasher.tag(callee_tag);
        let set = self.sets.entry(key).or_insert_with(|| {
            self.held.add(Some(from), 1);
            Set {
                peer: from,
                owner,
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

    /// Hosts by which the sender of a message says that it can be reached: its Contact, and the hops on its side of us.
    /// In a response these stand above our own Record-Route, which `local` knows; a request has no others yet.
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
        let spare = hosts.len().saturating_sub(MOST_TARGETS);
        hosts.iter().skip(spare).map(|host| self.hasher.host(host)).collect()
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
