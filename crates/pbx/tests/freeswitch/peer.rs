//! A FreeSWITCH as its event socket shows it: mod_event_socket's framing, replies and quirks, and of mod_commands what a link
//! uses. Written after FreeSWITCH 1.10.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

pub(crate) const PASSWORD: &str = "ClueCon";

#[derive(Default)]
struct State {
    /// By uuid: name, and variables.
    channels: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// Events CUSTOM that everyone could see: headers by lower-case name, and the body as `_body`.
    custom: Vec<HashMap<String, String>>,
    /// Events that a Unique-ID kept to one channel.
    swallowed: usize,
    logins: usize,
    commands: Vec<String>,
}

#[derive(Clone)]
enum Push {
    Event(Arc<str>),
    /// Ends all connections, with the notice that a real one gives.
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
                let (state, pushed) = (Arc::clone(&serving.state), serving.push.subscribe());
                let this = serving.clone();
                tokio::spawn(async move {
                    let _ = this.serve(stream, state, pushed).await;
                });
            }
        });
        it
    }

    pub(crate) fn config(&self, password: &str) -> String {
        format!("[esl]\naddress = \"{}\"\npassword = \"{password}\"\n", self.address)
    }

    /// A channel comes up; mod_sofia shows its Call-ID as a variable, if it is known yet.
    pub(crate) fn creates(&self, uuid: &str, sip: Option<&str>) {
        let name = format!("sofia/sidetone/{uuid}@192.0.2.10");
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
        put("Caller-Caller-ID-Number", "+15550100");
        for (variable, value) in variables {
            event.insert(format!("variable_{variable}"), json!(value));
        }
        event.insert("variable_multiset".to_owned(), json!(["a", "b"]));
        let _ = self.push.send(Push::Event(Value::Object(event).to_string().into()));
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

    pub(crate) fn logins(&self) -> usize {
        self.state.lock().unwrap().logins
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().unwrap().commands.clone()
    }

    pub(crate) fn swallowed(&self) -> usize {
        self.state.lock().unwrap().swallowed
    }

    async fn serve(
        self,
        stream: TcpStream,
        state: Arc<Mutex<State>>,
        mut pushed: broadcast::Receiver<Push>,
    ) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        write.write_all(b"Content-Type: auth/request\n\n").await?;
        let (mut known, mut events) = (false, Vec::new());
        loop {
            // Commands are read whole before the next event goes out, as mod_event_socket does.
            let mut first = String::new();
            tokio::select! {
                length = read.read_line(&mut first) => if length? == 0 { return Ok(()) },
                push = pushed.recv() => {
                    match push {
                        Ok(Push::Event(json)) if wanted(&events, &json) => {
                            let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", json.len());
                            // In two pieces, and those cut where it hurts.
                            write.write_all(head.as_bytes()).await?;
                            let (one, two) = json.as_bytes().split_at(json.len() / 2);
                            write.write_all(one).await?;
                            tokio::task::yield_now().await;
                            write.write_all(two).await?;
                        }
                        Ok(Push::Goodbye) => return disconnect(&mut write).await,
                        Ok(Push::Linger) => {
                            write
                                .write_all(
                                    b"Content-Type: text/disconnect-notice\nControlled-Session-UUID: x\n\
                                      Content-Disposition: linger\nChannel-Name: sofia/x\nLinger-Time: 0\nContent-Length: 0\n\n",
                                )
                                .await?;
                        }
                        _ => {}
                    }
                    continue;
                }
            }
            let command = first.trim_end().to_owned();
            if command.is_empty() {
                continue;
            }
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                read.read_line(&mut line).await?;
                let line = line.trim_end_matches(['\r', '\n']);
                if line.is_empty() {
                    break;
                }
                if let Some((name, value)) = line.split_once(':') {
                    headers.insert(name.to_ascii_lowercase(), value.trim_start_matches(' ').to_owned());
                }
            }
            if let Some(length) = headers.get("content-length") {
                let mut body = vec![0; length.parse().unwrap()];
                read.read_exact(&mut body).await?;
                headers.insert("_body".to_owned(), String::from_utf8(body).unwrap());
            }
            state.lock().unwrap().commands.push(command.clone());
            let reply = if !known {
                known = command == format!("auth {PASSWORD}")
                    || command == format!("userauth ada@pbx:{PASSWORD}");
                if known {
                    state.lock().unwrap().logins += 1;
                    "+OK accepted".to_owned()
                } else {
                    "-ERR invalid".to_owned()
                }
            } else if let Some(names) = command.strip_prefix("event json ") {
                events = names.split(' ').map(str::to_owned).collect();
                "+OK event listener enabled json".to_owned()
            } else if command == "exit" {
                "+OK bye".to_owned()
            } else if command == "sendevent CUSTOM" {
                let mut state = state.lock().unwrap();
                match headers.get("unique-id") {
                    Some(uuid) if state.channels.contains_key(uuid) => state.swallowed += 1,
                    _ => state.custom.push(headers),
                }
                "+OK 1c2d3e4f-0000-4c4c-9d9d-6b7c8d9e0f1a".to_owned()
            } else if let Some(api) = command.strip_prefix("api ") {
                let body = answer(&mut state.lock().unwrap(), api);
                let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", body.len());
                write.write_all(head.as_bytes()).await?;
                write.write_all(body.as_bytes()).await?;
                continue;
            } else {
                "-ERR command not found".to_owned()
            };
            let reply_line = format!("Content-Type: command/reply\nReply-Text: {reply}\n\n");
            write.write_all(reply_line.as_bytes()).await?;
            if reply == "-ERR invalid" || reply == "+OK bye" {
                return disconnect(&mut write).await;
            }
        }
    }
}

