//! The pages in a real browser, as those use them whom they are for: each role's main task.

use std::net::SocketAddr;
use std::process::Command;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::binary;
use sidetone_scenarios::until;

use crate::stored::{speech, start, token};

/// A browser that has signed in.
pub(crate) struct Seat {
    pub(crate) chromium: Chromium,
    server: String,
}

impl Seat {
    pub(crate) fn new(call: &Call) -> Self {
        Self::at(call.net.at(host::SIDETONE, 9464))
    }

    /// A browser of the pages at an address.
    pub(crate) fn at(server: SocketAddr) -> Self {
        Self { chromium: Chromium::start(), server: format!("http://{server}") }
    }

    pub(crate) fn open(&mut self, path: &str) {
        let address = format!("{}{path}", self.server);
        self.chromium.open(&address);
    }

    pub(crate) fn sign_in(&mut self, token: &str) {
        self.open("/sign-in?lang=en");
        self.chromium.fill("#token", token);
        self.chromium.follow("form button[type=submit]");
    }

    /// The page that is open fits at both sizes, in light and dark.
    fn fits(&mut self) {
        for (width, height) in [(390, 844), (1280, 800)] {
            for scheme in ["dark", "light"] {
                self.chromium.look(width, height, scheme);
                let path = self.chromium.path();
                assert!(!self.chromium.overflows(), "{path} is wider than {width}, {scheme}");
            }
        }
    }

    fn leave(mut self) {
        self.chromium.follow(".who button");
        // A live page that asks for its part just then is led there too, by its own way.
        assert!(self.chromium.path().starts_with("/sign-in"));
        assert_eq!(self.chromium.complaints(), [] as [String; 0]);
    }
}

#[test]
fn a_supervisor_follows_a_live_call_and_opens_it() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    let (supervisor, _) = token("supervisor", &file);
    call.answered();
    let mut seat = Seat::new(&call);
    seat.sign_in(&supervisor);
    assert_eq!(seat.chromium.path(), "/live");
    seat.chromium.shows("No estimate yet");
    // Everything that follows comes by itself: the page is not loaded again.
    seat.chromium.value("window.before = true");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    seat.chromium.shows("Seems ");
    seat.fits();
    assert_eq!(seat.chromium.value("window.before"), true);
    seat.chromium.follow("#live li.card a");
    assert!(seat.chromium.path().starts_with("/calls/0"), "{}", seat.chromium.path());
    seat.chromium.shows("How the customer sounded");
    seat.fits();
    seat.open("/live?view=list");
    seat.chromium.shows("Seems ");
    seat.leave();
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn a_wall_empties_when_the_call_ends_and_a_number_is_searched_for() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    let (supervisor, _) = token("supervisor", &file);
    call.answered();
    let mut seat = Seat::new(&call);
    seat.sign_in(&supervisor);
    seat.chromium.shows("1 call up");
    seat.chromium.value("window.before = true");
    call.caller.open_gate();
    seat.chromium.shows("No call is up");
    assert_eq!(seat.chromium.value("window.before"), true);
    seat.chromium.follow("nav a[href='/calls']");
    seat.fits();
    seat.chromium.fill("form.filter input[name=number]", "+49301234567");
    seat.chromium.follow("form.filter button");
    assert!(!seat.chromium.path().contains("301234567"), "{}", seat.chromium.path());
    seat.chromium.shows("No call fits");
    seat.leave();
    call.finish(6);
}

#[test]
fn an_operator_sees_the_service_change_and_is_refused_calls_and_a_director_sees_figures() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    let [operator, director] = ["operator", "director"].map(|role| token(role, &file).0);
    call.answered();
    let mut seat = Seat::new(&call);
    seat.sign_in(&operator);
    assert_eq!(seat.chromium.path(), "/operations");
    seat.chromium.shows("Ready for calls");
    seat.fits();
    seat.chromium.value("window.before = true");
    call.sidetone.command(&["drain"]);
    seat.chromium.shows("Not ready for new calls");
    assert_eq!(seat.chromium.value("window.before"), true);
    for path in ["/calls", "/figures"] {
        seat.open(path);
        seat.chromium.shows("This is not yours to see");
    }
    seat.open("/operations");
    seat.leave();

    let mut seat = Seat::new(&call);
    seat.sign_in(&director);
    assert_eq!(seat.chromium.path(), "/figures");
    seat.fits();
    seat.chromium.follow("nav a[href='/compliance']");
    seat.chromium.shows("No receipts are kept");
    seat.fits();
    seat.chromium.follow("main a[href='/compliance/report']");
    seat.chromium.shows("What this build has no code for");
    seat.open("/live");
    assert_eq!(seat.chromium.path(), "/figures", "the usual first page leads to one's own");
    seat.leave();
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn a_person_signs_in_by_name_and_password_by_keyboard_alone() {
    let (folder, net) = (tempfile::tempdir().unwrap(), Net::lease());
    let file = folder.path().join("store.db");
    let mut call = start(net, folder.path());
    call.answered();
    let made = Command::new(binary())
        .args(["user", "add", "maria", "--role", "supervisor", "--json", "--store"])
        .arg(&file)
        .output()
        .unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let mut seat = Seat::new(&call);
    seat.open("/sign-in?lang=de");
    seat.fits();
    let chromium = &mut seat.chromium;
    chromium.value("document.getElementById('name').focus()");
    chromium.type_text("maria");
    chromium.press("Tab");
    chromium.type_text(made["password"].as_str().unwrap());
    chromium.press("Enter");
    until("the wall", || (chromium.path() == "/live").then_some(()));
    chromium.shows("Angemeldet als");
    assert_eq!(chromium.complaints(), [] as [String; 0]);
    call.caller.open_gate();
    call.finish(6);
}
