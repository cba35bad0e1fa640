//! A cue reaches an agent who has no page: as a text on their telephone, by a real Asterisk.

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::until;

const AGENT: u8 = 20;

/// Softphones play a sweep, which the pace of talk takes for talk.
const CUES: &str = r#"
    [[cue]]
    id = "say-so"
    when = ["call > 3s"]
    once = true
    while_agent_talks = true
    line.en = "Let them know – you are still there."
"#;

#[test]
fn a_cue_is_a_text_on_the_agents_telephone() {
    let net = Net::lease();
    let folder = tempfile::tempdir().unwrap();
    let cues = folder.path().join("cues.toml");
    std::fs::write(&cues, CUES).unwrap();
    let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), "");
    let mut setup = Setup::for_softphones(&net);
    setup.more = format!(
        "[pbx.ami]\naddress = \"{}\"\nusername = \"sidetone\"\nsecret = \"change-me\"\ncues = \"message\"\n\
         [cues]\nshipped = false\nfiles = [{cues:?}]\n",
        net.at(host::PBX, 5038)
    );
    let mut sidetone = Sidetone::start(&net, &setup);
    let customer_ip = net.v4(host::TRUNK);
    let mut customer = Baresip::start(
        customer_ip,
        &format!("+15550100@{customer_ip}"),
        ";regint=0;answermode=auto",
        Codec::Pcmu,
        1.0,
    );
    let account = ";auth_user=agent;auth_pass=change-me;regint=60;answermode=auto";
    let mut agent =
        Baresip::start(net.v4(AGENT), &format!("agent@{}", net.v4(host::PBX)), account, Codec::Pcmu, 1.31);
    until("the agent's registration", || {
        asterisk.ask("pjsip show aor agent").contains("Contact:  agent/").then_some(())
    });
    customer.command("dial", &format!("sip:+15550123@{}", sidetone.sip()));
    customer.wait_event("CALL_ESTABLISHED");
    let id = until("the call's first event", || {
        sidetone.events().first().and_then(|event| event["call"]["id"].as_str().map(str::to_owned))
    });
    sidetone.command(&["tell", &id, "agent", "agent"]);
    agent.wait_text("\"Let them know – you are still there.\"");
    assert_eq!(of_kind(&sidetone.events(), "cue.shown").len(), 1);
    agent.command("hangup", "");
    customer.wait_event("CALL_CLOSED");
    let failed = |name: &String| name.starts_with("sidetone_link_failed_total");
    let failed: Vec<_> = sidetone.metrics().into_iter().filter(|(name, _)| failed(name)).collect();
    assert!(!failed.is_empty() && failed.iter().all(|(_, count)| *count == 0.0), "{failed:?}");
    sidetone.wait_until_idle();
    sidetone.stop();
    let log = sidetone.process().output();
    assert!(!log.contains("pjsip:agent") && !log.contains("Let them know"), "{log}");
}
