//! A session with FreeSWITCH's event socket, without the connection.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sidetone_events::Revealed;

use super::frame::{Command, Frame, Reader};
use crate::board::{Board, Job, JobId, Outcome, Tell};
use crate::fault::Fault;
use crate::tcp::Session;
use crate::text::{after_prefix, shown};
use crate::variables::Variable;

/// The events that are subscribed to. CUSTOM comes last: the names after it are subclasses.
const EVENTS: &str = "event json CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE \
     CHANNEL_UNBRIDGE CHANNEL_PARK CHANNEL_UNPARK CHANNEL_UUID CHANNEL_DESTROY SHUTDOWN CUSTOM sidetone::tell";
/// The subclass of the events that Sidetone posts.
const TELLS: &str = "sidetone::affect";
/// The subclass of the events that Sidetone listens to.
const HEARS: &str = "sidetone::tell";
/// Whom texts to agents' phones come from: nobody that could be answered (RFC 2606).
const CUES_FROM: &str = "cues@sidetone.invalid";
/// The possible statements, as headers of such an event.
const NAMES: [&str; 10] =
    ["consent", "analysis", "queue", "agent", "team", "call-type", "tier", "language", "party", "customer"];
/// Variables whose values have been reported, so that each event of a channel does not report them again.
const REMEMBERED: usize = 20_000;

/// The command that the next reply answers. FreeSWITCH answers commands in order.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Login,
    Events,
    List(JobId),
    Find(JobId),
    Word(JobId),
    Sent(JobId),
    Ping,
}

/// A session, as described above.
#[derive(Debug)]
pub(crate) struct EslSession {
    reader: Reader,
    user: Option<String>,
    password: Revealed,
    up: bool,
    asked: VecDeque<Asked>,
    /// Sent before anything else.
    first: Vec<u8>,
    told: HashMap<String, HashMap<String, String>>,
}

impl EslSession {
    /// A session as `user@domain`, or without a user.
    pub(crate) fn new(user: Option<&str>, password: Revealed) -> Self {
        Self {
            reader: Reader::default(),
            user: user.map(str::to_owned),
            password,
            up: false,
            asked: VecDeque::new(),
            first: Vec::new(),
            told: HashMap::new(),
        }
    }

    fn frame(&mut self, now: Duration, frame: &Frame, board: &mut Board) -> Result<(), Fault> {
        match frame.get("Content-Type").unwrap_or_default() {
            "auth/request" => {
                if !self.up && self.asked.is_empty() {
                    let password = String::from_utf8_lossy(self.password.bytes());
                    let line = match &self.user {
                        Some(user) => format!("userauth {user}:{password}"),
                        None => format!("auth {password}"),
                    };
                    Command::new(&mut self.first, &line).end();
                    self.asked.push_back(Asked::Login);
                }
                Ok(())
            }
            "command/reply" | "api/response" => self.reply(now, frame, board),
            "text/event-json" if self.up => self.event(now, &frame.body, board),
            "text/rude-rejection" => {
                Err(Fault::Refused("its access list turns this address away".to_owned()))
            }
            "text/disconnect-notice" => {
                let lingers =
                    frame.get("Content-Disposition").is_some_and(|it| it.eq_ignore_ascii_case("linger"));
                // A lingering connection still sends data, and closes after that.
                if lingers { Ok(()) } else { Err(Fault::Closed(" with a notice")) }
            }
            _ => Ok(()),
        }
    }

