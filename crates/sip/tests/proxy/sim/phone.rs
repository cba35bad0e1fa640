//! A phone that makes or takes one call, with retransmissions as RFC 3261 has them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::Transport;
use sidetone_sip::message::{self, Message, Method};
use sidetone_sip::transaction::{
    Client, ClientTimeout, InviteClient, InviteServer, NonInviteClient, OnRequest, OnResponse, Server,
    ServerTimeout, Timers,
};

use super::messages::{Dialog, Draft, invite, reply};

/// What the phone is going to do.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// Of the callee: silence before ringing, ringing before answering.
    pub ring_after: Duration,
    pub answer_after: Duration,
    /// Of the callee: 200 or a failure.
    pub status: u16,
    /// Of the caller: when it cancels, counted from the INVITE.
    pub cancel_after: Option<Duration>,
    /// Of the caller: how long it talks before BYE.
    pub talk: Duration,
}

/// How the call went, as the caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, and its BYE got this status (408: nothing).
    Ended(u16),
    Failed(u16),
}

#[derive(Debug)]
pub struct Phone {
    pub addr: SocketAddr,
    pub tcp: bool,
    pub calls: bool,
    pub out: Vec<Bytes>,
    pub outcome: Option<Outcome>,
    /// Of the callee: INVITEs that were no retransmission, and whether the call was answered, confirmed, ended.
    pub invites: u32,
    pub answered: bool,
    pub confirmed: bool,
    pub byes: u32,
    script: Script,
    timers: Timers,
    // Caller.
    draft: Option<Draft>,
    request: Option<(Client, Bytes)>,
    cancel: Option<(Client, Bytes)>,
    cancel_at: Option<Duration>,
    /// When even a patient caller puts the receiver down.
    patient_until: Option<Duration>,
    ack: Option<Bytes>,
    dialog: Option<Dialog>,
    bye_at: Option<Duration>,
    bye: Option<(Client, Bytes)>,
    // Callee.
    invite: Option<(Server, Message)>,
    last: Bytes,
    ring_at: Option<Duration>,
    answer_at: Option<Duration>,
    /// A 2xx is sent again until its ACK, by the phone itself (RFC 3261 §13.3.1.4): when next, how long, until when.
    again: Option<(Duration, Duration, Duration)>,
}

impl Phone {
    fn new(addr: SocketAddr, tcp: bool, calls: bool, script: Script) -> Self {
        Self {
            addr,
            tcp,
            calls,
            out: Vec::new(),
            outcome: None,
            invites: 0,
            answered: false,
            confirmed: false,
            byes: 0,
            script,
            timers: Timers::default(),
            draft: None,
            request: None,
            cancel: None,
            cancel_at: None,
            patient_until: None,
            ack: None,
            dialog: None,
            bye_at: None,
            bye: None,
            invite: None,
            last: Bytes::new(),
            ring_at: None,
            answer_at: None,
            again: None,
        }
    }

    pub fn callee(addr: SocketAddr, tcp: bool, script: Script) -> Self {
        Self::new(addr, tcp, false, script)
    }

    /// Calls `callee` at once.
    pub fn caller(addr: SocketAddr, tcp: bool, script: Script, callee: SocketAddr, now: Duration) -> Self {
        let mut phone = Self::new(addr, tcp, true, script);
        let dialled = callee.to_string().replace(':', "_");
        let draft = phone.by(
            invite(&addr.to_string(), &addr.port().to_string()).uri(&format!("sip:{dialled}@us.example")),
            1,
        );
        let bytes = Bytes::from(draft.text());
        phone.out.push(bytes.clone());
        phone.request =
            Some((Client::Invite(InviteClient::start(now, &phone.timers, phone.transport())), bytes));
        phone.draft = Some(draft);
        phone.patient_until = Some(now + Duration::from_secs(300));
        phone.cancel_at = script.cancel_after.map(|after| now + after);
        phone
    }

    fn transport(&self) -> Transport {
        if self.tcp { Transport::Tcp } else { Transport::Udp }
    }

