//! Rows for tests.

use sidetone_store::Call;

/// A call that was answered, listened to and judged.
pub(crate) fn call(id: &str) -> Call {
    Call {
        id: id.to_owned(),
        node: None,
        sip_call_id: "a@198.51.100.7".to_owned(),
        trunk: "carrier".to_owned(),
        direction: "inbound".to_owned(),
        caller: None,
        callee: None,
        started: 1_795_960_800_000,
        answered: Some(1_795_960_806_000),
        ended: None,
        cause: None,
        consent: Some("given".to_owned()),
        valence: Some(-0.2),
        arousal: Some(0.1),
        distress: Some(0.3),
        confidence: Some(0.8),
        state: Some("neutral".to_owned()),
        trend: Some("steady".to_owned()),
        alerts: 0,
        calmed: 0,
        alert: None,
        held_by: None,
        ..Call::default()
    }
}
