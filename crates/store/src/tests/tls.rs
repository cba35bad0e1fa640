//! TLS to a real PostgreSQL: whom a store talks to, and what it says of those whom it doesn't.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sidetone_scenarios::postgresql::{Certified, PORT, PostgreSql};

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::store::Store;

const PASSWORD: &str = "hunter2-and-no-other";
const NAME: &str = "db.example.org";

/// An authority, its certificate in a file.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate for a name.
    fn server(&self, name: &str) -> PostgreSql {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        PostgreSql::start_at_address(PASSWORD, Some(Certified { certificate: &certificate, key: &key }))
    }
}

/// The store in a server that is called [`NAME`], whose password is in a file of its own.
fn config(server: &PostgreSql, password: &std::path::Path, more: &str) -> StoreConfig {
    let address = server.address();
    StoreConfig {
        path: None,
        postgres: Some(format!("postgres://sidetone@{NAME}:{PORT}/postgres?hostaddr={address}&{more}")),
        postgres_password_file: Some(password.to_owned()),
        ..StoreConfig::in_file("unused".into())
    }
}

fn password_file(folder: &tempfile::TempDir, password: &str) -> PathBuf {
    let path = folder.path().join("password");
    std::fs::write(&path, password).unwrap();
    path
}

/// Whether the server sees the store's connection inside TLS.
fn is_encrypted(store: &mut Store) -> bool {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    store.database.query(sql, &[]).unwrap()[0].int(0).unwrap() == 1
}

/// An error with its remedy, which nowhere holds the password.
fn told(result: Result<Store, StoreError>) -> String {
    let error = result.unwrap_err();
    let told = format!("{error}; {}", error.remedy());
    assert!(!format!("{told} {error:?}").contains(PASSWORD), "{error:?}");
    told
}

#[test]
fn a_store_talks_to_the_server_that_the_certificate_proves() {
    let (ours, other, namesake) = (Authority::new("ours"), Authority::new("other"), Authority::new("ours"));
    let folder = tempfile::tempdir().unwrap();
    let password = password_file(&folder, PASSWORD);
    let root = |authority: &Authority| format!("sslrootcert={}", authority.file().display());

    let server = ours.server(NAME);
    let mut store = Store::create(&config(&server, &password, &root(&ours))).unwrap();
    assert!(is_encrypted(&mut store), "verify-full, since it is not said otherwise");
    assert_eq!(store.status().unwrap().calls, 0);
    let open = |more: &str| Store::open(&config(&server, &password, more));
    for mode in ["sslmode=require", "sslmode=prefer", &format!("sslmode=verify-ca&{}", root(&ours))] {
        assert!(is_encrypted(&mut open(mode).unwrap()), "{mode}");
    }
    assert!(!is_encrypted(&mut open("sslmode=disable").unwrap()));

    let unknown = told(open(&root(&other)));
    assert!(unknown.contains("UnknownIssuer") && unknown.contains("sslrootcert=FILE"), "{unknown}");
    let forged = told(open(&root(&namesake)));
    assert!(forged.contains("BadSignature") && forged.contains("sslrootcert=FILE"), "{forged}");
    let unknown = told(open("sslmode=verify-full"));
    assert!(unknown.contains("UnknownIssuer"), "by the system's certificates: {unknown}");
    let unknown = told(open(&format!("sslmode=verify-ca&{}", root(&other))));
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");

    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, format!("not-{PASSWORD}")).unwrap();
    let refused = told(Store::open(&config(&server, &wrong, &root(&ours))));
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let ours = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    let password = password_file(&folder, PASSWORD);
    let server = ours.server("other.example.org");
    let root = format!("sslrootcert={}", ours.file().display());
    let wrong = told(Store::create(&config(&server, &password, &root)));
    assert!(wrong.contains(NAME) && wrong.contains("name the host as its certificate does"), "{wrong}");
    let by_authority = format!("sslmode=verify-ca&{root}");
    assert!(is_encrypted(&mut Store::create(&config(&server, &password, &by_authority)).unwrap()));
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let password = password_file(&folder, PASSWORD);
    let server = PostgreSql::start_at_address(PASSWORD, None);
    for mode in ["sslmode=require", "sslmode=verify-full"] {
        let none = told(Store::create(&config(&server, &password, mode)));
        assert!(none.contains("does not support TLS") && none.contains("ssl = on"), "{none}");
    }
    assert!(!is_encrypted(&mut Store::create(&config(&server, &password, "sslmode=prefer")).unwrap()));
}

#[test]
fn certificates_that_cant_be_used_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let password = password_file(&folder, PASSWORD);
    let server = PostgreSql::start_at_address(PASSWORD, None);
    for (name, content) in [("none.pem", None), ("empty.pem", Some("")), ("password", None)] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let root = format!("sslrootcert={}", path.display());
        let error = Store::create(&config(&server, &password, &root)).unwrap_err();
        assert!(matches!(error, StoreError::Certificates(_)), "{error}");
        told(Err(error));
    }
}
