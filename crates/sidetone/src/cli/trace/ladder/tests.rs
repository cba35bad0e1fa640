//! Ladders as drawn.

use serde_json::json;

use super::*;

fn message(
    at: u64,
    way: &str,
    side: &str,
    method: Option<&str>,
    status: Option<u16>,
    sdp: Option<&str>,
) -> Value {
    let remote = if side == "trunk" { "192.0.2.1:5060" } else { "10.0.0.5:5060" };
    let peer = if side == "trunk" { "carrier" } else { "asterisk" };
    let reason = match status {
        Some(100) => "Trying",
        Some(486) => "Busy Here",
        _ => "OK",
    };
    json!({
        "trace": "message", "call": 1, "time": "2026-03-01T09:30:00.125Z", "unix_us": 1_000_000_000 + at, "way": way,
        "side": side, "peer": peer, "transport": "udp", "remote": remote, "method": method, "status": status,
        "reason": reason, "cseq": "1 INVITE", "branch": format!("{side}{way}"), "sdp": sdp, "text": "INVITE x\r\nVia: y\r\n",
    })
}

fn drawn(width: usize, many: bool) -> Vec<String> {
    let mut ladder = Ladder::new(width, Paint(false), many, false);
    let offer = Some("audio 192.0.2.1:4000 PCMU telephone-event sendrecv");
    let ours = Some("audio 10.0.0.10:30000 PCMU telephone-event sendrecv");
    let event = json!({
        "trace": "event", "call": 1,
        "event": {
            "kind": "call.started", "time": "1970-01-01T00:16:40.001Z",
            "call": { "id": "01JN8X0Q3GZP5T7W9Y1B2C4D6E", "trunk": "carrier", "direction": "inbound" }, "data": {}
        }
    });
    [
        json!({ "trace": "waiting", "calls": 1 }),
        message(0, "in", "trunk", Some("INVITE"), None, offer),
        event,
        message(1_500, "out", "pbx", Some("INVITE"), None, ours),
        message(1_600, "out", "trunk", None, Some(100), None),
        message(500_000, "out", "pbx", Some("INVITE"), None, ours),
        message(600_000, "in", "pbx", None, Some(486), None),
        message(600_900, "out", "trunk", None, Some(486), None),
    ]
    .iter()
    .flat_map(|line| ladder.take(line))
    .collect()
}

#[test]
fn messages_are_arrows_between_their_lanes() {
    let lines = drawn(80, false);
    assert_eq!(
        lines,
        [
            "waiting for the next call; Ctrl-C ends",
            "2026-03-01 09:30:00 UTC",
            "          carrier                       sidetone                           PBX",
            "   0.000  │─ INVITE ───────────────────────>│                                 │",
            "            audio 192.0.2.1:4000 PCMU telephone-event sendrecv",
            "            from carrier, udp 192.0.2.1:5060",
            "   0.001  * call in from carrier, 01JN8X0Q3GZP5T7W9Y1B2C4D6E",
            "   0.002  │                                 │─ INVITE ───────────────────────>│",
            "            audio 10.0.0.10:30000 PCMU telephone-event sendrecv",
            "            to asterisk, udp 10.0.0.5:5060",
            "   0.002  │<─────────────────── 100 Trying ─│                                 │",
            "   0.500  │                                 │─ INVITE again ─────────────────>│",
            "   0.600  │                                 │<──────────────── 486 Busy Here ─│",
            "   0.601  │<──────────────── 486 Busy Here ─│                                 │",
        ],
        "{}",
        lines.join("\n")
    );
}

#[test]
fn it_fits_a_narrow_terminal_and_a_silly_one() {
    for width in [60, 80, 0, 30, 1_000] {
        for many in [false, true] {
            let most = width.clamp(WIDTHS.0, WIDTHS.1);
            for line in drawn(width, many) {
                assert!(line.chars().count() <= most, "{width}: {line}");
            }
        }
    }
}

#[test]
fn several_calls_are_told_apart() {
    assert!(drawn(80, true).iter().any(|line| line.starts_with("   0.000  #1   │─ INVITE ")));
}
