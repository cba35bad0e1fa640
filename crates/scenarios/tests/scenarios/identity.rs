//! People who sign in by an identity provider: a real one, through a real browser, which is led astray where it can be.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::identity::IdentityProvider;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary};
use sidetone_scenarios::until;

/// A provider, a Sidetone that knows of it, and a browser.
struct Site {
    folder: tempfile::TempDir,
    server: String,
    provider: IdentityProvider,
    sidetone: Sidetone,
    chromium: Chromium,
}

impl Site {
    /// With a provider that is up, or is not yet.
    fn begin(is_up: bool) -> Self {
        let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
        let server = format!("http://{}", net.at(host::SIDETONE, 9464));
        let redirect = format!("{server}/sign-in/callback");
        let accounts = json!({
            "ada": { "name": "Ada Lovelace", "groups": ["staff", "leads"], "email": "ada@example.org", "email_verified": true },
            "ben": { "name": "Ben", "groups": ["agents"], "extension": "2001", "email": "ben@example.org", "email_verified": true },
            "cleo": { "name": "Cleo", "groups": ["staff"], "email": "cleo@example.org", "email_verified": true },
            "dora": { "name": "Dora", "groups": ["leads"], "email": "dora@elsewhere.org", "email_verified": true },
            "emil": { "name": "Emil", "groups": ["agents"], "email": "emil@example.org", "email_verified": true },
        });
        let mut provider = IdentityProvider::new(&net, &redirect, &accounts.to_string());
        if is_up {
            provider.start("the first key");
        }
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "a secret of sidetone & nobody else\n").unwrap();
        let mut setup = Setup::usual(&net);
        setup.http = format!(
            "[http.oidc]\nissuer = {:?}\nclient_id = \"sidetone\"\nclient_secret = {{ file = {secret:?} }}\n\
             redirect = {redirect:?}\nname = \"Example\"\nagent_claim = \"extension\"\n\
             email_domains = [\"example.org\"]\n[http.oidc.roles]\nsupervisor = [\"leads\"]\nagent = [\"agents\"]\n",
            provider.issuer()
        );
        let (spool, store) = (folder.path().join("spool.db"), folder.path().join("store.db"));
        setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n");
        let sidetone = Sidetone::start(&net, &setup);
        Self { folder, server, provider, sidetone, chromium: Chromium::start() }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn open(&mut self, path: &str) {
        let address = format!("{}{path}", self.server);
        self.chromium.open(&address);
    }

    /// Goes to the provider from the sign-in page, and says who it is there.
    fn go(&mut self, login: &str) {
        self.open("/sign-in?lang=en&next=/calls");
        self.chromium.follow("a[href^='/sign-in/start']");
        self.chromium.fill("input[name=login]", login);
        self.chromium.fill("input[name=password]", "any is right");
        self.chromium.follow("button[type=submit]");
        // The provider asks whether Sidetone may know it.
        self.chromium.follow("button[type=submit]");
    }

    /// Forgets who somebody is, at both.
    fn forget(&mut self) {
        self.chromium = Chromium::start();
    }

    fn accesses(&self) -> Vec<(String, String, String)> {
        let output = Command::new(binary())
            .args(["token", "accesses", "--json", "--store"])
            .arg(self.store())
            .output();
        let accesses: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        let text = |access: &Value, key: &str| access[key].as_str().unwrap().to_owned();
        let all = accesses.as_array().unwrap().iter();
        all.map(|it| (text(it, "name"), text(it, "action"), text(it, "subject"))).collect()
    }

    /// Asks as a program does, with a cookie; the status and the whole answer.
    fn ask(&self, path: &str, cookie: &str) -> (u16, String) {
        let (head, body) =
            self.sidetone.exchange(&format!("GET {path} HTTP/1.1\r\nCookie: {cookie}\r\n"), "").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), format!("{head}\r\n\r\n{body}"))
    }
}

/// A header of an answer.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn add_user(store: &Path, password: &str) {
    let mut added = Command::new(binary())
        .args(["user", "add", "maria", "--role", "supervisor", "--password-stdin", "--store"])
        .arg(store)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(added.stdin.take().unwrap(), "{password}").unwrap();
    assert!(added.wait().unwrap().success());
}

