//! The dialplans that are shipped, in a real Asterisk.

use crate::common::run;
use crate::office::{By, Office};

#[test]
fn an_upset_caller_is_passed_from_the_bot_to_a_person() {
    run(async {
        let office = Office::open(By::Ami, "").await;
        let ada = office.dial("710", "ada");
        let mut call = office.sidetone.call(&ada.sip);
        office.prints("how-can-i-help").await;
        office.prints("go-on").await;
        assert!(!office.asterisk.output().contains("a person takes over"), "not yet");
        call.alert("frustration", "rising");
        office.prints("Sidetone: frustrated, a person takes over").await;
        office.prints("/sorry").await;
        office.prints("Dial(\"PJSIP/sidetone-00000000\", \"PJSIP/agent,60").await;
        let told = office.sidetone.told();
        let told: Vec<_> = told.iter().map(|(_, telling)| telling.to_string()).collect();
        assert_eq!(told, ["{\"party\":\"bot\"}", "{\"party\":\"human\"}"]);
        assert!(!office.asterisk.output().contains("does not exist in any format"), "the sounds are there");
    });
}

#[test]
fn an_upset_caller_goes_first_in_the_queue() {
    run(async {
        let office = Office::open(By::Ami, IN_A_MOMENT).await;
        let ada = office.dial("720", "ada");
        let _calm = office.sidetone.call(&ada.sip);
        office.prints("Queue(\"PJSIP/sidetone-00000000\"").await;
        let bob = office.dial("721", "bob");
        let mut upset = office.sidetone.call(&bob.sip);
        upset.alert("distress", "rising");
        office.prints("1?Set(QUEUE_PRIO=10)").await;
        office.prints("Queue(\"PJSIP/sidetone-00000001\"").await;
        let first = crate::common::until("both in the queue", async || {
            let queue = office.asterisk.ask("queue show support");
            let callers: Vec<_> = queue.lines().filter(|line| line.contains("wait:")).collect();
            (callers.len() == 2).then(|| callers[0].to_owned())
        })
        .await;
        assert!(first.contains("PJSIP/sidetone-00000001") && first.contains("prio: 10"), "{first}");
    });
}

/// Somebody is upset before they get to the queue.
const IN_A_MOMENT: &str = "[trying-out](+)
exten => 721,1,Answer()
 same => n(look),Wait(0.2)
 same => n,GotoIf($[\"${SIDETONE_ALERT}\" = \"distress\"]?affect,720,1)
 same => n,Goto(look)
";

#[test]
fn a_supervisor_is_shown_by_ami_a_call_that_goes_wrong() {
    a_supervisor_is_shown_a_call_that_goes_wrong(By::Ami);
}

#[test]
fn a_supervisor_is_shown_by_ari_a_call_that_goes_wrong() {
    a_supervisor_is_shown_a_call_that_goes_wrong(By::Ari);
}

fn a_supervisor_is_shown_a_call_that_goes_wrong(by: By) {
    run(async {
        let office = Office::open(by, WITHOUT_AN_AGENT).await;
        let ada = office.dial("730", "ada");
        let mut call = office.sidetone.call(&ada.sip);
        office.prints("watch@affect-supervisor").await;
        let lamp = |state: &str| {
            let lamps = office.asterisk.ask("core show hint caller-upset");
            lamps.contains(state)
        };
        crate::common::until("a dark lamp", async || lamp("State:Idle").then_some(())).await;
        call.alert("frustration", "rising");
        crate::common::until("a lamp that is lit", async || lamp("State:InUse").then_some(())).await;
        office.prints("SidetoneSupervisor,Alert: frustration,Watched: PJSIP/sidetone-00000000").await;
        office.prints("ChanSpy").await;
        call.alert("frustration", "calmed");
        crate::common::until("a dark lamp again", async || lamp("State:Idle").then_some(())).await;
        drop(ada);
    });
}

/// No telephone is registered, so the call waits where the agent would talk.
const WITHOUT_AN_AGENT: &str = "[trying-out](+)
exten => 730,1,Answer()
 same => n,Originate(Local/watch@affect-supervisor/n,app,Wait,36000,,10,av(WATCHED=${CHANNEL}))
 same => n,Wait(600)
";
