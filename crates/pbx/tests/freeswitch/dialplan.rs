//! The dialplans that are shipped for FreeSWITCH, followed as `mod_dialplan_xml` and the core do: an extension is
//! looked up once, all of its actions are taken then; `execute_extension` is a subroutine, `transfer` looks up anew and
//! costs a hop.

use std::collections::HashMap;
use std::time::Duration;

use roxmltree::{Document, Node};

use crate::shipped::{shipped, sounds};

/// What a SIP call starts with, and each `transfer` takes one of (`switch_ivr_session_transfer`).
const MAX_FORWARDS: u32 = 70;
/// `SWITCH_MAX_STACKS`.
const MOST_STACKED: u32 = 16;
/// About what a sound that is shipped lasts.
const SOUND: Duration = Duration::from_millis(1_400);

/// Where a call ended up.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Bridged(String),
    Queued(String),
    Echo,
    /// The actions ran out, or there was no extension.
    HungUp(&'static str),
}

/// A channel that runs through the dialplans.
struct Call<'a> {
    dialplans: &'a [Document<'a>],
    context: String,
    variables: HashMap<String, String>,
    forwards: u32,
    stacked: u32,
    talked: Duration,
    turns: u32,
    played: Vec<String>,
    told: Vec<String>,
    /// Where a transfer within an action leads.
    transfer: Option<(String, String)>,
    end: Option<End>,
    /// The turn of the bot from which the caller is upset.
    upset_at: u32,
}

impl<'a> Call<'a> {
    fn place(dialplans: &'a [Document<'a>], number: &str, upset_at: u32) -> Self {
        let mut call = Self {
            dialplans,
            context: "from-carrier".to_owned(),
            variables: HashMap::from([("domain_name".to_owned(), "192.0.2.20".to_owned())]),
            forwards: MAX_FORWARDS,
            stacked: 0,
            talked: Duration::ZERO,
            turns: 0,
            played: Vec::new(),
            told: Vec::new(),
            transfer: None,
            end: None,
            upset_at,
        };
        call.feel();
        call.route(number);
        call
    }

    fn feel(&mut self) {
        let upset = self.turns >= self.upset_at;
        for (name, value) in [
            ("SIDETONE_STATE", if upset { "frustrated" } else { "neutral" }),
            ("SIDETONE_ALERT", if upset { "frustration" } else { "none" }),
        ] {
            self.variables.insert(name.to_owned(), value.to_owned());
        }
    }

    /// `CS_ROUTING` and `CS_EXECUTE`, until neither a transfer nor an action is left.
    fn route(&mut self, number: &str) {
        self.execute(number);
        while let Some((number, context)) = self.transfer.take() {
            if self.forwards == 0 {
                self.end = Some(End::HungUp("EXCHANGE_ROUTING_ERROR"));
                return;
            }
            self.forwards -= 1;
            self.context = context;
            self.execute(&number);
        }
        self.end.get_or_insert(End::HungUp("NORMAL_CLEARING"));
    }

    /// Takes the actions of the first extension whose conditions hold.
    fn execute(&mut self, number: &str) {
        for action in self.hunt(number) {
            if self.end.is_some() || self.transfer.is_some() {
                return;
            }
            self.act(&action.0, &action.1);
        }
    }

    fn hunt(&self, number: &str) -> Vec<(String, String)> {
        let contexts =
            self.dialplans.iter().flat_map(Document::descendants).filter(|it| {
                it.has_tag_name("context") && it.attribute("name") == Some(self.context.as_str())
            });
        let extensions = contexts.flat_map(|it| it.children().filter(|it| it.has_tag_name("extension")));
        for extension in extensions {
            if let Some(actions) = self.matches(extension, number) {
                return actions;
            }
        }
        Vec::new()
    }

    fn matches(&self, extension: Node<'_, '_>, number: &str) -> Option<Vec<(String, String)>> {
        let mut actions = Vec::new();
        for condition in extension.children().filter(|it| it.has_tag_name("condition")) {
            let field = condition.attribute("field").unwrap();
            let value = if field == "destination_number" {
                number.to_owned()
            } else {
                let name = field.strip_prefix("${").unwrap().strip_suffix('}').unwrap();
                self.variables.get(name).cloned().unwrap_or_default()
            };
            let found = capture(condition.attribute("expression").unwrap(), &value)?;
            for action in condition.children().filter(|it| it.has_tag_name("action")) {
                let data = action.attribute("data").unwrap_or_default().replace("$1", &found);
                let times = action.attribute("loop").map_or(1, |it| it.parse().unwrap());
                for _ in 0..times {
                    actions.push((action.attribute("application").unwrap().to_owned(), data.clone()));
                }
            }
        }
        Some(actions)
    }

    fn act(&mut self, application: &str, data: &str) {
        match application {
            "answer" | "log" => {}
            "event" => self.told.push(data.to_owned()),
            "playback" => {
                self.played.push(data.to_owned());
                self.talked += SOUND;
            }
            "sleep" => {
                self.talked += Duration::from_millis(data.parse().unwrap());
                self.turns += 1;
                self.feel();
            }
            "set" => {
                let (name, value) = data.split_once('=').unwrap();
                self.variables.insert(name.to_owned(), value.to_owned());
            }
            "execute_extension" => {
                let (number, context) = aimed(data);
                if self.stacked > MOST_STACKED {
                    return;
                }
                let before = std::mem::replace(&mut self.context, context);
                self.stacked += 1;
                self.execute(&number);
                self.stacked -= 1;
                self.context = before;
            }
            "transfer" => self.transfer = Some(aimed(data)),
            "bridge" => self.end = Some(End::Bridged(data.to_owned())),
            "callcenter" => self.end = Some(End::Queued(data.to_owned())),
            "echo" => self.end = Some(End::Echo),
            other => panic!("{other} is not known here"),
        }
    }

    /// Where the number is looked up that an agent transfers this caller to: a REFER names no context.
    fn transferred_in(&self) -> &str {
        self.variables.get("force_transfer_context").map_or(&*self.context, String::as_str)
    }
}

