//! Telephone sound as the network wants it.

use sidetone_codec::resample::Resampler;

/// Samples a second of the sound that is recognised.
pub const RATE: u32 = 16_000;
/// The rate of telephone sound in a call's analysis.
const NARROW: u32 = 8_000;

/// 8 kHz PCM as 16 kHz in `[-1, 1]`, twice as many samples, in time with it.
#[must_use]
pub fn widen(pcm: &[i16]) -> Vec<f32> {
    let Ok(mut resampler) = Resampler::new(NARROW, RATE) else { return Vec::new() };
    let late = resampler.delay().as_secs_f64();
    let mut wide = Vec::with_capacity(2 * pcm.len());
    resampler.push(pcm, &mut wide);
    // The filter gives each sound somewhat later than it took it.
    resampler.push(&vec![0; (late * f64::from(NARROW)).ceil() as usize], &mut wide);
    let skip = (late * f64::from(RATE)).round() as usize;
    let wide = wide.into_iter().skip(skip).take(2 * pcm.len());
    wide.map(|sample| f32::from(sample) / 32_768.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_stays_where_it_was_and_as_loud_as_it_was() {
        let mut pcm = vec![0; 800];
        pcm[400] = 16_384;
        let wide = widen(&pcm);
        assert_eq!(wide.len(), 1600);
        let loudest = (0..wide.len()).max_by(|&a, &b| wide[a].total_cmp(&wide[b])).unwrap();
        assert_eq!(loudest, 800);
        assert!((0.3..0.6).contains(&wide[800]), "{}", wide[800]);
    }

    #[test]
    fn no_sound_gives_no_sound() {
        assert!(widen(&[]).is_empty());
    }
}
