//! What a manager who listens to Asterisk sees of Sidetone's events.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::{run, until};
use crate::office::{By, Office, WAITING};

/// A manager of the test's own, without a filter.
struct Listener {
    stream: TcpStream,
    text: String,
}

impl Listener {
    fn open(office: &Office) -> Self {
        let file = office.asterisk.file("etc/manager.conf");
        let own = "\n[listener]\nsecret = hush\nread = user\nwrite = user\n";
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + own).unwrap();
        let _ = office.asterisk.ask("module reload manager");
        let mut stream = TcpStream::connect(office.manager()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        stream.write_all(b"Action: Login\r\nUsername: listener\r\nSecret: hush\r\n\r\n").unwrap();
        Self { stream, text: String::new() }
    }

    /// The headers of the first event that holds `line`, once it has come.
    async fn event(&mut self, line: &str) -> Vec<(String, String)> {
        until(line, async || {
            let mut piece = [0; 4_096];
            if let Ok(length) = self.stream.read(&mut piece) {
                self.text.push_str(&String::from_utf8_lossy(&piece[..length]));
            }
            let whole = self.text.rsplit_once("\r\n\r\n").map_or("", |(whole, _)| whole);
            let event = whole.split("\r\n\r\n").find(|event| event.lines().any(|it| it == line))?;
            let pairs = event.lines().filter_map(|it| it.split_once(": "));
            Some(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        })
        .await
    }
}

fn get<'a>(event: &'a [(String, String)], name: &str) -> &'a str {
    event.iter().rfind(|(key, _)| key == name).map_or("", |(_, value)| value)
}

#[test]
fn ami_posts_events_with_their_json() {
    run(async {
        let office = Office::open(By::Ami, WAITING).await;
        let mut listener = Listener::open(&office);
        listener.event("Message: Authentication accepted").await;
        let ada = office.dial("700", "ada");
        let mut call = office.sidetone.call(&ada.sip);
        office.has(&ada, "SIDETONE_STATE", "unknown").await;
        call.alert("frustration", "rising");
        let event = listener.event("Kind: affect.alert").await;
        assert_eq!(get(&event, "UserEvent"), "Sidetone");
        assert_eq!(get(&event, "Call"), call.id());
        assert_eq!(get(&event, "SIP-Call-ID"), ada.sip);
        assert_eq!(get(&event, "Channel"), "PJSIP/sidetone-00000000");
        assert_eq!(get(&event, "State"), "frustrated");
        assert_eq!(get(&event, "Alert"), "frustration");
        assert_eq!(get(&event, "Valence"), "-0.60");
        let parts: usize = get(&event, "JSON-Parts").parse().unwrap();
        let json: String = (1..=parts).map(|part| get(&event, &format!("JSON-{part}")).to_owned()).collect();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["data"]["alert"], "frustration");
        assert_eq!(json["call"]["id"], call.id());
        drop(ada);
        call.ends();
        listener.event("Kind: call.ended").await;
    });
}

#[test]
fn ari_posts_events_that_managers_see_too() {
    run(async {
        let office = Office::open(By::Ari, WAITING).await;
        let mut listener = Listener::open(&office);
        listener.event("Message: Authentication accepted").await;
        let ada = office.dial("700", "ada");
        let mut call = office.sidetone.call(&ada.sip);
        office.has(&ada, "SIDETONE_STATE", "unknown").await;
        call.alert("distress", "rising");
        let event = listener.event("kind: affect.alert").await;
        assert_eq!(get(&event, "UserEvent"), "Sidetone");
        assert_eq!(get(&event, "Channel"), "PJSIP/sidetone-00000000", "its source");
        assert_eq!(get(&event, "state"), "distressed");
        assert_eq!(get(&event, "sip_call_id"), ada.sip);
        // The channel goes, and the last event is posted without it.
        let _ = office.asterisk.ask("channel request hangup all");
        until("the end of the channel", async || {
            office.asterisk.ask("core show channels").contains("0 active channels").then_some(())
        })
        .await;
        let sent = office.sidetone.counts().sent;
        call.ends();
        until("the last event", async || (office.sidetone.counts().sent > sent).then_some(())).await;
        assert_eq!(office.sidetone.counts().failed, 0);
    });
}
