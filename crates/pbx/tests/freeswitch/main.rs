//! The link to FreeSWITCH against a peer that follows its published protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a failure is the message
#![allow(clippy::needless_pass_by_value)] // reads better where it is called

mod commands;
#[path = "../common/mod.rs"]
mod common;
mod dialplan;
mod peer;
mod shipped;
mod supervisor;

use std::time::Duration;

use common::{Sidetone, run, until};
use peer::{FreeSwitch, PASSWORD};
use serde_json::json;

async fn connected(pbx: &FreeSwitch) -> Sidetone {
    let sidetone = Sidetone::start(&pbx.config(PASSWORD));
    until("the link", async || sidetone.counts().connected.then_some(())).await;
    sidetone
}

async fn variable(pbx: &FreeSwitch, uuid: &str, name: &str, value: &str) {
    until(&format!("{name}={value}"), async || {
        (pbx.variable(uuid, name).as_deref() == Some(value)).then_some(())
    })
    .await;
}

/// Each variable is a command of its own, so that it follows the one that tells why.
async fn taken_back(pbx: &FreeSwitch, uuid: &str, name: &str) {
    until(&format!("{name} taken back"), async || pbx.variable(uuid, name).is_none().then_some(())).await;
}

#[test]
fn the_channel_of_a_call_is_found_and_set() {
    run(async {
        let pbx = FreeSwitch::start().await;
        pbx.creates("before", Some("call-0@carrier"));
        let sidetone = connected(&pbx).await;
        let mut before = sidetone.call("call-0@carrier");
        variable(&pbx, "before", "SIDETONE_STATE", "unknown").await;
        before.alert("frustration", "rising");
        variable(&pbx, "before", "SIDETONE_STATE", "frustrated").await;

        let mut call = sidetone.call("call-1@carrier");
        pbx.creates("other", Some("call-9@carrier"));
        // As FreeSWITCH does when it calls: the Call-ID comes with the first answer.
        pbx.creates("mine", None);
        tokio::time::sleep(Duration::from_millis(20)).await;
        pbx.sets("mine", "sip_call_id", "call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_ALERT", "none").await;
        call.update(-0.25, "negative");
        variable(&pbx, "mine", "SIDETONE_VALENCE", "-0.25").await;
        variable(&pbx, "mine", "SIDETONE_AROUSAL", "0.25").await;
        variable(&pbx, "mine", "SIDETONE_STATE", "negative").await;
        call.alert("distress", "rising");
        variable(&pbx, "mine", "SIDETONE_ALERT", "distress").await;
        call.consent("opted-out", true);
        variable(&pbx, "mine", "SIDETONE_CONSENT", "opted-out").await;
        taken_back(&pbx, "mine", "SIDETONE_STATE").await;
        taken_back(&pbx, "mine", "SIDETONE_VALENCE").await;
        assert_eq!(pbx.variable("other", "SIDETONE_STATE"), None);
        assert_eq!(sidetone.counts().failed, 0);
    });
}

