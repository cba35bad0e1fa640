//! Files that are read, and handshakes over a pipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{CipherSuite, ProtocolVersion};
use tempfile::TempDir;
use tokio::io::duplex;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::config::Pair;

struct Files {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(dir.path().join("authority"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.at(name), text).unwrap();
        self.at(name)
    }

    /// A certificate and its key, as `NAME` and `NAME.key`.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = self.write(&format!("{name}.key"), &key.serialize_pem());
        Pair { certificate: self.write(name, &certificate.pem()), key }
    }

    fn config(&self, pair: Pair) -> Config {
        Config {
            certificate: pair.certificate,
            key: pair.key,
            more: Vec::new(),
            authorities: Some(self.at("authority")),
            client_certificates: ClientCertificates::Off,
            minimum: Version::Tls12,
            name: None,
        }
    }
}

fn faults(config: &Config) -> Vec<Fault> {
    match Tls::load(config) {
        Ok((_, faults)) | Err(faults) => faults,
    }
}

fn only(config: &Config) -> (String, bool, String) {
    let faults = faults(config);
    let [Fault { key, problem, fatal }] = faults.as_slice() else { panic!("{faults:?}") };
    (key.clone(), *fatal, problem.clone())
}

#[test]
fn each_flaw_of_a_file_has_its_key_and_its_remedy() {
    let files = Files::new();
    let good = files.issue("sbc.example", |_| {});
    let other = files.issue("other.example", |_| {});
    assert!(faults(&files.config(good.clone())).is_empty());
    let text = std::fs::read_to_string(&good.certificate).unwrap();
    let key = std::fs::read_to_string(&good.key).unwrap();
    let missing = PathBuf::from("/nowhere/at/all");
    let sealed = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let of = |certificate: &Path, key: &Path| Pair { certificate: certificate.into(), key: key.into() };
    for (pair, at, words) in [
        (of(&missing, &good.key), "sip.tls.certificate", "does not exist"),
        (of(&good.certificate, &missing), "sip.tls.key", "does not exist"),
        (of(files.dir.path(), &good.key), "sip.tls.certificate", "no file in PEM"),
        (of(&files.write("empty", ""), &good.key), "sip.tls.certificate", "no certificate in PEM"),
        (of(&good.certificate, &files.write("none", "key")), "sip.tls.key", "no private key in PEM"),
        (of(&good.certificate, &files.write("sealed", &sealed)), "sip.tls.key", "under a password"),
        (of(&good.certificate, &good.certificate), "sip.tls.key", "exchanged"),
        (of(&good.key, &good.key), "sip.tls.certificate", "exchanged"),
        (of(&files.write("cut", &text[..200]), &good.key), "sip.tls.certificate", "has no end"),
        (of(&files.write("odd", &text.replace("MII", "!!!")), &good.key), "sip.tls.certificate", "base64"),
        (of(&good.certificate, &other.key), "sip.tls.key", "is not the key of"),
    ] {
        let (key, fatal, problem) = only(&files.config(pair));
        assert!(key == at && fatal && problem.contains(words), "{key}: {problem}");
        assert!(!problem.contains("MII") && !problem.contains("MIG"), "{problem}");
    }
    let config = Config { authorities: Some(files.write("nobody", "")), ..files.config(good.clone()) };
    assert_eq!(only(&config).0, "sip.tls.authorities");
    let more = vec![good.clone(), of(&other.certificate, &good.key)];
    assert_eq!(only(&Config { more, ..files.config(good) }).0, "sip.tls.more.1.key");
}

#[test]
fn an_ageing_certificate_is_warned_of() {
    let files = Files::new();
    let now = std::time::SystemTime::now();
    let soon: rcgen::CertificateParams = CertificateParams::default();
    let of = |change: &dyn Fn(&mut CertificateParams)| {
        only(&files.config(files.issue("a.example", |it| change(it))))
    };
    let (key, fatal, problem) = of(&|params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    assert!(key == "sip.tls.certificate" && !fatal && problem.contains("has expired"), "{problem}");
    let (_, fatal, problem) =
        of(&|params| params.not_after = (now + std::time::Duration::from_secs(300_000)).into());
    assert!(!fatal && problem.contains("expires in 3 days"), "{problem}");
    let (_, fatal, problem) =
        of(&|params| params.not_before = soon.not_after - std::time::Duration::from_secs(9_000));
    assert!(!fatal && problem.contains("not valid yet"), "{problem}");
}

#[test]
fn a_name_that_the_certificate_lacks_is_warned_of() {
    let files = Files::new();
    let pair = files.issue("sbc.example", |_| {});
    let named = |name: &str| Config { name: Some(name.into()), ..files.config(pair.clone()) };
    assert!(faults(&named("SBC.example")).is_empty());
    let (key, fatal, problem) = only(&named("sip.example"));
    assert!(key == "sip.tls.name" && !fatal && problem.contains("(sbc.example)"), "{problem}");
}

async fn meet(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<Agreed, std::io::Error> {
    let (one, other) = duplex(1 << 16);
    let name = identity(name).unwrap();
    let (accepted, connected) = tokio::join!(
        TlsAcceptor::from(Arc::clone(server)).accept(one),
        TlsConnector::from(Arc::clone(client)).connect(name, other)
    );
    let connected = connected?;
    let accepted = accepted?;
    let state = connected.get_ref().1;
    let shown = accepted.get_ref().1.peer_certificates().is_some();
    let named = state.peer_certificates().map(|chain| identities(&chain[0])).unwrap_or_default();
    Ok(Agreed {
        version: state.protocol_version(),
        suite: state.negotiated_cipher_suite().map(|it| it.suite()),
        shown,
        named,
    })
}

#[derive(Debug)]
struct Agreed {
    version: Option<ProtocolVersion>,
    suite: Option<CipherSuite>,
    /// Whether the client has shown a certificate.
    shown: bool,
    /// The names of the server's certificate.
    named: Vec<String>,
}

#[tokio::test]
async fn two_of_us_agree_on_the_newest_version_and_show_certificates_if_asked() {
    let files = Files::new();
    let config = files.config(files.issue("sbc.example", |_| {}));
    let second = files.issue("second.example", |_| {});
    for (asked, shown) in [
        (ClientCertificates::Off, false),
        (ClientCertificates::Optional, true),
        (ClientCertificates::Required, true),
    ] {
        let config = Config { client_certificates: asked, more: vec![second.clone()], ..config.clone() };
        let (tls, _) = Tls::load(&config).unwrap();
        let met = meet(&tls.peers, &tls.client, "sbc.example").await.unwrap();
        assert_eq!((met.version, met.shown), (Some(ProtocolVersion::TLSv1_3), shown), "{asked:?}");
        assert!(met.suite.is_some());
        // Browsers are asked for none.
        assert!(!meet(&tls.browsers, &tls.client, "sbc.example").await.unwrap().shown);
        let by_name = meet(&tls.peers, &tls.client, "second.example").await.unwrap();
        assert_eq!(by_name.named, ["second.example"]);
        let wrong = meet(&tls.peers, &tls.client, "else.example").await.unwrap_err();
        assert_eq!(Failure::of(&wrong), Failure::WrongName);
    }
}
