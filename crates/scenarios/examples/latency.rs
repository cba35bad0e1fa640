//! How soon pages show what happens: from an event's own time to when a real Chromium has it in its page.
//! `cargo run -p sidetone-scenarios --example latency` prints it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)] // a failure is the message

use sidetone_scenarios::call::Call;
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, binary};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

/// Events that are told apart, on each page.
const ROUNDS: usize = 40;

fn main() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    let uas = Plan::new("talk", "uas", net.at(host::PBX, 5060));
    let server = format!("http://{}", net.at(host::SIDETONE, 9464));
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    let id = call.first_event()["call"]["id"].as_str().unwrap().to_owned();
    call.sidetone.command(&["tell", &id, "agent", "2001"]);
    for (page, role) in [("/live", "supervisor"), ("/desk", "agent")] {
        let mut command = std::process::Command::new(binary());
        command.args(["token", "create", role, "--role", role, "--store"]).arg(&file);
        if role == "agent" {
            command.args(["--agent", "2001"]);
        }
        let token = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let mut chromium = Chromium::start();
        chromium.open(&format!("{server}/sign-in?lang=en"));
        chromium.fill("#token", token.trim());
        chromium.follow("form button[type=submit]");
        assert_eq!(chromium.path(), page);
        // When the page first had each text, by the machine's own clock.
        chromium.value(
            "window.seen = {}; new MutationObserver(() => { for (const name of
             document.getElementById('live').innerText.match(/queue-\\d+/g) ?? []) window.seen[name] ??= Date.now(); })
             .observe(document.getElementById('live'), { subtree: true, childList: true, characterData: true }); true",
        );
        let mut delays = Vec::new();
        for round in 0..ROUNDS {
            let queue = format!("queue-{}{round:02}", page.len());
            call.sidetone.command(&["tell", &id, "queue", &queue]);
            let shown = until("the event on the page", || {
                chromium.value(&format!("window.seen['{queue}'] ?? null")).as_f64()
            });
            let told = until("the event", || {
                call.sidetone.events().iter().rev().find_map(|event| {
                    (event["data"]["queue"] == queue.as_str())
                        .then(|| event["time"].as_str().map(str::to_owned))?
                })
            });
            let millis = chromium.value(&format!("Date.parse('{told}')")).as_f64().unwrap();
            delays.push(shown - millis);
            // At another phase of whatever runs by the clock.
            std::thread::sleep(std::time::Duration::from_millis(300 + 37 * (round as u64 % 11)));
        }
        delays.sort_by(f64::total_cmp);
        println!(
            "{page}: {ROUNDS} events, shown after {:.0} ms in the median, {:.0} ms at nine in ten, {:.0} ms at most",
            delays[ROUNDS / 2],
            delays[ROUNDS * 9 / 10],
            delays[ROUNDS - 1]
        );
    }
    call.caller.open_gate();
    call.finish(6);
}
