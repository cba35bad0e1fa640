//! Calls that never were, the same at each run.

// Places and trunks are as many as this file writes down.
#![allow(clippy::indexing_slicing)]

use serde_json::json;
use sidetone_pages::{
    Alarm, CallLabels, Compliance, Counts, Health, Host, HostState, Link, Listed, Model, Operations, Owed,
    PolicyInForce, Receipts, Words,
};
use sidetone_store::{
    Access, AccessCursor, Alert, Call, CallDetails, CallOutcome, Day, Erasure, Happened, Note, NoteKind,
    Point, Survey,
};

/// 29 November 2026, 14:05:30 UTC.
pub(crate) const NOW: u64 = 1_795_961_130_000;

/// A generator of numbers in `[0, 1)` that are the same at each run (PCG's multiplier).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }

    fn around(&mut self, middle: f64, width: f64) -> f64 {
        middle + (self.roll() + self.roll() + self.roll() - 1.5) * width
    }
}

/// The labels that calls have.
pub(crate) fn labels() -> CallLabels {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    CallLabels {
        queues: owned(&["billing", "claims", "sales"]),
        teams: owned(&["north", "south"]),
        tiers: owned(&["bereavement", "vip"]),
        has_topics: false,
    }
}

fn details(call: Call, affect: Vec<Point>, alerts: Vec<Alert>, events: Vec<Happened>) -> CallDetails {
    CallDetails {
        call,
        affect,
        alerts,
        events,
        outcome: None,
        survey: None,
        notes: Vec::new(),
        cues: Vec::new(),
    }
}

pub(crate) fn trunks() -> Vec<String> {
    ["carrier-north", "carrier-south", "hotline", "mobile"].map(str::to_owned).to_vec()
}

fn id(number: u64) -> String {
    format!("01KJMBQDHX04HMASW9NF{number:06}")
}

fn bare(number: u64, trunk: &str, started: u64) -> Call {
    Call {
        id: id(number),
        node: Some("edge-1".to_owned()),
        sip_call_id: format!("{number:x}-44d2@198.51.100.7"),
        trunk: trunk.to_owned(),
        direction: if number.is_multiple_of(5) { "outbound" } else { "inbound" }.to_owned(),
        caller: Some("37f4acf58d0e9b4e7f18423f".to_owned()),
        callee: Some("dd296577d22c068b00cd398c".to_owned()),
        started,
        answered: Some(started + 6_480),
        ended: None,
        cause: None,
        consent: Some("given".to_owned()),
        queue: Some(["billing", "claims", "sales"][(number % 3) as usize].to_owned()),
        tier: number.is_multiple_of(7).then(|| "vip".to_owned()),
        team: Some(if number.is_multiple_of(2) { "north" } else { "south" }.to_owned()),
        agent: Some((2_000 + number % 30).to_string()),
        valence: None,
        arousal: None,
        distress: None,
        confidence: None,
        state: None,
        trend: None,
        alerts: 0,
        calmed: 0,
        alert: None,
        held_by: None,
        ..Call::default()
    }
}

/// A mood that goes through these places (time in s, valence, distress), judged while the customer speaks.
fn mood(dice: &mut Dice, places: &[(f64, f64, f64)], holds: &[(u64, u64)]) -> Vec<Point> {
    let mut points = Vec::new();
    let end = places.last().map_or(0.0, |place| place.0) as u64;
    let (mut speaking, mut left) = (true, 9_i32);
    for second in 7..end {
        left -= 1;
        if left <= 0 {
            speaking = !speaking;
            left = if speaking { 6 + (dice.roll() * 18.0) as i32 } else { 3 + (dice.roll() * 9.0) as i32 };
        }
        if !speaking || holds.iter().any(|(from, to)| (*from..*to).contains(&second)) {
            continue;
        }
        let at = second as f64;
        let Some(pair) = places.windows(2).find(|pair| pair[0].0 <= at && at < pair[1].0) else { continue };
        let share = (at - pair[0].0) / (pair[1].0 - pair[0].0);
        let between = |from: f64, to: f64| from + (to - from) * share;
        let valence = dice.around(between(pair[0].1, pair[1].1), 0.08).clamp(-1.0, 1.0);
        let distress = dice.around(between(pair[0].2, pair[1].2), 0.06).clamp(0.0, 1.0);
        points.push(Point {
            at_ms: second * 1000 + 125,
            valence,
            arousal: dice.around(distress * 0.9 - 0.25, 0.1).clamp(-1.0, 1.0),
            distress,
            confidence: dice.around(0.78, 0.1).clamp(0.3, 0.99),
        });
    }
    points
}