    fn by(&self, draft: Draft, cseq: u32) -> Draft {
        let transport = self.transport().as_via();
        draft.via(&format!("SIP/2.0/{transport} {};branch=z9hG4bK-{}-{cseq}", self.addr, self.addr.port()))
    }

    fn send(&mut self, bytes: &Bytes) {
        self.out.push(bytes.clone());
    }

    pub fn receive(&mut self, now: Duration, message: &Message) {
        match message.status() {
            Some(status) => self.response(now, message, status),
            None => self.incoming(now, message),
        }
    }

    fn response(&mut self, now: Duration, message: &Message, status: u16) {
        let method = message.cseq().unwrap().method;
        let slot = match method {
            Method::INVITE => &mut self.request,
            Method::CANCEL => &mut self.cancel,
            _ => &mut self.bye,
        };
        let Some((client, sent)) = slot else { return };
        let verdict = client.response(now, &self.timers, status);
        let sent = Message::parse(sent.clone()).unwrap();
        if matches!(verdict, OnResponse::PassAndAck | OnResponse::Ack) {
            let ack = message::ack_to_failure(&sent, message).unwrap();
            self.send(&ack);
        }
        if !matches!(verdict, OnResponse::Pass | OnResponse::PassAndAck) || status < 200 {
            return;
        }
        match method {
            Method::INVITE if status < 300 => {
                if self.dialog.is_none() {
                    let dialog = Dialog::of_caller(message);
                    let ack = self.by(dialog.request("ACK", &self.addr.to_string(), 1), 100);
                    self.ack = Some(Bytes::from(ack.text()));
                    self.dialog = Some(dialog);
                    self.bye_at = Some(now + self.script.talk);
                    self.cancel_at = None;
                }
                let ack = self.ack.clone().unwrap();
                self.send(&ack);
            }
            Method::INVITE => {
                self.cancel_at = None;
                self.outcome = Some(Outcome::Failed(status));
            }
            Method::BYE => self.outcome = Some(Outcome::Ended(status)),
            _ => {}
        }
    }

    fn incoming(&mut self, now: Duration, request: &Message) {
        let me = self.addr.to_string();
        match request.method().unwrap() {
            Method::INVITE => match &self.invite {
                None => {
                    self.invites += 1;
                    self.invite =
                        Some((Server::Invite(InviteServer::start(now, self.transport())), request.clone()));
                    self.ring_at = Some(now + self.script.ring_after);
                    self.answer_at = Some(now + self.script.ring_after + self.script.answer_after);
                }
                Some((_, first))
                    if first.first_value(message::Name::Via) != request.first_value(message::Name::Via) =>
                {
                    self.invites += 1;
                }
                Some((server, _)) => {
                    if server.request() == OnRequest::Resend && !self.last.is_empty() {
                        let last = self.last.clone();
                        self.send(&last);
                    }
                }
            },
            Method::ACK => {
                self.confirmed |= self.answered;
                self.again = None;
                if let Some((Server::Invite(server), _)) = &mut self.invite {
                    server.ack(now, &self.timers);
                }
            }
            Method::CANCEL => {
                let ok = Bytes::from(reply(request, 200, "b", &me));
                self.send(&ok);
                self.respond(now, 487);
            }
            _ => {
                self.byes += 1;
                self.again = None;
                let ok = Bytes::from(reply(request, 200, "b", &me));
                self.send(&ok);
            }
        }
    }

    fn respond(&mut self, now: Duration, status: u16) {
        let me = self.addr.to_string();
        let Some((server, request)) = &mut self.invite else { return };
        if !server.is_pending() || !server.respond(now, &self.timers, status) {
            return;
        }
        self.last = Bytes::from(reply(request, status, "b", &me));
        if status >= 200 {
            self.ring_at = None;
            self.answer_at = None;
        }
        if (200..300).contains(&status) {
            self.answered = true;
            self.again = Some((now + self.timers.t1, self.timers.t1, now + self.timers.long()));
        }
        let last = self.last.clone();
        self.send(&last);
    }

