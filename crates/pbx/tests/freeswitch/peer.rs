//! A FreeSWITCH as its event socket shows it: mod_event_socket's framing, replies and quirks, and of mod_commands what
//! a link uses. Written after the source of 1.10: `mod_event_socket.c` (`listener_run`, `read_packet`, `parse_command`,
//! `api_exec`), `switch_event.c` and `mod_commands.c`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use crate::commands::{Ring, answer};

pub(crate) const PASSWORD: &str = "ClueCon";
/// Bytes of the buffer that a reply is written into (`reply` in `listener_run`); what is longer is cut.
const REPLY: usize = 512;

#[derive(Default)]
pub(crate) struct State {
    /// By uuid: name, and variables.
    pub(crate) channels: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// Events CUSTOM that everyone could see: headers by lower-case name, and the body as `_body`.
    custom: Vec<HashMap<String, String>>,
    /// Events that a Unique-ID kept to one channel.
    swallowed: usize,
    logins: usize,
    commands: Vec<String>,
    /// How often the module was made to load anew.
    reloads: usize,
    /// The access list turns everybody away.
    closed: bool,
    /// What `userauth` grants (`esl-allowed-events`, `esl-allowed-api`).
    granted: Option<(String, String)>,
    /// What `luarun` was given.
    pub(crate) started: Vec<String>,
    pub(crate) rings: Vec<Ring>,
    /// What `chat` was given: protocol, from, to, text.
    pub(crate) chats: Vec<[String; 4]>,
    /// How the telephones that will be rung answer; without one nobody does.
    pub(crate) answers: VecDeque<String>,
}

#[derive(Clone)]
enum Push {
    Event(Arc<[u8]>),
    /// Ends all connections, as `kill_all_listeners` does.
    Goodbye,
    /// A notice that the connection will linger, which is none of an inbound connection's business.
    Linger,
}

/// A running one.
#[derive(Clone)]
pub(crate) struct FreeSwitch {
    state: Arc<Mutex<State>>,
    push: broadcast::Sender<Push>,
    pub(crate) address: SocketAddr,
}

