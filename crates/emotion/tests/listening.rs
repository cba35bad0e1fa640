//! What a listener says does not depend on how its audio is cut, who else is heard, or when it is replayed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{path::Path, time::Duration};

use candle_core::{DType, Tensor};
use common::{caller, estimates, listener, recording, telephone, write_random};
use sidetone_call::{Abstention, Class, Estimate};
use sidetone_emotion::{FrameMark, Model, SpeechDetector, corpus::Clip, estimate_due};

fn speech() -> Vec<i16> {
    telephone(&caller()[..24 * 8000])
}

fn largest_difference(a: &[Estimate], b: &[Estimate]) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut largest = 0.0f32;
    for (a, b) in a.iter().zip(b) {
        assert_eq!((a.at, a.evidence, a.abstained), (b.at, b.evidence, b.abstained));
        let mut pairs = vec![(a.valence, b.valence), (a.arousal, b.arousal), (a.distress, b.distress)];
        pairs.extend(a.classes.iter().map(|(class, p)| (*p, b.probability(*class))));
        largest = pairs.into_iter().fold(largest, |largest, (a, b)| largest.max((a - b).abs()));
    }
    largest
}

#[test]
fn a_replay_is_bit_identical() {
    let model = Model::embedded().unwrap();
    let pcm = speech();
    let first = estimates(&model, &pcm, 160, FrameMark::Audio);
    assert!(first.len() > 8);
    assert_eq!(first, estimates(&model, &pcm, 160, FrameMark::Audio));
}

#[test]
fn packets_of_any_length_and_the_whole_at_once_give_the_same() {
    let model = Model::embedded().unwrap();
    let pcm = speech();
    let packets = estimates(&model, &pcm, 160, FrameMark::Audio);
    for packet in [37, 240, 4001, pcm.len()] {
        let other = estimates(&model, &pcm, packet, FrameMark::Audio);
        // Evidence that runs on with the line (noise, level) is read when the estimate is made; the rest must agree.
        let strip = |estimates: &[Estimate]| -> Vec<Estimate> {
            let mut estimates = estimates.to_vec();
            for estimate in &mut estimates {
                estimate.evidence.snr_db = 0.0;
                estimate.abstained = None;
            }
            estimates
        };
        assert!(largest_difference(&strip(&packets), &strip(&other)) < 1e-4, "packets of {packet}");
    }
}

#[test]
fn a_stream_gives_what_the_whole_gives_at_once() {
    let model = Model::embedded().unwrap();
    let network = model.network();
    let pcm = speech();
    let streamed = estimates(&model, &pcm, 160, FrameMark::Audio);
    // Every step of the clip at once, from a fresh state, and the first estimates' windows pooled out of it.
    let clip = Clip::new(&pcm, &model.meta().features);
    let steps = Tensor::from_vec(
        clip.values.clone(),
        (1, clip.steps, model.meta().features.dimensions()),
        network.device(),
    )
    .unwrap();
    let frames = network.encode(&steps, &mut [&mut network.fresh_state()]).unwrap();
    for (count, streamed) in streamed.iter().take(6).enumerate() {
        let window = 20 + 10 * count;
        let mask = Tensor::ones((1, window), DType::F32, network.device()).unwrap();
        let outputs = network.pool(&frames.narrow(1, 0, window).unwrap(), &mask, None, None).unwrap();
        let row = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let whole = model.meta().calibration.read(&row(&outputs.logits), &row(&outputs.affect));
        assert!((streamed.distress - whole.distress).abs() < 1e-4, "{window}");
        assert!((streamed.valence - whole.valence).abs() < 1e-4, "{window}");
        for (class, probability) in Class::ALL.into_iter().zip(whole.probabilities) {
            assert!((streamed.probability(class) - probability).abs() < 1e-4, "{window}, {class:?}");
        }
    }
}

#[test]
fn a_caller_is_heard_beside_their_own_manner_once_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let model = |name: &str, caller| {
        let path = folder.path().join(name);
        write_random(&path, "", caller);
        Model::open(&path).unwrap()
    };
    let (plain, beside) = (model("plain.safetensors", false), model("beside.safetensors", true));
    let pcm = speech();
    let without = estimates(&plain, &pcm, 160, FrameMark::Audio);
    let with = estimates(&beside, &pcm, 160, FrameMark::Audio);
    assert_eq!(without.len(), with.len());
    // The first estimate stands for a second of speech, each later one for another half: fifteen make eight seconds.
    let first = without.iter().zip(&with).position(|(a, b)| a.arousal != b.arousal).unwrap();
    assert_eq!(first, 15);
    assert_eq!(without[..first], with[..first]);
    assert!(without[first..].iter().zip(&with[first..]).all(|(a, b)| a.arousal != b.arousal));

    // Each call has its own: together with another, and after it, it is heard as alone.
    let mut listeners = [listener(&beside), listener(&beside)];
    let mut together = Vec::new();
    for (packet, other) in
        pcm.chunks(160).zip(pcm[40_000..].chunks(160).chain(std::iter::repeat(&pcm[..160])))
    {
        listeners[0].push(packet, FrameMark::Audio);
        listeners[1].push(other, FrameMark::Audio);
        let due = estimate_due(&mut listeners.iter_mut().collect::<Vec<_>>());
        together.extend(due.into_iter().filter(|(place, _)| *place == 0).map(|(_, estimate)| estimate));
    }
    assert!(largest_difference(&with, &together) < 1e-4);
}

