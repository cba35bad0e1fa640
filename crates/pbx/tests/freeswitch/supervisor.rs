//! The script that rings a supervisor, run by Lua against the commands of the peer.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::run;
use crate::peer::FreeSwitch;
use crate::shipped::shipped;

const ALERT: &str = "Sidetone-Kind=affect.alert;Sidetone-Alert=distress;Sidetone-Channel-UUID=mine";
/// Most commands that a script may give: it must come to an end.
const MOST: usize = 200;

/// A FreeSWITCH with a caller on channel `mine`.
struct Office {
    pbx: FreeSwitch,
    /// Milliseconds that scripts have waited.
    waited: u64,
    /// When the caller's alert ends.
    calms_after: u64,
}

impl Office {
    async fn opens() -> Self {
        let pbx = FreeSwitch::start().await;
        pbx.creates("mine", Some("call-1@carrier"));
        pbx.sets("mine", "SIDETONE_ALERT", "distress");
        Self { pbx, waited: 0, calms_after: u64::MAX }
    }

    /// The hook runs with an event, and then whatever it has started by `luarun`.
    fn hears(&mut self, event: &str) {
        self.script(&[], event);
        for arguments in self.pbx.started() {
            let (script, arguments) = arguments.split_once(' ').unwrap();
            assert_eq!(script, "sidetone_supervisor.lua");
            self.script(&arguments.split(' ').collect::<Vec<_>>(), "");
        }
    }

    fn script(&mut self, arguments: &[&str], event: &str) {
        let prelude = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/freeswitch/freeswitch.lua");
        let mut lua = Command::new("lua5.4")
            .arg(prelude)
            .arg(shipped().join("scripts/sidetone_supervisor.lua"))
            .args(arguments)
            .env("EVENT", event)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("lua5.4 is missing: run `tools/peers/install.sh lua` first");
        let (mut answers, asked) = (lua.stdin.take().unwrap(), lua.stdout.take().unwrap());
        for line in BufReader::new(asked).lines().take(MOST) {
            let line = line.unwrap();
            let answer = match line.split_once(' ').unwrap() {
                ("api", command) => self.pbx.api(command),
                ("wait", milliseconds) => {
                    self.waited += milliseconds.parse::<u64>().unwrap();
                    if self.waited >= self.calms_after {
                        self.pbx.sets("mine", "SIDETONE_ALERT", "none");
                    }
                    String::new()
                }
                _ => panic!("{line}"),
            };
            writeln!(answers, "{}", answer.replace('\n', "\\n")).unwrap();
        }
        assert!(lua.wait().unwrap().success());
    }
}

#[test]
fn a_supervisor_is_rung_once_and_listens() {
    run(async {
        let mut office = Office::opens().await;
        office.pbx.will_answer(&["+OK 4711"]);
        office.hears(ALERT);
        office.hears(ALERT);
        let rings = office.pbx.rings();
        assert_eq!(rings.len(), 1, "one supervisor a call: {rings:?}");
        assert_eq!((&*rings[0].to, &*rings[0].then), ("user/supervisor", "&eavesdrop(mine)"));
    });
}

/// `Caller upset: distress` arrives as ` distress`: mod_sofia drops what stands before a colon or a slash.
#[test]
fn the_supervisors_telephone_says_why_it_rings() {
    run(async {
        for (alert, shown) in [("distress", "Caller in distress"), ("frustration", "Caller is frustrated")] {
            let mut office = Office::opens().await;
            office.pbx.will_answer(&["+OK 4711"]);
            office.hears(&ALERT.replace("distress", alert));
            assert_eq!(office.pbx.rings()[0].shown, shown);
        }
    });
}

#[test]
fn a_supervisor_who_is_away_is_rung_again_while_the_caller_is_upset() {
    run(async {
        let mut office = Office::opens().await;
        office.pbx.will_answer(&["-ERR USER_NOT_REGISTERED\n", "-ERR NO_ANSWER\n", "+OK 4711"]);
        office.hears(ALERT);
        assert_eq!(office.pbx.rings().len(), 3);
        assert!(office.waited >= 20_000, "not at once: {} ms", office.waited);
        assert_eq!(office.pbx.variable("mine", "sidetone_supervisor").as_deref(), Some("answered"));
    });
}

#[test]
fn who_has_calmed_down_needs_no_supervisor_and_the_next_alert_rings_anew() {
    run(async {
        let mut office = Office::opens().await;
        office.calms_after = 20_000;
        office.hears(ALERT);
        assert_eq!(office.pbx.rings().len(), 2, "until the caller is calm");
        office.pbx.will_answer(&["+OK 4711"]);
        office.hears(ALERT);
        assert_eq!(office.pbx.rings().len(), 3);
    });
}

#[test]
fn nobody_is_rung_for_ever_nor_for_a_caller_who_has_gone() {
    run(async {
        let mut office = Office::opens().await;
        office.hears(ALERT);
        assert_eq!(office.pbx.rings().len(), 10);
        let mut office = Office::opens().await;
        office.pbx.destroys("mine");
        office.hears(ALERT);
        assert!(office.pbx.rings().len() <= 1);
    });
}

/// Any program on the event socket may post such an event.
#[test]
fn an_event_can_not_make_the_script_run_something_else() {
    run(async {
        let mut office = Office::opens().await;
        for event in [
            ALERT.replace("mine", "mine system rm"),
            ALERT.replace("=mine", "="),
            ALERT.replace("distress", "distress x"),
            ALERT.replace("affect.alert", "affect.update"),
        ] {
            office.hears(&event);
        }
        assert_eq!(office.pbx.rings().len(), 0);
    });
}
