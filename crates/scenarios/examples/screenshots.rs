//! Pictures of the pages for the documents: `tools/screenshots.sh`. The demo's calls are made up, and its voices
//! synthetic.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a failure is the message

use std::path::PathBuf;

use sidetone_scenarios::chromium::Chromium;
use sidetone_scenarios::demo::Demo;
use sidetone_scenarios::until;

/// The window of a desk, and of a telephone.
const DESK: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

struct Camera {
    chromium: Chromium,
    server: String,
    folder: PathBuf,
}

impl Camera {
    fn sign_in(&mut self, token: &str) {
        self.chromium.look(DESK.0, DESK.1, "light");
        self.open("/sign-in?lang=en");
        self.chromium.fill("#token", token);
        self.chromium.follow("form button[type=submit]");
    }

    fn open(&mut self, path: &str) {
        let address = format!("{}{path}", self.server);
        self.chromium.open(&address);
    }

    /// Takes a picture of what is open.
    fn take(&mut self, name: &str, (width, height): (u32, u32), scheme: &str) {
        self.chromium.look(width, height, scheme);
        // Two frames, so that the new look is painted.
        self.chromium
            .value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
        let path = self.folder.join(format!("{name}.png"));
        std::fs::write(&path, self.chromium.picture()).unwrap();
        println!("{}", path.display());
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "docs/images".to_owned()));
    std::fs::create_dir_all(&folder).unwrap();
    let demo = Demo::start();
    let mut camera = Camera { chromium: Chromium::start(), server: format!("http://{}", demo.pages), folder };
    camera.sign_in(&demo.agent);
    until("the cue", || camera.chromium.text().contains("Acknowledge first").then_some(()));
    camera.take("desk", DESK, "light");
    camera.take("desk-phone-dark", PHONE, "dark");
    camera.sign_in(&demo.supervisor);
    // The demo's own call is one of three, and somebody has lost patience.
    until("the other calls", || {
        let cards = camera.chromium.value("document.querySelectorAll('.cards > *').length");
        cards.as_u64().is_some_and(|cards| cards >= 3).then_some(())
    });
    camera.take("live", DESK, "light");
    camera.take("live-dark", DESK, "dark");
    demo.call_over();
    camera.open("/calls?outcome=upset&lang=en");
    camera.take("calls", DESK, "light");
    camera.open("/calls?agent=2001&lang=en");
    camera.chromium.follow("table.calls tbody a");
    camera.take("call", DESK, "light");
    camera.take("call-phone", PHONE, "light");
    camera.open("/figures?lang=en");
    camera.take("figures", DESK, "light");
    camera.take("figures-dark", DESK, "dark");
    camera.sign_in(&demo.agent);
    camera.open("/desk/written?lang=en");
    camera.chromium.click("#kind-chat");
    let chat = "Agent: Hello, how can I help?\nCustomer: My lamp never came, and you charged me twice.\n\
                Agent: I am sorry to hear that.\nCustomer: This is the third time I write. I want my money back today!";
    camera.chromium.fill("#text", chat);
    camera.chromium.follow("#read");
    camera.take("written", DESK, "light");
    camera.open("/desk/practice?lang=en");
    camera.chromium.follow("#start-late");
    until("a cue", || camera.chromium.text().contains("Got it").then_some(()));
    camera.take("practice-phone", PHONE, "light");
    camera.sign_in(&demo.operator);
    camera.take("operations", DESK, "light");
    camera.sign_in(&demo.director);
    camera.open("/compliance?lang=en");
    camera.take("compliance", DESK, "light");
    drop(camera);
    demo.stop();
}
