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
    // Each refusal of a call is in the alert that tells of them, or is none of Sidetone's own making.
    let alert = rules.lines().find(|line| line.contains("sidetone_refused_total")).unwrap();
    let listed = alert.split("=~\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let listed: Vec<&str> = listed.split('|').collect();
    // A browser that is gone is like a telephone that is switched off.
    let not_calls = ["stranger", "no_dialog", "no_relay", "merged", "connection", "draining", "flow_failed"];
    let reasons = page.lines().filter_map(|line| line.strip_prefix("sidetone_refused_total{reason=\""));
    let reasons: Vec<&str> = reasons.filter_map(|rest| rest.split('"').next()).collect();
    for reason in &reasons {
        assert!(listed.contains(reason) != not_calls.contains(reason), "{reason}");
    }
    assert!(listed.iter().all(|reason| reasons.contains(reason)), "{listed:?} of {reasons:?}");
    sidetone.finish();
}

#[test]
fn every_configuration_that_is_shipped_is_a_good_one() {
    let folder = repository().join("deploy");
    for file in ["sidetone.example.toml", "docker/sidetone.toml"] {
        succeeds(Command::new(binary()).args(["check", "--elsewhere"]).arg(folder.join(file)));
    }
}

/// With its man page, which the unit names: a clean verdict has no line at all.
#[test]
fn systemd_finds_no_fault_with_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("systemd-analyze is not on this machine; the unit is not checked");
        return;
    }
    let unit = std::fs::read_to_string(repository().join("deploy/systemd/sidetone.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    succeeds(Command::new(binary()).arg("man").arg(dir.path().join("man/man1")));
    let has_man = Command::new("man").arg("--version").output().is_ok();
    let file = dir.path().join("sidetone.service");
    std::fs::write(&file, unit.replace("/usr/bin/sidetone", binary().to_str().unwrap())).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", if has_man { "--man=yes" } else { "--man=no" }])
        .arg(&file)
        .env("MANPATH", dir.path().join("man"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// The unit runs commands that there are, and passes on the secrets that the manuals read.
#[test]
fn the_unit_and_the_manuals_agree() {
    let deploy = repository().join("deploy");
    let unit = std::fs::read_to_string(deploy.join("systemd/sidetone.service")).unwrap();
    let values = |name: &str| -> Vec<String> {
        unit.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
            .collect()
    };
    // A check before the start could only keep calls from being carried that would be.
    assert!(values("ExecStartPre").is_empty());
    for command in ["ExecStart", "ExecReload"] {
        let command = values(command).pop().unwrap();
        let subcommand = command.strip_prefix("/usr/bin/sidetone ").unwrap().split(' ').next().unwrap();
        succeeds(Command::new(binary()).args([subcommand, "--help"]));
    }
    let passed = values("LoadCredential");
    let mut read = 0;
    for manual in ["docs/PBX.md", "docs/EVENTS.md", "docs/CONSENT.md", "deploy/sidetone.example.toml"] {
        let text = std::fs::read_to_string(repository().join(manual)).unwrap();
        for after in text.split("/run/credentials/").skip(1) {
            let path =
                after.split(|c: char| !c.is_ascii_alphanumeric() && !"-._/".contains(c)).next().unwrap();
            let name = path.strip_prefix("sidetone.service/").unwrap_or_else(|| panic!("{manual}: {path}"));
            assert!(passed.iter().any(|it| it == name), "{manual}: the unit passes on no {name}");
            read += 1;
        }
    }
    assert!(read >= 4, "the manuals name {read}");
    let account = std::fs::read_to_string(deploy.join("systemd/sidetone.sysusers")).unwrap();
    let user = values("User").pop().unwrap();
    assert!(account.lines().any(|line| line.starts_with(&format!("u {user} "))), "{user} has no account");
}

/// Debian's tools take what they are given: the package of the binary that the other tests run.
#[test]
fn the_debian_package_holds_what_it_should() {
    for tool in ["dpkg-deb", "dpkg-shlibdeps", "objcopy", "python3"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("{tool} is not on this machine; no package is made");
            return;
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let script = repository().join("tools/package/deb.sh");
    succeeds(Command::new(script).arg(binary()).arg(dir.path()).env("DEB_COMPRESSION", "none"));
    let packages = files(dir.path(), "deb");
    let of = |name: &str| {
        let named = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(name);
        packages.iter().find(named).unwrap_or_else(|| panic!("{packages:?}"))
    };
    let root = dir.path().join("root");
    succeeds(Command::new("dpkg-deb").arg("--raw-extract").arg(of("sidetone_")).arg(&root));
    for file in [
        "DEBIAN/postinst",
        "DEBIAN/prerm",
        "DEBIAN/postrm",
        "etc/sidetone/sidetone.toml",
        "usr/lib/systemd/system/sidetone.service",
        "usr/lib/sysusers.d/sidetone.conf",
        "usr/share/man/man1/sidetone.1.gz",
        "usr/share/man/man1/sidetone-health.1.gz",
        "usr/share/bash-completion/completions/sidetone",
        "usr/share/zsh/vendor-completions/_sidetone",
        "usr/share/fish/vendor_completions.d/sidetone.fish",
        "usr/share/doc/sidetone/copyright",
        "usr/share/doc/sidetone/changelog.gz",
        "usr/share/doc/sidetone/openapi.json",
        "usr/share/doc/sidetone/images/live.png",
        "usr/share/doc/sidetone/examples/freeswitch/README.md",
    ] {
        assert!(root.join(file).is_file(), "{file} is missing");
    }
    let conffiles = std::fs::read_to_string(root.join("DEBIAN/conffiles")).unwrap();
    assert_eq!(conffiles.trim(), "/etc/sidetone/sidetone.toml");
    let control = std::fs::read_to_string(root.join("DEBIAN/control")).unwrap();
    assert!(control.contains("libopus0") && control.contains("libc6"), "{control}");
    // No symbols in the one, all of them in the other, by the id that debuggers go by.
    let packaged = root.join("usr/bin/sidetone");
    succeeds(Command::new(&packaged).arg("--version"));
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    assert!(size(&packaged) < size(&binary()) * 3 / 4, "{} bytes", size(&packaged));
    let symbols = dir.path().join("symbols");
    succeeds(Command::new("dpkg-deb").arg("--raw-extract").arg(of("sidetone-dbgsym_")).arg(&symbols));
    let debug = files(&symbols.join("usr/lib/debug/.build-id"), "debug");
    assert_eq!(debug.len(), 1);
    assert!(size(&debug[0]) > 1_000_000);
    bill_of_materials(&root.join("usr/share/doc/sidetone/sbom.cdx.json"));
}

/// CycloneDX: each crate once, with a version, a licence and where it came from; nothing of the tests' own.
fn bill_of_materials(file: &Path) {
    let bill: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!((bill["bomFormat"].as_str(), bill["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
    assert_eq!(bill["metadata"]["component"]["name"], "sidetone");
    let components = bill["components"].as_array().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for component in components {
        let purl = component["purl"].as_str().unwrap();
        assert!(names.insert(purl), "{purl} stands there twice");
        assert!(component["licenses"][0]["expression"].is_string(), "{purl} has no licence");
        let own = component["name"].as_str().unwrap().starts_with("sidetone-");
        // One that was changed here names what it was.
        let changed = component["pedigree"]["ancestors"][0]["purl"] == *purl;
        assert!(
            own || changed || component["hashes"][0]["content"].as_str().unwrap().len() == 64,
            "{purl} has no checksum"
        );
    }
    let has = |name: &str| names.iter().any(|purl| purl.starts_with(&format!("pkg:cargo/{name}@")));
    for name in ["tokio", "candle-core", "sidetone-sip"] {
        assert!(has(name), "{name} is missing");
    }
    for name in ["proptest", "boon", "sidetone-scenarios", "serde_derive"] {
        assert!(!has(name), "{name} is in no binary");
    }
    for dependency in bill["dependencies"].as_array().unwrap() {
        for on in dependency["dependsOn"].as_array().unwrap() {
            assert!(names.contains(on.as_str().unwrap()), "{on} is not listed");
        }
    }
}

/// The probe that containers have instead of curl.
#[test]
fn health_answers_by_its_exit_status() {
    let net = Net::lease();
    let mut sidetone = Sidetone::usual(&net);
    assert!(sidetone.command(&["health", "--ready"]).contains("ready for calls"));
    sidetone.command(&["drain"]);
    let json: serde_json::Value = serde_json::from_str(&sidetone.command(&["health", "--json"])).unwrap();
    assert_eq!(json, serde_json::json!({ "alive": true, "unready": "draining" }));
    sidetone.try_command(&["health", "--ready"]).unwrap_err();
    sidetone.stop();
    let error = sidetone.try_command(&["health"]).unwrap_err().stderr;
    assert!(error.contains("no running Sidetone"), "{error}");
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
                "healthcheck",
                "command",
                "environment",
            ],
        );
        assert!(service["build"].is_badvalue() != service["image"].is_badvalue(), "{name}: built or fetched");
        let check = &service["healthcheck"];
        known(check, &["test", "interval", "timeout", "retries", "start_period"]);
        let test: Vec<&str> = check["test"].as_vec().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(test[0], "CMD", "{name}: not every image has a shell");
        if test[1] == "sidetone" {
            succeeds(Command::new(binary()).args(&test[2..]).arg("--help"));
        }
        for (on, how) in service["depends_on"].as_hash().into_iter().flatten() {
            assert!(file["services"].as_hash().unwrap().contains_key(on), "{name} depends on {on:?}");
            assert_eq!(how["condition"].as_str(), Some("service_healthy"));
        }
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