fn told(call: &mut Call, point: Option<&Point>) {
    let Some(point) = point else { return };
    call.valence = Some(point.valence);
    call.arousal = Some(point.arousal);
    call.distress = Some(point.distress);
    call.confidence = Some(point.confidence);
    let state = if call.alert.as_deref() == Some("distress") {
        "distressed"
    } else if call.alert.is_some() {
        "frustrated"
    } else if point.valence < -0.25 {
        "negative"
    } else if point.valence > 0.25 {
        "positive"
    } else {
        "neutral"
    };
    call.state = Some(state.to_owned());
}

/// Calls that are up.
pub(crate) fn live() -> Vec<CallDetails> {
    let mut dice = Dice(7);
    let trunks = trunks();
    (0..17)
        .map(|number: u64| {
            let length = 40 + (dice.roll() * 900.0) as u64;
            let mut call =
                bare(number, &trunks[number as usize * 7 % trunks.len()], NOW.saturating_sub(length * 1000));
            let (from, to, trend) = match number {
                3 | 11 => (0.0, -0.55, "worsening"),
                5 | 8 => (0.15, -0.3, "worsening"),
                2 | 9 => (-0.4, 0.3, "improving"),
                _ => (dice.around(0.1, 0.2), dice.around(0.15, 0.25), "steady"),
            };
            let places = [(0.0, from, 0.3 - from / 2.0), (120.0, to, 0.35 - to / 2.0)];
            let affect =
                if matches!(number, 6 | 12 | 15) { Vec::new() } else { mood(&mut dice, &places, &[]) };
            if number == 3 || number == 11 {
                call.alert = Some(if number == 3 { "frustration" } else { "distress" }.to_owned());
                call.alerts = 1;
            }
            told(&mut call, affect.last());
            if call.state.is_some() {
                call.trend = Some(trend.to_owned());
            }
            match number {
                6 => call.consent = Some("announcing".to_owned()),
                12 => call.consent = Some("declined".to_owned()),
                15 => call.answered = None,
                4 | 11 => call.held_by = Some("agent".to_owned()),
                _ => {}
            }
            details(call, affect, Vec::new(), Vec::new())
        })
        .collect()
}

/// Calls of the last hours.
pub(crate) fn list() -> Vec<Call> {
    let mut dice = Dice(11);
    let trunks = trunks();
    (0..50_u64)
        .map(|number| {
            let started = NOW - number * 287_000 - (dice.roll() * 100_000.0) as u64;
            let mut call = bare(900 - number, &trunks[(dice.roll() * 3.99) as usize], started);
            if number < 3 {
                told(
                    &mut call,
                    Some(&Point { at_ms: 0, valence: 0.1, arousal: 0.0, distress: 0.2, confidence: 0.8 }),
                );
                return call;
            }
            let length = 60_000 + (dice.roll() * dice.roll() * 900_000.0) as u64;
            call.ended = Some(started + 6_480 + length);
            call.cause = Some("hangup".to_owned());
            if number % 13 == 5 {
                call.answered = None;
                call.cause = Some("no-answer".to_owned());
                return call;
            }
            if number % 17 == 9 {
                call.erased = true;
                call.consent = Some("opted-out".to_owned());
                return call;
            }
            let shift = dice.around(0.05, 0.3);
            call.shift = Some(shift);
            call.speech_ms = Some(length / 2);
            call.judged_ms = Some((length as f64 / 2.0 * dice.around(0.8, 0.15).clamp(0.0, 1.0)) as u64);
            if number % 7 == 4 {
                call.alerts = 1 + u64::from(dice.roll() > 0.7);
                call.calmed = call.alerts;
                if dice.roll() > 0.6 {
                    call.calmed -= 1;
                    call.alert = Some("frustration".to_owned());
                }
            }
            call
        })
        .collect()
}

