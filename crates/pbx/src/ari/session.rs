//! A session with Asterisk's REST interface, without the connections: events in, requests out, answers in.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::board::{Board, Job, JobId, Outcome, Tell};
use crate::fault::Fault;
use crate::text::{after_prefix, percent, shown};
use crate::variables::Variable;

/// The name of the events that Sidetone posts.
const TELLS: &str = "Sidetone";
/// The name of the events that Sidetone listens to.
const HEARS: &str = "SidetoneTell";
/// The Asterisk events that are needed.
const EVENTS: [&str; 7] = [
    "ChannelCreated",
    "ChannelDestroyed",
    "ChannelDialplan",
    "ChannelStateChange",
    "ChannelUserevent",
    "ChannelVarset",
    "StasisStart",
];
/// Most channels outside Stasis that are remembered as such.
const OUTSIDE: usize = 20_000;

/// A request to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) method: Method,
    /// Path and query behind the configured URL; fully encoded.
    pub(crate) path: String,
    /// The body, as JSON.
    pub(crate) body: Option<String>,
}

/// The HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
}

/// The purpose of a request.
#[derive(Debug, Clone)]
enum Aim {
    /// Limits the events to those that are needed.
    Filter,
    List(JobId),
    Find(JobId),
    /// `outside` is for a channel that no application controls.
    Set {
        job: JobId,
        id: Arc<str>,
        variable: Variable,
        value: Box<str>,
        outside: bool,
    },
    /// Whether a variable set from outside has arrived.
    Check {
        job: JobId,
        value: Box<str>,
    },
    /// The last of `rest` is the application that was asked.
    Tell {
        job: JobId,
        tell: Box<Tell>,
        rest: Vec<String>,
        sourced: bool,
    },
}

/// Whether variables of channels outside Stasis can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Export {
    Untried,
    Works,
    Missing,
}

/// A session, as described above.
#[derive(Debug)]
pub(crate) struct AriSession {
    notify: Vec<String>,
    up: bool,
    /// Requests that wait, besides those for the board's jobs.
    requests: VecDeque<Request>,
    under_way: HashMap<u64, Aim>,
    last: u64,
    outside: HashSet<Arc<str>>,
    export: Export,
}

#[derive(Debug, Deserialize)]
struct Channel {
    id: String,
    name: String,
    #[serde(default)]
    protocol_id: String,
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    variable: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    eventname: String,
    #[serde(default)]
    userevent: Map<String, Value>,
}

impl AriSession {
    /// A session as `application`, whose events go to the applications `notify`.
    pub(crate) fn new(application: &str, notify: &[String]) -> Self {
        let own = [application.to_owned()];
        let notify = if notify.is_empty() { &own[..] } else { notify };
        let mut session = Self {
            notify: notify.to_vec(),
            up: false,
            requests: VecDeque::new(),
            under_way: HashMap::new(),
            last: 0,
            outside: HashSet::new(),
            export: Export::Untried,
        };
        let allowed: Vec<Value> = EVENTS.iter().map(|kind| json!({ "type": kind })).collect();
        let path = format!("/applications/{}/eventFilter", percent(application));
        let body = json!({ "allowed": allowed }).to_string();
        session.ask(Aim::Filter, Method::Put, path, Some(body));
        session
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    fn ask(&mut self, aim: Aim, method: Method, path: String, body: Option<String>) {
        self.last += 1;
        self.under_way.insert(self.last, aim);
        self.requests.push_back(Request { id: self.last, method, path, body });
    }

    /// The next request to make.
    pub(crate) fn next_request(&mut self, now: Duration, board: &mut Board) -> Option<Request> {
        if self.requests.is_empty()
            && self.up
            && let Some((id, job)) = board.next_job(now)
        {
            self.start(now, id, job, board);
        }
        self.requests.pop_front()
    }

    fn start(&mut self, now: Duration, job: JobId, what: Job, board: &mut Board) {
        match what {
            Job::List => self.ask(Aim::List(job), Method::Get, "/channels".to_owned(), None),
            Job::Find { id, name } => {
                let variable = if name.starts_with("SIP/") { "SIPCALLID" } else { "CHANNEL(pjsip,call-id)" };
                self.ask(Aim::Find(job), Method::Get, variable_of(&id, variable), None);
            }
            Job::Set { id, changes } => {
                // One at a time: each has an answer of its own.
                let Some((variable, value)) = changes.into_iter().next() else { return };
                if self.outside.contains(&id) {
                    self.set_outside(now, job, id, variable, value, board);
                } else {
                    let path = format!("{}&value={}", variable_of(&id, variable.name()), percent(&value));
                    let aim = Aim::Set { job, id, variable, value, outside: false };
                    self.ask(aim, Method::Post, path, None);
                }
            }
            // No message is asked for where there is no key for it.
            Job::Say { .. } => {}
            Job::Tell(tell) => {
                let rest = self.notify.clone();
                self.tell(job, tell, rest, true);
            }
        }
    }

    /// ARI sets variables of a channel only while an application controls it. For other channels there is a global
    /// variable that is a function: `EXPORT(channel,variable)`.
    fn set_outside(
        &mut self,
        now: Duration,
        job: JobId,
        id: Arc<str>,
        variable: Variable,
        value: Box<str>,
        board: &mut Board,
    ) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/@".contains(&byte);
        if self.export == Export::Missing || !id.bytes().all(plain) {
            let why = "the channel is in no Stasis application, and func_export.so is not loaded".to_owned();
            return board.done(now, job, Outcome::Refused(why));
        }
        let function = percent(&format!("EXPORT({id},{})", variable.name()));
        let path = format!("/asterisk/variable?variable={function}&value={}", percent(&value));
        self.ask(Aim::Set { job, id, variable, value, outside: true }, Method::Post, path, None);
    }

