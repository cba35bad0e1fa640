//! A caller speaks, and Asterisk's dialplan acts on how: the links to the PBX, from the sound to the branch.

use std::time::Duration;

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::{repository, until, until_within};

/// Speech comes at its own pace.
const LISTENING: Duration = Duration::from_secs(60);

/// The demo's caller losing patience, and then more of it, so that nobody hangs up before the test does.
fn an_upset_caller() -> Vec<f64> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    assert_eq!(reader.spec().sample_rate, 8_000);
    let whole: Vec<f64> = reader.samples::<i16>().map(|it| f64::from(it.unwrap()) / 32_768.0).collect();
    let upset = &whole[22 * 8_000..38 * 8_000];
    upset.iter().copied().cycle().take(5 * upset.len()).collect()
}

fn ami(net: &Net) -> String {
    format!(
        "[pbx.ami]\naddress = \"{}\"\nusername = \"sidetone\"\nsecret = \"change-me\"\n",
        net.at(host::PBX, 5038)
    )
}

fn ari(net: &Net) -> String {
    format!(
        "[pbx.ari]\nurl = \"http://{}/ari\"\nusername = \"sidetone\"\npassword = \"change-me\"\n",
        net.at(host::PBX, 8088)
    )
}

fn caller(net: &Net) -> Baresip {
    let ada = net.v4(host::TRUNK);
    Baresip::start_saying(ada, &format!("+15550100@{ada}"), ";regint=0", an_upset_caller())
}

