//! SIP over TLS: calls on either side, certificates that are refused on either side, and new certificates while a call
//! is up.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use rcgen::date_time_ymd;
use rustls::version::{TLS12, TLS13};
use sidetone_scenarios::call::Call;
use sidetone_scenarios::certificates::{Authority, Issued, client, self_signed, server};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Host, Setup, Sidetone};
use sidetone_scenarios::sip::{Raw, answer};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::stream::{Line, Stream};
use sidetone_scenarios::until;
use tempfile::TempDir;

const FAILURES: &str = "sidetone_tls_handshake_failures_total";
const HANDSHAKES: &str = "sidetone_tls_handshakes_total";

/// The certificates of one test.
pub(crate) struct Keys {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
    pub(crate) own: Issued,
}

impl Keys {
    /// An authority, and a certificate for Sidetone's address.
    pub(crate) fn new(net: &Net) -> Self {
        let dir = tempfile::Builder::new().prefix("sidetone-keys-").tempdir().unwrap();
        let authority = Authority::new(dir.path(), "authority");
        let own = authority.issue("sidetone", &[&net.v4(host::SIDETONE).to_string(), "sidetone.test"]);
        Self { dir, authority, own }
    }

    /// A certificate for a host of the test's network.
    fn of(&self, net: &Net, host: u8) -> Issued {
        let ip = net.v4(host).to_string();
        self.authority.issue(&format!("host-{host}"), &[&ip])
    }

    /// `[sip]`'s keys for these, and more keys of `[sip.tls]`.
    pub(crate) fn sip(&self, more: &str) -> String {
        let Issued { certificate, key } = &self.own;
        format!(
            "tls = {{ certificate = {certificate:?}, key = {key:?}, authorities = {:?}{more} }}\n",
            self.authority.file()
        )
    }
}

fn secure(net: &Net, host: u8) -> Host {
    Host { to: format!("sip:{};transport=tls", net.at(host, 5061)), priority: 1, certificate_name: None }
}

pub(crate) fn setup(net: &Net, keys: &Keys, more: &str) -> Setup {
    let mut setup = Setup::usual(net);
    setup.listen.push(format!("tls:{}", net.at(host::SIDETONE, 5061)));
    setup.sip = keys.sip(more);
    setup
}

fn a_call(caller_tls: bool, callee_tls: bool) {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let mut setup = setup(&net, &keys, ", client_certificates = \"optional\"");
    let mut uac = Plan::new("basic", "uac", net.at(host::TRUNK, if caller_tls { 5061 } else { 5060 }));
    uac.remote = Some(net.at(host::SIDETONE, if caller_tls { 5061 } else { 5060 }));
    let mut uas = Plan::new("basic", "uas", net.at(host::PBX, if callee_tls { 5061 } else { 5060 }));
    if caller_tls {
        setup.trunk = vec![secure(&net, host::TRUNK)];
        uac.tls = Some(keys.of(&net, host::TRUNK));
    }
    if callee_tls {
        setup.pbx = vec![secure(&net, host::PBX)];
        uas.tls = Some(keys.of(&net, host::PBX));
    }
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call.talk("answered");
    if !caller_tls {
        call.caller.open_gate();
    }
    let (from, to) = (call.sidetone.series(HANDSHAKES, &[("role", "server"), ("version", "1.3")]), {
        call.sidetone.series(HANDSHAKES, &[("role", "client"), ("version", "1.3")])
    });
    assert_eq!((from > 0.0, to > 0.0), (caller_tls, callee_tls));
    call.finish(6);
}

#[test]
fn tls_on_both_sides() {
    a_call(true, true);
}

#[test]
fn from_tls_to_udp() {
    a_call(true, false);
}

#[test]
fn from_udp_to_tls() {
    a_call(false, true);
}

