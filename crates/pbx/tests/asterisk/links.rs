//! What holds of AMI and of ARI alike.

use crate::common::{run, until};
use crate::office::{By, Office, WAITING};

fn the_right_channel_is_set(by: By) {
    run(async {
        let office = Office::open(by, WAITING).await;
        let (ada, bob) = (office.dial("700", "ada"), office.dial("700", "bob"));
        let (mut call, _other) = (office.sidetone.call(&ada.sip), office.sidetone.call("somebody@else"));
        office.has(&ada, "SIDETONE_STATE", "unknown").await;
        office.has(&ada, "SIDETONE_ALERT", "none").await;
        call.update(-0.25, "negative");
        office.has(&ada, "SIDETONE_STATE", "negative").await;
        office.has(&ada, "SIDETONE_VALENCE", "-0.25").await;
        office.has(&ada, "SIDETONE_AROUSAL", "0.25").await;
        call.alert("distress", "rising");
        office.has(&ada, "SIDETONE_ALERT", "distress").await;
        call.consent("opted-out", true);
        office.has(&ada, "SIDETONE_CONSENT", "opted-out").await;
        office.has(&ada, "SIDETONE_STATE", "").await;
        office.has(&ada, "SIDETONE_VALENCE", "").await;
        office.has(&bob, "TEST_CALL_ID", &bob.sip).await;
        assert_eq!(office.variable(&bob, "SIDETONE_STATE"), None, "nobody else's channel");
        let counts = office.sidetone.counts();
        assert_eq!((counts.failed, counts.dropped, counts.disconnects), (0, 0, 0));
        drop(ada);
    });
}

#[test]
fn ami_sets_the_right_channel() {
    the_right_channel_is_set(By::Ami);
}

#[test]
fn ari_sets_the_right_channel_though_it_is_in_no_application() {
    the_right_channel_is_set(By::Ari);
}

/// It is killed in mid-call, and comes back with another call that Sidetone has been told of meanwhile.
fn after_a_restart_everything_is_said_again(by: By) {
    run(async {
        let mut office = Office::open(by, WAITING).await;
        let ada = office.dial("700", "ada");
        let mut lost = office.sidetone.call(&ada.sip);
        office.has(&ada, "SIDETONE_STATE", "unknown").await;
        office.asterisk.kill();
        until("the end of the link", async || (!office.sidetone.counts().connected).then_some(())).await;
        lost.alert("frustration", "rising");
        let mut bob_calls = office.sidetone.call("bob@carrier.example");
        bob_calls.consent("given", false);
        bob_calls.update(0.5, "positive");
        office.asterisk.start_again();
        let bob = office.dial("700", "bob");
        office.has(&bob, "SIDETONE_STATE", "positive").await;
        office.has(&bob, "SIDETONE_CONSENT", "given").await;
        office.has(&bob, "SIDETONE_VALENCE", "0.50").await;
        assert_eq!(office.sidetone.counts().connects, 2);
    });
}

#[test]
fn ami_survives_a_restart_of_asterisk() {
    after_a_restart_everything_is_said_again(By::Ami);
}

#[test]
fn ari_survives_a_restart_of_asterisk() {
    after_a_restart_everything_is_said_again(By::Ari);
}

/// The manager or the web server goes, and the call stays.
fn a_call_outlives_the_interface(by: By, module: &str) {
    run(async {
        let office = Office::open(by, WAITING).await;
        let ada = office.dial("700", "ada");
        let mut call = office.sidetone.call(&ada.sip);
        office.has(&ada, "SIDETONE_STATE", "unknown").await;
        let file = match by {
            By::Ami => "etc/manager.conf",
            By::Ari => "etc/http.conf",
        };
        let file = office.asterisk.file(file);
        let whole = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, whole.replace("enabled = yes", "enabled = no")).unwrap();
        let _ = office.asterisk.ask(&format!("module reload {module}"));
        // Asterisk lets those that are connected be; their connections are cut like this.
        office.asterisk.cut(match by {
            By::Ami => 5038,
            By::Ari => 8088,
        });
        until("the end of the link", async || (!office.sidetone.counts().connected).then_some(())).await;
        call.alert("frustration", "rising");
        std::fs::write(&file, whole).unwrap();
        let _ = office.asterisk.ask(&format!("module reload {module}"));
        office.has(&ada, "SIDETONE_STATE", "frustrated").await;
        office.has(&ada, "SIDETONE_ALERT", "frustration").await;
        assert!(office.sidetone.counts().connects >= 2);
    });
}

#[test]
fn ami_goes_and_comes_back_in_mid_call() {
    a_call_outlives_the_interface(By::Ami, "manager");
}

#[test]
fn ari_goes_and_comes_back_in_mid_call() {
    a_call_outlives_the_interface(By::Ari, "http");
}

fn a_wrong_password(by: By) {
    run(async {
        let office = Office::open_with(by, "wrong", "");
        until("two refusals", async || (office.sidetone.counts().disconnects >= 2).then_some(())).await;
        let counts = office.sidetone.counts();
        assert_eq!((counts.connected, counts.connects, counts.malformed), (false, 0, 0));
    });
}

#[test]
fn ami_refuses_a_wrong_password() {
    a_wrong_password(By::Ami);
}

#[test]
fn ari_refuses_a_wrong_password() {
    a_wrong_password(By::Ari);
}

const TELLING: &str = "[trying-out](+)
exten => 701,1,Answer()
 same => n,Set(SIDETONE_TELL_QUEUE=bill\\,\"ing\\\\)
 same => n,UserEvent(SidetoneTell,Consent: granted,Tier: health,Customer: Yes)
 same => n,Set(SIDETONE_TELL_CUSTOMER=no)
 same => n,Set(SIDETONE_TELL_MOOD=grand)
 same => n,Wait(600)
";

fn what_the_dialplan_tells_is_heard(by: By) {
    run(async {
        let office = Office::open(by, TELLING).await;
        let ada = office.dial("701", "ada");
        let _call = office.sidetone.call(&ada.sip);
        let mut told =
            until("five tellings", async || Some(office.sidetone.told()).filter(|it| it.len() >= 5)).await;
        told.sort_by_key(|(_, telling)| telling.to_string());
        let expected = [
            serde_json::json!({ "consent": "granted" }),
            serde_json::json!({ "customer": false }),
            serde_json::json!({ "customer": true }),
            serde_json::json!({ "queue": "bill\\,\"ing\\\\" }),
            serde_json::json!({ "tier": "health" }),
        ];
        assert_eq!(told, expected.map(|telling| (ada.sip.clone(), telling)));
        until("the one that means nothing", async || {
            (office.sidetone.counts().told_in_vain == 1).then_some(())
        })
        .await;
    });
}

#[test]
fn ami_hears_what_the_dialplan_tells() {
    what_the_dialplan_tells_is_heard(By::Ami);
}

#[test]
fn ari_hears_what_the_dialplan_tells() {
    what_the_dialplan_tells_is_heard(By::Ari);
}
