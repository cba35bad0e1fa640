//! Several 2xx to one INVITE, and copies of them (RFC 6026): each goes back, and each ACK finds its way.

use crate::sim::*;

fn ringing() -> (Net, sidetone_sip::Message, Draft) {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    net.take(CARRIER, "100");
    let sent = net.take(PBX, "INVITE");
    for tag in ["one", "two", "three"] {
        net.send(PBX, reply(&sent, 180, tag, PBX));
        assert_eq!(net.take(CARRIER, "180").to_tag(), Some(tag));
    }
    (net, sent, call)
}

#[test]
fn every_2xx_is_forwarded_whatever_its_tag_and_each_copy_too() {
    let (mut net, sent, _) = ringing();
    for tag in ["one", "two", "one", "three", "two"] {
        net.send(PBX, reply(&sent, 200, tag, PBX));
        assert_eq!(net.take(CARRIER, "200").to_tag(), Some(tag));
    }
    net.nothing(CARRIER);
    let forwarded = net.proxy.filter().responses.iter().filter(|r| r.0 == 200).count();
    assert_eq!(forwarded, 5, "the filter sees each");
    net.finish();
}

#[test]
fn each_dialog_gets_its_ack_and_its_bye() {
    let (mut net, sent, _) = ringing();
    let mut dialogs = Vec::new();
    for tag in ["one", "two"] {
        net.send(PBX, reply(&sent, 200, tag, PBX));
        dialogs.push(Dialog::of_caller(&net.take(CARRIER, "200")));
    }
    for (dialog, tag) in dialogs.iter().zip(["one", "two"]) {
        let ack =
            dialog.request("ACK", CARRIER, 1).via(&format!("SIP/2.0/UDP {CARRIER};branch=z9hG4bK-ack-{tag}"));
        let copies: Vec<_> = (0..2)
            .map(|_| {
                net.send(CARRIER, &ack);
                net.take(PBX, "ACK")
            })
            .collect();
        assert_eq!(copies[0].to_tag(), Some(tag));
        assert_eq!(copies[0].as_bytes(), copies[1].as_bytes(), "a copy is forwarded as the same request");
    }
    let bye = dialogs[1].request("BYE", CARRIER, 2);
    net.send(CARRIER, bye);
    let bye = net.take(PBX, "BYE");
    assert_eq!(bye.to_tag(), Some("two"));
    net.send(PBX, reply(&bye, 200, "", PBX));
    net.take(CARRIER, "200");
    net.finish();
}

#[test]
fn late_2xx_pass_until_64_t1_and_not_after() {
    let (mut net, sent, _) = ringing();
    net.send(PBX, reply(&sent, 200, "one", PBX));
    net.take(CARRIER, "200");
    net.pass(ms(31_900));
    net.send(PBX, reply(&sent, 200, "two", PBX));
    net.take(CARRIER, "200");
    net.pass(ms(200));
    assert_eq!(net.proxy.transactions(), 0);
    net.send(PBX, reply(&sent, 200, "three", PBX));
    net.nothing(CARRIER);
    assert_eq!(net.proxy.counters().stray_responses, 1);
    net.finish();
}

#[test]
fn after_a_2xx_other_responses_and_invites_are_absorbed() {
    let (mut net, sent, call) = ringing();
    net.send(PBX, reply(&sent, 200, "one", PBX));
    net.take(CARRIER, "200");
    net.send(PBX, reply(&sent, 180, "two", PBX));
    net.send(PBX, reply(&sent, 486, "two", PBX));
    net.send(CARRIER, &call);
    net.nothing(CARRIER);
    net.nothing(PBX);
    net.finish();
}

#[test]
fn an_ack_with_the_branch_of_its_invite_is_forwarded_too() {
    let (mut net, sent, call) = ringing();
    net.send(PBX, reply(&sent, 200, "one", PBX));
    let ok = net.take(CARRIER, "200");
    let branch = call.ack("one").text().lines().nth(1).unwrap()["Via: ".len()..].to_owned();
    net.send(CARRIER, Dialog::of_caller(&ok).request("ACK", CARRIER, 1).via(&branch));
    net.take(PBX, "ACK");
    net.finish();
}