    fn reply(&mut self, now: Duration, frame: &Frame, board: &mut Board) -> Result<(), Fault> {
        let Some(asked) = self.asked.pop_front() else {
            return Err(Fault::Malformed("an answer without a question"));
        };
        let said = frame.reply();
        // A Call-ID may begin with a hyphen too, but holds no space.
        let wrong = said.starts_with("-ERR ") || said.starts_with("-USAGE: ");
        // Older versions write it `No Such Channel!`.
        let gone = || after_prefix(&said, "-ERR No such channel").is_some();
        match asked {
            Asked::Login if !said.starts_with("+OK") => return Err(Fault::Refused(shown(&said))),
            Asked::Login => {
                Command::new(&mut self.first, EVENTS).end();
                self.asked.push_back(Asked::Events);
            }
            Asked::Events if wrong => return Err(Fault::Refused(shown(&said))),
            Asked::Events => {
                self.up = true;
                board.came_up(now);
            }
            Asked::Ping => {}
            Asked::List(job) if wrong => board.done(now, job, Outcome::Refused(said)),
            Asked::List(job) => {
                list(now, &frame.body, board)?;
                board.done(now, job, Outcome::Done);
            }
            Asked::Find(job) | Asked::Word(job) if gone() => board.done(now, job, Outcome::Gone),
            Asked::Find(job) | Asked::Word(job) if wrong => board.done(now, job, Outcome::Refused(said)),
            Asked::Find(job) => {
                let found = (said != "_undef_").then_some(said);
                board.done(now, job, Outcome::Found(found));
            }
            Asked::Word(job) => board.done(now, job, Outcome::Done),
            // `chat` says so, and `Error! Message Not Sent` or `Invalid` otherwise (mod_dptools).
            Asked::Sent(job) if said.trim() == "Sent" => board.done(now, job, Outcome::Done),
            Asked::Sent(job) => board.done(now, job, Outcome::Refused(said)),
        }
        Ok(())
    }

    fn event(&mut self, now: Duration, body: &[u8], board: &mut Board) -> Result<(), Fault> {
        let event: Map<String, Value> = json(body).map_err(|_| Fault::Malformed("an event that is none"))?;
        let get = |name: &str| text(event.get(name)).unwrap_or_default();
        let (kind, id, name) = (get("Event-Name"), get("Unique-ID"), get("Channel-Name"));
        let linked = text(event.get("Channel-Call-UUID"));
        match kind {
            "SHUTDOWN" => return Err(Fault::Closed(": it shuts down")),
            "CHANNEL_DESTROY" => {
                self.told.remove(id);
                board.channel_gone(id);
                return Ok(());
            }
            "CHANNEL_UUID" => {
                let before = get("Old-Unique-ID");
                self.told.remove(before);
                board.channel_gone(before);
            }
            _ => {}
        }
        if is_sip(name) {
            board.channel_seen(now, id, name, linked, text(event.get("variable_sip_call_id")));
        }
        if kind == "CUSTOM" {
            if get("Event-Subclass") == HEARS {
                tell(now, &event, board);
            }
            return Ok(());
        }
        for (name, value) in &event {
            let variable = after_prefix(name, "variable_").and_then(|it| after_prefix(it, "SIDETONE_TELL_"));
            if let Some(name) = variable
                && let Some(value) = text(Some(value))
                && self.is_news(id, name, value)
            {
                board.heard(now, id, linked, name, value);
            }
        }
        Ok(())
    }

    /// Whether this value of the channel's variable is new.
    fn is_news(&mut self, id: &str, name: &str, value: &str) -> bool {
        if self.told.len() >= REMEMBERED {
            self.told.clear();
        }
        let told = self.told.entry(id.to_owned()).or_default();
        let name = name.to_ascii_lowercase();
        if told.len() >= 4 * NAMES.len() || told.get(&name).is_some_and(|before| before == value) {
            return false;
        }
        let value = value.chars().take(2 * sidetone_consent::Telling::LONGEST).collect();
        told.insert(name, value);
        true
    }

    fn write(&mut self, id: JobId, job: &Job, out: &mut Vec<u8>) {
        let asked = match job {
            Job::List => {
                Command::new(out, "api show channels as json").end();
                Asked::List(id)
            }
            Job::Find { id: channel, .. } => {
                Command::new(out, &format!("api uuid_getvar {channel} sip_call_id")).end();
                Asked::Find(id)
            }
            Job::Set { id: channel, changes } => {
                let mut line = format!("api uuid_setvar_multi {channel} ");
                for (place, (variable, value)) in changes.iter().enumerate() {
                    if place > 0 {
                        line.push(';');
                    }
                    line.push_str(variable.name());
                    line.push('=');
                    // Words and numbers only, whatever characters a future value may have.
                    line.extend(value.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)));
                }
                Command::new(out, &line).end();
                Asked::Word(id)
            }
            Job::Tell(tell) => {
                send_event(tell, out);
                Asked::Word(id)
            }
            Job::Say { to, text } => {
                // A bar would end the text, and a line end the command.
                let text: String =
                    text.chars().map(|c| if c == '|' || c.is_control() { ' ' } else { c }).collect();
                Command::new(out, &format!("api chat sip|{CUES_FROM}|{to}|{text}")).end();
                Asked::Sent(id)
            }
        };
        self.asked.push_back(asked);
    }
}