/// `NUMBER XML CONTEXT`.
fn aimed(data: &str) -> (String, String) {
    let parts: Vec<&str> = data.split(' ').collect();
    let [number, "XML", context] = parts[..] else { panic!("{data}") };
    (number.to_owned(), context.to_owned())
}

/// What an expression of the kinds that are shipped captures of a value; `None` where it does not match.
fn capture(expression: &str, value: &str) -> Option<String> {
    let inner = expression.strip_prefix('^').and_then(|it| it.strip_suffix('$')).expect("anchored");
    if inner == r"\+?\d+" {
        let digits = value.strip_prefix('+').unwrap_or(value);
        return (!digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())).then(String::new);
    }
    let words = inner.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(inner);
    assert!(words.bytes().all(|it| it.is_ascii_alphanumeric() || b"|-_".contains(&it)), "{expression}");
    words.split('|').find(|word| *word == value).map(str::to_owned)
}

fn placed(number: &str, upset_at: u32, look: impl FnOnce(Call<'_>)) {
    let texts = ["from-carrier", "affect"]
        .map(|name| std::fs::read_to_string(shipped().join(format!("dialplan/{name}.xml"))).unwrap());
    let dialplans = texts.each_ref().map(|text| Document::parse(text).unwrap());
    look(Call::place(&dialplans, number, upset_at));
}

const NEVER: u32 = u32::MAX;

/// Each transfer takes one of 70 forwards: a bot that turns by transfers hangs up on its caller after four minutes.
#[test]
fn the_bot_talks_for_an_hour_and_hands_over_then() {
    placed("710", NEVER, |call| {
        assert_eq!(call.end, Some(End::Bridged("user/1000@${domain_name}".to_owned())));
        assert!(call.turns >= 1_000 && call.talked > Duration::from_secs(3_000), "{:?}", call.talked);
        assert!(call.forwards > MAX_FORWARDS / 2, "{} forwards left", call.forwards);
    });
}

#[test]
fn the_bot_makes_way_once_its_caller_is_upset() {
    placed("710", 3, |call| {
        assert_eq!(call.end, Some(End::Bridged("user/1000@${domain_name}".to_owned())));
        assert_eq!(call.turns, 3);
        assert!(call.played.last().unwrap().ends_with("/sorry.wav"));
        assert!(
            call.told[0].contains("Party=bot") && call.told[1].contains("Party=human"),
            "{:?}",
            call.told
        );
    });
}

#[test]
fn the_upset_go_first() {
    placed("720", 0, |call| {
        assert_eq!(call.end, Some(End::Queued("support@default".to_owned())));
        assert_eq!(call.variables.get("cc_base_score").map(String::as_str), Some("600"));
    });
    placed("720", NEVER, |call| {
        assert_eq!(call.end, Some(End::Queued("support@default".to_owned())));
        assert_eq!(call.variables.get("cc_base_score"), None);
    });
}

/// In the context of the carrier's calls every number rings the agent again.
#[test]
fn an_agent_may_transfer_a_caller_elsewhere() {
    for number in ["+15550142", "710", "720"] {
        placed(number, 0, |call| {
            assert!(matches!(call.end, Some(End::Bridged(_) | End::Queued(_))), "{number}");
            assert_eq!(call.transferred_in(), "default", "{number}");
        });
    }
    placed("600", NEVER, |call| assert_eq!(call.end, Some(End::Echo)));
}

/// A relative name would be looked for below `sound_prefix`, the folder of one voice.
#[test]
fn sounds_are_found_wherever_the_voice_is() {
    let text = std::fs::read_to_string(shipped().join("dialplan/affect.xml")).unwrap();
    let document = Document::parse(&text).unwrap();
    let played = document.descendants().filter(|it| it.attribute("application") == Some("playback"));
    let played: Vec<&str> = played.map(|it| it.attribute("data").unwrap()).collect();
    assert!(played.len() >= 4);
    for sound in played {
        let name = sound.strip_prefix("$${sounds_dir}/sidetone/").unwrap_or_else(|| panic!("{sound}"));
        assert!(sounds().join(name).is_file(), "{sound}");
    }
}
