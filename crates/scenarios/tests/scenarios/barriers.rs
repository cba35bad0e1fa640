//! No page keeps anybody out: axe-core finds nothing serious or critical on any of them, in light and dark, on a desk
//! and on a telephone, in English and German. What it can't see (order, wording, sense) people have to.

use std::time::Duration;

use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::demo::Demo;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone};
use sidetone_scenarios::{until, until_within};

use crate::browser::Seat;
use crate::stored::{agent, token};

/// Each language, colour scheme and size with each other at least once.
const LOOKS: [(&str, &str, (u32, u32)); 4] = [
    ("en", "light", (1280, 800)),
    ("de", "dark", (390, 844)),
    ("en", "dark", (1280, 800)),
    ("de", "light", (390, 844)),
];

/// What axe-core finds, and sideways scrolling, in each look of the page that is open.
#[derive(Default)]
struct Found(Vec<String>);

impl Found {
    /// The page that is open, as it is, in light and dark.
    fn as_it_is(&mut self, seat: &mut Seat, what: &str) {
        for scheme in ["light", "dark"] {
            seat.chromium.look(1280, 800, scheme);
            self.note(seat, &format!("{what}, {scheme}"));
        }
    }

    /// The page at a path, in each look.
    fn at(&mut self, seat: &mut Seat, path: &str) {
        let sign = if path.contains('?') { '&' } else { '?' };
        for (language, scheme, (width, height)) in LOOKS {
            seat.chromium.look(width, height, scheme);
            seat.open(&format!("{path}{sign}lang={language}"));
            self.note(seat, &format!("{path}, {language}, {scheme}, {width}"));
            // The report is a sheet of paper: a telephone scrolls it.
            if !path.ends_with("/report") && seat.chromium.overflows() {
                self.0.push(format!("{path}, {language}: is wider than {width}"));
            }
        }
        seat.chromium.look(1280, 800, "light");
    }