/// The channel has a header name of Sidetone's own: FreeSWITCH keeps an event with a `Unique-ID` to that channel, and
/// no other client would see it.
fn send_event(tell: &Tell, out: &mut Vec<u8>) {
    let event = &tell.event.event;
    let mut command = Command::new(out, "sendevent CUSTOM").header("Event-Subclass", TELLS);
    command = command.header("Sidetone-Kind", event.kind().name());
    command = command.header("Sidetone-Call", &event.call.id.to_string());
    command = command.header("Sidetone-SIP-Call-ID", &tell.sip);
    command = command.header("Sidetone-Event-ID", &event.id.to_string());
    if let Some((id, name)) = &tell.channel {
        command = command.header("Sidetone-Channel-UUID", id).header("Sidetone-Channel-Name", name);
    }
    for variable in Variable::ALL {
        // A header without a value would be no header.
        if let Some(value) = tell.values.get(variable).filter(|value| !value.is_empty()) {
            command = command.header(&format!("Sidetone-{}", variable.header()), value);
        }
    }
    command.header("Content-Type", "application/json").body(tell.event.json());
}

/// Takes an event `CUSTOM sidetone::tell`: from a dialplan with all data of its channel, or from another program, which
/// has to name a channel.
fn tell(now: Duration, event: &Map<String, Value>, board: &mut Board) {
    let get = |name: &str| text(event.get(name));
    let sip = get("Sidetone-SIP-Call-ID").or_else(|| get("SIP-Call-ID"));
    let id = get("Unique-ID").or_else(|| get("Sidetone-Channel-UUID")).or_else(|| get("Channel-UUID"));
    for (name, value) in event {
        let Some(value) = text(Some(value)) else { continue };
        let own = after_prefix(name, "sidetone_tell_").or_else(|| after_prefix(name, "sidetone-"));
        let own = own.unwrap_or(name).to_ascii_lowercase().replace('_', "-");
        if NAMES.contains(&own.as_str()) {
            match (id, sip) {
                (Some(id), _) => board.heard(now, id, get("Channel-Call-UUID"), &own, value),
                (None, Some(sip)) => board.heard_of_call(sip, &own, value),
                (None, None) => board.heard(now, "", None, &own, value),
            }
        }
    }
}

/// `{"row_count":1,"rows":[{"uuid":"…","name":"sofia/…"}]}`; without a channel there are no rows.
fn list(now: Duration, body: &[u8], board: &mut Board) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        rows: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        uuid: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        call_uuid: String,
    }
    let list: List = json(body).map_err(|_| Fault::Malformed("a list of channels that is none"))?;
    for row in list.rows.iter().filter(|row| is_sip(&row.name)) {
        let linked = Some(row.call_uuid.as_str()).filter(|linked| !linked.is_empty());
        board.channel_seen(now, &row.uuid, &row.name, linked, None);
    }
    Ok(())
}

/// FreeSWITCH puts names and headers of the caller's into its JSON byte for byte, and those need not be UTF-8.
fn json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_str(&String::from_utf8_lossy(body))
}

/// A header's value; the last one if it was given several times.
fn text(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(text) => Some(text),
        Value::Array(all) => all.last()?.as_str(),
        _ => None,
    }
}

/// Whether a channel's name means that it speaks SIP.
fn is_sip(name: &str) -> bool {
    name.starts_with("sofia/")
}

impl Session for EslSession {
    fn open(&mut self, _: &mut Vec<u8>) {}

    fn receive(&mut self, now: Duration, bytes: &[u8], board: &mut Board) -> Result<(), Fault> {
        self.reader.push(bytes);
        while let Some(frame) = self.reader.next()? {
            self.frame(now, &frame, board)?;
        }
        Ok(())
    }

    fn fill(&mut self, now: Duration, board: &mut Board, out: &mut Vec<u8>) {
        out.append(&mut self.first);
        while self.up
            && out.len() < crate::tcp::FULL
            && let Some((id, job)) = board.next_job(now)
        {
            self.write(id, &job, out);
        }
    }

    fn is_up(&self) -> bool {
        self.up
    }

    fn ping(&mut self, out: &mut Vec<u8>) {
        Command::new(out, "api uptime").end();
        self.asked.push_back(Asked::Ping);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        Command::new(out, "exit").end();
    }
}