    /// Posts an event to the last application of `rest`, and then to the others. With `sourced`, the event comes from
    /// its channel.
    fn tell(&mut self, job: JobId, tell: Box<Tell>, rest: Vec<String>, sourced: bool) {
        let Some(application) = rest.last() else { return };
        let mut path = format!("/events/user/{TELLS}?application={}", percent(application));
        let source = tell.channel.as_ref().filter(|_| sourced);
        if let Some((id, _)) = source {
            path.push_str("&source=channel%3A");
            path.push_str(&percent(id));
        }
        let (sourced, body) = (source.is_some(), body(&tell));
        self.ask(Aim::Tell { job, tell, rest, sourced }, Method::Post, path, Some(body));
    }

    /// Takes the answer to a request.
    ///
    /// # Errors
    /// When the PBX refuses the login, or the peer is no PBX.
    pub(crate) fn answer(
        &mut self,
        now: Duration,
        request: u64,
        status: u16,
        body: &[u8],
        board: &mut Board,
    ) -> Result<(), Fault> {
        // Long: one arm for each request that may be answered.
        let Some(aim) = self.under_way.remove(&request) else { return Ok(()) };
        let said = || {
            #[derive(Deserialize)]
            struct Said {
                message: String,
            }
            let said = serde_json::from_slice::<Said>(body).map(|said| said.message).unwrap_or_default();
            shown(&format!("{status} {said}"))
        };
        if matches!(status, 401 | 403) {
            return Err(Fault::Refused(said()));
        }
        let ok = (200..300).contains(&status);
        match aim {
            Aim::Filter => {
                // An older Asterisk without event filters sends everything, which only costs time.
                if !self.up {
                    self.up = true;
                    board.came_up(now);
                }
            }
            Aim::List(job) => {
                if !ok {
                    board.done(now, job, Outcome::Refused(said()));
                    return Ok(());
                }
                let channels: Vec<Channel> = serde_json::from_slice(body)
                    .map_err(|_| Fault::Malformed("a list of channels that is none"))?;
                for channel in channels.iter().filter(|channel| is_sip(&channel.name)) {
                    see(now, channel, board);
                }
                board.done(now, job, Outcome::Done);
            }
            Aim::Find(job) => {
                #[derive(Deserialize)]
                struct Found {
                    value: String,
                }
                let outcome = match status {
                    404 if said().contains("hannel") => Outcome::Gone,
                    404 => Outcome::Found(None),
                    _ if ok => {
                        let found: Found = serde_json::from_slice(body)
                            .map_err(|_| Fault::Malformed("a variable that is none"))?;
                        Outcome::Found(Some(found.value))
                    }
                    _ => Outcome::Refused(said()),
                };
                board.done(now, job, outcome);
            }
            Aim::Set { job, id, variable, value, outside } => match status {
                404 if !outside => board.done(now, job, Outcome::Gone),
                409 if !outside => {
                    if self.outside.len() >= OUTSIDE {
                        self.outside.clear();
                    }
                    self.outside.insert(Arc::clone(&id));
                    self.set_outside(now, job, id, variable, value, board);
                }
                _ if ok && outside && self.export == Export::Untried => {
                    // Asterisk reports no error for a missing function, so the value is read back.
                    let aim = Aim::Check { job, value };
                    self.ask(aim, Method::Get, variable_of(&id, variable.name()), None);
                }
                _ if ok => board.done(now, job, Outcome::Done),
                _ => board.done(now, job, Outcome::Refused(said())),
            },
            Aim::Check { job, value } => {
                let found = serde_json::from_slice::<Value>(body).unwrap_or_default();
                let outcome = if ok && found.get("value").and_then(Value::as_str) == Some(&value) {
                    self.export = Export::Works;
                    Outcome::Done
                } else if said().contains("hannel was not found") {
                    Outcome::Gone
                } else {
                    self.export = Export::Missing;
                    Outcome::Refused(
                        "the channel is in no Stasis application, and func_export.so is not loaded"
                            .to_owned(),
                    )
                };
                board.done(now, job, outcome);
            }
            Aim::Tell { job, tell, mut rest, sourced } => {
                if status == 422 && sourced {
                    self.tell(job, tell, rest, false);
                    return Ok(());
                }
                rest.pop();
                if !ok {
                    board.done(now, job, Outcome::Refused(said()));
                } else if rest.is_empty() {
                    board.done(now, job, Outcome::Done);
                } else {
                    self.tell(job, tell, rest, true);
                }
            }
        }
        Ok(())
    }