fn options(at: SocketAddr, id: &str) -> String {
    format!(
        "OPTIONS sip:sidetone.test;transport=tls SIP/2.0\r\nVia: SIP/2.0/TLS {at};branch=z9hG4bK{id}\r\n\
         From: <sip:raw@{at}>;tag={id}\r\nTo: <sip:sidetone.test>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Connects by TLS and asks for a life sign; whether one came.
fn lives(net: &Net, config: &std::sync::Arc<rustls::ClientConfig>, from: u8) -> bool {
    let to = net.at(host::SIDETONE, 5061);
    let stream =
        Stream::connect(net.at(from, 0), to).and_then(|stream| stream.secure(config, "sidetone.test"));
    let Ok(mut stream) = stream else { return false };
    // In TLS 1.3 a client is refused only after it has believed itself connected.
    if stream.write_all(options(net.at(from, 5061), "life").as_bytes()).is_err() {
        return false;
    }
    Line::on(stream).receive_within(sidetone_scenarios::GUARD).is_some_and(|seen| seen.status() == Some(200))
}

#[test]
fn a_client_without_a_fit_certificate_is_refused_and_counted_by_reason() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let strangers = Authority::new(keys.dir.path(), "strangers");
    let mut setup = setup(&net, &keys, ", client_certificates = \"required\"");
    setup.trunk_keys = "allow_certificates = [\"carrier.test\"]\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let authority = keys.authority.file();
    let with = |own: &Issued| client(authority, Some(own), &[&TLS13, &TLS12]);
    let old = |params: &mut rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let good = keys.authority.issue("good", &["carrier.test"]);
    assert!(lives(&net, &with(&good), host::TRUNK));
    let by_uri = keys.authority.issue("uri", &["sip:carrier.test", "else.test"]);
    assert!(lives(&net, &with(&by_uri), host::TRUNK));
    for (why, config) in [
        ("no_certificate", client(authority, None, &[&TLS13, &TLS12])),
        ("no_certificate", client(authority, None, &[&TLS12])),
        ("unknown_authority", with(&strangers.issue("unknown", &["carrier.test"]))),
        ("unknown_authority", with(&self_signed(keys.dir.path(), "self", &["carrier.test"]))),
        ("expired", with(&keys.authority.issue_with("old", &["carrier.test"], old))),
        ("wrong_name", with(&keys.authority.issue("other", &["other.test"]))),
        ("wrong_name", with(&keys.authority.issue("wild", &["*.test"]))),
        ("wrong_name", with(&keys.authority.issue("hidden", &["carrier.test", "sip:other.test"]))),
    ] {
        let count = || sidetone.series(FAILURES, &[("role", "server"), ("reason", why)]);
        let before = count();
        assert!(!lives(&net, &config, host::TRUNK), "{why}");
        until(why, || (count() > before).then_some(()));
    }
    // The certificate says who it is, whatever the address.
    assert!(lives(&net, &with(&good), host::STRANGER));
    sidetone.finish();
}

/// A call to a host whose certificate is not the right one.
#[test]
fn a_server_with_an_unfit_certificate_gets_no_call() {
    for (why, made) in [
        ("wrong_name", (|keys, _| keys.authority.issue("it", &["other.test"])) as fn(&Keys, &Path) -> Issued),
        ("wrong_name", |keys, _| keys.authority.issue("it", &["*.pbx.test", "test"])),
        ("wrong_name", |keys, _| keys.authority.issue("it", &["sbc.pbx.test", "sip:another.test"])),
        ("expired", |keys, _| {
            keys.authority.issue_with("it", &["sbc.pbx.test"], |params| {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            })
        }),
        ("unknown_authority", |_, dir| Authority::new(dir, "others").issue("it", &["sbc.pbx.test"])),
        ("unknown_authority", |_, dir| self_signed(dir, "it", &["sbc.pbx.test"])),
        ("", |keys, _| keys.authority.issue("it", &["sbc.pbx.test"])),
        ("", |keys, _| keys.authority.issue("it", &["sip:SBC.pbx.test", "other.test"])),
    ] {
        let net = Net::lease();
        let keys = Keys::new(&net);
        let mut setup = setup(&net, &keys, "");
        let named = Host { certificate_name: Some("sbc.pbx.test".to_owned()), ..secure(&net, host::PBX) };
        setup.pbx = vec![named];
        let config = server(&made(&keys, keys.dir.path()));
        let listener = TcpListener::bind(net.at(host::PBX, 5061)).unwrap();
        // The identity is what is configured, not the address.
        let sidetone = Sidetone::start(&net, &setup);
        let carrier = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
        carrier.send(carrier.request("MESSAGE", "sip:bob@sidetone.test", "m1", "").as_bytes());
        let stream = Stream::accept(&listener, &config);
        if why.is_empty() {
            let mut line = Line::on(stream.unwrap());
            let message = line.request();
            assert!(
                message.header("Via").unwrap().starts_with("SIP/2.0/TLS "),
                "{:?}",
                message.header("Via")
            );
            line.send(&answer(&message, "202 Accepted", ""));
            assert_eq!(carrier.response().status(), Some(202));
        } else {
            assert_eq!(carrier.response().status(), Some(503), "{why}");
            assert_eq!(sidetone.series(FAILURES, &[("role", "client"), ("reason", why)]), 1.0, "{why}");
        }
        sidetone.finish();
    }
}

fn openssl(net: &Net, keys: &Keys, more: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &net.at(host::SIDETONE, 5061).to_string()])
        .args([
            "-bind",
            &net.at(host::TRUNK, 0).to_string(),
            "-CAfile",
            keys.authority.file().to_str().unwrap(),
        ])
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn openssl_sees_the_versions_and_the_certificate_that_it_asks_for() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let second = keys.authority.issue("second", &["second.test"]);
    let more = format!(", more = [{{ certificate = {:?}, key = {:?} }}]", second.certificate, second.key);
    let sidetone = Sidetone::start(&net, &setup(&net, &keys, &more));
    for (arguments, expected) in [
        (&["-tls1_2", "-brief"][..], "Protocol version: TLSv1.2"),
        (&["-tls1_3", "-brief"], "Protocol version: TLSv1.3"),
        (
            &["-servername", "second.test", "-verify_hostname", "second.test", "-brief"],
            "Verified peername: second.test",
        ),
        (
            &["-servername", "sidetone.test", "-verify_hostname", "sidetone.test", "-brief"],
            "Verified peername: sidetone.test",
        ),
        (
            &["-servername", "nobody.test", "-verify_hostname", "sidetone.test", "-brief"],
            "Verified peername: sidetone.test",
        ),
    ] {
        let told = openssl(&net, &keys, arguments);
        assert!(told.contains(expected), "{arguments:?}:\n{told}");
    }
    let incompatible = || sidetone.series(FAILURES, &[("role", "server"), ("reason", "incompatible")]);
    assert_eq!(incompatible(), 0.0);
    let told = openssl(&net, &keys, &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    assert!(!told.contains("Verify return code: 0") || told.contains("Cipher is (NONE)"), "{told}");
    until("the version to be counted", || (incompatible() > 0.0).then_some(()));
    sidetone.finish();
}

