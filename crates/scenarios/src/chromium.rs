//! A real Chromium, driven by its DevTools protocol over a pipe: nothing else has to be installed or compiled for it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::Process;
use crate::until;

/// A running browser with one page; killed when dropped.
#[derive(Debug)]
pub struct Chromium {
    // Ends before its folder goes.
    _process: Process,
    folder: tempfile::TempDir,
    to: File,
    from: BufReader<File>,
    session: String,
    number: u64,
    complaints: Vec<String>,
}

/// Where Debian, Ubuntu and others put it, by name.
fn program() -> PathBuf {
    let named = std::env::var_os("SIDETONE_CHROMIUM").map(PathBuf::from);
    let usual =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    named
        .into_iter()
        .chain(usual)
        .find(|path| path.exists())
        .expect("Chromium is not installed; `make peers` does it, or name one in SIDETONE_CHROMIUM")
}

/// Where the tests' peers are.
fn peers() -> PathBuf {
    std::env::var_os("SIDETONE_PEERS").map_or_else(|| crate::repository().join(".peers"), PathBuf::from)
}

fn pipe(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    path
}

impl Chromium {
    /// Starts a browser with an empty profile and opens a page of 1280 by 800.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it as [`Self::start`] does, with more arguments.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    #[must_use]
    pub fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("sidetone-chromium-").tempdir().unwrap();
        let (to, from) = (pipe(folder.path(), "to"), pipe(folder.path(), "from"));
        // Chromium reads commands from descriptor 3 and answers on 4.
        let script = "exec \"$0\" \"$@\" 3<to 4>from";
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let program = program();
        let mut arguments: Vec<String> = [
            "-c",
            script,
            program.to_str().unwrap(),
            "--headless=new",
            "--remote-debugging-pipe",
            // Tests run as root in containers, where its own sandbox can't be set up.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--lang=en",
            &profile,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(more.iter().chain(&["about:blank"]).map(|&argument| argument.to_owned()));
        let process = Process::start("chromium", Path::new("/bin/sh"), &arguments, folder.path());
        // Each waits for the other end.
        let to = File::options().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        let (session, complaints) = (String::new(), Vec::new());
        let mut chromium = Self { _process: process, folder, to, from, session, number: 0, complaints };
        let made = chromium.command("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": made["targetId"], "flatten": true });
        let attached = chromium.command("Target.attachToTarget", target);
        chromium.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            chromium.command(&format!("{domain}.enable"), json!({}));
        }
        chromium.look(1280, 800, "light");
        chromium
    }

    /// The folder that belongs to this browser alone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Carries out a command of the protocol; its result.
    // The parameters are made for this call.
    #[allow(clippy::needless_pass_by_value)]
    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.try_command(method, &parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Carries out a command that Chromium may refuse: its words.
    fn try_command(&mut self, method: &str, parameters: &Value) -> Result<Value, String> {
        self.number += 1;
        let number = self.number;
        let mut message = json!({ "id": number, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            let read = self.from.read_until(0, &mut bytes).unwrap();
            assert!(read > 0, "Chromium has gone during {method}");
            bytes.pop();
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            self.note(&told);
            if told["id"] == number {
                let refused = (!told["error"].is_null()).then(|| told["error"]["message"].to_string());
                return refused.map_or(Ok(told["result"].clone()), Err);
            }
        }
    }

    /// Keeps what a page complains of: exceptions, and what the content security policy has refused.
    fn note(&mut self, told: &Value) {
        let text = match told["method"].as_str() {
            Some("Runtime.exceptionThrown") => told["params"]["exceptionDetails"].to_string(),
            Some("Log.entryAdded") if told["params"]["entry"]["level"] == "error" => {
                let entry = &told["params"]["entry"];
                // That a page answers 403 or 404 is told too, and wanted where it is asked for.
                if entry["source"] == "network" {
                    return;
                }
                entry["text"].to_string()
            }
            _ => return,
        };
        self.complaints.push(text);
    }

    /// Sets the window's size and the colour scheme that is preferred, `light` or `dark`.
    pub fn look(&mut self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", scheme);
    }

    /// Opens an address and waits until the page is there.
    ///
    /// # Panics
    /// When it can't be opened.
    pub fn open(&mut self, address: &str) {
        let opened = self.command("Page.navigate", json!({ "url": address }));
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
        self.settle();
    }

    fn settle(&mut self) {
        until("the page to be loaded", || (self.value("document.readyState") == "complete").then_some(()));
    }

    /// The value of an expression on the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        // While another page takes the place of one, neither of them may answer.
        let answer = until("the page to answer", || match self.try_command("Runtime.evaluate", &asked) {
            Ok(answer) => Some(answer),
            Err(gone) if gone.contains("navigated") || gone.contains("context") => None,
            Err(error) => panic!("{expression}: {error}"),
        });
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What the promise that an expression gives comes to.
    ///
    /// # Panics
    /// When it is rejected.
    pub fn awaited(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.command("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What axe-core finds wrong on the page, as `IMPACT RULE: SELECTOR`, by its rules of WCAG 2.0 to 2.2 (A and AA)
    /// and of good practice. Findings below serious are left out.
    ///
    /// # Panics
    /// When `tools/peers/axe.sh` has not fetched it, or it fails.
    pub fn barriers(&mut self) -> Vec<String> {
        let axe = peers().join("axe/axe.min.js");
        let axe = std::fs::read_to_string(&axe)
            .unwrap_or_else(|_| panic!("{} is missing: run `tools/peers/install.sh axe`", axe.display()));
        // By the protocol and not by the page: its content security policy would rightly refuse a strange script.
        self.value(&format!("if (!window.axe) {{ {axe}; }} true"));
        let run = "axe.run({ resultTypes: ['violations', 'incomplete'] }).then((found) => found.violations
            .filter((it) => it.impact === 'serious' || it.impact === 'critical')
            .flatMap((it) => it.nodes.map((node) => `${it.impact} ${it.id}: ${node.target.join(' ')} ${node.failureSummary}`)))";
        let asked = json!({ "expression": run, "returnByValue": true, "awaitPromise": true });
        let answer = self.command("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "axe-core: {answer}");
        let found = answer["result"]["value"].as_array().expect("a list of findings");
        found.iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A PNG of what the window shows.
    ///
    /// # Panics
    /// When there is none.
    pub fn picture(&mut self) -> Vec<u8> {
        let taken = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let taken = taken["data"].as_str().expect("a picture");
        data_encoding::BASE64.decode(taken.as_bytes()).expect("base64")
    }

    /// How many sheets the page fills when it is printed on A4.
    #[must_use]
    pub fn sheets(&mut self) -> usize {
        let printed = self.command("Page.printToPDF", json!({ "paperWidth": 8.27, "paperHeight": 11.69 }));
        let printed = printed["data"].as_str().expect("a document");
        let printed = data_encoding::BASE64.decode(printed.as_bytes()).expect("base64");
        // Chromium leaves the objects of pages uncompressed.
        let marks = [b"/Type /Page\n".as_slice(), b"/Type /Page "];
        marks.iter().map(|mark| printed.windows(mark.len()).filter(|it| it == mark).count()).sum()
    }

    /// The text that the page shows.
    #[must_use]
    pub fn text(&mut self) -> String {
        self.value("document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    /// Path and query of the page.
    #[must_use]
    pub fn path(&mut self) -> String {
        self.value("location.pathname + location.search").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows a text.
    pub fn shows(&mut self, text: &str) {
        let start = std::time::Instant::now();
        while !self.text().contains(text) {
            assert!(start.elapsed() < crate::GUARD, "the page never shows {text:?}, but:\n{}", self.text());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Clicks with the mouse on the middle of the first element that a CSS selector finds.
    ///
    /// # Panics
    /// When nothing is found, or it can't be seen.
    pub fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const it = document.querySelector({}); if (!it) return null;
               it.scrollIntoView({{ block: 'center', behavior: 'instant' }}); const box = it.getBoundingClientRect();
               return box.width && box.height ? [box.x + box.width / 2, box.y + box.height / 2] : null; }})()",
            json!(selector)
        );
        let place = self.value(&script);
        assert!(place.is_array(), "{selector} is not to be seen on {}:\n{}", self.path(), self.text());
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.command("Input.dispatchMouseEvent", event);
        }
    }

    /// Clicks on something that leads to another page, and waits for that.
    pub fn follow(&mut self, selector: &str) {
        self.value("window.before = true");
        self.click(selector);
        until("another page", || (self.value("window.before === undefined") == true).then_some(()));
        self.settle();
    }

    /// Types a text into a field.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.type_text(text);
    }

    /// Types a text where the focus is.
    pub fn type_text(&mut self, text: &str) {
        self.command("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key, `Tab` or `Enter`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = if key == "Enter" { (13, "\r") } else { (9, "") };
        let down = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.command("Input.dispatchKeyEvent", down);
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.command("Input.dispatchKeyEvent", up);
    }

    /// Whether the page is wider than its window, so that all of it scrolls sideways.
    #[must_use]
    pub fn overflows(&mut self) -> bool {
        self.value("document.documentElement.scrollWidth > document.documentElement.clientWidth") == true
    }

    /// The value of a cookie for an address, scripts' or not.
    #[must_use]
    pub fn cookie(&mut self, address: &str, name: &str) -> Option<String> {
        let found = self.command("Network.getCookies", json!({ "urls": [address] }));
        let cookies = found["cookies"].as_array()?;
        let cookie = cookies.iter().find(|cookie| cookie["name"] == name)?;
        Some(cookie["value"].as_str()?.to_owned())
    }

    /// What the pages have complained of so far.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }
}