    /// Takes an event.
    ///
    /// # Errors
    /// When the text is no event, or says that the connection is of no use any more.
    pub(crate) fn event(&mut self, now: Duration, text: &str, board: &mut Board) -> Result<(), Fault> {
        let event: Event =
            serde_json::from_str(text).map_err(|_| Fault::Malformed("an event that is none"))?;
        if event.kind == "ApplicationReplaced" {
            return Err(Fault::Closed(": another program has taken the application's name"));
        }
        let Some(channel) = event.channel.filter(|_| self.up) else { return Ok(()) };
        if event.kind == "ChannelDestroyed" {
            self.outside.remove(channel.id.as_str());
            board.channel_gone(&channel.id);
            return Ok(());
        }
        if is_sip(&channel.name) {
            see(now, &channel, board);
        }
        match event.kind.as_str() {
            "ChannelVarset" => {
                if let Some(name) = after_prefix(&event.variable, "SIDETONE_TELL_")
                    && !event.value.is_empty()
                {
                    board.heard(now, &channel.id, None, name, &event.value);
                }
            }
            "ChannelUserevent" if event.eventname.eq_ignore_ascii_case(HEARS) => {
                for (name, value) in &event.userevent {
                    if let Value::String(value) = value
                        && name != "eventname"
                    {
                        let name = after_prefix(name, "SIDETONE_TELL_").unwrap_or(name);
                        board.heard(now, &channel.id, None, name, value);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn see(now: Duration, channel: &Channel, board: &mut Board) {
    let sip = Some(channel.protocol_id.as_str()).filter(|sip| !sip.is_empty());
    board.channel_seen(now, &channel.id, &channel.name, None, sip);
}

/// Whether a channel's name means that it speaks SIP.
fn is_sip(name: &str) -> bool {
    name.starts_with("PJSIP/") || name.starts_with("SIP/")
}

fn variable_of(id: &str, variable: &str) -> String {
    format!("/channels/{}/variable?variable={}", percent(id), percent(variable))
}

/// The body of a user event: the call, the variables' values, and the event itself as an object.
fn body(tell: &Tell) -> String {
    let event = &tell.event.event;
    let mut variables = Map::new();
    let mut put = |name: &str, value: &str| variables.insert(name.to_owned(), value.into());
    put("kind", event.kind().name());
    put("call", &event.call.id.to_string());
    put("sip_call_id", &tell.sip);
    for variable in Variable::ALL {
        if let Some(value) = tell.values.get(variable) {
            put(&variable.header().to_ascii_lowercase(), value);
        }
    }
    let whole = serde_json::from_str(tell.event.json()).unwrap_or(Value::Null);
    variables.insert("event".to_owned(), whole);
    json!({ "variables": variables }).to_string()
}
