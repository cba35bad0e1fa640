//! Bodies for fuzzing: each parser takes any bytes at all and keeps its promises.

use std::sync::Arc;
use std::time::Duration;

use sidetone_events::Secret;

use crate::ami::AmiSession;
use crate::ari::AriSession;
use crate::board::{Board, Purpose};
use crate::counts::{LinkKind, Tally};
use crate::esl::EslSession;
use crate::tcp::Session;
use crate::{ami, esl};

fn board(kind: LinkKind) -> Board {
    let purpose =
        Purpose { pbx: "pbx".to_owned(), kind, events: Vec::new(), variables: true, messages: None };
    Board::new(purpose, Arc::new(|_| None), Arc::new(|_| {}), Arc::new(Tally::default()))
}

fn converse(mut session: impl Session, kind: LinkKind, bytes: &[u8]) {
    let mut board = board(kind);
    let mut out = Vec::new();
    session.open(&mut out);
    let pieces = bytes.chunks(usize::from(bytes.first().copied().unwrap_or(1)).max(1));
    for (now, piece) in (0..).map(Duration::from_millis).zip(pieces) {
        if session.receive(now, piece, &mut board).is_err() || board.tick(now).is_err() {
            return;
        }
        out.clear();
        session.fill(now, &mut board, &mut out);
    }
}

/// A manager interface with arbitrary output.
pub fn ami(bytes: &[u8]) {
    let Ok(secret) = Secret::new("hush").reveal(1) else { return };
    let greeting = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: login\r\n\r\n";
    let whole = [greeting, bytes].concat();
    converse(AmiSession::new("sidetone", secret.clone()), LinkKind::Ami, &whole);
    converse(AmiSession::new("sidetone", secret), LinkKind::Ami, bytes);
}

/// An event socket with arbitrary output.
pub fn esl(bytes: &[u8]) {
    let Ok(password) = Secret::new("ClueCon").reveal(1) else { return };
    let greeting = b"Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n\
        Content-Type: command/reply\nReply-Text: +OK event listener enabled json\n\n";
    let whole = [greeting, bytes].concat();
    converse(EslSession::new(None, password.clone()), LinkKind::Esl, &whole);
    converse(EslSession::new(None, password), LinkKind::Esl, bytes);
}

/// A REST interface with arbitrary output: each line is an event, or with a number before it an answer.
pub fn ari(bytes: &[u8]) {
    let mut board = board(LinkKind::Ari);
    let mut session = AriSession::new("sidetone", &[]);
    let lines = bytes.split(|byte| *byte == b'\n');
    for (now, line) in (0u64..).zip(lines) {
        let at = Duration::from_millis(now);
        while let Some(request) = session.next_request(at, &mut board) {
            assert!(request.path.bytes().all(|byte| byte.is_ascii_graphic()), "{}", request.path);
        }
        let went_on = match line.split_first() {
            Some((status @ 0..=9, body)) => {
                session.answer(at, now + 1, 100 + u16::from(*status) * 50, body, &mut board)
            }
            _ => session.event(at, &String::from_utf8_lossy(line), &mut board),
        };
        if went_on.is_err() {
            return;
        }
    }
}

/// Values of any kind stay values.
///
/// # Panics
/// If one breaks out of its line.
pub fn injection(bytes: &[u8]) {
    let value = String::from_utf8_lossy(bytes);
    let mut out = Vec::new();
    ami::Action::new(&mut out, "Setvar", "1").header("Value", &value).end();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 4);
    assert!(!out.contains(&0));
    out.clear();
    esl::Command::new(&mut out, &value).header("Value", &value).end();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
    let _ = ami::unescape(&value);
    let (mut lines, mut frames) = (ami::Reader::default(), esl::Reader::default());
    lines.push(bytes);
    frames.push(bytes);
    while let Ok(Some(_)) = lines.next() {}
    while let Ok(Some(_)) = frames.next() {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Text that resembles a PBX's output, with some that does not.
    fn piece() -> impl Strategy<Value = String> {
        const KNOWN: &[&str] = &[
            "Event: Newchannel\r\nChannel: PJSIP/a-1\r\nUniqueid: 1.2\r\nLinkedid: 1.2\r\n\r\n",
            "Event: Rename\r\nNewname: PJSIP/a-2\r\nUniqueid: 1.2\r\n\r\n",
            "Event: Hangup\r\nUniqueid: 1.2\r\n\r\n",
            "Event: VarSet\r\nUniqueid: 1.2\r\nVariable: SIDETONE_TELL_QUEUE\r\nValue: a\\\r\n\r\n",
            "Event: UserEvent\r\nUniqueid: 1.2\r\nUserEvent: SidetoneTell\r\nConsent: granted\r\n\r\n",
            "Response: Success\r\nActionID: 1\r\nValue: abc@host\r\n\r\n",
            "Response: Error\r\nActionID: 2\r\nMessage: No such channel\r\n\r\n",
            "Content-Type: api/response\nContent-Length: 4\n\n+OK\n",
            "Content-Type: api/response\nContent-Length: 64\n\n{\"row_count\":1,\"rows\":[{\"uuid\":\"u-1\",\"name\":\"sofia/internal/a\"}]}",
            "Content-Type: text/event-json\nContent-Length: 78\n\n{\"Event-Name\":\"CHANNEL_CREATE\",\"Unique-ID\":\"u\",\"Channel-Name\":\"sofia/a/b\"    }",
            "Content-Type: text/disconnect-notice\nContent-Disposition: linger\n\n",
            "\u{2}[{\"id\":\"1.2\",\"name\":\"PJSIP/a-1\",\"protocol_id\":\"abc\"}]\n",
            "\u{2}{\"value\":\"abc\"}\n",
            "{\"type\":\"ChannelVarset\",\"channel\":{\"id\":\"1.2\",\"name\":\"PJSIP/a\"},\"variable\":\"SIDETONE_TELL_TIER\",\"value\":\"x\"}\n",
            "{\"type\":\"ChannelDestroyed\",\"channel\":{\"id\":\"1.2\",\"name\":\"PJSIP/a\"}}\n",
        ];
        prop_oneof![4 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => "(?s).{0,40}"]
    }

    proptest! {
        #[test]
        fn whatever_a_pbx_says(pieces in prop::collection::vec(piece(), 0..12), noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = pieces.concat();
            for bytes in [text.as_bytes(), &noise] {
                super::ami(bytes);
                super::ari(bytes);
                super::esl(bytes);
                super::injection(bytes);
            }
        }
    }
}
