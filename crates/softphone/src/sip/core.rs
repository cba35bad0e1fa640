//! The core that a phone's calls share: the sockets, the tables of transactions and dialogs, and the decision what
//! an incoming message belongs to.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use sidetone_sip::uri::{Scheme, Uri};
use sidetone_sip::{Flow, Message, Name, Transport};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::client::{Client, ClientKey};
use super::dialog::Via;
use super::server::{self, ServerKey, ServerTransaction};
use super::transport::{Destination, Inbound, Transports};
use crate::random::Random;
use crate::{PhoneConfig, PhoneError, lock};

const MAX_TRANSACTIONS: usize = 20_000;
const MAX_DIALOGS: usize = 10_000;
/// Requests of one dialog, and unanswered calls of the phone, that may wait.
const QUEUE: usize = 64;
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, MESSAGE";

/// Call-ID and local tag.
type DialogKey = (String, String);

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: PhoneConfig,
    pub(crate) transports: Transports,
    pub(super) clients: Mutex<HashMap<ClientKey, Client>>,
    pub(super) servers: Mutex<HashMap<ServerKey, Arc<ServerTransaction>>>,
    dialogs: Mutex<HashMap<DialogKey, mpsc::Sender<InDialog>>>,
    invited: mpsc::Sender<Invited>,
    random: Mutex<Random>,
    tasks: Mutex<Vec<AbortHandle>>,
}

/// A message that comes in for a dialog.
#[derive(Debug)]
pub(crate) enum InDialog {
    Request(Arc<ServerTransaction>),
    /// For a 2xx; has no transaction of its own.
    Ack(Message),
}

/// A call for this phone, not answered yet.
#[derive(Debug)]
pub(crate) struct Invited {
    pub(crate) transaction: Arc<ServerTransaction>,
    pub(crate) local_tag: String,
    pub(crate) requests: mpsc::Receiver<InDialog>,
}

impl Core {
    pub(crate) async fn start(config: PhoneConfig) -> io::Result<(Arc<Self>, mpsc::Receiver<Invited>)> {
        let (transports, inbound, tasks) = Transports::bind(config.bind).await?;
        let (invited, calls) = mpsc::channel(QUEUE);
        let core = Arc::new(Self {
            random: Mutex::new(Random::new(config.seed)),
            config,
            transports,
            clients: Mutex::default(),
            servers: Mutex::default(),
            dialogs: Mutex::default(),
            invited,
            tasks: Mutex::new(tasks),
        });
        let task = tokio::spawn(dispatch(Arc::downgrade(&core), inbound)).abort_handle();
        lock(&core.tasks).push(task);
        Ok((core, calls))
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.transports.local
    }

    pub(crate) fn send(&self, bytes: Bytes, to: Destination) {
        self.transports.send(bytes, to);
    }

    pub(crate) fn token(&self) -> String {
        lock(&self.random).token()
    }

    pub(crate) fn number(&self) -> u64 {
        lock(&self.random).next()
    }

    pub(crate) fn via(&self, transport: Transport) -> Via {
        Via { transport, sent_by: self.local(), branch: self.token() }
    }

    pub(crate) fn contact(&self, transport: Transport) -> String {
        let parameter = if transport == Transport::Tcp { ";transport=tcp" } else { "" };
        format!("<sip:{}@{}{parameter}>", self.config.user, self.local())
    }

    /// Where a request to that URI goes. Names are looked up for addresses only, no SRV.
    pub(crate) async fn resolve(&self, uri: &Uri) -> Result<Destination, PhoneError> {
        let view = uri.view();
        let unfit = || PhoneError::Uri(uri.to_string());
        if view.scheme() != Scheme::Sip {
            return Err(unfit());
        }
        let transport = match view.transport_param() {
            None => Transport::Udp,
            Some(word) => match Transport::from_word(word) {
                Some(spoken @ (Transport::Udp | Transport::Tcp)) => spoken,
                _ => return Err(unfit()),
            },
        };
        let port = view.port().unwrap_or(5060);
        let remote = match view.host_ip() {
            Some(ip) => Some(SocketAddr::new(ip, port)),
            None => {
                let mut found = lookup_host((view.host(), port)).await?;
                found.find(|address| address.is_ipv4() == self.local().is_ipv4())
            }
        };
        Ok(Destination { transport, remote: remote.ok_or_else(|| PhoneError::NoAddress(uri.to_string()))? })
    }

    /// Requests with that Call-ID and To tag come out of the returned channel from now on.
    pub(crate) fn register(&self, call_id: &str, local_tag: &str) -> Option<mpsc::Receiver<InDialog>> {
        let (sender, requests) = mpsc::channel(QUEUE);
        let mut dialogs = lock(&self.dialogs);
        if dialogs.len() >= MAX_DIALOGS {
            return None;
        }
        dialogs.insert((call_id.to_owned(), local_tag.to_owned()), sender);
        Some(requests)
    }