#[test]
fn garbage_instead_of_a_handshake_is_counted_and_hurts_nobody() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let sidetone = Sidetone::start(&net, &setup(&net, &keys, ""));
    let refused = || sidetone.series(FAILURES, &[("role", "server"), ("reason", "not_tls")]);
    let to = net.at(host::SIDETONE, 5061);
    for (number, garbage) in [
        options(to, "plain").into_bytes(),
        vec![0; 3_000],
        vec![0xff; 70_000],
        b"\x16\x03\x01\xff\xff".repeat(4_000),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stream = Stream::connect(net.at(host::TRUNK, 0), to).unwrap();
        let _ = stream.write_all(&garbage);
        let closed = loop {
            let mut buffer = [0; 64];
            match std::io::Read::read(&mut stream, &mut buffer) {
                Ok(0) | Err(_) => break true,
                Ok(_) => {}
            }
        };
        assert!(closed);
        until("garbage to be counted", || (refused() > number as f64).then_some(()));
    }
    assert!(lives(&net, &client(keys.authority.file(), None, &[&TLS13]), host::TRUNK));
    sidetone.finish();
}

/// Connections that never begin their handshake take a quarter of all places at most, and no place for ever.
#[test]
fn half_open_handshakes_are_bounded() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let mut setup = setup(&net, &keys, "");
    setup.sip.push_str("max_connections = 32\n");
    let sidetone = Sidetone::start(&net, &setup);
    let to = net.at(host::SIDETONE, 5061);
    let idle: Vec<Stream> = (0..30).map(|_| Stream::connect(net.at(host::TRUNK, 0), to).unwrap()).collect();
    until("the rest to be refused", || {
        (sidetone.series("sidetone_refused_total", &[("reason", "connection")]) >= 26.0).then_some(())
    });
    // The PBX has places of its own.
    assert!(lives(&net, &client(keys.authority.file(), None, &[&TLS13]), host::PBX));
    until("the slow ones to be given up", || {
        (sidetone.series(FAILURES, &[("role", "server"), ("reason", "slow")]) >= 4.0).then_some(())
    });
    drop(idle);
    sidetone.finish();
}