/// Sidetone was killed in mid-call and has no memory of it: what it had set says nothing any more.
#[test]
fn what_was_set_before_a_restart_of_sidetone_is_taken_back() {
    run(async {
        let pbx = FreeSwitch::start().await;
        pbx.creates("mine", Some("call-1@carrier"));
        for (name, value) in [
            ("STATE", "frustrated"),
            ("ALERT", "frustration"),
            ("VALENCE", "-0.60"),
            ("AROUSAL", "0.70"),
            ("CONSENT", "given"),
        ] {
            pbx.sets("mine", &format!("SIDETONE_{name}"), value);
        }
        let sidetone = connected(&pbx).await;
        let _call = sidetone.resumed("call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        variable(&pbx, "mine", "SIDETONE_ALERT", "none").await;
        for name in ["SIDETONE_VALENCE", "SIDETONE_AROUSAL", "SIDETONE_CONSENT"] {
            taken_back(&pbx, "mine", name).await;
        }
        assert_eq!(sidetone.counts().failed, 0);
    });
}

#[test]
fn a_cue_is_sent_to_the_phone_of_its_agent_and_to_no_other() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let more = "cues = \"message\"\ncues_to = \"internal/{agent}@pbx.example\"\n";
        let sidetone = Sidetone::start(&format!("{}{more}", pbx.config(PASSWORD)));
        until("the link", async || sidetone.counts().connected.then_some(())).await;
        let mut call = sidetone.call("call-1@carrier");
        call.cue(1, "Nobody has this call yet.");
        call.agent("2001");
        call.cue(2, "Slow | down,\u{2028}please.");
        let sent = until("a text", async || pbx.chats().first().cloned()).await;
        let expected = ["sip", "cues@sidetone.invalid", "internal/2001@pbx.example"];
        assert_eq!(sent[..3], expected);
        assert!(sent[3].starts_with("Slow   down,"), "{sent:?}");
        // A label is a text of the PBX's: what could lead elsewhere is sent nowhere.
        call.agent("2001@elsewhere");
        call.cue(3, "Not this.");
        call.agent("2002");
        call.cue(4, "Refused.");
        until("the refusal", async || (sidetone.counts().failed == 1).then_some(())).await;
        let texts: Vec<String> = pbx.chats().into_iter().map(|[_, _, _, text]| text).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert_eq!(texts[1], "Refused.");
        assert!(sidetone.counts().connected);
        call.ends();
    });
}

#[test]
fn events_are_fired_for_all_to_see() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let mut call = sidetone.call("call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        call.alert("frustration", "rising");
        let id = call.id();
        call.ends();
        let events = until("two events", async || Some(pbx.custom()).filter(|it| it.len() == 2)).await;
        let alert = &events[0];
        assert_eq!(alert["event-subclass"], "sidetone::affect");
        assert_eq!(alert["sidetone-kind"], "affect.alert");
        assert_eq!(alert["sidetone-call"], id);
        assert_eq!(alert["sidetone-sip-call-id"], "call-1@carrier");
        assert_eq!(alert["sidetone-channel-uuid"], "mine");
        assert_eq!(alert["sidetone-state"], "frustrated");
        assert_eq!(alert["sidetone-alert"], "frustration");
        let body: serde_json::Value = serde_json::from_str(&alert["_body"]).unwrap();
        assert_eq!(body["data"]["alert"], "frustration");
        assert_eq!(events[1]["sidetone-kind"], "call.ended");
        assert_eq!(pbx.swallowed(), 0, "a Unique-ID would have kept the event to the channel");
    });
}

#[test]
fn what_freeswitch_tells_is_heard() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        let _call = sidetone.call("call-1@carrier");
        pbx.creates("mine", Some("call-1@carrier"));
        pbx.tells(
            "mine",
            &[
                ("Consent", "granted"),
                ("sidetone_tell_queue", "billing"),
                ("sidetone-tier", "health"),
                ("Customer", "yes"),
            ],
        );
        pbx.sets("mine", "sidetone_tell_customer", "no");
        pbx.sets("mine", "sidetone_tell_agent", "Ada");
        pbx.answers("mine");
        pbx.answers("mine");
        pbx.sets("mine", "sidetone_tell_agent", "Bob");
        pbx.answers("mine");
        let mut told =
            until("seven tellings", async || Some(sidetone.told()).filter(|it| it.len() >= 7)).await;
        told.sort_by_key(|(_, telling)| telling.to_string());
        let expected = [
            json!({ "agent": "Ada" }),
            json!({ "agent": "Bob" }),
            json!({ "consent": "granted" }),
            json!({ "customer": false }),
            json!({ "customer": true }),
            json!({ "queue": "billing" }),
            json!({ "tier": "health" }),
        ];
        assert_eq!(
            told,
            expected.map(|it| ("call-1@carrier".to_owned(), it)),
            "each once, however often it is shown"
        );
    });
}

