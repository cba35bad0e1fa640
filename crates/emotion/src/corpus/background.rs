//! What is heard behind a caller: other people, music on hold, the line's own noise. All of it is made here or mixed
//! from the training's own clips, so that it brings no licence of its own.

use crate::rng::Rng;

/// Adds `behind`, repeated as needed from a random place on, at a signal-to-noise ratio.
pub(crate) fn mix(x: &mut [f32], behind: &[f32], snr_db: f32, rng: &mut Rng) {
    let (voice, other) = (power(x), power(behind));
    if voice <= 0.0 || other <= 0.0 {
        return;
    }
    let gain = (voice / other * 10f32.powf(-snr_db / 10.0)).sqrt();
    let start = rng.below(behind.len());
    for (x, y) in x.iter_mut().zip(behind.iter().cycle().skip(start)) {
        *x += gain * y;
    }
}

fn power(x: &[f32]) -> f32 {
    x.iter().map(|x| x * x).sum::<f32>() / x.len().max(1) as f32
}

/// Several of `clips` at once, each at its own level: people talking in the same room. At most 4 s.
pub(crate) fn babble(clips: &[&[i16]], rng: &mut Rng) -> Vec<f32> {
    let mut sum = vec![0.0f32; 32_000];
    for _ in 0..3 + rng.below(4) {
        let Some(clip) = clips.get(rng.below(clips.len())) else { continue };
        let clip: Vec<f32> = clip.iter().map(|&x| f32::from(x)).collect();
        if power(&clip) > 0.0 {
            let gain = rng.between(0.5, 1.5) / power(&clip).sqrt();
            let start = rng.below(clip.len());
            for (sum, x) in sum.iter_mut().zip(clip.iter().cycle().skip(start)) {
                *sum += gain * x;
            }
        }
    }
    sum
}

/// Four seconds of chords with a melody over them and a beat beneath: hold music of the simplest kind.
pub fn music(rng: &mut Rng) -> Vec<f32> {
    const SCALE: [u8; 8] = [0, 2, 4, 5, 7, 9, 11, 12];
    let key = rng.between(150.0, 300.0);
    let beat = 1600 + rng.below(3200);
    let (brightness, drums) = (rng.between(0.5, 1.5), rng.between(0.0, 1.0));
    let note = |semitones: u8| key * (f32::from(semitones) / 12.0).exp2();
    let pick = |from: &[u8], rng: &mut Rng| from.get(rng.below(from.len())).copied().unwrap_or(0);
    let mut pcm = Vec::with_capacity(32_000 + beat);
    let mut root = 0;
    let mut beats = 0;
    while pcm.len() < 32_000 {
        if beats % 4 == 0 {
            root = pick(&[0, 5, 7, 9], rng);
        }
        beats += 1;
        let melody = note(12 + pick(&SCALE, rng));
        let chord = [note(root), note(root + 4), note(root + 7)];
        for n in 0..beat {
            let t = n as f32 / 8000.0;
            let tone = |hz: f32| (std::f32::consts::TAU * hz * t).sin();
            let decay = (-3.0 * t).exp();
            let mut x: f32 = chord.iter().map(|hz| 0.5 * tone(*hz) + 0.25 * tone(2.0 * hz)).sum();
            for harmonic in 1..5u8 {
                let harmonic = f32::from(harmonic);
                x += decay * harmonic.powf(-1.0 / brightness) * tone(melody * harmonic);
            }
            x += drums * rng.between(-1.0, 1.0) * (-(n as f32) / 80.0).exp();
            pcm.push(x);
        }
    }
    pcm
}

/// Noise as a decoder makes it up in silence (RFC 3389): white or spectrally flat in parts, very even in level.
pub(crate) fn comfort_noise(length: usize, rng: &mut Rng) -> Vec<f32> {
    let (smooth, mut low) = (rng.between(0.05, 0.9), 0.0);
    (0..length)
        .map(|_| {
            low += smooth * (rng.between(-1.0, 1.0) - low);
            low
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_stands_at_the_ratio_asked_for() {
        let mut rng = Rng::new(1);
        let voice: Vec<f32> = (0..16_000).map(|n| 3000.0 * (n as f32 * 0.3).sin()).collect();
        for behind in
            [music(&mut rng), comfort_noise(8000, &mut rng), babble(&[&[900, -800, 700, 20, -5]], &mut rng)]
        {
            let mut mixed = voice.clone();
            mix(&mut mixed, &behind, 10.0, &mut rng);
            let rest: Vec<f32> = mixed.iter().zip(&voice).map(|(a, b)| a - b).collect();
            let ratio = 10.0 * (power(&voice) / power(&rest)).log10();
            assert!((ratio - 10.0).abs() < 2.0, "{ratio}");
        }
    }

    #[test]
    fn nothing_behind_or_before_changes_nothing() {
        let mut silent = vec![0.0; 10];
        mix(&mut silent, &[1.0], 0.0, &mut Rng::new(1));
        assert_eq!(silent, vec![0.0; 10]);
        let mut voice = vec![5.0; 10];
        mix(&mut voice, &[], 0.0, &mut Rng::new(1));
        mix(&mut voice, &babble(&[], &mut Rng::new(1)), 0.0, &mut Rng::new(1));
        assert_eq!(voice, vec![5.0; 10]);
    }
}
