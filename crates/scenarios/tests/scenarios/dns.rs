//! Hosts given by name, against a real name server: A, AAAA, SRV (RFC 2782, RFC 3263), and servers that fail.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::dns::NameServer;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

/// The usual setup, with a PBX known by name only.
fn setup(net: &Net, to: &str, nameservers: &[SocketAddr]) -> Setup {
    let mut setup = Setup::usual(net);
    setup.pbx = vec![Host { to: to.to_owned(), priority: 1, certificate_name: None }];
    let nameservers: Vec<String> = nameservers.iter().map(SocketAddr::to_string).collect();
    setup.sip = format!("failover_after = \"500ms\"\nnameservers = {nameservers:?}\n");
    setup
}

/// A whole call to the PBX at an address that only the name server tells.
fn a_call(net: Net, setup: &Setup, scenario: &str, part: &str, at: SocketAddr, tcp: bool) {
    let mut uac = Plan::new(scenario, "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let mut uas = Plan::new(scenario, part, at);
    uas.tcp = tcp;
    if at.is_ipv6() {
        uas.media = net.at_v6(16);
    }
    let mut call = Call::start_with(net, setup, uac, uas);
    call.answered();
    call.talk("found by name");
    call.caller.open_gate();
    call.finish(6);
}

fn pbx(net: &Net) -> (&'static str, IpAddr) {
    ("pbx.test", net.v4(host::PBX).into())
}

#[test]
fn a_name_with_a_port_has_an_ipv4_address() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[pbx(&net)], &[]);
    let setup = setup(&net, "sip:pbx.test:5080", &[names.at()]);
    let at = net.at(host::PBX, 5080);
    a_call(net, &setup, "basic", "uas", at, false);
    assert_eq!(names.asked("SRV", "_sip._udp.pbx.test"), 0, "a port rules SRV out (RFC 3263 §4.2)");
}

#[test]
fn a_name_without_srv_records_has_an_ipv4_address_and_the_usual_port() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[pbx(&net)], &[]);
    let setup = setup(&net, "sip:pbx.test", &[names.at()]);
    let at = net.at(host::PBX, 5060);
    a_call(net, &setup, "basic", "uas", at, false);
    assert!(names.asked("SRV", "_sip._udp.pbx.test") > 0);
}

#[test]
fn a_name_with_an_ipv6_address() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[("pbx.test", Ipv6Addr::LOCALHOST.into())], &[]);
    let at = net.at_v6(3);
    let mut setup = setup(&net, &format!("sip:pbx.test:{}", at.port()), &[names.at()]);
    setup.listen.push(format!("udp:{}", net.at_v6(0)));
    setup.allow_pbx.push(at.to_string());
    // Every test shares ::1, so Sidetone's media ports there are this test's own too.
    setup.media =
        setup.media.replace("30000-30199", &format!("{}-{}", net.at_v6(20).port(), net.at_v6(39).port()));
    setup.media.push_str("ipv6 = \"::1\"\n");
    a_call(net, &setup, "basic", "uas", at, false);
}

#[test]
fn srv_names_the_host_and_the_port() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let hosts = [("one.pbx.test", net.v4(host::PBX).into())];
    let services = ["_sip._udp.pbx.test,one.pbx.test,5082,1,1".to_owned()];
    let names = NameServer::start(&net, dir.path(), 60, &hosts, &services);
    let setup = setup(&net, "sip:pbx.test;transport=udp", &[names.at()]);
    let at = net.at(host::PBX, 5082);
    a_call(net, &setup, "basic", "uas", at, false);
}

#[test]
fn srv_names_the_transport_where_none_is_stated() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let hosts = [("one.pbx.test", net.v4(host::PBX).into())];
    let services = ["_sip._tcp.pbx.test,one.pbx.test,5082,1,1".to_owned()];
    let names = NameServer::start(&net, dir.path(), 60, &hosts, &services);
    let setup = setup(&net, "sip:pbx.test", &[names.at()]);
    let at = net.at(host::PBX, 5082);
    a_call(net, &setup, "basic", "uas", at, true);
}

#[test]
fn a_silent_srv_target_is_passed_over() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let hosts = [("one.pbx.test", net.v4(host::PBX).into()), ("two.pbx.test", net.v4(host::SECOND).into())];
    let services = ["_sip._udp.pbx.test,one.pbx.test,5060,1,1", "_sip._udp.pbx.test,two.pbx.test,5060,2,1"];
    let names = NameServer::start(&net, dir.path(), 60, &hosts, &services.map(str::to_owned));
    let setup = setup(&net, "sip:pbx.test", &[names.at()]);
    let _silent = UdpSocket::bind(net.at(host::PBX, 5060)).unwrap();
    let at = net.at(host::SECOND, 5060);
    a_call(net, &setup, "failover-503", "uas-second", at, false);
}

#[test]
fn an_srv_target_without_an_address_is_passed_over() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let services = ["_sip._udp.pbx.test,gone.test,5060,1,1", "_sip._udp.pbx.test,pbx.test,5060,2,1"];
    let names = NameServer::start(&net, dir.path(), 60, &[pbx(&net)], &services.map(str::to_owned));
    let setup = setup(&net, "sip:pbx.test", &[names.at()]);
    let at = net.at(host::PBX, 5060);
    a_call(net, &setup, "basic", "uas", at, false);
}

#[test]
fn a_dead_name_server_beside_a_live_one_costs_no_call() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[pbx(&net)], &[]);
    let dead = UdpSocket::bind(net.at(host::NAMES, 5354)).unwrap();
    let setup = setup(&net, "sip:pbx.test:5060", &[dead.local_addr().unwrap(), names.at()]);
    let at = net.at(host::PBX, 5060);
    a_call(net, &setup, "basic", "uas", at, false);
}

