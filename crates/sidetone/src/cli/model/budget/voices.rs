//! Calls made of a corpus: clips of one speaker strung together as turns of a conversation.

use std::collections::BTreeMap;
use std::path::Path;

use sidetone_call::Class;
use sidetone_emotion::corpus::{Entry, Manifest, audio};
use sidetone_emotion::rng::Rng;

/// A speaker's clips, as recorded.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    pub(super) name: String,
    pub(super) calm: Vec<Vec<i16>>,
    pub(super) upset: Vec<Vec<i16>>,
    pub(super) happy: Vec<Vec<i16>>,
}

/// Those who have calm clips.
pub(super) struct Speakers(pub(super) Vec<Speaker>);

impl Speakers {
    /// Reads their neutral and calm clips, the angry and afraid ones, and the happy ones. Where listeners were asked,
    /// at least the share `agreed` of them must have heard the clip as such.
    pub(super) fn read(manifest: &Manifest, root: &Path, agreed: f32) -> anyhow::Result<Self> {
        let mut speakers: BTreeMap<&str, Speaker> = BTreeMap::new();
        for entry in &manifest.entries {
            let name = &entry.speaker;
            let speaker = speakers.entry(name).or_default();
            speaker.name.clone_from(name);
            let (clips, kind): (_, &[Class]) = match entry.class() {
                Some(Class::Neutral | Class::Calm) => (&mut speaker.calm, &[Class::Neutral, Class::Calm]),
                Some(Class::Anger | Class::Fear) => (&mut speaker.upset, &[Class::Anger, Class::Fear]),
                Some(Class::Happiness) => (&mut speaker.happy, &[Class::Happiness]),
                _ => continue,
            };
            if heard_as(entry, kind).is_none_or(|share| share >= agreed) {
                clips.push(audio::read(&root.join(&entry.path))?);
            }
        }
        Ok(Self(speakers.into_values().filter(|speaker| !speaker.calm.is_empty()).collect()))
    }

    /// Four of them at once, as loud together as one alone.
    pub(super) fn babble(&self, length: usize, rng: &mut Rng) -> Vec<f32> {
        let mut sum = vec![0.0f32; length];
        for _ in 0..4 {
            if let Some(speaker) = self.0.get(rng.below(self.0.len())) {
                let voice = string(&speaker.calm, length, rng);
                sum.iter_mut().zip(voice).for_each(|(sum, x)| *sum += 0.5 * f32::from(x));
            }
        }
        sum
    }

    /// Another's voice, calm and with `upset` in turns: an agent whom the caller's telephone gives back.
    pub(super) fn other(&self, than: usize, length: usize, upset: bool, rng: &mut Rng) -> Vec<i16> {
        let place = (than + 1 + rng.below(self.0.len().saturating_sub(1).max(1))) % self.0.len().max(1);
        let Some(speaker) = self.0.get(place) else { return Vec::new() };
        let clips: Vec<&Vec<i16>> =
            speaker.calm.iter().chain(speaker.upset.iter().filter(|_| upset)).collect();
        string(&clips, length, rng)
    }
}

/// Share of the listeners who heard one of `kind`, if any was asked.
fn heard_as(entry: &Entry, kind: &[Class]) -> Option<f32> {
    let shares = entry.shares.as_ref()?;
    Some(kind.iter().filter_map(|class| shares.get(class.index())).sum())
}

/// Clips in random order with pauses of a conversation between them.
pub(super) fn string<C: AsRef<[i16]>>(clips: &[C], length: usize, rng: &mut Rng) -> Vec<i16> {
    let mut pcm = Vec::with_capacity(length);
    while pcm.len() < length && !clips.is_empty() {
        if let Some(clip) = clips.get(rng.below(clips.len())) {
            pcm.extend_from_slice(clip.as_ref());
        }
        let pause = 2000 + rng.below(20_000);
        // A line is never quite silent.
        pcm.extend((0..pause).map(|_| rng.between(-12.0, 12.0) as i16));
    }
    pcm.truncate(length);
    pcm
}

/// Noise as loud as a voice in the mean.
pub(super) fn hiss(voice: &[i16], rng: &mut Rng) -> Vec<f32> {
    let power = voice.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>() / voice.len().max(1) as f32;
    let loudness = power.sqrt();
    voice.iter().map(|_| loudness * rng.normal()).collect()
}

/// A voice `samples` later, as it comes back.
pub(super) fn late(voice: &[i16], samples: usize) -> Vec<f32> {
    let silence = std::iter::repeat_n(0.0, samples.min(voice.len()));
    silence.chain(voice.iter().map(|x| f32::from(*x))).take(voice.len()).collect()
}

/// Two sounds at once, the second `share` as loud as it is.
pub(super) fn mixed(voice: &[i16], behind: &[f32], share: f32) -> Vec<i16> {
    let sum = |(x, y): (&i16, &f32)| (f32::from(*x) + share * y).clamp(-32768.0, 32767.0) as i16;
    voice.iter().zip(behind).map(sum).collect()
}
