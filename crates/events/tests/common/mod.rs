//! Calls and events for the tests.
#![allow(dead_code)] // each test file uses some of it

use std::collections::BTreeMap;
use std::time::Duration;

use sidetone_call::{Cause, Class, CustomerOnly, Labels, Leg, Modality, Suite, Topic, Untappable};
use sidetone_consent::{Policy, Source, State as ConsentState};
use sidetone_events::{
    Announcement, AnnouncementPhase, CallAnswered, CallEnded, CallHeld, CallId, CallMedia, CallRef,
    CallResumed, CallSecured, CallStarted, CallUntappable, CodecName, ConsentChanged, CueAcknowledged,
    CueDismissed, Direction, Erased, Event, Happening, LegMedia, MediaProblem, MediaQuality, MediaSecurity,
    MediaState, Narrator, NumberHasher, Parties, Secret, Signalling, SipTransport, Timestamp, Tls,
    TlsVersion,
};
use sidetone_insight::cues::{
    Cause as CueCause, Cleared, CueCleared, CueJudged, CueShown, CueText, CueWithheld,
};
use sidetone_insight::{
    AffectUpdate, Alert, AlertKind, AlertSpan, Alerts, Analysis, Conduct, LegConduct, Moment, Pace, Phase,
    Relative, Response, Sentiment, State, Summary, Trend, WordsFinal, WordsTopic,
};

/// Sunday, 1 March 2026, half past nine.
pub(crate) const BEGAN: u64 = 1_772_357_400_125;

pub(crate) fn hasher() -> NumberHasher {
    NumberHasher::salted(&Secret::new("a salt for nothing but tests")).unwrap()
}

pub(crate) fn call(entropy: u128) -> CallRef {
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    let id = CallId::new(Timestamp::from_unix_millis(BEGAN), entropy);
    CallRef::new(&hasher(), id, "7f3a9c1e-44d2@198.51.100.7", "carrier", Direction::Inbound, parties)
}

pub(crate) fn narrator() -> Narrator {
    narrator_of(0x0123_4567_89ab_cdef_0123)
}