async fn disconnect(write: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    let body = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
    let head = format!("Content-Type: text/disconnect-notice\nContent-Length: {}\n\n", body.len());
    write.write_all(head.as_bytes()).await?;
    write.write_all(body.as_bytes()).await
}

fn wanted(events: &[String], json: &str) -> bool {
    let event: Map<String, Value> = serde_json::from_str(json).unwrap();
    let get = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let custom = events.iter().position(|it| it == "CUSTOM");
    match get("Event-Name") {
        "CUSTOM" => custom.is_some_and(|at| events[at..].iter().any(|it| it == get("Event-Subclass"))),
        name => events.iter().take(custom.unwrap_or(events.len())).any(|it| it == name),
    }
}

fn answer(state: &mut State, api: &str) -> String {
    let (name, rest) = api.split_once(' ').unwrap_or((api, ""));
    let (uuid, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match name {
        "show" if uuid == "channels" && rest == "as json" => {
            let rows: Vec<Value> = state
                .channels
                .iter()
                .map(|(uuid, (name, _))| {
                    json!({ "uuid": uuid, "direction": "inbound", "name": name, "state": "CS_EXECUTE", "call_uuid": "" })
                })
                .collect();
            if rows.is_empty() {
                return "{\"row_count\":0}\n".to_owned();
            }
            json!({ "row_count": rows.len(), "rows": rows }).to_string()
        }
        "uuid_getvar" => match state.channels.get(uuid) {
            None => "-ERR No such channel!\n".to_owned(),
            Some((_, variables)) => variables.get(rest).cloned().unwrap_or_else(|| "_undef_".to_owned()),
        },
        "uuid_setvar_multi" => match state.channels.get_mut(uuid) {
            None => "-ERR No such channel!\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n".to_owned(),
            Some((_, variables)) => {
                for pair in rest.split(';') {
                    let (name, value) = pair.split_once('=').unwrap();
                    // An empty value unsets.
                    if value.is_empty() {
                        variables.remove(name);
                    } else {
                        variables.insert(name.to_owned(), value.to_owned());
                    }
                }
                "+OK\n".to_owned()
            }
        },
        "uptime" => "4711\n".to_owned(),
        _ => format!("-ERR {name} Command not found!\n"),
    }
}