#[test]
fn after_a_restart_everything_is_said_again() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let mut call = sidetone.call("call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        pbx.lingers();
        call.update(0.5, "positive");
        variable(&pbx, "mine", "SIDETONE_STATE", "positive").await;
        assert_eq!(pbx.logins(), 1, "one that lingers goes on");
        // All is lost, and something happens meanwhile.
        pbx.goodbye();
        until("the end of the link", async || (!sidetone.counts().connected).then_some(())).await;
        for name in ["SIDETONE_STATE", "SIDETONE_ALERT"] {
            pbx.sets("mine", name, "forgotten");
        }
        call.alert("distress", "rising");
        variable(&pbx, "mine", "SIDETONE_STATE", "distressed").await;
        variable(&pbx, "mine", "SIDETONE_ALERT", "distress").await;
        variable(&pbx, "mine", "SIDETONE_VALENCE", "-0.60").await;
        until("the alert", async || (!pbx.custom().is_empty()).then_some(())).await;
        let counts = sidetone.counts();
        assert_eq!((counts.connects, counts.disconnects, pbx.logins()), (2, 1, 2));
    });
}

#[test]
fn a_wrong_password_is_tried_again_at_leisure() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = Sidetone::start(&pbx.config("wrong"));
        until("two refusals", async || (sidetone.counts().disconnects >= 2).then_some(())).await;
        let counts = sidetone.counts();
        assert_eq!((counts.connected, counts.connects), (false, 0));
        assert!(pbx.commands().len() <= 3, "{:?}", pbx.commands());
    });
}

#[test]
fn users_of_a_domain_log_in_too() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = Sidetone::start(&format!("{}user = \"ada@pbx\"\n", pbx.config(PASSWORD)));
        until("the link", async || sidetone.counts().connected.then_some(())).await;
    });
}

/// The rights that docs/PBX.md asks for are enough, and FreeSWITCH's answer that lists them is not cut.
#[test]
fn a_user_needs_no_more_rights_than_those_documented() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let manual = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PBX.md");
        let manual = std::fs::read_to_string(manual).unwrap();
        let of = |name: &str| {
            let after = manual.split_once(&format!("{name}\" value=\"")).unwrap().1;
            after.split_once('"').unwrap().0.to_owned()
        };
        pbx.grants(&of("esl-allowed-events"), &of("esl-allowed-api"));
        let sidetone = Sidetone::start(&format!("{}user = \"ada@pbx\"\n", pbx.config(PASSWORD)));
        until("the link", async || sidetone.counts().connected.then_some(())).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let mut call = sidetone.call("call-1@carrier");
        call.alert("frustration", "rising");
        variable(&pbx, "mine", "SIDETONE_ALERT", "frustration").await;
        until("the event", async || (!pbx.custom().is_empty()).then_some(())).await;
        assert_eq!(sidetone.counts().failed, 0);
    });
}

#[test]
fn what_a_user_may_not_do_is_counted_and_the_rest_goes_on() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let all = "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE \
            CHANNEL_UNBRIDGE CHANNEL_PARK CHANNEL_UNPARK CHANNEL_UUID CHANNEL_DESTROY SHUTDOWN CUSTOM sidetone::tell";
        pbx.grants(all, "show uuid_getvar uptime");
        let sidetone = Sidetone::start(&format!("{}user = \"ada@pbx\"\n", pbx.config(PASSWORD)));
        until("the link", async || sidetone.counts().connected.then_some(())).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let mut call = sidetone.call("call-1@carrier");
        call.alert("frustration", "rising");
        until("the event", async || (!pbx.custom().is_empty()).then_some(())).await;
        until("the refusal", async || (sidetone.counts().failed > 0).then_some(())).await;
        assert!(sidetone.counts().connected);
    });
}

