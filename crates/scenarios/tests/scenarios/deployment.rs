//! What is shipped for operators is true: it loads, and it names only what exists.

use std::path::PathBuf;
use std::process::Command;

use sidetone_scenarios::net::Net;
use sidetone_scenarios::repository;
use sidetone_scenarios::sidetone::{Sidetone, binary};

fn promtool() -> Command {
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), PathBuf::from);
    let promtool = peers.join("prometheus/promtool");
    assert!(promtool.is_file(), "promtool is missing: run `tools/peers/install.sh promtool` first");
    Command::new(promtool)
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn prometheus_understands_its_configuration() {
    let folder = repository().join("deploy/prometheus");
    succeeds(promtool().args(["check", "config"]).arg(folder.join("prometheus.yml")));
}

#[test]
fn prometheus_finds_no_fault_with_the_metrics() {
    use std::io::Write;
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let (_, page) = sidetone.get("/metrics").unwrap();
    let mut check = promtool();
    let mut check = check.args(["check", "metrics"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    assert!(check.wait().unwrap().success());
    sidetone.finish();
}

#[test]
fn alerts_name_only_metrics_that_exist() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let (_, page) = sidetone.get("/metrics").unwrap();
    let rules = std::fs::read_to_string(repository().join("deploy/prometheus/sidetone.rules.yml")).unwrap();
    let named: Vec<&str> = rules
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("sidetone_"))
        .collect();
    assert!(named.len() > 5);
    for name in named {
        // Families that get their values from probes have none while probing is off.
        let probed = name == "sidetone_peer_up";
        assert!(probed || page.contains(&format!("# TYPE {name} ")), "{name} is no metric of Sidetone's");
    }
    sidetone.finish();
}

#[test]
fn every_configuration_that_is_shipped_is_a_good_one() {
    let folder = repository().join("deploy");
    for file in ["sidetone.example.toml", "docker/sidetone.toml"] {
        succeeds(Command::new(binary()).arg("check").arg(folder.join(file)));
    }
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze is not on this machine; the unit is not checked");
        return;
    }
    let unit = std::fs::read_to_string(repository().join("deploy/systemd/sidetone.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sidetone.service");
    std::fs::write(&file, unit.replace("/usr/bin/sidetone", binary().to_str().unwrap())).unwrap();
    succeeds(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file));
}
