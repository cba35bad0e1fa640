//! The dashboards and alert rules that are shipped, against a real Prometheus that scrapes Sidetone during a call.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use serde_json::Value;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::process::Process;
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::{GUARD, repository, until};

use crate::stored::{speech, start};

/// Series that are not there in this call: no host is probed, and no PBX has a link.
const NOT_HERE: [&str; 5] = [
    "sidetone_peer_up",
    "sidetone_link_up",
    "sidetone_link_sent_total",
    "sidetone_link_dropped_total",
    "sidetone_link_failed_total",
];

/// Every query of a dashboard's panels, with the panel's title.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let of = |panel: &Value| {
        let targets = panel["targets"].as_array().unwrap().clone();
        let title = text(&panel["title"]);
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels.flat_map(of).collect()
}

fn dashboards() -> Vec<(String, Value)> {
    let folder = repository().join("deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), serde_json::from_str(&text).unwrap())
    };
    files.map(read).collect()
}

/// Gets JSON from Prometheus's API.
fn ask(prometheus: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(prometheus).ok()?;
    stream.set_read_timeout(Some(GUARD)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

fn query(prometheus: SocketAddr, expression: &str) -> Vec<Value> {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = ask(prometheus, &format!("/api/v1/query?query={escaped}")).unwrap();
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    answer["data"]["result"].as_array().unwrap().clone()
}

#[test]
fn every_panel_has_data_and_every_rule_is_evaluated() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), PathBuf::from);
    let program = peers.join("prometheus/prometheus");
    assert!(program.is_file(), "Prometheus is missing: run `tools/peers/install.sh promtool` first");
    let prometheus = net.at(host::SECOND, 9090);
    let config = folder.path().join("prometheus.yml");
    let rules = repository().join("deploy/prometheus/sidetone.rules.yml");
    let target = net.at(host::SIDETONE, 9464);
    let text = format!(
        "global: {{ scrape_interval: 250ms, evaluation_interval: 1s }}\nrule_files: [{rules:?}]\n\
         scrape_configs: [{{ job_name: sidetone, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
    );
    std::fs::write(&config, text).unwrap();

    let mut call = start(net, folder.path());
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()),
        format!("--web.listen-address={prometheus}"),
        "--log.level=warn".to_owned(),
    ];
    let server = Process::start("prometheus", &program, &arguments, folder.path());
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    // Rates need two values.
    until("Prometheus to have scraped some times", || {
        let up = ask(prometheus, "/api/v1/query?query=count_over_time(sidetone_info%5B1m%5D)")?;
        let times = up["data"]["result"][0]["value"][1].as_str()?.parse::<u32>().ok()?;
        (times >= 4).then_some(())
    });

    let mut seen = 0;
    for (file, dashboard) in dashboards() {
        for (panel, expression) in queries(&dashboard) {
            let plain = expression.replace("$__rate_interval", "1m").replace("$instance", ".*");
            assert!(!plain.contains('$'), "{file}, {panel}: a variable that is not known: {plain}");
            if NOT_HERE.iter().any(|name| plain.contains(name)) && !plain.contains("vector(0)") {
                assert_eq!(query(prometheus, &plain), [] as [Value; 0], "{file}, {panel}: {plain}");
            } else {
                // Some series come only after a while, as the spool's readers do.
                until(&format!("data of {file}, {panel}: {plain}"), || query(prometheus, &plain).pop());
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} queries");
    let told = until("the rules to be evaluated", || {
        let answer = ask(prometheus, "/api/v1/rules")?;
        let rules = answer["data"]["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    for rule in &told {
        assert_eq!((&rule["health"], &rule["state"]), (&"ok".into(), &"inactive".into()), "{rule}");
    }
    assert!(told.len() > 15, "{} rules", told.len());
    drop(server);
    call.caller.open_gate();
    call.finish(6);
}

/// Series that are there once a reader of the spool is.
const OF_READERS: &str = "sidetone_spool_behind";

/// A panel's query names only metrics that there are: one that is not probed here could be misspelt otherwise.
#[test]
fn dashboards_name_only_metrics_that_exist() {
    let net = Net::lease();
    let sidetone = sidetone_scenarios::sidetone::Sidetone::usual(&net);
    let (_, page) = sidetone.get("/metrics").unwrap();
    for (file, dashboard) in dashboards() {
        for (panel, expression) in queries(&dashboard) {
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for name in words.filter(|word| word.starts_with("sidetone_")) {
                let family = name.strip_suffix("_bucket").unwrap_or(name);
                let known = page.contains(&format!("# TYPE {family} "))
                    || NOT_HERE.contains(&name)
                    || name == OF_READERS;
                assert!(known, "{file}, {panel}: {name}");
            }
        }
    }
    sidetone.finish();
}
