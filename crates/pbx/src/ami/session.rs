//! A session with Asterisk's manager interface, without the connection.

use std::collections::HashMap;
use std::time::Duration;

use sidetone_events::Revealed;

use super::message::{Action, Message, Reader, unescape};
use crate::board::{Board, Job, JobId, Outcome, Tell};
use crate::fault::Fault;
use crate::tcp::Session;
use crate::text::{after_prefix, shown};
use crate::variables::Variable;

const LOGIN: &str = "login";
const PING: &str = "ping";
/// The name of the events that Sidetone posts.
const TELLS: &str = "Sidetone";
/// Whom texts to agents' phones come from: nobody that could be answered (RFC 2606).
const CUES_FROM: &str = "Sidetone <sip:cues@sidetone.invalid>";
/// The name of the events that Sidetone listens to.
const HEARS: &str = "SidetoneTell";
/// Headers of such an event that name the call.
const ABOUT: [&str; 4] = ["ActionID", "Channel", "Uniqueid", "SIP-Call-ID"];

/// A session, as described above.
#[derive(Debug)]
pub(crate) struct AmiSession {
    reader: Reader,
    username: String,
    secret: Revealed,
    up: bool,
    /// Jobs under way, by the number in their ActionID: whether a list has begun.
    finds: HashMap<JobId, Wanted>,
}

/// The kind of answer that is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    List,
    Find,
    Word,
}

impl AmiSession {
    pub(crate) fn new(username: &str, secret: Revealed) -> Self {
        let username = username.to_owned();
        Self { reader: Reader::default(), username, secret, up: false, finds: HashMap::new() }
    }

    fn response(&mut self, now: Duration, message: &Message, board: &mut Board) -> Result<(), Fault> {
        let ok = matches!(message.get("Response"), Some("Success" | "Pong"));
        let said = message.get("Message").unwrap_or_default();
        let id = message.get("ActionID").unwrap_or_default();
        if id == LOGIN {
            if !ok {
                return Err(Fault::Refused(shown(said)));
            }
            self.up = true;
            board.came_up(now);
        } else if let Ok(job) = id.parse::<JobId>()
            && let Some(wanted) = self.finds.get(&job).copied()
        {
            let outcome = match wanted {
                _ if said.eq_ignore_ascii_case("No such channel") => Outcome::Gone,
                _ if !ok => Outcome::Refused(said.to_owned()),
                // The list itself follows.
                Wanted::List => return Ok(()),
                Wanted::Find => Outcome::Found(message.get("Value").map(str::to_owned)),
                Wanted::Word => Outcome::Done,
            };
            self.finds.remove(&job);
            board.done(now, job, outcome);
        }
        Ok(())
    }

    fn event(
        &mut self,
        now: Duration,
        event: &str,
        message: &Message,
        board: &mut Board,
    ) -> Result<(), Fault> {
        let get = |name| message.get(name).unwrap_or_default();
        let id = get("Uniqueid");
        match event {
            "Newchannel" | "Newstate" | "CoreShowChannel" if is_sip(get("Channel")) => {
                board.channel_seen(now, id, get("Channel"), message.get("Linkedid"), None);
            }
            "CoreShowChannelsComplete" => {
                if let Ok(job) = get("ActionID").parse()
                    && self.finds.remove(&job).is_some()
                {
                    board.done(now, job, Outcome::Done);
                }
            }
            "Rename" if is_sip(get("Newname")) => board.channel_renamed(now, id, get("Newname")),
            "Hangup" => board.channel_gone(id),
            "VarSet" => {
                if let Some(name) = after_prefix(get("Variable"), "SIDETONE_TELL_")
                    && !get("Value").is_empty()
                {
                    board.heard(now, id, message.get("Linkedid"), name, &unescape(get("Value")));
                }
            }
            "UserEvent" if get("UserEvent").eq_ignore_ascii_case(HEARS) => self.tell(now, message, board),
            "Shutdown" => return Err(Fault::Closed(": it shuts down")),
            _ => {}
        }
        Ok(())
    }