#[test]
fn people_sign_in_by_the_provider_and_get_the_role_of_their_group() {
    let mut site = Site::begin(true);
    site.go("ada");
    assert_eq!(site.chromium.path(), "/calls", "{}", site.provider.output());
    site.chromium.shows("Ada Lovelace");
    site.chromium.follow(".who button");
    assert!(site.chromium.path().starts_with("/sign-in"));
    site.chromium.shows("Sign out of Example too");
    let out = site.chromium.value("document.querySelector('.gate a').href");
    assert!(out.as_str().unwrap().starts_with(&format!("{}/session/end", site.provider.issuer())), "{out}");
    // The provider still knows her: one click is enough. Nobody is led elsewhere.
    for evil in ["https://evil.example/", "//evil.example", "/\\\\evil.example"] {
        site.open(&format!("/sign-in/start?next={evil}"));
        assert_eq!(site.chromium.path(), "/live", "{evil}");
    }

    site.forget();
    site.go("ben");
    // An agent has no list of all calls: theirs has their own.
    assert_eq!(site.chromium.path(), "/calls");
    site.chromium.shows("Ben");
    site.open("/live");
    assert_eq!(site.chromium.path(), "/desk");

    for (login, told) in [
        ("cleo", "none of your groups has a role here"),
        ("dora", "domain that may not sign in"),
        ("emil", "does not say which"),
    ] {
        site.forget();
        site.go(login);
        site.chromium.shows(told);
        assert!(site.chromium.path().starts_with("/sign-in?fault="), "{}", site.chromium.path());
        site.open("/calls");
        assert!(site.chromium.path().starts_with("/sign-in"), "{login}");
    }
    let accesses = site.accesses();
    let issuer = site.provider.issuer();
    let of = |name: &str| {
        accesses.iter().filter(|it| it.0 == name).map(|it| (it.1.as_str(), it.2.as_str())).collect::<Vec<_>>()
    };
    let ada = of("Ada Lovelace");
    assert_eq!(ada.iter().filter(|it| **it == ("signed_in", issuer.as_str())).count(), 4, "{ada:?}");
    assert_eq!(ada.iter().filter(|it| it.0 == "signed_out").count(), 1);
    assert_eq!(of("Ben")[..], [("signed_in", issuer.as_str())]);
    assert_eq!(of("Cleo"), [("sign_in.refused", "none of their groups has a role")]);
    assert_eq!((of("Dora").len(), of("Emil").len()), (1, 1));
    assert_eq!(site.chromium.complaints(), [] as [String; 0]);
}