/// The interface breaks in mid-call, and the dialplan branches all the same.
fn the_dialplan_branches(link: fn(&Net) -> String, port: u16) {
    let net = Net::lease();
    let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut setup = Setup::for_softphones(&net);
    setup.more.push_str(&link(&net));
    let sidetone = Sidetone::start(&net, &setup);
    let mut phone = caller(&net);
    phone.command("dial", &format!("sip:710@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    asterisk.cut(port);
    until_within(LISTENING, "the branch", || {
        let output = asterisk.output();
        let upset = output.contains("Sidetone: frustrated, a person takes over")
            || output.contains("Sidetone: distressed, a person takes over");
        upset.then_some(())
    });
    until("the apology", || asterisk.output().contains("/sorry").then_some(()));
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
    let events = sidetone.finish();
    assert!(!of_kind(&events, "affect.alert").is_empty());
}

#[test]
fn by_ami_the_upset_are_passed_to_a_person() {
    the_dialplan_branches(ami, 5038);
}

#[test]
fn by_ari_the_upset_are_passed_to_a_person() {
    the_dialplan_branches(ari, 8088);
}

/// Asterisk lists no INFO package of ours, and knows nothing of our subscriptions: by SIP it is told nothing, while AMI
/// tells it all.
#[test]
fn by_sip_asterisk_is_told_nothing_it_has_not_asked_for() {
    let net = Net::lease();
    let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut setup = Setup::for_softphones(&net);
    setup.more.push_str(&ami(&net));
    setup
        .more
        .push_str("[pbx.sip]\ninfo = true\nevents = [\"affect.update\", \"affect.alert\", \"call.ended\"]\n");
    let sidetone = Sidetone::start(&net, &setup);
    let mut phone = caller(&net);
    phone.command("dial", &format!("sip:710@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    until("the apology", || asterisk.output().contains("/sorry").then_some(()));
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
    let (_, page) = sidetone.get("/metrics").unwrap();
    let by_sip: Vec<&str> =
        page.lines().filter(|it| it.contains("kind=\"sip\"") && !it.contains("link_up")).collect();
    assert_eq!(by_sip.len(), 4, "{by_sip:?}");
    assert!(by_sip.iter().all(|it| it.ends_with(" 0")), "{by_sip:?}");
    assert!(!of_kind(&sidetone.finish(), "affect.alert").is_empty());
}

/// Sidetone waits for the PBX to say that the caller has agreed, and stops when it says that they have not.
fn the_pbx_says_so(link: fn(&Net) -> String) {
    let net = Net::lease();
    let dialplan = "[trying-out](+)\nexten => 702,1,Answer()\n same => n,Wait(3)\n \
        same => n,UserEvent(SidetoneTell,Consent: granted)\n same => n,Wait(8)\n \
        same => n,Set(SIDETONE_TELL_CONSENT=refused)\n same => n,Wait(600)\n";
    let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), dialplan);
    let mut setup = Setup::for_softphones(&net);
    setup.disclosure = "announce-elsewhere".to_owned();
    setup.more.push_str(&link(&net));
    let sidetone = Sidetone::start(&net, &setup);
    let mut phone = caller(&net);
    phone.command("dial", &format!("sip:702@{}", sidetone.sip()));
    phone.wait_event("CALL_ESTABLISHED");
    until_within(LISTENING, "the refusal", || {
        let events = sidetone.events();
        let states = of_kind(&events, "consent.changed");
        states.iter().any(|it| it["data"]["state"] == "opted-out").then_some(())
    });
    until("the variable", || {
        let channel = asterisk.ask("core show channel PJSIP/sidetone-00000000");
        channel.contains("SIDETONE_CONSENT=opted-out").then_some(())
    });
    phone.command("hangup", "");
    phone.wait_event("CALL_CLOSED");
    let events = sidetone.finish();
    let place = |kind: &str, state: &str| {
        let found = events.iter().position(|it| it["kind"] == kind && it["data"]["state"] == state);
        found.unwrap_or_else(|| panic!("no {kind} {state} in {events:#?}"))
    };
    let (given, refused) = (place("consent.changed", "given"), place("consent.changed", "opted-out"));
    // What was inferred in between is erased: where each stood is all that is left of it.
    let at =
        |kind: &str| -> Vec<usize> { (0..events.len()).filter(|at| events[*at]["kind"] == kind).collect() };
    let erased = at("erased");
    assert!(!erased.is_empty(), "{events:#?}");
    assert!(erased.iter().all(|at| (given..refused).contains(at)), "{given} {erased:?} {refused}");
    assert!(at("affect.update").is_empty(), "{events:#?}");
}

#[test]
fn by_ami_the_pbx_says_what_the_caller_wants() {
    the_pbx_says_so(ami);
}

#[test]
fn by_ari_the_pbx_says_what_the_caller_wants() {
    the_pbx_says_so(ari);
}

/// Asterisk calls out. Nobody knows who is reached, so nobody is listened to, until the dialplan says that it is a
/// customer.
fn whom_asterisk_calls_is_a_customer_once_it_says_so(link: fn(&Net) -> String) {
    const AGENT: u8 = 20;
    let net = Net::lease();
    let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut setup = Setup::for_softphones(&net);
    setup.more.push_str(&link(&net));
    let sidetone = Sidetone::start(&net, &setup);
    let customer = net.v4(host::TRUNK);
    let account = ";regint=0;answermode=auto";
    let _phone =
        Baresip::start_saying(customer, &format!("+15550100@{customer}"), account, an_upset_caller());
    let account = ";auth_user=agent;auth_pass=change-me;regint=60;answermode=auto";
    let user = format!("agent@{}", net.v4(host::PBX));
    let mut agent = Baresip::start(net.v4(AGENT), &user, account, Codec::Pcmu, 1.31);
    until("the agent's registration", || {
        asterisk.ask("pjsip show aor agent").contains("Contact:  agent/").then_some(())
    });
    until("the link", || (sidetone.metric("sidetone_link_up") > 0.0).then_some(()));
    agent.command("dial", &format!("sip:+15550100@{}", net.v4(host::PBX)));
    agent.wait_event("CALL_ESTABLISHED");
    let channels = asterisk.ask("core show channels concise");
    let channel =
        channels.split(['!', '\n']).find(|it| it.starts_with("PJSIP/sidetone-")).unwrap().to_owned();
    // The customer's voice passes, for longer than the first estimate takes.
    until("media", || (sidetone.metric("sidetone_packets_total") > 500.0).then_some(()));
    assert_eq!(
        sidetone.metric("sidetone_analysis_audio_seconds_total"),
        0.0,
        "not one frame reached the model"
    );
    let events = sidetone.events();
    let states = of_kind(&events, "consent.changed");
    assert!(states.iter().all(|it| it["data"]["state"] == "excluded"), "{states:#?}");
    assert!(of_kind(&events, "affect.update").is_empty(), "{events:#?}");
    // As a dialplan's `Set` does it.
    let _ = asterisk.ask(&format!("dialplan set chanvar {channel} SIDETONE_TELL_CUSTOMER yes"));
    until_within(LISTENING, "an update", || {
        (!of_kind(&sidetone.events(), "affect.update").is_empty()).then_some(())
    });
    until("the variable", || {
        asterisk.ask(&format!("core show channel {channel}")).contains("SIDETONE_CONSENT=given").then_some(())
    });
    // And takes it back.
    let _ = asterisk.ask(&format!("dialplan set chanvar {channel} SIDETONE_TELL_CUSTOMER no"));
    until("nothing to be left of it", || {
        of_kind(&sidetone.events(), "affect.update").is_empty().then_some(())
    });
    agent.command("hangup", "");
    agent.wait_event("CALL_CLOSED");
    let events = sidetone.finish();
    let states = of_kind(&events, "consent.changed");
    let states: Vec<&str> = states.iter().filter_map(|it| it["data"]["state"].as_str()).collect();
    assert!(states.contains(&"given") && states.last() == Some(&"excluded"), "{states:?}");
    let analysis = &of_kind(&events, "call.ended")[0]["data"]["summary"]["analysis"];
    assert!(analysis["erased"] == true && analysis["estimates"] == 0, "all is erased: {analysis:#?}");
}

#[test]
fn by_ami_the_pbx_says_that_it_has_called_a_customer() {
    whom_asterisk_calls_is_a_customer_once_it_says_so(ami);
}

#[test]
fn by_ari_the_pbx_says_that_it_has_called_a_customer() {
    whom_asterisk_calls_is_a_customer_once_it_says_so(ari);
}