impl FreeSwitch {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let it = Self {
            state: Arc::default(),
            push: broadcast::channel(1_024).0,
            address: listener.local_addr().unwrap(),
        };
        let serving = it.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (this, pushed) = (serving.clone(), serving.push.subscribe());
                tokio::spawn(async move {
                    let _ = this.serve(stream, pushed).await;
                });
            }
        });
        it
    }

    pub(crate) fn config(&self, password: &str) -> String {
        format!("[esl]\naddress = \"{}\"\npassword = \"{password}\"\n", self.address)
    }

    /// From now on the access list turns everybody away.
    pub(crate) fn closes_its_door(&self) {
        self.state.lock().unwrap().closed = true;
    }

    /// What users may do.
    pub(crate) fn grants(&self, events: &str, api: &str) {
        self.state.lock().unwrap().granted = Some((events.to_owned(), api.to_owned()));
    }

    /// A channel comes up; mod_sofia shows its Call-ID as a variable, if it is known yet.
    pub(crate) fn creates(&self, uuid: &str, sip: Option<&str>) {
        // A channel is named after whoever calls, which is theirs to choose.
        let user = sip.and_then(|sip| sip.split('@').next()).unwrap_or(uuid);
        let name = format!("sofia/sidetone/{user}@192.0.2.10");
        let mut variables = BTreeMap::new();
        if let Some(sip) = sip {
            variables.insert("sip_call_id".to_owned(), sip.to_owned());
        }
        self.state.lock().unwrap().channels.insert(uuid.to_owned(), (name, variables));
        self.fire(uuid, json!({ "Event-Name": "CHANNEL_CREATE" }));
    }

    /// As the dialplan's `set`, which fires no event by itself.
    pub(crate) fn sets(&self, uuid: &str, variable: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        state.channels.get_mut(uuid).unwrap().1.insert(variable.to_owned(), value.to_owned());
    }

    pub(crate) fn answers(&self, uuid: &str) {
        self.fire(uuid, json!({ "Event-Name": "CHANNEL_ANSWER" }));
    }

    pub(crate) fn destroys(&self, uuid: &str) {
        self.fire(uuid, json!({ "Event-Name": "CHANNEL_DESTROY" }));
        self.state.lock().unwrap().channels.remove(uuid);
    }

    /// As the dialplan's `event`, with the channel's data around what is said.
    pub(crate) fn tells(&self, uuid: &str, said: &[(&str, &str)]) {
        let mut event = json!({ "Event-Name": "CUSTOM", "Event-Subclass": "sidetone::tell" });
        for (name, value) in said {
            event[name] = json!(value);
        }
        self.fire(uuid, event);
    }

    /// An event with the data of a channel; variables that are set twice come as arrays.
    fn fire(&self, uuid: &str, event: Value) {
        let state = self.state.lock().unwrap();
        let (name, variables) = state.channels.get(uuid).cloned().unwrap_or_default();
        drop(state);
        let Value::Object(mut event) = event else { panic!() };
        let mut put = |key: &str, value: &str| event.insert(key.to_owned(), json!(value));
        put("Core-UUID", "6a2c9e9e-0000-4c4c-9d9d-6b7c8d9e0f1a");
        put("Channel-State", "CS_EXECUTE");
        put("Channel-Name", &name);
        put("Unique-ID", uuid);
        put("Channel-Call-UUID", uuid);
        put("Caller-Caller-ID-Name", "Jürgen");
        put("Caller-Caller-ID-Number", "+15550100");
        for (variable, value) in variables {
            event.insert(format!("variable_{variable}"), json!(value));
        }
        event.insert("variable_multiset".to_owned(), json!(["a", "b"]));
        let _ = self.push.send(Push::Event(as_the_caller_wrote_it(&Value::Object(event)).into()));
    }

    /// Another program posts an event with `sendevent`. Its Content-Length is a header of the event's, and comes again
    /// with the body (`switch_event_serialize_json_obj`).
    pub(crate) fn posts(&self, headers: &[(&str, &str)], body: &str) {
        let mut json = String::from("{\"Command\":\"sendevent CUSTOM\",\"Event-Name\":\"CUSTOM\"");
        let length = body.len().to_string();
        let all = headers.iter().copied().chain([("Content-Length", &*length), ("Content-Length", &*length)]);
        for (name, value) in all.chain([("_body", body)]) {
            json.push_str(&format!(",{}:{}", json!(name), json!(value)));
        }
        json.push('}');
        let _ = self.push.send(Push::Event(json.into_bytes().into()));
    }

    pub(crate) fn goodbye(&self) {
        let _ = self.push.send(Push::Goodbye);
    }

    pub(crate) fn lingers(&self) {
        let _ = self.push.send(Push::Linger);
    }

    pub(crate) fn variable(&self, uuid: &str, name: &str) -> Option<String> {
        self.state.lock().unwrap().channels.get(uuid)?.1.get(name).cloned()
    }

    pub(crate) fn custom(&self) -> Vec<HashMap<String, String>> {
        self.state.lock().unwrap().custom.clone()
    }

    pub(crate) fn chats(&self) -> Vec<[String; 4]> {
        self.state.lock().unwrap().chats.clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.state.lock().unwrap().logins
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().unwrap().commands.clone()
    }

    pub(crate) fn swallowed(&self) -> usize {
        self.state.lock().unwrap().swallowed
    }

    pub(crate) fn reloads(&self) -> usize {
        self.state.lock().unwrap().reloads
    }

    /// A command, from a script.
    pub(crate) fn api(&self, command: &str) -> String {
        answer(&mut self.state.lock().unwrap(), command)
    }

    /// What `luarun` was given since this was last asked.
    pub(crate) fn started(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().started)
    }

    pub(crate) fn rings(&self) -> Vec<Ring> {
        self.state.lock().unwrap().rings.clone()
    }

    pub(crate) fn will_answer(&self, answers: &[&str]) {
        self.state.lock().unwrap().answers.extend(answers.iter().map(|it| (*it).to_owned()));
    }

    /// `listener_run`.
    async fn serve(self, stream: TcpStream, mut pushed: broadcast::Receiver<Push>) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        if self.state.lock().unwrap().closed {
            let message = "Access Denied, go away.\n";
            let head = format!("Content-Type: text/rude-rejection\nContent-Length: {}\n\n", message.len());
            write.write_all(head.as_bytes()).await?;
            write.write_all(message.as_bytes()).await?;
            return disconnect(&mut write, GOODBYE).await;
        }
        write.write_all(b"Content-Type: auth/request\n\n").await?;
        let mut listener = Listener::default();
        loop {
            // What waits goes out before the first byte of the next command is taken, and not while one is being read.
            tokio::select! {
                there = read.fill_buf() => if there?.is_empty() { return Ok(()) },
                push = pushed.recv() => {
                    match push {
                        Ok(Push::Event(json)) if listener.wants(&json) => send(&mut write, &json).await?,
                        Ok(Push::Goodbye) => {
                            return disconnect(&mut write, "The system is being shut down.\n").await;
                        }
                        Ok(Push::Linger) => write.write_all(LINGER).await?,
                        _ => {}
                    }
                    continue;
                }
            }
            let Some(command) = Order::read(&mut read).await? else { continue };
            match self.obey(&mut listener, command) {
                Reply::Line(reply) => {
                    // `~` stands before replies that bring headers of their own. All are cut to the buffer.
                    let text = match reply.strip_prefix('~') {
                        Some(whole) => whole.get(..REPLY - 2).unwrap_or(whole).to_owned(),
                        None => format!("Reply-Text: {}\n\n", reply.get(..REPLY - 1).unwrap_or(&reply)),
                    };
                    write.write_all(format!("Content-Type: command/reply\n{text}").as_bytes()).await?;
                }
                Reply::Api(output) => {
                    let output = if output.is_empty() { "-ERR no reply\n".to_owned() } else { output };
                    let output: Vec<u8> = as_latin_1(&output);
                    let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", output.len());
                    write.write_all(head.as_bytes()).await?;
                    write.write_all(&output).await?;
                }
            }
            if listener.done {
                return disconnect(&mut write, GOODBYE).await;
            }
        }
    }

    /// `parse_command`.
    fn obey(&self, listener: &mut Listener, mut order: Order) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.commands.push(order.line.clone());
        let line = |text: &str| Reply::Line(text.to_owned());
        let whole = order.whole.to_ascii_lowercase();
        if (whole.contains("reload") || whole.contains("unload")) && whole.contains("mod_event_socket") {
            state.reloads += 1;
            let _ = self.push.send(Push::Goodbye);
            return Reply::Api("+OK Job-UUID: 7f2a9e9e-0000-4c4c-9d9d-6b7c8d9e0f1a\n".to_owned());
        }
        let command = order.line.as_str();
        if command.starts_with("exit") {
            listener.done = true;
            return line("+OK bye");
        }
        if !listener.known {
            let user = command.strip_prefix("userauth ");
            let right = match (command.strip_prefix("auth "), user) {
                (Some(password), _) => password == PASSWORD,
                (_, Some(user)) => user == format!("ada@pbx:{PASSWORD}"),
                // Anything else is not understood yet, and the connection stays.
                (None, None) => return line("-ERR command not found"),
            };
            if !right {
                listener.done = true;
                return line("-ERR invalid");
            }
            (listener.known, state.logins) = (true, state.logins + 1);
            if user.is_none() {
                return line("+OK accepted");
            }
            let granted = state.granted.clone();
            let (events, api) = granted.clone().unwrap_or_else(|| ("all".to_owned(), "all".to_owned()));
            listener.granted = granted;
            return Reply::Line(format!(
                "~Reply-Text: +OK accepted\nAllowed-Events: {events}\nAllowed-API: {api}\nAllowed-LOG: true\n\n"
            ));
        }
        if let Some(names) = command.strip_prefix("event json ") {
            return line(if listener.listen(names) {
                "+OK event listener enabled json"
            } else {
                "-ERR permission denied"
            });
        }
        if command == "sendevent CUSTOM" {
            order.headers.insert("command".to_owned(), order.line.clone());
            match order.headers.get("unique-id") {
                Some(uuid) if state.channels.contains_key(uuid) => state.swallowed += 1,
                _ => state.custom.push(order.headers),
            }
            return line("+OK 1c2d3e4f-0000-4c4c-9d9d-6b7c8d9e0f1a");
        }
        if command.starts_with("linger") {
            return line("-ERR not controlling a session");
        }
        match command.strip_prefix("api ") {
            Some(api) if listener.may_call(api) => Reply::Api(answer(&mut state, api)),
            Some(_) => line("-ERR permission denied"),
            None => line("-ERR command not found"),
        }
    }
}