#[test]
fn a_batch_gives_what_each_call_gives_alone() {
    let model = Model::embedded().unwrap();
    let pcm = speech();
    let parts: Vec<&[i16]> = (0..5).map(|n| &pcm[n * 16000..n * 16000 + 96000]).collect();
    let alone: Vec<Vec<Estimate>> =
        parts.iter().map(|part| estimates(&model, part, 800, FrameMark::Audio)).collect();

    let mut listeners: Vec<_> = parts.iter().map(|_| listener(&model)).collect();
    let mut together = vec![Vec::new(); parts.len()];
    for start in (0..96000).step_by(800) {
        for (listener, part) in listeners.iter_mut().zip(&parts) {
            listener.push(&part[start..start + 800], FrameMark::Audio);
        }
        for (place, estimate) in estimate_due(&mut listeners.iter_mut().collect::<Vec<_>>()) {
            together[place].push(estimate);
        }
    }
    for (alone, together) in alone.iter().zip(&together) {
        assert!(!alone.is_empty());
        assert!(largest_difference(alone, together) < 1e-4);
    }
}

#[test]
fn the_first_estimate_rests_on_a_second_of_speech_and_each_next_on_half_a_second_more() {
    let model = Model::embedded().unwrap();
    let all = estimates(&model, &speech(), 160, FrameMark::Audio);
    assert_eq!(all[0].evidence.speech, Duration::from_secs(1));
    for pair in all.windows(2).take(6) {
        assert!(pair[1].at > pair[0].at);
        let growth = pair[1].evidence.speech.saturating_sub(pair[0].evidence.speech);
        assert!(growth <= Duration::from_millis(500), "{growth:?}");
    }
    for estimate in &all {
        assert!((-1.0..=1.0).contains(&estimate.valence) && (-1.0..=1.0).contains(&estimate.arousal));
        assert!((0.0..=1.0).contains(&estimate.distress) && (0.0..=1.0).contains(&estimate.confidence));
        let sum: f32 = estimate.classes.iter().map(|(_, p)| p).sum();
        assert!((sum - 1.0).abs() < 1e-4);
        assert!(estimate.evidence.speech <= Duration::from_secs(4));
        assert!(estimate.evidence.window >= estimate.evidence.speech);
    }
}

#[test]
fn what_is_not_the_customers_voice_is_never_heard() {
    let model = Model::embedded().unwrap();
    for mark in
        [FrameMark::Hold, FrameMark::Dtmf, FrameMark::Early, FrameMark::Announcement, FrameMark::ComfortNoise]
    {
        assert!(estimates(&model, &speech(), 160, mark).is_empty(), "{mark:?}");
    }
}

#[test]
fn made_up_audio_is_counted_and_too_much_of_it_is_not_judged() {
    let model = Model::embedded().unwrap();
    let mut listener = listener(&model);
    let mut all = Vec::new();
    for (n, packet) in speech().chunks(160).enumerate() {
        listener.push(packet, if n % 2 == 0 { FrameMark::Audio } else { FrameMark::Concealed });
        all.extend(estimate_due(&mut [&mut listener]));
    }
    assert!(!all.is_empty());
    for (_, estimate) in all {
        assert!((estimate.evidence.concealed - 0.5).abs() < 0.1);
        assert_eq!(estimate.abstained, Some(Abstention::TooMuchLoss));
    }
}

#[test]
fn a_listener_whose_network_never_runs_stays_bounded() {
    let model = Model::embedded().unwrap();
    let mut listener = listener(&model);
    let pcm = speech();
    for _ in 0..8 {
        listener.push(&pcm, FrameMark::Audio);
    }
    assert!(listener.dropped() > Duration::from_secs(1));
    let late = estimate_due(&mut [&mut listener]);
    assert!(late.len() <= 120);
}

/// How many estimates a line gives on which the caller says `voice` while the agent speaks.
fn beside_an_agent(voice: &[i16], agent: &[i16], told: bool) -> usize {
    let mut listener = listener(&Model::embedded().unwrap());
    let mut detector = SpeechDetector::new();
    let mut count = 0;
    for (heard, said) in voice.chunks(160).zip(agent.chunks(160)) {
        detector.push(said, FrameMark::Audio);
        if told {
            listener.far_end(detector.sounded_within(1280));
        }
        listener.push(heard, FrameMark::Audio);
        count += estimate_due(&mut [&mut listener]).len();
    }
    count
}

#[test]
fn an_agent_who_comes_back_is_not_heard_as_the_caller() {
    let agent = recording(Path::new("demo/agent.wav"));
    let agent = &agent[..30 * 8000];
    // 120 ms late and 20 dB down, on a line on which the caller has said nothing yet.
    let back: Vec<i16> = std::iter::repeat_n(0, 960).chain(agent.iter().map(|x| x / 10)).collect();
    let back = telephone(&back[..agent.len()]);
    assert!(beside_an_agent(&back, agent, false) > 5, "it is speech, for all that the sound tells");
    assert_eq!(beside_an_agent(&back, agent, true), 0);
}

#[test]
fn a_caller_is_heard_beside_an_agent_who_speaks() {
    let (voice, agent) = (speech(), recording(Path::new("demo/agent.wav")));
    // Softly enough that the agent is no more than what comes back.
    let alone = beside_an_agent(&voice, &vec![0; voice.len()], true);
    let both = beside_an_agent(&voice, &agent[..voice.len()], true);
    assert!(both * 10 >= alone * 7, "{both} of {alone}");
    // The agent's words from elsewhere in the call, over all that the caller says once they have said anything.
    let words = agent.iter().copied().filter(|x| x.abs() > 200).cycle().take(voice.len() - 64_000);
    let over: Vec<i16> = std::iter::repeat_n(0, 64_000).chain(words).collect();
    let over = beside_an_agent(&voice, &over, true);
    assert!(over * 10 >= alone * 6, "{over} of {alone}: a caller's own loudness lets them through");
}