#[test]
fn a_session_is_resumed_until_the_certificates_change() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let sidetone = Sidetone::start(&net, &setup(&net, &keys, ""));
    for version in [&TLS12, &TLS13] {
        let config = client(keys.authority.file(), None, &[version]);
        let again = || {
            let stream = Stream::connect(net.at(host::TRUNK, 0), net.at(host::SIDETONE, 5061)).unwrap();
            let mut stream = stream.secure(&config, "sidetone.test").unwrap();
            // Tickets come with the first bytes of the answer.
            stream.write_all(options(net.at(host::TRUNK, 5061), "again").as_bytes()).unwrap();
            let mut line = Line::on(stream);
            assert_eq!(line.response().status(), Some(200));
            line.stream().session().unwrap().1
        };
        assert_eq!([again(), again()], [false, true]);
        sidetone.command(&["reload"]);
        assert_eq!([again(), again()], [false, true]);
    }
    assert_eq!(sidetone.metric("sidetone_tls_resumptions_total"), 4.0);
    sidetone.finish();
}

/// A renewed certificate is shown from the next connection on; the connection of a call that is up stays.
#[test]
fn a_new_certificate_while_a_call_is_up() {
    let net = Net::lease();
    let keys = Keys::new(&net);
    let mut sidetone = Sidetone::start(&net, &setup(&net, &keys, ""));
    let config = client(keys.authority.file(), None, &[&TLS13]);
    let (to, at) = (net.at(host::SIDETONE, 5061), net.at(host::TRUNK, 5061));
    let stream = Stream::connect(at, to).unwrap().secure(&config, "sidetone.test").unwrap();
    let mut carrier = Line::on(stream);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n",
        net.v4(host::TRUNK)
    );
    let request = |method: &str, cseq: u32, tag: &str, more: &str, body: &str| {
        let target =
            if tag.is_empty() { "sidetone.test".to_owned() } else { net.at(host::PBX, 5060).to_string() };
        format!(
            "{method} sip:bob@{target} SIP/2.0\r\nVia: SIP/2.0/TLS {at};branch=z9hG4bK{method}{cseq}\r\n\
             From: <sip:a@{at}>;tag=a\r\nTo: <sip:bob@sidetone.test>{tag}\r\nCall-ID: up\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:a@{at};transport=tls>\r\nMax-Forwards: 70\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    carrier.send(&request("INVITE", 1, "", "Content-Type: application/sdp\r\n", &sdp));
    let invite = pbx.request_within(std::time::Duration::from_secs(10)).unwrap_or_else(|| {
        panic!("no INVITE; the carrier got {:?}", carrier.receive_within(sidetone_scenarios::GUARD))
    });
    let contact = format!("Contact: <sip:bob@{}>\r\n", net.at(host::PBX, 5060));
    let answered = answer(&invite, "200 OK", &format!("{contact}Content-Type: application/sdp\r\n"));
    let sdp = sdp.replace(&net.v4(host::TRUNK).to_string(), &net.v4(host::PBX).to_string());
    let answered =
        answered.replace("Content-Length: 0\r\n\r\n", &format!("Content-Length: {}\r\n\r\n{sdp}", sdp.len()));
    pbx.send(answered.as_bytes());
    let ok = carrier.response();
    assert_eq!(ok.status(), Some(200));
    let routes: String =
        ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
    assert!(routes.contains(&format!("<sip:{to};transport=tls;lr")), "{routes}");
    carrier.send(&request("ACK", 1, ";tag=raw", &routes, ""));
    assert!(pbx.request_within(sidetone_scenarios::GUARD).unwrap().start_line().starts_with("ACK "));

    keys.authority.issue("renewed", &["renewed.test"]).replace(&keys.own);
    sidetone.process().signal("HUP");
    let sees = |name: &str| {
        let stream = Stream::connect(net.at(host::TRUNK, 0), to).unwrap();
        stream.secure(&config, name).is_ok()
    };
    until("the new certificate", || sees("renewed.test").then_some(()));
    assert!(!sees("sidetone.test"));

    // The key of another certificate is refused, and the one in force stays.
    std::fs::copy(&keys.authority.issue("third", &["third.test"]).key, &keys.own.key).unwrap();
    let told = sidetone.try_command(&["reload"]).unwrap_err().stderr;
    assert!(told.contains("sip.tls.key") && told.contains("is not the key of"), "{told}");
    assert!(sees("renewed.test"));

    carrier.send(&request("BYE", 2, ";tag=raw", &routes, ""));
    let bye = pbx.request_within(sidetone_scenarios::GUARD).unwrap();
    assert!(bye.start_line().starts_with("BYE "), "{}", bye.start_line());
    pbx.answer(&bye, "200 OK");
    assert_eq!(carrier.response().status(), Some(200));
    sidetone.finish();
}