    pub fn next_timeout(&self) -> Option<Duration> {
        let client = |c: &Option<(Client, Bytes)>| c.as_ref().and_then(|c| c.0.next_timeout());
        [
            client(&self.request),
            client(&self.cancel),
            client(&self.bye),
            self.cancel_at,
            self.patient_until.filter(|_| self.request.as_ref().is_some_and(|(c, _)| c.is_pending())),
            self.bye_at,
            self.invite.as_ref().and_then(|i| i.0.next_timeout()),
            self.ring_at,
            self.answer_at,
            self.again.map(|a| a.0),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub fn timeout(&mut self, now: Duration) {
        let due = |at: &mut Option<Duration>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.ring_at) {
            self.respond(now, 180);
        }
        if due(&mut self.answer_at) {
            self.respond(now, self.script.status);
        }
        let pending = self.request.as_mut().filter(|(client, _)| client.is_pending());
        if due(&mut self.patient_until)
            && let Some((client, _)) = pending
        {
            client.terminate();
            self.outcome = Some(Outcome::Failed(408));
        }
        if due(&mut self.bye_at) {
            let dialog = self.dialog.clone().unwrap();
            let bye = self.by(dialog.request("BYE", &self.addr.to_string(), 2), 2);
            let bytes = Bytes::from(bye.text());
            self.send(&bytes);
            self.bye =
                Some((Client::NonInvite(NonInviteClient::start(now, &self.timers, self.transport())), bytes));
        }
        let ringing = self.request.as_ref().is_some_and(|(c, _)| c.is_pending() && !c.is_unanswered());
        if ringing && due(&mut self.cancel_at) {
            let bytes = Bytes::from(self.draft.as_ref().unwrap().cancel().text());
            self.send(&bytes);
            self.cancel =
                Some((Client::NonInvite(NonInviteClient::start(now, &self.timers, self.transport())), bytes));
        } else if self.cancel_at.is_some_and(|at| at <= now) {
            // Not before something has been heard.
            self.cancel_at = self
                .request
                .as_ref()
                .filter(|(c, _)| c.is_pending())
                .map(|_| now + Duration::from_millis(100));
        }
        self.repeat(now);
        for which in 0..3 {
            self.client_timeout(now, which);
        }
        if let Some((server, _)) = &mut self.invite {
            match server.timeout(now, &self.timers) {
                ServerTimeout::Trying => self.respond(now, 100),
                ServerTimeout::Resend => self.out.push(self.last.clone()),
                ServerTimeout::Idle | ServerTimeout::Ended => {}
            }
        }
    }

    fn repeat(&mut self, now: Duration) {
        let Some((at, interval, until)) = self.again.filter(|a| a.0 <= now) else { return };
        let longer = (interval * 2).min(self.timers.t2);
        self.again = (at < until).then_some((now + longer, longer, until));
        let last = self.last.clone();
        self.send(&last);
    }

    fn client_timeout(&mut self, now: Duration, which: usize) {
        let slot = match which {
            0 => &mut self.request,
            1 => &mut self.cancel,
            _ => &mut self.bye,
        };
        let Some((client, bytes)) = slot else { return };
        match client.timeout(now, &self.timers) {
            ClientTimeout::Retransmit => self.out.push(bytes.clone()),
            ClientTimeout::TimedOut if which == 0 => self.outcome = Some(Outcome::Failed(408)),
            ClientTimeout::TimedOut if which == 2 => self.outcome = Some(Outcome::Ended(408)),
            ClientTimeout::TimedOut => {
                // RFC 3261 §9.1: a cancelled call that doesn't end is over after 64 × T1.
                if let Some((client, _)) = self.request.as_mut().filter(|(c, _)| c.is_pending()) {
                    client.terminate();
                    self.outcome = Some(Outcome::Failed(408));
                }
            }
            ClientTimeout::Idle | ClientTimeout::Ended => {}
        }
    }
}
