use std::sync::Arc;

use sidetone_events::Secret;

use super::*;
use crate::board::Purpose;
use crate::counts::{LinkKind, Tally};

const LOGIN: &[u8] = b"Content-Type: auth/request\n\n";
const ACCEPTED: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n";
const LISTENING: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK event listener enabled json\n\n";

fn board() -> Board {
    board_that(Arc::new(|_| {}))
}

fn board_that(hear: crate::Hear) -> Board {
    let purpose = Purpose {
        pbx: "pbx".to_owned(),
        kind: LinkKind::Esl,
        events: Vec::new(),
        variables: true,
        messages: None,
    };
    Board::new(purpose, Arc::new(|_| None), hear, Arc::new(Tally::default()))
}

fn session(user: Option<&str>) -> EslSession {
    EslSession::new(user, Secret::new("ClueCon").reveal(1).unwrap())
}

/// The session's next output.
fn says(session: &mut EslSession, board: &mut Board) -> String {
    let mut out = Vec::new();
    session.fill(Duration::ZERO, board, &mut out);
    String::from_utf8(out).unwrap()
}

fn hears(session: &mut EslSession, board: &mut Board, bytes: &[u8]) {
    session.receive(Duration::ZERO, bytes, board).unwrap();
}

#[test]
fn it_logs_in_listens_and_asks_for_the_channels() {
    let (mut session, mut board) = (session(Some("ada@pbx")), board());
    hears(&mut session, &mut board, LOGIN);
    assert_eq!(says(&mut session, &mut board), "userauth ada@pbx:ClueCon\n\n");
    let accepted: &[u8] = b"Content-Type: command/reply\nReply-Text: +OK accepted\nAllowed-Events: all\n\
        Allowed-API: show uuid_getvar\nAllowed-LOG: true\n\n";
    hears(&mut session, &mut board, accepted);
    assert!(says(&mut session, &mut board).starts_with("event json CHANNEL_CREATE "));
    assert!(!session.is_up());
    hears(&mut session, &mut board, LISTENING);
    assert!(session.is_up());
    assert_eq!(says(&mut session, &mut board), "api show channels as json\n\n");
}

/// FreeSWITCH sends waiting events before it takes the next command, so events stand between a command and its reply.
#[test]
fn events_come_between_a_command_and_its_reply() {
    let (mut session, mut board) = (session(None), board());
    hears(&mut session, &mut board, &[LOGIN, ACCEPTED, LISTENING].concat());
    says(&mut session, &mut board);
    let event = br#"{"Event-Name":"CHANNEL_CREATE","Unique-ID":"u1","Channel-Name":"sofia/a/b@c","variable_sip_call_id":"c1"}"#;
    let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", event.len());
    let list = b"Content-Type: api/response\nContent-Length: 16\n\n{\"row_count\":0}\n";
    hears(&mut session, &mut board, &[head.as_bytes(), event, list].concat());
    assert!(session.asked.is_empty(), "the reply was taken for the command's, the event for an event");
}

/// Names that callers send reach the JSON byte for byte; cJSON checks nothing.
#[test]
fn a_name_that_is_not_utf_8_is_no_fault() {
    let (mut session, mut board) = (session(None), board());
    hears(&mut session, &mut board, &[LOGIN, ACCEPTED, LISTENING].concat());
    says(&mut session, &mut board);
    let rows =
        b"{\"row_count\":1,\"rows\":[{\"uuid\":\"u1\",\"name\":\"sofia/a/b\",\"cid_name\":\"J\xfcrgen\"}]}";
    let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", rows.len());
    hears(&mut session, &mut board, &[head.as_bytes(), rows].concat());
    let event =
        b"{\"Event-Name\":\"CHANNEL_ANSWER\",\"Unique-ID\":\"u1\",\"Caller-Caller-ID-Name\":\"J\xfcrgen\"}";
    let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", event.len());
    hears(&mut session, &mut board, &[head.as_bytes(), event].concat());
}

#[test]
fn a_call_id_that_begins_with_a_hyphen_is_a_call_id() {
    let (tell, told) = std::sync::mpsc::channel();
    let mut session = session(None);
    let mut board = board_that(Arc::new(move |it| tell.send(it.sip_call_id).unwrap()));
    hears(&mut session, &mut board, &[LOGIN, ACCEPTED, LISTENING].concat());
    says(&mut session, &mut board);
    let rows = br#"{"row_count":1,"rows":[{"uuid":"u1","name":"sofia/a/b"}]}"#;
    let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", rows.len());
    hears(&mut session, &mut board, &[head.as_bytes(), rows].concat());
    let mut out = Vec::new();
    session.fill(Duration::from_secs(1), &mut board, &mut out);
    assert_eq!(out, b"api uuid_getvar u1 sip_call_id\n\n");
    hears(&mut session, &mut board, b"Content-Type: api/response\nContent-Length: 10\n\n-1234@host");
    let event = br#"{"Event-Name":"CHANNEL_ANSWER","Unique-ID":"u1","Channel-Name":"sofia/a/b","variable_sidetone_tell_queue":"x"}"#;
    let head = format!("Content-Length: {}\nContent-Type: text/event-json\n\n", event.len());
    hears(&mut session, &mut board, &[head.as_bytes(), event].concat());
    assert_eq!(told.try_recv().unwrap(), "-1234@host");
}
