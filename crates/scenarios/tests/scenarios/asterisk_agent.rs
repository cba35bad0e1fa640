//! An agent's softphone at Asterisk talks with a customer's softphone at the carrier, Sidetone between the two.

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::audio::likeness;
use sidetone_scenarios::baresip::{Baresip, Codec};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::until;

struct Office {
    sidetone: Sidetone,
    asterisk: Asterisk,
    customer: Baresip,
    agent: Baresip,
    net: Net,
}

const AGENT: u8 = 20;

fn open() -> Office {
    open_with("", str::to_owned)
}

/// With more of a dialplan, and pjsip.conf changed.
fn open_with(dialplan: &str, accounts: impl Fn(&str) -> String) -> Office {
    let net = Net::lease();
    let sidetone = Sidetone::start(&net, &Setup::for_softphones(&net));
    let asterisk = Asterisk::start_with(net.v4(host::PBX), sidetone.sip(), dialplan, |etc, _| {
        let file = etc.join("pjsip.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, accounts(&text)).unwrap();
    });
    let customer_ip = net.v4(host::TRUNK);
    let account = ";regint=0;answermode=auto";
    let customer =
        Baresip::start(customer_ip, &format!("+15550100@{customer_ip}"), account, Codec::Pcmu, 1.0);
    let account = ";auth_user=agent;auth_pass=change-me;regint=60;answermode=auto";
    let user = format!("agent@{}", net.v4(host::PBX));
    let agent = Baresip::start(net.v4(AGENT), &user, account, Codec::Pcmu, 1.31);
    until("the agent's registration", || {
        asterisk.ask("pjsip show aor agent").contains("Contact:  agent/").then_some(())
    });
    Office { sidetone, asterisk, customer, agent, net }
}

impl Office {
    fn both_hear_each_other(&self, what: &str) {
        self.customer.wait_until_hears(&format!("{what}: the customer"), self.agent.played());
        self.agent.wait_until_hears(&format!("{what}: the agent"), self.customer.played());
    }
}

#[test]
fn the_customer_calls_the_agent() {
    let mut office = open();
    office.customer.command("dial", &format!("sip:+15550123@{}", office.sidetone.sip()));
    office.customer.wait_event("CALL_ESTABLISHED");
    office.both_hear_each_other("answered");
    office.agent.command("hangup", "");
    office.customer.wait_event("CALL_CLOSED");
    office.sidetone.finish();
}

#[test]
fn the_agent_calls_the_customer() {
    let mut office = open();
    office.agent.command("dial", &format!("sip:+15550100@{}", office.net.v4(host::PBX)));
    office.agent.wait_event("CALL_ESTABLISHED");
    office.both_hear_each_other("answered");
    office.customer.command("hangup", "");
    office.agent.wait_event("CALL_CLOSED");
    office.sidetone.finish();
}

#[test]
fn the_agent_holds_the_customer() {
    hold(|office| (&mut office.agent, &mut office.customer));
}

#[test]
fn the_customer_holds_the_agent() {
    hold(|office| (&mut office.customer, &mut office.agent));
}

fn hold(who: fn(&mut Office) -> (&mut Baresip, &mut Baresip)) {
    let mut office = open();
    office.customer.command("dial", &format!("sip:+15550123@{}", office.sidetone.sip()));
    office.customer.wait_event("CALL_ESTABLISHED");
    office.both_hear_each_other("answered");
    let (holder, _) = who(&mut office);
    holder.command("hold", "");
    until("silence for the holder", || (holder.receiving() == 0).then_some(()));
    until("music for the held", || office.asterisk.output().contains("Started music on hold").then_some(()));
    let (holder, held) = who(&mut office);
    holder.command("resume", "");
    until("media for the holder", || (holder.receiving() > 0).then_some(()));
    held.wait_until_hears("the one who held", holder.played());
    office.agent.command("hangup", "");
    office.customer.wait_event("CALL_CLOSED");
    office.sidetone.finish();
}

#[test]
fn the_agent_transfers_the_customer() {
    let mut office = open();
    office.customer.command("dial", &format!("sip:+15550123@{}", office.sidetone.sip()));
    office.customer.wait_event("CALL_ESTABLISHED");
    office.both_hear_each_other("answered");
    office.agent.command("transfer", &format!("sip:600@{}", office.net.v4(host::PBX)));
    office.agent.wait_event("CALL_CLOSED");
    office.customer.wait_until_hears("the echo after the transfer", office.customer.played());
    office.customer.command("hangup", "");
    office.customer.wait_event("CALL_CLOSED");
    office.sidetone.finish();
}

/// The line that the page of a call that is up tells its supervisor, with the agent's endpoint in it.
const AS_THE_PAGE_SAYS: &str = "[trying-out](+)
exten => 750,1,Answer()
 same => n,ChanSpy(PJSIP/agent,qE)
 same => n,Hangup()
";

#[test]
fn a_supervisor_listens_in_as_the_page_says() {
    // The supervisor's telephone is as the agent's.
    let mut office = open_with(AS_THE_PAGE_SAYS, |shipped| {
        let (_, agent) = shipped.split_once("[agent]\n").unwrap();
        let supervisor = agent.replace("= agent", "= supervisor").replace("[agent]", "[supervisor]");
        format!("{shipped}\n[supervisor]\n{supervisor}")
    });
    office.customer.command("dial", &format!("sip:+15550123@{}", office.sidetone.sip()));
    office.customer.wait_event("CALL_ESTABLISHED");
    office.both_hear_each_other("before somebody listens in");
    let pbx = office.net.v4(host::PBX);
    let account = ";auth_user=supervisor;auth_pass=change-me;regint=60";
    let mut listener =
        Baresip::start(office.net.v4(AGENT + 1), &format!("supervisor@{pbx}"), account, Codec::Pcmu, 1.7);
    until("the supervisor's registration", || {
        office.asterisk.ask("pjsip show aor supervisor").contains("Contact:  supervisor/").then_some(())
    });
    listener.command("dial", &format!("sip:750@{pbx}"));
    listener.wait_event("CALL_ESTABLISHED");
    // Two voices of equal strength: each is some seven tenths of what arrives.
    until("both voices in the supervisor's ear", || {
        let heard = listener.heard();
        let last = heard.get(heard.len().checked_sub(12_000)?..)?;
        let of = |played: &[f64]| likeness(played, last);
        (of(office.customer.played()) > 0.5 && of(office.agent.played()) > 0.5).then_some(())
    });
    // And nobody hears the supervisor.
    office.both_hear_each_other("while somebody listens in");
    office.agent.command("hangup", "");
    office.customer.wait_event("CALL_CLOSED");
    // E: the listening ends with the call.
    listener.wait_event("CALL_CLOSED");
    office.sidetone.finish();
}