fn event(seq: u64, at_ms: u64, kind: &str, data: serde_json::Value) -> Happened {
    Happened { seq, at_ms, kind: kind.to_owned(), data }
}

/// A call whose customer grew upset and calmed.
pub(crate) fn upset_call() -> CallDetails {
    let mut dice = Dice(3);
    let places = [
        (0.0, 0.05, 0.2),
        (60.0, 0.0, 0.25),
        (110.0, -0.55, 0.78),
        (170.0, -0.6, 0.82),
        (240.0, -0.2, 0.4),
        (330.0, 0.1, 0.22),
        (372.0, 0.3, 0.12),
    ];
    let affect = mood(&mut dice, &places, &[(178, 214)]);
    let mut call = bare(4711, "carrier-north", NOW - 3_600_000);
    told(&mut call, affect.last());
    call.trend = Some("improving".to_owned());
    call.ended = Some(call.started + 374_220);
    call.cause = Some("hangup".to_owned());
    (call.alerts, call.calmed) = (1, 1);
    (call.valence_start, call.valence_end, call.shift) = (Some(0.04), Some(0.28), Some(0.24));
    (call.speech_ms, call.judged_ms) = (Some(168_400), Some(141_500));
    (call.customer_talk_ms, call.agent_talk_ms, call.overlap_ms) =
        (Some(169_000), Some(118_000), Some(7_300));
    (call.silence_ms, call.hold_ms, call.holds) = (Some(51_000), Some(36_000), Some(1));
    let rose = json!({"leg": "customer", "alert": "frustration", "phase": "rising", "score": 0.74, "valence": -0.52,
        "arousal": 0.47, "confidence": 0.83, "lasted_ms": null});
    let reasons = json!({"too-little-speech": 4, "overlap": 5, "unsure": 2});
    let events = vec![
        event(1, 0, "call.started", json!({"analysed": true})),
        event(
            2,
            0,
            "consent.changed",
            json!({"state": "pending", "policy": "opt-in", "by": "policy", "erased": false}),
        ),
        event(3, 6_480, "call.answered", json!({"waited_ms": 6480})),
        event(4, 6_600, "announcement", json!({"phase": "started", "toward": "customer", "name": "notice"})),
        event(
            5,
            14_100,
            "consent.changed",
            json!({"state": "given", "policy": "opt-in", "by": "digit", "erased": false}),
        ),
        event(60, 98_300, "affect.alert", rose),
        event(90, 178_000, "call.held", json!({"by": "agent"})),
        event(91, 214_000, "call.resumed", json!({"by": "agent", "held_ms": 36000})),
        event(
            120,
            243_800,
            "affect.alert",
            json!({"alert": "frustration", "phase": "calmed", "lasted_ms": 145500}),
        ),
        event(121, 262_000, "call.media", json!({"problem": "one-way", "state": "lost", "leg": "customer"})),
        event(
            122,
            268_000,
            "call.media",
            json!({"problem": "one-way", "state": "restored", "leg": "customer"}),
        ),
        event(
            180,
            374_220,
            "call.ended",
            json!({"cause": "hangup", "summary": {"analysis": {"reasons": reasons}}}),
        ),
    ];
    let alerts = vec![Alert {
        alert: "frustration".to_owned(),
        from_ms: 98_300,
        to_ms: Some(243_800),
        score: Some(0.74),
    }];
    let mut details = details(call, affect, alerts, events);
    details.outcome =
        Some(CallOutcome { resolved: Some(true), escalated: Some(false), reason: Some("refund".to_owned()) });
    details.survey = Some(Survey {
        empathy: Some(4),
        resolved: None,
        comment: Some("She took her time, thank you.".to_owned()),
    });
    details.notes.push(Note {
        id: "1".to_owned(),
        posted: NOW - 600_000,
        by: "Maria Keller".to_owned(),
        kind: NoteKind::Empathy,
        at_ms: Some(221_000),
        text: "Here you let her finish, and it turned.".to_owned(),
    });
    details
}

