//! Bodies for fuzzing: bytes are taken for a sequence of things told to a call.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::cues::{Answer, Coach, CueSet, CueTold};
use crate::{Alert, Call, CallKept, Insight, Phase, Thresholds};
use sidetone_call::{Abstention, Class, Estimate, Leg, Mention, Modality, Told, Topic, Utterance};

/// The cues that come along; read once, not at each input.
static CUES: LazyLock<Arc<CueSet>> = LazyLock::new(|| Arc::new(CueSet::shipped().unwrap_or_default()));

/// A call told anything at all, in any order, keeps its promises.
///
/// # Panics
/// If it doesn't.
pub fn call(bytes: &[u8]) {
    let (mut call, mut told) = (new_call(), Vec::new());
    for piece in bytes.chunks_exact(8) {
        tell(&mut call, piece);
        told.extend(std::iter::from_fn(|| call.poll()));
        assert!(call.held() < 4_000, "holds {} things", call.held());
    }
    check_order(&told);
    let before = told.len();
    let summary = call.summary(Duration::ZERO);
    for leg in [&summary.conduct.customer, &summary.conduct.agent] {
        assert!(leg.talk_share.is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
    assert!(summary.analysis.abstained_share.is_none_or(|share| (0.0..=1.0).contains(&share)));
    if let Some(sentiment) = summary.sentiment {
        assert!((-1.0..=1.0).contains(&sentiment.start) && (-1.0..=1.0).contains(&sentiment.end));
        assert!(sentiment.lowest.valence <= sentiment.highest.valence);
    }
    assert_eq!(before, told.len());
}

fn new_call() -> Call {
    Call::new(Thresholds::default()).coached(Coach::new(Arc::clone(&CUES)))
}

/// Tells a call one of the things that there are to tell.
fn tell(call: &mut Call, piece: &[u8]) {
    let &[kind, a, b, c, d, e, f, g] = piece else { return };
    let leg = if kind & 1 == 0 { Leg::Customer } else { Leg::Agent };
    let at = match kind >> 6 {
        3 => Duration::MAX - Duration::from_millis(u64::from(a)),
        2 => Duration::from_secs(u64::from(u16::from_be_bytes([a, b]))),
        _ => Duration::from_millis(u64::from(u16::from_be_bytes([a, b])) * 4),
    };
    let length = Duration::from_millis(u64::from(u16::from_be_bytes([c, d])));
    match (kind >> 1) & 7 {
        0 | 1 => call.speech(leg, at, at.saturating_add(length)),
        2 => call.syllables(leg, u32::from_be_bytes([a, b, c, d])),
        3 => call.hold(leg, at),
        4 => call.resume(leg, at),
        5 => call.advance(at),
        6 if kind & 32 != 0 => call.said(&utterance(at, length, [c, d, e, f, g])),
        6 => call.answer(at, u32::from(a), if b & 1 == 0 { Answer::Acknowledged } else { Answer::Dismissed }),
        _ => call.affect(at, &sample([c, d, e, f, g])),
    }
}

/// A call that another process goes on with, once or time and again, tells what it would have told in one.
///
/// # Panics
/// If it doesn't.
pub fn call_in_several_processes(bytes: &[u8]) {
    let Some((every, bytes)) = bytes.split_first() else { return };
    let every = usize::from(*every) % 16 + 1;
    let (mut whole, mut apart) = (new_call(), new_call());
    for (number, piece) in bytes.chunks_exact(8).enumerate() {
        tell(&mut whole, piece);
        tell(&mut apart, piece);
        assert_eq!(polled(&mut whole), polled(&mut apart));
        if number % every == 0 {
            let kept = serde_json::to_vec(&apart.kept()).unwrap_or_default();
            apart = new_call();
            let kept: Option<CallKept> = serde_json::from_slice(&kept).ok().flatten();
            assert!(kept.is_some(), "can't be read again");
            kept.into_iter().for_each(|kept| apart.go_on(kept));
        }
    }
    assert_eq!(whole.summary(Duration::ZERO), apart.summary(Duration::ZERO));
    assert_eq!(whole.timeline(), apart.timeline());
    assert_eq!(polled(&mut whole), polled(&mut apart));
}

/// What a call has to tell, without the customer's words, which are never written down.
fn polled(call: &mut Call) -> Vec<(Duration, Insight)> {
    let told = std::iter::from_fn(|| call.poll()).map(|(at, insight)| match insight {
        Insight::Alert(alert) => (at, Insight::Alert(Alert { phrase: None, ..alert })),
        other => (at, other),
    });
    told.collect()
}

/// Any 32-bit floats at all, NaN and infinity among them.
fn sample([c, d, e, f, g]: [u8; 5]) -> Estimate {
    let share = |byte: u8| f32::from(byte) / 255.0;
    Estimate {
        valence: if c == 255 {
            f32::from_bits(u32::from_be_bytes([d, e, f, g]))
        } else {
            share(c) * 2.0 - 1.0
        },
        arousal: share(d) * 2.0 - 1.0,
        distress: share(e),
        confidence: share(f),
        classes: if g & 1 == 0 { vec![] } else { vec![(Class::Anger, share(e)), (Class::Fear, share(d))] },
        abstained: (g > 200).then_some(Abstention::TooNoisy),
        ..Estimate::default()
    }
}

/// An utterance that says anything at all.
fn utterance(from: Duration, length: Duration, bytes: [u8; 5]) -> Utterance {
    let [_, _, urgency, satisfaction, topic] = bytes;
    let share = |byte: u8| if byte == 255 { f32::NAN } else { f32::from(byte) / 200.0 };
    let topic = Topic::ALL.get(usize::from(topic) % (Topic::ALL.len() + 1)).copied();
    let mention = |topic| Mention { topic, probability: share(urgency), phrase: "it".to_owned() };
    Utterance {
        number: u32::from(urgency),
        from,
        to: from.saturating_add(length),
        confidence: share(satisfaction),
        told: Told {
            affect: Estimate { modality: Modality::Words, ..sample(bytes) },
            topics: topic.map(mention).into_iter().collect(),
            urgency: share(urgency),
            satisfaction: share(satisfaction),
        },
        ..Utterance::default()
    }
}

/// Times never go back; each kind of alert rises and calms in turn; nothing told is out of its range.
fn check_order(told: &[(Duration, Insight)]) {
    assert!(told.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a <= b)));
    let mut up = std::collections::BTreeSet::new();
    let (mut cue_up, mut shown) = (None, 0);
    for (_, insight) in told {
        match insight {
            Insight::Alert(alert) => match alert.phase {
                Phase::Rising => assert!(up.insert(alert.alert), "rose twice"),
                Phase::Calmed => assert!(up.remove(&alert.alert), "calmed without rising"),
            },
            Insight::AffectUpdate(update) => {
                assert!((-1.0..=1.0).contains(&update.valence) && (-1.0..=1.0).contains(&update.arousal));
                assert!((0.0..=1.0).contains(&update.distress) && (0.0..=1.0).contains(&update.confidence));
                assert!(update.estimates > 0, "an update rests on something");
            }
            Insight::Conduct(_) | Insight::Words(_) => {}
            Insight::Topic(topic) => {
                assert!(topic.times > 0 && (0.0..=1.0).contains(&topic.probability));
                assert!((0.0..=1.0).contains(&topic.urgency) && (-1.0..=1.0).contains(&topic.satisfaction));
            }
            Insight::Cue(CueTold::Shown(cue)) => {
                assert!(cue_up.is_none(), "one cue at a time");
                assert_eq!(cue.number, shown + 1, "cues are numbered without a gap");
                (cue_up, shown) = (Some(cue.number), cue.number);
            }
            Insight::Cue(CueTold::Withheld(cue)) => {
                assert!(cue_up.is_none() && cue.number == shown + 1, "numbered with those that are shown");
                shown = cue.number;
            }
            Insight::Cue(CueTold::Cleared(cue)) => assert_eq!(cue_up.take(), Some(cue.number)),
            Insight::Cue(CueTold::Judged(cue)) => assert!(cue.number <= shown),
        }
    }
}