    pub(crate) fn unregister(&self, call_id: &str, local_tag: &str) {
        lock(&self.dialogs).remove(&(call_id.to_owned(), local_tag.to_owned()));
    }

    fn receive(self: &Arc<Self>, flow: Flow, bytes: Bytes) {
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, remote = %flow.remote, "message dropped");
                return;
            }
        };
        if message.is_request() {
            self.receive_request(flow, message);
        } else if !self.respond_to_client(message) {
            tracing::debug!(remote = %flow.remote, "response to nothing");
        }
    }

    /// Gives a request to its transaction, its dialog or a new call. The transaction is kept before anything answers
    /// it, so that a copy of the request gets the same answer.
    fn receive_request(self: &Arc<Self>, flow: Flow, request: Message) {
        let Some(method) = request.method().map(|method| method.as_str().to_owned()) else { return };
        if method == "ACK" {
            return self.receive_ack(request);
        }
        let Some(key) = server::key(&request, &method) else { return };
        let transaction = {
            let mut servers = lock(&self.servers);
            if let Some(known) = servers.get(&key) {
                return known.repeat(&self.transports);
            }
            if servers.len() >= MAX_TRANSACTIONS {
                return;
            }
            let new = ServerTransaction::new(Arc::downgrade(self), request, flow, key.clone());
            let new = Arc::new(new);
            servers.insert(key, Arc::clone(&new));
            new
        };
        let tag = transaction.request.to_tag().map(str::to_owned);
        match (method.as_str(), tag) {
            ("CANCEL", _) => self.receive_cancel(&transaction),
            (_, Some(tag)) => {
                let key = (transaction.request.call_id().to_owned(), tag);
                let dialog = lock(&self.dialogs).get(&key).cloned();
                let refused = match dialog {
                    Some(dialog) => match dialog.try_send(InDialog::Request(Arc::clone(&transaction))) {
                        Ok(()) => return,
                        Err(mpsc::error::TrySendError::Full(_)) => 503,
                        Err(mpsc::error::TrySendError::Closed(_)) => 481,
                    },
                    None => 481,
                };
                transaction.respond(refused, |r| r);
            }
            ("INVITE", None) => self.receive_call(&transaction),
            ("OPTIONS" | "MESSAGE" | "NOTIFY", None) => {
                let tag = self.token();
                transaction.respond(200, |r| r.to_tag(&tag).header("Allow", ALLOW));
            }
            _ => {
                let tag = self.token();
                transaction.respond(405, |r| r.to_tag(&tag).header("Allow", ALLOW));
            }
        }
    }

    /// An ACK belongs to a refused INVITE's transaction, or to a dialog.
    fn receive_ack(&self, ack: Message) {
        let refused = server::key(&ack, "INVITE").and_then(|key| lock(&self.servers).get(&key).cloned());
        if let Some(transaction) = refused {
            return transaction.acknowledge();
        }
        let key = (ack.call_id().to_owned(), ack.to_tag().unwrap_or_default().to_owned());
        if let Some(dialog) = lock(&self.dialogs).get(&key) {
            let _ = dialog.try_send(InDialog::Ack(ack));
        }
    }

    fn receive_cancel(&self, cancel: &Arc<ServerTransaction>) {
        let invite =
            server::key(&cancel.request, "INVITE").and_then(|key| lock(&self.servers).get(&key).cloned());
        let Some(invite) = invite else {
            cancel.respond(481, |r| r);
            return;
        };
        let tag = self.token();
        cancel.respond(200, |r| r.to_tag(&tag));
        if invite.respond(487, |r| r.to_tag(&tag)) {
            invite.cancel();
        }
    }

    fn receive_call(&self, transaction: &Arc<ServerTransaction>) {
        transaction.respond(100, |r| r);
        let local_tag = self.token();
        let unfit =
            [Name::From, Name::Contact].into_iter().any(|name| transaction.request.header(name).is_none());
        if unfit || transaction.request.from_tag().is_none() {
            transaction.respond(400, |r| r.to_tag(&local_tag));
            return;
        }
        let call_id = transaction.request.call_id();
        let Some(requests) = self.register(call_id, &local_tag) else {
            transaction.respond(503, |r| r.to_tag(&local_tag));
            return;
        };
        let call = Invited { transaction: Arc::clone(transaction), local_tag: local_tag.clone(), requests };
        if self.invited.try_send(call).is_err() {
            self.unregister(call_id, &local_tag);
            transaction.respond(486, |r| r.to_tag(&local_tag));
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        lock(&self.tasks).iter().for_each(AbortHandle::abort);
    }
}

async fn dispatch(core: Weak<Core>, mut inbound: mpsc::Receiver<Inbound>) {
    while let Some(Inbound { flow, bytes }) = inbound.recv().await {
        let Some(core) = core.upgrade() else { return };
        core.receive(flow, bytes);
    }
}