/// A call that is up, with an alert.
pub(crate) fn call_that_is_up() -> CallDetails {
    let mut details = upset_call();
    details.call.started = NOW - 150_000;
    details.call.ended = None;
    details.call.cause = None;
    details.call.alert = Some("frustration".to_owned());
    details.call.calmed = 0;
    details.call.shift = None;
    details.call.judged_ms = None;
    details.call.speech_ms = None;
    details.call.valence_start = None;
    details.affect.retain(|point| point.at_ms < 150_000);
    details.events.retain(|event| event.at_ms < 150_000);
    details.alerts[0].to_ms = None;
    details.call.trend = Some("worsening".to_owned());
    let last = details.affect.last().copied();
    told(&mut details.call, last.as_ref());
    details
}

/// A call whose customer objected.
pub(crate) fn erased_call() -> CallDetails {
    let mut call = bare(4712, "hotline", NOW - 7_200_000);
    call.ended = Some(call.started + 200_000);
    call.cause = Some("hangup".to_owned());
    call.consent = Some("opted-out".to_owned());
    call.erased = true;
    let objected = json!({"state": "opted-out", "policy": "notice", "by": "digit", "erased": true});
    let events = vec![
        event(1, 0, "call.started", json!({"analysed": true})),
        event(2, 6_480, "call.answered", json!({"waited_ms": 6480})),
        event(3, 20_000, "erased", json!({})),
        event(4, 30_000, "erased", json!({})),
        event(5, 61_000, "consent.changed", objected),
        event(6, 200_000, "call.ended", json!({"cause": "hangup", "summary": null})),
    ];
    details(call, Vec::new(), Vec::new(), events)
}

/// Three hundred days of four trunks.
pub(crate) fn days() -> Vec<Day> {
    let mut dice = Dice(5);
    let today = NOW / 86_400_000;
    let mut days = Vec::new();
    for day in today - 600..=today {
        // 1970 began on a Thursday.
        let weekend = matches!((day + 3) % 7, 5 | 6);
        for (index, trunk) in trunks().into_iter().enumerate() {
            let usual = [210.0, 140.0, 60.0, 4.0][index] * if weekend { 0.25 } else { 1.0 };
            let calls = dice.around(usual, usual / 6.0).max(0.0).round();
            if calls < 1.0 {
                continue;
            }
            let part = |share: f64| (calls * share).round() as u64;
            let upset = part(dice.around(0.08, 0.03).clamp(0.0, 0.3));
            let shifts = part(0.72);
            let mean = dice.around(0.03 + (day % 28) as f64 * 0.0009 - index as f64 * 0.012, 0.03);
            days.push(Day {
                day,
                label: trunk,
                direction: "inbound".to_owned(),
                calls: part(1.0),
                answered: part(dice.around(0.93, 0.02).min(1.0)),
                handled_ms: part(0.93) * dice.around(262_000.0, 20_000.0) as u64,
                agreed: part(0.83),
                opted_out: part(0.014),
                speech_ms: part(1.0) * 92_000,
                judged_ms: part(1.0) * dice.around(71_000.0, 3000.0) as u64,
                judged: part(0.78),
                upset,
                recovered: (upset as f64 * dice.around(0.61, 0.1)).round() as u64,
                improved: part(0.24),
                declined: part(0.13),
                shifts,
                shift_sum: shifts as f64 * mean,
                shift_squares: shifts as f64 * (mean * mean + 0.06),
                settled: part(0.9),
                resolved: part(0.72),
                followed: part(0.8),
                repeated: part(0.13),
                outcomes: part(0.5),
                escalated: part(0.03),
                surveys: part(0.12),
                agents: 9,
                empathy_sum: part(0.12) as f64 * 4.1,
                empathy_squares: part(0.12) as f64 * 17.6,
                ..Day::default()
            });
        }
    }
    days
}