enum Reply {
    Line(String),
    Api(String),
}

/// What a connection has been told, and may do.
#[derive(Default)]
struct Listener {
    known: bool,
    done: bool,
    events: Vec<String>,
    custom: Vec<String>,
    granted: Option<(String, String)>,
}

impl Listener {
    /// Adds to what is listened to. What stands after CUSTOM are subclasses; names that are none are passed over.
    fn listen(&mut self, names: &str) -> bool {
        let granted = self.granted.clone();
        let granted = granted.as_ref().map(|(events, _)| events.split(' ').collect::<Vec<_>>());
        for name in names.split(' ') {
            if granted.as_ref().is_some_and(|granted| !granted.contains(&name)) {
                return false;
            }
            let subclass = self.events.iter().any(|it| it == "CUSTOM");
            if subclass { &mut self.custom } else { &mut self.events }.push(name.to_owned());
        }
        true
    }

    fn may_call(&self, api: &str) -> bool {
        let name = api.split(' ').next().unwrap();
        self.granted.as_ref().is_none_or(|(_, apis)| apis.split(' ').any(|it| it == name))
    }

    fn wants(&self, json: &[u8]) -> bool {
        let event: Map<String, Value> = serde_json::from_str(&String::from_utf8_lossy(json)).unwrap();
        let get = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = get("Event-Name");
        let subclass = name != "CUSTOM" || self.custom.iter().any(|it| it == get("Event-Subclass"));
        self.events.iter().any(|it| it == name) && subclass
    }
}

