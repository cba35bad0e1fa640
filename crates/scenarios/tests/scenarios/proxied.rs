//! The pages by TLS, behind a real nginx with the configuration that deploy/nginx ships.

use std::path::{Path, PathBuf};
use std::process::Command;

use sidetone_scenarios::certificates::{Issued, self_signed};
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::process::Process;
use sidetone_scenarios::{repository, until};

use crate::stored::{start, token};

/// Runs nginx with the shipped server, at this address and for that one.
fn nginx(folder: &Path, at: &str, own: &Issued, behind: &str) -> Process {
    let shipped = std::fs::read_to_string(repository().join("deploy/nginx/sidetone.conf")).unwrap();
    let mut server = shipped;
    for (theirs, ours) in [
        ("listen 443 ssl", format!("listen {at} ssl")),
        ("http://127.0.0.1:9464", format!("http://{behind}")),
        ("/etc/ssl/sidetone/fullchain.pem", own.certificate.display().to_string()),
        ("/etc/ssl/sidetone/privkey.pem", own.key.display().to_string()),
    ] {
        assert!(server.contains(theirs), "{theirs}");
        server = server.replace(theirs, &ours);
    }
    std::fs::write(folder.join("server.conf"), server).unwrap();
    let passing = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| {
        let path = folder.join(what);
        format!("{what}_temp_path {};", path.display())
    });
    // As whoever runs the tests; root must say so.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    let whole = format!(
        "daemon off; {user} pid nginx.pid; error_log stderr; worker_processes 1;\n\
         events {{}}\nhttp {{ access_log off; {} include server.conf; }}\n",
        passing.join(" ")
    );
    std::fs::write(folder.join("nginx.conf"), whole).unwrap();
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), PathBuf::from);
    let program = peers.join("nginx/nginx");
    assert!(program.exists(), "nginx is not there; `make peers` brings it");
    let arguments = ["-e", "stderr", "-p", folder.to_str().unwrap(), "-c", "nginx.conf"].map(str::to_owned);
    Process::start("nginx", &program, &arguments, folder)
}

/// What curl gets there, headers first; it trusts this certificate alone.
fn curl(own: &Issued, arguments: &[&str]) -> String {
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "10", "--cacert"])
        .arg(&own.certificate)
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn behind_a_reverse_proxy_pages_are_live_and_their_cookie_is_for_tls_alone() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let (behind, at) = (net.at(host::SIDETONE, 9464), net.at(host::ELSEWHERE, 9443).to_string());
    let own = self_signed(folder.path(), "proxy", &[&net.v4(host::ELSEWHERE).to_string()]);
    let site = format!("https://{at}");
    let _nginx = nginx(folder.path(), &at, &own, &behind.to_string());
    let mut call = start(net, folder.path());
    let (supervisor, _) = token("supervisor", &file);
    call.answered();
    until("the pages behind nginx", || {
        curl(&own, &[&format!("{site}/sign-in")]).contains("200 OK").then_some(())
    });

    // A program: the cookie of a session that was begun there goes to TLS alone, and metrics are not for outside.
    let form = format!("token={supervisor}");
    let signed_in =
        curl(&own, &["--data", &form, "--header", &format!("Origin: {site}"), &format!("{site}/sign-in")]);
    let cookie = signed_in.lines().find(|line| line.to_lowercase().starts_with("set-cookie:")).unwrap();
    assert!(cookie.contains("; Secure") && cookie.contains("HttpOnly"), "{cookie}");
    assert!(signed_in.to_lowercase().contains("strict-transport-security: max-age="), "{signed_in}");
    let other = curl(
        &own,
        &["--data", &form, "--header", "Origin: https://elsewhere.example", &format!("{site}/sign-in")],
    );
    assert!(other.contains("403 Forbidden") && !other.to_lowercase().contains("set-cookie:"), "{other}");
    assert!(curl(&own, &[&format!("{site}/metrics")]).contains("404 Not Found"));
    let answered = curl(
        &own,
        &["--header", &format!("Authorization: Bearer {supervisor}"), &format!("{site}/api/v1/calls")],
    );
    assert!(answered.contains("200 OK"), "{answered}");
    let events = curl(&own, &[&format!("{site}/events")]);
    assert!(events.contains("401 Unauthorized"), "all calls' events are not for outside: {events}");

    // A browser: what happens is there at once, and the page is not loaded again.
    let mut chromium = Chromium::start_with(&["--ignore-certificate-errors"]);
    chromium.open(&format!("{site}/sign-in?lang=en"));
    chromium.fill("#token", &supervisor);
    chromium.follow("form button[type=submit]");
    chromium.shows("1 call up");
    chromium.value("window.before = true");
    call.caller.open_gate();
    chromium.shows("No call is up");
    assert_eq!(chromium.value("window.before"), true);
    assert_eq!(chromium.complaints(), [] as [String; 0]);
    drop(chromium);
    call.finish(6);
}