pub(crate) fn narrator_of(entropy: u128) -> Narrator {
    Narrator::new(call(entropy), Timestamp::from_unix_millis(BEGAN))
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One event of each kind, as an ordinary call would have them.
pub(crate) fn a_call() -> Vec<Event> {
    let mut narrator = narrator();
    a_happening_of_each_kind().into_iter().map(|(at, happening)| narrator.tell(ms(at), happening)).collect()
}

fn by_tls() -> Signalling {
    let tls = Tls { version: TlsVersion::V1_3, cipher: "TLS_AES_256_GCM_SHA384".to_owned() };
    Signalling { transport: SipTransport::Tls, tls: Some(tls) }
}

fn by_udp() -> Signalling {
    Signalling { transport: SipTransport::Udp, tls: None }
}

fn secured() -> CallSecured {
    let octets =
        "4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:2B:B3:6A:5F:44:01:59:0A:0E:1C:2D:3F";
    CallSecured {
        stream: 0,
        leg: Leg::Customer,
        security: MediaSecurity::Dtls,
        suite: Some(Suite::AeadAes256Gcm),
        fingerprint: Some(format!("sha-256 {octets}")),
    }
}

pub(crate) fn a_happening_of_each_kind() -> Vec<(u64, Happening)> {
    vec![
        (0, CallStarted { analysed: true, signalling: Some(by_tls()) }.into()),
        (0, labels().into()),
        (
            120,
            CallUntappable { stream: 1, reason: Untappable::NotAudio, leg: None, state: MediaState::Lost }
                .into(),
        ),
        (6_480, CallAnswered { waited: ms(6_480), signalling: Some(by_udp()) }.into()),
        (7_100, secured().into()),
        (
            6_480,
            Announcement {
                phase: AnnouncementPhase::Started,
                toward: Leg::Customer,
                name: "notice".to_owned(),
                language: "en".to_owned(),
                played: Duration::ZERO,
            }
            .into(),
        ),
        (
            15_200,
            ConsentChanged {
                state: ConsentState::Given,
                policy: Policy::Notice,
                by: Source::Policy,
                erased: false,
            }
            .into(),
        ),
        (41_200, Happening::AffectUpdate(update())),
        (41_200, Happening::AffectAlert(alert())),
        (42_500, cue().into()),
        (44_000, CueWithheld { cue: "slow-down".to_owned(), number: 1, priority: 400 }.into()),
        (46_000, CueAcknowledged { cue: "acknowledge-first".to_owned(), number: 1, after: ms(3_500) }.into()),
        (50_000, Happening::Conduct(conduct(false))),
        (62_000, CueDismissed { cue: "say-what-you-heard".to_owned(), number: 2, shown: ms(2_000) }.into()),
        (
            67_500,
            CueCleared {
                cue: "acknowledge-first".to_owned(),
                number: 1,
                why: Cleared::Expired,
                shown: ms(25_000),
            }
            .into(),
        ),
        (71_000, CallHeld { by: Leg::Agent }.into()),
        (
            72_500,
            CueJudged {
                cue: "acknowledge-first".to_owned(),
                number: 1,
                adopted: None,
                recovered: Some(true),
            }
            .into(),
        ),
        (88_300, CallResumed { by: Leg::Agent, held: ms(17_300) }.into()),
        (
            95_000,
            CallMedia {
                problem: MediaProblem::OneWay,
                state: MediaState::Lost,
                leg: Some(Leg::Customer),
                silent: ms(5_000),
            }
            .into(),
        ),
        (
            96_000,
            WordsFinal {
                leg: Leg::Customer,
                utterance: 3,
                from: ms(37_100),
                to: ms(41_020),
                text: "This is the third time I call, I want to cancel my contract.".to_owned(),
                language: "en".to_owned(),
                confidence: 0.91,
                acts: vec![],
            }
            .into(),
        ),
        (
            96_000,
            WordsTopic {
                leg: CustomerOnly,
                utterance: 3,
                topic: Topic::Cancel,
                probability: 0.94,
                phrase: "want to cancel my contract".to_owned(),
                times: 1,
                urgency: 0.35,
                satisfaction: -0.62,
            }
            .into(),
        ),
        (97_000, Erased {}.into()),
        (184_220, ended().into()),
    ]
}

pub(crate) fn labels() -> Labels {
    let label = |text: &str| text.parse().ok();
    Labels { queue: label("billing"), agent: label("2001"), team: label("north"), ..Labels::default() }
}

pub(crate) fn update() -> AffectUpdate {
    AffectUpdate {
        leg: CustomerOnly,
        modality: Modality::Voice,
        valence: -0.52,
        arousal: 0.47,
        distress: 0.71,
        confidence: 0.83,
        state: State::Frustrated,
        trend: Trend::Worsening,
        relative: Some(Relative { valence: -0.49, arousal: 0.55, distress: 0.58 }),
        classes: BTreeMap::from([
            (Class::Anger, 0.66),
            (Class::Sadness, 0.07),
            (Class::Fear, 0.05),
            (Class::Disgust, 0.06),
            (Class::Neutral, 0.16),
        ]),
        speech: ms(14_000),
        estimates: 2,
        abstained: 0,
    }
}

pub(crate) fn alert() -> Alert {
    Alert {
        leg: CustomerOnly,
        modality: Modality::Voice,
        stands_on: vec![sidetone_insight::Basis::Voice],
        phrase: None,
        alert: AlertKind::Frustration,
        phase: Phase::Rising,
        score: 0.71,
        valence: -0.52,
        arousal: 0.47,
        confidence: 0.83,
        lasted: None,
    }
}

pub(crate) fn cue() -> CueShown {
    CueShown {
        cue: "acknowledge-first".to_owned(),
        number: 1,
        line: "Acknowledge first: \"I'm really sorry you're experiencing this issue.\"".to_owned(),
        reason: Some("The caller sounds upset.".to_owned()),
        language: "en".to_owned(),
        others: BTreeMap::from([(
            "de".to_owned(),
            CueText { line: "Erst Verständnis zeigen.".to_owned(), reason: None },
        )]),
        priority: 950,
        expires: ms(25_000),
        because: vec![
            CueCause { condition: "alert = frustration".to_owned(), value: None },
            CueCause { condition: "upset_for > 1s".to_owned(), value: Some(1.3) },
        ],
        compared: false,
    }
}

pub(crate) fn conduct(is_final: bool) -> Conduct {
    Conduct {
        is_final,
        customer: LegConduct {
            talk: ms(21_400),
            talk_share: Some(0.554),
            turns: 5,
            overlaps_begun: 2,
            response: Some(Response { count: 3, mean: ms(410), longest: ms(900) }),
            pace: Some(Pace {
                syllables_per_second: 5.1,
                recent_syllables_per_second: 5.734,
                words_per_minute: 229.0,
            }),
        },
        agent: LegConduct {
            talk: ms(17_240),
            talk_share: Some(0.446),
            turns: 6,
            overlaps_begun: 1,
            response: Some(Response { count: 4, mean: ms(730), longest: ms(1_620) }),
            pace: Some(Pace {
                syllables_per_second: 4.2,
                recent_syllables_per_second: 4.05,
                words_per_minute: 162.0,
            }),
        },
        overlap: ms(1_340),
        overlaps: 3,
        silence: ms(6_220),
        longest_silence: ms(2_900),
        hold: if is_final { ms(17_300) } else { ms(0) },
        holds: u32::from(is_final),
    }
}

pub(crate) fn summary() -> Summary {
    Summary {
        duration: ms(184_220),
        sentiment: Some(Sentiment {
            start: -0.08,
            end: 0.21,
            shift: 0.29,
            lowest: Moment { at: ms(52_700), valence: -0.61 },
            highest: Moment { at: ms(178_900), valence: 0.27 },
        }),
        alerts: Alerts {
            frustration: 1,
            distress: 0,
            spans: vec![AlertSpan { alert: AlertKind::Frustration, from: ms(41_200), to: Some(ms(102_700)) }],
        },
        conduct: conduct(true),
        analysis: Analysis {
            speech: ms(68_400),
            judged: ms(61_500),
            estimates: 122,
            abstained: 9,
            abstained_share: Some(0.069),
            reasons: BTreeMap::from([
                (sidetone_call::Abstention::Overlap, 5),
                (sidetone_call::Abstention::TooLittleSpeech, 4),
            ]),
            erased: false,
        },
        words: None,
    }
}

pub(crate) fn ended() -> CallEnded {
    CallEnded {
        cause: Cause::Hangup,
        by: Some(Leg::Customer),
        sip_status: None,
        summary: Some(summary()),
        media: Some(MediaQuality {
            customer: LegMedia {
                codec: Some(CodecName::Pcma),
                packets: 8_861,
                lost: 13,
                jitter_ms: 2.4,
                unheard: 0,
                rejected: 0,
            },
            agent: LegMedia {
                codec: Some(CodecName::Pcma),
                packets: 8_874,
                lost: 0,
                jitter_ms: 0.3,
                unheard: 0,
                rejected: 0,
            },
        }),
    }
}