    fn note(&mut self, seat: &mut Seat, what: &str) {
        self.0.extend(seat.chromium.barriers().into_iter().map(|it| format!("{what}: {it}")));
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} findings:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Signs another person in, in the same browser.
fn sit(seat: &mut Seat, token: &str) {
    seat.chromium.look(1280, 800, "light");
    seat.sign_in(token);
}

#[test]
fn no_page_of_a_busy_day_has_a_barrier() {
    let demo = Demo::start();
    let mut seat = Seat::at(demo.pages);
    let mut found = Found::default();
    // The call lasts 70 seconds: what shows it comes first.
    sit(&mut seat, &demo.agent);
    seat.chromium.shows("My pace");
    until("a cue", || seat.chromium.text().contains("Got it").then_some(()));
    found.as_it_is(&mut seat, "the desk with a cue");
    sit(&mut seat, &demo.supervisor);
    found.as_it_is(&mut seat, "the live wall with a call");
    seat.open("/live?view=list&lang=de");
    found.as_it_is(&mut seat, "the live list with a call");
    // Those that are over: of the calls that go on beside the demo's own some are upset too.
    seat.open("/calls?lang=en&outcome=recovered");
    let upset = seat.chromium.value("document.querySelector('table.calls tbody a').getAttribute('href')");
    let upset = upset.as_str().unwrap().to_owned();
    for path in ["/calls", "/calls?outcome=upset&queue=billing", &upset, "/figures", "/figures?by=team"] {
        found.at(&mut seat, path);
    }
    // A number of those that the demo names is found; it is hashed on its way.
    seat.open("/calls?lang=en");
    seat.chromium.fill("#number", "+49 30 0000042");
    seat.chromium.follow("form.filter button[type=submit]");
    assert!(!seat.chromium.value("location.search").as_str().unwrap().contains("0000042"));
    let found_calls = seat.chromium.value("document.querySelectorAll('table.calls tbody tr').length");
    assert!((1..20).contains(&found_calls.as_u64().unwrap()), "{found_calls}");
    sit(&mut seat, &demo.agent);
    seat.open("/desk/last");
    let own = seat.chromium.path();
    for path in ["/desk", &own, "/desk/practice", "/desk/written"] {
        found.at(&mut seat, path);
    }
    seat.open("/desk/practice?lang=en");
    seat.chromium.follow("#start-late");
    until("a cue to practise with", || seat.chromium.text().contains("Got it").then_some(()));
    found.as_it_is(&mut seat, "a recorded call");
    seat.open("/desk/written?lang=de");
    seat.chromium.click("#kind-chat");
    seat.chromium
        .fill("#text", "Tom: Hi\nEva: I want to cancel my contract, this is the third time I write!");
    seat.chromium.follow("#read");
    found.as_it_is(&mut seat, "a chat whose customer is asked for");
    seat.chromium.follow("button[value=Eva]");
    found.as_it_is(&mut seat, "a chat that was read");
    sit(&mut seat, &demo.operator);
    for path in ["/operations", "/compliance", "/compliance/report", "/calls", "/nowhere"] {
        found.at(&mut seat, path);
    }
    sit(&mut seat, &demo.director);
    found.at(&mut seat, "/figures");
    // Which cues were followed is known of those on the agents' own talk: by some, and not by all.
    seat.open("/figures?lang=en");
    let followed = seat.chromium.value(
        "[...document.querySelectorAll('table tr')].find(row => row.cells[0].innerText.includes('say-what-you-do'))
         ?.cells[2].innerText ?? ''",
    );
    let share: f64 = followed.as_str().unwrap().split('%').next().unwrap().trim().parse().unwrap_or(-1.0);
    assert!(share > 0.0 && share < 100.0, "{followed}");
    found.none();
    for address in ["/figures?lang=en", "/figures?by=team&lang=de"] {
        seat.open(address);
        assert_eq!(seat.chromium.sheets(), 1, "{address} is a report of one page");
    }
    // Stopped in mid-call it would say that the call was not heard to its end.
    demo.call_over();
    // Its receipt is verified, once a minute at most.
    until_within(Duration::from_secs(150), "the receipt", || {
        seat.open("/compliance?lang=en");
        seat.chromium.text().contains("Intact").then_some(())
    });
    demo.stop();
}

/// The tests beside this one would pass too if axe-core looked at nothing.
#[test]
fn a_barrier_that_is_there_is_found() {
    let mut chromium = Chromium::start();
    chromium.open("data:text/html,<html><body><main><input name=x><p style='color:%23bbb'>Pale</p></main></body></html>");
    let found = chromium.barriers().join("\n");
    for rule in ["label", "color-contrast", "html-has-lang"] {
        assert!(found.contains(rule), "{rule}: {found}");
    }
}

#[test]
fn no_page_before_the_first_call_has_a_barrier() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let (spool, file) = (folder.path().join("spool.db"), folder.path().join("store.db"));
    let mut setup = Setup::usual(&net);
    setup.more = format!("[spool]\npath = {spool:?}\n[store]\npath = {file:?}\n");
    let mut sidetone = Sidetone::start(&net, &setup);
    let (ada, (supervisor, _)) = (agent("2001", &file), token("supervisor", &file));
    let mut seat = Seat::at(net.at(host::SIDETONE, 9464));
    let mut found = Found::default();
    for path in ["/sign-in", "/policy"] {
        found.at(&mut seat, path);
    }
    seat.open("/sign-in?lang=en");
    seat.chromium.fill("#token", "wrong");
    seat.chromium.follow("form button[type=submit]");
    found.as_it_is(&mut seat, "a sign-in that failed");
    for (token, paths) in
        [(&ada, ["/desk", "/calls"].as_slice()), (&supervisor, &["/live", "/calls", "/figures"])]
    {
        sit(&mut seat, token);
        for path in paths {
            found.at(&mut seat, path);
        }
    }
    found.none();
    drop(seat);
    sidetone.stop();
}