#[test]
fn a_way_back_that_proves_nothing_signs_nobody_in() {
    let mut site = Site::begin(true);
    site.go("ada");
    assert_eq!(site.chromium.path(), "/calls");
    let session = |site: &mut Site| {
        let server = site.server.clone();
        site.chromium.cookie(&server, "sidetone_session").unwrap_or_default()
    };
    let first = session(&mut site);
    assert!(!first.is_empty());

    // What the provider's tokens say has to be of this attempt, for us, now, and signed by its keys.
    for lie in ["nonce", "audience", "issuer", "expired", "stranger", "none", "hs256"] {
        site.provider.lie(lie);
        site.open("/sign-in/start?next=/calls");
        site.chromium.shows("does not prove who you are");
        assert_eq!(site.chromium.path(), "/sign-in?fault=token", "{lie}");
        assert_eq!(session(&mut site), first, "{lie}: no other session");
    }
    site.provider.lie("");

    // A way back that this browser has not begun, or begun and finished.
    let way_back = |address: &str| address.split_once("/sign-in/callback").unwrap().1.to_owned();
    let used = way_back(&site.provider.last_way_back());
    for query in [used.as_str(), "?code=x&state=y", "?state=y&error=access_denied", "", "?code=x"] {
        site.open(&format!("/sign-in/callback{query}"));
        assert_eq!(site.chromium.path(), "/sign-in?fault=attempt", "{query}");
    }

    // Held at the provider: the code is there, and the attempt's cookie.
    site.provider.hold(true);
    site.open("/sign-in/start?next=/calls");
    site.chromium.shows("held here");
    let callback = format!("{}/sign-in/callback", site.server);
    let attempt = site.chromium.cookie(&callback, "sidetone_attempt").unwrap();
    let query = way_back(&site.provider.last_way_back());
    let cookie = format!("sidetone_attempt={attempt}");
    let wrong_state = query.replace("state=", "state=x");
    let other_issuer = query
        .split('&')
        .map(|it| if it.starts_with("iss=") { "iss=https%3A%2F%2Fother.example" } else { it });
    let other_issuer = other_issuer.collect::<Vec<_>>().join("&");
    for (asked, cookie, fault) in [
        (&wrong_state, cookie.as_str(), "attempt"),
        (&query, "", "attempt"),
        (&query, "sidetone_attempt=AAAA", "attempt"),
        (&other_issuer, cookie.as_str(), "token"),
    ] {
        let (status, answer) = site.ask(&format!("/sign-in/callback{asked}"), cookie);
        let led = header(&answer, "location").unwrap();
        assert_eq!((status, led), (303, format!("/sign-in?fault={fault}").as_str()), "{asked}");
        assert!(!answer.contains("sidetone_session="), "{answer}");
    }
    let (status, answer) = site.ask(&format!("/sign-in/callback{query}"), &cookie);
    assert_eq!((status, header(&answer, "location")), (303, Some("/calls")), "{answer}");
    let cookies: Vec<&str> =
        answer.lines().filter(|line| line.to_lowercase().starts_with("set-cookie")).collect();
    assert!(
        cookies.iter().any(|it| it.contains("sidetone_session=") && it.contains("HttpOnly; SameSite=Lax"))
    );
    assert!(cookies.iter().any(|it| it.contains("sidetone_attempt=; Path=/sign-in; Max-Age=0; HttpOnly")));
    let (status, answer) = site.ask(&format!("/sign-in/callback{query}"), &cookie);
    assert_eq!(
        (status, header(&answer, "location")),
        (303, Some("/sign-in?fault=attempt")),
        "the code was used"
    );
    site.provider.hold(false);
    let log = site.sidetone.output();
    assert!(!log.contains("secret of sidetone") && !log.contains("Ada"), "{log}");
}

#[test]
fn keys_change_and_a_provider_that_is_down_keeps_nobody_with_a_password_out() {
    let mut site = Site::begin(false);
    add_user(&site.store(), "a long enough password");
    site.open("/sign-in/start?next=/calls");
    site.chromium.shows("identity provider can't be reached");
    site.chromium.fill("#name", "maria");
    site.chromium.fill("#password", "a long enough password");
    site.chromium.follow("form button[type=submit]");
    assert_eq!(site.chromium.path(), "/live");

    site.provider.start("the first key");
    site.forget();
    // Who could not be asked is not asked again at once.
    until("the provider to be asked again", || {
        site.open("/sign-in/start");
        site.chromium
            .text()
            .contains("Sign-in")
            .then_some(())
            .filter(|()| !site.chromium.path().starts_with("/sign-in"))
    });
    site.go("ada");
    assert_eq!(site.chromium.path(), "/calls");

    // Another key, of which the provider's description said nothing when it was read.
    site.provider.start("the second key");
    site.forget();
    site.go("ada");
    assert_eq!(site.chromium.path(), "/calls");

    // Whoever was revoked here stays out, whatever the provider says.
    let list = Command::new(binary()).args(["token", "list", "--json", "--store"]).arg(site.store()).output();
    let list: Value = serde_json::from_slice(&list.unwrap().stdout).unwrap();
    let ada = list.as_array().unwrap().iter().find(|token| token["name"] == "Ada Lovelace").unwrap();
    let revoke = ["token", "revoke", ada["id"].as_str().unwrap(), "--store"];
    assert!(
        Command::new(binary())
            .args(revoke)
            .arg(site.store())
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    site.open("/sign-in/start?next=/calls");
    site.chromium.shows("Your access was taken away here");
}