    /// A `SidetoneTell` from the dialplan, whose channel's headers come before the event's own, or from another
    /// manager, which has to name a channel.
    fn tell(&mut self, now: Duration, message: &Message, board: &mut Board) {
        let own = |name: &str| {
            let mut own = message.after("UserEvent");
            own.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        let sip = own("SIP-Call-ID");
        let named = own("Uniqueid").or_else(|| own("Channel"));
        let channel = match named {
            Some(named) => board.channel_called(named),
            None => message.get("Uniqueid").map(Into::into),
        };
        for (name, value) in message.after("UserEvent") {
            if ABOUT.iter().any(|about| name.eq_ignore_ascii_case(about)) {
                continue;
            }
            let name = after_prefix(name, "SIDETONE_TELL_").unwrap_or(name);
            match sip {
                Some(sip) => board.heard_of_call(sip, name, value),
                None => {
                    let id = channel.as_deref().unwrap_or_default();
                    board.heard(now, id, message.get("Linkedid"), name, value);
                }
            }
        }
    }

    fn write(&mut self, id: JobId, job: &Job, out: &mut Vec<u8>) {
        let number = id.to_string();
        let wanted = match job {
            Job::List => {
                Action::new(out, "CoreShowChannels", &number).end();
                Wanted::List
            }
            Job::Find { id, name } => {
                // chan_sip keeps the Call-ID in a variable of its own.
                let variable = if name.starts_with("SIP/") { "SIPCALLID" } else { "CHANNEL(pjsip,call-id)" };
                Action::new(out, "Getvar", &number).header("Channel", id).header("Variable", variable).end();
                Wanted::Find
            }
            Job::Set { id, changes } => {
                // One at a time: each has an answer of its own.
                if let Some((variable, value)) = changes.first() {
                    let action = Action::new(out, "Setvar", &number).header("Channel", id);
                    action.header("Variable", variable.name()).header("Value", value).end();
                }
                Wanted::Word
            }
            Job::Tell(tell) => {
                user_event(tell, &number, out);
                Wanted::Word
            }
            Job::Say { to, text } => {
                let action = Action::new(out, "MessageSend", &number).header("To", to);
                action.header("From", CUES_FROM).header("Body", text).end();
                Wanted::Word
            }
        };
        self.finds.insert(id, wanted);
    }
}

fn user_event(tell: &Tell, number: &str, out: &mut Vec<u8>) {
    let event = &tell.event.event;
    let mut action = Action::new(out, "UserEvent", number).header("UserEvent", TELLS);
    action = action.header("Kind", event.kind().name());
    action = action.header("Call", &event.call.id.to_string()).header("SIP-Call-ID", &tell.sip);
    action = action.header("Event-ID", &event.id.to_string());
    if let Some((id, name)) = &tell.channel {
        action = action.header("Channel", name).header("Uniqueid", id);
    }
    for variable in Variable::ALL {
        if let Some(value) = tell.values.get(variable) {
            action = action.header(variable.header(), value);
        }
    }
    action.json(tell.event.json()).end();
}

/// Whether a channel's name means that it speaks SIP.
fn is_sip(name: &str) -> bool {
    name.starts_with("PJSIP/") || name.starts_with("SIP/")
}

impl Session for AmiSession {
    fn open(&mut self, out: &mut Vec<u8>) {
        let secret = String::from_utf8_lossy(self.secret.bytes()).into_owned();
        let action =
            Action::new(out, "Login", LOGIN).header("Username", &self.username).header("Secret", &secret);
        action.header("Events", "call,dialplan,user").end();
    }

    fn receive(&mut self, now: Duration, bytes: &[u8], board: &mut Board) -> Result<(), Fault> {
        self.reader.push(bytes);
        while let Some(message) = self.reader.next()? {
            if message.get("Response").is_some() {
                self.response(now, &message, board)?;
            } else if self.up
                && let Some(event) = message.get("Event")
            {
                self.event(now, event, &message, board)?;
            }
        }
        Ok(())
    }

    fn fill(&mut self, now: Duration, board: &mut Board, out: &mut Vec<u8>) {
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
        Action::new(out, "Ping", PING).end();
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        Action::new(out, "Logoff", "logoff").end();
    }
}