#[test]
fn who_may_not_hear_the_events_is_refused() {
    run(async {
        let pbx = FreeSwitch::start().await;
        pbx.grants("CHANNEL_CREATE", "show");
        let sidetone = Sidetone::start(&format!("{}user = \"ada@pbx\"\n", pbx.config(PASSWORD)));
        until("two refusals", async || (sidetone.counts().disconnects >= 2).then_some(())).await;
        let counts = sidetone.counts();
        assert_eq!((counts.connected, counts.connects, counts.malformed), (false, 0, 0));
    });
}

/// The access list is looked at before anything is asked: a refusal stands where the question for the password would.
#[test]
fn who_is_not_on_the_access_list_keeps_the_password_to_itself() {
    run(async {
        let pbx = FreeSwitch::start().await;
        pbx.closes_its_door();
        let sidetone = Sidetone::start(&pbx.config(PASSWORD));
        until("two refusals", async || (sidetone.counts().disconnects >= 2).then_some(())).await;
        let counts = sidetone.counts();
        assert_eq!((counts.connects, counts.malformed), (0, 0));
        assert_eq!(pbx.commands(), Vec::<String>::new());
    });
}

/// FreeSWITCH looks for `reload` and `mod_event_socket` in all of a command, headers included. Call-IDs and names are
/// the caller's to choose.
#[test]
fn no_caller_can_have_the_event_socket_restarted() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        pbx.creates("mine", Some("reload-Mod_event_socket@carrier"));
        let mut call = sidetone.call("reload-Mod_event_socket@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        call.alert("frustration", "rising");
        call.ends();
        until("both events", async || (pbx.custom().len() == 2).then_some(())).await;
        assert_eq!((pbx.reloads(), sidetone.counts().connects), (0, 1));
        let event = &pbx.custom()[0];
        assert_eq!(event["sidetone-sip-call-id"], "reload-Mod-event-socket@carrier");
        assert_eq!(event["sidetone-channel-uuid"], "mine");
    });
}

/// `-ERR` is a refusal; a hyphen alone is how some telephones begin their Call-IDs.
#[test]
fn a_call_id_may_begin_with_a_hyphen() {
    run(async {
        let pbx = FreeSwitch::start().await;
        pbx.creates("mine", Some("-1234@carrier"));
        let sidetone = connected(&pbx).await;
        let _call = sidetone.call("-1234@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
    });
}

/// An event that another program has posted has its Content-Length twice.
#[test]
fn other_programs_tell_with_sendevent() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        let _call = sidetone.call("call-1@carrier");
        let headers = [
            ("Event-Subclass", "sidetone::tell"),
            ("Sidetone-SIP-Call-ID", "call-1@carrier"),
            ("Consent", "refused"),
        ];
        pbx.posts(&headers, "{}");
        let told = until("the telling", async || sidetone.told().pop()).await;
        assert_eq!(told, ("call-1@carrier".to_owned(), json!({ "consent": "refused" })));
    });
}

#[test]
fn a_channel_that_has_gone_is_no_failure() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let mut call = sidetone.call("call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        pbx.destroys("mine");
        call.alert("frustration", "rising");
        call.ends();
        until("both events", async || (pbx.custom().len() == 2).then_some(())).await;
        assert_eq!(sidetone.counts().failed, 0);
        assert_eq!(sidetone.counts().calls_not_found, 0, "it had been found");
    });
}

#[test]
fn what_waits_is_sent_before_the_end() {
    run(async {
        let pbx = FreeSwitch::start().await;
        let sidetone = connected(&pbx).await;
        pbx.creates("mine", Some("call-1@carrier"));
        let call = sidetone.call("call-1@carrier");
        variable(&pbx, "mine", "SIDETONE_STATE", "unknown").await;
        call.ends();
        sidetone.links.shutdown(Duration::from_secs(5)).await;
        assert_eq!(pbx.custom().len(), 1);
        until("goodbye", async || pbx.commands().last().filter(|it| *it == "exit").map(|_| ())).await;
    });
}