/// The operator's page: in order, or with much that is not. `text` stands where one from outside is shown.
pub(crate) fn operations<T>(ill: bool, text: &str, show: impl FnOnce(&Operations<'_>) -> T) -> T {
    let host = |of_trunk, peer, host, up| {
        let state = if up { HostState::Up } else { HostState::Down };
        Host { of_trunk, peer, host, state }
    };
    let hosts = [
        host(true, "carrier-north", "udp:203.0.113.10:5060", true),
        host(true, text, "tcp:203.0.113.11:5060", !ill),
        host(false, "pbx", "udp:192.0.2.20:5060", true),
        Host { state: HostState::Unheard, ..host(false, "pbx", "udp:192.0.2.21:5060", true) },
    ];
    let link = |kind, up, dropped| Link { pbx: text, kind, up, sent: 20_711, dropped, refused: 0 };
    let links = [link("ami", true, 0), link("ari", !ill, if ill { 12 } else { 0 })];
    let counts = Counts {
        calls: 12,
        begun: 4_211,
        answered: 3_980,
        ports: 48,
        listened: 10,
        estimates: 120_440,
        consents: 3_600,
        opted_out: 51,
        spool_bytes: 12_400_000,
        shed: if ill { 3_000 } else { 0 },
        ..Counts::default()
    };
    let alarms = [
        (Alarm::PeerDown, text.to_owned()),
        (Alarm::AnalysisBehind, String::new()),
        (Alarm::StoreDown, String::new()),
    ];
    show(&Operations {
        health: if ill { Health::Thread(text) } else { Health::Ready },
        version: "0.1.0",
        node: Some(text),
        uptime_s: 93_784,
        model: (!ill).then_some(Model { name: text, licence: "Apache-2.0", sha256: &"5f".repeat(32) }),
        alarms: if ill { &alarms } else { &[] },
        hosts: &hosts,
        links: &links,
        counts: &counts,
        words: if ill { Words::Missing } else { Words::Recognised },
        store_trouble: ill.then_some(text),
    })
}

/// The compliance page, with receipts that are whole or not.
pub(crate) fn compliance<T>(ill: bool, text: &str, show: impl FnOnce(&Compliance<'_>) -> T) -> T {
    let whole = Receipts::Read {
        receipts: 48_210,
        files: 91,
        lost: u64::from(ill),
        head: Some(format!("48302:{}", "9f1c".repeat(16))),
        findings: if ill { vec![format!("{text}:12: was changed"); 30] } else { Vec::new() },
        further: 0,
        notes: vec![text.to_owned()],
    };
    let policy = PolicyInForce {
        trunks: vec![
            ("carrier-north".to_owned(), "announce".to_owned()),
            (text.to_owned(), "never".to_owned()),
        ],
        rules: 2,
        never_tiers: vec![text.to_owned()],
        opt_out_digit: Some('9'),
        remarks: vec![
            ("receipts_for_ever", "receipts are kept for ever: set consent.receipts_days".to_owned()),
            ("of_a_later_build", "a remark without a text of the pages".to_owned()),
        ],
        kept: vec![["events".to_owned(), text.to_owned(), "30 days, or until 1100 MiB are full".to_owned()]],
    };
    let access = |number: u64, action: &str, subject: &str| Access {
        time: NOW - number * 421_000,
        token: "1f2e3d4c".to_owned(),
        name: text.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
    };
    let mut accesses = Vec::new();
    for number in 0..25 {
        accesses.push(access(number * 2, "call.read", "01KJMBQDHX04HMASW9NF6YY093"));
        accesses.push(access(number * 2 + 1, "calls.of_number", &format!("hmac-sha256:{}", "a1".repeat(32))));
    }
    let first = Compliance::first_day(NOW);
    let days: Vec<Day> = days().into_iter().filter(|day| day.day >= first).collect();
    show(&Compliance {
        days: &days,
        policy: &policy,
        receipts: &whole,
        read: NOW,
        listed: &if ill { Listed::Unreadable(text.to_owned()) } else { Listed::Numbers(310) },
        erasures: &[Erasure { time: NOW - 9_000_000, calls: 4 }],
        owed: Owed { files: u64::from(ill), spool: 0, beyond: 0 },
        accesses: &accesses,
        newest: true,
        next: AccessCursor::behind(&accesses, None),
    })
}

/// The compliance page of a site that has just begun.
pub(crate) fn compliance_of_nothing<T>(show: impl FnOnce(&Compliance<'_>) -> T) -> T {
    show(&Compliance {
        days: &[],
        policy: &PolicyInForce::default(),
        receipts: &Receipts::NotKept,
        read: NOW,
        listed: &Listed::NoList,
        erasures: &[],
        owed: Owed::default(),
        accesses: &[],
        newest: true,
        next: None,
    })
}
