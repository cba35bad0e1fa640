//! Of mod_commands what a link and the script that is shipped use.

use serde_json::{Value, json};

use crate::peer::State;

/// A telephone that `originate` has rung.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    pub(crate) to: String,
    /// What it shows.
    pub(crate) shown: String,
    /// The application that runs once it is answered.
    pub(crate) then: String,
}

impl Ring {
    /// `{variable=value,…}user/NAME &application(argument)`, with values in single quotes where they have blanks.
    fn read(line: &str) -> Self {
        let (variables, rest) = line.strip_prefix('{').unwrap().split_once('}').unwrap();
        let (to, then) = rest.split_once(' ').unwrap();
        let name = variables.split(',').find_map(|it| it.strip_prefix("origination_caller_id_name="));
        let shown = as_mod_sofia_shows_it(name.unwrap().trim_matches('\''));
        Self { to: to.to_owned(), shown, then: then.to_owned() }
    }
}

/// mod_sofia takes what stands before a colon or a slash of a name for a scheme, and drops it.
fn as_mod_sofia_shows_it(name: &str) -> String {
    name.rsplit([':', '/']).next().unwrap().to_owned()
}

/// Runs one.
pub(crate) fn answer(state: &mut State, api: &str) -> String {
    let (name, rest) = api.split_once(' ').unwrap_or((api, ""));
    let (uuid, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match name {
        "show" if uuid == "channels" && rest == "as json" => {
            let rows: Vec<Value> = state
                .channels
                .iter()
                .map(|(uuid, (name, _))| {
                    json!({
                        "uuid": uuid, "direction": "inbound", "name": name, "state": "CS_EXECUTE",
                        "cid_name": "Jürgen", "call_uuid": ""
                    })
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
        "uuid_setvar" => match state.channels.get_mut(uuid) {
            None => "-ERR No such channel!\n".to_owned(),
            Some((_, variables)) => {
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                variables.insert(name.to_owned(), value.to_owned());
                "+OK\n".to_owned()
            }
        },
        "luarun" => {
            state.started.push(api["luarun ".len()..].to_owned());
            "+OK\n".to_owned()
        }
        "originate" => {
            state.rings.push(Ring::read(&api["originate ".len()..]));
            state.answers.pop_front().unwrap_or_else(|| "-ERR NO_ANSWER\n".to_owned())
        }
        // `chat <proto>|<from>|<to>|<message>|[<content-type>]` of mod_dptools.
        "chat" => match api["chat ".len()..].split('|').collect::<Vec<_>>().as_slice() {
            [protocol, from, to, text] => {
                state.chats.push([protocol, from, to, text].map(|it| (*it).to_owned()));
                let known = to.starts_with("internal/2001@");
                if known { "Sent" } else { "Error! Message Not Sent" }.to_owned()
            }
            _ => "Invalid".to_owned(),
        },
        "uptime" => "4711\n".to_owned(),
        _ => format!("-ERR {name} Command not found!\n"),
    }
}
