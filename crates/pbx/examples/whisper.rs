//! Whispers to the agent whose caller grows upset: two soft tones that the caller does not hear. An application of
//! Asterisk's REST interface; whoever has the caller hears it, a queue's member too.
//!
//! ```text
//! cargo run -p sidetone-pbx --example whisper -- 192.0.2.20:8088 supervisor sidetone change-me
//! ```
//!
//! In `sidetone.toml`, `[pbx.ari]` needs `notify = ["supervisor"]`: events are posted to this application then.

use std::error::Error;

use data_encoding::BASE64;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// `tone:!880/150,!0/100,!880/150`: a fifth of a second each, from Asterisk itself, so no sound file is needed.
const SIGNAL: &str = "tone%3A%21880%2F150%2C%210%2F100%2C%21880%2F150";

/// Asterisk's REST interface.
pub(crate) struct Ari {
    /// `HOST:PORT`.
    pub(crate) at: String,
    /// The name that this application goes by.
    pub(crate) application: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [at, application, user, password] = <[String; 4]>::try_from(arguments)
        .map_err(|_| "say HOST:PORT, the application's name, the user and the password")?;
    Ari { at, application, user, password }.listen().await
}

impl Ari {
    /// Listens until Asterisk ends the connection.
    pub(crate) async fn listen(&self) -> Result<()> {
        let url = format!("ws://{}/ari/events?app={}", self.at, self.application);
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("Authorization", HeaderValue::from_str(&self.authorization())?);
        let (mut events, _) = tokio_tungstenite::connect_async(request).await?;
        while let Some(message) = events.next().await {
            let Ok(event) = serde_json::from_str::<Value>(message?.to_text()?) else { continue };
            // A call that has ended meanwhile must not end this program.
            if let Err(error) = self.hear(&event).await {
                eprintln!("{error}");
            }
        }
        Ok(())
    }

    async fn hear(&self, event: &Value) -> Result<()> {
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
        match text("/type") {
            "ChannelUserevent" if text("/userevent/kind") == "affect.alert" => {
                let upset = matches!(text("/userevent/alert"), "frustration" | "distress");
                if let Some(agent) = if upset { self.partner(text("/channel/id")).await? } else { None } {
                    let whisper = format!("channels/{agent}/snoop?whisper=out&app={}", self.application);
                    self.ask("POST", &whisper).await?;
                }
            }
            "StasisStart" if text("/channel/name").starts_with("Snoop/") => {
                self.ask("POST", &format!("channels/{}/play?media={SIGNAL}", text("/channel/id"))).await?;
            }
            "PlaybackFinished" => {
                let channel = text("/playback/target_uri").trim_start_matches("channel:");
                self.ask("DELETE", &format!("channels/{channel}")).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whom the caller talks with.
    async fn partner(&self, caller: &str) -> Result<Option<String>> {
        let bridges = self.ask("GET", "bridges").await?;
        let channels = |bridge: &Value| {
            let channels = bridge["channels"].as_array().into_iter().flatten();
            channels.filter_map(|it| it.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        let bridges = bridges.as_array().into_iter().flatten().map(channels);
        let own = bridges.into_iter().find(|channels| channels.iter().any(|it| it == caller));
        Ok(own.into_iter().flatten().find(|channel| channel != caller))
    }

    async fn ask(&self, method: &str, path: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.at).await?;
        let request = format!(
            "{method} /ari/{path} HTTP/1.0\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 0\r\n\r\n",
            self.at,
            self.authorization()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("Asterisk's answer has no end")?;
        if !head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
            return Err(format!("{method} {path}: {}", head.lines().next().unwrap_or_default()).into());
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }

    fn authorization(&self) -> String {
        format!("Basic {}", BASE64.encode(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}
