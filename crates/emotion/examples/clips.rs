//! `clips MANIFEST ROOT OUT`: every clip of a manifest as the front end takes it, for `models/teacher/distil.py`: a
//! safetensors file with the PCM of all clips joined (`pcm`), where each begins (`pcm_starts`), the sample just after
//! each step that passed as speech (`ends`, `ends_starts`), what the label means (`class`, -1 for none; `affect`:
//! valence, arousal, distress), and the features of the first clips (`features`) to check another implementation
//! against.

use std::path::PathBuf;

use safetensors::{Dtype, tensor::TensorView};
use sidetone_emotion::{
    class::affect_of_label,
    corpus::{Clip, Manifest, audio},
    features::FeatureConfig,
};

/// Clips whose features are written.
const CHECKED: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut path = || arguments.next().map(PathBuf::from).ok_or("usage: clips MANIFEST ROOT OUT");
    let (manifest, root, out) = (Manifest::read(&path()?)?, path()?, path()?);
    let config = FeatureConfig::default();
    let (mut pcm, mut pcm_starts) = (Vec::<u8>::new(), vec![0i64]);
    let (mut ends, mut ends_starts) = (Vec::<u8>::new(), vec![0i64]);
    let (mut features, mut rows) = (Vec::<u8>::new(), 0);
    let (mut class, mut affect) = (Vec::new(), Vec::<u8>::new());
    for (place, entry) in manifest.entries.iter().enumerate() {
        let samples = audio::read(&root.join(&entry.path))?;
        let clip = Clip::new(&samples, &config);
        pcm.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
        ends.extend(clip.ends.iter().flat_map(|end| (*end as i64).to_le_bytes()));
        pcm_starts.push(pcm.len() as i64 / 2);
        ends_starts.push(ends.len() as i64 / 8);
        class.push(entry.class().map_or(-1, |class| class.index() as i64));
        let (valence, arousal, distress) =
            affect_of_label(&entry.emotion, &entry.intensity).unwrap_or_default();
        affect.extend([valence, arousal, distress].iter().flat_map(|x| x.to_le_bytes()));
        if place < CHECKED {
            features.extend(clip.values.iter().flat_map(|x| x.to_le_bytes()));
            rows += clip.steps;
        }
    }
    let bytes = |values: &[i64]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (pcm_bounds, ends_bounds, classes) = (bytes(&pcm_starts), bytes(&ends_starts), bytes(&class));
    let views = [
        ("pcm", TensorView::new(Dtype::I16, vec![pcm.len() / 2], &pcm)?),
        ("pcm_starts", TensorView::new(Dtype::I64, vec![pcm_starts.len()], &pcm_bounds)?),
        ("ends", TensorView::new(Dtype::I64, vec![ends.len() / 8], &ends)?),
        ("ends_starts", TensorView::new(Dtype::I64, vec![ends_starts.len()], &ends_bounds)?),
        ("class", TensorView::new(Dtype::I64, vec![class.len()], &classes)?),
        ("affect", TensorView::new(Dtype::F32, vec![class.len(), 3], &affect)?),
        ("features", TensorView::new(Dtype::F32, vec![rows, config.dimensions()], &features)?),
    ];
    std::fs::write(out, safetensors::serialize(views, None)?)?;
    Ok(())
}