/// Sends a request from the carrier, and says which of the PBX's sockets got it.
fn who_gets(raw: &Raw, id: &str, pbx: &[&Raw]) -> usize {
    raw.send(raw.request("MESSAGE", "sip:+15550123@sidetone.example", id, "").as_bytes());
    until("the request at one of the hosts", || {
        pbx.iter().position(|host| {
            let Some(request) = host.request_within(Duration::from_millis(5)) else { return false };
            host.answer(&request, "200 OK");
            request.header("Call-ID").is_some_and(|call| call == format!("{id}@raw"))
        })
    })
}

#[test]
fn srv_weight_shares_and_priority_orders() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let hosts = [pbx(&net)];
    let services = [
        "_sip._udp.pbx.test,pbx.test,5081,1,30",
        "_sip._udp.pbx.test,pbx.test,5082,1,10",
        "_sip._udp.pbx.test,pbx.test,5083,2,1000",
    ];
    let names = NameServer::start(&net, dir.path(), 60, &hosts, &services.map(str::to_owned));
    let mut setup = setup(&net, "sip:pbx.test", &[names.at()]);
    // A host that is only slow to answer is not to be passed over here.
    setup.sip = setup.sip.replace("500ms", "20s");
    let sidetone = Sidetone::start(&net, &setup);
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let hosts = [5081, 5082, 5083].map(|port| Raw::bind(net.at(host::PBX, port), sidetone.sip()));
    let hosts: Vec<&Raw> = hosts.iter().collect();
    let mut counts = [0_u32; 3];
    for n in 0..100 {
        counts[who_gets(&raw, &format!("share{n}"), &hosts)] += 1;
    }
    // Fewer than 40 of 100 at three to one, or none for the lighter, happens less than once in 10^12 runs.
    assert!(counts[0] >= 40 && counts[1] > 0 && counts[2] == 0, "{counts:?}");
    sidetone.finish();
}

#[test]
fn an_answer_is_kept_for_as_long_as_it_holds() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let mut names = NameServer::start(&net, dir.path(), 3_600, &[pbx(&net)], &[]);
    let sidetone = Sidetone::start(&net, &setup(&net, "sip:pbx.test:5060", &[names.at()]));
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let hosts = [host::PBX, host::SECOND].map(|host| Raw::bind(net.at(host, 5060), sidetone.sip()));
    let hosts: Vec<&Raw> = hosts.iter().collect();
    assert_eq!(who_gets(&raw, "before", &hosts), 0);
    names.change(&[("pbx.test", net.v4(host::SECOND).into())]);
    assert_eq!(who_gets(&raw, "after", &hosts), 0);
    assert_eq!(names.asked("A", "pbx.test"), 1);
    sidetone.finish();
}

#[test]
fn an_answer_is_forgotten_when_it_no_longer_holds() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let mut names = NameServer::start(&net, dir.path(), 1, &[pbx(&net)], &[]);
    let sidetone = Sidetone::start(&net, &setup(&net, "sip:pbx.test:5060", &[names.at()]));
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let hosts = [host::PBX, host::SECOND].map(|host| Raw::bind(net.at(host, 5060), sidetone.sip()));
    let hosts: Vec<&Raw> = hosts.iter().collect();
    assert_eq!(who_gets(&raw, "before", &hosts), 0);
    names.change(&[("pbx.test", net.v4(host::SECOND).into())]);
    let mut n = 0;
    until("a request at the new address", || {
        n += 1;
        (who_gets(&raw, &format!("after{n}"), &hosts) == 1).then_some(())
    });
    sidetone.finish();
}

/// A call to a host that can't be found is refused with a time to try again, and holds nothing up meanwhile.
fn refused(net: &Net, to: &str, nameserver: SocketAddr) {
    let sidetone = Sidetone::start(net, &setup(net, to, &[nameserver]));
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let other = Raw::bind(net.at(host::TRUNK, 5062), sidetone.sip());
    raw.send(raw.request("INVITE", "sip:+15550123@sidetone.example", "lost", "").as_bytes());
    other.send(other.request("OPTIONS", &format!("sip:{}", sidetone.sip()), "meanwhile", "").as_bytes());
    assert_eq!(other.response().status(), Some(200));
    let answer = raw.response();
    assert_eq!(answer.status(), Some(503));
    assert!(answer.header("Retry-After").is_some());
    sidetone.finish();
}

#[test]
fn a_name_that_does_not_exist() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[], &[]);
    refused(&net, "sip:nobody.test", names.at());
    assert!(names.asked("A", "nobody.test") > 0);
}

/// RFC 2782: the target `.` says that the service is decidedly not there; the name's own address is not tried.
#[test]
fn a_service_that_is_denied() {
    let (net, dir) = (Net::lease(), tempfile::tempdir().unwrap());
    let names = NameServer::start(&net, dir.path(), 60, &[pbx(&net)], &["_sip._udp.pbx.test,.".to_owned()]);
    refused(&net, "sip:pbx.test;transport=udp", names.at());
    assert_eq!(names.asked("A", "pbx.test"), 0);
}

#[test]
fn a_name_server_that_is_silent() {
    let net = Net::lease();
    let silent = UdpSocket::bind(net.at(host::NAMES, 5353)).unwrap();
    refused(&net, "sip:pbx.test", silent.local_addr().unwrap());
}

#[test]
fn a_name_server_that_is_not_there() {
    let net = Net::lease();
    refused(&net, "sip:pbx.test", net.at(host::NAMES, 5353));
}
