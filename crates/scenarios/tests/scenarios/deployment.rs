//! What is shipped for operators is true: it loads, and it names only what exists.

use std::path::{Path, PathBuf};
use std::process::Command;

use sidetone_scenarios::net::Net;
use sidetone_scenarios::repository;
use sidetone_scenarios::sidetone::{Sidetone, binary};
use yaml_rust2::{Yaml, YamlLoader};

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

/// Every file below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// No FreeSWITCH is to be had here; this much can be said of its configuration without one.
#[test]
fn freeswitch_could_read_its_configuration() {
    let files = files(&repository().join("deploy/freeswitch"), "xml");
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let document =
            roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        // The one vocabulary that all of its files share: a setting has a name and a value, both written out.
        for param in document.descendants().filter(|node| node.has_tag_name("param")) {
            assert!(param.has_attribute("name") && param.has_attribute("value"), "{}", file.display());
        }
        for condition in document.descendants().filter(|node| node.has_tag_name("condition")) {
            assert!(condition.parent().is_some_and(|parent| parent.has_tag_name("extension")));
        }
    }
}

/// No container engine is to be had here; this much can be said of the compose file without one.
#[test]
fn the_compose_file_names_only_what_exists() {
    let text = std::fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    let file = &YamlLoader::load_from_str(&text).unwrap()[0];
    known(file, &["name", "services", "networks"]);
    let networks = file["networks"].as_hash().unwrap();
    let subnet = file["networks"]["telephony"]["ipam"]["config"][0]["subnet"].as_str().unwrap();
    let prefix = subnet.strip_suffix("0/24").unwrap();
    let mut addresses = std::collections::BTreeSet::new();
    for (name, service) in file["services"].as_hash().unwrap() {
        let name = name.as_str().unwrap();
        known(
            service,
            &[
                "build",
                "image",
                "networks",
                "restart",
                "stop_grace_period",
                "read_only",
                "tmpfs",
                "cap_drop",
                "security_opt",
                "ulimits",
                "volumes",
                "ports",
                "depends_on",
                "command",
                "environment",
            ],
        );
        assert!(service["build"].is_badvalue() != service["image"].is_badvalue(), "{name}: built or fetched");
        if !service["build"].is_badvalue() {
            known(&service["build"], &["context", "dockerfile", "args"]);
            let context = repository().join(service["build"]["context"].as_str().unwrap());
            dockerfile(&context, &context.join(service["build"]["dockerfile"].as_str().unwrap()));
        }
        for volume in service["volumes"].as_vec().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(repository().join(source).is_file(), "{name}: {source} is missing");
        }
        for (network, settings) in service["networks"].as_hash().unwrap() {
            assert!(networks.contains_key(network), "{name}: network {network:?} is not declared");
            let address = settings["ipv4_address"].as_str().unwrap();
            assert!(address.starts_with(prefix), "{name}: {address} is not in {subnet}");
            assert!(addresses.insert(address.to_owned()), "{name}: {address} is taken");
        }
    }
    // What runs in the containers looks for the others where they are.
    let config = std::fs::read_to_string(repository().join("deploy/docker/sidetone.toml")).unwrap();
    for address in ["172.28.0.10", "172.28.0.20"] {
        assert!(addresses.contains(address) && config.contains(address), "{address}");
    }
}

/// Keys of the Compose specification that are used here.
fn known(table: &Yaml, keys: &[&str]) {
    for key in table.as_hash().unwrap().keys() {
        assert!(keys.contains(&key.as_str().unwrap()), "{key:?} is no key here; known are {keys:?}");
    }
}

/// What a Dockerfile copies from its context is there.
fn dockerfile(context: &Path, file: &Path) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(text.lines().any(|line| line.starts_with("FROM ")), "{}", file.display());
    for line in text.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
        let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
        words.pop().expect("a target");
        for source in words {
            match source.split_once('*') {
                Some((folder, ending)) => {
                    let there = files(&context.join(folder), ending.trim_start_matches('.'));
                    assert!(!there.is_empty(), "{line}: nothing is copied");
                }
                None => assert!(context.join(source).exists(), "{line}: {source} is missing"),
            }
        }
    }
}