/// A command as `read_packet` takes it: a line, headers, and a body if one of them is Content-Length.
struct Order {
    line: String,
    headers: HashMap<String, String>,
    /// All but the body.
    whole: String,
}

impl Order {
    async fn read(read: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<Self>> {
        let (mut whole, mut lines) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if read.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            whole.push_str(&line);
            match line.trim_end_matches(['\r', '\n']) {
                // Empty lines before a command are none of it.
                "" if lines.is_empty() => return Ok(None),
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let line = lines.next().unwrap();
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim_start_matches(' ').to_owned()))
        });
        let mut headers: HashMap<_, _> = pairs.collect();
        if let Some(length) = headers.get("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            read.read_exact(&mut body).await?;
            headers.insert("_body".to_owned(), String::from_utf8(body).unwrap());
        }
        Ok(Some(Self { line, headers, whole }))
    }
}

const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
const LINGER: &[u8] = b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: x\n\
    Content-Disposition: linger\nChannel-Name: sofia/x\nLinger-Time: 0\nContent-Length: 0\n\n";

/// `send_disconnect`, for a connection that controls no session.
async fn disconnect(write: &mut OwnedWriteHalf, message: &str) -> std::io::Result<()> {
    let head = format!("Content-Type: text/disconnect-notice\nContent-Length: {}\n\n", message.len());
    write.write_all(head.as_bytes()).await?;
    write.write_all(message.as_bytes()).await
}

/// An event, in two pieces, and those cut where it hurts.
async fn send(write: &mut OwnedWriteHalf, json: &[u8]) -> std::io::Result<()> {
    let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", json.len());
    write.write_all(head.as_bytes()).await?;
    let (one, two) = json.split_at(json.len() / 2);
    write.write_all(one).await?;
    tokio::task::yield_now().await;
    write.write_all(two).await
}

/// JSON with the bytes that a caller's telephone sent, which is Latin-1 here: cJSON writes them as they are.
fn as_the_caller_wrote_it(json: &Value) -> Vec<u8> {
    as_latin_1(&json.to_string())
}

fn as_latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
